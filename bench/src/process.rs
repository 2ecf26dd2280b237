//! What `/proc` knows of a process, and of the machine.

use std::{fs, time::Duration};

use anyhow::{Context, Result};

/// What `/proc` counts a process's time in: Linux's `USER_HZ` is 100 wherever it runs.
const TICK: Duration = Duration::from_millis(10);

/// The time on processors that a process has taken so far, its threads included; also of one that has just ended.
pub(crate) fn cpu_time(id: u32) -> Result<Duration> {
    times(id, 2)
}

/// The first `count` of a process's times: as itself and in the kernel, then those of children that it has seen end.
fn times(id: u32, count: usize) -> Result<Duration> {
    let stat = fs::read_to_string(format!("/proc/{id}/stat")).context("the process is gone")?;
    // The name may hold spaces; what follows its closing bracket does not.
    let fields: Vec<_> = stat.rsplit_once(')').map_or("", |(_, rest)| rest).split_whitespace().collect();
    let times = fields.get(11..11 + count).context("/proc/…/stat has no times")?;
    let ticks = times.iter().map(|text| text.parse::<u32>()).sum::<Result<u32, _>>()?;
    Ok(TICK * ticks)
}

/// The time on processors that a process and all that it started have taken so far, also what has ended since.
pub(crate) fn cpu_time_of_all(id: u32) -> Result<Duration> {
    let mut total = times(id, 4)?;
    for child in children(id) {
        // One that ends just now is counted by its parent the next time.
        total += cpu_time_of_all(child).unwrap_or_default();
    }
    Ok(total)
}

fn children(id: u32) -> Vec<u32> {
    let Ok(threads) = fs::read_dir(format!("/proc/{id}/task")) else { return Vec::new() };
    let lists =
        threads.flatten().filter_map(|thread| fs::read_to_string(thread.path().join("children")).ok());
    lists.flat_map(|list| list.split(' ').filter_map(|id| id.parse().ok()).collect::<Vec<_>>()).collect()
}

/// How many bytes have come by an interface of the network that a process is in.
pub(crate) fn received(id: u32, interface: &str) -> Result<u64> {
    let interfaces = fs::read_to_string(format!("/proc/{id}/net/dev")).context("the process is gone")?;
    let mut lines = interfaces.lines().filter_map(|line| line.trim_start().split_once(':'));
    let line = lines.find(|(name, _)| *name == interface);
    let bytes = line.and_then(|(_, counters)| counters.split_whitespace().next()?.parse().ok());
    bytes.with_context(|| format!("/proc/…/net/dev has no {interface}"))
}

/// The memory that a process has in use, in KiB.
pub(crate) fn memory(id: u32) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{id}/status")).context("the process is gone")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let number = line.and_then(|rest| rest.split_whitespace().next()?.parse().ok());
    number.context("/proc/…/status has no VmRSS")
}

/// One line on the machine, and on how busy it was.
pub(crate) fn machine() -> String {
    let read = |path| fs::read_to_string(path).unwrap_or_default();
    let (cpus, load) = (read("/proc/cpuinfo"), read("/proc/loadavg"));
    let mut models = cpus.lines().filter_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let model = models.next().map_or("unknown processor", |(_, model)| model);
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let load: Vec<_> = load.split(' ').take(3).collect();
    let kernel = rustix::system::uname();
    let release = kernel.release().to_string_lossy().into_owned();
    format!("{cores} × {model}, Linux {release}; load averages at the end: {}.", load.join(", "))
}
