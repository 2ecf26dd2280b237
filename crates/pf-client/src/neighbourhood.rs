//! The hosts around: those that are known, and those that advertise themselves, as one list for a person to pick from.
//!
//! An advert is a claim by anybody. It says where to dial and how strict to be, and never who somebody is: what names a
//! known host is its own row in the store, and an advert under a name of a host that was ever pinned is shown with that
//! host and not beside it, whatever key it claims. That is what [`route`](pf_trust::route::route) makes of it, too: to
//! connect there is to expect the pinned key.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, HashMap},
    net::SocketAddr,
};

use pf_base::{DeviceName, Fingerprint, PairPolicy, Timestamp};
use pf_discovery::{Advert, Adverts, Sighting};
use pf_store::{HostState, KnownHost, comparable_name};
use pf_trust::route;

/// The hosts around. Told of what is [seen](Self::see) and [known](Self::know); says what to [list](Self::list).
#[derive(Clone, Debug, Default)]
pub struct Neighbourhood {
    known: Vec<KnownHost>,
    adverts: Adverts,
}

/// A host that can be picked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// What it stays the same by while the list changes.
    pub key: ListedKey,
    /// What to call it: for a known host what its person does, or what it called itself when it proved its key; for a
    /// new one what its advert says.
    pub name: DeviceName,
    /// How far it is trusted; `None` for a new host.
    pub state: Option<HostState>,
    /// Its key, and whether it ever proved it.
    pub identity: ListedIdentity,
    /// Where to dial, the likeliest first: where a known host proved its key, then where adverts say.
    pub addresses: Vec<SocketAddr>,
    /// What its adverts say of pairing: the strictest of all that go by its name, its id or its key. For who shows it:
    /// what is offered, [`route`](pf_trust::route::route) decides.
    pub policy: route::Advert,
    /// Whether it is advertised right now, by an advert that claims no other key.
    pub is_advertised: bool,
    /// Whether an advert under its name or id claims another key: a namesake, a new installation, or an impostor.
    pub is_disputed: bool,
    /// When it let us in last, if ever.
    pub last_used: Option<Timestamp>,
    /// Whether it can be [woken](crate::Client::wake): it is pinned, and told us its hardware addresses.
    pub is_wakeable: bool,
    /// Its adverts, its own first.
    pub(crate) adverts: Vec<Advert>,
}

/// What tells one entry of the list from another, and stays the same while the list changes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ListedKey {
    /// A known host, by its key.
    Known(Fingerprint),
    /// A new one, by the key that its advert claims.
    Claimed(Fingerprint),
    /// A new one that claims no key, by its advert's id, else by its service instance.
    Unclaimed(String),
}

/// Whose key an entry of the list goes by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListedIdentity {
    /// The key that a known host proved to hold; where it is pinned, the pinned one.
    Proved(Fingerprint),
    /// The key that an advert claims. Nobody proved anything.
    Claimed(Fingerprint),
    /// Not even claimed.
    Unknown,
}

impl Listed {
    /// Whether it is pinned.
    pub fn is_pinned(&self) -> bool {
        matches!(self.state, Some(HostState::Pinned { .. }))
    }

    /// The key that it proved to hold, if ever.
    pub fn fingerprint(&self) -> Option<Fingerprint> {
        match self.identity {
            ListedIdentity::Proved(fingerprint) => Some(fingerprint),
            ListedIdentity::Claimed(_) | ListedIdentity::Unknown => None,
        }
    }
}

impl Neighbourhood {
    /// These are the known hosts now.
    pub fn know(&mut self, hosts: Vec<KnownHost>) {
        self.known = hosts;
    }

    /// Something was seen on the network.
    pub fn see(&mut self, sighting: Sighting) {
        self.adverts.take_in(sighting);
    }

    /// The network is not looked at any more: nothing is advertised, as far as anybody knows.
    pub fn lose_sight(&mut self) {
        self.adverts = Adverts::default();
    }

    /// What there is to pick: pinned hosts, the last used first; then the other known ones, then the new ones, by name.
    ///
    /// Of the known hosts that are neither pinned nor advertised, the eight are listed that were forgotten, asked or seen
    /// last. All stay in the store, where they keep being strict, and can be reached by typing where they are.
    pub fn list(&self) -> Vec<Listed> {
        let claims = Claims::of(&self.adverts);
        let register = Register::of(&self.known);
        let mut of_known: Vec<Vec<&Advert>> = vec![Vec::new(); self.known.len()];
        let mut new: BTreeMap<ListedKey, Vec<&Advert>> = BTreeMap::new();
        for advert in self.adverts.iter() {
            let of = register.hosts_of(advert, &self.known);
            if of.is_empty() {
                new.entry(new_key(advert)).or_default().push(advert);
            }
            for host in of {
                of_known[host].push(advert);
            }
        }
        let known = self.known.iter().zip(&of_known);
        let mut listed = leave_out_old(known.map(|(host, adverts)| list_known(host, adverts)).collect());
        listed.extend(new.into_iter().map(|(key, adverts)| list_new(key, &adverts, &claims, &register)));
        listed.sort_by_cached_key(order);
        listed
    }
}

