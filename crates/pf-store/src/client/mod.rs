//! The client's store: the hosts that it knows, and the PINs that it has offered.
//!
//! A host is its key: there is one row for each fingerprint that ever answered and mattered, and a new key is a new
//! host until its person says otherwise by PIN. What a row says only ever gets stricter, but by the ceremony:
//!
//! | call | what it needs | what it does |
//! | --- | --- | --- |
//! | [`pin`](ClientStore::pin) | a [`ConfirmedPeer`] | pins; other keys of the same host become *forgotten* |
//! | [`pin_approved`](ClientStore::pin_approved) | nothing pinned otherwise, nothing forgotten | pins |
//! | [`pin_first_use`](ClientStore::pin_first_use) | besides, nothing that required pairing | pins |
//! | [`asked`](ClientStore::asked), [`seen_required`](ClientStore::seen_required) | | notes it; never loosens anything |
//! | [`forget`](ClientStore::forget) | | takes the pin, leaves a mark for good |
//! | [`rename`](ClientStore::rename), [`note_hardware`](ClientStore::note_hardware) | | nothing to do with trust |
//!
//! All of it is about keys proved in a handshake: an advert leads to none of these calls.

mod hosts;

pub use hosts::{HostFacts, HostState, KnownHost, comparable_name};

use std::time::Duration;

use pf_base::{DeviceName, Fingerprint, HardwareAddress, Timestamp};
use pf_trust::{
    proof::{Comparison, ConfirmedPeer},
    route::{Known, PinnedBy},
};
use rusqlite::{Transaction, params};

use crate::{
    DataDir, Restored, StoreError, copies,
    data_dir::Sharing,
    database::{Database, Schema, Undone, count_trust_change, to_sql},
};

/// The client's store, open. Other client processes may have it open too.
#[derive(Debug)]
pub struct ClientStore {
    database: Database,
}

impl ClientStore {
    /// Opens the client's store, or makes it at first start.
    ///
    /// Where there was one, nothing less than that one whole is accepted; see [`StoreError`].
    pub fn open(dir: &DataDir) -> Result<Self, StoreError> {
        Ok(Self { database: Database::open(dir, &SCHEMA)? })
    }

    /// Goes back to the newest verified copy where the store is missing or damaged, and sets the rest aside.
    ///
    /// A store that can be used is left alone, and so is a place where there never was one: `None`. What changed after
    /// [`Restored::from`] is lost: a host that was forgotten since would be pinned.
    pub fn restore(dir: &DataDir, now: Timestamp) -> Result<Option<Restored>, StoreError> {
        copies::restore(dir, &SCHEMA, now)
    }

    /// Keeps a verified copy if trust changed since the last one; cheap if not.
    pub fn keep_copy(&mut self) -> Result<(), StoreError> {
        self.database.keep_copy()
    }

    /// Pins a host that proved in the ceremony that it knew the PIN.
    ///
    /// What was meant, and whatever else was pinned under the same advert id or host name, is forgotten, now and not
    /// before, unless this very host was meant and is paired again; an address is this host's from now on.
    #[expect(clippy::needless_pass_by_value, reason = "a proof is for one pin")]
    pub fn pin(&mut self, peer: ConfirmedPeer, facts: &HostFacts, now: Timestamp) -> Result<(), StoreError> {
        self.database.write(|transaction| {
            let key = peer.fingerprint();
            let same = hosts::same_host(transaction, key, facts)?;
            let is_replaced = |other: &KnownHost| {
                other.fingerprint != key && (facts.meant == Some(other.fingerprint) || other.is_named(facts))
            };
            if !is_paired_again(&same, key, facts) {
                for other in same.iter().filter(|other| other.is_pinned() && is_replaced(other)) {
                    mark_forgotten(transaction, other.fingerprint, now)?;
                }
            }
            pin_row(transaction, key, PinnedBy::Pin, facts, now)?;
            Ok(())
        })
    }

