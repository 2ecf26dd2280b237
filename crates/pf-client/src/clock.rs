//! The client's clock.

use std::time::{SystemTime, UNIX_EPOCH};

use pf_base::Timestamp;

/// The time now, for what the store keeps. Nothing here expires by it.
pub(crate) fn now() -> Timestamp {
    Timestamp::EPOCH + SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}
