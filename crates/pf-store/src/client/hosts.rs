//! Known hosts: what is kept of each, and which rows are of one host.
//!
//! Nobody owns a name or an address, so these never decide whom to trust, only how strictly to look. They are noted
//! when a key was proved under them, and what was noted while a host is pinned is never dropped: an advert under
//! another name cannot make a client lose sight of a pinned host under its first one.

use std::net::SocketAddr;

use pf_base::{DeviceName, Fingerprint, HardwareAddress, Timestamp};
use pf_trust::{
    proof::Comparison,
    route::{Known, Named, PinnedBy},
};
use rusqlite::{Connection, OptionalExtension, Row, Transaction, params, types::Type};

use crate::{
    database::{from_sql, to_sql},
    words,
};

/// A host as the client keeps it: one key, and what is known of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownHost {
    /// Its key.
    pub fingerprint: Fingerprint,
    /// What the person here calls it; until they do, what it called itself when it was first known.
    pub label: DeviceName,
    /// What it called itself when it was first known.
    pub own_name: DeviceName,
    /// How far it is trusted.
    pub state: HostState,
    /// The ids under which it was advertised when it proved its key.
    pub advert_ids: Vec<String>,
    /// The host names under which it proved its key.
    pub host_names: Vec<String>,
    /// Where it last proved its key, the latest first.
    pub addresses: Vec<SocketAddr>,
    /// When it let us in last, if ever.
    pub last_used: Option<Timestamp>,
    /// The hardware addresses by which it may be woken: what it told of itself while it was pinned.
    pub hardware: Vec<HardwareAddress>,
}

/// How far a host is trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HostState {
    /// Its key is pinned.
    Pinned {
        /// How it came to be.
        how: PinnedBy,
        /// Since when.
        at: Timestamp,
    },
    /// It was pinned once.
    Forgotten {
        /// Until when.
        at: Timestamp,
    },
    /// It was asked for access.
    Asked {
        /// When, last.
        at: Timestamp,
    },
    /// It required pairing itself.
    SeenRequired {
        /// When, last.
        at: Timestamp,
    },
}

impl HostState {
    /// What counts where rows of one host differ: the larger.
    pub(super) fn rank(self) -> u8 {
        match self {
            Self::Pinned { .. } => 4,
            Self::Forgotten { .. } => 3,
            Self::Asked { .. } => 2,
            Self::SeenRequired { .. } => 1,
        }
    }

    /// Since when it is so; where it was asked or seen, when it was so last.
    pub fn since(self) -> Timestamp {
        let (Self::Pinned { at, .. }
        | Self::Forgotten { at }
        | Self::Asked { at }
        | Self::SeenRequired { at }) = self;
        at
    }
}

/// How a host was found, and what it says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostFacts {
    /// How the person named it. Where by hand, its address is one of its names.
    pub named: Named,
    /// The known host that the person meant, where they picked one or named it so that it could be no other: what an
    /// advert calls it now counts besides, and not in the place of that.
    pub meant: Option<Fingerprint>,
    /// What it calls itself.
    pub label: DeviceName,
    /// The id of its advert.
    pub advert_id: Option<String>,
    /// Its host name, as discovered or typed.
    pub host_name: Option<String>,
    /// Where it answered, or is about to.
    pub address: Option<SocketAddr>,
}

impl HostFacts {
    fn host_name(&self) -> Option<String> {
        self.host_name.as_deref().map(plain_host_name).filter(|name| is_noted(name))
    }

    fn advert_id(&self) -> Option<&str> {
        self.advert_id.as_deref().filter(|id| is_noted(id))
    }
}

impl KnownHost {
    /// Whether it proved its key under this advert id or this host name.
    pub(super) fn is_named(&self, facts: &HostFacts) -> bool {
        facts.advert_id().is_some_and(|id| self.advert_ids.iter().any(|known| known == id))
            || facts.host_name().is_some_and(|name| self.host_names.contains(&name))
    }

    /// Whether it goes by the advert id or the host name, be it only that its person or itself calls it so.
    ///
    /// Nobody owns a name: this says which host somebody may be taken for, and never who it is.
    pub fn goes_under(&self, advert_id: Option<&str>, host_name: Option<&str>) -> bool {
        advert_id.is_some_and(|id| self.advert_ids.iter().any(|known| known == id))
            || host_name.map(comparable_name).is_some_and(|name| self.names().any(|known| known == name))
    }

