//! From what a person typed to where to dial.

use std::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use pf_base::{DEFAULT_PORT, DeviceName, Fingerprint};
use pf_discovery::{Advert, browse_for};
use pf_store::{HostFacts, KnownHost, comparable_name};
use pf_trust::route::{self, Named};

use crate::{
    Client, Failure, Listed,
    neighbourhood::{may_be, strictest},
};

/// How long to look for a host on the network: a host answers within a second, and a forger of adverts, too.
const LOOK: Duration = Duration::from_millis(2500);

/// A host that a person named: how, where it is said to be, and what its adverts claim.
#[derive(Clone, Debug)]
pub struct Found {
    text: String,
    named: Named,
    adverts: Vec<Advert>,
    policy: route::Advert,
    known: Option<KnownHost>,
    addresses: Vec<SocketAddr>,
}

impl Found {
    /// What the person typed, or picked.
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
        self.policy
    }

    /// What the store is told of the host, with what it calls itself and where it answered, once it did.
    pub(crate) fn facts(&self, label: Option<&DeviceName>, address: Option<SocketAddr>) -> HostFacts {
        let known = self.known.as_ref();
        // Another's advert under a known host's name must not give that host a name of its own.
        let is_its = |advert: &&Advert| known.is_none_or(|k| advert.fingerprint == Some(k.fingerprint));
        let advert = self.adverts.iter().find(is_its);
        let advertised_name = advert.map(|advert| advert.name.to_string());
        let known_name = known.and_then(|known| known.host_names.first().cloned());
        HostFacts {
            named: self.named,
            meant: known.map(|known| known.fingerprint),
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
            policy: route::Advert::Unknown,
            known: None,
            addresses,
        };
        if let Some(address) = parse_address(text) {
            return Ok(by_hand(vec![address]));
        }
        let known = self.the_known(text)?;
        if let Some(pinned) = known.as_ref().filter(|host| host.is_pinned() && !host.addresses.is_empty()) {
            // A pinned host proves itself wherever it is: no need to look around first.
            let addresses = pinned.addresses.clone();
            return Ok(Found { named: Named::Discovered, known, ..by_hand(addresses) });
        }
        let adverts = self.look_for(text, known.as_ref()).await;
        if !adverts.is_empty() {
            let addresses = adverts.iter().flat_map(|advert| advert.addresses.iter().copied()).collect();
            let policy = strictest(adverts.iter().map(|advert| advert.policy));
            return Ok(Found { named: Named::Discovered, adverts, policy, known, ..by_hand(addresses) });
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

    /// Takes a host that a person picked from the list of those [around](Self::watch).
    ///
    /// A known one is looked up again: where it was forgotten meanwhile, that counts. An address that a person typed is
    /// no pick: it goes through [`find`](Self::find).
    pub fn pick(&self, listed: &Listed) -> Result<Found, Failure> {
        let text = listed.name.to_string();
        let known = match listed.fingerprint() {
            Some(fingerprint) => Some(self.known_host(fingerprint)?),
            None => None,
        };
        // As for a typed name: a known host that nobody advertises is found by its address, unless its key is pinned.
        let is_discovered = !listed.adverts.is_empty() || known.as_ref().is_some_and(KnownHost::is_pinned);
        Ok(Found {
            text,
            named: if is_discovered { Named::Discovered } else { Named::ByHand },
            adverts: listed.adverts.clone(),
            policy: listed.policy,
            known,
            addresses: listed.addresses.clone(),
        })
    }

    /// Looks again for a known host that does not answer where it was last.
    pub(crate) async fn find_moved(&self, found: &Found) -> Option<Found> {
        let known = found.known.as_ref()?;
        if !found.adverts.is_empty() {
            return None;
        }
        let adverts = self.look_for(&found.text, Some(known)).await;
        let addresses: Vec<_> = adverts.iter().flat_map(|advert| advert.addresses.iter().copied()).collect();
        let policy = strictest(adverts.iter().map(|advert| advert.policy));
        (!addresses.is_empty()).then(|| Found { adverts, policy, addresses, ..found.clone() })
    }

    /// The adverts that go by a text, or by a name of a known host.
    async fn look_for(&self, text: &str, known: Option<&KnownHost>) -> Vec<Advert> {
        let name = comparable_name(text);
        let goes_by = |advert: &Advert| {
            comparable_name(advert.name.as_str()) == name
                || comparable_name(&advert.instance) == name
                || advert.id.as_deref() == Some(text)
                || known.is_some_and(|known| may_be(advert, known))
        };
        // Only a pinned host is dialled as soon as it is seen: for any other the strictest of all adverts counts.
        let may_stop_early = known.is_some_and(KnownHost::is_pinned);
        let seen = browse_for(LOOK, |seen| may_stop_early && seen.iter().any(&goes_by)).await;
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
        if hosts.iter().any(KnownHost::is_pinned) {
            hosts.retain(KnownHost::is_pinned);
            if hosts.len() > 1 {
                return only(hosts, text).map(Some);
            }
        }
        Ok(hosts.pop())
    }

    /// The one known host that a person means by a text: a name of its, an address, its fingerprint.
    pub fn the_one(&self, text: &str) -> Result<KnownHost, Failure> {
        only(self.store().find(text)?, text)
    }

    /// The known host with this key.
    pub fn known_host(&self, fingerprint: Fingerprint) -> Result<KnownHost, Failure> {
        let mut hosts = self.store().hosts()?;
        hosts.retain(|host| host.fingerprint == fingerprint);
        hosts.pop().ok_or_else(|| Failure::NoSuchHost(fingerprint.for_the_eye()))
    }
}

/// The one of several hosts that is meant by a text: where more go by it, the one that is called just so now.
fn only(mut hosts: Vec<KnownHost>, text: &str) -> Result<KnownHost, Failure> {
    if hosts.len() > 1 {
        let called = |host: &KnownHost| comparable_name(host.label.as_str()) == comparable_name(text);
        hosts.retain(called);
        if hosts.len() != 1 {
            return Err(Failure::Ambiguous(text.to_owned()));
        }
    }
    hosts.pop().ok_or_else(|| Failure::NoSuchHost(text.to_owned()))
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
