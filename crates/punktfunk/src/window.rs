//! The window that shows a session: one picture, its aspect kept, drawn by the processor.

use std::{
    future::Future,
    num::NonZeroU32,
    rc::Rc,
    sync::{Arc, Mutex, PoisonError},
};

use pf_client::{Failure, PictureSink};
use pf_codec::I420View;
use pf_media::picture::Size;
use softbuffer::{Context, Surface};
use tokio::{runtime::Runtime, sync::oneshot};
use winit::{
    application::ApplicationHandler,
    dpi::PhysicalSize,
    event::WindowEvent,
    event_loop::{ActiveEventLoop, EventLoop, EventLoopProxy, OwnedDisplayHandle},
    window::{Window, WindowId},
};

/// What is asked for when the screen's size is not known.
const FALLBACK_SIZE: Size = Size::new(1280, 720);

/// Ends once the person has closed the window.
pub(crate) type Closed = oneshot::Receiver<()>;

/// Runs a session in a window, on the calling thread, which must be the program's first.
///
/// `session` gets the sink for its pictures, the size of the screen, and what tells that the window was closed. The
/// window opens with the first picture, so that a refusal never flashes one up.
pub(crate) fn run<T, F>(
    runtime: &Runtime,
    title: &str,
    session: impl FnOnce(Box<dyn PictureSink>, Size, Closed) -> F,
) -> Result<T, Failure>
where
    T: Send + 'static,
    F: Future<Output = Result<T, Failure>> + Send + 'static,
{
    let events = EventLoop::with_user_event().build().map_err(|error| no_window(&error))?;
    let context = Context::new(events.owned_display_handle()).map_err(|error| no_window(&error))?;
    let front = Arc::new(Mutex::new(Picture::default()));
    let proxy = events.create_proxy();
    let sink = Sink { back: Picture::default(), front: Arc::clone(&front), proxy: proxy.clone() };
    let (close, closed) = oneshot::channel();
    let (report, result) = oneshot::channel();

    let mut to_begin = Some((session, sink, closed, report));
    let begin = |screen: Size| {
        let Some((session, sink, closed, report)) = to_begin.take() else { return };
        let running = session(Box::new(sink), screen, closed);
        let proxy = proxy.clone();
        runtime.spawn(async move {
            // Whoever waits for the result is told by the event that it is there.
            let _ = report.send(running.await);
            let _ = proxy.send_event(Event::SessionEnded);
        });
    };
    let title = format!("{title} – Punktfunk");
    let mut app = App { title, context, begin, shown: None, front, close: Some(close), failure: None };
    events.run_app(&mut app).map_err(|error| no_window(&error))?;
    match app.failure {
        Some(failure) => Err(failure),
        None => runtime.block_on(result).unwrap_or_else(|_| Err(no_window(&"the session broke off"))),
    }
}

/// What the session tells the window.
enum Event {
    /// There is a new picture in front.
    Picture,
    /// The session is over; the window closes.
    SessionEnded,
}

/// A picture as the window draws it: blue, green, red, unused; rows without gaps.
#[derive(Default)]
struct Picture {
    size: Option<Size>,
    pixels: Vec<u8>,
}

/// Takes pictures from the decoding thread: converts each behind, then puts it in front.
struct Sink {
    back: Picture,
    front: Arc<Mutex<Picture>>,
    proxy: EventLoopProxy<Event>,
}

impl PictureSink for Sink {
    fn show(&mut self, picture: I420View<'_>) {
        let size = picture.size();
        let stride = size.width as usize * 4;
        self.back.size = Some(size);
        self.back.pixels.resize(stride * size.height as usize, 0);
        picture.to_bgrx(&mut self.back.pixels, stride);
        std::mem::swap(&mut self.back, &mut *self.front.lock().unwrap_or_else(PoisonError::into_inner));
        // A window that is gone shows nothing more.
        let _ = self.proxy.send_event(Event::Picture);
    }
}

struct App<B> {
    title: String,
    context: Context<OwnedDisplayHandle>,
    begin: B,
    shown: Option<Shown>,
    front: Arc<Mutex<Picture>>,
    close: Option<oneshot::Sender<()>>,
    failure: Option<Failure>,
}

/// A window that is on the screen.
struct Shown {
    window: Rc<Window>,
    surface: Surface<OwnedDisplayHandle, Rc<Window>>,
}

impl<B: FnMut(Size)> ApplicationHandler<Event> for App<B> {
    fn resumed(&mut self, events: &ActiveEventLoop) {
        (self.begin)(screen_size(events));
    }

    fn user_event(&mut self, events: &ActiveEventLoop, event: Event) {
        match event {
            Event::Picture => {
                if self.shown.is_none()
                    && let Err(failure) = self.open(events)
                {
                    self.failure = Some(failure);
                    events.exit();
                }
                if let Some(shown) = &self.shown {
                    shown.window.request_redraw();
                }
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
            WindowEvent::RedrawRequested => {
                if let Err(failure) = self.draw() {
                    self.failure = Some(failure);
                    events.exit();
                }
            }
            _ => {}
        }
    }
}

impl<B> App<B> {
    /// Opens the window at the picture's own size, or as large as the screen lets it be.
    fn open(&mut self, events: &ActiveEventLoop) -> Result<(), Failure> {
        if self.close.is_none() {
            return Ok(());
        }
        let picture = self.front.lock().unwrap_or_else(PoisonError::into_inner).size.unwrap_or(FALLBACK_SIZE);
        let screen = screen_size(events);
        let attributes = Window::default_attributes().with_title(self.title.as_str()).with_inner_size(
            PhysicalSize::new(picture.width.min(screen.width), picture.height.min(screen.height)),
        );
        let window = Rc::new(events.create_window(attributes).map_err(|error| no_window(&error))?);
        let surface = Surface::new(&self.context, Rc::clone(&window)).map_err(|error| no_window(&error))?;
        self.shown = Some(Shown { window, surface });
        Ok(())
    }

