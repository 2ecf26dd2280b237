//! One host's advert, as a browser reads it.

use std::net::{IpAddr, SocketAddr};

use pf_base::{DeviceName, Fingerprint, PairPolicy};

/// The longest `id` that is kept, in bytes.
const MAX_ID: usize = 64;

/// The most addresses that are kept of one advert.
const MAX_ADDRESSES: usize = 16;

/// What an advert says. None of it is proved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Advert {
    /// The service instance, which tells two adverts of one name apart.
    pub instance: String,
    /// What the host calls itself (`name`, else the instance).
    pub name: DeviceName,
    /// What the host is known by across address changes (`id`).
    pub id: Option<String>,
    /// The fingerprint that the host claims (`fp`).
    pub fingerprint: Option<Fingerprint>,
    /// What it asks of unpaired devices (`pair`); `None` when it does not say, or says what nobody knows.
    pub policy: Option<PairPolicy>,
    /// Where to dial, the likeliest first.
    pub addresses: Vec<SocketAddr>,
}

impl Advert {
    /// Reads an advert from its instance name, its TXT values by key, and where it can be reached.
    pub fn read<'a>(
        instance: &str,
        txt: impl Fn(&str) -> Option<&'a str>,
        addresses: impl IntoIterator<Item = SocketAddr>,
    ) -> Self {
        let mut addresses: Vec<_> = addresses.into_iter().take(MAX_ADDRESSES).collect();
        addresses.sort_by_key(|address| (distance(address.ip()), *address));
        addresses.dedup();
        let is_plain = |id: &&str| id.len() <= MAX_ID && id.chars().all(|c| c.is_ascii_graphic());
        Self {
            instance: instance.chars().take(256).collect(),
            name: DeviceName::sanitise(txt("name").unwrap_or(instance)),
            id: txt("id").filter(is_plain).map(str::to_owned),
            fingerprint: txt("fp").and_then(|fp| fp.parse().ok()),
            policy: txt("pair").and_then(|pair| pair.parse().ok()),
            addresses,
        }
    }
}

/// How far to try: this machine, the ordinary network, then link-local addresses.
fn distance(address: IpAddr) -> u8 {
    match address {
        address if address.is_loopback() => 0,
        IpAddr::V4(v4) if v4.is_link_local() => 3,
        IpAddr::V4(_) => 1,
        IpAddr::V6(v6) if v6.is_unicast_link_local() => 3,
        IpAddr::V6(_) => 2,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(pairs: &[(&str, &str)]) -> Advert {
        let addresses = ["[fe80::1]:9777", "192.0.2.7:9777", "[2001:db8::1]:9777", "192.0.2.7:9777"];
        Advert::read(
            "Desk",
            |key| pairs.iter().find(|(k, _)| *k == key).map(|(_, value)| *value),
            addresses.iter().map(|address| address.parse().unwrap()),
        )
    }

    #[test]
    fn r1_the_five_keys_are_read() {
        let fp = Fingerprint::of_spki(b"key").hex();
        let advert = read(&[("v", "1"), ("id", "abc"), ("fp", &fp), ("name", "Büro"), ("pair", "optional")]);
        assert_eq!(advert.id.as_deref(), Some("abc"));
        assert_eq!(advert.fingerprint, Some(Fingerprint::of_spki(b"key")));
        assert_eq!(advert.name.as_str(), "Büro");
        assert_eq!(advert.policy, Some(PairPolicy::Optional));
        assert_eq!(advert.addresses[0], "192.0.2.7:9777".parse().unwrap());
        assert_eq!(advert.addresses.len(), 3);
    }

    /// A policy of another case or language is taken for an opt-in to trust on first use.
    #[test]
    fn r1_only_the_word_optional_is_an_opt_in() {
        for pair in ["Optional", "optional ", "no", "", "1", "open"] {
            assert_eq!(read(&[("pair", pair)]).policy, None, "{pair:?}");
        }
        assert_eq!(read(&[]).policy, None);
    }

    /// A hostile advert repaints a terminal.
    #[test]
    fn inv_48_names_in_adverts_are_sanitised() {
        assert_eq!(read(&[("name", "\u{1b}[2Jx\u{202e}")]).name.as_str(), "[2Jx");
    }

    proptest! {
        #[test]
        fn inv_50_any_text_is_read(name in any::<String>(), id in any::<String>(), fp in any::<String>()) {
            let advert = read(&[("name", &name), ("id", &id), ("fp", &fp)]);
            prop_assert!(advert.id.is_none_or(|id| id.len() <= MAX_ID));
        }
    }
}
