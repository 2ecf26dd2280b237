//! The texts of an advert: whatever they say, what is read of them is harmless and bounded.
//!
//! The input is up to five values, split at zero bytes.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pf_discovery::Advert;

fuzz_target!(|text: &[u8]| {
    let text = String::from_utf8_lossy(text);
    let mut values = text.split('\0');
    let [instance, name, id, fp, pair] = std::array::from_fn(|_| values.next());
    let txt = |key: &str| match key {
        "name" => name,
        "id" => id,
        "fp" => fp,
        "pair" => pair,
        _ => None,
    };
    let advert = Advert::read(instance.unwrap_or_default(), txt, []);
    assert!(advert.name.as_str().len() <= 64);
    assert!(!advert.name.as_str().chars().any(char::is_control));
    assert!(advert.id.is_none_or(|id| id.len() <= 64));
});