    fn draw(&mut self) -> Result<(), Failure> {
        let Some(Shown { window, surface }) = &mut self.shown else { return Ok(()) };
        let PhysicalSize { width, height } = window.inner_size();
        let (Some(columns), Some(rows)) = (NonZeroU32::new(width), NonZeroU32::new(height)) else {
            return Ok(());
        };
        surface.resize(columns, rows).map_err(|error| no_window(&error))?;
        let mut canvas = surface.buffer_mut().map_err(|error| no_window(&error))?;
        let picture = self.front.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(size) = picture.size {
            paint(&mut canvas, Size::new(width, height), &picture.pixels, size);
        }
        drop(picture);
        window.pre_present_notify();
        canvas.present().map_err(|error| no_window(&error))
    }
}

/// Paints a picture into a canvas as large as its aspect lets it be, in the middle of black.
fn paint(canvas: &mut [u32], canvas_size: Size, pixels: &[u8], size: Size) {
    let shown = fit(size, canvas_size);
    let left = ((canvas_size.width - shown.width) / 2) as usize;
    let top = ((canvas_size.height - shown.height) / 2) as usize;
    let columns: Vec<usize> = (0..shown.width).map(|x| scaled(x, shown.width, size.width)).collect();
    let picture_rows = pixels.chunks_exact(size.width as usize * 4);
    let picture_rows: Vec<&[u8]> = picture_rows.collect();
    for (y, line) in canvas.chunks_exact_mut(canvas_size.width as usize).enumerate() {
        let inside = y.checked_sub(top).filter(|y| *y < shown.height as usize);
        let Some(row) = inside.and_then(|y| picture_rows.get(scaled(y as u32, shown.height, size.height)))
        else {
            line.fill(0);
            continue;
        };
        line[..left].fill(0);
        line[left + columns.len()..].fill(0);
        for (pixel, column) in line[left..].iter_mut().zip(&columns) {
            let at = column * 4;
            *pixel = u32::from_le_bytes([row[at], row[at + 1], row[at + 2], 0]);
        }
    }
}

/// The largest size of the same aspect that fits; at least one pixel a side.
fn fit(size: Size, room: Size) -> Size {
    let (width, height) = (u64::from(size.width), u64::from(size.height));
    let (room_width, room_height) = (u64::from(room.width), u64::from(room.height));
    let by_width = (room_width, (height * room_width / width).max(1));
    let by_height = ((width * room_height / height).max(1), room_height);
    let (width, height) = if by_width.1 <= room_height { by_width } else { by_height };
    Size::new(width.min(room_width) as u32, height.min(room_height) as u32)
}

/// Where a pixel of `of` shown ones lies in a picture of `pixels`.
fn scaled(at: u32, of: u32, pixels: u32) -> usize {
    (u64::from(at) * u64::from(pixels) / u64::from(of)) as usize
}

fn screen_size(events: &ActiveEventLoop) -> Size {
    let screen = events.primary_monitor().or_else(|| events.available_monitors().next());
    let size = screen.map(|screen| Size::new(screen.size().width, screen.size().height));
    size.filter(|size| size.is_streamable()).unwrap_or(FALLBACK_SIZE)
}

fn no_window(error: &impl ToString) -> Failure {
    Failure::Machine { what: "no window can be shown (--headless needs none)", why: error.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_keeps_its_aspect_in_any_window() {
        let wide = Size::new(1280, 720);
        assert_eq!(fit(wide, Size::new(1280, 720)), wide);
        assert_eq!(fit(wide, Size::new(1920, 1200)), Size::new(1920, 1080));
        assert_eq!(fit(wide, Size::new(640, 1000)), Size::new(640, 360));
        assert_eq!(fit(wide, Size::new(1, 1)), Size::new(1, 1));
        assert_eq!(fit(Size::new(1, 4096), Size::new(100, 100)), Size::new(1, 100));
    }

    #[test]
    fn a_picture_stands_in_the_middle_of_black() {
        // One red pixel, one blue one, in a window that is twice as wide as high and three times as high as they are.
        let pixels = [0, 0, 255, 9, 255, 0, 0, 9];
        let mut canvas = [7; 4 * 4];
        paint(&mut canvas, Size::new(4, 4), &pixels, Size::new(2, 1));
        let (red, blue) = (0x00ff_0000, 0x0000_00ff);
        assert_eq!(canvas[..4], [0; 4]);
        assert_eq!(canvas[4..8], [red, red, blue, blue]);
        assert_eq!(canvas[8..12], [red, red, blue, blue]);
        assert_eq!(canvas[12..], [0; 4]);
    }
}
