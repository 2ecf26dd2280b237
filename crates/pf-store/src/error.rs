//! Why a store could not be opened, read or written, and what a person can do about it.

use std::{io, path::PathBuf};

use pf_base::{Fingerprint, Timestamp};
use time::OffsetDateTime;

/// Why a store could not be opened, read or written.
///
/// Each says in one line what happened ([`Display`](std::fmt::Display)), and in one more how to go on
/// ([`StoreError::hint`]). Whatever it is, the files are as they were.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    // How the machine is set up: the owner's to put right.
    /// Nothing says where this user's data goes.
    #[error("neither XDG_DATA_HOME nor HOME says where to keep data")]
    NoHome,
    /// There is something else where the directory should be.
    #[error("{} is not a directory", path.display())]
    NotADirectory {
        /// What is in the way.
        path: PathBuf,
    },
    /// There is something else, such as a directory, where a file should be.
    #[error("{} is not a regular file", path.display())]
    NotAFile {
        /// What is in the way.
        path: PathBuf,
    },
    /// Someone besides the owner can read or write it.
    #[error("other users have access to {} (mode {mode:04o})", path.display())]
    TooOpen {
        /// The file or directory.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
        /// The widest that it may have.
        widest: u32,
    },
    /// It belongs to another user.
    #[error("{} belongs to another user (uid {owner}; this is uid {ours})", path.display())]
    NotOurs {
        /// The file or directory.
        path: PathBuf,
        /// Whose it is.
        owner: u32,
        /// Who we run as.
        ours: u32,
    },
    /// Another process holds it.
    #[error("{} is already in use by another {program}", path.display())]
    InUse {
        /// The data directory.
        path: PathBuf,
        /// Whose kind of process holds it.
        program: &'static str,
    },

    // What was stored cannot be trusted: a person decides.
    /// The identity file is not whole.
    #[error("the identity file {} cannot be used: {fault}", path.display())]
    IdentityBroken {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        fault: IdentityFault,
        /// Whether there is a copy that can be used.
        copy: bool,
    },
    /// The identity file is gone, though a store beside it says that there was one.
    #[error("the identity file {} is missing, but {} is there", path.display(), witness.display())]
    IdentityMissing {
        /// The file.
        path: PathBuf,
        /// What says that it once was.
        witness: PathBuf,
        /// Whether there is a copy that can be used.
        copy: bool,
    },
    /// The store is gone, though something beside it says that there was one.
    #[error("the store {} is missing, but {} is there", path.display(), witness.display())]
    Missing {
        /// The file.
        path: PathBuf,
        /// What says that it once was.
        witness: PathBuf,
        /// When the newest copy that can be used was made.
        copy: Option<Timestamp>,
    },
    /// The store cannot be read, or what is in it cannot be right.
    #[error("the store {} is damaged: {fault}", path.display())]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        fault: DatabaseFault,
        /// When the newest copy that can be used was made.
        copy: Option<Timestamp>,
    },
    /// A newer program wrote the store.
    #[error("the store {} is of version {found}; this program knows versions up to {known}", path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// The version that it has.
        found: u32,
        /// The newest that this program knows.
        known: u32,
    },
    /// There is no copy to go back to.
    #[error("{} holds no copy that can be used", path.display())]
    NoCopy {
        /// Where copies are kept.
        path: PathBuf,
    },

    // The machine failed.
    /// The disk, or the user's share of it, is full.
    #[error("no space is left to write {}", path.display())]
    Full {
        /// The file.
        path: PathBuf,
    },
    /// The operating system refused.
    #[error("cannot {doing} {}: {source}", path.display())]
    Io {
        /// What was tried, as a verb.
        doing: &'static str,
        /// With which file or directory.
        path: PathBuf,
        /// What it said.
        source: io::Error,
    },
    /// The database refused.
    #[error("cannot use the store {}: {source}", path.display())]
    Database {
        /// The file.
        path: PathBuf,
        /// What it said.
        source: rusqlite::Error,
    },
    /// A copy was made, and did not read back.
    #[error("the copy {} does not read back as it was written", path.display())]
    CopyUnreadable {
        /// The copy.
        path: PathBuf,
    },
    /// No key could be made.
    #[error("cannot make an identity: {0}")]
    KeyGeneration(#[from] rcgen::Error),

    // The caller misused us.
    /// A change is about a device that is not on the allow-list; nothing of its batch is stored.
    #[error("no paired device has the fingerprint {0:?}")]
    UnknownDevice(Fingerprint),
}

