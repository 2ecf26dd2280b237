//! What wakes a thread that waits for any of several things.

use std::{
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

/// A bell that one thread listens to, and any other may ring.
///
/// It is rung *after* what it tells of was done; who hears it looks at everything anew. Rung while nobody waits, it is
/// heard by the next wait.
#[derive(Debug, Default)]
pub(super) struct Bell {
    is_rung: Mutex<bool>,
    changed: Condvar,
}

impl Bell {
    pub(super) fn ring(&self) {
        *self.lock() = true;
        self.changed.notify_one();
    }

    /// Waits until it is rung, at most until `deadline`.
    pub(super) fn wait(&self, deadline: Option<Instant>) {
        let mut is_rung = self.lock();
        while !*is_rung {
            is_rung = match deadline {
                None => self.changed.wait(is_rung).unwrap_or_else(PoisonError::into_inner),
                Some(deadline) => match deadline.checked_duration_since(Instant::now()) {
                    None => break,
                    Some(patience) => {
                        let waited = self.changed.wait_timeout(is_rung, patience);
                        waited.unwrap_or_else(PoisonError::into_inner).0
                    }
                },
            };
        }
        *is_rung = false;
    }

    fn lock(&self) -> MutexGuard<'_, bool> {
        // A bool is never half written.
        self.is_rung.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::Arc, thread, time::Duration};

    use super::*;

    /// A ring that is lost leaves a picture lying for as long as nothing else happens.
    #[test]
    fn a_ring_before_the_wait_is_heard_and_heard_once() {
        let bell = Bell::default();
        bell.ring();
        bell.wait(None);
        let until = Instant::now() + Duration::from_millis(1);
        bell.wait(Some(until));
        assert!(Instant::now() >= until, "it was not rung again");
    }

    #[test]
    fn a_ring_ends_the_wait() {
        let bell = Arc::new(Bell::default());
        let waiting = thread::spawn({
            let bell = Arc::clone(&bell);
            move || bell.wait(None)
        });
        bell.ring();
        waiting.join().unwrap();
    }
}
