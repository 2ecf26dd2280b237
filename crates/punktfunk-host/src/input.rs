//! What a session's client does to the host's desktop.
//!
//! Paired devices alone reach one: for a guest there is no thread, no queue and no injector, and what it says is thrown
//! away here ([`SessionInput::of`]).
//!
//! An injector has a thread of its own, because a display may hang. Before it stands an [`Inbox`]: of what must arrive it
//! keeps the order, of what the next one makes stale the newest. When it is full, or the client says more than any person
//! does, everything in it is dropped and everything held is let go of: less than was meant happens then, and never more.
//!
//! Whatever ends a session drops its `SessionInput`, which lets go of what is held.

mod inbox;

use std::{io, sync::Arc, thread, time::Duration};

use pf_desktop::{
    Stop,
    input::{Gamepads, Hands, Injector, Seat, Uinput},
};
use pf_proto::session::Offer;
use pf_trust::admission::Role;
use tokio::{sync::oneshot, time::timeout};

pub(crate) use inbox::Inbox;

/// A session's way to the desktop, for as long as it lasts.
#[derive(Debug)]
pub(crate) struct SessionInput {
    /// `None` for a guest.
    inbox: Option<Arc<Inbox>>,
}

/// What a session is offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Offers {
    pub(crate) keys_and_pointer: Offer,
    pub(crate) gamepads: Offer,
}

impl SessionInput {
    /// That of a session which was admitted so, with nothing behind it yet.
    pub(crate) fn of(role: Role) -> Self {
        let inbox = match role {
            Role::Paired => Some(Arc::default()),
            Role::Guest => None,
        };
        Self { inbox }
    }

    /// Puts the desktop of `seat`, and the machine's gamepads, behind the inbox: what the session is offered.
    pub(crate) async fn take(&self, seat: Option<Seat>) -> Offers {
        let Some(inbox) = &self.inbox else { return Offers::both(Offer::PairedOnly) };
        let Some(seat) = seat else { return Offers::both(Offer::NotHere) };
        let (report, offers) = oneshot::channel();
        let Some(emptying) = inbox.begin() else { return Offers::both(Offer::NotAsked) };
        let run = move || {
            let (hands, offers) = hands(&seat);
            // A session that was cut meanwhile does not ask any more.
            let _ = report.send(offers);
            work(&emptying, hands);
        };
        if let Err(error) = thread::Builder::new().name("input".to_owned()).spawn(run) {
            tracing::warn!(%error, "a session has no keys and pointer: no thread could be started");
            return Offers::both(Offer::Unavailable);
        }
        offers.await.unwrap_or(Offers::both(Offer::Unavailable))
    }

    /// Where what the client says goes; `None` for a guest.
    pub(crate) fn inbox(&self) -> Option<Arc<Inbox>> {
        self.inbox.clone()
    }

    /// Lets go of everything that is held, and waits for it; not for long, since a display may hang.
    pub(crate) async fn end(self) {
        let Some(inbox) = &self.inbox else { return };
        inbox.close();
        if timeout(PATIENCE, inbox.emptied()).await.is_err() {
            tracing::warn!("a display does not answer; keys may stay pressed there");
        }
    }
}

impl Drop for SessionInput {
    fn drop(&mut self) {
        if let Some(inbox) = &self.inbox {
            inbox.close();
        }
    }
}

impl Offers {
    const fn both(offer: Offer) -> Self {
        Self { keys_and_pointer: offer, gamepads: offer }
    }
}

/// Hands on whatever there is, and what that is.
fn hands(seat: &Seat) -> (Hands, Offers) {
    // Nothing uses it: the waits of an injector end by themselves, and what it holds is let go of before.
    let desktop = Stop::new()
        .map_err(|error: io::Error| error.to_string())
        .and_then(|stop| seat.take(&stop).map_err(|error| format!("{error}; {}", error.way_on())));
    let desktop: Option<Box<dyn Injector>> = match desktop {
        Ok(desktop) => Some(desktop),
        Err(why) => {
            tracing::warn!("a session has no keys and pointer: {why}");
            None
        }
    };
    let gamepads: Option<Box<dyn Gamepads>> = match Uinput::open() {
        Ok(gamepads) => Some(Box::new(gamepads)),
        Err(why) => {
            tracing::warn!("a session has no gamepads: {why}");
            None
        }
    };
    let offer = |is_there: bool| if is_there { Offer::Given } else { Offer::Unavailable };
    let offers = Offers { keys_and_pointer: offer(desktop.is_some()), gamepads: offer(gamepads.is_some()) };
    (Hands::new(desktop, gamepads), offers)
}

/// Does what comes in, until the session is over or the desktop gone; then lets go of everything.
fn work(inbox: &inbox::Emptying, mut hands: Hands) {
    while let Some(batch) = inbox.next() {
        if let Err(error) = batch.carry_out(&mut hands, || inbox.is_cut()) {
            tracing::warn!(%error, "a session's keys and pointer are gone: {}", error.way_on());
            break;
        }
    }
}

