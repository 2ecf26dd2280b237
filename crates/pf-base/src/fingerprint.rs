//! What a peer is known by: the SHA-256 of its certificate's `SubjectPublicKeyInfo`.

use std::{fmt, str::FromStr};

use data_encoding::{BASE32_NOPAD, HEXLOWER};
use sha2::{Digest, Sha256};

/// The SHA-256 of a DER-encoded `SubjectPublicKeyInfo`: who a peer is, whatever its certificate says.
///
/// It has three forms, and each is made in one place: [`Display`](fmt::Display) is the whole in hex in groups
/// of four, for people; [`Fingerprint::hex`] is the same without gaps, for scripts, files and adverts;
/// [`Fingerprint::for_the_eye`] is the first 80 bits as base32 in four groups of four, for a glance.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint([u8; 32]);

impl Fingerprint {
    /// The fingerprint of a DER-encoded `SubjectPublicKeyInfo`.
    pub fn of_spki(spki: &[u8]) -> Self {
        Self(Sha256::digest(spki).into())
    }

    /// A fingerprint from its 32 bytes.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Its 32 bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The whole as 64 lower-case hex digits, without gaps.
    pub fn hex(&self) -> String {
        HEXLOWER.encode(&self.0)
    }

    /// The first 80 bits as 16 base32 characters in four groups of four, for comparing at a glance.
    pub fn for_the_eye(&self) -> String {
        let text = BASE32_NOPAD.encode(&self.0[..10]);
        format!("{}-{}-{}-{}", &text[..4], &text[4..8], &text[8..12], &text[12..])
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, pair) in self.0.chunks(2).enumerate() {
            let gap = if i == 0 { "" } else { " " };
            write!(f, "{gap}{:02x}{:02x}", pair[0], pair[1])?;
        }
        Ok(())
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.for_the_eye())
    }
}

/// The text is not 64 hex digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a fingerprint is 64 hex digits, with or without spaces between groups")]
pub struct ParseFingerprintError;

impl FromStr for Fingerprint {
    type Err = ParseFingerprintError;

    /// Reads either whole form; spaces, colons and hyphens between digits are skipped, case does not matter.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digits: String = text
            .chars()
            .filter(|c| !matches!(c, ' ' | ':' | '-'))
            .map(|c| c.to_ascii_lowercase())
            .take(65)
            .collect();
        let bytes = HEXLOWER.decode(digits.as_bytes()).map_err(|_| ParseFingerprintError)?;
        bytes.try_into().map(Self).map_err(|_| ParseFingerprintError)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COUNTING: Fingerprint = Fingerprint([
        0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27,
        28, 29, 30, 31,
    ]);

    #[test]
    fn the_forms_are_these() {
        assert_eq!(
            COUNTING.to_string(),
            "0001 0203 0405 0607 0809 0a0b 0c0d 0e0f 1011 1213 1415 1617 1819 1a1b 1c1d 1e1f"
        );
        assert_eq!(COUNTING.hex(), "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f");
        assert_eq!(COUNTING.for_the_eye(), "AAAQ-EAYE-AUDA-OCAJ");
    }

    #[test]
    fn every_whole_form_reads_back() {
        for text in
            [COUNTING.hex(), COUNTING.to_string(), COUNTING.to_string().to_uppercase().replace(' ', ":")]
        {
            assert_eq!(text.parse(), Ok(COUNTING), "{text}");
        }
    }

    #[test]
    fn a_part_of_a_fingerprint_is_not_one() {
        for text in ["", "0001", &COUNTING.for_the_eye(), &format!("{}00", COUNTING.hex()), &"zz".repeat(32)]
        {
            assert_eq!(text.parse::<Fingerprint>(), Err(ParseFingerprintError), "{text}");
        }
    }
}
