//! The words everything speaks: fingerprint, device name, PIN, codes, time.
