//! One SQLite file: made whole, checked before it is believed, written in transactions that are on the disk when they end.
//!
//! Each store is one of these with a [`Schema`] of their own. What it takes care of:
//!
//! - **Missing is not new.** A store is made only where nothing says that there was one: no copy in `backup/` and no
//!   write-ahead log without its database. It is built under another name and published whole, so an empty or short
//!   file is always a broken one.
//! - **Checked first.** Header, application id, version, SQLite's own full integrity check, and the count of trust
//!   changes against the newest copy's: a database that lost commits (a write-ahead log cut off or deleted is no
//!   error to SQLite) is older than its copy and is refused like any other damage. Until all this holds, nothing is
//!   written, not even a checkpoint.
//! - **Durable.** `synchronous=FULL` in WAL mode: a commit is on the disk when it returns.

use std::{
    fs::File,
    io::{ErrorKind, Read},
    path::{Path, PathBuf},
    time::Duration,
};

use pf_base::Timestamp;
use rusqlite::{Connection, OpenFlags, Transaction, TransactionBehavior, config::DbConfig};

use crate::{
    DataDir, DatabaseFault, StoreError,
    copies::{Copies, Copy},
    data_dir::{Lock, Sharing},
    identity, private_file,
};

/// What tells one kind of store from another.
#[derive(Debug)]
pub(crate) struct Schema {
    /// Its file is `<name>.sqlite`, its lock `<name>.lock`, its copies `<name>-<ms>.sqlite`.
    pub(crate) name: &'static str,
    /// The program that it belongs to, as people know it.
    pub(crate) program: &'static str,
    /// Whether several processes may have it open.
    pub(crate) sharing: Sharing,
    /// SQLite's `application_id` of it.
    pub(crate) application_id: u32,
    /// The steps from an empty database to this program's version of it; the version is how many were taken.
    ///
    /// A step that was released is never changed. The first makes the table `meta`, see [`trust_changes`].
    pub(crate) migrations: &'static [&'static str],
    /// What takes out of a copy, before it becomes the store again, that which must not come back with it; SQL, of
    /// this program's version.
    pub(crate) left_behind: &'static str,
}

impl Schema {
    pub(crate) fn path(&self, dir: &DataDir) -> PathBuf {
        dir.file(&format!("{}.sqlite", self.name))
    }

    /// Takes the lock that keeps the store for those who may have it open.
    pub(crate) fn use_lock(&self, dir: &DataDir, sharing: Sharing) -> Result<Lock, StoreError> {
        dir.use_lock(&format!("{}.lock", self.name), sharing, self.program)
    }

    /// The version that this program writes.
    fn version(&self) -> u32 {
        self.migrations.len() as u32
    }
}

/// An open store.
#[derive(Debug)]
pub(crate) struct Database {
    connection: Connection,
    copies: Copies,
    path: PathBuf,
    _in_use: Lock,
}

impl Database {
    /// Opens the store, or makes it where there never was one.
    pub(crate) fn open(dir: &DataDir, schema: &'static Schema) -> Result<Self, StoreError> {
        let in_use = schema.use_lock(dir, schema.sharing)?;
        let setup = dir.setup_lock()?;
        let path = schema.path(dir);
        let mut copies = Copies::of(dir, schema);
        remove_half_made(&path)?;
        let newest = copies.look()?;
        let is_new = !private_file::exists(&path)?;
        if is_new {
            if let Some(witness) = witness(&path, &copies)? {
                return Err(StoreError::Missing { path, witness, copy: newest.map(|copy| copy.at) });
            }
            // So that a store without an identity always is one that lost it.
            identity::load_or_create_alone(dir)?;
            create(&path, schema)?;
        }
        let connection = open_checked(&path, schema, newest.as_ref())?;
        let mut database = Self { connection, copies, path, _in_use: in_use };
        database.prepare(schema)?;
        if is_new {
            database.copies.keep(&database.connection)?;
        }
        drop(setup);
        Ok(database)
    }

    /// Does what `work` does in one transaction: all of it is on the disk when this returns, or none ever will be.
    pub(crate) fn write<T, E: From<StoreError>>(
        &mut self,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, Undone<E>>,
    ) -> Result<T, E> {
        let done = (|| {
            let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let value = work(&transaction)?;
            transaction.commit()?;
            Ok(value)
        })();
        done.map_err(|undone| match undone {
            Undone::Failed(e) => self.failure(e).into(),
            Undone::Refused(e) => e,
        })
    }

    /// Reads from one state of the store.
    pub(crate) fn read<T>(
        &self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        (|| {
            let snapshot = self.connection.unchecked_transaction()?;
            work(&snapshot)
        })()
        .map_err(|e| self.failure(e))
    }

