//! `connect`: the picture, in a window or headless.

use std::{
    fs::File,
    io::{IsTerminal, Write},
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use pf_client::{
    Client, Connected, Failure, Found, Heard, PictureSink, Play, Report, Session, Showing, Wishes,
    input::Controls,
};
use pf_codec::I420View;
use pf_media::picture::Size;
use pf_proto::session::SoundWish;
use serde_json::Value;
use tokio::{
    runtime::Runtime,
    signal::unix::{SignalKind, signal},
};

use super::{
    report::{text, view},
    request::ask_and_wait,
};
use crate::{
    cli::Connect,
    output::Output,
    script::{self, Script},
    settings::{Settings, StreamSize},
    window::{self, Extent, Look, Screening, Sizing},
};

/// The size that a headless client asks for.
const HEADLESS_SIZE: Size = Size::new(1280, 720);

pub(super) fn connect(
    runtime: &Runtime,
    client: Arc<Client>,
    options: Connect,
    json: bool,
    started: Instant,
) -> Result<Output, Failure> {
    let save = options.save.as_deref().map(to_save).transpose()?;
    let play = Play { frames: options.frames, duration: options.seconds.map(Duration::from_secs), save };
    let (report, check_code) = if options.headless {
        runtime.block_on(headless(&client, &options, play, json))?
    } else {
        in_window(runtime, client, options, play, json)?
    };
    let mut data = view(&report, started);
    if !check_code.is_null() {
        data["check_code"] = check_code;
    }
    Ok(Output::new(data, text(&report)))
}

/// What a session was like, and the check code, where there was one.
type Ended = (Report, Value);

async fn headless(client: &Client, options: &Connect, play: Play, json: bool) -> Result<Ended, Failure> {
    let (session, check_code) = open(client, options, wishes(options, HEADLESS_SIZE), json).await?;
    let controls = Controls::start(session.remote());
    let is_bounded = play.frames.is_some() || play.duration.is_some();
    let stop = async {
        tokio::select! {
            () = interrupted() => {}
            () = played(options.input_script.clone(), controls, is_bounded) => {}
        }
    };
    ended(session.play(play, Box::new(Nowhere), stop).await, check_code)
}

/// The file to save to. What it holds stays there until there is something to save.
fn to_save(path: &Path) -> Result<File, Failure> {
    File::options().write(true).create(true).truncate(false).open(path).map_err(|error| Failure::Machine {
        what: "the file to save to cannot be made",
        why: error.to_string(),
    })
}

/// How a session ended. Of one that its person did not end, what it was like is told before why.
fn ended((report, result): (Report, Result<(), Failure>), check_code: Value) -> Result<Ended, Failure> {
    if result.is_err() && report.frames > 0 {
        eprintln!("{}", text(&report));
    }
    result.map(|()| (report, check_code))
}

/// Plays a script. Returns at its end, if that is what ends the session.
async fn played(script: Option<Script>, controls: Controls, is_bounded: bool) {
    let Some(script) = script else { return std::future::pending().await };
    script::play(script, controls).await;
    if is_bounded {
        std::future::pending::<()>().await;
    }
}

fn in_window(
    runtime: &Runtime,
    client: Arc<Client>,
    mut options: Connect,
    play: Play,
    json: bool,
) -> Result<Ended, Failure> {
    let settings = super::settings();
    fill_in(&mut options, settings.settings());
    let look = Look {
        title: options.host.clone(),
        extent: if options.fullscreen == Some(true) { Extent::FullScreen } else { Extent::Window },
        grab_keyboard: options.grab_keyboard.unwrap_or_default(),
        overlay: options.overlay.unwrap_or_default(),
    };
    let sizing = match options.size {
        Some(StreamSize::Fixed(_)) => Sizing::Fixed,
        Some(StreamSize::Window) | None => Sizing::Window,
    };
    window::run(runtime, look, move |Screening { sink, screen, closed, announcer }| async move {
        let wishes = wishes(&options, screen);
        let (session, check_code) = open(&client, &options, wishes, json).await?;
        announcer.begun(&session, wishes, sizing);
        let stop = async {
            tokio::select! {
                () = interrupted() => {}
                _ = closed => {}
            }
        };
        ended(session.play(play, sink, stop).await, check_code)
    })
}

/// From the host's name to its session, by whatever way the person chose.
async fn open(
    client: &Client,
    options: &Connect,
    wishes: Wishes,
    json: bool,
) -> Result<(Session, Value), Failure> {
    let found = client.find(&options.host).await?;
    let choice = match client.connect(&found, wishes).await? {
        Connected::Session(session) => return Ok((*session, Value::Null)),
        Connected::Refused { code, .. } if !options.wait => {
            return Err(Failure::Refused { code, retry_after: None });
        }
        Connected::Refused { .. } => None,
        Connected::Choice { heard, ask, first_use } => Some((heard, ask, first_use)),
    };
    if options.wait {
        let approved = ask_and_wait(client, &found, json).await?;
        return match client.connect(&found, wishes).await? {
            Connected::Session(session) => Ok((*session, approved.check_code())),
            Connected::Refused { .. } | Connected::Choice { .. } => Err(pairing_required()),
        };
    }
    let Some((heard, ask, first_use)) = choice else { return Err(pairing_required()) };
    if options.trust_first_use {
        if !first_use {
            return Err(Failure::TofuNotOffered);
        }
        explain_first_use(&heard);
        return Ok((client.trust_first_use(&found, &heard, wishes).await?, Value::Null));
    }
    if first_use && !json && says_yes(&heard, &options.host).await {
        return Ok((client.trust_first_use(&found, &heard, wishes).await?, Value::Null));
    }
    if first_use {
        return Err(Failure::FirstUseOffered);
    }
    if ask {
        leave_request(client, &found).await?;
    }
    Err(pairing_required())
}

/// Leaves a request; that one is there already, or that the list is full, is no news to the person.
async fn leave_request(client: &Client, found: &Found) -> Result<(), Failure> {
    match client.knock(found).await {
        Ok(()) | Err(Failure::Refused { .. }) => Ok(()),
        Err(failure) => Err(failure),
    }
}

fn pairing_required() -> Failure {
    Failure::Refused { code: pf_base::Code::PairingRequired, retry_after: None }
}

fn explain_first_use(heard: &Heard) {
    eprintln!("{} offers trust on first use. Its fingerprint, which nothing vouches for:", heard.name);
    eprintln!("  {}  ({})", heard.fingerprint, heard.fingerprint.for_the_eye());
    eprintln!("An impostor in its place would not be noticed. Pairing by PIN is the stronger way.");
}

/// Asks the one question that trust on first use allows. Without a terminal the answer is no.
async fn says_yes(heard: &Heard, host: &str) -> bool {
    if !std::io::stdin().is_terminal() {
        return false;
    }
    explain_first_use(heard);
    eprint!("Trust it all the same? The stronger way is: punktfunk pair {host}   [y/N] ");
    // A prompt that cannot be shown is answered by no.
    let _ = std::io::stderr().flush();
    let answer = tokio::task::spawn_blocking(|| {
        let mut line = String::new();
        std::io::stdin().read_line(&mut line).map(|_| line)
    });
    matches!(answer.await, Ok(Ok(line)) if matches!(line.trim(), "y" | "Y" | "yes"))
}

/// Takes from the settings what no flag says. Without a window nothing is: a script gets what it asks for, on any machine.
fn fill_in(options: &mut Connect, settings: &Settings) {
    options.size = options.size.or(Some(settings.size));
    options.fps = options.fps.or(settings.fps);
    options.bitrate = options.bitrate.or(settings.bitrate);
    options.sound = options.sound.or(Some(settings.sound));
    options.fullscreen = options.fullscreen.or(Some(settings.full_screen));
    options.grab_keyboard = options.grab_keyboard.or(Some(settings.grab_keyboard));
    options.overlay = options.overlay.or(Some(settings.overlay));
}

fn wishes(options: &Connect, default_size: Size) -> Wishes {
    let size = match options.size {
        Some(StreamSize::Fixed(size)) => size,
        Some(StreamSize::Window) | None => default_size,
    };
    Wishes {
        size: Some(size),
        frames_per_second: options.fps,
        bits_per_second: options.bitrate.map(|megabits| megabits * 1_000_000),
        sound: options.sound.unwrap_or(if options.headless { SoundWish::Silent } else { SoundWish::Ms5 }),
    }
}

/// Waits for Ctrl-C, or for whoever ends this program kindly.
async fn interrupted() {
    let (Ok(mut interrupt), Ok(mut terminate)) =
        (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
    else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
}

/// A sink for pictures that nobody looks at.
struct Nowhere;

impl PictureSink for Nowhere {
    fn show(&mut self, _: I420View<'_>, showing: Showing) {
        showing.unseen();
    }
}
