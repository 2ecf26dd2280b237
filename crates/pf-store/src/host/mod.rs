//! The host's store: the allow-list, tombstones, burn counters and the audit log.
//!
//! What may be written is decided elsewhere: [`HostStore::commit`] takes the [`Change`]s of one admission step. A row
//! of the allow-list comes of nothing but a [`ConfirmedPeer`](pf_trust::proof::ConfirmedPeer) or an
//! [`Approval`](pf_trust::proof::Approval), by type.

mod audit;

pub use audit::{AuditQuery, AuditRow};

use pf_base::{DeviceName, Fingerprint, Timestamp};
use pf_trust::{
    proof::Comparison,
    record::{BurnCounters, Change, Device, PairedBy},
};
use rusqlite::{Connection, Transaction, params};

use crate::{
    DataDir, Restored, StoreError, copies,
    data_dir::Sharing,
    database::{Database, Schema, Undone, count_trust_change, from_sql, to_sql},
    words,
};

/// The host's store, open: no other process has it open too.
///
/// In this order: [`HostStore::open`]; then for each step of admission [`HostStore::commit`], the answers to peers,
/// and [`HostStore::keep_copy`], which nobody needs to wait for.
#[derive(Debug)]
pub struct HostStore {
    database: Database,
}

/// What the store held when it was opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loaded {
    /// The allow-list, in the order of first pairing.
    pub devices: Vec<Device>,
    /// The devices that were removed and not paired since.
    pub removed: Vec<Fingerprint>,
    /// The burned PINs.
    pub counters: BurnCounters,
}

impl HostStore {
    /// Opens the host's store, or makes it at first start.
    ///
    /// Where there was one, nothing less than that one whole is accepted; see [`StoreError`].
    pub fn open(dir: &DataDir) -> Result<(Self, Loaded), StoreError> {
        let store = Self { database: Database::open(dir, &SCHEMA)? };
        let loaded = store.load()?;
        Ok((store, loaded))
    }

    /// Goes back to the newest verified copy where the store is missing or damaged, and sets the rest aside.
    ///
    /// A store that can be used is left alone, and so is a place where there never was one: `None`. What changed after
    /// [`Restored::from`] is lost: a device that was removed since would be back.
    pub fn restore(dir: &DataDir, now: Timestamp) -> Result<Option<Restored>, StoreError> {
        copies::restore(dir, &SCHEMA, now)
    }

    /// Stores the changes of one step in one transaction: on the disk when this returns, or not at all.
    ///
    /// Returns the lines that it wrote to the audit log, one for each [`Change::Audit`] and in their order. After an
    /// error the store is as it was before, and can be used.
    pub fn commit(&mut self, changes: &[Change], now: Timestamp) -> Result<Vec<AuditRow>, StoreError> {
        self.database.write(|transaction| {
            let mut audited = Vec::new();
            for change in changes {
                apply(transaction, change, now, &mut audited)?;
            }
            if changes.iter().any(is_of_trust) {
                count_trust_change(transaction, now)?;
            }
            Ok(audited)
        })
    }

    /// Keeps a verified copy if trust changed since the last one; cheap if not.
    ///
    /// To be called once after opening, and after each commit when the peers have their answers.
    pub fn keep_copy(&mut self) -> Result<(), StoreError> {
        self.database.keep_copy()
    }

    /// Reads everything that admission decides by.
    pub fn load(&self) -> Result<Loaded, StoreError> {
        self.database.read(|connection| {
            Ok(Loaded {
                devices: devices(connection)?,
                removed: removed(connection)?,
                counters: counters(connection)?,
            })
        })
    }

    /// Reads a page of the audit log, newest first.
    pub fn audit(&self, query: &AuditQuery) -> Result<Vec<AuditRow>, StoreError> {
        self.database.read(|connection| audit::read(connection, query))
    }

    /// Reads what was audited after the line with number `id`, oldest first, for whoever lost the thread there.
    ///
    /// Where these are `limit` lines, there may be more after the last of them. Numbers that are missing in between
    /// are of lines that strangers caused, and that newer ones of their kind have overwritten.
    pub fn audit_after(&self, id: u64, limit: u32) -> Result<Vec<AuditRow>, StoreError> {
        self.database.read(|connection| audit::read_after(connection, id, limit))
    }
}

/// Whether a change is worth a copy: whom the host lets in, and how often PINs were burned.
fn is_of_trust(change: &Change) -> bool {
    match change {
        Change::Pair(_)
        | Change::Approve(_)
        | Change::Rename { .. }
        | Change::Remove { .. }
        | Change::Counters(_) => true,
        Change::Seen { .. } | Change::Audit(_) => false,
    }
}

