//! A handle that ends whatever a thread waits for.
//!
//! A thread that blocks in a display or a sound server has to end when its session does. Each of its waits watches the
//! [`Stop`] handle that it was given, beside what it waits for.

#![forbid(unsafe_code)]

use std::{
    io,
    os::fd::{AsFd as _, BorrowedFd, OwnedFd},
    sync::Arc,
    time::Instant,
};

use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};
use thiserror::Error;

/// A handle that ends every wait that was given it, from any thread, once and for good. Clones are the same handle.
#[derive(Clone, Debug)]
pub struct Stop {
    // An eventfd that is only ever written to: once readable, it stays so.
    event: Arc<OwnedFd>,
}

impl Stop {
    /// A handle that has not been used yet. Fails where the process may open no more files.
    pub fn new() -> io::Result<Self> {
        let event = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK).map_err(|error| {
            io::Error::new(io::Error::from(error).kind(), format!("cannot make a stop handle: {error}"))
        })?;
        Ok(Self { event: Arc::new(event) })
    }

    /// Ends every wait that watches this handle, and every later one at once.
    pub fn stop(&self) {
        // The write fails only when the counter is full, and then the handle has been used already.
        _ = rustix::io::write(&self.event, &1_u64.to_ne_bytes());
    }

    /// Whether [`Self::stop`] was called.
    pub fn is_stopped(&self) -> bool {
        let mut entry = [PollFd::new(&self.event, PollFlags::IN)];
        poll(&mut entry, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })).is_ok_and(|ready| ready > 0)
    }

    /// Sleeps until the handle is used, `other` is ready, or `deadline` has passed; in this order of rank.
    pub fn wait(&self, other: Option<Interest<'_>>, deadline: Option<Instant>) -> io::Result<Wake> {
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
    pub fn sleep_until(&self, instant: Instant) -> Result<(), Interrupted> {
        match self.wait(None, Some(instant))? {
            Wake::Stopped => Err(Interrupted::Stopped),
            Wake::Ready | Wake::Deadline => Ok(()),
        }
    }
}

/// A descriptor to watch beside the handle, and for what.
#[derive(Clone, Copy, Debug)]
pub struct Interest<'a> {
    /// The descriptor.
    pub fd: BorrowedFd<'a>,
    /// What it is to be ready for.
    pub flags: PollFlags,
}

/// What ended a wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wake {
    /// The handle was used.
    Stopped,
    /// The other descriptor is ready.
    Ready,
    /// Neither in time.
    Deadline,
}

/// Why a sleep ended early.
#[derive(Debug, Error)]
pub enum Interrupted {
    /// The handle was used; not a failure.
    #[error("it was stopped")]
    Stopped,
    /// The system does not let this thread wait.
    #[error("cannot wait: {0}")]
    System(#[from] io::Error),
}

/// The time from `now` until `instant`, zero when that has passed.
pub fn timespec_until(instant: Instant, now: Instant) -> Timespec {
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
        assert!(matches!(sleeper.join().unwrap(), Err(Interrupted::Stopped)));
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
        assert!(stop.sleep_until(Instant::now()).is_ok());
    }

    /// Another descriptor that is ready, too, must not outrank the end.
    #[test]
    fn the_end_outranks_whatever_else_is_ready() {
        let (stop, other) = (Stop::new().unwrap(), Stop::new().unwrap());
        other.stop();
        let interest = || Some(Interest { fd: other.event.as_fd(), flags: PollFlags::IN });
        assert_eq!(stop.wait(interest(), Some(far())).unwrap(), Wake::Ready);
        stop.stop();
        assert_eq!(stop.wait(interest(), Some(far())).unwrap(), Wake::Stopped);
    }
}
