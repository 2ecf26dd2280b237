//! What a session's hands make of what its client says: nothing is done twice, nothing old, and nothing stays held.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::{Arc, Mutex};

use pf_desktop::SourceError;
use pf_desktop::input::{Gamepads, Hands, Injector};
use pf_proto::input::{Button, GamepadAxes, InputEvent, InputState, Key, Pad, PointerState, Position};

const A: u32 = 0x07_0004;
const SHIFT: u32 = 0x07_00E1;

/// What was done to the desktop and its gamepads, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Act {
    Key(u32, bool),
    Text(String),
    By(i32, i32),
    To(u16, u16),
    Button(Button, bool),
    Scroll(i32, i32),
    Plug(u8),
    Unplug(u8),
    PadButtons(u8, u32),
    Axes(u8, [i16; 2]),
}

/// A desktop, and the gamepads of a machine, that write down what is done.
#[derive(Clone, Default)]
struct Diary {
    acts: Arc<Mutex<Vec<Act>>>,
    is_gone: bool,
}

impl Diary {
    fn note(&self, act: Act) -> Result<(), SourceError> {
        if self.is_gone {
            return Err(SourceError::Lost { reason: "it was unplugged".to_owned() });
        }
        self.acts.lock().unwrap().push(act);
        Ok(())
    }

    /// What was done since this was asked last.
    fn read(&self) -> Vec<Act> {
        std::mem::take(&mut self.acts.lock().unwrap())
    }

    fn hands(&self) -> Hands {
        Hands::new(Some(Box::new(self.clone())), Some(Box::new(self.clone())))
    }
}

impl Injector for Diary {
    fn key(&mut self, key: Key, pressed: bool) -> Result<(), SourceError> {
        self.note(Act::Key(key.usage(), pressed))
    }

    fn text(&mut self, text: &str) -> Result<(), SourceError> {
        self.note(Act::Text(text.to_owned()))
    }

    fn move_by(&mut self, dx: i32, dy: i32) -> Result<(), SourceError> {
        self.note(Act::By(dx, dy))
    }

    fn move_to(&mut self, position: Position) -> Result<(), SourceError> {
        self.note(Act::To(position.x, position.y))
    }

    fn button(&mut self, button: Button, pressed: bool) -> Result<(), SourceError> {
        self.note(Act::Button(button, pressed))
    }

    fn scroll(&mut self, x: i32, y: i32) -> Result<(), SourceError> {
        self.note(Act::Scroll(x, y))
    }

    fn flush(&mut self) -> Result<(), SourceError> {
        Ok(())
    }
}

impl Gamepads for Diary {
    fn plug(&mut self, pad: Pad) -> Result<(), SourceError> {
        self.note(Act::Plug(pad.number()))
    }

    fn unplug(&mut self, pad: Pad) {
        self.note(Act::Unplug(pad.number())).unwrap();
    }

    fn buttons(&mut self, pad: Pad, pressed: u32) -> Result<(), SourceError> {
        self.note(Act::PadButtons(pad.number(), pressed))
    }

    fn axes(&mut self, axes: GamepadAxes) -> Result<(), SourceError> {
        self.note(Act::Axes(axes.pad.number(), axes.left))
    }
}

fn key(usage: u32, pressed: bool) -> InputEvent {
    InputEvent::Key { key: Key::from_usage(usage).unwrap(), pressed }
}

fn moved(number: u32, dx: i32, dy: i32) -> PointerState {
    PointerState { number, dx, dy, ..PointerState::default() }
}

fn placed(number: u32, x: u16, y: u16) -> PointerState {
    PointerState { number, position: Some(Position { x, y }), ..PointerState::default() }
}

fn state(pointer: PointerState) -> InputState {
    InputState::Pointer(pointer)
}

fn axes(number: u32, left: [i16; 2]) -> InputState {
    let pad = Pad::ALL[0];
    InputState::GamepadAxes(GamepadAxes { pad, number, left, right: [0; 2], triggers: [0; 2] })
}

/// Does all of it, none of which may fail.
fn tell(hands: &mut Hands, events: &[InputEvent]) {
    for event in events {
        hands.handle_event(event).unwrap();
    }
}

fn show(hands: &mut Hands, states: &[InputState]) {
    for state in states {
        hands.handle_state(state).unwrap();
    }
}

