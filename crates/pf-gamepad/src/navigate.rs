//! Steps through a menu, made of what is held of the gamepads.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use pf_proto::input::{AXIS_MAX, MAX_GAMEPADS, Pad};

use crate::{PadButton, PadState};

/// One step of a person through a menu.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Navigate {
    /// To what is above.
    Up,
    /// To what is below.
    Down,
    /// To what is on the left.
    Left,
    /// To what is on the right.
    Right,
    /// This one: the lower one of the right four buttons.
    Accept,
    /// Out of here: the right one of them.
    Back,
    /// What else can be done: start.
    Menu,
}

/// Makes steps of what is held of all gamepads together. A direction that is held repeats.
///
/// After each [`handle`](Self::handle), and at [`next_deadline`](Self::next_deadline), call [`poll`](Self::poll) until it
/// gives nothing more. While something else than a menu is shown, go on with that and drop the steps: what is held when the
/// menu comes back is no step then.
#[derive(Debug, Default)]
pub struct Navigator {
    pads: [Held; MAX_GAMEPADS as usize],
    repeating: Option<Repeating>,
    steps: VecDeque<Navigate>,
}

/// What one pad holds.
#[derive(Clone, Copy, Debug, Default)]
struct Held {
    direction: Option<Navigate>,
    buttons: u32,
}

/// The direction that is stepped in again and again.
#[derive(Clone, Copy, Debug)]
struct Repeating {
    pad: Pad,
    direction: Navigate,
    due: Instant,
}

impl Navigator {
    /// This is held of a pad now; of one that is gone, [`PadState::default`].
    pub fn handle(&mut self, now: Instant, pad: Pad, state: &PadState) {
        let held = &mut self.pads[usize::from(pad.number())];
        let direction = direction(state, held.direction);
        let pressed = state.buttons & !std::mem::replace(&mut held.buttons, state.buttons);
        let turned = std::mem::replace(&mut held.direction, direction) != direction;
        let buttons = BUTTONS.iter().filter(|(button, _)| pressed & button.bit() != 0);
        self.steps.extend(buttons.map(|(_, step)| *step));
        match direction {
            Some(direction) if turned => {
                self.steps.push_back(direction);
                self.repeating = Some(Repeating { pad, direction, due: now + FIRST_REPEAT });
            }
            None if self.repeating.is_some_and(|repeating| repeating.pad == pad) => self.repeating = None,
            _ => {}
        }
    }

    /// The next step.
    pub fn poll(&mut self, now: Instant) -> Option<Navigate> {
        self.steps.pop_front().or_else(|| {
            let repeating = self.repeating.as_mut().filter(|repeating| repeating.due <= now)?;
            // Counted from now: who was asleep makes one step, not ten at once.
            repeating.due = now + REPEAT;
            Some(repeating.direction)
        })
    }

    /// When there is a step, if nothing is done before.
    pub fn next_deadline(&self) -> Option<Instant> {
        self.repeating.map(|repeating| repeating.due)
    }
}

/// The direction that a pad shows, which showed `before` until now.
fn direction(state: &PadState, before: Option<Navigate>) -> Option<Navigate> {
    let by_button = DIRECTIONS.iter().filter(|(button, _)| state.is_down(*button)).map(|(_, step)| *step);
    let mut by_button = by_button.peekable();
    if by_button.peek().is_some() {
        // Who rolls from one to the other holds both for a moment.
        return by_button.clone().find(|step| Some(*step) == before).or_else(|| by_button.next());
    }
    let [x, y] = state.left.map(i32::from);
    let by_stick = match (x.abs() > y.abs(), x > 0, y > 0) {
        (true, true, _) => Navigate::Right,
        (true, false, _) => Navigate::Left,
        (false, _, true) => Navigate::Down,
        (false, _, false) => Navigate::Up,
    };
    let enough = if Some(by_stick) == before { STAYS } else { BEGINS };
    (x.abs().max(y.abs()) >= enough).then_some(by_stick)
}

const BUTTONS: [(PadButton, Navigate); 3] = [
    (PadButton::South, Navigate::Accept),
    (PadButton::East, Navigate::Back),
    (PadButton::Start, Navigate::Menu),
];

const DIRECTIONS: [(PadButton, Navigate); 4] = [
    (PadButton::Up, Navigate::Up),
    (PadButton::Down, Navigate::Down),
    (PadButton::Left, Navigate::Left),
    (PadButton::Right, Navigate::Right),
];

/// How far a stick must go to show a direction, and how far back to show it no more: a stick that trembles between them
/// makes one step.
const BEGINS: i32 = AXIS_MAX as i32 * 6 / 10;
const STAYS: i32 = AXIS_MAX as i32 * 4 / 10;

