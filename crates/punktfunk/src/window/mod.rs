//! The window that shows a session: one picture, its aspect kept, drawn by a GPU where there is one.
//!
//! [`App`] has the window and hears all of its events, on the program's first thread. The session runs beside it, on
//! tokio, and hands over its pictures and what the window needs to answer ([`Event`]).

mod canvas;
mod chord;
#[cfg(test)]
mod fixtures;
mod follow;
mod gpu;
mod grab;
mod input;
mod overlay;
mod pads;
mod paint;
mod picture;
mod shown;
mod software;
mod viewer;

use std::{future::Future, time::Instant};

use pf_app::{GrabKeyboard, Level};
use pf_client::{Failure, PictureSink, Session, Wishes};
use pf_gamepad::PadEvent;
use pf_media::picture::Size;
use tokio::{runtime::Runtime, sync::oneshot};
use winit::{
    application::ApplicationHandler,
    dpi::PhysicalSize,
    event::{DeviceEvent, DeviceId, WindowEvent},
    event_loop::{ActiveEventLoop, ControlFlow, EventLoop, EventLoopProxy},
    window::{Fullscreen, Window, WindowId},
};

pub(crate) use canvas::Canvas;
pub(crate) use chord::Chord;
pub(crate) use pads::Pads;
pub(crate) use picture::{Front, Sink};
pub(crate) use shown::{Drawn, Shown};
pub(crate) use viewer::{Begun, Sizing, Viewer};

/// What is asked for when the screen's size is not known.
const FALLBACK_SIZE: Size = Size::new(1280, 720);

/// Ends once the person has closed the window.
pub(crate) type Closed = oneshot::Receiver<()>;

/// What the window gives the session that is shown in it.
pub(crate) struct Screening {
    /// Where its pictures go.
    pub(crate) sink: Box<dyn PictureSink>,
    /// The size of the screen.
    pub(crate) screen: Size,
    /// Tells that the window was closed.
    pub(crate) closed: Closed,
    /// Tells the window of the session.
    pub(crate) announcer: Announcer,
}

/// Tells the window of the session that begins.
pub(crate) struct Announcer(EventLoopProxy<Event>);

impl Announcer {
    /// The host let us in; what is asked of the stream are `wishes`, and its size follows the window if `sizing` says so.
    pub(crate) fn begun(self, session: &Session, wishes: Wishes, sizing: Sizing) {
        // A window that is gone by now shows nothing.
        let _ = self.0.send_event(Event::Begun(Box::new(Begun::new(session, wishes, sizing))));
    }
}

/// How a window opens.
pub(crate) struct Look {
    /// The name of the host.
    pub(crate) title: String,
    /// Whether it fills the screen.
    pub(crate) extent: Extent,
    /// When the desktop's own keys go to the host.
    pub(crate) grab_keyboard: GrabKeyboard,
    /// What is shown over the picture.
    pub(crate) overlay: Level,
}

/// How much of the screen a window has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Extent {
    /// As much as the picture has pixels, and its person gives it.
    Window,
    /// All of it.
    FullScreen,
}

/// Runs a session in a window, on the calling thread, which must be the program's first.
///
/// The window opens with the first picture, so that a refusal never flashes one up.
pub(crate) fn run<T, F>(
    runtime: &Runtime,
    look: Look,
    session: impl FnOnce(Screening) -> F,
) -> Result<T, Failure>
where
    T: Send + 'static,
    F: Future<Output = Result<T, Failure>> + Send + 'static,
{
    let events = EventLoop::with_user_event().build().map_err(|error| no_window(&error))?;
    let front = Front::default();
    let proxy = events.create_proxy();
    let pictures = proxy.clone();
    let sink = Sink::new(front.clone(), move || {
        // A window that is gone shows nothing more.
        let _ = pictures.send_event(Event::Picture);
    });
    let (close, closed) = oneshot::channel();
    let (report, result) = oneshot::channel();

    let mut to_begin = Some((session, sink, closed, report));
    let begin = |screen: Size| {
        let Some((session, sink, closed, report)) = to_begin.take() else { return };
        let announcer = Announcer(proxy.clone());
        let running = session(Screening { sink: Box::new(sink), screen, closed, announcer });
        let proxy = proxy.clone();
        runtime.spawn(async move {
            // Whoever waits for the result is told by the event that it is there.
            let _ = report.send(running.await);
            let _ = proxy.send_event(Event::SessionEnded);
        });
    };
    let mut viewer = Viewer::new(look.overlay, look.grab_keyboard);
    viewer.watch(front);
    let played = events.create_proxy();
    let pads = Pads::start(move |event| {
        // Nor is a window that is gone played in.
        let _ = played.send_event(Event::Pad(event));
    });
    let mut app = App { look, begin, shown: None, viewer, pads, close: Some(close), failure: None };
    events.run_app(&mut app).map_err(|error| no_window(&error))?;
    match app.failure {
        Some(failure) => Err(failure),
        None => runtime.block_on(result).unwrap_or_else(|_| Err(no_window(&"the session broke off"))),
    }
}

/// What the session tells the window.
enum Event {
    /// The host let us in.
    Begun(Box<Begun>),
    /// There is a new picture in front.
    Picture,
    /// Something happened to a gamepad.
    Pad(PadEvent),
    /// The session is over; the window closes.
    SessionEnded,
}