    /// Pins the host whose owner approved this client's request, with or without a check code compared here.
    ///
    /// A pin of the same key by PIN stays what it is.
    pub fn pin_approved(
        &mut self,
        fingerprint: Fingerprint,
        comparison: Comparison,
        facts: &HostFacts,
        now: Timestamp,
    ) -> Result<(), PinError> {
        self.pin_weakly(fingerprint, PinnedBy::Approval(comparison), facts, now)
    }

    /// Pins a host on its person's *yes* to a fingerprint that nothing vouches for.
    ///
    /// A pin of the same key by other means stays what it is.
    pub fn pin_first_use(
        &mut self,
        fingerprint: Fingerprint,
        facts: &HostFacts,
        now: Timestamp,
    ) -> Result<(), PinError> {
        self.pin_weakly(fingerprint, PinnedBy::FirstUse, facts, now)
    }

    /// Notes that this host was asked for access: once it admits us, its key is the one that was asked.
    pub fn asked(
        &mut self,
        fingerprint: Fingerprint,
        facts: &HostFacts,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.note(fingerprint, "asked_at", facts, now)
    }

    /// Notes that this host itself required pairing: trust on first use is off for it, whatever an advert says.
    pub fn seen_required(
        &mut self,
        fingerprint: Fingerprint,
        facts: &HostFacts,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.note(fingerprint, "required_at", facts, now)
    }

    /// Notes that a pinned host let us in, and where.
    pub fn used(
        &mut self,
        fingerprint: Fingerprint,
        facts: &HostFacts,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.database.write(|transaction| {
            transaction.execute(
                "UPDATE hosts SET last_used = ?2 WHERE fingerprint = ?1",
                params![fingerprint.as_bytes(), to_sql(now)],
            )?;
            hosts::note_facts(transaction, fingerprint, facts, now)?;
            Ok(())
        })
    }

    /// Takes a pin away. A mark stays for good: when the host comes back, it must be paired by PIN.
    ///
    /// Whether it was pinned.
    pub fn forget(&mut self, fingerprint: Fingerprint, now: Timestamp) -> Result<bool, StoreError> {
        self.database.write(|transaction| {
            let was_pinned = mark_forgotten(transaction, fingerprint, now)?;
            if was_pinned {
                count_trust_change(transaction, now)?;
            }
            Ok(was_pinned)
        })
    }

    /// Calls a host as its person does, from now on and whatever it calls itself later.
    ///
    /// The names that it had stay names of it, where somebody else comes under one. Whether there is such a host.
    pub fn rename(
        &mut self,
        fingerprint: Fingerprint,
        label: &DeviceName,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        self.database.write(|transaction| {
            let renamed = transaction.execute(
                "UPDATE hosts SET given_label = ?2 WHERE fingerprint = ?1",
                params![fingerprint.as_bytes(), label.as_str()],
            )?;
            if renamed > 0 {
                // A name is no trust, but a copy that lacks it would bring the old one back.
                count_trust_change(transaction, now)?;
            }
            Ok(renamed > 0)
        })
    }

    /// Keeps the hardware addresses that a host told of itself once it had let us in, in the place of those before.
    ///
    /// Only of a pinned host; of any other nothing is kept. At most four are.
    pub fn note_hardware(
        &mut self,
        fingerprint: Fingerprint,
        addresses: &[HardwareAddress],
    ) -> Result<(), StoreError> {
        self.database.write(|transaction| Ok(hosts::note_hardware(transaction, fingerprint, addresses)?))
    }

    /// Every host that is known, in the order in which they became so.
    pub fn hosts(&self) -> Result<Vec<KnownHost>, StoreError> {
        self.database.read(hosts::all)
    }

    /// The known hosts that a person may mean: by label, host name, advert id, address or fingerprint.
    pub fn find(&self, text: &str) -> Result<Vec<KnownHost>, StoreError> {
        let mut hosts = self.hosts()?;
        hosts.retain(|host| host.goes_by(text));
        Ok(hosts)
    }

