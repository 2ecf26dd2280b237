//! What is to be said to the host of what the person did, and when.

use std::{
    collections::{BTreeSet, VecDeque},
    time::{Duration, Instant},
};

use pf_proto::input::{
    Button, GAMEPAD_BUTTONS, GamepadAxes, InputEvent, InputState, Key, MAX_GAMEPADS, MAX_TEXT, Pad,
    PointerState, Position,
};

/// What the person did and the host was not told yet.
///
/// After each act, and at [`next_deadline`](Self::next_deadline), call [`poll`](Self::poll) until it gives nothing more.
///
/// Events go out at once. Of motion, which may come a thousand times a second, a state goes out every 2 ms at most; and the
/// last is said again 8 ms and 25 ms later for as long as there is no newer one, since nothing follows that would
/// repair its loss.
#[derive(Debug, Default)]
pub struct Outbox {
    events: VecDeque<InputEvent>,
    keys: BTreeSet<Key>,
    buttons: BTreeSet<Button>,
    pointer: PointerState,
    pointing: Telling,
    pads: [Option<PadState>; MAX_GAMEPADS as usize],
}

/// Something for the host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outgoing {
    /// To arrive, and in order.
    Event(InputEvent),
    /// To be lost without harm.
    State(InputState),
}

/// Where the sticks and triggers of a gamepad are; see [`GamepadAxes`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PadAxes {
    /// The left stick, right and down.
    pub left: [i16; 2],
    /// The right stick.
    pub right: [i16; 2],
    /// The left and the right trigger.
    pub triggers: [i16; 2],
}

/// A gamepad that is there.
#[derive(Clone, Copy, Debug, Default)]
struct PadState {
    buttons: u32,
    axes: PadAxes,
    /// The number of the newest axes that were told.
    number: u32,
    telling: Telling,
}

/// When one kind of state is told.
#[derive(Clone, Copy, Debug, Default)]
struct Telling {
    is_new: bool,
    /// When the newest state was told first.
    told: Option<Instant>,
    /// How often it was told again.
    repeated: usize,
}

/// What is due of a state.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Due {
    New,
    Again,
}

impl Outbox {
    /// What is to be said now.
    pub fn poll(&mut self, now: Instant) -> Option<Outgoing> {
        if let Some(event) = self.events.pop_front() {
            return Some(Outgoing::Event(event));
        }
        if let Some(due) = self.pointing.poll(now) {
            if due == Due::New {
                self.pointer.number = self.pointer.number.wrapping_add(1);
            }
            return Some(Outgoing::State(InputState::Pointer(self.pointer)));
        }
        let mut pads = Pad::ALL.into_iter().zip(&mut self.pads);
        pads.find_map(|(pad, state)| state.as_mut().and_then(|state| state.poll(pad, now)))
    }

    /// When there is something to say next, if nothing happens before.
    pub fn next_deadline(&self) -> Option<Instant> {
        let pads = self.pads.iter().flatten().map(|pad| pad.telling.due());
        pads.chain([self.pointing.due()]).flatten().min()
    }

    /// A key goes down or up.
    pub fn key(&mut self, key: Key, pressed: bool) {
        if change(&mut self.keys, key, pressed) {
            self.events.push_back(InputEvent::Key { key, pressed });
        }
    }

    /// Types text. Control characters in it are left out: they have keys.
    pub fn text(&mut self, text: &str) {
        let mut piece = String::new();
        for character in text.chars().filter(|character| !character.is_control()) {
            if piece.len() + character.len_utf8() > MAX_TEXT {
                self.events.push_back(InputEvent::Text(std::mem::take(&mut piece)));
            }
            piece.push(character);
        }
        if !piece.is_empty() {
            self.events.push_back(InputEvent::Text(piece));
        }
    }

