//! Proofs that a check was passed: values that only this crate can make.
//!
//! A store that takes one of these to write trust cannot be made to write it by a caller that has none.

use pf_base::{DeviceName, Fingerprint};

/// A peer that proved, in a finished ceremony, that it knew the PIN: the only thing that PIN pairing stores.
///
/// On the host it is made once cA was right, on the client once cB was, and nowhere else:
///
/// ```compile_fail,E0624
/// # use pf_base::{DeviceName, Fingerprint};
/// # fn anyone(fingerprint: Fingerprint, name: DeviceName) {
/// let _ = pf_trust::proof::ConfirmedPeer::new(fingerprint, name);
/// # }
/// ```
/// ```compile_fail,E0451
/// # use pf_base::{DeviceName, Fingerprint};
/// # fn anyone(fingerprint: Fingerprint, name: DeviceName) {
/// let _ = pf_trust::proof::ConfirmedPeer { fingerprint, name };
/// # }
/// ```
#[derive(Debug, PartialEq, Eq)]
#[must_use = "a confirmed peer that is not stored was paired for nothing"]
pub struct ConfirmedPeer {
    fingerprint: Fingerprint,
    name: DeviceName,
}

impl ConfirmedPeer {
    pub(crate) fn new(fingerprint: Fingerprint, name: DeviceName) -> Self {
        Self { fingerprint, name }
    }

    /// The key that was confirmed.
    pub fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }

    /// What the peer calls itself; bound into the transcript.
    pub fn name(&self) -> &DeviceName {
        &self.name
    }
}

/// The operator's yes to one waiting request.
#[derive(Debug, PartialEq, Eq)]
#[must_use = "an approval that is not stored admits nobody"]
pub struct Approval {
    fingerprint: Fingerprint,
    label: DeviceName,
    compared: Comparison,
}

impl Approval {
    pub(crate) fn new(fingerprint: Fingerprint, label: DeviceName, compared: Comparison) -> Self {
        Self { fingerprint, label, compared }
    }

    /// The key that was approved.
    pub fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }

    /// What the device is called from now on.
    pub fn label(&self) -> &DeviceName {
        &self.label
    }

    /// Whether there was a check code to compare.
    pub fn compared(&self) -> Comparison {
        self.compared
    }
}

/// Whether the person who approved had a check code to compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// The check code was on the screen.
    CodeShown,
    /// The device did not wait, so there was nothing to compare.
    NothingToCompare,
}

/// The PIN was taken out of use: only who holds this may evaluate an attempt against it.
///
/// Only the admission policy makes it:
///
/// ```compile_fail,E0624
/// let _ = pf_trust::proof::PinTaken::new(1);
/// ```
/// ```compile_fail,E0451
/// let _ = pf_trust::proof::PinTaken { generation: 1 };
/// ```
#[derive(Debug, PartialEq, Eq)]
#[must_use = "a taken PIN is spent; the attempt it was taken for must be evaluated"]
pub struct PinTaken {
    generation: u64,
}

impl PinTaken {
    pub(crate) fn new(generation: u64) -> Self {
        Self { generation }
    }

    /// The arming that this PIN belonged to.
    pub fn generation(&self) -> u64 {
        self.generation
    }
}