/// A key that was pressed twice would stay down; one that is let go of unpressed may be another session's.
#[test]
fn a_key_goes_down_once_and_up_once() {
    let diary = Diary::default();
    let mut hands = diary.hands();
    tell(&mut hands, &[key(A, false), key(A, true), key(A, true), key(A, false), key(A, false)]);
    assert_eq!(diary.read(), [Act::Key(A, true), Act::Key(A, false)]);
}

/// However a session ends, the desktop is left with no key, button or stick held.
#[test]
fn whatever_is_held_is_let_go_of_when_the_hands_are_gone() {
    let diary = Diary::default();
    let mut hands = diary.hands();
    let press = InputEvent::Button { button: Button::Left, pressed: true, pointer: PointerState::default() };
    let plug = InputEvent::GamepadPlug { pad: Pad::ALL[2], plugged: true };
    tell(&mut hands, &[key(A, true), key(SHIFT, true), press, plug]);
    diary.read();
    drop(hands);
    let acts = diary.read();
    for act in [Act::Key(A, false), Act::Key(SHIFT, false), Act::Button(Button::Left, false), Act::Unplug(2)]
    {
        assert_eq!(acts.iter().filter(|other| **other == act).count(), 1, "{act:?} in {acts:?}");
    }
}

#[test]
fn all_is_let_go_of_on_demand_and_nothing_twice() {
    let diary = Diary::default();
    let mut hands = diary.hands();
    tell(&mut hands, &[key(A, true), InputEvent::ReleaseAll, InputEvent::ReleaseAll, key(A, false)]);
    assert_eq!(diary.read(), [Act::Key(A, true), Act::Key(A, false)]);
    tell(&mut hands, &[key(A, true)]);
    assert_eq!(diary.read(), [Act::Key(A, true)], "it can be pressed again");
}

/// A client that holds a thousand keys costs the host no memory and the desktop no sense.
#[test]
fn no_more_keys_are_held_than_there_are_fingers() {
    let diary = Diary::default();
    let mut hands = diary.hands();
    for usage in 0x0C_0001..=0x0C_0200 {
        tell(&mut hands, &[key(usage, true)]);
    }
    assert_eq!(diary.read().len(), 32);
    drop(hands);
    assert_eq!(diary.read().len(), 32);
}

/// Motion is counted from the beginning, so that a lost or late datagram costs nothing.
#[test]
fn the_next_state_repairs_a_lost_one_and_an_old_one_does_nothing() {
    let diary = Diary::default();
    let mut hands = diary.hands();
    let states = [moved(1, 5, 0), moved(4, 30, -2), moved(2, 10, 0), moved(4, 30, -2), moved(5, 30, -2)];
    show(&mut hands, &states.map(state));
    assert_eq!(diary.read(), [Act::By(5, 0), Act::By(25, -2)]);
}

#[test]
fn counts_go_on_across_their_wrap() {
    let diary = Diary::default();
    let mut hands = diary.hands();
    show(&mut hands, &[state(moved(u32::MAX / 2, i32::MAX, 0)), state(moved(u32::MAX - 1, i32::MAX, 0))]);
    diary.read();
    show(&mut hands, &[state(moved(2, i32::MIN + 9, 0))]);
    assert_eq!(diary.read(), [Act::By(10, 0)]);
}

/// Numbers that no hand makes are cut, so that they stay numbers for every display.
#[test]
fn a_state_moves_no_further_than_across_a_desktop() {
    let diary = Diary::default();
    let mut hands = diary.hands();
    let mut far = moved(1, i32::MIN, i32::MAX);
    (far.scroll_x, far.scroll_y) = (i32::MAX, i32::MIN);
    show(&mut hands, &[state(far)]);
    assert_eq!(diary.read(), [Act::By(-16_384, 16_384), Act::Scroll(6000, -6000)]);
}

#[test]
fn a_wheel_that_turns_leaves_the_pointer_where_it_is() {
    let diary = Diary::default();
    let mut hands = diary.hands();
    let at = placed(1, 100, 200);
    let turned = PointerState { number: 2, scroll_x: -30, scroll_y: 120, ..at };
    show(&mut hands, &[state(at), state(turned)]);
    assert_eq!(diary.read(), [Act::To(100, 200), Act::Scroll(-30, 120)]);
}

