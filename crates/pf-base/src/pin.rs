//! The PIN that the host shows and the person types.

use std::fmt;

use subtle::ConstantTimeEq;
use zeroize::{Zeroize, ZeroizeOnDrop};

/// How many digits a PIN has: 4 to 10.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PinDigits(u8);

impl PinDigits {
    /// Four digits: with one online guess, one chance in ten thousand.
    pub const DEFAULT: Self = Self(4);

    /// Six digits: what an unbound window takes after too many burned ones.
    pub const AFTER_TOO_MANY_BURNED: Self = Self(6);

    /// A number of digits, where it is in 4 to 10.
    pub const fn new(digits: u8) -> Option<Self> {
        if digits >= 4 && digits <= 10 { Some(Self(digits)) } else { None }
    }

    /// The number of digits.
    pub const fn count(self) -> u8 {
        self.0
    }

    /// How many PINs of this length there are.
    const fn range(self) -> u64 {
        10_u64.pow(self.0 as u32)
    }
}

/// A PIN: secret, wiped on drop, compared in constant time, and without a way to print it by accident.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct Pin {
    digits: [u8; 10],
    count: usize,
}

impl Pin {
    /// A PIN of uniformly random digits, leading zeros included.
    ///
    /// `random` is called for fresh uniform 64-bit numbers; the few that would favour some PINs are drawn again.
    pub fn random(length: PinDigits, mut random: impl FnMut() -> u64) -> Self {
        let range = length.range();
        let unbiased = u64::MAX - u64::MAX % range;
        let mut number = random();
        while number >= unbiased {
            number = random();
        }
        number %= range;
        let count = usize::from(length.count());
        let mut digits = [0; 10];
        for place in digits[..count].iter_mut().rev() {
            *place = b'0' + (number % 10) as u8;
            number /= 10;
        }
        Self { digits, count }
    }

    /// A PIN as a person typed it. Spaces are skipped.
    pub fn parse(text: &str) -> Result<Self, ParsePinError> {
        let mut pin = Self { digits: [0; 10], count: 0 };
        for c in text.chars().filter(|c| !c.is_whitespace()) {
            if !c.is_ascii_digit() || pin.count == pin.digits.len() {
                return Err(ParsePinError);
            }
            pin.digits[pin.count] = c as u8;
            pin.count += 1;
        }
        if pin.count < 4 { Err(ParsePinError) } else { Ok(pin) }
    }

    /// The digits as text, for showing to the owner and for key derivation. Never log it.
    pub fn reveal(&self) -> &str {
        std::str::from_utf8(&self.digits[..self.count]).unwrap_or_default()
    }

    /// How many digits it has.
    pub fn len(&self) -> PinDigits {
        PinDigits(self.count as u8)
    }
}

impl PartialEq for Pin {
    fn eq(&self, other: &Self) -> bool {
        (self.count.ct_eq(&other.count) & self.digits.ct_eq(&other.digits)).into()
    }
}

impl Eq for Pin {}

impl fmt::Debug for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pin(…)")
    }
}

/// The text is not 4 to 10 digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a PIN is 4 to 10 digits")]
pub struct ParsePinError;

#[cfg(test)]
mod tests {
    use super::*;

    /// A PIN space with holes or favourites gives a guesser more than one chance in ten thousand.
    #[test]
    fn inv_21_pins_are_uniform_with_leading_zeros() {
        let mut counter = 0_u64;
        let mut seen = vec![0_u32; 10_000];
        for _ in 0..100_000 {
            let pin = Pin::random(PinDigits::DEFAULT, || {
                counter += 1;
                counter
            });
            assert_eq!(pin.reveal().len(), 4);
            seen[pin.reveal().parse::<usize>().unwrap()] += 1;
        }
        assert!(seen.iter().all(|&times| times == 10), "every PIN, 0000 included, comes equally often");
    }

    /// The last, incomplete run of 64-bit numbers would favour small PINs; it is drawn again.
    #[test]
    fn inv_21_numbers_that_would_bias_are_drawn_again() {
        let mut numbers = [u64::MAX, u64::MAX - 1, 42].into_iter();
        let pin = Pin::random(PinDigits::new(10).unwrap(), || numbers.next().unwrap());
        assert_eq!(pin.reveal(), "0000000042");
    }

    #[test]
    fn debug_shows_no_digit() {
        let pin = Pin::parse("0417").unwrap();
        assert!(!format!("{pin:?}").contains(|c: char| c.is_ascii_digit()));
    }

    #[test]
    fn a_typed_pin_is_read_as_typed() {
        assert_eq!(Pin::parse(" 04 17\n").unwrap().reveal(), "0417");
        for bad in ["", "123", "12345678901", "12a4", "-1234", "１２３４"] {
            assert_eq!(Pin::parse(bad).err(), Some(ParsePinError), "{bad}");
        }
    }

    #[test]
    fn pins_of_other_length_or_digits_differ() {
        let pin = Pin::parse("0417").unwrap();
        assert!(pin == Pin::parse("0417").unwrap());
        assert!(pin != Pin::parse("0418").unwrap());
        assert!(pin != Pin::parse("04170").unwrap());
    }
}