impl StoreError {
    /// One line that says how to go on.
    pub fn hint(&self) -> String {
        match self {
            Self::NoHome => "give a directory with --data-dir".to_owned(),
            Self::NotADirectory { path } | Self::NotAFile { path } => {
                format!("move {} out of the way, or give another directory with --data-dir", path.display())
            }
            Self::TooOpen { path, widest, .. } => {
                format!("if nobody can have changed or copied it, run: chmod {widest:o} {}", path.display())
            }
            Self::NotOurs { path, owner, .. } => {
                format!(
                    "run as uid {owner}, give another directory with --data-dir, or chown {}",
                    path.display()
                )
            }
            Self::InUse { program, .. } => {
                format!("stop the other {program}, or give this one a directory of its own with --data-dir")
            }
            Self::IdentityBroken { copy: true, .. } | Self::IdentityMissing { copy: true, .. } => {
                "run again with --restore to put the kept copy of it back".to_owned()
            }
            Self::IdentityBroken { path, .. } | Self::IdentityMissing { path, .. } => format!(
                "put {} back from a backup; or move its directory aside to start afresh, and pair everything again",
                path.display()
            ),
            Self::Missing { copy: Some(from), .. } | Self::Corrupt { copy: Some(from), .. } => {
                format!("run again with --restore to go back to the copy from {}", utc(*from))
            }
            Self::Missing { path, .. } | Self::Corrupt { path, .. } => format!(
                "no copy of it can be used: put {} back from a backup; or move its directory aside to start afresh, \
                 and pair everything again",
                path.display()
            ),
            Self::Newer { .. } => "run the newer program that wrote it".to_owned(),
            Self::NoCopy { .. } => {
                "put the files back from a backup; or move the directory aside to start afresh, and pair \
                 everything again"
                    .to_owned()
            }
            Self::Full { path } => {
                format!("free some space on the disk of {}, and try again", path.display())
            }
            Self::Io { path, .. } | Self::Database { path, .. } | Self::CopyUnreadable { path } => {
                format!("check the disk and the permissions of {}, and try again", path.display())
            }
            Self::KeyGeneration(_) => "try again".to_owned(),
            Self::UnknownDevice(_) => "list the paired devices; it may have been removed".to_owned(),
        }
    }

    pub(crate) fn io(doing: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::Full { path },
            _ => Self::Io { doing, path, source },
        }
    }
}

/// What is wrong with an identity file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IdentityFault {
    /// It is truncated, empty, or something else altogether.
    #[error("it does not hold exactly one private key and one certificate in PEM form")]
    Incomplete,
    /// The key does not decode, or contradicts itself.
    #[error("its private key is malformed")]
    Key,
    /// The key is of another algorithm.
    #[error("its private key is not an ECDSA key on the curve P-256")]
    Algorithm,
    /// The certificate does not decode.
    #[error("its certificate is malformed")]
    Certificate,
    /// The certificate is of another key.
    #[error("its certificate does not belong to its private key")]
    Mismatch,
}

/// What is wrong with a database file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DatabaseFault {
    /// It is empty, or shorter than the smallest database.
    #[error("it is cut short")]
    CutShort,
    /// It does not begin like a database.
    #[error("it is not a database")]
    NotADatabase,
    /// It is a database of something else, going by this application id.
    #[error("it is a database of something else (application id {0:#010x})")]
    OtherApplication(u32),
    /// The database itself found this.
    #[error("{0}")]
    Check(String),
    /// A value in it is none that this program ever writes.
    #[error("it holds a value that cannot be: {0}")]
    Value(&'static str),
    /// It is older than a copy of it: it lost changes that were made.
    #[error("it has lost changes that a copy of it has")]
    RolledBack,
}

/// A point in time to the minute, for people.
fn utc(at: Timestamp) -> String {
    let seconds = i64::try_from(at.as_millis() / 1000).unwrap_or(i64::MAX);
    match OffsetDateTime::from_unix_timestamp(seconds) {
        Ok(t) => {
            format!(
                "{}-{:02}-{:02} {:02}:{:02} UTC",
                t.year(),
                u8::from(t.month()),
                t.day(),
                t.hour(),
                t.minute()
            )
        }
        Err(_) => format!("{seconds} s after 1970"),
    }
}
