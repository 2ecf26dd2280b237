//! The window that shows a session: one picture, its aspect kept, drawn by the processor.
//!
//! [`App`] has the window and hears all of its events, on the program's first thread. The session runs beside it, on
//! tokio, and hands over its pictures and what the window needs to answer ([`Event`]).

mod follow;
mod paint;
mod picture;

use std::{future::Future, num::NonZeroU32, rc::Rc, time::Instant};

use pf_client::{Failure, PictureSink, Remote, Session, Wishes};
use pf_media::picture::Size;
use softbuffer::{Context, Surface};
use tokio::{runtime::Runtime, sync::oneshot};
use winit::{
    application::ApplicationHandler,
    dpi::PhysicalSize,
    event::WindowEvent,
    event_loop::{ActiveEventLoop, ControlFlow, EventLoop, EventLoopProxy, OwnedDisplayHandle},
    window::{Window, WindowId},
};

use follow::Follow;
use paint::Painter;
use picture::{Front, Planes, Sink};

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
        let _ = self.0.send_event(Event::Begun(Begun { remote: session.remote(), wishes, sizing }));
    }
}

/// What the size of the stream goes by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sizing {
    /// What was asked for at first.
    Fixed,
    /// The window.
    Window,
}

/// Runs a session in a window, on the calling thread, which must be the program's first.
///
/// The window opens with the first picture, so that a refusal never flashes one up.
pub(crate) fn run<T, F>(
    runtime: &Runtime,
    title: &str,
    session: impl FnOnce(Screening) -> F,
) -> Result<T, Failure>
where
    T: Send + 'static,
    F: Future<Output = Result<T, Failure>> + Send + 'static,
{
    let events = EventLoop::with_user_event().build().map_err(|error| no_window(&error))?;
    let context = Context::new(events.owned_display_handle()).map_err(|error| no_window(&error))?;
    let front = Front::default();
    let proxy = events.create_proxy();
    let sink = Sink::new(front.clone(), proxy.clone());
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
    let title = format!("{title} – Punktfunk");
    let mut app = App {
        title,
        context,
        begin,
        begun: None,
        shown: None,
        front,
        picture: Planes::default(),
        painter: Painter::new(),
        close: Some(close),
        failure: None,
    };
    events.run_app(&mut app).map_err(|error| no_window(&error))?;
    match app.failure {
        Some(failure) => Err(failure),
        None => runtime.block_on(result).unwrap_or_else(|_| Err(no_window(&"the session broke off"))),
    }
}

/// What the session tells the window.
enum Event {
    /// The host let us in.
    Begun(Begun),
    /// There is a new picture in front.
    Picture,
    /// The session is over; the window closes.
    SessionEnded,
}

/// The session, as far as the window deals with it.
struct Begun {
    remote: Remote,
    wishes: Wishes,
    sizing: Sizing,
}

struct App<B> {
    title: String,
    context: Context<OwnedDisplayHandle>,
    begin: B,
    begun: Option<Begun>,
    shown: Option<Shown>,
    front: Front,
    /// The picture that is shown.
    picture: Planes,
    painter: Painter,
    close: Option<oneshot::Sender<()>>,
    failure: Option<Failure>,
}

/// Whether anything was drawn: a window that is put away has nothing to draw on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Drawn {
    Yes,
    No,
}

/// A window that is on the screen.
struct Shown {
    window: Rc<Window>,
    surface: Surface<OwnedDisplayHandle, Rc<Window>>,
    /// In pixels of the screen.
    size: Size,
    follow: Follow,
}

impl<B: FnMut(Size)> ApplicationHandler<Event> for App<B> {
    fn resumed(&mut self, events: &ActiveEventLoop) {
        (self.begin)(screen_size(events));
    }