    /// Every name that it goes under, in the form in which names are [compared](comparable_name).
    pub fn names(&self) -> impl Iterator<Item = String> {
        let labels = [&self.label, &self.own_name].map(|label| comparable_name(label.as_str()));
        self.host_names.iter().map(|name| comparable_name(name)).chain(labels)
    }

    /// Whether it is what the facts are about: the one that was meant, or going by names, and by the address where that
    /// was typed.
    fn is_meant(&self, facts: &HostFacts) -> bool {
        facts.meant == Some(self.fingerprint)
            || self.goes_under(facts.advert_id(), facts.host_name().as_deref())
            || (facts.named == Named::ByHand
                && facts.address.is_some_and(|address| self.addresses.contains(&address)))
    }

    /// Whether a person may mean it by this text.
    pub(super) fn goes_by(&self, text: &str) -> bool {
        let text = text.trim();
        self.goes_under(None, Some(text))
            || self.advert_ids.iter().any(|id| id == text)
            || self.addresses.iter().any(|a| a.to_string() == text || a.ip().to_string() == text)
            || text.parse() == Ok(self.fingerprint)
            || text.eq_ignore_ascii_case(&self.fingerprint.for_the_eye())
    }

    /// Whether its key is pinned.
    pub fn is_pinned(&self) -> bool {
        matches!(self.state, HostState::Pinned { .. })
    }

    fn as_known(&self) -> Known {
        let fingerprint = self.fingerprint;
        match self.state {
            HostState::Pinned { how, .. } => Known::Pinned { fingerprint, how },
            HostState::Forgotten { .. } => Known::Forgotten { fingerprint: Some(fingerprint) },
            HostState::Asked { .. } => Known::Asked { fingerprint },
            HostState::SeenRequired { .. } => Known::SeenRequired,
        }
    }
}

/// What is known of a host: by its names, and by its key where it has answered.
///
/// A pinned host that was meant is that one, however many share its name. Names go before the key where they lead to
/// something once pinned: a pinned host that answers in another's place is still another.
pub(super) fn known(hosts: &[KnownHost], facts: &HostFacts, answered: Option<Fingerprint>) -> Known {
    let is_picked = |host: &&KnownHost| facts.meant == Some(host.fingerprint) && host.is_pinned();
    if let Some(picked) = hosts.iter().find(is_picked) {
        return picked.as_known();
    }
    let strictest = |of: &dyn Fn(&&KnownHost) -> bool| {
        hosts.iter().filter(of).max_by_key(|host| (host.state.rank(), host.state.since()))
    };
    let by_name = strictest(&|host| host.is_meant(facts));
    let by_key = strictest(&|host| Some(host.fingerprint) == answered);
    let rank = |host: Option<&KnownHost>| host.map(|host| host.state.rank());
    let once_pinned = by_name
        .is_some_and(|host| matches!(host.state, HostState::Pinned { .. } | HostState::Forgotten { .. }));
    let counts = if once_pinned || rank(by_name) >= rank(by_key) { by_name } else { by_key };
    counts.map_or(Known::Never, KnownHost::as_known)
}

/// The rows that are of this host: of this key, or meant by these facts.
pub(super) fn same_host(
    connection: &Connection,
    fingerprint: Fingerprint,
    facts: &HostFacts,
) -> rusqlite::Result<Vec<KnownHost>> {
    let mut hosts = all(connection)?;
    hosts.retain(|host| host.fingerprint == fingerprint || host.is_meant(facts));
    Ok(hosts)
}

/// The row of a key.
pub(super) fn one(connection: &Connection, fingerprint: Fingerprint) -> rusqlite::Result<Option<KnownHost>> {
    Ok(all(connection)?.into_iter().find(|host| host.fingerprint == fingerprint))
}

