//! Finding hosts on the local network: mDNS advertise and browse (DNS-SD, RFC 6763).
//!
//! An [`Advert`] is a hint that anybody on the network can forge. It may make a client stricter and it says where to
//! dial; it never says whom to trust.

#![forbid(unsafe_code)]

mod advert;
mod advertise;
mod browse;

pub use advert::Advert;
pub use advertise::{Advertisement, Advertiser};
pub use browse::{Adverts, Browser, Sighting, browse_for};

/// The service type of a Punktfunk host.
pub const SERVICE_TYPE: &str = "_punktfunk._udp.local.";

/// mDNS cannot work on this machine.
#[derive(Debug, thiserror::Error)]
#[error("mDNS does not work here: {0}")]
pub struct DiscoveryError(#[from] mdns_sd::Error);
