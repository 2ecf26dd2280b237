//! The place between two threads where the newest picture wins.

use std::{
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

/// Holds at most one item: a newer one takes the place of one that nobody took in time. What is displaced or given
/// back is kept for reuse, so that pictures are not allocated anew.
pub(super) struct Newest<T> {
    inner: Mutex<Inner<T>>,
    changed: Condvar,
}

struct Inner<T> {
    newest: Option<T>,
    spare: Option<T>,
    closed: bool,
}

/// What came of waiting for an item.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Taken<T> {
    Item(T),
    TimedOut,
    Closed,
}

impl<T> Newest<T> {
    pub(super) fn new() -> Self {
        let inner = Inner { newest: None, spare: None, closed: false };
        Self { inner: Mutex::new(inner), changed: Condvar::new() }
    }

    /// Puts a newer item in place of whatever is there.
    pub(super) fn put(&self, item: T) {
        let mut inner = self.lock();
        if let Some(displaced) = inner.newest.replace(item) {
            inner.spare = Some(displaced);
        }
        drop(inner);
        self.changed.notify_one();
    }

    /// Takes the newest item, waiting for one until `deadline`.
    pub(super) fn take(&self, deadline: Instant) -> Taken<T> {
        let mut inner = self.lock();
        loop {
            if inner.closed {
                return Taken::Closed;
            }
            if let Some(item) = inner.newest.take() {
                return Taken::Item(item);
            }
            let Some(patience) = deadline.checked_duration_since(Instant::now()) else {
                return Taken::TimedOut;
            };
            inner = self.changed.wait_timeout(inner, patience).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Gives an item back for reuse.
    pub(super) fn give_back(&self, item: T) {
        self.lock().spare = Some(item);
    }

    /// An item to fill anew, where one was given back.
    pub(super) fn spare(&self) -> Option<T> {
        self.lock().spare.take()
    }

    /// Ends it: whoever waits is woken, and nothing is handed out any more.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, Inner<T>> {
        // Every change is one assignment: a thread that panicked left nothing half done.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(10)
    }

    #[test]
    fn the_newest_wins_and_the_displaced_is_reused() {
        let newest = Newest::new();
        newest.put(1);
        newest.put(2);
        assert_eq!(newest.take(soon()), Taken::Item(2));
        assert_eq!(newest.spare(), Some(1));
        assert_eq!(newest.spare(), None);
    }

    #[test]
    fn waiting_ends_with_the_deadline_or_the_close() {
        let newest = Newest::<u8>::new();
        assert_eq!(newest.take(Instant::now()), Taken::TimedOut);
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| newest.take(soon()));
            newest.close();
            assert_eq!(waiting.join().unwrap(), Taken::Closed);
        });
    }
}
