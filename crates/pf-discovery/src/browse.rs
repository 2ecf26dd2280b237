//! Looking for hosts.

use std::{
    collections::BTreeMap,
    net::{SocketAddr, SocketAddrV6},
    time::Duration,
};

use mdns_sd::{Receiver, ResolvedService, ScopedIp, ServiceDaemon, ServiceEvent};
use tokio::time::{Instant, timeout_at};

use crate::{Advert, DiscoveryError, SERVICE_TYPE};

/// What a browser sees happen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sighting {
    /// An advert is there, or says something else than before.
    Seen(Advert),
    /// The advert of this service instance is gone.
    Gone(String),
}

/// The adverts that are there: at most [`MAX`](Self::MAX), whatever the network sends.
#[derive(Clone, Debug, Default)]
pub struct Adverts {
    by_instance: BTreeMap<String, Advert>,
}

impl Adverts {
    /// How many are kept; what comes beyond is passed over until one goes.
    pub const MAX: usize = 256;

    /// Takes in what was seen.
    pub fn take_in(&mut self, sighting: Sighting) {
        match sighting {
            Sighting::Seen(advert) => {
                if self.by_instance.len() < Self::MAX || self.by_instance.contains_key(&advert.instance) {
                    self.by_instance.insert(advert.instance.clone(), advert);
                }
            }
            Sighting::Gone(instance) => {
                self.by_instance.remove(&instance);
            }
        }
    }

    /// All of them, by instance.
    pub fn iter(&self) -> impl Iterator<Item = &Advert> {
        self.by_instance.values()
    }
}

/// A look at the network that goes on until this is dropped.
pub struct Browser {
    daemon: ServiceDaemon,
    events: Receiver<ServiceEvent>,
}

impl Browser {
    /// Starts looking.
    pub fn start() -> Result<Self, DiscoveryError> {
        let daemon = ServiceDaemon::new()?;
        let events = daemon.browse(SERVICE_TYPE)?;
        Ok(Self { daemon, events })
    }

    /// What is seen next; `None` once mDNS has stopped. Safe to cancel.
    pub async fn next(&self) -> Option<Sighting> {
        loop {
            match self.events.recv_async().await.ok()? {
                ServiceEvent::ServiceResolved(service) => return Some(Sighting::Seen(read(&service))),
                ServiceEvent::ServiceRemoved(_, full_name) => {
                    return Some(Sighting::Gone(instance(&full_name).to_owned()));
                }
                _ => {}
            }
        }
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // A daemon that cannot be told to stop ends with the process.
        let _ = self.daemon.shutdown();
    }
}

/// Everything that is seen within `patience`, by instance; `is_enough` may end the look earlier.
pub async fn browse_for(
    patience: Duration,
    mut is_enough: impl FnMut(&Adverts) -> bool,
) -> Result<Vec<Advert>, DiscoveryError> {
    let browser = Browser::start()?;
    let deadline = Instant::now() + patience;
    let mut adverts = Adverts::default();
    while let Ok(Some(sighting)) = timeout_at(deadline, browser.next()).await {
        adverts.take_in(sighting);
        if is_enough(&adverts) {
            break;
        }
    }
    Ok(adverts.by_instance.into_values().collect())
}

fn read(service: &ResolvedService) -> Advert {
    let addresses = service.addresses.iter().map(|address| match address {
        ScopedIp::V6(v6) if v6.addr().is_unicast_link_local() => {
            SocketAddrV6::new(*v6.addr(), service.port, 0, v6.scope_id().index).into()
        }
        other => SocketAddr::new(other.to_ip_addr(), service.port),
    });
    Advert::read(instance(&service.fullname), |key| service.get_property_val_str(key), addresses)
}

/// The instance of a full name.
fn instance(full_name: &str) -> &str {
    full_name.strip_suffix(SERVICE_TYPE).unwrap_or(full_name).trim_end_matches('.')
}
