//! What the kernel says of an input device to everyone, and whether that is a gamepad.
//!
//! Sysfs tells of a device what it has, also to those who may not read the device. So no keyboard is ever opened, and a
//! gamepad that may not be read is told from a keyboard that may not.

use std::{collections::BTreeSet, io, path::Path};

use evdev::{AbsoluteAxisCode as Axis, KeyCode, PropType, RelativeAxisCode};
use pf_base::DeviceName;

/// What a device is and has, by the kernel's numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Description {
    /// What it calls itself.
    pub(super) name: String,
    /// The USB id of its maker.
    pub(super) vendor: u16,
    keys: BTreeSet<u16>,
    axes: BTreeSet<u16>,
    relative_axes: BTreeSet<u16>,
    properties: BTreeSet<u16>,
}

impl Description {
    /// That of the device whose folder in sysfs this is, such as `/sys/class/input/event5/device`.
    pub(super) fn read(folder: &Path) -> io::Result<Self> {
        let text = |name: &str| std::fs::read_to_string(folder.join(name));
        let bits = |name: &str| text(name).map(|text| bits(&text));
        Ok(Self {
            name: text("name")?.trim_end().to_owned(),
            vendor: u16::from_str_radix(text("id/vendor")?.trim_end(), 16).unwrap_or_default(),
            keys: bits("capabilities/key")?,
            axes: bits("capabilities/abs")?,
            relative_axes: bits("capabilities/rel")?,
            properties: bits("properties")?,
        })
    }

    /// Whether it is a gamepad for a person to hold.
    ///
    /// It has the lower one of the right four buttons, which is what the kernel means by a gamepad, and something to show
    /// a direction with. Keyboards and mice that claim all there is have that, too. Motion sensors and touch pads of a
    /// gamepad are devices of their own, without that button.
    pub(super) fn is_gamepad(&self) -> bool {
        let shows_direction = [Axis::ABS_X, Axis::ABS_HAT0X].iter().any(|axis| self.axes.contains(&axis.0))
            || self.keys.contains(&KeyCode::BTN_DPAD_UP.0);
        let is_other = self.keys.contains(&KeyCode::KEY_LEFTCTRL.0)
            || self.relative_axes.contains(&RelativeAxisCode::REL_X.0)
            || self.properties.contains(&PropType::ACCELEROMETER.0);
        self.keys.contains(&KeyCode::BTN_SOUTH.0) && shows_direction && !is_other && self.name != OF_A_HOST
    }

    /// Whether it has a key.
    pub(super) fn has_key(&self, key: KeyCode) -> bool {
        self.keys.contains(&key.0)
    }

    /// What to call it before a person.
    pub(super) fn device_name(&self) -> DeviceName {
        DeviceName::sanitise(&self.name)
    }
}

/// The numbers of the bits that are set: words in hexadecimal, the highest first, as large as the machine's.
fn bits(text: &str) -> BTreeSet<u16> {
    let words = text.split_ascii_whitespace().rev().map(|word| usize::from_str_radix(word, 16).unwrap_or(0));
    let numbered = words.zip((0..).step_by(usize::BITS as usize));
    numbered
        .flat_map(|(word, first)| {
            (0..usize::BITS as u16).filter(move |bit| word >> bit & 1 == 1).map(move |bit| first + bit)
        })
        .collect()
}

/// What a host calls the gamepads that it makes. Who reads one on the host's own machine would send it there again, and the
/// host would make another of it.
const OF_A_HOST: &str = "Punktfunk gamepad";

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A device with these keys and axes.
    pub(in super::super) fn device(vendor: u16, keys: &[u16], axes: &[u16]) -> Description {
        Description {
            name: "Pad".to_owned(),
            vendor,
            keys: keys.iter().copied().collect(),
            axes: axes.iter().copied().collect(),
            ..Description::default()
        }
    }

    #[test]
    fn bits_are_numbered_from_the_end_of_the_line() {
        assert_eq!(bits("0\n"), BTreeSet::new());
        assert_eq!(bits("5\n"), [0, 2].into());
        // What an Xbox 360 pad says of its keys: 0x130 to 0x13e, as far as it has them.
        let pad = bits("7cdb000000000000 0 0 0 0\n");
        let codes = [0x130, 0x131, 0x133, 0x134, 0x136, 0x137, 0x13A, 0x13B, 0x13C, 0x13D, 0x13E];
        assert_eq!(pad, codes.into());
        assert_eq!(bits("nonsense"), BTreeSet::new());
    }

    #[test]
    fn a_pad_with_sticks_or_directions_is_a_gamepad() {
        assert!(device(0, &[0x130], &[0, 1]).is_gamepad(), "a stick");
        assert!(device(0, &[0x130], &[0x10, 0x11]).is_gamepad(), "a hat");
        assert!(device(0, &[0x130, 0x220, 0x221, 0x222, 0x223], &[]).is_gamepad(), "buttons");
    }

    /// A keyboard that is taken for a pad would be read, and what is typed on it sent to a host.
    #[test]
    fn what_is_no_gamepad_is_left_alone() {
        assert!(!device(0, &[29, 30], &[]).is_gamepad(), "a keyboard");
        assert!(!device(0, &[29, 30, 0x130], &[0, 1]).is_gamepad(), "a keyboard that claims everything");
        assert!(!device(0, &[0x110, 0x111], &[]).is_gamepad(), "a mouse");
        assert!(!device(0, &[0x110, 0x145, 0x14A], &[0, 1]).is_gamepad(), "the touch pad of a gamepad");
        assert!(!device(0, &[], &[0, 1, 2, 3, 4, 5]).is_gamepad(), "the motion sensors of a gamepad");
        assert!(!device(0, &[0x120, 0x121], &[0, 1]).is_gamepad(), "a joystick");
        assert!(!device(0, &[0x130], &[]).is_gamepad(), "a button alone");
        let pad = device(0, &[0x130], &[0, 1]);
        assert!(!Description { relative_axes: [0, 1].into(), ..pad.clone() }.is_gamepad(), "a mouse");
        assert!(!Description { properties: [6].into(), ..pad }.is_gamepad(), "a sensor");
    }

    /// A client on the machine of its host would give it a pad for each pad of the host, without end.
    #[test]
    fn a_pad_of_a_host_is_not_read() {
        let own = Description { name: OF_A_HOST.to_owned(), ..device(0x045E, &[0x130], &[0, 1]) };
        assert!(!own.is_gamepad());
    }

    #[test]
    fn a_folder_of_sysfs_is_read() {
        let folder = tempfile::tempdir().unwrap();
        assert!(Description::read(folder.path()).is_err());
        for part in ["id", "capabilities"] {
            std::fs::create_dir(folder.path().join(part)).unwrap();
        }
        for (file, text) in [
            ("name", "Sony Wireless Controller\n"),
            ("id/vendor", "054c\n"),
            ("capabilities/key", "7cdb000000000000 0 0 0 0\n"),
            ("capabilities/abs", "3003f\n"),
            ("capabilities/rel", "0\n"),
            ("properties", "0\n"),
        ] {
            std::fs::write(folder.path().join(file), text).unwrap();
        }
        let read = Description::read(folder.path()).unwrap();
        assert_eq!((read.name.as_str(), read.vendor), ("Sony Wireless Controller", 0x054C));
        assert_eq!(read.axes, [0, 1, 2, 3, 4, 5, 0x10, 0x11].into());
        assert!(read.is_gamepad());
    }
}
