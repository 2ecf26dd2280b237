//! Video encoders and decoders behind two small traits.
