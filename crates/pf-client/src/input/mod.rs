//! What the person does, on its way to the host.
//!
//! [`Controls`] is what a window, a script or a gamepad speaks to: it says at once what must not wait, and repeats for a
//! while what may be lost. [`Outbox`] decides what and when, and knows no clock.

mod outbox;

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Instant,
};

use pf_proto::input::{Button, Key, Pad, Position};
use tokio::{sync::Notify, time::sleep_until};

use crate::Remote;
pub use outbox::{Outbox, Outgoing, PadAxes};

/// The keyboard, pointer and gamepads of a session, for whoever moves them, from any thread. Clones move the same ones.
///
/// When the last is dropped, the host is told to let go of everything.
#[derive(Clone, Debug)]
pub struct Controls(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    remote: Remote,
    outbox: Mutex<Outbox>,
    /// Rings when something is due earlier than was known.
    bell: Arc<Notify>,
}

impl Controls {
    /// Those of the session that `remote` speaks for. Runs a task for what is due later, on the calling tokio runtime.
    pub fn start(remote: Remote) -> Self {
        let bell = Arc::new(Notify::new());
        let shared = Arc::new(Shared { remote, outbox: Mutex::default(), bell: Arc::clone(&bell) });
        tokio::spawn(say_what_is_due(Arc::downgrade(&shared), bell));
        Self(shared)
    }

    /// A key goes down or up. Going down again, as a keyboard repeats it, is nothing new.
    pub fn key(&self, key: Key, pressed: bool) {
        self.act(|outbox| outbox.key(key, pressed));
    }

    /// Types text for which there are no keys. What is no text in it is left out.
    pub fn text(&self, text: &str) {
        self.act(|outbox| outbox.text(text));
    }

    /// Moves the pointer by so many pixels to the right and down.
    pub fn move_by(&self, dx: i32, dy: i32) {
        self.act(|outbox| outbox.move_by(dx, dy));
    }

    /// Moves the pointer to a place in the picture.
    pub fn move_to(&self, position: Position) {
        self.act(|outbox| outbox.move_to(position));
    }

    /// A button of the pointer goes down or up.
    pub fn button(&self, button: Button, pressed: bool) {
        self.act(|outbox| outbox.button(button, pressed));
    }

    /// Turns the wheels to the right and down, in 120ths of a notch.
    pub fn scroll(&self, x: i32, y: i32) {
        self.act(|outbox| outbox.scroll(x, y));
    }

    /// A gamepad comes or goes.
    pub fn plug(&self, pad: Pad, plugged: bool) {
        self.act(|outbox| outbox.plug(pad, plugged));
    }

    /// The buttons of a gamepad are like this: bit n is button n of the standard layout.
    pub fn pad_buttons(&self, pad: Pad, pressed: u32) {
        self.act(|outbox| outbox.pad_buttons(pad, pressed));
    }

    /// The sticks and triggers of a gamepad are like this.
    pub fn pad_axes(&self, pad: Pad, axes: PadAxes) {
        self.act(|outbox| outbox.pad_axes(pad, axes));
    }

    /// Lets go of everything, as when a window loses the focus.
    pub fn release_all(&self) {
        self.act(Outbox::release_all);
    }

    fn act(&self, act: impl FnOnce(&mut Outbox)) {
        let mut outbox = self.0.lock();
        let before = outbox.next_deadline();
        act(&mut outbox);
        self.0.say(&mut outbox, Instant::now());
        if outbox.next_deadline() != before {
            self.0.bell.notify_one();
        }
    }
}

impl Shared {
    /// Says what is due.
    fn say(&self, outbox: &mut Outbox, now: Instant) {
        while let Some(outgoing) = outbox.poll(now) {
            match outgoing {
                Outgoing::Event(event) => self.remote.event(event),
                Outgoing::State(state) => self.remote.state(state),
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Outbox> {
        self.outbox.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        let mut outbox = std::mem::take(&mut *self.lock());
        outbox.release_all();
        self.say(&mut outbox, Instant::now());
        self.bell.notify_one();
    }
}

/// Says what becomes due, until nobody holds the controls any more.
async fn say_what_is_due(shared: Weak<Shared>, bell: Arc<Notify>) {
    loop {
        let deadline = {
            let Some(shared) = shared.upgrade() else { return };
            let mut outbox = shared.lock();
            shared.say(&mut outbox, Instant::now());
            outbox.next_deadline()
        };
        match deadline {
            Some(deadline) => tokio::select! {
                () = sleep_until(deadline.into()) => {}
                () = bell.notified() => {}
            },
            None => bell.notified().await,
        }
    }
}