    /// What is known of a host that is about to be connected to, or that has `answered` with this key: what
    /// [`route`](pf_trust::route::route) decides by.
    ///
    /// Where several rows are of this host, the strictest counts.
    pub fn known(&self, facts: &HostFacts, answered: Option<Fingerprint>) -> Result<Known, StoreError> {
        Ok(hosts::known(&self.hosts()?, facts, answered))
    }

    /// Marks a PIN as offered, before any share of it leaves; refuses one that was offered within the last day.
    ///
    /// `tag` is a keyed hash of the PIN and what it was for, so that no PIN can be read off the disk.
    pub fn mark_pin_spent(&mut self, tag: [u8; 32], now: Timestamp) -> Result<(), SpendError> {
        self.database.write(|transaction| {
            // Neither side of now, so that a clock that was wrong for a while leaves nothing behind for good.
            transaction.execute(
                "DELETE FROM spent_pins WHERE at NOT BETWEEN ?1 AND ?2",
                [to_sql(now - SPENT_PINS_KEPT), to_sql(now + SPENT_PINS_KEPT)],
            )?;
            let spent = transaction.execute(
                "INSERT INTO spent_pins (tag, at) VALUES (?1, ?2) ON CONFLICT (tag) DO NOTHING",
                params![tag, to_sql(now)],
            )?;
            if spent == 0 { Err(Undone::Refused(SpendError::AlreadySpent)) } else { Ok(()) }
        })
    }

    fn pin_weakly(
        &mut self,
        fingerprint: Fingerprint,
        how: PinnedBy,
        facts: &HostFacts,
        now: Timestamp,
    ) -> Result<(), PinError> {
        self.database.write(|transaction| {
            let same = hosts::same_host(transaction, fingerprint, facts)?;
            refuse_to_loosen(&same, fingerprint, how, facts).map_err(Undone::Refused)?;
            pin_row(transaction, fingerprint, how, facts, now)?;
            Ok(())
        })
    }

    fn note(
        &mut self,
        fingerprint: Fingerprint,
        column: &'static str,
        facts: &HostFacts,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.database.write(|transaction| {
            let state = |t: &Transaction<'_>| {
                Ok::<_, rusqlite::Error>(hosts::one(t, fingerprint)?.map(|h| h.state.rank()))
            };
            let before = state(transaction)?;
            transaction.execute(
                &format!(
                    "INSERT INTO hosts (fingerprint, label, {column}) VALUES (?1, ?2, ?3)
                     ON CONFLICT (fingerprint) DO UPDATE SET {column} = excluded.{column}"
                ),
                params![fingerprint.as_bytes(), facts.label.as_str(), to_sql(now)],
            )?;
            hosts::note_facts(transaction, fingerprint, facts, now)?;
            hosts::drop_oldest_unpinned(transaction)?;
            if state(transaction)? != before {
                count_trust_change(transaction, now)?;
            }
            Ok(())
        })
    }
}