    /// Makes a verified copy if trust changed since the last one, and moves what was written into the main file.
    pub(crate) fn keep_copy(&mut self) -> Result<(), StoreError> {
        if self.copies.is_current(&self.connection).map_err(|e| self.failure(e))? {
            return Ok(());
        }
        let _setup = self.copies.dir().setup_lock()?;
        self.copies.keep(&self.connection)?;
        // Another process that is reading may keep it from finishing; the next one will.
        self.connection
            .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
            .map_err(|e| self.failure(e))
    }

    /// Sets how the connection behaves and brings an older store to this program's version.
    fn prepare(&mut self, schema: &Schema) -> Result<(), StoreError> {
        let connection = &mut self.connection;
        (|| -> rusqlite::Result<()> {
            // Where the file system cannot do it, SQLite stays with its rollback journal, which is as durable.
            connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
            connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, false)?;
            migrate(connection, schema.migrations)
        })()
        .map_err(|e| self.failure(e))
    }

    fn failure(&self, error: rusqlite::Error) -> StoreError {
        // Copies that cannot be listed are none to go back to.
        failure(&self.path, error, || self.copies.newest().ok().flatten().map(|copy| copy.at))
    }
}

/// Why a transaction was undone.
pub(crate) enum Undone<E> {
    /// The database failed.
    Failed(rusqlite::Error),
    /// The work itself refused.
    Refused(E),
}

impl<E> From<rusqlite::Error> for Undone<E> {
    fn from(error: rusqlite::Error) -> Self {
        Self::Failed(error)
    }
}

/// How often trust was changed in this store: what tells a copy that is current from one that is not.
pub(crate) fn trust_changes(connection: &Connection) -> rusqlite::Result<i64> {
    connection.query_row("SELECT trust_changes FROM meta", [], |row| row.get(0))
}

/// Counts one more change of trust, so that a copy is due.
pub(crate) fn count_trust_change(transaction: &Transaction<'_>, now: Timestamp) -> rusqlite::Result<()> {
    transaction
        .execute("UPDATE meta SET trust_changes = trust_changes + 1, trust_changed_at = ?1", [to_sql(now)])?;
    Ok(())
}

/// A point in time as it is stored.
pub(crate) fn to_sql(at: Timestamp) -> i64 {
    i64::try_from(at.as_millis()).unwrap_or(i64::MAX)
}

/// A point in time as it was stored.
pub(crate) fn from_sql(millis: i64) -> Timestamp {
    Timestamp::from_millis(u64::try_from(millis).unwrap_or(0))
}

/// Opens a database file that is there, once it is sure that all of it can be believed. Writes nothing.
pub(crate) fn open_checked(
    path: &Path,
    schema: &Schema,
    newest: Option<&Copy>,
) -> Result<Connection, StoreError> {
    for suffix in ["", "-wal", "-shm", "-journal"] {
        private_file::exists(&with_suffix(path, suffix))?;
    }
    let checked = (|| {
        check_header(path, schema)?;
        let connection = connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        check_content(&connection, schema)?;
        let changes = trust_changes(&connection)?;
        if newest.is_some_and(|copy| copy.trust_changes > changes) {
            return Err(Rejected::Fault(DatabaseFault::RolledBack));
        }
        Ok(connection)
    })();
    let copy = newest.map(|copy| copy.at);
    checked.map_err(|rejected| match rejected {
        Rejected::Fault(fault) => StoreError::Corrupt { path: path.to_owned(), fault, copy },
        Rejected::Newer(found) => StoreError::Newer { path: path.to_owned(), found, known: schema.version() },
        Rejected::Io(e) => StoreError::io("read", path)(e),
        Rejected::Sql(e) => failure(path, e, || copy),
    })
}

/// How often trust was changed in a copy, if all of that copy can be believed.
pub(crate) fn check_copy(path: &Path, schema: &Schema) -> Option<i64> {
    check_header(path, schema).ok()?;
    let connection = connect(path, OpenFlags::SQLITE_OPEN_READ_ONLY).ok()?;
    check_content(&connection, schema).ok()?;
    trust_changes(&connection).ok()
}

