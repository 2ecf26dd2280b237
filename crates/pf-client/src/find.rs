//! From what a person typed to where to dial.

use std::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use pf_base::{DEFAULT_PORT, DeviceName};
use pf_discovery::{Advert, browse_for};
use pf_store::{HostFacts, HostState, KnownHost};
use pf_trust::route::{self, Named};

use crate::{Client, Failure};

/// How long to look for a host on the network: a host answers within a second, and a forger of adverts, too.
const LOOK: Duration = Duration::from_millis(2500);

/// A host that a person named: how, where it is said to be, and what its adverts claim.
#[derive(Clone, Debug)]
pub struct Found {
    text: String,
    named: Named,
    adverts: Vec<Advert>,
    known: Option<KnownHost>,
    addresses: Vec<SocketAddr>,
}

impl Found {
    /// What the person typed.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Where it may be, the likeliest first.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    pub(crate) fn named(&self) -> Named {
        self.named
    }

    /// What its adverts say of pairing: of several, the strictest.
    pub(crate) fn advert(&self) -> route::Advert {
        route::Advert::of_all(self.adverts.iter().map(|advert| advert.policy.map(pf_base::PairPolicy::word)))
    }

    /// What the store is told of the host, with what it calls itself and where it answered, once it did.
    pub(crate) fn facts(&self, label: Option<&DeviceName>, address: Option<SocketAddr>) -> HostFacts {
        let advert = self.adverts.first();
        let known = self.known.as_ref();
        let advertised_name = advert.map(|advert| advert.name.to_string());
        let known_name = known.and_then(|known| known.host_names.first().cloned());
        HostFacts {
            named: self.named,
            label: label.cloned().unwrap_or_else(|| DeviceName::sanitise(&self.text)),
            advert_id: advert
                .and_then(|advert| advert.id.clone())
                .or_else(|| known.and_then(|known| known.advert_ids.first().cloned())),
            host_name: advertised_name.or(known_name).or_else(|| typed_name(&self.text)),
            address: address.or_else(|| self.addresses.first().copied()),
        }
    }
}

impl Client {
    /// Finds a host by its name from the network or from the known hosts, or takes its `address[:port]`.
    pub async fn find(&self, text: &str) -> Result<Found, Failure> {
        let text = text.trim();
        let by_hand = |addresses| Found {
            text: text.to_owned(),
            named: Named::ByHand,
            adverts: Vec::new(),
            known: None,
            addresses,
        };
        if let Some(address) = parse_address(text) {
            return Ok(by_hand(vec![address]));
        }
        let known = self.the_known(text)?;
        if let Some(pinned) = known.as_ref().filter(|host| is_pinned(host) && !host.addresses.is_empty()) {
            // A pinned host proves itself wherever it is: no need to look around first.
            let addresses = pinned.addresses.clone();
            return Ok(Found { named: Named::Discovered, known, ..by_hand(addresses) });
        }
        let adverts = self.look_for(text, known.as_ref()).await;
        if !adverts.is_empty() {
            let addresses = adverts.iter().flat_map(|advert| advert.addresses.iter().copied()).collect();
            return Ok(Found { named: Named::Discovered, adverts, known, ..by_hand(addresses) });
        }
        if let Some(addresses) = known.as_ref().map(|known| known.addresses.clone()).filter(|a| !a.is_empty())
        {
            return Ok(Found { known, ..by_hand(addresses) });
        }
        match resolve(text).await {
            Some(addresses) => Ok(by_hand(addresses)),
            None => Err(Failure::NoSuchHost(text.to_owned())),
        }
    }

    /// Looks again for a pinned host that does not answer where it was last.
    pub(crate) async fn find_moved(&self, found: &Found) -> Option<Found> {
        let known = found.known.as_ref()?;
        if !found.adverts.is_empty() {
            return None;
        }
        let adverts = self.look_for(&found.text, Some(known)).await;
        let addresses: Vec<_> = adverts.iter().flat_map(|advert| advert.addresses.iter().copied()).collect();
        (!addresses.is_empty()).then(|| Found { adverts, addresses, ..found.clone() })
    }

    /// The adverts that go by a text, or by a name of a known host.
    async fn look_for(&self, text: &str, known: Option<&KnownHost>) -> Vec<Advert> {
        let goes_by = |advert: &Advert| {
            let is_known = |known: &KnownHost| {
                advert.id.as_ref().is_some_and(|id| known.advert_ids.contains(id))
                    || advert.fingerprint == Some(known.fingerprint)
            };
            advert.name.as_str().to_lowercase() == text.to_lowercase()
                || advert.instance.to_lowercase() == text.to_lowercase()
                || advert.id.as_deref() == Some(text)
                || known.is_some_and(is_known)
        };
        // Only a pinned host is dialled as soon as it is seen: for any other the strictest of all adverts counts.
        let may_stop_early = known.is_some_and(is_pinned);
        let seen = browse_for(LOOK, |seen| may_stop_early && seen.iter().any(goes_by)).await;
        match seen {
            Ok(adverts) => adverts.into_iter().filter(goes_by).collect(),
            Err(error) => {
                tracing::warn!(%error, "the network could not be searched");
                Vec::new()
            }
        }
    }

    /// The known host that goes by a text: the pinned one where several do.
    fn the_known(&self, text: &str) -> Result<Option<KnownHost>, Failure> {
        let mut hosts = self.store().find(text)?;
        if hosts.iter().any(is_pinned) {
            hosts.retain(is_pinned);
            if hosts.len() > 1 {
                return Err(Failure::Ambiguous(text.to_owned()));
            }
        }
        Ok(hosts.pop())
    }
}

fn is_pinned(host: &KnownHost) -> bool {
    matches!(host.state, HostState::Pinned { .. })
}

/// An IP address, with a port or without.
fn parse_address(text: &str) -> Option<SocketAddr> {
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    text.parse().ok().or_else(|| bare.parse::<IpAddr>().ok().map(|ip| SocketAddr::new(ip, DEFAULT_PORT)))
}

/// Asks the machine's resolver for a `name[:port]`.
async fn resolve(text: &str) -> Option<Vec<SocketAddr>> {
    let (name, port) = match text.rsplit_once(':') {
        Some((name, port)) => (name, port.parse().ok()?),
        None => (text, DEFAULT_PORT),
    };
    let addresses: Vec<_> = tokio::net::lookup_host((name, port)).await.ok()?.collect();
    (!addresses.is_empty()).then_some(addresses)
}

/// The name in a typed text that is no address.
fn typed_name(text: &str) -> Option<String> {
    parse_address(text).is_none().then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_read_with_or_without_a_port() {
        for (text, address) in [
            ("192.0.2.7", "192.0.2.7:9777"),
            ("192.0.2.7:5", "192.0.2.7:5"),
            ("2001:db8::1", "[2001:db8::1]:9777"),
            ("[2001:db8::1]", "[2001:db8::1]:9777"),
            ("[2001:db8::1]:5", "[2001:db8::1]:5"),
        ] {
            assert_eq!(parse_address(text), Some(address.parse().unwrap()), "{text}");
        }
        for name in ["desk", "desk.local:9777", "", "192.0.2", "192.0.2.7:x"] {
            assert_eq!(parse_address(name), None, "{name}");
        }
    }
}
