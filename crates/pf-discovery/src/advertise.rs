//! A host's own advert.

use std::{net::IpAddr, time::Duration};

use mdns_sd::{IfKind, ServiceDaemon, ServiceInfo, UnregisterStatus};
use pf_base::{DeviceName, Fingerprint, PairPolicy};

use crate::{DiscoveryError, SERVICE_TYPE};

/// How often the machine's addresses are looked at; a changed one is announced anew.
const ADDRESS_CHECK_SECONDS: u32 = 3;

/// How long a goodbye may take.
const GOODBYE: Duration = Duration::from_millis(500);

/// What a host says of itself.
#[derive(Clone, Debug)]
pub struct Advertisement {
    /// What it calls itself.
    pub name: DeviceName,
    /// Its identity, which also gives the `id`.
    pub fingerprint: Fingerprint,
    /// What it asks of unpaired devices.
    pub policy: PairPolicy,
    /// Its UDP port.
    pub port: u16,
    /// The one address that it listens on, if not all.
    pub bind: Option<IpAddr>,
}

/// An advert that stands, and follows the machine's addresses, until this is dropped.
pub struct Advertiser {
    daemon: ServiceDaemon,
    full_name: String,
}

impl Advertiser {
    /// Advertises a host on every interface, or on that of the one address that it listens on.
    pub fn start(advertisement: &Advertisement) -> Result<Self, DiscoveryError> {
        let daemon = ServiceDaemon::new()?;
        daemon.set_ip_check_interval(ADDRESS_CHECK_SECONDS)?;
        let fingerprint = advertisement.fingerprint.hex();
        let id = &fingerprint[..16];
        let txt = [
            ("v", "1"),
            ("id", id),
            ("fp", &fingerprint),
            ("name", advertisement.name.as_str()),
            ("pair", advertisement.policy.word()),
        ];
        let instance = instance_name(&advertisement.name);
        let host = format!("punktfunk-{id}.local.");
        let mut service = ServiceInfo::new(SERVICE_TYPE, &instance, &host, "", advertisement.port, &txt[..])?
            .enable_addr_auto();
        if let Some(address) = advertisement.bind {
            service.set_interfaces(vec![IfKind::Addr(address)]);
        }
        let full_name = service.get_fullname().to_owned();
        daemon.register(service)?;
        Ok(Self { daemon, full_name })
    }
}

impl Drop for Advertiser {
    /// Says goodbye, so that browsers forget the host at once.
    fn drop(&mut self) {
        if let Ok(done) = self.daemon.unregister(&self.full_name) {
            let _: Result<UnregisterStatus, _> = done.recv_timeout(GOODBYE);
        }
        // A daemon that cannot be told to stop ends with the process.
        let _ = self.daemon.shutdown();
    }
}

/// A service instance is one DNS label: at most 63 bytes.
fn instance_name(name: &DeviceName) -> String {
    let mut instance = name.as_str().to_owned();
    while instance.len() > 63 {
        instance.pop();
    }
    instance
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_name_fits_one_label() {
        let name = DeviceName::sanitise(&"ü".repeat(32));
        assert_eq!(instance_name(&name), "ü".repeat(31));
    }
}
