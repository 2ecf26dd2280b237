//! The owner's password: made, judged, hashed and compared.

use argon2::{Algorithm, Argon2, Params, PasswordHash, PasswordHasher, PasswordVerifier, Version};
use unicode_normalization::UnicodeNormalization;
use zeroize::Zeroizing;

/// A password in the clear: wiped on drop, and without a way to print it by accident.
pub struct Password(Zeroizing<String>);

impl Password {
    /// A password of 80 random bits: four groups of four letters and digits that no font confuses.
    pub fn generate(random: &[u8; 10]) -> Self {
        let bits = random.iter().fold(0_u128, |bits, byte| bits << 8 | u128::from(*byte));
        let mut text = Zeroizing::new(String::with_capacity(19));
        for place in 0..16 {
            if place > 0 && place % 4 == 0 {
                text.push('-');
            }
            let index = (bits >> (75 - 5 * place)) & 31;
            text.push(char::from(ALPHABET[index as usize]));
        }
        Self(text)
    }

    /// A password as somebody typed it; keyboards differ in how they compose letters, so it is put in NFC.
    pub fn typed(text: &str) -> Self {
        Self(Zeroizing::new(text.nfc().collect()))
    }

    /// The password as text, for its owner. Never log it.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// Whether it will do as a new password on a host of this name.
    pub fn check(&self, host_name: &str) -> Result<(), WeakPassword> {
        let count = self.0.chars().count();
        if count < MIN_CHARACTERS {
            return Err(WeakPassword::Short);
        }
        if count > MAX_CHARACTERS {
            return Err(WeakPassword::Long);
        }
        let mut characters = self.0.chars();
        let first = characters.next();
        if characters.all(|c| Some(c) == first) {
            return Err(WeakPassword::OneCharacter);
        }
        if self.0.trim().to_lowercase() == host_name.trim().to_lowercase() {
            return Err(WeakPassword::HostName);
        }
        Ok(())
    }

    /// Its hash, to keep. Slow and large on purpose: run it where blocking is fine.
    pub(crate) fn hash(&self, salt: &[u8; 16]) -> Hashed {
        let hash: PasswordHash = argon2()
            .hash_password_with_salt(self.0.as_bytes(), salt)
            .expect("the salt is 16 bytes and the password is short");
        Hashed(hash)
    }
}

/// What is kept of a password: an argon2id hash with its salt and costs.
#[derive(Clone)]
pub(crate) struct Hashed(PasswordHash);

impl Hashed {
    /// Reads a PHC string.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let hash = PasswordHash::new(text).ok()?;
        (hash.algorithm == argon2::ARGON2ID_IDENT && hash.hash.is_some()).then_some(Self(hash))
    }

    /// The PHC string.
    pub(crate) fn to_phc(&self) -> String {
        self.0.to_string()
    }

    /// Whether this is the hash of that password; in constant time. As slow as [`Password::hash`].
    pub(crate) fn is_of(&self, password: &Password) -> bool {
        password.0.len() <= MAX_BYTES && argon2().verify_password(password.0.as_bytes(), &self.0).is_ok()
    }
}

/// Why a new password will not do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WeakPassword {
    /// Fewer than 10 characters.
    #[error("The password is too short.")]
    Short,
    /// More than 128 characters.
    #[error("The password is too long.")]
    Long,
    /// The same character over and over.
    #[error("The password is one character over and over.")]
    OneCharacter,
    /// What the host calls itself, which it tells everybody.
    #[error("The password is the name of this computer, which everybody can see.")]
    HostName,
}

impl WeakPassword {
    /// What to do, as a sentence.
    pub fn way_on(self) -> &'static str {
        match self {
            Self::Short | Self::OneCharacter | Self::HostName => {
                "Choose one of at least 10 characters that nobody guesses, such as four unrelated words."
            }
            Self::Long => "Choose one of at most 128 characters.",
        }
    }
}

/// The costs that OWASP gives for argon2id with the least memory: 19 MiB, two passes, one lane.
fn argon2() -> Argon2<'static> {
    let params = Params::new(19_456, 2, 1, None).expect("the costs are in range");
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
}

/// 32 lower-case letters and digits (Crockford's): without i, l, o, which look like digits, and u.
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
const MIN_CHARACTERS: usize = 10;
const MAX_CHARACTERS: usize = 128;
/// What the longest password can take in UTF-8.
const MAX_BYTES: usize = 4 * MAX_CHARACTERS;

#[cfg(test)]
mod tests {
    use super::*;

    /// A guesser starts from what generated passwords have in common.
    #[test]
    fn r8_a_generated_password_has_all_of_its_80_bits() {
        assert_eq!(Password::generate(&[0; 10]).reveal(), "0000-0000-0000-0000");
        assert_eq!(Password::generate(&[0xff; 10]).reveal(), "zzzz-zzzz-zzzz-zzzz");
        assert_eq!(
            Password::generate(&[0x00, 0x44, 0x32, 0x14, 0xc7, 0x42, 0x54, 0xb6, 0x35, 0xcf]).reveal(),
            "0123-4567-89ab-cdef"
        );
        for bit in 0..80 {
            let mut random = [0; 10];
            random[bit / 8] = 0x80 >> (bit % 8);
            let text = Password::generate(&random);
            assert_eq!(text.reveal().chars().filter(|c| !"0-".contains(*c)).count(), 1, "bit {bit}");
        }
        let mut letters = ALPHABET.to_vec();
        letters.sort_unstable();
        letters.dedup();
        assert_eq!(letters.len(), 32);
    }

    #[test]
    fn weak_passwords_are_refused() {
        let check = |text: &str| Password::typed(text).check("Living Room PC");
        assert_eq!(check("short"), Err(WeakPassword::Short));
        assert_eq!(check("ninechars"), Err(WeakPassword::Short));
        assert_eq!(check("ten chars!"), Ok(()));
        assert_eq!(check("ääääääääää"), Err(WeakPassword::OneCharacter));
        assert_eq!(check("living room pc "), Err(WeakPassword::HostName));
        assert_eq!(check(&"ab".repeat(64)), Ok(()));
        assert_eq!(check(&format!("{}c", "ab".repeat(64))), Err(WeakPassword::Long));
        assert_eq!(check(&"パスワード".repeat(2)), Ok(()), "characters count, not bytes");
    }

    #[test]
    fn a_password_is_known_by_its_hash_alone() {
        let password = Password::typed("correct horse");
        let hashed = password.hash(&[7; 16]);
        let phc = hashed.to_phc();
        assert!(phc.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{phc}");
        assert!(!phc.contains("correct"));
        let kept = Hashed::parse(&phc).unwrap();
        assert!(kept.is_of(&password));
        assert!(!kept.is_of(&Password::typed("correct horsf")));
        assert!(!kept.is_of(&Password::typed("")));
        assert_ne!(password.hash(&[8; 16]).to_phc(), phc, "another salt, another hash");
    }

    /// One keyboard sends é as one character, another as two.
    #[test]
    fn composition_does_not_matter() {
        assert_eq!(Password::typed("cafe\u{301}").reveal(), Password::typed("caf\u{e9}").reveal());
    }

    #[test]
    fn what_is_no_hash_is_refused() {
        for text in [
            "",
            "plain",
            "$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHRzYWx0",
            "$scrypt$ln=1$c2FsdHNhbHQ$aGFzaA",
        ] {
            assert!(Hashed::parse(text).is_none(), "{text}");
        }
    }
}
