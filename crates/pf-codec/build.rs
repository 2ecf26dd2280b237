//! Compiles what speaks to x264, if that is asked for.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    #[cfg(feature = "x264")]
    {
        println!("cargo:rerun-if-changed=src/x264/shim.c");
        cc::Build::new().file("src/x264/shim.c").warnings_into_errors(true).compile("pf_x264");
        println!("cargo:rustc-link-lib=x264");
    }
}
