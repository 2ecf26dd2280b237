//! Names that look like the name of a paired device: a warning for the owner, never a decision.

use pf_base::DeviceName;
use unicode_normalization::UnicodeNormalization;
use unicode_security::confusable_detection::skeleton;

use crate::record::Device;

/// The device that a name could be taken for, where there is one.
///
/// Names are compared by their [UTS #39] skeletons, after compatibility forms are undone, with and without regard to
/// case. A device that gave no name resembles nobody.
///
/// [UTS #39]: https://www.unicode.org/reports/tr39/#Confusable_Detection
pub fn resembles<'a>(name: &DeviceName, devices: impl IntoIterator<Item = &'a Device>) -> Option<&'a Device> {
    if name.as_str() == DeviceName::UNNAMED {
        return None;
    }
    let looks = Looks::of(name);
    devices.into_iter().find(|device| looks.resemble(&Looks::of(&device.label)))
}

/// What a name looks like to a hurried reader.
///
/// Two forms, because the case of a letter changes what it looks like: a capital I is a small l to the eye, and a
/// small i is the same letter as a capital I. Names that agree in either are alike.
struct Looks {
    as_written: String,
    case_folded: String,
}

impl Looks {
    fn of(name: &DeviceName) -> Self {
        let plain: String = name.as_str().nfkc().collect();
        let seen: String = skeleton(&plain).collect();
        Self {
            as_written: skeleton(&seen.to_lowercase()).collect(),
            case_folded: skeleton(&plain.to_lowercase()).collect(),
        }
    }

    fn resemble(&self, other: &Self) -> bool {
        self.as_written == other.as_written || self.case_folded == other.case_folded
    }
}