/// Takes out of a copy that is about to become the store what must not come back with it.
pub(crate) fn leave_behind(copy: &Path, schema: &Schema) -> Result<(), StoreError> {
    (|| {
        let mut connection = connect(copy, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        migrate(&mut connection, schema.migrations)?;
        connection.execute_batch(schema.left_behind)?;
        connection.close().map_err(|(_, e)| e)
    })()
    .map_err(|e| sql_failure(copy, e))
}

/// Removes what a crash left of a database that was being made.
pub(crate) fn remove_half_made(path: &Path) -> Result<(), StoreError> {
    let new = with_suffix(path, HALF_MADE);
    private_file::remove(&with_suffix(&new, "-journal"))?;
    private_file::remove(&new)
}

/// What says that there once was a database at `path`.
pub(crate) fn witness(path: &Path, copies: &Copies) -> Result<Option<PathBuf>, StoreError> {
    let log = with_suffix(path, "-wal");
    if log.exists() { Ok(Some(log)) } else { copies.any() }
}

/// `path` with something at its end.
pub(crate) fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut path = path.as_os_str().to_owned();
    path.push(suffix);
    path.into()
}

/// The ending of a file that is still being written.
pub(crate) const HALF_MADE: &str = ".new";

/// Builds an empty database beside its place, and puts it there whole.
fn create(path: &Path, schema: &Schema) -> Result<(), StoreError> {
    let new = with_suffix(path, HALF_MADE);
    // SQLite takes an empty file for a new database, and keeps its mode.
    let file = private_file::create(&new)?;
    let built = (|| {
        let mut connection = connect(&new, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        connection.pragma_update(None, "application_id", schema.application_id)?;
        migrate(&mut connection, schema.migrations)?;
        connection.close().map_err(|(_, e)| e)
    })();
    built.map_err(|e| sql_failure(path, e))?;
    file.sync_all().map_err(StoreError::io("write", &new))?;
    private_file::publish(&new, path)
}

/// Takes the steps that a database has not taken yet, each in its own transaction.
fn migrate(connection: &mut Connection, steps: &[&str]) -> rusqlite::Result<()> {
    loop {
        // The version is read inside the transaction: another process may be taking the same steps.
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let version: u32 = transaction.pragma_query_value(None, "user_version", |row| row.get(0))?;
        let Some(step) = steps.get(version as usize) else { return Ok(()) };
        transaction.execute_batch(step)?;
        transaction.pragma_update(None, "user_version", version + 1)?;
        transaction.commit()?;
    }
}

fn connect(path: &Path, access: OpenFlags) -> rusqlite::Result<Connection> {
    let connection = Connection::open_with_flags(path, access | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
    // Until it is checked: closing must not write what a log holds into a database that is refused.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    connection.pragma_update(None, "cell_size_check", true)?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    Ok(connection)
}

/// Why a database file is not believed.
enum Rejected {
    Fault(DatabaseFault),
    Newer(u32),
    Io(std::io::Error),
    Sql(rusqlite::Error),
}

impl From<rusqlite::Error> for Rejected {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sql(error)
    }
}

/// Looks at the first bytes alone, so that a file that is none of ours is not even opened as a database.
///
/// See "The Database Header" in SQLite's file format; a page has at least 512 bytes.
fn check_header(path: &Path, schema: &Schema) -> Result<(), Rejected> {
    let mut header = [0; 512];
    let mut file = File::open(path).map_err(Rejected::Io)?;
    match file.read_exact(&mut header) {
        Err(e) if e.kind() == ErrorKind::UnexpectedEof => {
            return Err(Rejected::Fault(DatabaseFault::CutShort));
        }
        read => read.map_err(Rejected::Io)?,
    }
    if !header.starts_with(b"SQLite format 3\0") {
        return Err(Rejected::Fault(DatabaseFault::NotADatabase));
    }
    let field = |at: usize| u32::from_be_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]);
    check_version(schema, field(68), field(60))?;

    // SQLite misses what was cut off a page that is not in use. Where there is a log, the rest may be in that.
    let has_log = with_suffix(path, "-wal").metadata().is_ok_and(|log| log.len() > 0);
    let page_size = match field(16) >> 16 {
        1 => 65536,
        size => u64::from(size),
    };
    let length = file.metadata().map_err(Rejected::Io)?.len();
    if !has_log && length < page_size * u64::from(field(28)) {
        return Err(Rejected::Fault(DatabaseFault::CutShort));
    }
    Ok(())
}

fn check_version(schema: &Schema, application_id: u32, version: u32) -> Result<(), Rejected> {
    match version {
        _ if application_id != schema.application_id => {
            Err(Rejected::Fault(DatabaseFault::OtherApplication(application_id)))
        }
        0 => Err(Rejected::Fault(DatabaseFault::Value("version 0"))),
        newer if newer > schema.version() => Err(Rejected::Newer(newer)),
        _ => Ok(()),
    }
}

/// Reads all of a database, its log included, and believes nothing before that.
fn check_content(connection: &Connection, schema: &Schema) -> Result<(), Rejected> {
    let verdict: String = connection.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))?;
    if verdict != "ok" {
        return Err(Rejected::Fault(DatabaseFault::Check(verdict)));
    }
    let dangling = connection.prepare("PRAGMA foreign_key_check")?.exists([])?;
    if dangling {
        return Err(Rejected::Fault(DatabaseFault::Value("a row that belongs to none")));
    }
    let number = |pragma| connection.pragma_query_value(None, pragma, |row| row.get::<_, i64>(0));
    check_version(schema, number("application_id")? as u32, number("user_version")? as u32)
}

