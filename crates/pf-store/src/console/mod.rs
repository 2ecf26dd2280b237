//! The console's store: the hash of its password, and the sign-ins that are open.
//!
//! No secret is in it, only hashes of secrets: what a browser holds cannot be read off the disk. Neither can it be
//! brought back: an ended sign-in is deleted, a new password ends the others in the same transaction, and a copy that
//! is gone back to holds no sign-in at all.

use std::{fmt, net::IpAddr};

use pf_base::{DeviceName, Timestamp};
use rusqlite::{Connection, OptionalExtension, Row, params};

use crate::{
    DataDir, Restored, StoreError, copies,
    data_dir::Sharing,
    database::{Database, Schema, count_trust_change, from_sql, to_sql},
    words,
};

/// The console's store, open: no other process has it open too.
///
/// [`ConsoleStore::keep_copy`] is to be called once after opening, and after each change of the password and each end
/// of a sign-in; nobody needs to wait for it.
#[derive(Debug)]
pub struct ConsoleStore {
    database: Database,
}

/// What the store held when it was opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConsoleLoaded {
    /// The password; `None` only as long as none was ever set.
    pub password: Option<PasswordHash>,
    /// The sign-ins that are open, in the order in which they were made.
    pub sign_ins: Vec<SignInRow>,
}

/// A password, hashed.
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash {
    /// The hash with its salt and costs, as a PHC string of 1 to 256 bytes; the store does not look into it.
    pub phc: String,
    /// When it was set.
    pub set_at: Timestamp,
}

/// A sign-in that is about to be opened. It counts as used, and as proved, at the moment of signing in.
#[derive(Clone, PartialEq, Eq)]
pub struct NewSignIn {
    /// A hash of the token that the browser holds.
    pub token_hash: [u8; 32],
    /// Which browser, in a few words.
    pub browser: DeviceName,
    /// From where.
    pub address: IpAddr,
    /// With what.
    pub by: SignedInBy,
    /// When.
    pub at: Timestamp,
}

/// A sign-in that is open.
#[derive(Clone, PartialEq, Eq)]
pub struct SignInRow {
    /// Its number: of no other sign-in, ever.
    pub id: u64,
    /// A hash of the token that the browser holds.
    pub token_hash: [u8; 32],
    /// Which browser, in a few words.
    pub browser: DeviceName,
    /// From where it was used last.
    pub address: IpAddr,
    /// With what it was made.
    pub by: SignedInBy,
    /// When it was made.
    pub signed_in_at: Timestamp,
    /// When it was used last, as far as it was noted.
    pub last_used_at: Timestamp,
    /// When the one who uses it last proved to know the password, or came by a link.
    pub proved_at: Timestamp,
}

/// What somebody signed in with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignedInBy {
    /// The password.
    Password,
    /// A link that signs in once.
    Link,
}

impl ConsoleStore {
    /// Opens the console's store, or makes it where there never was one.
    ///
    /// Where there was one, nothing less than that one whole is accepted; see [`StoreError`].
    pub fn open(dir: &DataDir) -> Result<(Self, ConsoleLoaded), StoreError> {
        let store = Self { database: Database::open(dir, &SCHEMA)? };
        let loaded = store.load()?;
        Ok((store, loaded))
    }

    /// Goes back to the newest verified copy where the store is missing or damaged, and sets the rest aside.
    ///
    /// A store that can be used is left alone, and so is a place where there never was one: `None`. Every sign-in is
    /// over then, and a password that was set after [`Restored::from`] is the one before it again.
    pub fn restore(dir: &DataDir, now: Timestamp) -> Result<Option<Restored>, StoreError> {
        copies::restore(dir, &SCHEMA, now)
    }

    /// Keeps a verified copy if the password changed or a sign-in ended since the last one; cheap if not.
    pub fn keep_copy(&mut self) -> Result<(), StoreError> {
        self.database.keep_copy()
    }

    /// Reads the password and the open sign-ins.
    pub fn load(&self) -> Result<ConsoleLoaded, StoreError> {
        self.database.read(|connection| {
            Ok(ConsoleLoaded { password: password(connection)?, sign_ins: sign_ins(connection)? })
        })
    }

    /// Sets the password and ends every sign-in but `keep`: all of it, or nothing.
    pub fn set_password(&mut self, password: &PasswordHash, keep: Option<u64>) -> Result<(), StoreError> {
        self.database.write(|transaction| {
            transaction.execute(
                "INSERT INTO password (id, phc, set_at) VALUES (1, ?1, ?2)
                 ON CONFLICT (id) DO UPDATE SET phc = excluded.phc, set_at = excluded.set_at",
                params![password.phc, to_sql(password.set_at)],
            )?;
            transaction.execute("DELETE FROM sign_ins WHERE id IS NOT ?1", [keep.map(number)])?;
            count_trust_change(transaction, password.set_at)?;
            Ok(())
        })
    }

