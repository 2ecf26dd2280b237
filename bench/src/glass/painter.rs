//! Draws a scene, in a process of its own.

use std::{
    num::NonZeroU32,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

use anyhow::Result;
use pf_media::timecode::TimeCode;
use x11rb::{connection::Connection as _, protocol::Event};

use super::{
    clock,
    scene::{Scene, Stage},
};
use crate::program::{Place, Program};

/// The argument that makes this program the one that draws.
pub(crate) const WORD: &str = "draw";

/// The argument that makes this program the one that answers keys.
pub(crate) const ANSWER: &str = "answer";

/// A process that draws a scene.
pub(crate) struct Painter {
    _program: Program,
}

impl Painter {
    /// Starts it; the scene is there some time later.
    pub(crate) fn start(display: &str, scene: Scene, fps: NonZeroU32) -> Result<Self> {
        let mut command = Place::Here.command(std::env::current_exe()?);
        command.args([WORD, display, scene.name(), &fps.to_string()]);
        Ok(Self { _program: Program::start(&mut command)? })
    }
}

/// A process that draws a picture for each key that it gets.
pub(crate) struct Answerer {
    _program: Program,
}

impl Answerer {
    /// Starts it; its first picture is there some time later.
    pub(crate) fn start(display: &str) -> Result<Self> {
        let mut command = Place::Here.command(std::env::current_exe()?);
        command.args([ANSWER, display]);
        Ok(Self { _program: Program::start(&mut command)? })
    }
}

/// Draws on `display`, over all of it, whenever a key is pressed.
pub(crate) fn answer(display: &str) -> Result<()> {
    let (connection, screen) = x11rb::connect(Some(display))?;
    let mut stage = Stage::set_up(&connection, screen, Scene::Desktop)?;
    stage.take_focus()?;
    for frame in 0.. {
        stage.draw(TimeCode { frame, micros: clock().as_micros() as u64 })?;
        while !matches!(connection.wait_for_event()?, Event::KeyPress(_)) {}
    }
    Ok(())
}

/// Draws on `display`, over all of it, until `over`. A picture that it is too late for is left out, and its number with
/// it.
pub(crate) fn draw(display: &str, scene: Scene, fps: NonZeroU32, over: &AtomicBool) -> Result<()> {
    let (connection, screen) = x11rb::connect(Some(display))?;
    let mut stage = Stage::set_up(&connection, screen, scene)?;
    let begun = clock();
    let mut frame = 0;
    while !over.load(Ordering::Relaxed) {
        let due = begun + Duration::from_secs(frame.into()) / fps.get();
        thread::sleep(due.saturating_sub(clock()));
        let now = clock();
        stage.draw(TimeCode { frame, micros: now.as_micros() as u64 })?;
        let passed = clock().saturating_sub(begun).as_nanos() * u128::from(fps.get()) / NANOS;
        frame = (frame + 1).max(passed as u32);
    }
    Ok(())
}

const NANOS: u128 = 1_000_000_000;
