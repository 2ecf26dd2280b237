//! Pictures on their way from the decoding thread to the window.

use std::sync::{Arc, Mutex, PoisonError};

use pf_client::PictureSink;
use pf_codec::I420View;
use pf_media::picture::Size;
use winit::event_loop::EventLoopProxy;

use super::Event;

/// A picture as the window draws it: blue, green, red, unused; rows without gaps.
#[derive(Default)]
pub(super) struct Picture {
    pub(super) size: Option<Size>,
    pub(super) pixels: Vec<u8>,
}

/// Takes pictures from the decoding thread: converts each behind, then puts it in front.
pub(super) struct Sink {
    back: Picture,
    front: Arc<Mutex<Picture>>,
    proxy: EventLoopProxy<Event>,
}

impl Sink {
    /// One that puts pictures in `front`, and tells the window of each.
    pub(super) fn new(front: Arc<Mutex<Picture>>, proxy: EventLoopProxy<Event>) -> Self {
        Self { back: Picture::default(), front, proxy }
    }
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
