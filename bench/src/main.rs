//! Measures Punktfunk's programs against bare baselines of the same run, and prints a table.
//!
//! A figure in milliseconds says more about the machine than about the program, so each stands beside what the bare
//! library needs for the same thing here and now: quinn for a handshake, the codec for a picture. `cargo xtask bench`
//! builds everything for release first; the programs are taken from beside this one.
//!
//! This program also plays the other parts, in processes of their own: `bare-host` and `draw`.

#![forbid(unsafe_code)]

mod bare;
mod host;
mod picture;
mod process;
mod screen;
mod table;
mod trust;

use anyhow::{Result, bail};

use host::Host;
use table::Table;

fn main() -> Result<()> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let words: Vec<_> = arguments.iter().map(String::as_str).collect();
    match words[..] {
        [] => measure(),
        [bare::WORD] => bare::serve(),
        [screen::WORD, display] => screen::draw(display),
        _ => bail!("pf-bench takes no arguments"),
    }
}

fn measure() -> Result<()> {
    if cfg!(debug_assertions) {
        eprintln!("This is a build for debugging: the ratios mean something, the rest does not.");
    }
    let mut table = Table::new();
    let bare = bare::BareHost::start()?;
    let host = Host::start("synthetic", None)?;
    table.memory("idle memory of the host", process::memory(host.id())?, process::memory(bare.id())?);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(trust::measure(&mut table, &host, &bare))?;
    drop(host);
    for test in picture::TESTS {
        picture::measure(&mut table, test)?;
    }
    print!("{table}");
    println!("\n{}", process::machine());
    Ok(())
}
