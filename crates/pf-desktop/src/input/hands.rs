//! What one session holds and where it has the pointer: from what was sent to what is to be done.

use std::collections::BTreeSet;

use pf_proto::input::{Button, GamepadAxes, InputEvent, InputState, Key, MAX_GAMEPADS, Pad, PointerState};

use super::{Gamepads, Injector, NOTCH};
use crate::SourceError;

/// The hands of one session on a desktop.
///
/// [`handle_event`](Self::handle_event) and [`handle_state`](Self::handle_state) take what the client says, in any order
/// and as often as it likes; [`flush`](Self::flush) has it take place. Whatever is held when this is dropped is let go of.
///
/// After an error of the desktop nothing more can be done, and it is to be dropped. What goes wrong with a gamepad costs
/// that gamepad alone.
pub struct Hands {
    desktop: Option<Box<dyn Injector>>,
    gamepads: Option<Box<dyn Gamepads>>,
    keys: BTreeSet<Key>,
    buttons: BTreeSet<Button>,
    pointer: PointerState,
    pads: [Option<PadHeld>; MAX_GAMEPADS as usize],
}

/// What is known of a gamepad that is plugged.
#[derive(Clone, Copy, Debug, Default)]
struct PadHeld {
    /// The number of the newest axes.
    axes: u32,
}

impl Hands {
    /// Hands on these devices, which hold nothing yet.
    pub fn new(desktop: Option<Box<dyn Injector>>, gamepads: Option<Box<dyn Gamepads>>) -> Self {
        Self {
            desktop,
            gamepads,
            keys: BTreeSet::new(),
            buttons: BTreeSet::new(),
            pointer: PointerState::default(),
            pads: [None; MAX_GAMEPADS as usize],
        }
    }

    /// Takes in what came in order.
    pub fn handle_event(&mut self, event: &InputEvent) -> Result<(), SourceError> {
        match event {
            InputEvent::Key { key, pressed } => self.key(*key, *pressed),
            InputEvent::Text(text) => match &mut self.desktop {
                Some(desktop) => desktop.text(text),
                None => Ok(()),
            },
            InputEvent::Button { button, pressed, pointer } => self.button(*button, *pressed, *pointer),
            InputEvent::ReleaseAll => self.release_all(),
            InputEvent::GamepadPlug { pad, plugged: true } => {
                self.plug(*pad);
                Ok(())
            }
            InputEvent::GamepadPlug { pad, plugged: false } => {
                self.unplug(*pad);
                Ok(())
            }
            InputEvent::GamepadButtons { pad, pressed } => {
                self.on_pad(*pad, |gamepads| gamepads.buttons(*pad, *pressed));
                Ok(())
            }
        }
    }

    /// Takes in what the next one makes stale; an old one does nothing.
    pub fn handle_state(&mut self, state: &InputState) -> Result<(), SourceError> {
        match state {
            InputState::Pointer(pointer) => self.point(*pointer),
            InputState::GamepadAxes(axes) => {
                self.move_axes(*axes);
                Ok(())
            }
        }
    }

    /// Lets go of everything; gamepads stay plugged, at rest.
    pub fn release_all(&mut self) -> Result<(), SourceError> {
        for pad in Pad::ALL {
            self.on_pad(pad, |gamepads| {
                gamepads.buttons(pad, 0)?;
                gamepads.axes(GamepadAxes { pad, number: 0, left: [0; 2], right: [0; 2], triggers: [0; 2] })
            });
        }
        let (keys, buttons) = (std::mem::take(&mut self.keys), std::mem::take(&mut self.buttons));
        let Some(desktop) = &mut self.desktop else { return Ok(()) };
        for button in buttons {
            desktop.button(button, false)?;
        }
        for key in keys {
            desktop.key(key, false)?;
        }
        Ok(())
    }

    /// Has everything so far take place.
    pub fn flush(&mut self) -> Result<(), SourceError> {
        self.desktop.as_mut().map_or(Ok(()), |desktop| desktop.flush())
    }

    fn key(&mut self, key: Key, pressed: bool) -> Result<(), SourceError> {
        let Some(desktop) = &mut self.desktop else { return Ok(()) };
        // Pressed twice it would be let go of once; let go of without a press it may be another session's.
        let is_news = if pressed {
            self.keys.len() < MOST_KEYS && self.keys.insert(key)
        } else {
            self.keys.remove(&key)
        };
        if is_news { desktop.key(key, pressed) } else { Ok(()) }
    }

