//! What goes over the control socket.

use serde::{Deserialize, Serialize};

/// What the owner wants.
///
/// Without `Debug`, for a password may be in it.
#[derive(Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum Request {
    Status,
    Arm {
        target: Option<String>,
        ttl_s: Option<u64>,
    },
    Disarm,
    Requests,
    Approve {
        request: u32,
        label: Option<String>,
    },
    Deny {
        request: u32,
    },
    Devices,
    Rename {
        fingerprint: String,
        label: String,
    },
    Remove {
        fingerprint: String,
    },
    Sessions,
    EndSession {
        session: u64,
    },
    Audit {
        limit: u32,
        before: Option<u64>,
        kind: Option<String>,
        device: Option<String>,
    },
    Watch,
    ConsoleUrl,
    /// The new password; none to have one made.
    ConsolePassword {
        password: Option<String>,
    },
    SignIns,
    EndSignIn {
        sign_in: u64,
    },
}
