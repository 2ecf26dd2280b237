//! The handle that ends a source: the one of [`pf_wait`], with this crate's errors.

pub use pf_wait::Stop;
pub(crate) use pf_wait::{Interest, Wake, timespec_until};

use crate::SourceError;

impl From<pf_wait::Interrupted> for SourceError {
    fn from(interrupted: pf_wait::Interrupted) -> Self {
        match interrupted {
            pf_wait::Interrupted::Stopped => Self::Stopped,
            pf_wait::Interrupted::System(error) => Self::system("cannot wait")(error),
        }
    }
}
