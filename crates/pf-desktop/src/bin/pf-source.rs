//! Opens a video source and says what it delivers: to look at a machine's sources, and to measure them.
//!
//! ```text
//! pf-source KIND [--size WxH] [--fps N] [--display NAME] [--seconds N] [-- COMMAND [ARGUMENT]...]
//! ```
//!
//! Prints the source that was chosen, then a line a second: pictures, their size, and how long taking one took
//! (median and longest). It ends after the seconds given, or when its source does.

use std::ffi::OsString;
use std::num::NonZeroU32;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use pf_desktop::virtual_display::run_if_supervisor;
use pf_desktop::{
    SessionCommand, Source, SourceConfig, SourceError, SourceKind, Stop, VirtualConfig, WaylandConfig,
};
use pf_media::picture::Size;

fn main() -> ExitCode {
    run_if_supervisor();
    let (config, length) = match parse(std::env::args_os().skip(1)) {
        Ok(parsed) => parsed,
        Err(problem) => {
            eprintln!("pf-source: {problem}");
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    match run(config, length) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("pf-source: {error}\nTo go on: {}", error.way_on());
            ExitCode::FAILURE
        }
    }
}

fn run(mut config: SourceConfig, length: Duration) -> Result<(), SourceError> {
    let no_handle =
        |error: std::io::Error| SourceError::System { what: "cannot begin", reason: error.to_string() };
    let stop = Stop::new().map_err(no_handle)?;
    let choice = pf_desktop::choose(&config, &stop);
    println!("source {}: {}", choice.kind, choice.why);
    config.kind = choice.kind;
    let mut source = pf_desktop::open(&config, &stop)?;
    let end = Instant::now() + length;
    while Instant::now() < end {
        watch(&mut *source, end.min(Instant::now() + Duration::from_secs(1)))?;
    }
    Ok(())
}

/// Takes pictures until `deadline` and prints a line on them.
fn watch(source: &mut dyn Source, deadline: Instant) -> Result<(), SourceError> {
    let mut durations = Vec::new();
    while Instant::now() < deadline {
        if let Some(picture) = source.next_picture(deadline)? {
            durations.push(picture.captured.elapsed());
        }
    }
    durations.sort_unstable();
    let count = durations.len();
    let median = durations.get(count / 2).copied().unwrap_or_default();
    let longest = durations.last().copied().unwrap_or_default();
    println!("{count} pictures of {}, taken in {median:.2?}, at most {longest:.2?}", source.size());
    Ok(())
}

fn parse(mut words: impl Iterator<Item = OsString>) -> Result<(SourceConfig, Duration), String> {
    let kind: SourceKind = parsed("KIND", words.next())?;
    let mut config = SourceConfig {
        kind,
        size: Size::new(1280, 720),
        fps: NonZeroU32::MIN.saturating_add(59),
        display: None,
        wayland: WaylandConfig::default(),
        virtual_display: VirtualConfig::default(),
    };
    let mut length = Duration::MAX;
    while let Some(word) = words.next() {
        match word.to_str() {
            Some("--size") => config.size = parse_size(&parsed::<String>("--size", words.next())?)?,
            Some("--fps") => config.fps = parsed("--fps", words.next())?,
            Some("--display") => config.display = Some(parsed("--display", words.next())?),
            Some("--seconds") => length = Duration::from_secs(parsed("--seconds", words.next())?),
            Some("--") => {
                let program = words.next().ok_or("a command is missing after --")?;
                let arguments = words.by_ref().collect();
                config.virtual_display.command = Some(SessionCommand::Program { program, arguments });
            }
            _ => return Err(format!("unknown argument {}", word.display())),
        }
    }
    // A century is as good as for ever, and can be added to a clock.
    Ok((config, length.min(Duration::from_hours(24 * 36_525))))
}

fn parsed<T: std::str::FromStr<Err: std::fmt::Display>>(
    name: &str,
    word: Option<OsString>,
) -> Result<T, String> {
    let word = word.ok_or_else(|| format!("{name} is missing its value"))?;
    let text = word.to_str().ok_or_else(|| format!("{name} is not UTF-8"))?;
    text.parse().map_err(|error| format!("{name}: {error}"))
}

fn parse_size(text: &str) -> Result<Size, String> {
    let sides =
        text.split_once('x').and_then(|(width, height)| Some((width.parse().ok()?, height.parse().ok()?)));
    let (width, height) = sides.ok_or_else(|| format!("{text:?} is no size such as 1280x720"))?;
    Ok(Size::new(width, height))
}

const USAGE: &str =
    "usage: pf-source KIND [--size WxH] [--fps N] [--display NAME] [--seconds N] [-- COMMAND...]";