    /// Moves the pointer by so many pixels.
    pub fn move_by(&mut self, dx: i32, dy: i32) {
        let pointer = &mut self.pointer;
        (pointer.dx, pointer.dy) = (pointer.dx.wrapping_add(dx), pointer.dy.wrapping_add(dy));
        pointer.position = None;
        self.pointing.is_new = true;
    }

    /// Moves the pointer to a place in the picture.
    pub fn move_to(&mut self, position: Position) {
        if self.pointer.position != Some(position) {
            self.pointer.position = Some(position);
            self.pointing.is_new = true;
        }
    }

    /// Turns the wheels, in 120ths of a notch.
    pub fn scroll(&mut self, x: i32, y: i32) {
        let pointer = &mut self.pointer;
        pointer.scroll_x = pointer.scroll_x.wrapping_add(x);
        pointer.scroll_y = pointer.scroll_y.wrapping_add(y);
        self.pointing.is_new = true;
    }

    /// A button of the pointer goes down or up, where the pointer is now.
    pub fn button(&mut self, button: Button, pressed: bool) {
        if change(&mut self.buttons, button, pressed) {
            if self.pointing.is_new {
                // It arrives with the button, and needs no datagram.
                self.pointer.number = self.pointer.number.wrapping_add(1);
                self.pointing = Telling { repeated: AGAIN.len(), ..Telling::default() };
            }
            self.events.push_back(InputEvent::Button { button, pressed, pointer: self.pointer });
        }
    }

    /// A gamepad comes, at rest, or goes.
    pub fn plug(&mut self, pad: Pad, plugged: bool) {
        let state = &mut self.pads[usize::from(pad.number())];
        if plugged != state.is_some() {
            *state = plugged.then(PadState::default);
            self.events.push_back(InputEvent::GamepadPlug { pad, plugged });
        }
    }

    /// The buttons of a gamepad that is there.
    pub fn pad_buttons(&mut self, pad: Pad, pressed: u32) {
        let pressed = pressed & ((1 << GAMEPAD_BUTTONS) - 1);
        if let Some(state) = &mut self.pads[usize::from(pad.number())]
            && std::mem::replace(&mut state.buttons, pressed) != pressed
        {
            self.events.push_back(InputEvent::GamepadButtons { pad, pressed });
        }
    }

    /// The sticks and triggers of a gamepad that is there.
    pub fn pad_axes(&mut self, pad: Pad, axes: PadAxes) {
        if let Some(state) = &mut self.pads[usize::from(pad.number())]
            && std::mem::replace(&mut state.axes, axes) != axes
        {
            state.telling.is_new = true;
        }
    }

    /// Lets go of everything; gamepads stay, at rest.
    pub fn release_all(&mut self) {
        let is_at_rest = |pad: &PadState| pad.buttons == 0 && pad.axes == PadAxes::default();
        let holds_nothing = self.keys.is_empty() && self.buttons.is_empty();
        if holds_nothing && self.pads.iter().flatten().all(is_at_rest) {
            return;
        }
        self.keys.clear();
        self.buttons.clear();
        for pad in self.pads.iter_mut().flatten() {
            pad.buttons = 0;
            if std::mem::take(&mut pad.axes) != PadAxes::default() {
                // What is under way to the host is older, and would move its stick again.
                pad.telling.is_new = true;
            }
        }
        self.events.push_back(InputEvent::ReleaseAll);
    }
}

impl PadState {
    fn poll(&mut self, pad: Pad, now: Instant) -> Option<Outgoing> {
        if self.telling.poll(now)? == Due::New {
            self.number = self.number.wrapping_add(1);
        }
        let PadAxes { left, right, triggers } = self.axes;
        let axes = GamepadAxes { pad, number: self.number, left, right, triggers };
        Some(Outgoing::State(InputState::GamepadAxes(axes)))
    }
}

impl Telling {
    /// When there is something to tell, if ever. The first state is due at once, and has no time.
    fn due(&self) -> Option<Instant> {
        let told = self.told?;
        let after = if self.is_new { Some(&INTERVAL) } else { AGAIN.get(self.repeated) };
        after.map(|after| told + *after)
    }

