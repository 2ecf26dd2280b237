//! Real windows on a screen of their own, and what is seen in them there.
//!
//! A window's display and event loop belong to the whole process: each test runs once more in one of its own.

mod screens;

use std::{fs, path::Path, time::Duration};

use tempfile::TempDir;
use winit::{
    application::ApplicationHandler,
    event::WindowEvent,
    event_loop::EventLoop,
    platform::{pump_events::EventLoopExtPumpEvents as _, x11::EventLoopBuilderExtX11 as _},
    window::WindowId,
};

use self::screens::{Eye, PATIENCE, Server, on_a_screen, resize_output};
use super::*;
use crate::app::textures_for;
use crate::window::{
    fixtures::{STEPS, by_processor, difference, page, planes},
    gpu::renderer,
    picture::Planes,
};

#[test]
fn a_window_that_opengl_draws_shows_the_picture_after_a_resize_too() {
    on_a_screen(Server::X, "a_window_that_opengl_draws_shows_the_picture_after_a_resize_too", || {
        let (devices, size) = (devices(&["renderD128"]), Size::new(200, 150));
        let picture = planes(size, 1);
        let mut paint = |canvas: &mut dyn Canvas| canvas.picture(&picture, 1);
        let mut stage = Stage::open(size, |window| Gpu::open_on(window, devices.path(), |_| true));
        stage.await_sight(size, &mut paint);
        for size in [Size::new(320, 213), Size::new(131, 240), Size::new(200, 150)] {
            let wanted = PhysicalSize::new(size.width, size.height);
            let _ = stage.shown().window().request_inner_size(wanted);
            stage.await_sight(size, &mut paint);
        }
        assert_ne!(stage.shown().drawn_by(), "the processor");
        assert!(has_loaded("libEGL"), "else nobody would see that the processor does without");
    });
}

#[test]
fn on_wayland_opengl_shows_the_picture_and_the_processor_goes_on() {
    on_a_screen(Server::Wayland, "on_wayland_opengl_shows_the_picture_and_the_processor_goes_on", || {
        let (devices, size) = (devices(&["renderD128"]), Size::new(640, 480));
        let picture = planes(Size::new(200, 150), 1);
        let mut paint = |canvas: &mut dyn Canvas| canvas.picture(&picture, 1);
        let mut stage = Stage::open(size, |window| Gpu::open_on(window, devices.path(), |_| true));
        stage.await_sight(size, &mut paint);
        for size in [Size::new(720, 401), Size::new(333, 600)] {
            resize_output(size);
            stage.await_sight(size, &mut paint);
        }
        assert_ne!(stage.shown().drawn_by(), "the processor");
        let too_wide = planes(Size::new(40_000, 15), 2);
        stage.await_sight(Size::new(333, 600), &mut |canvas| canvas.picture(&too_wide, 2));
        assert_eq!(stage.shown().drawn_by(), "the processor");
    });
}

/// A session goes on where the GPU's does not, with everything that was on the screen, pages included.
#[test]
fn where_the_gpu_fails_the_processor_goes_on_with_the_same() {
    on_a_screen(Server::X, "where_the_gpu_fails_the_processor_goes_on_with_the_same", || {
        let (devices, size) = (devices(&["renderD128"]), Size::new(320, 240));
        let context = egui::Context::default();
        let (_, first) = page(&context, size);
        let (primitives, _) = page(&context, size);
        let [fine, too_wide] =
            [(160, 120), (40_000, 15)].map(|(width, height)| planes(Size::new(width, height), 1));
        let [with_fine, with_too_wide] = [&fine, &too_wide].map(|picture| {
            by_processor(size, |canvas| {
                canvas.picture(picture, 1);
                canvas.pages(&primitives, &first, 1.0);
            })
        });
        let mut new = first;
        let mut paint = |canvas: &mut dyn Canvas, picture: &Planes, number: u64| {
            canvas.picture(picture, number);
            // As the app does: what egui hands out once is gone by the time that the processor takes over.
            let textures = textures_for(canvas, &context, std::mem::take(&mut new));
            canvas.pages(&primitives, &textures, 1.0);
        };
        let mut stage = Stage::open(size, |window| Gpu::open_on(window, devices.path(), |_| true));
        stage.await_pixels(size, &with_fine, &mut |canvas| paint(canvas, &fine, 1));
        assert_ne!(stage.shown().drawn_by(), "the processor");
        stage.await_pixels(size, &with_too_wide, &mut |canvas| paint(canvas, &too_wide, 2));
        assert_eq!(stage.shown().drawn_by(), "the processor");
    });
}

/// The same on a machine without a GPU, where OpenGL would be worked out by the processor.
#[test]
fn opengl_that_is_no_hardware_is_left_alone() {
    on_a_screen(Server::X, "opengl_that_is_no_hardware_is_left_alone", || {
        let (devices, size) = (devices(&["renderD128"]), Size::new(200, 150));
        let picture = planes(Size::new(64, 48), 1);
        let mut why = None;
        let mut stage = Stage::open(size, |window| {
            let without = Gpu::open_on(window, devices.path(), renderer::is_hardware).err();
            why = Some(without.as_ref().map(ToString::to_string).unwrap_or_default());
            Err(without.unwrap_or(Without::Absent))
        });
        stage.await_sight(size, &mut |canvas| canvas.picture(&picture, 1));
        assert_eq!(stage.shown().drawn_by(), "the processor");
        drop(stage);
        let why = why.unwrap();
        assert!(why.starts_with("OpenGL is worked out by the processor (llvmpipe"), "{why:?}");
    });
}