struct App<B> {
    look: Look,
    begin: B,
    shown: Option<Shown>,
    viewer: Viewer,
    pads: Pads,
    close: Option<oneshot::Sender<()>>,
    failure: Option<Failure>,
}

impl<B: FnMut(Size)> ApplicationHandler<Event> for App<B> {
    fn resumed(&mut self, events: &ActiveEventLoop) {
        (self.begin)(screen_size(events));
    }

    fn user_event(&mut self, events: &ActiveEventLoop, event: Event) {
        match event {
            Event::Begun(begun) => {
                self.viewer.begin(*begun);
                if let Some(controls) = self.viewer.controls() {
                    self.pads.plug_all_in(controls);
                }
            }
            Event::Pad(event) => {
                self.pads.handle(event, self.viewer.controls(), true);
            }
            Event::Picture => {
                // Not left for the next redraw, which the display server may put off.
                let drawn = self.show_newest(events);
                self.give_up_on(drawn, events);
            }
            Event::SessionEnded => events.exit(),
        }
    }

    fn window_event(&mut self, events: &ActiveEventLoop, _: WindowId, event: WindowEvent) {
        match event {
            WindowEvent::CloseRequested => self.close(),
            WindowEvent::Resized(size) => {
                if let Some(shown) = &mut self.shown {
                    shown.resized(Instant::now(), Size::new(size.width, size.height));
                }
            }
            WindowEvent::RedrawRequested => {
                let drawn = self.draw();
                self.give_up_on(drawn, events);
            }
            event => {
                let Some(shown) = &mut self.shown else { return };
                let was_given = self.viewer.is_pointer_given();
                match self.viewer.handle(&event, shown) {
                    Some(Chord::Leave) => return self.close(),
                    Some(chord) => self.viewer.obey(chord, shown),
                    None => {}
                }
                let is_given = self.viewer.is_pointer_given();
                if is_given != was_given {
                    shown.window().set_title(&title(&self.look.title, is_given));
                }
            }
        }
    }

    fn device_event(&mut self, _: &ActiveEventLoop, _: DeviceId, event: DeviceEvent) {
        self.viewer.handle_device(&event);
    }

    fn about_to_wait(&mut self, events: &ActiveEventLoop) {
        let mut due = None;
        if let Some(shown) = &mut self.shown {
            if self.viewer.poll(Instant::now(), shown) {
                let drawn = self.draw();
                self.give_up_on(drawn, events);
            }
            if let Some(shown) = &mut self.shown {
                self.viewer.hold_keyboard(Instant::now(), shown, true);
                due = self.viewer.due(shown);
            }
        }
        events.set_control_flow(due.map_or(ControlFlow::Wait, ControlFlow::WaitUntil));
    }
}

impl<B> App<B> {
    /// Closes the window. The session says goodbye; the loop ends with it.
    fn close(&mut self) {
        if let Some(close) = self.close.take() {
            let _ = close.send(());
        }
        self.shown = None;
    }

    /// Takes the newest picture, and puts it on the screen. The window opens with the first.
    fn show_newest(&mut self, events: &ActiveEventLoop) -> Result<(), Failure> {
        let Some(showing) = self.viewer.take() else { return Ok(()) };
        if self.shown.is_none() && self.close.is_some() {
            self.shown = Some(self.open(events)?);
        }
        if self.draw()? == Drawn::Yes {
            showing.shown();
        }
        Ok(())
    }

    /// Opens the window: as large as the picture, or as the screen lets it be.
    fn open(&self, events: &ActiveEventLoop) -> Result<Shown, Failure> {
        let picture = self.viewer.picture_size().unwrap_or(FALLBACK_SIZE);
        let screen = screen_size(events);
        let size = Size::new(picture.width.min(screen.width), picture.height.min(screen.height));
        let attributes = Window::default_attributes()
            .with_title(title(&self.look.title, false))
            .with_inner_size(PhysicalSize::new(size.width, size.height))
            .with_fullscreen(
                (self.look.extent == Extent::FullScreen).then_some(Fullscreen::Borderless(None)),
            );
        Shown::open(events, attributes, size)
    }

    fn draw(&mut self) -> Result<Drawn, Failure> {
        match &mut self.shown {
            Some(shown) => shown.draw(|canvas| self.viewer.paint(canvas)),
            None => Ok(Drawn::No),
        }
    }

    /// Ends the program where its window does not work.
    fn give_up_on<R>(&mut self, result: Result<R, Failure>, events: &ActiveEventLoop) {
        if let Err(failure) = result {
            self.failure = Some(failure);
            events.exit();
        }
    }
}

/// What a window is called that shows a host's picture, and how to get the pointer back where the host has it.
pub(crate) fn title(host: &str, is_pointer_given: bool) -> String {
    if is_pointer_given {
        format!("{host} – Ctrl+Alt+Shift+Z gives the pointer back – Punktfunk")
    } else {
        format!("{host} – Punktfunk")
    }
}

pub(crate) fn screen_size(events: &ActiveEventLoop) -> Size {
    let screen = events.primary_monitor().or_else(|| events.available_monitors().next());
    let size = screen.map(|screen| Size::new(screen.size().width, screen.size().height));
    size.filter(|size| size.is_streamable()).unwrap_or(FALLBACK_SIZE)
}

pub(crate) fn no_window(error: &impl ToString) -> Failure {
    Failure::Machine { what: "no window can be shown (--headless needs none)", why: error.to_string() }
}
