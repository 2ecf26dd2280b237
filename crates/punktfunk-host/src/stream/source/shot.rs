//! A picture of a source, converted for encoders, in each size that one of them wants.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};

use pf_codec::I420;
use pf_desktop::{Picture, Rows};
use pf_media::picture::Size;

/// One picture that was taken.
pub(in crate::stream) struct Shot {
    /// Counts up by one with each picture of the source.
    pub(in crate::stream) number: u64,
    /// When the source began to take it.
    pub(in crate::stream) captured: Instant,
    whole: Arc<Rendition>,
    /// Smaller ones, made when they were first asked for.
    scaled: Mutex<Vec<Arc<Rendition>>>,
}

/// A picture as an encoder takes it.
pub(in crate::stream) struct Rendition {
    pub(in crate::stream) picture: I420,
    /// When it was ready to be encoded.
    pub(in crate::stream) ready: Instant,
    /// The number of the shot.
    shot: u64,
}

/// Makes shots of the pictures of one source, of each only what changed.
#[derive(Default)]
pub(super) struct Camera {
    /// The shots so far.
    count: u64,
    /// What changed with each of the last ones, oldest first; at most [`MOST_KEPT`].
    changes: VecDeque<Rows>,
    shelf: Shelf,
}

/// Renditions that somebody holds or did hold, oldest first, so that pictures are not allocated anew. At most
/// [`MOST_KEPT`]; what is forgotten here is freed by who holds it.
#[derive(Default)]
pub(in crate::stream) struct Shelf(VecDeque<Arc<Rendition>>);

impl Camera {
    /// Takes the next picture.
    pub(super) fn take(&mut self, picture: Picture<'_>) -> Shot {
        self.count += 1;
        if self.changes.len() == MOST_KEPT {
            self.changes.pop_front();
        }
        self.changes.push_back(picture.changed.clone());
        let size = picture.pixels.size();
        let (mut converted, shot) = self.shelf.unused(size).unwrap_or_else(|| (I420::new(size), 0));
        for rows in self.changed_since(shot, size).ranges() {
            converted.fill_rows_from_bgrx(&picture.pixels, rows.clone());
        }
        let whole = Rendition { picture: converted, ready: Instant::now(), shot: self.count };
        let whole = self.shelf.keep(whole);
        Shot { number: self.count, captured: picture.captured, whole, scaled: Mutex::default() }
    }

    /// Where the picture of now differs from that of `shot`.
    fn changed_since(&self, shot: u64, size: Size) -> Rows {
        let newer = (self.count - shot) as usize;
        if shot == 0 || newer > self.changes.len() {
            return Rows::all(size);
        }
        let mut changed = Rows::none();
        self.changes.iter().rev().take(newer).for_each(|rows| changed.add_all(rows));
        changed
    }
}

impl Shot {
    /// The picture's own size.
    pub(super) fn size(&self) -> Size {
        self.whole.picture.size()
    }

    /// The picture in this size, which is scaled once however many ask for it.
    pub(in crate::stream) fn in_size(&self, size: Size, spare: &Mutex<Shelf>) -> Arc<Rendition> {
        if size == self.size() {
            return Arc::clone(&self.whole);
        }
        // Whoever else wants this size waits, and whoever wants another: there are hardly ever two.
        let mut scaled = self.scaled.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(rendition) = scaled.iter().find(|rendition| rendition.picture.size() == size) {
            return Arc::clone(rendition);
        }
        let spare_pictures = || spare.lock().unwrap_or_else(PoisonError::into_inner);
        let mut picture =
            spare_pictures().unused(size).map_or_else(|| I420::new(size), |(picture, _)| picture);
        picture.fill_scaled(&self.whole.picture, size);
        let rendition =
            spare_pictures().keep(Rendition { picture, ready: Instant::now(), shot: self.number });
        scaled.push(Arc::clone(&rendition));
        rendition
    }
}

impl Shelf {
    /// A picture of this size that nobody holds any more, and of which shot it is; the newest.
    fn unused(&mut self, size: Size) -> Option<(I420, u64)> {
        let is_unused = |rendition: &Arc<Rendition>| {
            rendition.picture.size() == size && Arc::strong_count(rendition) == 1
        };
        let at = self.0.iter().rposition(is_unused)?;
        Arc::into_inner(self.0.remove(at)?).map(|rendition| (rendition.picture, rendition.shot))
    }

