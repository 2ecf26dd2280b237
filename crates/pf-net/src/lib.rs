//! The QUIC driver: endpoints, pinning verifiers, framing, media datagrams.
