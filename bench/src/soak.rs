//! A long stream: neither end may grow.

use std::{
    net::Ipv4Addr,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};

use crate::{
    format::Format,
    glass::{Painter, Scene},
    host::Host,
    peer::Ask,
    process::memory,
    program::{Place, Program},
    viewer::{self, Viewer},
    x_server::XServer,
};

/// How often memory is looked at.
const EACH: Duration = Duration::from_mins(1);

/// How much more a program may have at the end than after its first minutes, in KiB. A leak of one byte a datagram is
/// more than that in an hour.
const SLACK: u64 = 2048;

/// Streams for so many minutes, prints both ends' memory each minute, and fails when one has grown, or when the picture
/// stood still.
pub(crate) fn run(minutes: u32) -> Result<()> {
    let Format { size, fps, .. } = Format::HD_60;
    let display = XServer::xvfb(size)?;
    let _painter = Painter::start(display.name(), Scene::Desktop, fps)?;
    let host = Host::mirroring(Place::Here, Ipv4Addr::LOCALHOST, display.name())?;
    let viewer = Viewer::pair(&host)?;
    let ask = Ask { size, fps, megabits: 15 };
    let mut client = Program::start(&mut viewer.headless(ask)?)?;
    let begun = Instant::now();
    let (mut host_memory, mut client_memory) = (Vec::new(), Vec::new());
    println!("| minute | host | client |\n| ---: | ---: | ---: |");
    for minute in 1..=minutes {
        thread::sleep((EACH * minute).saturating_sub(begun.elapsed()));
        client.check()?;
        let (host, client) = (memory(host.id())?, memory(client.id())?);
        println!("| {minute} | {host} KiB | {client} KiB |");
        host_memory.push(host);
        client_memory.push(client);
    }
    let said = client.stop()?;
    println!("\n{}", said.trim());
    let frames = viewer::last_report(&said)?["frames"].as_u64().unwrap_or_default();
    let drawn = u64::from(minutes) * 60 * u64::from(fps.get());
    ensure!(frames * 2 >= drawn, "{frames} pictures came of {drawn}: what stands still does not grow");
    for (who, samples) in [("host", &host_memory), ("client", &client_memory)] {
        let grown = growth(samples);
        ensure!(grown <= SLACK, "the {who} has grown by {grown} KiB in {minutes} minutes");
    }
    Ok(())
}

/// By how much the last third is above the first, the very first minute left out: it fills what is filled once.
fn growth(samples: &[u64]) -> u64 {
    let settled = samples.get(1..).unwrap_or_default();
    let third = settled.len().div_ceil(3);
    let most = |part: &[u64]| part.iter().copied().max().unwrap_or_default();
    most(&settled[settled.len() - third..]).saturating_sub(most(&settled[..third]))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A leak that is not noticed makes the soak a waste of time.
    #[test]
    fn a_leak_is_told_from_a_program_that_fills_its_buffers_once() {
        let leaking: Vec<_> = (0..30).map(|minute| 20_000 + minute * 100).collect();
        assert!(growth(&leaking) > 1800, "{}", growth(&leaking));
        let filling: Vec<_> = [10_000].into_iter().chain(std::iter::repeat_n(20_000, 29)).collect();
        assert_eq!(growth(&filling), 0);
        let breathing: Vec<_> = (0..30).map(|minute| 20_000 + minute % 2 * 700).collect();
        assert_eq!(growth(&breathing), 0);
        assert_eq!(growth(&[20_000]), 0);
    }
}