/// Every row.
pub(super) fn all(connection: &Connection) -> rusqlite::Result<Vec<KnownHost>> {
    connection
        .prepare_cached(
            "SELECT id, fingerprint, label, pinned_by, pinned_at, forgotten_at, asked_at, required_at, last_used,
             given_label FROM hosts ORDER BY id",
        )?
        .query_map([], |row| {
            let id: i64 = row.get(0)?;
            let own_name = DeviceName::sanitise(row.get_ref(2)?.as_str()?);
            let given = row.get_ref(9)?.as_str_or_null()?.map(DeviceName::sanitise);
            Ok(KnownHost {
                fingerprint: Fingerprint::from_bytes(row.get(1)?),
                label: given.unwrap_or_else(|| own_name.clone()),
                own_name,
                state: state(row)?,
                advert_ids: names(connection, id, ID)?,
                host_names: names(connection, id, NAME)?,
                addresses: addresses(connection, id)?,
                last_used: time(row, 8)?,
                hardware: hardware(connection, id)?,
            })
        })?
        .collect()
}

/// Notes under which names and where a host proved its key.
///
/// An address is the pinned host's that proved itself there last; a host that is not pinned takes it from nobody.
pub(super) fn note_facts(
    transaction: &Transaction<'_>,
    fingerprint: Fingerprint,
    facts: &HostFacts,
    now: Timestamp,
) -> rusqlite::Result<()> {
    let found = transaction
        .query_row(
            "SELECT id, pinned_at IS NOT NULL AND forgotten_at IS NULL FROM hosts WHERE fingerprint = ?1",
            [fingerprint.as_bytes()],
            |row| Ok((row.get::<_, i64>(0)?, row.get::<_, bool>(1)?)),
        )
        .optional()?;
    let Some((host, is_pinned)) = found else { return Ok(()) };
    let named = [(ID, facts.advert_id().map(str::to_owned)), (NAME, facts.host_name())];
    for (kind, text) in named.into_iter().filter_map(|(kind, text)| Some((kind, text?))) {
        transaction.execute(
            "INSERT INTO names (host, kind, text)
             SELECT ?1, ?2, ?3 WHERE (SELECT count(*) FROM names WHERE host = ?1 AND kind = ?2) < ?4
             ON CONFLICT (host, kind, text) DO NOTHING",
            params![host, kind, text, NAMES_KEPT],
        )?;
    }
    let Some(address) = facts.address.map(|address| address.to_string()) else { return Ok(()) };
    if is_pinned {
        transaction
            .execute("DELETE FROM addresses WHERE address = ?1 AND host <> ?2", params![address, host])?;
    }
    transaction.execute(
        "INSERT INTO addresses (host, address, seen_at) VALUES (?1, ?2, ?3)
         ON CONFLICT (host, address) DO UPDATE SET seen_at = excluded.seen_at",
        params![host, address, to_sql(now)],
    )?;
    transaction.execute(
        "DELETE FROM addresses WHERE host = ?1 AND id NOT IN
         (SELECT id FROM addresses WHERE host = ?1 ORDER BY seen_at DESC, id DESC LIMIT ?2)",
        params![host, ADDRESSES_KEPT],
    )?;
    Ok(())
}

/// Drops what was asked or seen longest ago, past [`UNPINNED_KEPT`] hosts that were never pinned.
pub(super) fn drop_oldest_unpinned(transaction: &Transaction<'_>) -> rusqlite::Result<()> {
    transaction.execute(
        "DELETE FROM hosts WHERE id IN (SELECT id FROM hosts WHERE pinned_at IS NULL
         ORDER BY max(coalesce(asked_at, 0), coalesce(required_at, 0)) DESC, id DESC LIMIT -1 OFFSET ?1)",
        [UNPINNED_KEPT],
    )?;
    Ok(())
}

fn state(row: &Row<'_>) -> rusqlite::Result<HostState> {
    let forgotten_at = time(row, 5)?;
    let (asked_at, required_at) = (time(row, 6)?, time(row, 7)?);
    Ok(match (time(row, 4)?, forgotten_at, asked_at) {
        (Some(_), Some(at), _) => HostState::Forgotten { at },
        (Some(at), None, _) => HostState::Pinned { how: words::read(row, 3, pinned_by)?, at },
        (None, _, Some(at)) => HostState::Asked { at },
        (None, _, None) => HostState::SeenRequired { at: required_at.unwrap_or(Timestamp::EPOCH) },
    })
}

