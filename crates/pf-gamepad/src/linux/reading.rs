//! What is held of one pad, from what the kernel says of it.

use evdev::{EventType, SynchronizationCode as Sync};
use pf_proto::input::AXIS_MAX;

use super::layout::{Layout, Part};
use crate::{PadButton, PadState};

/// Follows one pad.
///
/// Each event of the kernel goes to [`handle`](Self::handle), in order. Where that says that something was lost, what the
/// kernel says is held at that moment goes to [`adopt`](Self::adopt), before the next event.
#[derive(Debug)]
pub(super) struct Reading {
    layout: Layout,
    held: Held,
    told: PadState,
    /// Since the kernel dropped something, up to the end of that report: what comes is not whole.
    is_broken: bool,
}

/// What one event leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub(super) enum Step {
    /// Nothing that others need to know.
    Nothing,
    /// This is held now.
    Told(PadState),
    /// The kernel dropped something: it must be asked what is held.
    Lost,
}

/// What the kernel says is held at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Snapshot {
    /// The keys that are down.
    pub(super) keys: Vec<u16>,
    /// Where the axes are.
    pub(super) axes: Vec<(u16, i32)>,
}

/// What is held, part by part.
#[derive(Clone, Copy, Debug, Default)]
struct Held {
    keys: u32,
    sticks: [i16; 4],
    triggers: [i16; 2],
    hat: [i16; 2],
}

impl Reading {
    /// A pad of this layout, of which this is held.
    pub(super) fn new(layout: Layout, snapshot: &Snapshot) -> Self {
        let mut reading = Self { layout, held: Held::default(), told: PadState::default(), is_broken: false };
        reading.take(snapshot);
        reading.told = reading.held.state();
        reading
    }

    /// What was told last.
    pub(super) fn state(&self) -> PadState {
        self.told
    }

    /// The kernel says this.
    pub(super) fn handle(&mut self, kind: u16, code: u16, value: i32) -> Step {
        match (EventType(kind), Sync(code)) {
            (EventType::SYNCHRONIZATION, Sync::SYN_DROPPED) => self.is_broken = true,
            (EventType::SYNCHRONIZATION, Sync::SYN_REPORT) => {
                return if std::mem::take(&mut self.is_broken) { Step::Lost } else { self.tell() };
            }
            _ if self.is_broken => {}
            (EventType::KEY, _) => self.key(code, value != 0),
            (EventType::ABSOLUTE, _) => self.axis(code, value),
            _ => {}
        }
        Step::Nothing
    }

    /// This is held, whatever was heard before.
    pub(super) fn adopt(&mut self, snapshot: &Snapshot) -> Step {
        self.take(snapshot);
        self.tell()
    }

    fn take(&mut self, snapshot: &Snapshot) {
        self.held = Held::default();
        for key in &snapshot.keys {
            self.key(*key, true);
        }
        for (code, value) in &snapshot.axes {
            self.axis(*code, *value);
        }
    }

    fn key(&mut self, code: u16, is_down: bool) {
        if let Some(button) = self.layout.button(code) {
            let others = self.held.keys & !button.bit();
            self.held.keys = others | if is_down { button.bit() } else { 0 };
        }
    }

    fn axis(&mut self, code: u16, value: i32) {
        match self.layout.part(code) {
            Some((Part::Stick(index), range)) => self.held.sticks[index] = range.stick(value),
            Some((Part::Trigger(index), range)) => self.held.triggers[index] = range.trigger(value),
            Some((Part::Hat(index), range)) => self.held.hat[index] = range.stick(value),
            None => {}
        }
    }

    fn tell(&mut self) -> Step {
        let state = self.held.state();
        if std::mem::replace(&mut self.told, state) == state { Step::Nothing } else { Step::Told(state) }
    }
}

impl Held {
    fn state(self) -> PadState {
        let [x, y] = self.hat;
        let toward = |is_toward: bool, button: PadButton| if is_toward { button.bit() } else { 0 };
        let hat = toward(y < -HALF, PadButton::Up)
            | toward(y > HALF, PadButton::Down)
            | toward(x < -HALF, PadButton::Left)
            | toward(x > HALF, PadButton::Right);
        let [left_x, left_y, right_x, right_y] = self.sticks;
        PadState {
            buttons: self.keys | hat,
            left: [left_x, left_y],
            right: [right_x, right_y],
            triggers: self.triggers,
        }
    }
}

/// From where on a hat shows a direction; most know only ends.
const HALF: i16 = AXIS_MAX / 2;

#[cfg(test)]
mod tests {
    use super::{
        super::{description::tests::device, layout::Range},
        *,
    };

    const SYN: u16 = 0;
    const KEY: u16 = 1;
    const ABS: u16 = 3;

    /// The end of a report.
    const END: (u16, u16, i32) = (SYN, 0, 0);

