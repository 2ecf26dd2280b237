//! The audit log: every trust event for good, and the newest of what strangers can cause without end.
//!
//! The table `audit` can only grow; triggers in the database see to that. Refused connects, requests for access and
//! failed sign-ins, which anybody can make by the thousand, go to a ring for each kind, so that they can neither fill the disk nor push
//! out anything else. What the owner made of them is in the first table. Both are read as one log, numbered in one
//! series.

use std::net::IpAddr;

use pf_base::{DeviceName, Fingerprint, Timestamp};
use pf_trust::record::{AuditEvent, AuditKind};
use rusqlite::{Connection, OptionalExtension, Row, ToSql, Transaction, params};

use crate::{
    database::{from_sql, to_sql},
    words,
};

/// One line of the audit log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditRow {
    /// Its number. Later lines have larger ones.
    pub id: u64,
    /// When it happened.
    pub at: Timestamp,
    /// What happened.
    pub event: AuditEvent,
}

/// Which lines of the audit log to read: the newest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AuditQuery {
    /// Only lines with smaller numbers than this: the last of the page before.
    pub before: Option<u64>,
    /// Only lines of this kind; the number in [`AuditKind::RefusedMore`] is not looked at.
    pub kind: Option<AuditKind>,
    /// Only lines about this device.
    pub fingerprint: Option<Fingerprint>,
    /// How many lines at most.
    pub limit: u32,
}

/// Writes one more line, and returns it.
pub(super) fn append(
    transaction: &Transaction<'_>,
    event: &AuditEvent,
    now: Timestamp,
) -> rusqlite::Result<AuditRow> {
    let id: i64 = transaction.query_row(
        "SELECT 1 + max(coalesce((SELECT max(id) FROM audit), 0), coalesce((SELECT max(id) FROM strangers), 0))",
        [],
        |row| row.get(0),
    )?;
    let (kind, count) = (event.kind.word(), event.kind.count());
    let values = params![
        id,
        to_sql(now),
        kind,
        count,
        event.fingerprint.as_ref().map(Fingerprint::as_bytes),
        event.address.map(|address| address.to_string()),
        event.name.as_ref().map(DeviceName::as_str),
    ];
    if is_anybodys(event.kind) {
        append_to_ring(transaction, kind, values)?;
    } else {
        append_for_good(transaction, values)?;
    }
    Ok(AuditRow { id: id as u64, at: now, event: event.clone() })
}

/// Whether anybody who reaches the host can cause lines of this kind without end.
fn is_anybodys(kind: AuditKind) -> bool {
    match kind {
        AuditKind::Refused
        | AuditKind::RefusedMore(_)
        | AuditKind::Requested
        | AuditKind::RequestExpired
        | AuditKind::AdmittedAsGuest
        | AuditKind::ConsoleSignInFailed => true,
        AuditKind::Armed
        | AuditKind::Disarmed
        | AuditKind::WindowExpired
        | AuditKind::Attempt
        | AuditKind::Paired
        | AuditKind::WrongPin
        | AuditKind::Approved
        | AuditKind::ApprovedNotCompared
        | AuditKind::Denied
        | AuditKind::Renamed
        | AuditKind::Removed
        | AuditKind::Admitted
        | AuditKind::SessionEnded
        | AuditKind::ConsoleSignIn
        | AuditKind::ConsoleSignInEnded
        | AuditKind::ConsolePasswordChanged
        | AuditKind::ConsoleLinkMade => false,
    }
}

fn append_for_good(transaction: &Transaction<'_>, values: &[&dyn ToSql]) -> rusqlite::Result<()> {
    let mut statement = transaction.prepare_cached(
        "INSERT INTO audit (id, at, kind, count, fingerprint, address, name) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?;
    statement.execute(values).map(drop)
}

/// Writes over the oldest line of this kind, once there are [`RING`] of them.
fn append_to_ring(transaction: &Transaction<'_>, kind: &str, values: &[&dyn ToSql]) -> rusqlite::Result<()> {
    let last: Option<i64> = transaction
        .prepare_cached("SELECT slot FROM strangers WHERE kind = ?1 ORDER BY id DESC LIMIT 1")?
        .query_row([kind], |row| row.get(0))
        .optional()?;
    let slot = last.map_or(0, |slot| (slot + 1) % RING);
    transaction
        .prepare_cached("DELETE FROM strangers WHERE kind = ?1 AND slot = ?2")?
        .execute(params![kind, slot])?;
    let mut statement = transaction.prepare_cached(
        "INSERT INTO strangers (id, at, kind, count, fingerprint, address, name, slot)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    )?;
    let with_slot: Vec<_> = values.iter().copied().chain([&slot as _]).collect();
    statement.execute(with_slot.as_slice()).map(drop)
}

/// Reads a page.
pub(super) fn read(connection: &Connection, query: &AuditQuery) -> rusqlite::Result<Vec<AuditRow>> {
    let before = query.before.map_or(i64::MAX, number);
    let kind = query.kind.map(AuditKind::word);
    let fingerprint = query.fingerprint.as_ref().map(Fingerprint::as_bytes);
    connection
        .prepare_cached(
            "SELECT id, at, kind, count, fingerprint, address, name FROM audit
             WHERE id < ?1 AND (?2 IS NULL OR kind = ?2) AND (?3 IS NULL OR fingerprint = ?3)
             UNION ALL
             SELECT id, at, kind, count, fingerprint, address, name FROM strangers
             WHERE id < ?1 AND (?2 IS NULL OR kind = ?2) AND (?3 IS NULL OR fingerprint = ?3)
             ORDER BY id DESC LIMIT ?4",
        )?
        .query_map(params![before, kind, fingerprint, query.limit], line)?
        .collect()
}

/// Reads on from a line.
pub(super) fn read_after(connection: &Connection, id: u64, limit: u32) -> rusqlite::Result<Vec<AuditRow>> {
    connection
        .prepare_cached(
            "SELECT id, at, kind, count, fingerprint, address, name FROM audit WHERE id > ?1
             UNION ALL
             SELECT id, at, kind, count, fingerprint, address, name FROM strangers WHERE id > ?1
             ORDER BY id LIMIT ?2",
        )?
        .query_map(params![number(id), limit], line)?
        .collect()
}

/// A line's number as it is stored; none is as large as the largest.
fn number(id: u64) -> i64 {
    i64::try_from(id).unwrap_or(i64::MAX)
}

fn line(row: &Row<'_>) -> rusqlite::Result<AuditRow> {
    let count: Option<u32> = row.get(3)?;
    let kind = words::read(row, 2, |word| AuditKind::from_word(word, count))?;
    let address = match row.get_ref(5)?.as_str_or_null()? {
        Some(_) => Some(words::read(row, 5, |text| text.parse::<IpAddr>().ok())?),
        None => None,
    };
    Ok(AuditRow {
        id: row.get::<_, i64>(0)? as u64,
        at: from_sql(row.get(1)?),
        event: AuditEvent {
            kind,
            fingerprint: row.get::<_, Option<[u8; 32]>>(4)?.map(Fingerprint::from_bytes),
            address,
            name: row.get_ref(6)?.as_str_or_null()?.map(DeviceName::sanitise),
        },
    })
}

/// How many lines are kept of each kind that anybody can cause. More costs disk, about 150 bytes each.
const RING: i64 = 10_000;
