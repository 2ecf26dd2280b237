//! The app's window: what happens in it goes to the pages, or to the host whose picture it shows.

use std::time::Instant;

use pf_app::{App, Level, News, Sentence, Settings, StreamSize, UiScale, VisitNews, Wish};
use pf_client::{Failure, Wishes};
use pf_media::picture::Size;
use tokio::runtime::Runtime;
#[cfg(target_os = "linux")]
use winit::platform::{wayland::WindowAttributesExtWayland, x11::WindowAttributesExtX11};
use winit::{
    application::ApplicationHandler,
    dpi::LogicalSize,
    event::{DeviceEvent, DeviceId, WindowEvent},
    event_loop::{ActiveEventLoop, ControlFlow, EventLoop, EventLoopProxy},
    window::{Window, WindowAttributes, WindowId},
};

use super::{Errands, Event, Pages, Steps};
use crate::{
    settings::SettingsFile,
    window::{Begun, Chord, Drawn, Front, Pads, Shown, Sizing, Viewer, screen_size, title},
};

/// The app, with its window.
pub(super) struct Shell {
    proxy: EventLoopProxy<Event>,
    errands: Option<Errands>,
    app: App,
    viewer: Viewer,
    pads: Pads,
    steps: Steps,
    /// Where the settings are kept.
    file: SettingsFile,
    /// There once the event loop runs.
    screen: Option<Screen>,
    /// The visit whose session is shown.
    watched: Option<u32>,
    /// How much the settings said last to show over the picture; a chord may have changed it since.
    overlay: Level,
    /// The window's title, as it was set.
    title: String,
    /// Whether its person closed it.
    is_done: bool,
    failure: Option<Failure>,
}

/// The window, and what draws in it.
struct Screen {
    shown: Shown,
    pages: Pages,
    /// Whether the pages are to be laid out before they are drawn.
    is_stale: bool,
}

impl Shell {
    /// The app before its window is there; without `errands` it can only be looked at and closed.
    pub(super) fn new(
        events: &EventLoop<Event>,
        app: App,
        errands: Option<Errands>,
        file: SettingsFile,
    ) -> Self {
        let proxy = events.create_proxy();
        let Settings { overlay, grab_keyboard, .. } = *app.settings();
        let told = proxy.clone();
        let pads = Pads::start(move |event| {
            // A window that is gone is played in no more.
            let _ = told.send_event(Event::Pad(event));
        });
        Self {
            proxy,
            errands,
            app,
            viewer: Viewer::new(overlay, grab_keyboard),
            overlay,
            pads,
            steps: Steps::default(),
            file,
            screen: None,
            watched: None,
            title: String::new(),
            is_done: false,
            failure: None,
        }
    }

    /// Ends what goes on, once the window is gone.
    pub(super) fn finish(self, runtime: &Runtime) -> Result<(), Failure> {
        if let Some(errands) = self.errands {
            runtime.block_on(errands.finish());
        }
        self.failure.map_or(Ok(()), Err)
    }

    fn open(&mut self, events: &ActiveEventLoop) -> Result<(), Failure> {
        let screen = screen_size(events);
        // Not visible before a screen reader can read it.
        let attributes = named(Window::default_attributes())
            .with_title("Punktfunk")
            .with_inner_size(LogicalSize::new(WIDTH, HEIGHT))
            .with_min_inner_size(LogicalSize::new(LEAST_WIDTH, LEAST_HEIGHT))
            .with_visible(false);
        let shown = Shown::open(events, attributes, screen)?;
        let pages = Pages::new(events, shown.window(), self.proxy.clone());
        shown.window().set_visible(true);
        self.screen = Some(Screen { shown, pages, is_stale: true });
        self.follow_settings();
        Ok(())
    }

    /// Keeps settings, and follows them.
    fn keep(&mut self, settings: Settings) {
        if let Err(error) = self.file.save(settings) {
            let sentence = Sentence::new(error.to_string(), "They count until the app is closed.");
            self.app.hear(News::Problem(sentence), Instant::now());
        }
        self.follow_settings();
    }

    /// The next session, and one that runs, is as the settings say.
    fn follow_settings(&mut self) {
        let Some(Screen { shown, pages, .. }) = &mut self.screen else { return };
        let settings = self.app.settings();
        let (wishes, sizing) = stream(settings, shown.size());
        if let Some(errands) = &self.errands {
            errands.set_stream(wishes, sizing);
        }
        self.viewer.change(wishes, sizing);
        if self.overlay != settings.overlay {
            self.overlay = settings.overlay;
            self.viewer.set_overlay(settings.overlay);
        }
        self.viewer.set_grab_keyboard(settings.grab_keyboard);
        pages.set_scale(match settings.ui_scale {
            UiScale::Auto => 1.0,
            UiScale::Times(times) => times / shown.scale() as f32,
        });
    }

