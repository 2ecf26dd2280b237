//! The app's pages on the screen: egui, in the app's window.

use std::time::{Duration, Instant};

use egui::{
    ClippedPrimitive, Key, Modifiers, TextureId, TexturesDelta, ViewportId,
    epaint::{ImageDelta, TextureAtlas},
};
use egui_winit::State;
use pf_app::App;
use pf_base::Timestamp;
use winit::{
    event::WindowEvent,
    event_loop::{ActiveEventLoop, EventLoopProxy},
    window::Window,
};

use super::Event;
use crate::window::Canvas;

/// Lays out and draws the app's pages in a window.
///
/// Call [`lay_out`](Self::lay_out) when something changed or is [`due`](Self::due), and [`paint`](Self::paint) with what
/// it left whenever the window is drawn.
pub(super) struct Pages {
    context: egui::Context,
    state: State,
    primitives: Vec<ClippedPrimitive>,
    textures: TexturesDelta,
    pixels_per_point: f32,
    /// How long what was laid out stands.
    delay: Option<Duration>,
    due: Option<Instant>,
}

impl Pages {
    /// Those of a window that is not visible yet: a screen reader must not find it without its tree.
    pub(super) fn new(events: &ActiveEventLoop, window: &Window, proxy: EventLoopProxy<Event>) -> Self {
        let context = egui::Context::default();
        pf_app::theme::apply(&context);
        let scale = Some(window.scale_factor() as f32);
        let mut state = State::new(context.clone(), ViewportId::ROOT, window, scale, None, Some(MAX_TEXTURE));
        state.init_accesskit(events, window, proxy);
        Self {
            context,
            state,
            primitives: Vec::new(),
            textures: TexturesDelta::default(),
            pixels_per_point: 1.0,
            delay: None,
            due: None,
        }
    }

    /// Takes in what happened in the window; whether the pages are to be laid out again.
    pub(super) fn handle(&mut self, window: &Window, event: &WindowEvent) -> bool {
        self.state.on_window_event(window, event).repaint
    }

    /// Takes in what a screen reader asks for.
    pub(super) fn handle_accessibility(&mut self, event: accesskit_winit::WindowEvent) {
        match event {
            accesskit_winit::WindowEvent::InitialTreeRequested => self.context.enable_accesskit(),
            accesskit_winit::WindowEvent::ActionRequested(request) => {
                self.state.on_accesskit_action_request(request);
            }
            accesskit_winit::WindowEvent::AccessibilityDeactivated => self.context.disable_accesskit(),
        }
    }

    /// Presses a key, as a gamepad does.
    pub(super) fn press(&mut self, key: Key) {
        let events = &mut self.state.egui_input_mut().events;
        for pressed in [true, false] {
            events.push(egui::Event::Key {
                key,
                physical_key: None,
                pressed,
                repeat: false,
                modifiers: Modifiers::NONE,
            });
        }
    }

    /// Draws the pages so many times as large as the display says.
    pub(super) fn set_scale(&self, times: f32) {
        self.context.set_zoom_factor(times);
    }

    /// When the pages change by themselves, if ever.
    pub(super) fn due(&self) -> Option<Instant> {
        self.due
    }

    /// Lays the pages out as the app is now.
    pub(super) fn lay_out(&mut self, window: &Window, app: &mut App, now: Instant) {
        let today = Timestamp::EPOCH + std::time::UNIX_EPOCH.elapsed().unwrap_or_default();
        let mut input = self.state.take_egui_input(window);
        // Key by key: egui moves the focus once in each pass, and a hand on Tab or a gamepad is faster than a busy machine.
        let mut events = std::mem::take(&mut input.events).into_iter().peekable();
        loop {
            let mut has_key = false;
            let of_pass = std::iter::from_fn(|| {
                let is_press = matches!(events.peek()?, egui::Event::Key { pressed: true, .. });
                if is_press && std::mem::replace(&mut has_key, true) { None } else { events.next() }
            });
            let of_pass = egui::RawInput { events: of_pass.collect(), ..input.clone() };
            let title = app.title();
            self.pass(window, of_pass, |ui| app.show(ui, now, today));
            if app.title() != title {
                // Another page: it is there, with the keyboard where it belongs, before its title is and the next key.
                self.pass(window, input.clone(), |ui| app.show(ui, now, today));
            }
            if events.peek().is_none() {
                break;
            }
        }
        self.due = self.delay.and_then(|delay| now.checked_add(delay.max(LEAST_PAUSE)));
    }

    fn pass(&mut self, window: &Window, input: egui::RawInput, show: impl FnMut(&mut egui::Ui)) {
        let output = self.context.run_ui(input, show);
        self.state.handle_platform_output(window, output.platform_output);
        self.pixels_per_point = output.pixels_per_point;
        self.primitives = self.context.tessellate(output.shapes, output.pixels_per_point);
        self.textures.append(output.textures_delta);
        self.delay = output.viewport_output.get(&ViewportId::ROOT).map(|viewport| viewport.repaint_delay);
    }

    /// Draws what was laid out over what the canvas has.
    pub(super) fn paint(&mut self, canvas: &mut dyn Canvas) {
        let textures = textures_for(canvas, &self.context, std::mem::take(&mut self.textures));
        canvas.pages(&self.primitives, &textures, self.pixels_per_point);
    }
}

/// What a canvas needs of the textures of pages: what is `new`, or all that there is if it has painted none yet. That is the
/// texture of the letters, of which egui hands out nothing twice.
pub(crate) fn textures_for(
    canvas: &dyn Canvas,
    context: &egui::Context,
    new: TexturesDelta,
) -> TexturesDelta {
    if canvas.has_pages() {
        return new;
    }
    #[expect(
        clippy::redundant_closure_for_method_calls,
        reason = "a method of all lifetimes is none to the compiler"
    )]
    let letters = context.fonts(|fonts| fonts.image());
    let whole = ImageDelta::full(letters, TextureAtlas::texture_options());
    TexturesDelta { set: vec![(TextureId::default(), whole)], free: Vec::new() }
}

/// How long pages that move stand at least: what turns, turns 25 times a second.
const LEAST_PAUSE: Duration = Duration::from_millis(40);

/// The largest side of a texture: the fonts'.
const MAX_TEXTURE: usize = 4096;