/// Whether an advert may be of a known host, as far as an advert can tell: it has its id, a name of its, or claims its
/// key.
pub(crate) fn may_be(advert: &Advert, known: &KnownHost) -> bool {
    advert.fingerprint == Some(known.fingerprint)
        || known.goes_under(advert.id.as_deref(), Some(advert.name.as_str()))
}

/// The known hosts by what adverts can name them by: [`may_be`] for all of them at once.
struct Register {
    keys: HashMap<Fingerprint, usize>,
    ids: HashMap<String, Vec<usize>>,
    names: HashMap<String, Vec<usize>>,
}

impl Register {
    fn of(known: &[KnownHost]) -> Self {
        let mut register = Self { keys: HashMap::new(), ids: HashMap::new(), names: HashMap::new() };
        for (index, host) in known.iter().enumerate() {
            register.keys.insert(host.fingerprint, index);
            for id in &host.advert_ids {
                register.ids.entry(id.clone()).or_default().push(index);
            }
            for name in host.names() {
                register.names.entry(name).or_default().push(index);
            }
        }
        register
    }

    /// The known hosts that an advert may be of.
    fn candidates(&self, advert: &Advert) -> Vec<usize> {
        let by_key = advert.fingerprint.and_then(|key| self.keys.get(&key));
        let by_id = advert.id.as_ref().and_then(|id| self.ids.get(id));
        let by_name = self.names.get(&comparable_name(advert.name.as_str()));
        let named = by_id.into_iter().chain(by_name).flatten();
        let mut hosts: Vec<_> = by_key.into_iter().chain(named).copied().collect();
        hosts.sort_unstable();
        hosts.dedup();
        hosts
    }

    /// The known hosts that an advert is listed with; none where it is a new host's.
    ///
    /// One that claims the key of a pinned host is that host's alone, however many share its name. One that claims
    /// another key than a host that was never pinned is not that host's: the two can be told apart, and neither can be
    /// trusted on first use.
    fn hosts_of(&self, advert: &Advert, known: &[KnownHost]) -> Vec<usize> {
        let mut hosts = self.candidates(advert);
        let claims = |host: usize| advert.fingerprint == Some(known[host].fingerprint);
        let is_pinned = |host: usize| known[host].is_pinned();
        if hosts.iter().any(|&host| claims(host) && is_pinned(host)) {
            hosts.retain(|&host| claims(host));
        } else {
            let was_pinned =
                |host: usize| is_pinned(host) || matches!(known[host].state, HostState::Forgotten { .. });
            hosts.retain(|&host| claims(host) || was_pinned(host) || advert.fingerprint.is_none());
        }
        hosts
    }

    /// Whether any known host goes by what an advert says.
    fn knows(&self, advert: &Advert) -> bool {
        !self.candidates(advert).is_empty()
    }
}

/// What all adverts together claim of a name, an id, a key.
#[derive(Default)]
struct Claims {
    names: HashMap<String, Claim>,
    ids: HashMap<String, Claim>,
    keys: HashMap<Fingerprint, Claim>,
}

/// What several adverts claim of one thing.
#[derive(Default)]
struct Claim {
    policies: Vec<Option<PairPolicy>>,
    keys: Vec<Fingerprint>,
}

impl Claims {
    fn of(adverts: &Adverts) -> Self {
        let mut claims = Self::default();
        for advert in adverts.iter() {
            let name = comparable_name(advert.name.as_str());
            claims.names.entry(name).or_default().add(advert);
            if let Some(id) = &advert.id {
                claims.ids.entry(id.clone()).or_default().add(advert);
            }
            if let Some(key) = advert.fingerprint {
                claims.keys.entry(key).or_default().add(advert);
            }
        }
        claims
    }

    /// What is claimed of everything that an advert goes by.
    fn about(&self, advert: &Advert) -> impl Iterator<Item = &Claim> {
        let by_name = self.names.get(&comparable_name(advert.name.as_str()));
        let by_id = advert.id.as_ref().and_then(|id| self.ids.get(id));
        let by_key = advert.fingerprint.and_then(|key| self.keys.get(&key));
        [by_name, by_id, by_key].into_iter().flatten()
    }
}

impl Claim {
    fn add(&mut self, advert: &Advert) {
        if !self.policies.contains(&advert.policy) {
            self.policies.push(advert.policy);
        }
        // Whether there is another key than one's own is told by two.
        if let Some(key) = advert.fingerprint.filter(|key| self.keys.len() < 2 && !self.keys.contains(key)) {
            self.keys.push(key);
        }
    }
}