    /// Draws the window as the app is now.
    fn draw(&mut self) -> Result<Drawn, Failure> {
        let Some(Screen { shown, pages, is_stale }) = &mut self.screen else { return Ok(Drawn::No) };
        let shows_picture = self.app.shows_picture().is_some();
        let shows_pages = !shows_picture || self.app.draws_over_picture();
        if shows_pages && std::mem::take(is_stale) {
            pages.lay_out(shown.window(), &mut self.app, Instant::now());
        }
        shown.draw(|canvas| {
            if shows_picture {
                self.viewer.paint(canvas);
            }
            if shows_pages {
                pages.paint(canvas);
            }
        })
    }

    /// Draws the window once the event loop has nothing more urgent.
    fn refresh(&mut self) {
        if let Some(screen) = &mut self.screen {
            screen.is_stale = true;
            screen.shown.window().request_redraw();
        }
    }

    /// Takes the newest picture, and puts it on the screen.
    fn show_newest(&mut self, number: u32) -> Result<(), Failure> {
        if self.watched != Some(number) {
            return Ok(());
        }
        let Some(showing) = self.viewer.take() else { return Ok(()) };
        if self.app.awaits_picture() {
            self.app.hear(News::Visit(number, VisitNews::Picture), Instant::now());
            self.follow_app();
            self.refresh();
        }
        if self.draw()? == Drawn::Yes {
            showing.shown();
        }
        Ok(())
    }

    /// Does what follows from what the app was told: its wishes, its title, and whose the keyboard is.
    fn follow_app(&mut self) {
        for wish in self.app.take_wishes() {
            match wish {
                Wish::Keep(settings) => self.keep(settings),
                Wish::Quit => self.is_done = true,
                wish => {
                    if let Some(errands) = &mut self.errands {
                        errands.grant(wish);
                    }
                }
            }
        }
        let picture_of = self.app.shows_picture();
        let Some(screen) = &mut self.screen else { return };
        if !self.app.wants_picture() && self.watched.take().is_some() {
            self.viewer.end(&screen.shown);
            self.viewer.clear();
            screen.shown.leave_full_screen();
        }
        let called = match picture_of.filter(|_| !self.app.covers_picture()) {
            Some(host) => title(host, self.viewer.is_pointer_given()),
            None => self.app.title(),
        };
        if called != self.title {
            screen.shown.window().set_title(&called);
            self.title = called;
        }
    }

    /// A session begins; its pictures come to `front`.
    fn begin(&mut self, number: u32, begun: Begun, front: Front) {
        self.watched = Some(number);
        self.viewer.begin(begun);
        self.viewer.watch(front);
        if let Some(controls) = self.viewer.controls() {
            self.pads.plug_all_in(controls);
        }
        if let Some(Screen { shown, .. }) = &mut self.screen {
            let (wishes, _) = stream(self.app.settings(), shown.size());
            shown.follow_from(wishes.size.unwrap_or(shown.size()));
            if self.app.settings().full_screen {
                shown.fill_screen();
            }
        }
    }

    /// Steps through the pages, as the gamepads say.
    fn step(&mut self) {
        let is_for_host = self.is_for_host();
        let Some(Screen { shown, pages, is_stale }) = &mut self.screen else { return };
        while let Some(key) = self.steps.next_key(Instant::now()) {
            if !is_for_host {
                pages.press(key);
                *is_stale = true;
                shown.window().request_redraw();
            }
        }
    }

    /// Whether the keyboard and the pointer are the host's.
    fn is_for_host(&self) -> bool {
        self.app.shows_picture().is_some() && !self.app.covers_picture()
    }

    fn give_up_on<R>(&mut self, result: Result<R, Failure>, events: &ActiveEventLoop) {
        if let Err(failure) = result {
            self.failure = Some(failure);
            events.exit();
        }
    }
}

impl ApplicationHandler<Event> for Shell {
    fn resumed(&mut self, events: &ActiveEventLoop) {
        if self.screen.is_none() {
            let opened = self.open(events);
            self.give_up_on(opened, events);
            self.follow_app();
        }
    }

    fn user_event(&mut self, events: &ActiveEventLoop, event: Event) {
        match event {
            Event::Picture(number) => {
                // Not left for the next redraw, which the display server may put off.
                let drawn = self.show_newest(number);
                self.give_up_on(drawn, events);
                // What lay over it may have been laid out with it.
                return self.follow_app();
            }
            Event::News(news) => self.app.hear(news, Instant::now()),
            Event::Begun(number, begun, front) => self.begin(number, *begun, front),
            Event::Pad(event) => {
                let is_for_host = self.is_for_host();
                if let Some((pad, state)) = self.pads.handle(event, self.viewer.controls(), is_for_host) {
                    self.steps.handle(Instant::now(), pad, &state);
                }
                return self.step();
            }
            Event::Ended(number) => {
                if let Some(screen) = self.screen.as_ref().filter(|_| self.watched == Some(number)) {
                    self.viewer.end(&screen.shown);
                }
            }
            Event::Accessibility(event) => {
                if let Some(screen) = &mut self.screen {
                    screen.pages.handle_accessibility(event.window_event);
                }
            }
        }
        self.follow_app();
        self.refresh();
    }