/// How long a session that ends waits for its display to let go of everything.
const PATIENCE: Duration = Duration::from_millis(500);

/// How long a client may be silent while it holds something: then everything is let go of.
///
/// A client that streams is heard of every 200 ms at least, and one that plays compares clocks every 500 ms. Without this a
/// key that is down when a cable is pulled repeats until the connection counts as lost.
pub(crate) const SILENCE: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use pf_desktop::SourceError;
    use pf_proto::input::{Button, InputEvent, Key, Position};

    use super::*;

    /// A desktop that writes down which keys went down and up.
    #[derive(Clone, Default)]
    struct Diary(Arc<Mutex<Vec<(u32, bool)>>>);

    impl Diary {
        fn seat(&self) -> Seat {
            let diary = self.clone();
            Seat::new(move |_| Ok(Box::new(diary.clone())))
        }

        fn read(&self) -> Vec<(u32, bool)> {
            self.0.lock().unwrap().clone()
        }
    }

    impl Injector for Diary {
        fn key(&mut self, key: Key, pressed: bool) -> Result<(), SourceError> {
            self.0.lock().unwrap().push((key.usage(), pressed));
            Ok(())
        }

        fn text(&mut self, text: &str) -> Result<(), SourceError> {
            self.0.lock().unwrap().extend(text.chars().map(|character| (character.into(), true)));
            Ok(())
        }

        fn move_by(&mut self, _: i32, _: i32) -> Result<(), SourceError> {
            Ok(())
        }

        fn move_to(&mut self, _: Position) -> Result<(), SourceError> {
            Ok(())
        }

        fn button(&mut self, _: Button, _: bool) -> Result<(), SourceError> {
            Ok(())
        }

        fn scroll(&mut self, _: i32, _: i32) -> Result<(), SourceError> {
            Ok(())
        }

        fn flush(&mut self) -> Result<(), SourceError> {
            Ok(())
        }
    }

    const A: u32 = 0x07_0004;

    fn press() -> InputEvent {
        InputEvent::Key { key: Key::from_usage(A).unwrap(), pressed: true }
    }

    /// A device that is removed while it pastes a book must not go on typing.
    #[test]
    fn text_that_is_cut_short_ends_within_a_few_characters() {
        let (diary, inbox) = (Diary::default(), Arc::new(Inbox::default()));
        let mut hands = Hands::new(Some(Box::new(diary.clone())), None);
        let emptying = inbox.begin().unwrap();
        inbox.event(InputEvent::Text("long".repeat(50)));
        let asked = std::cell::Cell::new(0);
        let is_cut = || asked.replace(asked.get() + 1) == 2;
        emptying.next().unwrap().carry_out(&mut hands, is_cut).unwrap();
        assert_eq!(diary.read().len(), 8);
    }

    /// A guest, whom an open host lets in without a question, types into the owner's shell.
    #[tokio::test]
    async fn r2_a_guests_input_has_no_injector() {
        let seat = Seat::new(|_| panic!("a guest took the seat"));
        let input = SessionInput::of(Role::Guest);
        assert!(input.inbox().is_none());
        let offers = input.take(Some(seat)).await;
        assert_eq!(offers, Offers::both(Offer::PairedOnly));
        input.end().await;
    }

    #[tokio::test]
    async fn what_is_held_is_let_go_of_at_the_end() {
        let diary = Diary::default();
        let input = SessionInput::of(Role::Paired);
        let offers = input.take(Some(diary.seat())).await;
        assert_eq!(offers.keys_and_pointer, Offer::Given);
        input.inbox().unwrap().event(press());
        input.end().await;
        assert_eq!(diary.read(), [(A, true), (A, false)]);
    }

    /// A session that is cut is dropped wherever it stands.
    #[tokio::test]
    async fn a_session_that_is_dropped_holds_nothing() {
        let diary = Diary::default();
        let input = SessionInput::of(Role::Paired);
        input.take(Some(diary.seat())).await;
        let inbox = input.inbox().unwrap();
        inbox.event(press());
        drop(input);
        inbox.emptied().await;
        assert_eq!(diary.read(), [(A, true), (A, false)]);
    }

    #[tokio::test]
    async fn what_shows_no_desktop_has_no_keys() {
        let input = SessionInput::of(Role::Paired);
        assert_eq!(input.take(None).await, Offers::both(Offer::NotHere));
        input.inbox().unwrap().event(press());
        input.end().await;
    }

    /// An X server without XTest, say: the session still has its picture.
    #[tokio::test]
    async fn a_seat_that_cannot_be_taken_is_said_to_be_unavailable() {
        let input = SessionInput::of(Role::Paired);
        let seat = Seat::new(|_| Err(SourceError::MissingExtension { extension: "XTEST" }));
        assert_eq!(input.take(Some(seat)).await.keys_and_pointer, Offer::Unavailable);
    }
}
