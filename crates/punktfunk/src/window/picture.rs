//! Pictures on their way from the decoding thread to the window.
//!
//! There are three of them, so that nobody waits: the decoding thread copies into one, the window paints from another,
//! and the third lies between the two. A picture that lies there when the next one comes is never painted.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use pf_client::{PictureSink, Showing};
use pf_codec::{I420View, Plane};
use pf_media::picture::Size;

/// A picture in planes, without gaps. Without a pixel before the first.
pub(crate) struct Planes {
    size: Size,
    samples: Vec<u8>,
}

impl Planes {
    /// The picture; `None` before the first.
    pub(super) fn view(&self) -> Option<I420View<'_>> {
        let planes = self.planes().map(|(size, samples)| Plane { samples, stride: size.width as usize });
        I420View::new(self.size, planes)
    }

    /// The planes Y, U and V, each with its size.
    pub(super) fn planes(&self) -> [(Size, &[u8]); 3] {
        let [luma, blue, red] = plane_sizes(self.size);
        let (y, chroma) = self.samples.split_at(area(luma));
        let (u, v) = chroma.split_at(area(blue));
        [(luma, y), (blue, u), (red, v)]
    }

    /// Takes on a size, and hands out the planes Y, U and V to write, each with its own.
    pub(super) fn resize(&mut self, size: Size) -> [(Size, &mut [u8]); 3] {
        self.size = size;
        let [luma, blue, red] = plane_sizes(size);
        self.samples.resize(area(luma) + area(blue) + area(red), 0);
        let (y, chroma) = self.samples.split_at_mut(area(luma));
        let (u, v) = chroma.split_at_mut(area(blue));
        [(luma, y), (blue, u), (red, v)]
    }

    pub(super) fn copy(&mut self, picture: I420View<'_>) {
        for ((size, to), from) in self.resize(picture.size()).into_iter().zip(picture.planes()) {
            let width = size.width as usize;
            for (to, from) in to.chunks_exact_mut(width).zip(from.samples.chunks(from.stride)) {
                to.copy_from_slice(&from[..width]);
            }
        }
    }
}

impl Default for Planes {
    fn default() -> Self {
        Self { size: Size::new(0, 0), samples: Vec::new() }
    }
}

/// The sizes of the planes of a picture.
fn plane_sizes(size: Size) -> [Size; 3] {
    let chroma = Size::new(size.width.div_ceil(2), size.height.div_ceil(2));
    [size, chroma, chroma]
}

fn area(size: Size) -> usize {
    size.width as usize * size.height as usize
}

/// The newest picture, between the decoding thread and the window.
#[derive(Clone, Default)]
pub(crate) struct Front(Arc<Mutex<Slot>>);

#[derive(Default)]
struct Slot {
    planes: Planes,
    /// There while the picture was not taken.
    showing: Option<Showing>,
}

impl Front {
    /// Swaps the newest picture in, if there is one that was not taken yet.
    pub(super) fn take(&self, planes: &mut Planes) -> Option<Showing> {
        let mut slot = self.lock();
        let showing = slot.showing.take()?;
        std::mem::swap(&mut slot.planes, planes);
        Some(showing)
    }

    /// Swaps a picture in front; whether the one before it was taken.
    fn put(&self, planes: &mut Planes, showing: Showing) -> bool {
        let mut slot = self.lock();
        std::mem::swap(&mut slot.planes, planes);
        slot.showing.replace(showing).is_none()
    }

    fn lock(&self) -> MutexGuard<'_, Slot> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Takes pictures from the decoding thread.
pub(crate) struct Sink<N> {
    back: Planes,
    front: Front,
    notify: N,
}

impl<N: FnMut() + Send> Sink<N> {
    /// One that puts pictures in `front`, and calls `notify` for each that the window does not know of.
    pub(crate) fn new(front: Front, notify: N) -> Self {
        Self { back: Planes::default(), front, notify }
    }
}

impl<N: FnMut() + Send> PictureSink for Sink<N> {
    fn show(&mut self, picture: I420View<'_>, showing: Showing) {
        self.back.copy(picture);
        if self.front.put(&mut self.back, showing) {
            // A window that was told already comes for the newest.
            (self.notify)();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What lies between the rows of a decoder's picture is not part of it.
    #[test]
    fn a_copy_has_the_samples_of_the_picture_and_no_gaps() {
        let size = Size::new(5, 3);
        let luma: Vec<u8> = (0..24).collect();
        let chroma: Vec<u8> = (100..108).collect();
        let planes = [
            Plane { samples: &luma, stride: 8 },
            Plane { samples: &chroma, stride: 4 },
            Plane { samples: &chroma[1..], stride: 4 },
        ];
        let mut copy = Planes::default();
        assert!(copy.view().is_none());
        copy.copy(I420View::new(size, planes).unwrap());
        let view = copy.view().unwrap();
        assert_eq!(view.size(), size);
        let [y, u, v] = view.planes().map(|plane| plane.samples);
        assert_eq!(y, [0, 1, 2, 3, 4, 8, 9, 10, 11, 12, 16, 17, 18, 19, 20]);
        assert_eq!(u, [100, 101, 102, 104, 105, 106]);
        assert_eq!(v, [101, 102, 103, 105, 106, 107]);
    }
}
