//! Verified copies of a store, and going back to one.
//!
//! A copy is made whole after trust changed, checked like the store itself, and only then counted. The last three are
//! kept. A copy also is what says that a store once was: see [`crate::database`].

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
};

use pf_base::Timestamp;
use rusqlite::Connection;

use crate::{
    DataDir, Restored, StoreError,
    data_dir::Sharing,
    database::{
        HALF_MADE, Schema, check_copy, leave_behind, open_checked, remove_half_made, sql_failure,
        trust_changes, with_suffix, witness,
    },
    private_file,
};

/// The copies of one store.
#[derive(Debug)]
pub(crate) struct Copies {
    dir: DataDir,
    schema: &'static Schema,
    /// The count of trust changes in the newest copy, as far as this process knows.
    kept: Option<i64>,
}

/// A copy that can be believed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Copy {
    path: PathBuf,
    /// When the state that it holds was made.
    pub(crate) at: Timestamp,
    /// How often trust had been changed by then.
    pub(crate) trust_changes: i64,
}

impl Copies {
    pub(crate) fn of(dir: &DataDir, schema: &'static Schema) -> Self {
        Self { dir: dir.clone(), schema, kept: None }
    }

    /// The newest copy that can be believed, remembered as what is kept.
    pub(crate) fn look(&mut self) -> Result<Option<Copy>, StoreError> {
        let newest = self.newest()?;
        self.kept = newest.as_ref().map(|copy| copy.trust_changes);
        Ok(newest)
    }

    /// Something in the backup directory that is or was a copy of this store.
    pub(crate) fn any(&self) -> Result<Option<PathBuf>, StoreError> {
        self.dir.any_copy(&format!("{}-", self.schema.name))
    }

    /// Where they and the store are.
    pub(crate) fn dir(&self) -> &DataDir {
        &self.dir
    }

    /// The newest copy that can be believed.
    pub(crate) fn newest(&self) -> Result<Option<Copy>, StoreError> {
        Ok(self.files()?.into_iter().rev().find_map(|(at, path)| {
            check_copy(&path, self.schema).map(|trust_changes| Copy { path, at, trust_changes })
        }))
    }

    /// Whether the newest copy holds everything that the store does, but for its log.
    pub(crate) fn is_current(&self, store: &Connection) -> rusqlite::Result<bool> {
        Ok(self.kept == Some(trust_changes(store)?))
    }

    /// Makes a copy of the store as it is, unless there is one, and drops the oldest but three.
    ///
    /// The setup lock is held by the caller.
    pub(crate) fn keep(&mut self, store: &Connection) -> Result<(), StoreError> {
        let backup = self.dir.backup()?;
        let newest = self.newest()?;
        let fail = |e| sql_failure(&backup, e);
        let current = trust_changes(store).map_err(fail)?;
        if newest.as_ref().is_some_and(|copy| copy.trust_changes == current) {
            self.kept = Some(current);
            return Ok(());
        }

        let new = backup.join(format!("{}.sqlite{HALF_MADE}", self.schema.name));
        private_file::remove(&new)?;
        // VACUUM INTO accepts an empty file and keeps its mode.
        let file = private_file::create(&new)?;
        let copied = self.copy_into(store, &file, &new).and_then(|changes| {
            private_file::rename(&new, &self.next_name(store, &backup)?)?;
            Ok(changes)
        });
        match copied {
            Ok(changes) => self.kept = Some(changes),
            Err(e) => {
                // Half a copy must not take the space that the store needs; what went wrong before is what counts.
                let _ = private_file::remove(&new);
                return Err(e);
            }
        }
        self.drop_old()
    }

    /// Fills a new file with the store, down to the disk, and checks it; how often trust had been changed in it.
    fn copy_into(&self, store: &Connection, file: &File, new: &Path) -> Result<i64, StoreError> {
        // By way of bytes, because a path need not be UTF-8.
        store
            .execute("VACUUM INTO CAST(?1 AS TEXT)", [new.as_os_str().as_encoded_bytes()])
            .map_err(|e| sql_failure(new, e))?;
        file.sync_all().map_err(StoreError::io("write", new))?;
        check_copy(new, self.schema).ok_or_else(|| StoreError::CopyUnreadable { path: new.to_owned() })
    }

