//! Whether OpenH264's assembly is built in.

#![cfg(all(target_arch = "x86_64", target_os = "linux"))]

use pf_codec::{Backend, EncoderConfig, FrameKind, I420, decoder};
use pf_media::picture::Size;

/// Without `nasm` the library's build leaves the assembly out and says nothing; encoding then takes 2 to 4 times as
/// long. Its routines are plain symbols, so this program must have them in its own symbol table.
#[test]
fn the_codec_is_built_with_its_assembly() {
    // Uses both halves of the library, so that the linker keeps them.
    let size = Size::new(64, 64);
    let config = EncoderConfig { size, fps: 60, bitrate: 1_000_000, threads: 1 };
    let mut encoder = Backend::OpenH264.encoder(config).unwrap();
    let frame = encoder.encode(&I420::new(size), FrameKind::Auto).unwrap();
    assert!(decoder().unwrap().decode(frame.access_unit).unwrap().is_some());

    let program = std::fs::read(std::env::current_exe().unwrap()).unwrap();
    let has_symbol = |name: &str| {
        // Put together here, since a literal would be found where it stands itself.
        let symbol = ["\0", name, "_sse2", "\0"].concat();
        program.windows(symbol.len()).any(|bytes| bytes == symbol.as_bytes())
    };
    assert!(!has_symbol("WelsNoSuchRoutine"), "the search finds what is not there");
    for routine in ["WelsSampleSad16x16", "WelsQuantFour4x4", "WelsDecoderI16x16LumaPredH"] {
        assert!(
            has_symbol(routine),
            "OpenH264 was built without assembly: install nasm, then `cargo clean -p openh264-sys2`"
        );
    }
}
