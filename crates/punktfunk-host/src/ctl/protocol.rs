//! What goes over the control socket.

use serde::{Deserialize, Serialize};

/// What the owner wants.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum Request {
    Status,
    Arm { target: Option<String>, ttl_s: Option<u64> },
    Disarm,
    Requests,
    Approve { request: u32, label: Option<String> },
    Deny { request: u32 },
    Devices,
    Rename { fingerprint: String, label: String },
    Remove { fingerprint: String },
    Sessions,
    EndSession { session: u64 },
    Audit { limit: u32, before: Option<u64>, kind: Option<String>, device: Option<String> },
    Watch,
}