/// What several adverts say of pairing: the strictest.
pub(crate) fn strictest(policies: impl IntoIterator<Item = Option<PairPolicy>>) -> route::Advert {
    route::Advert::of_all(policies.into_iter().map(|policy| policy.map(PairPolicy::word)))
}

fn list_known(host: &KnownHost, adverts: &[&Advert]) -> Listed {
    let denies = |advert: &Advert| advert.fingerprint.is_some_and(|claimed| claimed != host.fingerprint);
    let mut adverts: Vec<Advert> = adverts.iter().copied().cloned().collect();
    adverts.sort_by_key(|advert| (denies(advert), advert.fingerprint.is_none()));
    let policy = strictest(adverts.iter().map(|advert| advert.policy));
    let is_advertised = adverts.iter().any(|advert| !denies(advert));
    let is_disputed = adverts.iter().any(denies);
    if host.is_pinned() {
        // Somebody else is dialled only when the host itself is nowhere to be found, and raises the alarm then.
        adverts.retain(|advert| !denies(advert));
    }
    Listed {
        key: ListedKey::Known(host.fingerprint),
        name: host.label.clone(),
        state: Some(host.state),
        identity: ListedIdentity::Proved(host.fingerprint),
        addresses: addresses(&host.addresses, &adverts),
        policy,
        is_advertised,
        is_disputed,
        last_used: host.last_used,
        is_wakeable: host.is_pinned() && !host.hardware.is_empty(),
        adverts,
    }
}

/// An entry for adverts of one key, none of a known host.
fn list_new(key: ListedKey, adverts: &[&Advert], claims: &Claims, register: &Register) -> Listed {
    let claimed = adverts[0].fingerprint;
    let about = || adverts.iter().flat_map(|advert| claims.about(advert));
    let advertised = strictest(about().flat_map(|claim| claim.policies.iter().copied()));
    // Somebody else is known by its name or id: trust on first use is off for it, whatever it says.
    let is_taken = adverts.iter().any(|advert| register.knows(advert));
    let adverts: Vec<Advert> = adverts.iter().copied().cloned().collect();
    Listed {
        key,
        name: adverts[0].name.clone(),
        state: None,
        identity: claimed.map_or(ListedIdentity::Unknown, ListedIdentity::Claimed),
        addresses: addresses(&[], &adverts),
        policy: if is_taken { route::Advert::Required } else { advertised },
        is_advertised: true,
        is_disputed: is_taken || about().any(|claim| claim.keys.iter().any(|key| Some(*key) != claimed)),
        last_used: None,
        is_wakeable: false,
        adverts,
    }
}

fn new_key(advert: &Advert) -> ListedKey {
    match advert.fingerprint {
        Some(fingerprint) => ListedKey::Claimed(fingerprint),
        None => ListedKey::Unclaimed(advert.id.clone().unwrap_or_else(|| advert.instance.clone())),
    }
}

/// Where to dial: what is known first, each address once.
fn addresses(known: &[SocketAddr], adverts: &[Advert]) -> Vec<SocketAddr> {
    let mut addresses: Vec<SocketAddr> = Vec::new();
    for address in known.iter().chain(adverts.iter().flat_map(|advert| &advert.addresses)) {
        if addresses.len() < MAX_ADDRESSES && !addresses.contains(address) {
            addresses.push(*address);
        }
    }
    addresses
}

/// Leaves out the hosts that nobody pins and nobody advertises, but for the last few that can be dialled.
fn leave_out_old(listed: Vec<Listed>) -> Vec<Listed> {
    let is_old = |listed: &Listed| !listed.is_pinned() && listed.adverts.is_empty();
    let (mut old, mut listed): (Vec<_>, Vec<_>) = listed.into_iter().partition(is_old);
    old.retain(|listed| !listed.addresses.is_empty());
    old.sort_by_key(|listed| Reverse(listed.state.map(HostState::since)));
    old.truncate(UNPINNED_LISTED);
    listed.append(&mut old);
    listed
}

/// By what the list is sorted.
fn order(listed: &Listed) -> (u8, Reverse<Option<Timestamp>>, String, ListedKey) {
    let group = match listed.state {
        Some(HostState::Pinned { .. }) => 0,
        Some(_) => 1,
        None => 2,
    };
    let last_used = listed.last_used.filter(|_| group == 0);
    (group, Reverse(last_used), comparable_name(listed.name.as_str()), listed.key.clone())
}

/// How many addresses are tried of one host: its own few, and those of some adverts.
const MAX_ADDRESSES: usize = 32;

/// How many hosts are listed that are neither pinned nor advertised. More would be the past, which nobody can clear:
/// their rows stay for good.
const UNPINNED_LISTED: usize = 8;

#[cfg(test)]
mod tests;