fn time(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<Timestamp>> {
    Ok(row.get::<_, Option<i64>>(column)?.map(from_sql))
}

fn names(connection: &Connection, host: i64, kind: &str) -> rusqlite::Result<Vec<String>> {
    connection
        .prepare_cached("SELECT text FROM names WHERE host = ?1 AND kind = ?2 ORDER BY id")?
        .query_map(params![host, kind], |row| row.get(0))?
        .collect()
}

fn addresses(connection: &Connection, host: i64) -> rusqlite::Result<Vec<SocketAddr>> {
    connection
        .prepare_cached("SELECT address FROM addresses WHERE host = ?1 ORDER BY seen_at DESC, id DESC")?
        .query_map([host], |row| words::read(row, 0, |text| text.parse().ok()))?
        .collect()
}

fn hardware(connection: &Connection, host: i64) -> rusqlite::Result<Vec<HardwareAddress>> {
    connection
        .prepare_cached("SELECT address FROM hardware_addresses WHERE host = ?1 ORDER BY id")?
        .query_map([host], |row| {
            let unusable = || {
                rusqlite::Error::FromSqlConversionFailure(0, Type::Blob, "no address of an interface".into())
            };
            HardwareAddress::new(row.get(0)?).ok_or_else(unusable)
        })?
        .collect()
}

/// Keeps the hardware addresses that a host told of itself in the place of those before, where it is pinned.
pub(super) fn note_hardware(
    transaction: &Transaction<'_>,
    fingerprint: Fingerprint,
    addresses: &[HardwareAddress],
) -> rusqlite::Result<()> {
    let is_pinned = "pinned_at IS NOT NULL AND forgotten_at IS NULL";
    forget_hardware(transaction, fingerprint)?;
    for address in addresses.iter().take(HARDWARE_KEPT) {
        transaction.execute(
            &format!(
                "INSERT INTO hardware_addresses (host, address)
                 SELECT id, ?2 FROM hosts WHERE fingerprint = ?1 AND {is_pinned}
                 ON CONFLICT (host, address) DO NOTHING"
            ),
            params![fingerprint.as_bytes(), address.bytes()],
        )?;
    }
    Ok(())
}

/// Deletes the hardware addresses of a host.
pub(super) fn forget_hardware(
    transaction: &Transaction<'_>,
    fingerprint: Fingerprint,
) -> rusqlite::Result<()> {
    transaction.execute(
        "DELETE FROM hardware_addresses WHERE host = (SELECT id FROM hosts WHERE fingerprint = ?1)",
        [fingerprint.as_bytes()],
    )?;
    Ok(())
}

/// The word that is stored for how a host was pinned.
pub(super) const fn pinned_by_word(how: PinnedBy) -> &'static str {
    match how {
        PinnedBy::Pin => "pin",
        PinnedBy::Approval(Comparison::CodeShown) => "approval",
        PinnedBy::Approval(Comparison::NothingToCompare) => "approval-not-compared",
        PinnedBy::FirstUse => "first-use",
    }
}

fn pinned_by(word: &str) -> Option<PinnedBy> {
    match word {
        "pin" => Some(PinnedBy::Pin),
        "approval" => Some(PinnedBy::Approval(Comparison::CodeShown)),
        "approval-not-compared" => Some(PinnedBy::Approval(Comparison::NothingToCompare)),
        "first-use" => Some(PinnedBy::FirstUse),
        _ => None,
    }
}

/// A host name as it is compared: DNS does not tell case, nor the dot at the end.
fn plain_host_name(name: &str) -> String {
    name.trim().trim_end_matches('.').to_ascii_lowercase()
}

/// A name as names of hosts are compared: without regard to case, nor to a dot at the end.
pub fn comparable_name(name: &str) -> String {
    plain_host_name(name).to_lowercase()
}

/// Whether a name is worth keeping: none that is empty, or longer than DNS has any.
fn is_noted(name: &str) -> bool {
    (1..=255).contains(&name.len())
}

const ID: &str = "id";
const NAME: &str = "name";

/// How many names of each kind are kept of a host: the first. Later ones are not worth losing those for.
const NAMES_KEPT: u32 = 16;

/// How many addresses are kept of a host: the last.
const ADDRESSES_KEPT: u32 = 8;

/// How many hardware addresses are kept of a host: a machine has a cable and a radio, seldom more.
const HARDWARE_KEPT: usize = 4;

/// How many hosts are kept that were never pinned: each cost its person a connect.
const UNPINNED_KEPT: u32 = 1000;
