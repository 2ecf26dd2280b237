//! The words everything speaks: fingerprint, device name, PIN, check code, codes, policy, time.
//!
//! Pure values with their one canonical form each. Nothing here decides anything.

#![forbid(unsafe_code)]

mod check_code;
pub mod code;
mod fingerprint;
mod hardware_address;
mod identity;
mod name;
mod pin;
mod policy;
mod time;

pub use check_code::CheckCode;
pub use code::Code;
pub use fingerprint::{Fingerprint, ParseFingerprintError};
pub use hardware_address::HardwareAddress;
pub use identity::Identity;
pub use name::DeviceName;
pub use pin::{ParsePinError, Pin, PinDigits};
pub use policy::PairPolicy;
pub use time::Timestamp;

/// The port of everything native: UDP for streaming, TCP for the console.
pub const DEFAULT_PORT: u16 = 9777;
