//! Wheels that turn by less than a notch, for displays that know only whole ones.

/// A notch of a wheel.
pub const NOTCH: i32 = 120;

/// Counts the turns of one wheel, and gives out the whole notches among them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Notches {
    rest: i32,
}

impl Notches {
    /// Turns by so many 120ths: how many notches that makes together with what was left, to the same side.
    ///
    /// Who turns back has turned far enough at once: what was left on the other side no longer counts.
    #[must_use]
    pub fn turn(&mut self, by: i32) -> i32 {
        if self.rest.signum() == -by.signum() {
            self.rest = 0;
        }
        let whole = self.rest.saturating_add(by);
        self.rest = whole % NOTCH;
        whole / NOTCH
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A touchpad turns by a few 120ths at a time; none may be lost, or slow scrolling does nothing.
    #[test]
    fn small_turns_add_up_to_a_notch() {
        let mut wheel = Notches::default();
        let notches: Vec<i32> = [50, 50, 50, 50, 40, 0].map(|by| wheel.turn(by)).to_vec();
        assert_eq!(notches, [0, 0, 1, 0, 1, 0]);
        assert_eq!(wheel, Notches::default());
    }

    #[test]
    fn turning_back_begins_anew() {
        let mut wheel = Notches::default();
        assert_eq!(wheel.turn(110), 0);
        assert_eq!(wheel.turn(-120), -1);
        assert_eq!(wheel.turn(-119), 0);
        assert_eq!(wheel.turn(-1), -1);
    }

    #[test]
    fn several_notches_come_at_once() {
        let mut wheel = Notches::default();
        assert_eq!(wheel.turn(-370), -3);
        assert_eq!(wheel.turn(-110), -1);
    }
}
