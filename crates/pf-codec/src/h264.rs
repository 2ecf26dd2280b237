//! H.264 by way of the OpenH264 library.
//!
//! The library's own `openh264` crate offers neither slices for threads nor the parameters that keep latency
//! down, so this speaks to the library itself; everything `unsafe` is in [`ffi`].

mod decoder;
mod encoder;
mod ffi;
mod long_term;
mod rate;

pub use decoder::OpenH264Decoder;
pub use encoder::OpenH264Encoder;

/// The types of the NAL units in an Annex B byte stream, in order (H.264 table 7-1).
fn nal_unit_types(access_unit: &[u8]) -> impl Iterator<Item = u8> {
    access_unit.windows(4).filter(|bytes| bytes.starts_with(&[0, 0, 1])).map(|bytes| bytes[3] & 0x1f)
}

/// NAL unit type of a slice of a picture that is no key frame.
const SLICE: u8 = 1;
/// NAL unit type of a slice of a key frame.
const KEY_SLICE: u8 = 5;

#[cfg(test)]
mod tests {
    use super::nal_unit_types;

    #[test]
    fn nal_units_are_found_behind_both_forms_of_start_code() {
        let stream = [0, 0, 0, 1, 0x67, 9, 0, 0, 1, 0x68, 8, 0, 0, 0, 1, 0x65, 0];
        assert_eq!(nal_unit_types(&stream).collect::<Vec<_>>(), [7, 8, 5]);
    }

    #[test]
    fn a_start_code_with_nothing_behind_it_is_no_nal_unit() {
        assert_eq!(nal_unit_types(&[0, 0, 1]).count(), 0);
        assert_eq!(nal_unit_types(&[]).count(), 0);
    }
}
