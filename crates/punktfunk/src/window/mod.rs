//! The window that shows a session: one picture, its aspect kept, drawn by the processor.
//!
//! [`App`] has the window and hears all of its events, on the program's first thread. The session runs beside it, on
//! tokio, and hands over its pictures and what the window needs to answer ([`Event`]).

mod chord;
mod follow;
mod input;
mod overlay;
mod paint;
mod picture;
mod shown;

use std::{future::Future, time::Instant};

use pf_client::{Failure, Live, PictureSink, Remote, Session, Wishes, input::Controls};
use pf_media::picture::Size;
use softbuffer::Context;
use tokio::{runtime::Runtime, sync::oneshot};
use winit::{
    application::ApplicationHandler,
    event::{DeviceEvent, DeviceId, ElementState, WindowEvent},
    event_loop::{ActiveEventLoop, ControlFlow, EventLoop, EventLoopProxy, OwnedDisplayHandle},
    keyboard::ModifiersState,
    window::WindowId,
};

use chord::{Chord, chord};
use input::Input;
pub(crate) use overlay::Level;
use overlay::Overlay;
use picture::{Front, Planes, Sink};
use shown::{Drawn, Shown};

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
        let input = Input::new(Controls::start(session.remote()));
        let begun = Begun { remote: session.remote(), live: session.live(), input, wishes, sizing };
        let _ = self.0.send_event(Event::Begun(begun));
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

/// How a window opens.
pub(crate) struct Look {
    /// The name of the host.
    pub(crate) title: String,
    /// Whether it fills the screen.
    pub(crate) extent: Extent,
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
    let overlay = Overlay::new(Instant::now(), look.overlay);
    let mut app = App {
        look,
        context,
        begin,
        begun: None,
        shown: None,
        front,
        picture: Planes::default(),
        overlay,
        modifiers: ModifiersState::empty(),
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
    live: Live,
    input: Input,
    wishes: Wishes,
    sizing: Sizing,
}

struct App<B> {
    look: Look,
    context: Context<OwnedDisplayHandle>,
    begin: B,
    begun: Option<Begun>,
    shown: Option<Shown>,
    front: Front,
    /// The picture that is shown.
    picture: Planes,
    overlay: Overlay,
    modifiers: ModifiersState,
    close: Option<oneshot::Sender<()>>,
    failure: Option<Failure>,
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
                    shown.resized(Instant::now(), Size::new(size.width, size.height));
                }
            }
            WindowEvent::ModifiersChanged(modifiers) => self.modifiers = modifiers.state(),
            WindowEvent::KeyboardInput { event, is_synthetic, .. } => {
                if let Some(chord) = chord(self.modifiers, &event) {
                    self.obey(chord);
                } else if let Some(begun) = &self.begun {
                    // A key that is down when the window gets the keyboard was pressed for another one.
                    if !(is_synthetic && event.state == ElementState::Pressed) {
                        begun.input.key(&event);
                    }
                }
            }
            WindowEvent::Focused(false) => self.leave(),
            WindowEvent::CursorMoved { position, .. } => {
                if let (Some(begun), Some(shown), Some(picture)) =
                    (&self.begun, &self.shown, self.picture.view())
                {
                    begun.input.pointed(position, picture.size(), shown.size(), shown.window());
                }
            }
            WindowEvent::CursorLeft { .. } => {
                if let (Some(begun), Some(shown)) = (&self.begun, &self.shown) {
                    begun.input.strayed(shown.window());
                }
            }
            WindowEvent::MouseInput { state, button, .. } => {
                if let Some(begun) = &self.begun {
                    begun.input.button(button, state);
                }
            }
            WindowEvent::MouseWheel { delta, .. } => {
                if let (Some(begun), Some(shown)) = (&mut self.begun, &self.shown) {
                    begun.input.wheel(delta, shown.scale());
                }
            }
            WindowEvent::RedrawRequested => {
                let drawn = self.draw();
                self.give_up_on(drawn, events);
            }
            _ => {}
        }
    }

    fn device_event(&mut self, _: &ActiveEventLoop, _: DeviceId, event: DeviceEvent) {
        if let (Some(begun), DeviceEvent::MouseMotion { delta }) = (&mut self.begun, event) {
            begun.input.moved(delta);
        }
    }

    fn about_to_wait(&mut self, events: &ActiveEventLoop) {
        self.follow();
        let refreshed = self.refresh_overlay();
        self.give_up_on(refreshed, events);
        let due = self.shown.as_ref().and_then(|shown| shown.follow.due());
        let due = due.into_iter().chain(self.overlay.due().filter(|_| self.shown.is_some())).min();
        events.set_control_flow(due.map_or(ControlFlow::Wait, ControlFlow::WaitUntil));
    }
}

impl<B> App<B> {
    /// Takes the newest picture, and puts it on the screen. The window opens with the first.
    fn show_newest(&mut self, events: &ActiveEventLoop) -> Result<(), Failure> {
        let Some(showing) = self.front.take(&mut self.picture) else { return Ok(()) };
        if self.shown.is_none() && self.close.is_some() {
            let size = self.picture.view().map_or(FALLBACK_SIZE, |picture| picture.size());
            self.shown = Some(Shown::open(events, &self.context, &self.look, size)?);
        }
        if self.draw()? == Drawn::Yes {
            showing.shown();
        }
        Ok(())
    }

    fn draw(&mut self) -> Result<Drawn, Failure> {
        match &mut self.shown {
            Some(shown) => shown.draw(&self.picture, &self.overlay),
            None => Ok(Drawn::No),
        }
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

    fn obey(&mut self, chord: Chord) {
        match chord {
            Chord::Figures => self.overlay.step(Instant::now()),
            Chord::FullScreen => {
                if let Some(shown) = &self.shown {
                    shown.toggle_full_screen();
                }
            }
            Chord::Pointer => {
                if let (Some(shown), Some(begun)) = (&self.shown, &mut self.begun) {
                    let is_given = begun.input.toggle_pointer(shown.window());
                    shown.set_title(&self.look, is_given);
                }
            }
        }
    }

    /// The window no longer has the keyboard: nothing that is held may stay so at the host.
    fn leave(&mut self) {
        if let (Some(shown), Some(begun)) = (&self.shown, &mut self.begun) {
            begun.input.leave(shown.window());
            shown.set_title(&self.look, false);
        }
    }

    /// Shows the figures of now once those that are shown are old.
    fn refresh_overlay(&mut self) -> Result<(), Failure> {
        if let (Some(shown), Some(begun)) = (&self.shown, &self.begun)
            && self.overlay.refresh(Instant::now(), &begun.live, shown.place(&self.picture), shown.scale())
        {
            self.draw()?;
        }
        Ok(())
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