/// Why a host was not pinned. Nothing was stored.
#[derive(Debug, thiserror::Error)]
pub enum PinError {
    /// Under this id, host name or typed address another key is pinned.
    #[error("{label} is pinned with another fingerprint")]
    PinnedOtherwise {
        /// What the pinned host is called.
        label: DeviceName,
        /// Its key.
        pinned: Fingerprint,
    },
    /// It was pinned once, and forgotten.
    #[error("{label} was paired before and then forgotten")]
    Forgotten {
        /// What it was called.
        label: DeviceName,
    },
    /// The host itself once required pairing.
    #[error("{label} requires pairing")]
    PairingRequired {
        /// What it is called.
        label: DeviceName,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl PinError {
    /// One line that says how to go on.
    pub fn hint(&self) -> String {
        match self {
            Self::PinnedOtherwise { .. } | Self::Forgotten { .. } => "pair with it by PIN".to_owned(),
            Self::PairingRequired { .. } => "pair with it by PIN, or ask it for access".to_owned(),
            Self::Store(e) => e.hint(),
        }
    }
}

/// Why a PIN must not be offered.
#[derive(Debug, thiserror::Error)]
pub enum SpendError {
    /// It was offered before.
    #[error("this PIN was used before")]
    AlreadySpent,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Whether the key is pinned, and it is this very host that was meant: whoever shares its name is another.
fn is_paired_again(same: &[KnownHost], fingerprint: Fingerprint, facts: &HostFacts) -> bool {
    facts.meant == Some(fingerprint)
        && same.iter().any(|host| host.fingerprint == fingerprint && host.is_pinned())
}

/// Whether one of the rows of a host stands against pinning `fingerprint` without a PIN.
fn refuse_to_loosen(
    same: &[KnownHost],
    fingerprint: Fingerprint,
    how: PinnedBy,
    facts: &HostFacts,
) -> Result<(), PinError> {
    if is_paired_again(same, fingerprint, facts) {
        return Ok(());
    }
    let loosens_nothing = same.iter().any(|host| host.fingerprint == fingerprint && host.is_pinned());
    for host in same {
        let label = host.label.clone();
        match host.state {
            HostState::Pinned { .. } if host.fingerprint != fingerprint => {
                return Err(PinError::PinnedOtherwise { label, pinned: host.fingerprint });
            }
            _ if loosens_nothing => {}
            HostState::Forgotten { .. } => return Err(PinError::Forgotten { label }),
            HostState::Asked { .. } | HostState::SeenRequired { .. } if how == PinnedBy::FirstUse => {
                return Err(PinError::PairingRequired { label });
            }
            _ => {}
        }
    }
    Ok(())
}

/// Pins a key; how it was pinned before stays where that was the stronger way.
fn pin_row(
    transaction: &Transaction<'_>,
    fingerprint: Fingerprint,
    how: PinnedBy,
    facts: &HostFacts,
    now: Timestamp,
) -> rusqlite::Result<()> {
    let before = hosts::one(transaction, fingerprint)?.map(|host| host.state);
    let stays =
        matches!(before, Some(HostState::Pinned { how: stronger, .. }) if strength(stronger) > strength(how));
    if !stays {
        transaction.execute(
            "INSERT INTO hosts (fingerprint, label, pinned_by, pinned_at) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (fingerprint) DO UPDATE
             SET pinned_by = excluded.pinned_by, pinned_at = excluded.pinned_at, forgotten_at = NULL",
            params![fingerprint.as_bytes(), facts.label.as_str(), hosts::pinned_by_word(how), to_sql(now)],
        )?;
    }
    hosts::note_facts(transaction, fingerprint, facts, now)?;
    count_trust_change(transaction, now)
}

/// What was checked before pinning: everything, by two people, by one, nothing.
fn strength(how: PinnedBy) -> u8 {
    match how {
        PinnedBy::Pin => 3,
        PinnedBy::Approval(Comparison::CodeShown) => 2,
        PinnedBy::Approval(Comparison::NothingToCompare) => 1,
        PinnedBy::FirstUse => 0,
    }
}

fn mark_forgotten(
    transaction: &Transaction<'_>,
    fingerprint: Fingerprint,
    now: Timestamp,
) -> rusqlite::Result<bool> {
    let forgotten = transaction.execute(
        "UPDATE hosts SET forgotten_at = ?2
         WHERE fingerprint = ?1 AND pinned_at IS NOT NULL AND forgotten_at IS NULL",
        params![fingerprint.as_bytes(), to_sql(now)],
    )?;
    hosts::forget_hardware(transaction, fingerprint)?;
    Ok(forgotten > 0)
}

const SCHEMA: Schema = Schema {
    name: "client",
    program: "punktfunk",
    sharing: Sharing::Together,
    application_id: u32::from_be_bytes(*b"pfcl"),
    migrations: &[include_str!("v1.sql"), include_str!("v2.sql")],
    left_behind: "",
};

/// How long a PIN that was offered is remembered. Longer costs nothing but disk; a PIN is open for minutes.
const SPENT_PINS_KEPT: Duration = Duration::from_hours(24);