    fn window_event(&mut self, events: &ActiveEventLoop, _: WindowId, event: WindowEvent) {
        let is_for_host = self.is_for_host();
        let Some(Screen { shown, pages, is_stale }) = &mut self.screen else { return };
        match &event {
            WindowEvent::CloseRequested => {
                events.exit();
                return;
            }
            WindowEvent::RedrawRequested => {
                let drawn = self.draw();
                self.give_up_on(drawn, events);
                self.follow_app();
                return;
            }
            WindowEvent::Resized(size) => {
                shown.resized(Instant::now(), Size::new(size.width, size.height));
                // What the next session asks for. One that runs follows once the window has come to rest.
                let (wishes, sizing) = stream(self.app.settings(), shown.size());
                if let Some(errands) = &self.errands {
                    errands.set_stream(wishes, sizing);
                }
            }
            _ => {}
        }
        if is_for_host {
            match self.viewer.handle(&event, shown) {
                Some(Chord::Leave) => {
                    self.app.leave();
                    *is_stale = true;
                    shown.window().request_redraw();
                }
                Some(Chord::Menu) => {
                    self.viewer.leave(shown);
                    self.app.toggle_menu();
                    *is_stale = true;
                    shown.window().request_redraw();
                }
                Some(chord) => self.viewer.obey(chord, shown),
                None => {}
            }
            self.follow_app();
        } else {
            match self.viewer.note_keys(&event).filter(|_| self.app.shows_picture().is_some()) {
                Some(Chord::Menu) if !self.app.is_reconnecting() => self.app.toggle_menu(),
                Some(Chord::Leave) => self.app.leave(),
                Some(Chord::FullScreen) => shown.toggle_full_screen(),
                _ => {}
            }
            if pages.handle(shown.window(), &event) {
                *is_stale = true;
                shown.window().request_redraw();
            }
        }
    }

    fn device_event(&mut self, _: &ActiveEventLoop, _: DeviceId, event: DeviceEvent) {
        if self.is_for_host() {
            self.viewer.handle_device(&event);
        }
    }

    fn exiting(&mut self, _: &ActiveEventLoop) {
        // Neither the window nor a keyboard that it holds stays while hosts are told goodbye.
        self.screen = None;
    }

    fn about_to_wait(&mut self, events: &ActiveEventLoop) {
        if self.is_done {
            events.exit();
        }
        let now = Instant::now();
        if self.app.due().is_some_and(|due| due <= now) {
            self.app.poll(now);
            self.follow_app();
            self.refresh();
        }
        if self.steps.due().is_some_and(|due| due <= now) {
            self.step();
        }
        let is_for_host = self.is_for_host();
        let Some(Screen { shown, pages, is_stale }) = &mut self.screen else { return };
        let has_all_keys = self.viewer.hold_keyboard(now, shown, is_for_host);
        if self.app.has_all_keys() != has_all_keys {
            self.app.hear(News::AllKeys(has_all_keys), now);
            *is_stale = true;
            shown.window().request_redraw();
        }
        let mut due: Vec<Instant> = self.app.due().into_iter().chain(self.steps.due()).collect();
        if is_for_host {
            if self.viewer.poll(now, shown) {
                shown.window().request_redraw();
            }
            due.extend(self.viewer.due(shown));
        }
        if !is_for_host || self.app.draws_over_picture() {
            if pages.due().is_some_and(|due| due <= now) && !*is_stale {
                *is_stale = true;
                shown.window().request_redraw();
            }
            due.extend(pages.due().filter(|due| *due > now));
        }
        let due = due.into_iter().min();
        events.set_control_flow(due.map_or(ControlFlow::Wait, ControlFlow::WaitUntil));
    }
}

/// The name by which a desktop knows the window as the app's, and finds its icon.
fn named(attributes: WindowAttributes) -> WindowAttributes {
    #[cfg(target_os = "linux")]
    let attributes = {
        let attributes = WindowAttributesExtX11::with_name(attributes, "punktfunk", "punktfunk");
        WindowAttributesExtWayland::with_name(attributes, "punktfunk", "punktfunk")
    };
    attributes
}

/// What is asked of a host by these settings, in a window of this size.
fn stream(settings: &Settings, window: Size) -> (Wishes, Sizing) {
    let (size, sizing) = match settings.size {
        StreamSize::Window => (Some(window).filter(|size| size.is_streamable()), Sizing::Window),
        StreamSize::Fixed(size) => (Some(size), Sizing::Fixed),
    };
    let wishes = Wishes {
        size,
        frames_per_second: settings.fps,
        bits_per_second: settings.bitrate.map(|megabits| megabits * 1_000_000),
        sound: settings.sound,
    };
    (wishes, sizing)
}

/// How large the window opens, in points.
const WIDTH: f64 = 1100.0;
const HEIGHT: f64 = 720.0;

/// How small it can be made: a dialog still fits across.
const LEAST_WIDTH: f64 = 420.0;
const LEAST_HEIGHT: f64 = 320.0;
