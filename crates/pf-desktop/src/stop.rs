//! Ending a source that another thread waits on.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::time::Instant;

use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};

use crate::SourceError;

/// A handle that ends a source from any thread, once and for good.
///
/// Every wait of a source, also the one for an X server that has stopped answering, watches the handle that
/// it was opened with. Clones are the same handle.
#[derive(Clone, Debug)]
pub struct Stop {
    // An eventfd that is only ever written to: once readable, it stays so.
    event: Arc<OwnedFd>,
}

impl Stop {
    /// A handle that has not been used yet.
    pub fn new() -> Result<Self, SourceError> {
        let event = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)
            .map_err(|error| SourceError::system("cannot make a stop handle")(error.into()))?;
        Ok(Self { event: Arc::new(event) })
    }

    /// Ends every source that was opened with this handle.
    ///
    /// A `next_picture` that waits returns [`SourceError::Stopped`] at once, and so does every later one.
    pub fn stop(&self) {
        // The write fails only when the counter is full, and then the handle has been used already.
        _ = rustix::io::write(&self.event, &1u64.to_ne_bytes());
    }

    /// Whether [`Self::stop`] was called.
    pub fn is_stopped(&self) -> bool {
        let mut entry = [PollFd::new(&self.event, PollFlags::IN)];
        poll(&mut entry, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })).is_ok_and(|ready| ready > 0)
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
            let timeout = deadline.map(|deadline| timespec_until(deadline, Instant::now()));
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
    pub(crate) fn sleep_until(&self, instant: Instant) -> Result<(), SourceError> {
        match self.wait(None, Some(instant)).map_err(SourceError::system("cannot wait"))? {
            Wake::Stopped => Err(SourceError::Stopped),
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
pub(crate) fn timespec_until(instant: Instant, now: Instant) -> Timespec {
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

    /// A day is far beyond the time that any test may take.
    fn far() -> Instant {
        Instant::now() + Duration::from_hours(24)
    }

    #[test]
    fn a_sleeper_is_woken_from_another_thread() {
        let stop = Stop::new().unwrap();
        let sleeper = std::thread::spawn({
            let stop = stop.clone();
            move || stop.sleep_until(far())
        });
        stop.stop();
        assert_eq!(sleeper.join().unwrap(), Err(SourceError::Stopped));
    }

    #[test]
    fn a_used_handle_stays_used() {
        let stop = Stop::new().unwrap();
        assert!(!stop.is_stopped());
        stop.stop();
        stop.stop();
        for _ in 0..2 {
            assert!(stop.is_stopped());
            assert_eq!(stop.wait(None, Some(far())).unwrap(), Wake::Stopped);
        }
    }

    #[test]
    fn a_deadline_that_has_passed_is_no_wait() {
        let stop = Stop::new().unwrap();
        assert_eq!(stop.wait(None, Some(Instant::now())).unwrap(), Wake::Deadline);
        assert_eq!(stop.sleep_until(Instant::now()), Ok(()));
    }
}
