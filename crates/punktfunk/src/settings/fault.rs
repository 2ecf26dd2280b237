//! What can be wrong with `settings.toml`, and what to do about it.

use std::{fmt, io, path::PathBuf};

/// Why the file cannot be used. It stays as it is, and the defaults count.
#[derive(Debug)]
pub(crate) enum SettingsFault {
    /// It cannot be read.
    Unreadable {
        /// Which one.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// What stands in it is not what can stand there.
    Broken {
        /// Which one.
        path: PathBuf,
        /// Where, from 1.
        line: usize,
        /// What is wrong there.
        reason: String,
    },
}

/// Why settings were not written. The file is as it was.
#[derive(Debug)]
pub(crate) enum SaveError {
    /// Nothing says where this user's settings go.
    NoHome,
    /// What is there cannot be used, and is not written over.
    Fault(SettingsFault),
    /// The machine failed.
    Write {
        /// Which file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
}

impl fmt::Display for SettingsFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable { path, error } => {
                write!(
                    f,
                    "{} cannot be read: {error}. The defaults count, and it is left as it is.",
                    path.display()
                )
            }
            Self::Broken { path, line, reason } => write!(
                f,
                "{}, line {line}: {reason}. Until that is put right the defaults count, and the file is left as it is.",
                path.display()
            ),
        }
    }
}

impl fmt::Display for SaveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoHome => {
                write!(
                    f,
                    "neither XDG_CONFIG_HOME nor HOME says where to keep settings. They hold until the end."
                )
            }
            Self::Fault(fault) => fault.fmt(f),
            Self::Write { path, error } => {
                write!(
                    f,
                    "{} cannot be written: {error}. What was changed holds until the end.",
                    path.display()
                )
            }
        }
    }
}
