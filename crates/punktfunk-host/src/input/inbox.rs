//! What a client said and the desktop has not done yet: bounded, whatever the one says and however slow the other is.

use std::{
    collections::VecDeque,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use pf_desktop::{SourceError, input::Hands};
use pf_proto::input::{GamepadAxes, InputEvent, InputState, MAX_GAMEPADS, PointerState};
use tokio::sync::Notify;

/// The queue of one session, between tokio and the thread that empties it.
#[derive(Debug, Default)]
pub(crate) struct Inbox {
    state: Mutex<State>,
    news: Condvar,
    emptied: Notify,
}

#[derive(Debug, Default)]
struct State {
    phase: Phase,
    batch: Batch,
    allowance: Allowance,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Phase {
    /// Nobody empties it: there is no desktop, or not yet.
    #[default]
    Idle,
    /// A thread empties it.
    Emptied,
    /// The thread is to do what is left, but not for long, and end.
    Closing { since: Instant },
    /// Nobody empties it any more.
    Closed,
}

/// What is to be done next.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    /// Whether everything that is held is to be let go of before.
    is_release: bool,
    events: VecDeque<InputEvent>,
    pointer: Option<PointerState>,
    axes: [Option<GamepadAxes>; MAX_GAMEPADS as usize],
}

/// The thread's end of an inbox. When it is dropped, nobody empties that any more.
#[derive(Debug)]
pub(crate) struct Emptying(Arc<Inbox>);

impl Inbox {
    /// Puts in what must arrive.
    pub(crate) fn event(&self, event: InputEvent) {
        self.put(Instant::now(), |batch| {
            if batch.events.len() < MOST_EVENTS {
                batch.events.push_back(event);
            } else {
                batch.give_up();
            }
        });
    }

    /// Puts in what the next one makes stale.
    pub(crate) fn state(&self, state: InputState) {
        self.put(Instant::now(), |batch| match state {
            InputState::Pointer(new) => {
                batch.pointer = Some(batch.pointer.filter(|old| !new.is_newer_than(old)).unwrap_or(new));
            }
            InputState::GamepadAxes(new) => {
                let place = &mut batch.axes[usize::from(new.pad.number())];
                *place = Some(place.filter(|old| !new.is_newer_than(old)).unwrap_or(new));
            }
        });
    }

    /// Lets go of everything that is held, and forgets what would be pressed next.
    pub(crate) fn release_all(&self) {
        let mut state = self.lock();
        if state.phase == Phase::Emptied {
            state.batch.give_up();
            self.news.notify_one();
        }
    }

    /// Makes the calling side the one that empties this; `None` where it is closed already.
    pub(super) fn begin(self: &Arc<Self>) -> Option<Emptying> {
        let mut state = self.lock();
        let is_idle = state.phase == Phase::Idle;
        is_idle.then(|| {
            state.phase = Phase::Emptied;
            Emptying(Arc::clone(self))
        })
    }

    /// Takes nothing more in.
    pub(super) fn close(&self) {
        let mut state = self.lock();
        state.phase = match state.phase {
            Phase::Idle | Phase::Closed => Phase::Closed,
            Phase::Emptied => Phase::Closing { since: Instant::now() },
            closing @ Phase::Closing { .. } => closing,
        };
        self.news.notify_one();
    }

    /// Waits until nobody empties this any more. Safe to cancel.
    pub(super) async fn emptied(&self) {
        loop {
            let emptied = self.emptied.notified();
            if matches!(self.lock().phase, Phase::Idle | Phase::Closed) {
                return;
            }
            emptied.await;
        }
    }

    fn put(&self, now: Instant, put: impl FnOnce(&mut Batch)) {
        let mut state = self.lock();
        if state.phase != Phase::Emptied {
            return;
        }
        if state.allowance.take(now) {
            put(&mut state.batch);
        } else {
            state.batch.give_up();
        }
        self.news.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // A panic elsewhere is no reason to leave a key pressed here.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Emptying {
    /// Waits for what is to be done next; `None` when the session is over. It may be nothing but to hear what the
    /// desktop has to say.
    pub(super) fn next(&self) -> Option<Batch> {
        let mut state = self.0.lock();
        loop {
            if state.is_over(Instant::now()) {
                return None;
            }
            if !state.batch.is_empty() {
                return Some(std::mem::take(&mut state.batch));
            }
            if state.phase != Phase::Emptied {
                return None;
            }
            let (woken, waited) =
                self.0.news.wait_timeout(state, LISTEN).unwrap_or_else(PoisonError::into_inner);
            state = woken;
            if waited.timed_out() && state.phase == Phase::Emptied {
                return Some(std::mem::take(&mut state.batch));
            }
        }
    }

    /// Whether what was taken is not to be done any more: everything is to be let go of, or the session is over.
    pub(super) fn is_cut(&self) -> bool {
        let state = self.0.lock();
        state.batch.is_release || state.is_over(Instant::now())
    }
}

impl State {
    /// Whether nothing more is to be done, not even what is left.
    fn is_over(&self, now: Instant) -> bool {
        match self.phase {
            Phase::Idle | Phase::Emptied => false,
            Phase::Closing { since } => now.saturating_duration_since(since) >= GRACE,
            Phase::Closed => true,
        }
    }
}

impl Drop for Emptying {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        *state = State { phase: Phase::Closed, ..State::default() };
        self.0.emptied.notify_waiters();
    }
}

impl Batch {
    /// Does all of it, or what is done before `is_cut` says to do no more. Long text is typed in pieces, for that takes
    /// its time.
    pub(super) fn carry_out(self, hands: &mut Hands, is_cut: impl Fn() -> bool) -> Result<(), SourceError> {
        if self.is_release {
            hands.release_all()?;
        }
        for event in self.events.into_iter().flat_map(pieces) {
            if is_cut() {
                return hands.flush();
            }
            hands.handle_event(&event)?;
        }
        if let Some(pointer) = self.pointer {
            hands.handle_state(&InputState::Pointer(pointer))?;
        }
        for axes in self.axes.into_iter().flatten() {
            hands.handle_state(&InputState::GamepadAxes(axes))?;
        }
        hands.flush()
    }

    /// Drops all of it, and lets go of what is held: what was dropped may have been the release of it.
    fn give_up(&mut self) {
        *self = Self { is_release: true, ..Self::default() };
    }

    fn is_empty(&self) -> bool {
        let Self { is_release, events, pointer, axes } = self;
        !is_release && events.is_empty() && pointer.is_none() && axes.iter().all(Option::is_none)
    }
}

/// An event that takes little time, or several that do.
fn pieces(event: InputEvent) -> Vec<InputEvent> {
    match event {
        InputEvent::Text(text) => {
            let characters: Vec<char> = text.chars().collect();
            characters.chunks(PIECE).map(|piece| InputEvent::Text(piece.iter().collect())).collect()
        }
        other => vec![other],
    }
}

/// How many characters are typed at once: a display may take 100 ms for each that it has no key for.
const PIECE: usize = 4;

/// How long what a client said before its session ended may still be done.
const GRACE: Duration = Duration::from_millis(300);

/// How often a desktop is heard that nothing is done to. What it says would pile up, and a compositor ends a connection
/// that nobody reads.
const LISTEN: Duration = Duration::from_secs(1);

/// How much a client may still say: so much at once, and so much a second.
#[derive(Debug, Default)]
struct Allowance {
    spent: f64,
    at: Option<Instant>,
}

impl Allowance {
    /// Whether there is any left.
    fn take(&mut self, now: Instant) -> bool {
        let since = self.at.replace(now).map_or(Duration::ZERO, |at| now.saturating_duration_since(at));
        self.spent = (self.spent - since.as_secs_f64() * MOST_A_SECOND).max(0.0);
        let is_left = self.spent < MOST_AT_ONCE;
        if is_left {
            self.spent += 1.0;
        }
        is_left
    }
}

/// How many events may wait: a person's of half a minute, and a quarter of a megabyte of text at most.
const MOST_EVENTS: usize = 1024;

/// How much a client may say at once and in each second. A mouse of 1000 reports a second, each repeated twice, and four
/// gamepads stay below it.
const MOST_AT_ONCE: f64 = 1000.0;
const MOST_A_SECOND: f64 = 8000.0;

#[cfg(test)]
mod tests {
    use pf_proto::input::Key;

    use super::*;

    fn inbox() -> (Arc<Inbox>, Emptying) {
        let inbox = Arc::new(Inbox::default());
        let emptying = inbox.begin().unwrap();
        (inbox, emptying)
    }

    fn key(pressed: bool) -> InputEvent {
        InputEvent::Key { key: Key::from_usage(0x07_0004).unwrap(), pressed }
    }

    fn pointer(number: u32) -> InputState {
        InputState::Pointer(PointerState { number, ..PointerState::default() })
    }

    #[test]
    fn events_keep_their_order_and_of_states_the_newest_stays() {
        let (inbox, emptying) = inbox();
        for number in [1, 3, 2] {
            inbox.state(pointer(number));
        }
        inbox.event(key(true));
        inbox.event(key(false));
        let batch = emptying.next().unwrap();
        assert_eq!(batch.events, [key(true), key(false)]);
        assert_eq!(batch.pointer.unwrap().number, 3);
        assert!(!batch.is_release);
    }

    /// A display that hangs must cost no memory, and the key whose release found no room must not stay down.
    #[test]
    fn a_full_inbox_is_dropped_and_everything_let_go_of() {
        let (inbox, emptying) = inbox();
        inbox.lock().batch.events.extend(vec![key(false); MOST_EVENTS]);
        inbox.event(key(false));
        let batch = emptying.next().unwrap();
        assert!(batch.is_release && batch.events.is_empty());
        inbox.event(key(true));
        assert_eq!(emptying.next().unwrap().events, [key(true)], "it goes on after that");
    }

    /// A client that says a hundred thousand things a second keeps the display busy with nothing.
    #[test]
    fn who_says_more_than_any_person_is_not_heard() {
        let mut allowance = Allowance::default();
        let now = Instant::now();
        assert_eq!((0..5000).filter(|_| allowance.take(now)).count(), 1000);
        let later = now + Duration::from_millis(100);
        assert_eq!((0..5000).filter(|_| allowance.take(later)).count(), 800);
    }

    #[test]
    fn an_inbox_that_nobody_empties_takes_nothing_in() {
        let inbox = Arc::new(Inbox::default());
        inbox.event(key(true));
        inbox.state(pointer(1));
        let emptying = inbox.begin().unwrap();
        assert!(inbox.lock().batch.is_empty());
        drop(emptying);
        inbox.event(key(true));
        assert!(inbox.lock().batch.is_empty());
        assert!(inbox.begin().is_none());
    }

    /// What was said before the end still happens, and what comes after it does not.
    #[test]
    fn a_closed_inbox_is_emptied_to_its_end() {
        let (inbox, emptying) = inbox();
        inbox.event(key(true));
        inbox.close();
        inbox.event(key(false));
        assert_eq!(emptying.next().unwrap().events, [key(true)]);
        assert!(emptying.next().is_none());
    }

    /// A device that was removed must not go on typing what it said before.
    #[test]
    fn what_is_left_when_a_session_ended_is_not_done_for_long() {
        let (inbox, emptying) = inbox();
        inbox.event(key(true));
        inbox.close();
        assert!(!emptying.is_cut());
        inbox.lock().phase = Phase::Closing { since: Instant::now().checked_sub(GRACE).unwrap() };
        assert!(emptying.is_cut() && emptying.next().is_none());
    }

    #[test]
    fn what_was_taken_is_cut_short_by_a_release() {
        let (inbox, emptying) = inbox();
        inbox.event(key(true));
        let _taken = emptying.next().unwrap();
        assert!(!emptying.is_cut());
        inbox.release_all();
        assert!(emptying.is_cut() && emptying.next().unwrap().is_release);
        assert!(!emptying.is_cut());
    }

    /// A compositor ends the connection of who does not read what it says.
    #[test]
    fn a_desktop_that_nothing_is_done_to_is_listened_to() {
        let (_inbox, emptying) = inbox();
        assert!(emptying.next().unwrap().is_empty());
    }
}
