//! When a window takes the keyboard from its desktop, and when it gives it back.

use std::time::{Duration, Instant};

use pf_app::GrabKeyboard;

/// How things stand with a window.
#[derive(Clone, Copy, Debug)]
pub(super) struct Standing {
    /// What its person wants.
    pub(super) setting: GrabKeyboard,
    /// Whether a session runs and its picture has the keyboard: no menu and no dialog does.
    pub(super) is_for_host: bool,
    pub(super) has_focus: bool,
    pub(super) is_full_screen: bool,
}

impl Standing {
    /// Whether the desktop's own keys are to go to the host.
    pub(super) fn wants_keyboard(self) -> bool {
        let is_wanted = match self.setting {
            GrabKeyboard::FullScreen => self.is_full_screen,
            GrabKeyboard::Always => true,
            GrabKeyboard::Never => false,
        };
        is_wanted && self.is_for_host && self.has_focus
    }
}

/// Whether the keyboard is held, and when it is tried for again.
///
/// Call [`step`](Self::step) whenever something changed or is [`due`](Self::due), do what it says, and tell
/// [`took`](Self::took) what came of [`Step::Take`].
#[derive(Debug, Default)]
pub(super) struct Hold(Phase);

#[derive(Clone, Copy, Debug, Default)]
enum Phase {
    /// It is the desktop's.
    #[default]
    Free,
    /// Another program had it; it is tried for so many times more, the first of them then.
    Busy { again: Instant, left: u32 },
    /// It is ours.
    Held,
    /// It is not to be had this time.
    Refused,
}

/// What to do about the keyboard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Take it, if it is to be had.
    Take,
    /// Give it back.
    Release,
}

/// What came of taking it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It is ours.
    Held,
    /// Another program has it.
    Busy,
    /// It is not to be had.
    Refused,
}

impl Hold {
    /// What to do now.
    pub(super) fn step(&mut self, now: Instant, is_wanted: bool) -> Option<Step> {
        if !is_wanted {
            let before = std::mem::take(&mut self.0);
            return matches!(before, Phase::Held).then_some(Step::Release);
        }
        match self.0 {
            Phase::Free => Some(Step::Take),
            Phase::Busy { again, .. } if again <= now => Some(Step::Take),
            Phase::Busy { .. } | Phase::Held | Phase::Refused => None,
        }
    }

    /// What came of [`Step::Take`].
    pub(super) fn took(&mut self, now: Instant, outcome: Outcome) {
        let left = if let Phase::Busy { left, .. } = self.0 { left } else { TRIES };
        self.0 = match outcome {
            Outcome::Held => Phase::Held,
            Outcome::Busy if left > 0 => Phase::Busy { again: now + PAUSE, left: left - 1 },
            Outcome::Busy | Outcome::Refused => Phase::Refused,
        };
    }

    /// Whether it is ours.
    pub(super) fn is_held(&self) -> bool {
        matches!(self.0, Phase::Held)
    }

    /// When to call [`step`](Self::step) at the latest, if ever.
    pub(super) fn due(&self) -> Option<Instant> {
        match self.0 {
            Phase::Busy { again, .. } => Some(again),
            _ => None,
        }
    }
}

/// How long to wait for another program that has the keyboard. A window manager has it until the last key of its Alt+Tab is
/// up, and gives the focus away before that. A longer wait is keys that the desktop still gets.
const PAUSE: Duration = Duration::from_millis(50);

/// How often to try again: for two seconds. Who has it longer takes the focus as well, and its end is heard of.
const TRIES: u32 = 40;

#[cfg(test)]
mod tests {
    use super::*;

    /// All that is needed for the keyboard to be taken.
    const READY: Standing = Standing {
        setting: GrabKeyboard::FullScreen,
        is_for_host: true,
        has_focus: true,
        is_full_screen: true,
    };

    #[test]
    fn the_keyboard_is_wanted_while_all_that_is_needed_holds() {
        assert!(READY.wants_keyboard());
        for lacking in [
            Standing { is_for_host: false, ..READY },
            Standing { has_focus: false, ..READY },
            Standing { is_full_screen: false, ..READY },
            Standing { setting: GrabKeyboard::Never, ..READY },
        ] {
            assert!(!lacking.wants_keyboard(), "{lacking:?}");
        }
    }

    /// A menu and another window must be usable whatever the setting.
    #[test]
    fn always_means_in_a_window_too_and_never_over_a_menu_or_without_the_focus() {
        let always = Standing { setting: GrabKeyboard::Always, is_full_screen: false, ..READY };
        assert!(always.wants_keyboard());
        assert!(!Standing { is_for_host: false, ..always }.wants_keyboard());
        assert!(!Standing { has_focus: false, ..always }.wants_keyboard());
    }

    #[test]
    fn it_is_taken_once_and_given_back_once() {
        let (now, mut hold) = (Instant::now(), Hold::default());
        assert_eq!(hold.step(now, false), None);
        assert_eq!(hold.step(now, true), Some(Step::Take));
        hold.took(now, Outcome::Held);
        assert!(hold.is_held());
        assert_eq!((hold.step(now, true), hold.due()), (None, None));
        assert_eq!(hold.step(now, false), Some(Step::Release));
        assert!(!hold.is_held());
        assert_eq!(hold.step(now, false), None);
        assert_eq!(hold.step(now, true), Some(Step::Take), "again");
    }

    /// For ever would be a question to the display server every moment, for as long as a session lasts.
    #[test]
    fn what_another_program_has_is_tried_for_at_times_and_not_for_ever() {
        let (mut now, mut hold) = (Instant::now(), Hold::default());
        let mut tries = 0;
        while hold.step(now, true) == Some(Step::Take) {
            tries += 1;
            hold.took(now, Outcome::Busy);
            assert_eq!(hold.step(now, true), None, "not at once");
            now = hold.due().unwrap_or(now);
        }
        assert_eq!((tries, hold.due()), (TRIES + 1, None));
        assert_eq!(hold.step(now, false), None, "nothing is held");
        assert_eq!(hold.step(now, true), Some(Step::Take), "there is another chance with the next focus");
        hold.took(now, Outcome::Busy);
        assert!(hold.due().is_some(), "with all its tries");
    }

    #[test]
    fn what_is_refused_is_not_asked_for_again_before_the_next_chance() {
        let (now, mut hold) = (Instant::now(), Hold::default());
        assert_eq!(hold.step(now, true), Some(Step::Take));
        hold.took(now, Outcome::Refused);
        assert_eq!((hold.step(now + PAUSE, true), hold.due()), (None, None));
        assert_eq!(hold.step(now, false), None);
        assert_eq!(hold.step(now, true), Some(Step::Take));
    }

    #[test]
    fn who_waits_for_another_program_stops_when_it_is_not_wanted_any_more() {
        let (now, mut hold) = (Instant::now(), Hold::default());
        assert_eq!(hold.step(now, true), Some(Step::Take));
        hold.took(now, Outcome::Busy);
        assert_eq!((hold.step(now, false), hold.due()), (None, None));
    }
}