    fn poll(&mut self, now: Instant) -> Option<Due> {
        let is_first = self.is_new && self.told.is_none();
        if !is_first && self.due().is_none_or(|due| now < due) {
            return None;
        }
        if self.is_new {
            *self = Self { is_new: false, told: Some(now), repeated: 0 };
            Some(Due::New)
        } else {
            self.repeated += 1;
            Some(Due::Again)
        }
    }
}

/// Presses something or lets go of it; whether that is news.
fn change<T: Ord>(held: &mut BTreeSet<T>, what: T, pressed: bool) -> bool {
    if pressed { held.insert(what) } else { held.remove(&what) }
}

/// How far apart new states are at least: a quarter of a picture at 120 a second, which nobody sees.
const INTERVAL: Duration = Duration::from_millis(2);

/// How long after a state it is told again. At 20 % loss one in 125 is lost thrice; then the pointer is off until it moves
/// again, and a click brings its own place along.
const AGAIN: [Duration; 2] = [Duration::from_millis(8), Duration::from_millis(25)];

#[cfg(test)]
mod tests {
    use super::*;

    const A: Key = Key::from_usage(0x07_0004).unwrap();

    fn ms(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    /// Everything that is said by `now`.
    fn said(outbox: &mut Outbox, now: Instant) -> Vec<Outgoing> {
        std::iter::from_fn(|| outbox.poll(now)).collect()
    }

    /// The pointer states that are said until `end`, at the times that the outbox itself asks for.
    fn pointers_until(outbox: &mut Outbox, mut now: Instant, end: Instant) -> Vec<(Duration, PointerState)> {
        let start = now;
        let mut states = Vec::new();
        loop {
            for outgoing in said(outbox, now) {
                match outgoing {
                    Outgoing::State(InputState::Pointer(pointer)) => states.push((now - start, pointer)),
                    other => panic!("unasked for: {other:?}"),
                }
            }
            match outbox.next_deadline() {
                Some(due) if due <= end => now = due,
                _ => return states,
            }
        }
    }

    fn places(states: &[(Duration, PointerState)]) -> Vec<(u64, u32, i32)> {
        states.iter().map(|(at, state)| (at.as_millis() as u64, state.number, state.dx)).collect()
    }

    #[test]
    fn the_last_motion_is_told_three_times() {
        let now = Instant::now();
        let mut outbox = Outbox::default();
        outbox.move_by(5, 0);
        let states = pointers_until(&mut outbox, now, now + ms(1000));
        assert_eq!(places(&states), [(0, 1, 5), (8, 1, 5), (25, 1, 5)]);
    }

    /// A mouse of 1000 reports a second would otherwise be a thousand packets a second.
    #[test]
    fn motion_is_told_every_two_milliseconds_and_all_of_it() {
        let now = Instant::now();
        let mut outbox = Outbox::default();
        let mut states = Vec::new();
        for report in 0..20 {
            outbox.move_by(1, 0);
            states.extend(said(&mut outbox, now + ms(report)));
        }
        assert_eq!(states.len(), 10);
        let rest = pointers_until(&mut outbox, now + ms(20), now + ms(1000));
        assert_eq!(rest.first().map(|(_, state)| (state.number, state.dx)), Some((11, 20)));
    }

    #[test]
    fn counts_wrap() {
        let now = Instant::now();
        let mut outbox = Outbox::default();
        outbox.pointer.dx = i32::MAX;
        outbox.pointer.number = u32::MAX;
        outbox.move_by(1, 0);
        let states = pointers_until(&mut outbox, now, now);
        assert_eq!((states[0].1.dx, states[0].1.number), (i32::MIN, 0));
    }

    /// The click must land where it was made, even if no datagram of the motion arrives.
    #[test]
    fn a_button_carries_the_newest_place_which_is_told_no_more() {
        let now = Instant::now();
        let mut outbox = Outbox::default();
        outbox.move_to(Position { x: 1, y: 2 });
        outbox.button(Button::Left, true);
        let said = said(&mut outbox, now);
        let [Outgoing::Event(InputEvent::Button { pointer, .. })] = said.as_slice() else {
            panic!("not a button alone: {said:?}")
        };
        assert_eq!((pointer.number, pointer.position), (1, Some(Position { x: 1, y: 2 })));
        assert_eq!(outbox.next_deadline(), None);
        outbox.move_by(1, 1);
        assert_eq!(pointers_until(&mut outbox, now, now)[0].1.number, 2);
    }

    #[test]
    fn a_key_that_repeats_is_pressed_once() {
        let mut outbox = Outbox::default();
        for pressed in [false, true, true, true, false, false] {
            outbox.key(A, pressed);
        }
        let event = |pressed| Outgoing::Event(InputEvent::Key { key: A, pressed });
        assert_eq!(said(&mut outbox, Instant::now()), [event(true), event(false)]);
    }

    /// A window that loses the focus hears of no release: the key must not stay down at the host, and must be told again
    /// when it goes down anew.
    #[test]
    fn letting_go_of_all_is_said_once_and_forgets_what_was_held() {
        let now = Instant::now();
        let mut outbox = Outbox::default();
        outbox.release_all();
        assert_eq!(said(&mut outbox, now), []);
        outbox.key(A, true);
        outbox.release_all();
        outbox.release_all();
        outbox.key(A, false);
        outbox.key(A, true);
        let press = Outgoing::Event(InputEvent::Key { key: A, pressed: true });
        assert_eq!(said(&mut outbox, now), [press.clone(), Outgoing::Event(InputEvent::ReleaseAll), press]);
    }

    #[test]
    fn long_text_is_cut_between_characters_and_what_has_keys_is_left_out() {
        let mut outbox = Outbox::default();
        outbox.text(&format!("a\n\t{}", "ä".repeat(200)));
        outbox.text("\n");
        let texts: Vec<usize> = said(&mut outbox, Instant::now())
            .into_iter()
            .map(|outgoing| match outgoing {
                Outgoing::Event(InputEvent::Text(text)) => text.len(),
                other => panic!("no text: {other:?}"),
            })
            .collect();
        assert_eq!(texts, [255, 146]);
    }

    #[test]
    fn a_gamepad_is_told_of_while_it_is_plugged() {
        let now = Instant::now();
        let pad = Pad::ALL[1];
        let mut outbox = Outbox::default();
        outbox.pad_buttons(pad, 1);
        outbox.pad_axes(pad, PadAxes { left: [1, 1], ..PadAxes::default() });
        assert_eq!(said(&mut outbox, now), []);
        outbox.plug(pad, true);
        outbox.plug(pad, true);
        outbox.pad_buttons(pad, u32::MAX);
        outbox.pad_buttons(pad, u32::MAX);
        outbox.pad_axes(pad, PadAxes { left: [3, -4], ..PadAxes::default() });
        let axes = GamepadAxes { pad, number: 1, left: [3, -4], right: [0; 2], triggers: [0; 2] };
        assert_eq!(
            said(&mut outbox, now),
            [
                Outgoing::Event(InputEvent::GamepadPlug { pad, plugged: true }),
                Outgoing::Event(InputEvent::GamepadButtons { pad, pressed: 0x1_FFFF }),
                Outgoing::State(InputState::GamepadAxes(axes)),
            ]
        );
        outbox.release_all();
        let said = said(&mut outbox, now + INTERVAL);
        let rest = GamepadAxes { number: 2, left: [0; 2], ..axes };
        assert_eq!(
            said,
            [Outgoing::Event(InputEvent::ReleaseAll), Outgoing::State(InputState::GamepadAxes(rest))]
        );
    }
}
