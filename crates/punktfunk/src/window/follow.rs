//! When the stream follows the window to another size.

use std::time::{Duration, Instant};

use pf_media::picture::Size;

/// Watches the window's size, and says what to ask the host for once a person is done changing it.
///
/// Call [`resized`](Self::resized) whenever the window has a size, and [`poll`](Self::poll) at [`due`](Self::due).
pub(super) struct Follow {
    /// What the stream was last asked for, or what the window opened at.
    settled: Size,
    wanted: Option<(Size, Instant)>,
}

impl Follow {
    /// Follows a window that opens at `size`, for which nothing is asked.
    pub(super) fn new(size: Size) -> Self {
        Self { settled: size, wanted: None }
    }

    /// The window has this size now. One that cannot be streamed, as that of a window that is put away, changes nothing.
    pub(super) fn resized(&mut self, now: Instant, size: Size) {
        if size.is_streamable() {
            self.wanted = (size != self.settled).then_some((size, now + QUIET));
        }
    }

    /// When to call [`poll`](Self::poll) next, if ever.
    pub(super) fn due(&self) -> Option<Instant> {
        self.wanted.map(|(_, due)| due)
    }

    /// The size to ask the host for, if it is time to.
    pub(super) fn poll(&mut self, now: Instant) -> Option<Size> {
        let (size, _) = self.wanted.take_if(|(_, due)| *due <= now)?;
        self.settled = size;
        Some(size)
    }
}

/// How long a window must keep its size: whoever drags its edge passes by hundreds of sizes, each of which would cost the
/// host a new display mode and a key frame. A longer wait is seen as a picture that is stretched.
const QUIET: Duration = Duration::from_millis(300);

#[cfg(test)]
mod tests {
    use super::*;

    const OPENED: Size = Size::new(1280, 720);

    #[test]
    fn a_window_that_keeps_its_size_asks_for_nothing() {
        let now = Instant::now();
        let mut follow = Follow::new(OPENED);
        follow.resized(now, OPENED);
        assert_eq!((follow.due(), follow.poll(now + QUIET)), (None, None));
    }

    /// Otherwise the host switches its display with every step of the mouse.
    #[test]
    fn only_the_size_at_which_the_window_comes_to_rest_is_asked_for_and_once() {
        let now = Instant::now();
        let mut follow = Follow::new(OPENED);
        for step in 1..=9 {
            let at = now + QUIET / 3 * step;
            assert_eq!(follow.poll(at), None);
            follow.resized(at, Size::new(1280 + step, 720));
        }
        let due = now + QUIET / 3 * 9 + QUIET;
        assert_eq!(follow.due(), Some(due));
        assert_eq!(follow.poll(due), Some(Size::new(1289, 720)));
        assert_eq!((follow.due(), follow.poll(due + QUIET)), (None, None));
    }

    #[test]
    fn a_window_that_is_back_in_time_asks_for_nothing() {
        let now = Instant::now();
        let mut follow = Follow::new(OPENED);
        follow.resized(now, Size::new(1920, 1080));
        follow.resized(now, OPENED);
        assert_eq!(follow.poll(now + QUIET), None);
    }

    #[test]
    fn a_window_without_a_size_changes_nothing() {
        let now = Instant::now();
        let mut follow = Follow::new(OPENED);
        follow.resized(now, Size::new(1920, 1080));
        follow.resized(now, Size::new(0, 0));
        assert_eq!(follow.poll(now + QUIET), Some(Size::new(1920, 1080)));
    }
}