/// Whose fault it was that the database failed: its file's, or the machine's.
fn failure(path: &Path, error: rusqlite::Error, copy: impl FnOnce() -> Option<Timestamp>) -> StoreError {
    use rusqlite::{
        Error::{FromSqlConversionFailure, InvalidColumnType, QueryReturnedNoRows, SqliteFailure},
        ErrorCode::{DatabaseCorrupt, NotADatabase, Unknown},
    };
    let damage = match &error {
        // The unknown is SQLite's plain "error": a table that is not there, a file format that it cannot read.
        SqliteFailure(e, text) if matches!(e.code, DatabaseCorrupt | NotADatabase | Unknown) => {
            text.clone().unwrap_or_else(|| e.to_string())
        }
        FromSqlConversionFailure(..) | InvalidColumnType(..) | QueryReturnedNoRows => error.to_string(),
        _ => return sql_failure(path, error),
    };
    StoreError::Corrupt { path: path.to_owned(), fault: DatabaseFault::Check(damage), copy: copy() }
}

/// What the machine did to us, where it was not the file's own fault.
pub(crate) fn sql_failure(path: &Path, source: rusqlite::Error) -> StoreError {
    match source.sqlite_error_code() {
        Some(rusqlite::ErrorCode::DiskFull) => StoreError::Full { path: path.to_owned() },
        _ => StoreError::Database { path: path.to_owned(), source },
    }
}

/// How long one process waits for another's transaction; they take milliseconds.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;

    const META: &str = "CREATE TABLE meta (trust_changes INTEGER, trust_changed_at INTEGER) STRICT;
        INSERT INTO meta VALUES (0, 0);
        CREATE TABLE things (name TEXT) STRICT;";
    static ONE: Schema = of(&[META]);
    static TWO: Schema = of(&[META, "ALTER TABLE things ADD COLUMN size INTEGER NOT NULL DEFAULT 7;"]);
    static BROKEN: Schema = of(&[META, "DELETE FROM things; INSERT INTO nowhere VALUES (1);"]);

    const fn of(migrations: &'static [&'static str]) -> Schema {
        let (name, program, sharing) = ("test", "test", Sharing::Alone);
        Schema { name, program, sharing, application_id: 7, migrations, left_behind: "" }
    }

    /// A store that version 1 made, with a thing in it.
    fn of_version_one() -> (TempDir, DataDir) {
        let temp = TempDir::new().unwrap();
        let dir = DataDir::open(temp.path().join("data")).unwrap();
        let mut database = Database::open(&dir, &ONE).unwrap();
        let insert = |t: &Transaction<'_>| Ok(t.execute("INSERT INTO things VALUES ('first')", [])?);
        database.write::<_, StoreError>(insert).unwrap();
        (temp, dir)
    }

    fn first<T: rusqlite::types::FromSql>(database: &Database, column: &str) -> rusqlite::Result<T> {
        database.connection.query_row(&format!("SELECT {column} FROM things"), [], |row| row.get(0))
    }

    /// After an update of the program the store is refused, or begun again.
    #[test]
    fn an_older_store_is_brought_up_with_what_is_in_it() {
        let (_temp, dir) = of_version_one();
        for _ in 0..2 {
            let database = Database::open(&dir, &TWO).unwrap();
            assert_eq!(first(&database, "name || size"), Ok("first7".to_owned()));
        }
        let error = Database::open(&dir, &ONE).unwrap_err();
        assert!(matches!(error, StoreError::Newer { found: 2, known: 1, .. }), "{error}");
    }

    /// An update goes wrong halfway, and neither the new program nor the old one can read the store.
    #[test]
    fn a_step_that_fails_changes_nothing() {
        let (_temp, dir) = of_version_one();
        Database::open(&dir, &BROKEN).unwrap_err();
        let database = Database::open(&dir, &ONE).unwrap();
        assert_eq!(first(&database, "name"), Ok("first".to_owned()));
    }

    #[test]
    fn a_commit_is_on_the_disk_when_it_returns() {
        let (_temp, dir) = of_version_one();
        let database = Database::open(&dir, &ONE).unwrap();
        let setting = |name| database.connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
        assert_eq!(setting("synchronous"), Ok(2), "FULL");
        assert_eq!(setting("foreign_keys"), Ok(1));
        assert_eq!(setting("trusted_schema"), Ok(0));
    }
}