    /// A pad of a maker at rest, with these keys, and these axes: how low and how high they go, how much of that is flat, and
    /// where they rest.
    fn pad(vendor: u16, keys: &[u16], axes: &[(u16, [i32; 4])]) -> Reading {
        let codes: Vec<u16> = axes.iter().map(|(code, _)| *code).collect();
        let ranges: Vec<_> = axes
            .iter()
            .map(|&(code, [low, high, flat, _])| (code, Range::new(low, high, flat).unwrap()))
            .collect();
        let axes = axes.iter().map(|&(code, [_, _, _, rest])| (code, rest)).collect();
        let description = device(vendor, keys, &codes);
        assert!(description.is_gamepad());
        Reading::new(Layout::of(&description, &ranges), &Snapshot { keys: Vec::new(), axes })
    }

    const STICK: [i32; 4] = [-32_768, 32_767, 128, 0];
    const BYTE_STICK: [i32; 4] = [0, 255, 0, 127];
    const BYTE: [i32; 4] = [0, 255, 0, 0];
    const HAT: [i32; 4] = [-1, 1, 0, 0];

    /// As `xpad` has it, and the pad that a host makes for a session.
    fn xbox() -> Reading {
        let keys = [0x130, 0x131, 0x133, 0x134, 0x136, 0x137, 0x13A, 0x13B, 0x13C, 0x13D, 0x13E];
        let axes =
            [(0, STICK), (1, STICK), (3, STICK), (4, STICK), (2, BYTE), (5, BYTE), (16, HAT), (17, HAT)];
        pad(0x045E, &keys, &axes)
    }

    /// As `hid-playstation` has it: triggers are told by a key and by their value.
    fn dualshock() -> Reading {
        let keys =
            [0x130, 0x131, 0x133, 0x134, 0x136, 0x137, 0x138, 0x139, 0x13A, 0x13B, 0x13C, 0x13D, 0x13E];
        let stick = BYTE_STICK;
        let axes =
            [(0, stick), (1, stick), (3, stick), (4, stick), (2, BYTE), (5, BYTE), (16, HAT), (17, HAT)];
        pad(0x054C, &keys, &axes)
    }

    /// A Bluetooth pad as Android asks for it, by `hid-generic`, which gives everything a flat sixteenth.
    fn android() -> Reading {
        let keys = [0x130, 0x131, 0x133, 0x134, 0x136, 0x137, 0x13A, 0x13B, 0x13C, 0x13D, 0x13E];
        let (stick, byte) = ([0, 255, 15, 128], [0, 255, 15, 0]);
        let axes =
            [(0, stick), (1, stick), (2, stick), (5, stick), (9, byte), (10, byte), (16, HAT), (17, HAT)];
        pad(0x2DC8, &keys, &axes)
    }

    /// A small pad without sticks or values: the directions are keys, and so are the triggers.
    fn small() -> Reading {
        let keys = [
            0x130, 0x131, 0x133, 0x134, 0x136, 0x137, 0x138, 0x139, 0x13A, 0x13B, 0x220, 0x221, 0x222, 0x223,
        ];
        pad(0x2DC8, &keys, &[])
    }

    /// What the events lead to, without what leads to nothing.
    fn steps(reading: &mut Reading, events: &[(u16, u16, i32)]) -> Vec<Step> {
        let steps = events.iter().map(|&(kind, code, value)| reading.handle(kind, code, value));
        steps.filter(|step| *step != Step::Nothing).collect()
    }

    /// The one state that a report of these events leads to.
    fn told(mut reading: Reading, events: &[(u16, u16, i32)]) -> PadState {
        assert_eq!(reading.state(), PadState::default(), "a pad comes at rest");
        assert_eq!(steps(&mut reading, events), [], "nothing before the end of the report");
        match steps(&mut reading, &[END]).as_slice() {
            [Step::Told(state)] => *state,
            other => panic!("not one state: {other:?}"),
        }
    }

    fn buttons(reading: Reading, events: &[(u16, u16, i32)]) -> Vec<u32> {
        let state = told(reading, events);
        assert_eq!(PadState { buttons: 0, ..state }, PadState::default());
        (0..32).filter(|button| state.buttons >> button & 1 == 1).collect()
    }

    /// What a client reads must be what the host's pad does: the codes here are those that `pf-desktop` gives a pad of a
    /// session, button by button.
    #[test]
    fn a_pad_as_the_host_makes_it_is_read_as_the_host_was_told() {
        let keys = [
            (0, 0x130),
            (1, 0x131),
            (2, 0x133),
            (3, 0x134),
            (4, 0x136),
            (5, 0x137),
            (8, 0x13A),
            (9, 0x13B),
            (10, 0x13D),
            (11, 0x13E),
            (16, 0x13C),
        ];
        for (button, code) in keys {
            assert_eq!(buttons(xbox(), &[(KEY, code, 1)]), [button], "{code:#x}");
        }
        for (button, axis, value) in [(12, 17, -1), (13, 17, 1), (14, 16, -1), (15, 16, 1)] {
            assert_eq!(buttons(xbox(), &[(ABS, axis, value)]), [button], "hat {axis} {value}");
        }
        let events = [(0, -32_767), (1, 32_767), (3, 16_448), (4, -32_767), (2, 255), (5, 127)];
        let state = told(xbox(), &events.map(|(axis, value)| (ABS, axis, value)));
        assert_eq!(state.left, [-AXIS_MAX, AXIS_MAX]);
        assert_eq!(state.right, [16_384, -AXIS_MAX], "but for what is flat about the middle");
        assert_eq!(state.triggers, [AXIS_MAX, 16_319]);
    }