/// When a direction that is held steps again, first and then: about as keyboards do.
const FIRST_REPEAT: Duration = Duration::from_millis(400);
const REPEAT: Duration = Duration::from_millis(120);

#[cfg(test)]
mod tests {
    use super::*;

    const PAD: Pad = Pad::ALL[0];

    fn down(buttons: &[PadButton]) -> PadState {
        PadState { buttons: buttons.iter().map(|button| button.bit()).sum(), ..PadState::default() }
    }

    fn stick(x: i16, y: i16) -> PadState {
        PadState { left: [x, y], ..PadState::default() }
    }

    /// The steps that a state leads to at once.
    fn steps(navigator: &mut Navigator, now: Instant, state: &PadState) -> Vec<Navigate> {
        navigator.handle(now, PAD, state);
        std::iter::from_fn(|| navigator.poll(now)).collect()
    }

    #[test]
    fn a_button_is_one_step_when_it_goes_down() {
        let (mut navigator, now) = (Navigator::default(), Instant::now());
        assert_eq!(steps(&mut navigator, now, &down(&[PadButton::South])), [Navigate::Accept]);
        assert_eq!(steps(&mut navigator, now, &down(&[PadButton::South])), []);
        let both = down(&[PadButton::South, PadButton::East]);
        assert_eq!(steps(&mut navigator, now, &both), [Navigate::Back]);
        assert_eq!(steps(&mut navigator, now, &PadState::default()), []);
        assert_eq!(steps(&mut navigator, now, &down(&[PadButton::Start])), [Navigate::Menu]);
        assert_eq!(navigator.next_deadline(), None, "buttons do not repeat");
    }

    #[test]
    fn a_direction_repeats_until_it_is_let_go_of() {
        let (mut navigator, start) = (Navigator::default(), Instant::now());
        assert_eq!(steps(&mut navigator, start, &down(&[PadButton::Down])), [Navigate::Down]);
        let (mut times, mut now) = (Vec::new(), start);
        for _ in 0..3 {
            assert_eq!(navigator.poll(now), None, "it is not due yet");
            let due = navigator.next_deadline().unwrap();
            now = due;
            assert_eq!(navigator.poll(due), Some(Navigate::Down));
            times.push((due - start).as_millis());
        }
        assert_eq!(times, [400, 520, 640]);
        let late = start + Duration::from_secs(5);
        assert_eq!((navigator.poll(late), navigator.poll(late)), (Some(Navigate::Down), None));
        assert_eq!(steps(&mut navigator, late, &PadState::default()), []);
        assert_eq!(navigator.next_deadline(), None);
    }

    /// A worn stick trembles about the place where a direction begins.
    #[test]
    fn a_stick_that_trembles_makes_one_step() {
        let (mut navigator, now) = (Navigator::default(), Instant::now());
        assert_eq!(steps(&mut navigator, now, &stick(15_000, 0)), []);
        assert_eq!(steps(&mut navigator, now, &stick(20_000, 3000)), [Navigate::Right]);
        for x in [18_000, 20_000, 14_000, 32_767] {
            assert_eq!(steps(&mut navigator, now, &stick(x, 0)), [], "{x}");
        }
        assert_eq!(steps(&mut navigator, now, &stick(12_000, 0)), []);
        assert_eq!(steps(&mut navigator, now, &stick(20_000, 0)), [Navigate::Right]);
        assert_eq!(steps(&mut navigator, now, &stick(-20_000, 0)), [Navigate::Left]);
        assert_eq!(steps(&mut navigator, now, &stick(0, -20_000)), [Navigate::Up]);
    }

    #[test]
    fn a_diagonal_stays_with_the_direction_that_was_there_first() {
        let (mut navigator, now) = (Navigator::default(), Instant::now());
        assert_eq!(steps(&mut navigator, now, &down(&[PadButton::Right])), [Navigate::Right]);
        assert_eq!(steps(&mut navigator, now, &down(&[PadButton::Right, PadButton::Up])), []);
        assert_eq!(steps(&mut navigator, now, &down(&[PadButton::Up])), [Navigate::Up]);
    }

    /// A pad that is pulled out while it steers must not steer on.
    #[test]
    fn any_pad_steers_and_one_that_is_gone_steers_no_more() {
        let (mut navigator, now) = (Navigator::default(), Instant::now());
        assert_eq!(steps(&mut navigator, now, &down(&[PadButton::Down])), [Navigate::Down]);
        navigator.handle(now, Pad::ALL[1], &down(&[PadButton::Left]));
        assert_eq!(navigator.poll(now), Some(Navigate::Left));
        assert_eq!(steps(&mut navigator, now, &PadState::default()), []);
        assert!(navigator.next_deadline().is_some(), "the other one is held still");
        navigator.handle(now, Pad::ALL[1], &PadState::default());
        assert_eq!(navigator.next_deadline(), None);
    }
}