/// Loading OpenGL to find that there is no GPU would make every start slower.
#[test]
fn without_a_gpu_nothing_of_opengl_is_loaded() {
    on_a_screen(Server::X, "without_a_gpu_nothing_of_opengl_is_loaded", || {
        let (devices, size) = (devices(&["card0"]), Size::new(200, 150));
        let picture = planes(Size::new(64, 48), 1);
        let mut stage = Stage::open(size, |window| Gpu::open_on(window, devices.path(), |_| true));
        stage.await_sight(size, &mut |canvas| canvas.picture(&picture, 1));
        assert_eq!(stage.shown().drawn_by(), "the processor");
        for library in ["libEGL", "libGL", "libgallium", "_dri.so"] {
            assert!(!has_loaded(library), "{library}");
        }
    });
}

/// A folder with devices of these names.
fn devices(names: &[&str]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for name in names {
        fs::write(folder.path().join(name), "").unwrap();
    }
    folder
}

/// Whether this process has loaded a library whose name contains this.
fn has_loaded(library: &str) -> bool {
    let maps = fs::read_to_string("/proc/self/maps").unwrap();
    let names = maps.lines().filter_map(|line| Path::new(line.split(' ').next_back()?).file_name());
    names.map(|name| name.to_string_lossy()).any(|name| name.contains(library))
}

/// A window on the screen, and an eye that looks at it.
struct Stage {
    events: EventLoop<()>,
    shown: Shown,
    eye: Eye,
}

impl Stage {
    /// Opens a window of this size.
    fn open(size: Size, gpu: impl FnOnce(&Rc<Window>) -> Result<Gpu, Without>) -> Self {
        let mut events = EventLoop::builder().with_any_thread(true).build().unwrap();
        let mut opening = Opening { size, gpu: Some(gpu), shown: None };
        while opening.shown.is_none() {
            events.pump_app_events(Some(MOMENT), &mut opening);
        }
        Self { events, shown: opening.shown.unwrap(), eye: Eye::open() }
    }

    fn shown(&self) -> &Shown {
        &self.shown
    }

    /// Draws the window as often as it must be, until it has this size and shows what is painted.
    #[track_caller]
    fn await_sight(&mut self, size: Size, paint: &mut dyn FnMut(&mut dyn Canvas)) {
        let expected = by_processor(size, &mut *paint);
        self.await_pixels(size, &expected, paint);
    }

    /// The same, where it is known what is to be seen of it.
    #[track_caller]
    fn await_pixels(&mut self, size: Size, expected: &[u32], paint: &mut dyn FnMut(&mut dyn Canvas)) {
        let started = Instant::now();
        let mut playing = Playing { shown: &mut self.shown, is_to_draw: true };
        let mut sight = "nothing".to_owned();
        while started.elapsed() < PATIENCE {
            if std::mem::take(&mut playing.is_to_draw) {
                assert_eq!(playing.shown.draw(&mut *paint).unwrap(), Drawn::Yes);
            }
            self.events.pump_app_events(Some(MOMENT), &mut playing);
            match self.eye.see(playing.shown.window()) {
                Some((seen, pixels)) if seen == size => {
                    let (most, apart) = difference(&pixels, expected, STEPS);
                    if apart == 0 {
                        return;
                    }
                    sight = format!("{apart} pixels of {size} are wrong, by up to {most} steps");
                }
                Some((seen, _)) => sight = format!("a window of {seen}"),
                None => {}
            }
        }
        panic!("what is seen is not what was painted: {sight}");
    }
}

/// Opens a window once the event loop runs.
struct Opening<G> {
    size: Size,
    gpu: Option<G>,
    shown: Option<Shown>,
}

impl<G: FnOnce(&Rc<Window>) -> Result<Gpu, Without>> ApplicationHandler for Opening<G> {
    fn resumed(&mut self, events: &ActiveEventLoop) {
        let size = PhysicalSize::new(self.size.width, self.size.height);
        let attributes = Window::default_attributes().with_inner_size(size);
        let gpu = self.gpu.take().unwrap();
        self.shown = Some(Shown::open_with(events, attributes, self.size, gpu).unwrap());
    }

    fn window_event(&mut self, _: &ActiveEventLoop, _: WindowId, _: WindowEvent) {}
}

/// Takes in what happens in a window.
struct Playing<'a> {
    shown: &'a mut Shown,
    is_to_draw: bool,
}

impl ApplicationHandler for Playing<'_> {
    fn resumed(&mut self, _: &ActiveEventLoop) {}

    fn window_event(&mut self, _: &ActiveEventLoop, _: WindowId, event: WindowEvent) {
        match event {
            WindowEvent::Resized(PhysicalSize { width, height }) => {
                self.shown.resized(Instant::now(), Size::new(width, height));
                self.is_to_draw = true;
            }
            WindowEvent::RedrawRequested => self.is_to_draw = true,
            _ => {}
        }
    }
}

/// How long the event loop is run at a time.
const MOMENT: Duration = Duration::from_millis(5);
