//! Ending what another thread waits on.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::time::Instant;

use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};

use crate::SoundError;

/// A handle that ends capture or playback from any thread, once and for good.
///
/// Every wait watches the handle that it was given. Clones are the same handle.
#[derive(Clone, Debug)]
pub struct Stop {
    // An eventfd that is only ever written to: once readable, it stays so.
    event: Arc<OwnedFd>,
}

impl Stop {
    /// A handle that has not been used yet.
    pub fn new() -> Result<Self, SoundError> {
        let event = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)
            .map_err(|error| SoundError::system("cannot make a stop handle", &error.into()))?;
        Ok(Self { event: Arc::new(event) })
    }

    /// Ends everything that was given this handle: it returns [`SoundError::Stopped`] at once.
    pub fn stop(&self) {
        // The write fails only when the counter is full, and then the handle has been used already.
        _ = rustix::io::write(&self.event, &1_u64.to_ne_bytes());
    }

    /// Sleeps until the handle is used, `other` is ready, or `deadline` has passed; in this order of rank.
    pub(crate) fn wait(&self, other: Option<Interest<'_>>, deadline: Option<Instant>) -> io::Result<Wake> {
        let own = PollFd::new(&self.event, PollFlags::IN);
        // Without another descriptor the handle's own stands in twice: poll needs no special case.
        let second = match other {
            Some(Interest { fd, flags }) => PollFd::from_borrowed_fd(fd, flags),
            None => PollFd::from_borrowed_fd(self.event.as_fd(), PollFlags::IN),
        };
        let mut entries = [own, second];
        loop {
            let timeout = deadline.map(|deadline| until(deadline, Instant::now()));
            match poll(&mut entries, timeout.as_ref()) {
                Ok(0) => return Ok(Wake::Deadline),
                Ok(_) if !entries[0].revents().is_empty() => return Ok(Wake::Stopped),
                Ok(_) => return Ok(Wake::Ready),
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Sleeps until `instant`, or less when the handle is used.
    pub(crate) fn sleep_until(&self, instant: Instant) -> Result<(), SoundError> {
        match self.wait(None, Some(instant)).map_err(|error| SoundError::system("cannot wait", &error))? {
            Wake::Stopped => Err(SoundError::Stopped),
            Wake::Ready | Wake::Deadline => Ok(()),
        }
    }
}

/// A descriptor to watch beside the handle, and for what.
#[derive(Clone, Copy)]
pub(crate) struct Interest<'a> {
    pub(crate) fd: BorrowedFd<'a>,
    pub(crate) flags: PollFlags,
}

/// What ended a wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wake {
    Stopped,
    Ready,
    Deadline,
}

/// The time from `now` until `instant`, zero when that has passed.
fn until(instant: Instant, now: Instant) -> Timespec {
    let left = instant.saturating_duration_since(now);
    Timespec {
        tv_sec: i64::try_from(left.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: i64::from(left.subsec_nanos()),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_sleeper_is_woken_from_another_thread_and_the_handle_stays_used() {
        let stop = Stop::new().unwrap();
        // A day is far beyond the time that any test may take.
        let far = Instant::now() + Duration::from_hours(24);
        let sleeper = std::thread::spawn({
            let stop = stop.clone();
            move || stop.sleep_until(far)
        });
        stop.stop();
        assert_eq!(sleeper.join().unwrap(), Err(SoundError::Stopped));
        assert_eq!(stop.wait(None, Some(far)).unwrap(), Wake::Stopped);
    }

    #[test]
    fn a_deadline_that_has_passed_is_no_wait() {
        let stop = Stop::new().unwrap();
        assert_eq!(stop.sleep_until(Instant::now()), Ok(()));
    }
}