fn apply(
    transaction: &Transaction<'_>,
    change: &Change,
    now: Timestamp,
    audited: &mut Vec<AuditRow>,
) -> Result<(), Undone<StoreError>> {
    match change {
        Change::Pair(peer) => admit(transaction, peer.fingerprint(), peer.name(), PairedBy::Pin, now)?,
        Change::Approve(approval) => {
            let paired_by = PairedBy::Approval(approval.compared());
            admit(transaction, approval.fingerprint(), approval.label(), paired_by, now)?;
        }
        Change::Rename { fingerprint, label } => {
            let renamed = transaction.execute(
                "UPDATE devices SET label = ?2 WHERE fingerprint = ?1",
                params![fingerprint.as_bytes(), label.as_str()],
            )?;
            if renamed == 0 {
                return Err(Undone::Refused(StoreError::UnknownDevice(*fingerprint)));
            }
        }
        Change::Remove { fingerprint } => remove(transaction, *fingerprint, now)?,
        Change::Seen { fingerprint } => {
            // It comes late, after a removal perhaps: then there is nothing to note.
            transaction.execute(
                "UPDATE devices SET last_seen = ?2 WHERE fingerprint = ?1",
                params![fingerprint.as_bytes(), to_sql(now)],
            )?;
        }
        Change::Counters(counters) => set_counters(transaction, counters)?,
        Change::Audit(event) => audited.push(audit::append(transaction, event, now)?),
    }
    Ok(())
}

/// Puts a device on the allow-list. One that is there keeps its label and what was noted of it: pairing again says
/// only when and how.
fn admit(
    transaction: &Transaction<'_>,
    fingerprint: Fingerprint,
    label: &DeviceName,
    paired_by: PairedBy,
    now: Timestamp,
) -> rusqlite::Result<()> {
    transaction.execute("DELETE FROM tombstones WHERE fingerprint = ?1", [fingerprint.as_bytes()])?;
    transaction.execute(
        "INSERT INTO devices (fingerprint, label, paired_at, paired_by) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (fingerprint) DO UPDATE SET paired_at = excluded.paired_at, paired_by = excluded.paired_by",
        params![fingerprint.as_bytes(), label.as_str(), to_sql(now), paired_by_word(paired_by)],
    )?;
    Ok(())
}

fn remove(transaction: &Transaction<'_>, fingerprint: Fingerprint, now: Timestamp) -> rusqlite::Result<()> {
    transaction.execute("DELETE FROM devices WHERE fingerprint = ?1", [fingerprint.as_bytes()])?;
    transaction.execute(
        "INSERT INTO tombstones (fingerprint, removed_at) VALUES (?1, ?2)
         ON CONFLICT (fingerprint) DO UPDATE SET removed_at = excluded.removed_at",
        params![fingerprint.as_bytes(), to_sql(now)],
    )?;
    Ok(())
}

fn set_counters(transaction: &Transaction<'_>, counters: &BurnCounters) -> rusqlite::Result<()> {
    transaction.execute(
        "UPDATE counters SET in_a_row = ?1, cool_down_until = ?2",
        params![counters.in_a_row, counters.cool_down_until.map(to_sql)],
    )?;
    transaction.execute("DELETE FROM burns", [])?;
    for at in &counters.within_a_day {
        transaction.execute("INSERT INTO burns (at) VALUES (?1)", [to_sql(*at)])?;
    }
    Ok(())
}

fn devices(connection: &Connection) -> rusqlite::Result<Vec<Device>> {
    connection
        .prepare("SELECT fingerprint, label, paired_at, paired_by, last_seen FROM devices ORDER BY id")?
        .query_map([], |row| {
            Ok(Device {
                fingerprint: Fingerprint::from_bytes(row.get(0)?),
                label: DeviceName::sanitise(row.get_ref(1)?.as_str()?),
                paired_at: from_sql(row.get(2)?),
                paired_by: words::read(row, 3, paired_by)?,
                last_seen: row.get::<_, Option<i64>>(4)?.map(from_sql),
            })
        })?
        .collect()
}

fn removed(connection: &Connection) -> rusqlite::Result<Vec<Fingerprint>> {
    connection
        .prepare("SELECT fingerprint FROM tombstones ORDER BY id")?
        .query_map([], |row| row.get(0).map(Fingerprint::from_bytes))?
        .collect()
}

fn counters(connection: &Connection) -> rusqlite::Result<BurnCounters> {
    let (in_a_row, cool_down_until) =
        connection.query_row("SELECT in_a_row, cool_down_until FROM counters", [], |row| {
            Ok((row.get(0)?, row.get::<_, Option<i64>>(1)?))
        })?;
    let within_a_day = connection
        .prepare("SELECT at FROM burns ORDER BY id")?
        .query_map([], |row| row.get(0).map(from_sql))?
        .collect::<rusqlite::Result<_>>()?;
    Ok(BurnCounters { in_a_row, cool_down_until: cool_down_until.map(from_sql), within_a_day })
}

/// The word that is stored for how a device was paired.
const fn paired_by_word(paired_by: PairedBy) -> &'static str {
    match paired_by {
        PairedBy::Pin => "pin",
        PairedBy::Approval(Comparison::CodeShown) => "approval",
        PairedBy::Approval(Comparison::NothingToCompare) => "approval-not-compared",
    }
}

fn paired_by(word: &str) -> Option<PairedBy> {
    match word {
        "pin" => Some(PairedBy::Pin),
        "approval" => Some(PairedBy::Approval(Comparison::CodeShown)),
        "approval-not-compared" => Some(PairedBy::Approval(Comparison::NothingToCompare)),
        _ => None,
    }
}

const SCHEMA: Schema = Schema {
    name: "host",
    program: "punktfunk-host",
    sharing: Sharing::Alone,
    application_id: u32::from_be_bytes(*b"pfho"),
    migrations: &[include_str!("v1.sql")],
    left_behind: "",
};
