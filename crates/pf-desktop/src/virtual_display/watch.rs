//! What a supervisor waits for, all at once.

use std::io::{self, Read as _};
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::time::Instant;

use rustix::event::{PollFd, PollFlags, poll};
use signal_hook::consts::{SIGCHLD, SIGHUP, SIGINT, SIGTERM};
use signal_hook::low_level::pipe;

use crate::stop::timespec_until;

/// Everything that a supervisor waits for.
pub(super) struct Watch {
    host: UnixStream,
    /// The other supervisor; readable once that has ended.
    partner: Option<OwnedFd>,
    /// Readable after a signal to end.
    endings: UnixStream,
    /// Readable after a child has ended.
    children: UnixStream,
    end_is_known: bool,
}

/// What has happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum News {
    /// The host or the other supervisor has ended, or there was a signal to end.
    End,
    /// Children may have ended.
    Children,
    /// The other descriptor is ready.
    Other,
    Deadline,
}

impl Watch {
    /// Watches the host's socket, and takes over the handling of signals.
    pub(super) fn new(host: &UnixStream) -> io::Result<Self> {
        let (endings, ending) = UnixStream::pair()?;
        for signal in [SIGTERM, SIGINT, SIGHUP] {
            pipe::register(signal, ending.try_clone()?)?;
        }
        let (children, child) = UnixStream::pair()?;
        pipe::register(SIGCHLD, child)?;
        children.set_nonblocking(true)?;
        Ok(Self { host: host.try_clone()?, partner: None, endings, children, end_is_known: false })
    }

    /// Watches the other supervisor as well, by its pidfd.
    pub(super) fn watch_partner(&mut self, partner: OwnedFd) {
        self.partner = Some(partner);
    }

    /// Leaves the end out of what [`Self::wait`] reports from now on.
    pub(super) fn expect_end(&mut self) {
        self.end_is_known = true;
    }

    /// Sleeps until something happens, or `other` is ready, or `deadline` has passed.
    pub(super) fn wait(
        &mut self,
        other: Option<BorrowedFd<'_>>,
        deadline: Option<Instant>,
    ) -> io::Result<News> {
        // The host sends nothing after its request: its socket is readable only at its end.
        let ends =
            [Some(self.host.as_fd()), self.partner.as_ref().map(|p| p.as_fd()), Some(self.endings.as_fd())];
        let ends = ends.into_iter().flatten().filter(|_| !self.end_is_known);
        let sources = ends.map(|fd| (fd, News::End));
        let sources = sources.chain([(self.children.as_fd(), News::Children)]);
        let sources: Vec<_> = sources.chain(other.map(|fd| (fd, News::Other))).collect();
        let mut entries: Vec<_> =
            sources.iter().map(|(fd, _)| PollFd::from_borrowed_fd(*fd, PollFlags::IN)).collect();
        let timeout = deadline.map(|deadline| timespec_until(deadline, Instant::now()));
        match poll(&mut entries, timeout.as_ref()) {
            Ok(0) => return Ok(News::Deadline),
            Ok(_) => {}
            // A signal, which its own entry tells more about.
            Err(rustix::io::Errno::INTR) => return Ok(News::Children),
            Err(error) => return Err(error.into()),
        }
        let ready = entries.iter().zip(&sources).find(|(entry, _)| !entry.revents().is_empty());
        let news = ready.map_or(News::Children, |(_, (_, news))| *news);
        if news == News::Children {
            // Emptied before the children are looked at, so that none is missed.
            while self.children.read(&mut [0; 64]).is_ok_and(|length| length > 0) {}
        }
        Ok(news)
    }
}
