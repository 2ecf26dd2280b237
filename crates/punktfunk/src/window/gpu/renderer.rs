//! What renderers of OpenGL call themselves, and which of them are no hardware.

/// Whether this is the name of a GPU, and not of a program that does a GPU's work on the processor. One that has no name is
/// taken for a program.
pub(in crate::window) fn is_hardware(renderer: &str) -> bool {
    let name = renderer.to_lowercase();
    let mut words = name.split(|letter: char| !letter.is_alphanumeric());
    let is_program = words.any(|word| SOFTWARE_WORDS.contains(&word))
        || SOFTWARE_PHRASES.iter().any(|phrase| name.contains(phrase));
    !name.trim().is_empty() && !is_program
}

/// Words that stand in the names of programs: Mesa's, and Google's. They stand as well in the name of a GPU that only hands
/// on to one of them: that of a virtual machine, or Vulkan's.
const SOFTWARE_WORDS: &[&str] = &["llvmpipe", "softpipe", "lavapipe", "swrast", "swr", "swiftshader"];

/// The same in more than one word: Mesa's oldest and Apple's, Windows' without a driver, and its newer ones.
const SOFTWARE_PHRASES: &[&str] =
    &["software", "gdi generic", "microsoft basic render", "mesa x11", "mesa offscreen"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hardware_is_taken() {
        for name in [
            "Mesa Intel(R) UHD Graphics 630 (CFL GT2)",
            "Mesa DRI Intel(R) HD Graphics 4000 (IVB GT2)",
            "AMD Radeon RX 6800 XT (radeonsi, navi21, LLVM 17.0.6, DRM 3.54, 6.5.0)",
            "NVIDIA GeForce RTX 3060/PCIe/SSE2",
            "NV137",
            "V3D 4.2",
            "Mali-G52 (Panfrost)",
            "Apple M1 (G13G B1)",
            "zink Vulkan 1.3(AMD Radeon RX 580 Series (RADV POLARIS10) (MESA_RADV))",
            "virgl (AMD Radeon RX 6800 XT (radeonsi, navi21, LLVM 17.0.6))",
            "SVGA3D; build: RELEASE;  LLVM;",
            "D3D12 (NVIDIA GeForce GTX 1660)",
        ] {
            assert!(is_hardware(name), "{name}");
        }
    }

    /// A picture takes twenty times as long there as without OpenGL.
    #[test]
    fn programs_that_play_hardware_are_refused() {
        for name in [
            "llvmpipe (LLVM 15.0.6, 256 bits)",
            "Gallium 0.4 on llvmpipe (LLVM 3.4, 128 bits)",
            "softpipe",
            "SWR (LLVM 11.0.0, 256 bits)",
            "Mesa DRI swrast",
            "Software Rasterizer",
            "Mesa X11",
            "Mesa OffScreen",
            "Google SwiftShader",
            "ANGLE (Google, Vulkan 1.3.0 (SwiftShader Device (Subzero) (0x0000C0DE)), SwiftShader driver)",
            "zink Vulkan 1.3(llvmpipe (LLVM 15.0.6, 256 bits) (MESA_LLVMPIPE))",
            "zink (lavapipe)",
            "virgl (LLVMPIPE (LLVM 15.0.6, 256 bits))",
            "virgl (llvmpipe)",
            "D3D12 (Microsoft Basic Render Driver)",
            "GDI Generic",
            "Apple Software Renderer",
            "",
            " ",
        ] {
            assert!(!is_hardware(name), "{name:?}");
        }
    }
}