    fn user_event(&mut self, events: &ActiveEventLoop, event: Event) {
        match event {
            Event::Begun(begun) => self.begun = Some(begun),
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
            WindowEvent::CloseRequested => {
                // The session says goodbye first; the loop ends with it.
                if let Some(close) = self.close.take() {
                    let _ = close.send(());
                }
                self.shown = None;
            }
            WindowEvent::Resized(size) => {
                if let Some(shown) = &mut self.shown {
                    shown.size = Size::new(size.width, size.height);
                    shown.follow.resized(Instant::now(), shown.size);
                }
            }
            WindowEvent::RedrawRequested => {
                let drawn = self.draw();
                self.give_up_on(drawn, events);
            }
            _ => {}
        }
    }

    fn about_to_wait(&mut self, events: &ActiveEventLoop) {
        self.follow();
        let due = self.shown.as_ref().and_then(|shown| shown.follow.due());
        events.set_control_flow(due.map_or(ControlFlow::Wait, ControlFlow::WaitUntil));
    }
}

impl<B> App<B> {
    /// Takes the newest picture, and puts it on the screen.
    fn show_newest(&mut self, events: &ActiveEventLoop) -> Result<(), Failure> {
        let Some(showing) = self.front.take(&mut self.picture) else { return Ok(()) };
        self.open(events)?;
        if self.draw()? == Drawn::Yes {
            showing.shown();
        }
        Ok(())
    }

    /// Opens the window, if it is not open, at the picture's own size, or as large as the screen lets it be.
    fn open(&mut self, events: &ActiveEventLoop) -> Result<(), Failure> {
        if self.close.is_none() || self.shown.is_some() {
            return Ok(());
        }
        let picture = self.picture.view().map_or(FALLBACK_SIZE, |picture| picture.size());
        let screen = screen_size(events);
        let size = Size::new(picture.width.min(screen.width), picture.height.min(screen.height));
        let attributes = Window::default_attributes()
            .with_title(self.title.as_str())
            .with_inner_size(PhysicalSize::new(size.width, size.height));
        let window = Rc::new(events.create_window(attributes).map_err(|error| no_window(&error))?);
        let surface = Surface::new(&self.context, Rc::clone(&window)).map_err(|error| no_window(&error))?;
        let PhysicalSize { width, height } = window.inner_size();
        self.shown =
            Some(Shown { window, surface, size: Size::new(width, height), follow: Follow::new(size) });
        Ok(())
    }

    /// Asks the host for pictures of the window's size, once it stays.
    fn follow(&mut self) {
        let (Some(shown), Some(begun)) = (&mut self.shown, &mut self.begun) else { return };
        if let Some(size) = shown.follow.poll(Instant::now())
            && begun.sizing == Sizing::Window
        {
            begun.wishes.size = Some(size);
            begun.remote.change(begun.wishes);
        }
    }

    fn draw(&mut self) -> Result<Drawn, Failure> {
        let Some(Shown { window, surface, size, .. }) = &mut self.shown else { return Ok(Drawn::No) };
        let (Some(columns), Some(rows)) = (NonZeroU32::new(size.width), NonZeroU32::new(size.height)) else {
            return Ok(Drawn::No);
        };
        surface.resize(columns, rows).map_err(|error| no_window(&error))?;
        let mut canvas = surface.buffer_mut().map_err(|error| no_window(&error))?;
        self.painter.paint(&mut canvas, *size, &self.picture);
        window.pre_present_notify();
        canvas.present().map_err(|error| no_window(&error))?;
        Ok(Drawn::Yes)
    }

    /// Ends the program where its window does not work.
    fn give_up_on<R>(&mut self, result: Result<R, Failure>, events: &ActiveEventLoop) {
        if let Err(failure) = result {
            self.failure = Some(failure);
            events.exit();
        }
    }
}

fn screen_size(events: &ActiveEventLoop) -> Size {
    let screen = events.primary_monitor().or_else(|| events.available_monitors().next());
    let size = screen.map(|screen| Size::new(screen.size().width, screen.size().height));
    size.filter(|size| size.is_streamable()).unwrap_or(FALLBACK_SIZE)
}

fn no_window(error: &impl ToString) -> Failure {
    Failure::Machine { what: "no window can be shown (--headless needs none)", why: error.to_string() }
}
