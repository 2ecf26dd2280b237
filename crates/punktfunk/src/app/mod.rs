//! The desktop app: one window, with the pages of [`pf_app`] or a host's picture in it.
//!
//! [`Shell`] has the window and hears all of its events, on the program's first thread; [`Pages`] draws what
//! the app shows; [`Errands`] grants what it wishes, on tokio, and tells what came of that as [`Event`]s.

mod errands;
mod pages;
mod shell;
mod steps;

use std::{sync::Arc, time::Instant};

use pf_app::{App, News, Sentence, Target};
use pf_client::{Client, Failure};
use pf_gamepad::PadEvent;
use tokio::runtime::Runtime;
use winit::event_loop::EventLoop;

use crate::{
    settings::SettingsFile,
    window::{Begun, Front, no_window},
};
use errands::Errands;
use pages::Pages;
use shell::Shell;
use steps::Steps;

#[cfg(test)]
pub(crate) use pages::textures_for;

/// What the app begins with.
pub(crate) enum Start {
    /// All hosts.
    Hosts,
    /// This host's picture, or what stands before it.
    Visit(Target),
    /// All hosts, and this to read.
    Tell(Sentence),
}

/// Runs the app until its person closes it, on the calling thread, which must be the program's first.
pub(crate) fn run(
    runtime: &Runtime,
    client: Arc<Client>,
    settings: SettingsFile,
    start: Start,
) -> Result<(), Failure> {
    let events = event_loop()?;
    let mut app = App::new(*settings.settings());
    for remark in settings.remarks().into_iter().take(1) {
        let what_now = "The app goes on without what cannot be used there, and writes nothing over it.";
        app.hear(News::Problem(Sentence::new(remark, what_now)), Instant::now());
    }
    match start {
        Start::Hosts => {}
        Start::Visit(target) => app.visit(target),
        Start::Tell(sentence) => app.hear(News::Problem(sentence), Instant::now()),
    }
    let errands = Errands::start(runtime.handle().clone(), client, events.create_proxy());
    let mut shell = Shell::new(&events, app, Some(errands), settings);
    events.run_app(&mut shell).map_err(|error| no_window(&error))?;
    shell.finish(runtime)
}

/// Tells in a window why the app cannot begin, on the calling thread, which must be the program's first.
pub(crate) fn tell(runtime: &Runtime, settings: SettingsFile, why: Sentence) -> Result<(), Failure> {
    let events = event_loop()?;
    let mut shell = Shell::new(&events, App::stopped(why), None, settings);
    events.run_app(&mut shell).map_err(|error| no_window(&error))?;
    shell.finish(runtime)
}

fn event_loop() -> Result<EventLoop<Event>, Failure> {
    EventLoop::with_user_event().build().map_err(|error| no_window(&error))
}

/// What the window is told from elsewhere.
enum Event {
    /// Something for the app.
    News(News),
    /// The session of the visit of this number began, and its pictures come here.
    Begun(u32, Box<Begun>, Front),
    /// There is a new picture in front, of this visit.
    Picture(u32),
    /// The session of this visit is over.
    Ended(u32),
    /// Something happened to a gamepad.
    Pad(PadEvent),
    /// A screen reader asks for something.
    Accessibility(accesskit_winit::Event),
}

impl From<accesskit_winit::Event> for Event {
    fn from(event: accesskit_winit::Event) -> Self {
        Self::Accessibility(event)
    }
}
