//! The names of the sources, and which one `auto` stands for.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

use crate::{SourceConfig, Stop, virtual_display, wayland, x11};

/// A source's name, as on a command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SourceKind {
    /// The first of the others that works here; see [`choose`].
    Auto,
    /// A built-in moving picture.
    Synthetic,
    /// A running X display, mirrored.
    X11,
    /// An output of a running Wayland compositor, mirrored.
    Wayland,
    /// An X display of the session's own.
    Virtual,
}

impl SourceKind {
    /// Every kind, in the order in which a help text lists them.
    pub const ALL: [Self; 5] = [Self::Auto, Self::Synthetic, Self::X11, Self::Wayland, Self::Virtual];

    /// The name that [`FromStr`] takes.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Synthetic => "synthetic",
            Self::X11 => "x11",
            Self::Wayland => "wayland",
            Self::Virtual => "virtual",
        }
    }
}

impl fmt::Display for SourceKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for SourceKind {
    type Err = UnknownSourceKind;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let known = Self::ALL.into_iter().find(|kind| kind.name() == name);
        known.ok_or_else(|| UnknownSourceKind { name: name.to_owned() })
    }
}

/// No source has this name.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("there is no video source {name:?}; there are auto, synthetic, x11, wayland and virtual")]
pub struct UnknownSourceKind {
    name: String,
}

/// A source, and why it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// The source; never [`SourceKind::Auto`].
    pub kind: SourceKind,
    /// Why this one, and why none that ranks before it: one line.
    pub why: String,
}

/// Settles what `config.kind` stands for on this machine, now.
///
/// `auto` is `wayland` when the compositor answers and can be mirrored, else `x11` when the display does, else `virtual`
/// when its X server is installed, else `synthetic`. The X display of a Wayland compositor is none that can be mirrored.
pub fn choose(config: &SourceConfig, stop: &Stop) -> Choice {
    if config.kind != SourceKind::Auto {
        return Choice { kind: config.kind, why: format!("{} was asked for", config.kind) };
    }
    let no_wayland = match wayland::probe(&config.wayland, stop) {
        Ok(display) => {
            let why = format!("the Wayland compositor {display} answers");
            return Choice { kind: SourceKind::Wayland, why };
        }
        Err(error) => error,
    };
    let no_x11 = match x11::probe(config.display.as_deref(), stop) {
        Ok(display) => {
            let why = format!("{no_wayland}; the X display {display} answers");
            return Choice { kind: SourceKind::X11, why };
        }
        Err(error) => error,
    };
    let server = &config.virtual_display.server;
    if virtual_display::is_installed(server) {
        let why = format!("{no_wayland}; {no_x11}; {} is installed", server.display());
        Choice { kind: SourceKind::Virtual, why }
    } else {
        let why = format!("{no_wayland}; {no_x11}; {} is not installed", server.display());
        Choice { kind: SourceKind::Synthetic, why }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_found_by_its_own_name_only() {
        for kind in SourceKind::ALL {
            assert_eq!(kind.to_string().parse(), Ok(kind));
        }
        for name in ["", "X11", "xvfb", "virtual "] {
            assert_eq!(name.parse::<SourceKind>(), Err(UnknownSourceKind { name: name.to_owned() }));
        }
    }
}