/// A place says where the pointer is; motion that is counted along moves nothing, also not afterwards.
#[test]
fn a_place_outranks_motion() {
    let diary = Diary::default();
    let mut hands = diary.hands();
    let at = PointerState { dx: 50, dy: 50, ..placed(1, 7, 8) };
    show(&mut hands, &[state(at), state(moved(2, 51, 50))]);
    assert_eq!(diary.read(), [Act::To(7, 8), Act::By(1, 0)]);
}

/// The click lands where it was made, though every datagram of the motion there was lost.
#[test]
fn a_click_carries_the_pointer_along() {
    let diary = Diary::default();
    let mut hands = diary.hands();
    let press = InputEvent::Button { button: Button::Left, pressed: true, pointer: placed(9, 100, 200) };
    tell(&mut hands, &[press]);
    let acts = diary.read();
    assert_eq!(acts[acts.len() - 2..], [Act::To(100, 200), Act::Button(Button::Left, true)]);
    show(&mut hands, &[state(placed(8, 1, 1))]);
    assert_eq!(diary.read(), [], "what was sent before the click is old");
}

/// Datagrams overtake the stream that clicks come on: the pointer goes back for the click, and on.
#[test]
fn a_click_that_motion_overtook_lands_where_it_was_made() {
    let diary = Diary::default();
    let mut hands = diary.hands();
    show(&mut hands, &[state(placed(5, 300, 300))]);
    diary.read();
    let press = InputEvent::Button { button: Button::Right, pressed: true, pointer: placed(4, 100, 200) };
    tell(&mut hands, &[press]);
    assert_eq!(diary.read(), [Act::To(100, 200), Act::Button(Button::Right, true), Act::To(300, 300)]);
}

#[test]
fn a_relative_click_takes_its_motion_along() {
    let diary = Diary::default();
    let mut hands = diary.hands();
    let press = InputEvent::Button { button: Button::Left, pressed: true, pointer: moved(3, 4, 4) };
    tell(&mut hands, &[press]);
    assert_eq!(diary.read(), [Act::By(4, 4), Act::Button(Button::Left, true)]);
}

#[test]
fn a_gamepad_is_there_from_its_plug_to_its_unplugging() {
    let diary = Diary::default();
    let mut hands = diary.hands();
    let (pad, other) = (Pad::ALL[0], Pad::ALL[1]);
    show(&mut hands, &[axes(1, [5, 5])]);
    tell(&mut hands, &[InputEvent::GamepadButtons { pad: other, pressed: 1 }]);
    assert_eq!(diary.read(), [], "a pad that nobody plugged does nothing");

    tell(&mut hands, &[InputEvent::GamepadPlug { pad, plugged: true }]);
    tell(&mut hands, &[InputEvent::GamepadButtons { pad, pressed: 3 }]);
    show(&mut hands, &[axes(3, [7, 7]), axes(2, [6, 6])]);
    assert_eq!(diary.read(), [Act::Plug(0), Act::PadButtons(0, 3), Act::Axes(0, [7, 7])]);

    tell(&mut hands, &[InputEvent::ReleaseAll]);
    assert_eq!(diary.read(), [Act::PadButtons(0, 0), Act::Axes(0, [0, 0])]);
    let unplug = InputEvent::GamepadPlug { pad, plugged: false };
    tell(&mut hands, &[unplug.clone(), unplug]);
    assert_eq!(diary.read(), [Act::Unplug(0)]);
}

/// A desktop that is gone is told as such; letting go of everything then is no reason to panic.
#[test]
fn a_desktop_that_is_gone_is_an_error_and_the_end_is_quiet() {
    let diary = Diary { is_gone: true, ..Diary::default() };
    let mut hands = diary.hands();
    assert!(matches!(hands.handle_event(&key(A, true)), Err(SourceError::Lost { .. })));
    assert!(matches!(hands.release_all(), Err(SourceError::Lost { .. })));
}

#[test]
fn without_a_desktop_nothing_happens() {
    let mut hands = Hands::new(None, None);
    tell(&mut hands, &[key(A, true), InputEvent::Text("a".to_owned()), InputEvent::ReleaseAll]);
    show(&mut hands, &[state(moved(1, 1, 1)), axes(1, [1, 1])]);
    hands.flush().unwrap();
}