    fn keep(&mut self, rendition: Rendition) -> Arc<Rendition> {
        if self.0.len() == MOST_KEPT {
            self.0.pop_front();
        }
        let rendition = Arc::new(rendition);
        self.0.push_back(Arc::clone(&rendition));
        rendition
    }
}

/// How many renditions are kept at most: beside the newest shot's each encoder holds one or two.
const MOST_KEPT: usize = 12;

#[cfg(test)]
mod tests {
    use pf_media::picture::Bgrx;

    use super::*;

    const SIZE: Size = Size::new(32, 64);

    /// A source whose pictures change in some rows, from picture to picture.
    struct Painted {
        pixels: Vec<u8>,
        changed: Rows,
    }

    impl Painted {
        fn new() -> Self {
            Self { pixels: vec![0; 32 * 64 * 4], changed: Rows::all(SIZE) }
        }

        fn paint(&mut self, shade: u8, row: u32) {
            self.pixels[row as usize * 128..][..128].fill(shade);
            self.changed.clear();
            self.changed.add(row..row + 1);
        }

        fn picture(&self) -> Picture<'_> {
            let pixels = Bgrx::new(SIZE, 128, &self.pixels).unwrap();
            Picture { pixels, captured: Instant::now(), changed: &self.changed }
        }
    }

    fn samples(picture: &I420) -> Vec<u8> {
        picture.view().planes().into_iter().flat_map(|plane| plane.samples.to_vec()).collect()
    }

    fn address(shot: &Shot) -> *const u8 {
        shot.whole.picture.view().planes()[0].samples.as_ptr()
    }

    /// Rows of an older picture in a newer one stay on the client's screen until something is drawn over them.
    #[test]
    fn a_picture_that_is_filled_again_has_nothing_of_an_older_one() {
        let (mut camera, mut painted) = (Camera::default(), Painted::new());
        let mut held = VecDeque::new();
        for nth in 0..200_u32 {
            painted.paint((nth * 7) as u8, nth * 29 % 64);
            let shot = camera.take(painted.picture());
            let mut expected = I420::new(SIZE);
            expected.fill_from_bgrx(&painted.picture().pixels);
            assert_eq!(samples(&shot.whole.picture), samples(&expected), "{nth}");
            assert_eq!(shot.number, u64::from(nth) + 1);
            held.push_back(shot);
            // Encoders let go of them in bursts, so that some were filled long ago.
            if nth % 17 == 0 {
                held.drain(..held.len() * 3 / 4);
            }
        }
    }

    /// Eight viewers of one size would scale eight times.
    #[test]
    fn each_size_is_made_once() {
        let shelf = Mutex::default();
        let shot = Camera::default().take(Painted::new().picture());
        let half = Size::new(16, 32);
        let [one, other] = [shot.in_size(half, &shelf), shot.in_size(half, &shelf)];
        assert!(Arc::ptr_eq(&one, &other));
        assert_eq!(one.picture.size(), half);
        assert!(Arc::ptr_eq(&shot.in_size(SIZE, &shelf), &shot.whole));
    }

    /// A picture that is filled again while an encoder reads it is seen half old, half new.
    #[test]
    fn what_somebody_holds_is_not_filled_again() {
        let (mut camera, painted) = (Camera::default(), Painted::new());
        let held = camera.take(painted.picture());
        let dropped = camera.take(painted.picture());
        let free = address(&dropped);
        drop(dropped);
        let next = camera.take(painted.picture());
        assert_eq!(address(&next), free);
        assert_ne!(address(&next), address(&held));
    }

    #[test]
    fn no_more_are_kept_than_may_be_in_use() {
        let (mut camera, painted) = (Camera::default(), Painted::new());
        let shots: Vec<_> = (0..100).map(|_| camera.take(painted.picture())).collect();
        assert_eq!((camera.shelf.0.len(), camera.changes.len()), (MOST_KEPT, MOST_KEPT));
        drop(shots);
    }
}