    fn button(&mut self, button: Button, pressed: bool, at: PointerState) -> Result<(), SourceError> {
        self.point(at)?;
        let Some(desktop) = &mut self.desktop else { return Ok(()) };
        let is_news = if pressed { self.buttons.insert(button) } else { self.buttons.remove(&button) };
        if !is_news {
            return Ok(());
        }
        let Some(then) = at.position else { return desktop.button(button, pressed) };
        // Whoever sits at the host may have moved the pointer, or motion of later arrived before: the click is meant for
        // where it was made.
        desktop.move_to(then)?;
        desktop.button(button, pressed)?;
        match self.pointer.position {
            Some(now) if now != then => desktop.move_to(now),
            _ => Ok(()),
        }
    }

    fn point(&mut self, new: PointerState) -> Result<(), SourceError> {
        if !new.is_newer_than(&self.pointer) {
            return Ok(());
        }
        let old = std::mem::replace(&mut self.pointer, new);
        let Some(desktop) = &mut self.desktop else { return Ok(()) };
        let since = |new: i32, old: i32, most: i32| new.wrapping_sub(old).clamp(-most, most);
        if let Some(position) = new.position {
            // A wheel that turns, or a repetition, leaves the pointer to whoever sits at the host.
            if old.position != new.position {
                desktop.move_to(position)?;
            }
        } else {
            let (dx, dy) = (since(new.dx, old.dx, MOST_PIXELS), since(new.dy, old.dy, MOST_PIXELS));
            if (dx, dy) != (0, 0) {
                desktop.move_by(dx, dy)?;
            }
        }
        let x = since(new.scroll_x, old.scroll_x, MOST_SCROLL);
        let y = since(new.scroll_y, old.scroll_y, MOST_SCROLL);
        if (x, y) == (0, 0) { Ok(()) } else { desktop.scroll(x, y) }
    }

    fn plug(&mut self, pad: Pad) {
        let Some(gamepads) = &mut self.gamepads else { return };
        match gamepads.plug(pad) {
            Ok(()) => {
                self.pads[usize::from(pad.number())].get_or_insert_default();
            }
            Err(error) => tracing::warn!(%error, "a gamepad is missing: {}", error.way_on()),
        }
    }

    fn unplug(&mut self, pad: Pad) {
        if let (Some(gamepads), Some(_)) = (&mut self.gamepads, self.pads[usize::from(pad.number())].take()) {
            gamepads.unplug(pad);
        }
    }

    fn move_axes(&mut self, axes: GamepadAxes) {
        let Some(held) = &mut self.pads[usize::from(axes.pad.number())] else { return };
        if axes.is_newer_than(&GamepadAxes { number: held.axes, ..axes }) {
            held.axes = axes.number;
            self.on_pad(axes.pad, |gamepads| gamepads.axes(axes));
        }
    }

    /// Does something with a pad that is plugged. One that fails is taken away.
    fn on_pad(&mut self, pad: Pad, act: impl FnOnce(&mut dyn Gamepads) -> Result<(), SourceError>) {
        let Some(gamepads) = &mut self.gamepads else { return };
        if self.pads[usize::from(pad.number())].is_none() {
            return;
        }
        if let Err(error) = act(gamepads.as_mut()) {
            tracing::warn!(%error, "a gamepad is gone: {}", error.way_on());
            self.unplug(pad);
        }
    }
}

impl Drop for Hands {
    fn drop(&mut self) {
        // A desktop that is gone holds nothing either.
        let _ = self.release_all().and_then(|()| self.flush());
        for pad in Pad::ALL {
            self.unplug(pad);
        }
    }
}

/// The most keys that are down at once: more than two people have fingers. A further one does nothing.
const MOST_KEYS: usize = 32;

/// How far one state moves the pointer at most, in pixels: across any desktop.
const MOST_PIXELS: i32 = 1 << 14;

/// How far one state turns a wheel at most: 50 notches, which is more than was lost where motion still arrives.
const MOST_SCROLL: i32 = 50 * NOTCH;