    /// Opens a sign-in, and returns its number.
    pub fn sign_in(&mut self, new: &NewSignIn) -> Result<u64, StoreError> {
        self.database.write(|transaction| {
            transaction.execute(
                "INSERT INTO sign_ins
                 (token_hash, browser, address, signed_in_by, signed_in_at, last_used_at, proved_at)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?5, ?5)",
                params![
                    new.token_hash,
                    new.browser.as_str(),
                    new.address.to_string(),
                    new.by.word(),
                    to_sql(new.at)
                ],
            )?;
            Ok(transaction.last_insert_rowid() as u64)
        })
    }

    /// Ends sign-ins, all of them or none. One that is over already is none; how many were open.
    pub fn end(&mut self, ids: &[u64], now: Timestamp) -> Result<usize, StoreError> {
        self.database.write(|transaction| {
            let mut ended = 0;
            for &id in ids {
                ended += transaction.execute("DELETE FROM sign_ins WHERE id = ?1", [number(id)])?;
            }
            if ended > 0 {
                count_trust_change(transaction, now)?;
            }
            Ok(ended)
        })
    }

    /// Notes when and from where a sign-in was used. It opens none: of one that is over there is nothing to note.
    pub fn used(&mut self, id: u64, at: Timestamp, address: IpAddr) -> Result<(), StoreError> {
        self.database.write(|transaction| {
            transaction.execute(
                "UPDATE sign_ins SET last_used_at = ?2, address = ?3 WHERE id = ?1",
                params![number(id), to_sql(at), address.to_string()],
            )?;
            Ok(())
        })
    }

    /// Notes when the password was given again. It opens none: of one that is over there is nothing to note.
    pub fn proved(&mut self, id: u64, at: Timestamp) -> Result<(), StoreError> {
        self.database.write(|transaction| {
            transaction
                .execute("UPDATE sign_ins SET proved_at = ?2 WHERE id = ?1", [number(id), to_sql(at)])?;
            Ok(())
        })
    }
}

impl SignedInBy {
    /// The word that is stored for it.
    const fn word(self) -> &'static str {
        match self {
            Self::Password => "password",
            Self::Link => "link",
        }
    }

    fn from_word(word: &str) -> Option<Self> {
        match word {
            "password" => Some(Self::Password),
            "link" => Some(Self::Link),
            _ => None,
        }
    }
}

/// Without the hash: who reads a log must not be able to guess at the password in peace.
impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PasswordHash").field("set_at", &self.set_at).finish_non_exhaustive()
    }
}

/// Without the hash.
impl fmt::Debug for NewSignIn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewSignIn")
            .field("browser", &self.browser)
            .field("address", &self.address)
            .field("by", &self.by)
            .field("at", &self.at)
            .finish_non_exhaustive()
    }
}

/// Without the hash.
impl fmt::Debug for SignInRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignInRow")
            .field("id", &self.id)
            .field("browser", &self.browser)
            .field("address", &self.address)
            .field("by", &self.by)
            .field("signed_in_at", &self.signed_in_at)
            .field("last_used_at", &self.last_used_at)
            .field("proved_at", &self.proved_at)
            .finish_non_exhaustive()
    }
}

fn password(connection: &Connection) -> rusqlite::Result<Option<PasswordHash>> {
    let hash = |row: &Row<'_>| Ok(PasswordHash { phc: row.get(0)?, set_at: from_sql(row.get(1)?) });
    connection.query_row("SELECT phc, set_at FROM password", [], hash).optional()
}

fn sign_ins(connection: &Connection) -> rusqlite::Result<Vec<SignInRow>> {
    connection
        .prepare(
            "SELECT id, token_hash, browser, address, signed_in_by, signed_in_at, last_used_at, proved_at
             FROM sign_ins ORDER BY id",
        )?
        .query_map([], |row| {
            Ok(SignInRow {
                id: row.get::<_, i64>(0)? as u64,
                token_hash: row.get(1)?,
                browser: DeviceName::sanitise(row.get_ref(2)?.as_str()?),
                address: words::read(row, 3, |text| text.parse().ok())?,
                by: words::read(row, 4, SignedInBy::from_word)?,
                signed_in_at: from_sql(row.get(5)?),
                last_used_at: from_sql(row.get(6)?),
                proved_at: from_sql(row.get(7)?),
            })
        })?
        .collect()
}

/// A sign-in's number as it is stored; none is as large as the largest.
fn number(id: u64) -> i64 {
    i64::try_from(id).unwrap_or(i64::MAX)
}

const SCHEMA: Schema = Schema {
    name: "console",
    program: "punktfunk-host",
    sharing: Sharing::Alone,
    application_id: u32::from_be_bytes(*b"pfco"),
    migrations: &[include_str!("v1.sql")],
    // A sign-in that was ended after the copy was made must not be open again.
    left_behind: "DELETE FROM sign_ins",
};