    /// A name that sorts after those of all copies, whatever the clock did.
    fn next_name(&self, store: &Connection, backup: &Path) -> Result<PathBuf, StoreError> {
        let changed_at: i64 = store
            .query_row("SELECT trust_changed_at FROM meta", [], |row| row.get(0))
            .map_err(|e| sql_failure(backup, e))?;
        let last = self.files()?.last().map_or(0, |(at, _)| at.as_millis() + 1);
        let millis = last.max(u64::try_from(changed_at).unwrap_or(0));
        Ok(backup.join(format!("{}-{millis}.sqlite", self.schema.name)))
    }

    fn drop_old(&self) -> Result<(), StoreError> {
        let files = self.files()?;
        let surplus = files.len().saturating_sub(KEPT);
        files[..surplus].iter().try_for_each(|(_, path)| private_file::remove(path))
    }

    /// The files that are named like copies, oldest first.
    fn files(&self) -> Result<Vec<(Timestamp, PathBuf)>, StoreError> {
        let backup = self.dir.backup_path();
        if !private_file::dir_exists(&backup)? {
            return Ok(Vec::new());
        }
        let mut files = Vec::new();
        for entry in fs::read_dir(&backup).map_err(StoreError::io("list", &backup))? {
            let path = entry.map_err(StoreError::io("list", &backup))?.path();
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            let millis = name
                .strip_prefix(self.schema.name)
                .and_then(|rest| rest.strip_prefix('-')?.strip_suffix(".sqlite")?.parse().ok());
            if let Some(millis) = millis
                && private_file::exists(&path)?
            {
                files.push((Timestamp::from_millis(millis), path));
            }
        }
        files.sort();
        Ok(files)
    }
}

/// Goes back to the newest copy that can be believed, where the store is missing or damaged.
///
/// A store that can be used is left alone: `None`.
pub(crate) fn restore(
    dir: &DataDir,
    schema: &'static Schema,
    now: Timestamp,
) -> Result<Option<Restored>, StoreError> {
    let _alone = schema.use_lock(dir, Sharing::Alone)?;
    let _setup = dir.setup_lock()?;
    let path = schema.path(dir);
    let copies = Copies::of(dir, schema);
    let newest = copies.newest()?;
    if private_file::exists(&path)? {
        match open_checked(&path, schema, newest.as_ref()) {
            Ok(_) => return Ok(None),
            Err(StoreError::Corrupt { .. }) => {}
            Err(e) => return Err(e),
        }
    } else if witness(&path, &copies)?.is_none() {
        return Ok(None);
    }

    let copy = newest.ok_or_else(|| StoreError::NoCopy { path: dir.backup_path() })?;
    remove_half_made(&path)?;
    let new = with_suffix(&path, HALF_MADE);
    private_file::copy(&copy.path, &new)?;
    leave_behind(&new, schema)?;
    let mut set_aside = set_store_aside(&path, now)?;
    // Newer copies that are broken must not pass for this store's own from now on.
    for (_, broken) in copies.files()?.into_iter().filter(|(at, _)| *at > copy.at) {
        let aside = with_suffix(&broken, ".broken");
        private_file::rename(&broken, &aside)?;
        set_aside.push(aside);
    }
    private_file::publish(&new, &path)?;
    Ok(Some(Restored { from: copy.at, set_aside }))
}

/// Renames a database and what belongs to it, so that SQLite could still open them together.
fn set_store_aside(path: &Path, now: Timestamp) -> Result<Vec<PathBuf>, StoreError> {
    const PARTS: [&str; 4] = ["", "-wal", "-shm", "-journal"];
    let free = |millis: &u64| {
        let aside = with_suffix(path, &format!(".broken-{millis}"));
        PARTS.iter().all(|part| !with_suffix(&aside, part).exists())
    };
    let millis = (now.as_millis()..u64::MAX).find(free).unwrap_or(u64::MAX);
    let aside = with_suffix(path, &format!(".broken-{millis}"));
    let mut set_aside = Vec::new();
    for part in PARTS {
        let (from, to) = (with_suffix(path, part), with_suffix(&aside, part));
        if from.exists() {
            private_file::rename(&from, &to)?;
            set_aside.push(to);
        }
    }
    Ok(set_aside)
}

/// How many copies are kept.
const KEPT: usize = 3;