    /// The kernel gives one code to the left button of an Xbox pad and to the upper one of a Sony pad.
    #[test]
    fn the_square_is_where_x_is() {
        assert_eq!(buttons(dualshock(), &[(KEY, 0x134, 1)]), [2]);
        assert_eq!(buttons(dualshock(), &[(KEY, 0x133, 1)]), [3]);
        assert_eq!(buttons(xbox(), &[(KEY, 0x133, 1)]), [2]);
        assert_eq!(buttons(android(), &[(KEY, 0x134, 1)]), [3]);
    }

    /// A trigger that is touched would be pulled all the way at the host until its value is there.
    #[test]
    fn a_trigger_with_a_value_is_told_by_that_alone() {
        let state = told(dualshock(), &[(KEY, 0x138, 1), (ABS, 2, 3)]);
        assert_eq!(state, PadState { triggers: [385, 0], ..PadState::default() });
        assert_eq!(buttons(small(), &[(KEY, 0x138, 1), (KEY, 0x139, 1)]), [6, 7]);
    }

    #[test]
    fn a_pad_for_android_has_its_right_stick_and_triggers_elsewhere() {
        let state = told(android(), &[(ABS, 2, 255), (ABS, 5, 0), (ABS, 9, 255), (ABS, 10, 20)]);
        assert_eq!(state.right, [AXIS_MAX, -AXIS_MAX]);
        assert_eq!(state.triggers, [682, AXIS_MAX], "the brake is on the left");
    }

    #[test]
    fn directions_that_are_keys_are_directions() {
        let all: Vec<_> = (0x220..=0x223).map(|code| (KEY, code, 1)).collect();
        assert_eq!(buttons(small(), &all), [12, 13, 14, 15]);
    }

    /// On some pads a finger that rests on the touch pad moves the hat.
    #[test]
    fn a_hat_beside_keys_for_the_directions_is_something_else() {
        let keys = [0x130, 0x220, 0x221, 0x222, 0x223];
        let mut steam = pad(0x28DE, &keys, &[(0, STICK), (1, STICK), (16, STICK), (17, STICK)]);
        assert_eq!(steps(&mut steam, &[(ABS, 16, 32_767), END]), []);
    }

    /// Some pads send a report every 4 ms, whatever is done with them.
    #[test]
    fn a_report_that_changes_nothing_is_not_told() {
        let mut pad = dualshock();
        assert_eq!(steps(&mut pad, &[(ABS, 0, 128), END, (ABS, 0, 127), END, (4, 4, 589_825), END]), []);
        assert_eq!(steps(&mut pad, &[(KEY, 0x130, 1), END, (KEY, 0x130, 2), END]).len(), 1);
        assert_eq!(steps(&mut pad, &[(KEY, 0x130, 0), (KEY, 0x130, 1), END]), []);
    }

    #[test]
    fn a_report_is_told_whole() {
        let mut pad = xbox();
        let events = [(ABS, 0, 32_767), (KEY, 0x130, 1), END, (KEY, 0x130, 0), END];
        let held = PadState { left: [AXIS_MAX, 0], ..PadState::default() };
        let pressed = PadState { buttons: 1, ..held };
        assert_eq!(steps(&mut pad, &events), [Step::Told(pressed), Step::Told(held)]);
    }

    /// The release of a button that the kernel dropped would otherwise leave it down for good.
    #[test]
    fn what_was_dropped_is_asked_for() {
        let mut pad = xbox();
        assert_eq!(steps(&mut pad, &[(KEY, 0x130, 1), (KEY, 0x136, 1), END]).len(), 1);
        let dropped = [(SYN, 3, 0), (KEY, 0x131, 1), (ABS, 0, 5000)];
        assert_eq!(steps(&mut pad, &dropped), []);
        assert_eq!(steps(&mut pad, &[END]), [Step::Lost]);
        let now = Snapshot { keys: vec![0x136], axes: vec![(0, 32_767), (17, -1)] };
        let state = PadState { buttons: 1 << 4 | 1 << 12, left: [AXIS_MAX, 0], ..PadState::default() };
        assert_eq!(pad.adopt(&now), Step::Told(state));
        assert_eq!(pad.adopt(&now), Step::Nothing);
        assert_eq!(steps(&mut pad, &[(KEY, 0x136, 0), END]).len(), 1, "it goes on as before");
    }

    #[test]
    fn a_pad_that_comes_with_a_button_down_says_so() {
        let layout = Layout::of(&device(0x045E, &[0x130], &[0, 1]), &[]);
        let held = Snapshot { keys: vec![0x130], axes: vec![(0, 5)] };
        assert_eq!(Reading::new(layout, &held).state().buttons, 1);
    }
}
