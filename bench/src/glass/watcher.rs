//! Sees what changes on a display, and reads the code that is there.

use std::{
    os::fd::AsFd as _,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use pf_media::{
    picture::Size,
    timecode::{self, BLOCK_SIDE, EXTENT, Origin, TimeCode},
};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use x11rb::{
    connection::Connection as _,
    protocol::{
        Event,
        damage::{ConnectionExt as _, Damage, ReportLevel},
        xproto::{ConnectionExt as _, ImageFormat, Window},
    },
    rust_connection::RustConnection,
};

use super::{Picture, Seen, clock};

/// A connection to a display that hears of every change, and where on it the code is.
pub(crate) struct Watcher {
    connection: RustConnection,
    root: Window,
    size: Size,
    damage: Damage,
    origin: Origin,
}

impl Watcher {
    pub(crate) fn open(display: &str) -> Result<Self> {
        let (connection, screen) = x11rb::connect(Some(display))?;
        let screen = &connection.setup().roots[screen];
        let (root, width, height) = (screen.root, screen.width_in_pixels, screen.height_in_pixels);
        connection.damage_query_version(1, 1)?.reply().context("the display has no damage extension")?;
        let damage = connection.generate_id()?;
        connection.damage_create(damage, root, ReportLevel::NON_EMPTY)?.check()?;
        let size = Size::new(width.into(), height.into());
        Ok(Self { connection, root, size, damage, origin: Origin { x: 0, y: 0 } })
    }

    /// Waits until there is a code, and remembers its place.
    pub(crate) fn find(&mut self, patience: Duration) -> Result<()> {
        let begun = Instant::now();
        while begun.elapsed() < patience {
            let picture = self.fetch(Origin { x: 0, y: 0 }, self.size)?;
            if let Some(origin) = find(&picture, self.size) {
                self.origin = origin;
                return Ok(());
            }
            thread::sleep(AGAIN);
        }
        bail!("no picture is seen")
    }

    /// Waits until there is a drawing, which has more than a few shades, on a bare screen; when that was, on [`clock`].
    pub(crate) fn await_drawing(&mut self, patience: Duration) -> Result<Duration> {
        let deadline = clock() + patience;
        while let Some(left) = deadline.checked_sub(clock()) {
            if self.await_change(left)? {
                let seen = clock();
                let mut shades = self.fetch(Origin { x: 0, y: 0 }, self.size)?;
                shades.sort_unstable();
                shades.dedup();
                if shades.len() >= DRAWN {
                    return Ok(seen);
                }
            }
        }
        bail!("nothing is drawn")
    }

    /// Looks for so long; every picture counts once, when it is seen for the first time.
    pub(crate) fn watch(&mut self, duration: Duration) -> Result<Seen> {
        let begun = clock();
        let mut pictures: Vec<Picture> = Vec::new();
        while let Some(left) = (begun + duration).checked_sub(clock()) {
            if !self.await_change(left)? {
                continue;
            }
            let luma = self.fetch(self.origin, EXTENT)?;
            let seen = clock();
            let code = timecode::read(&luma, EXTENT.width as usize, EXTENT, Origin { x: 0, y: 0 });
            let Some(TimeCode { frame, micros }) = code else { continue };
            if pictures.last().is_none_or(|last| last.frame < frame) {
                pictures.push(Picture { frame, drawn: Duration::from_micros(micros), seen });
            }
        }
        Ok(Seen { pictures, watched: duration })
    }

    /// Whether something has changed on the display before the time is up.
    fn await_change(&self, patience: Duration) -> Result<bool> {
        loop {
            let mut has_changed = false;
            while let Some(event) = self.connection.poll_for_event()? {
                has_changed |= matches!(event, Event::DamageNotify(_));
            }
            if has_changed {
                // What changes from here on is told anew.
                self.connection.damage_subtract(self.damage, x11rb::NONE, x11rb::NONE)?;
                return Ok(true);
            }
            self.connection.flush()?;
            let mut wait = [PollFd::from_borrowed_fd(self.connection.stream().as_fd(), PollFlags::IN)];
            let patience = Timespec::try_from(patience)?;
            match poll(&mut wait, Some(&patience)) {
                Ok(0) => return Ok(false),
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// How bright a part of the display is; the green of a grey code will do.
    fn fetch(&self, Origin { x, y }: Origin, size: Size) -> Result<Vec<u8>> {
        let [x, y] = [x, y].map(|at| at as i16);
        let (width, height) = (size.width as u16, size.height as u16);
        let image = self
            .connection
            .get_image(ImageFormat::Z_PIXMAP, self.root, x, y, width, height, u32::MAX)?
            .reply()?;
        Ok(image.data.chunks_exact(4).map(|pixel| pixel[1]).collect())
    }
}

/// Where in a picture there is a code: the middle of all places from which it can be read.
fn find(luma: &[u8], size: Size) -> Option<Origin> {
    let [last_x, last_y] = [size.width.checked_sub(EXTENT.width)?, size.height.checked_sub(EXTENT.height)?];
    let stride = size.width as usize;
    let is_code = |x: u32, y: u32| {
        looks_like_one(luma, stride, x, y) && timecode::read(luma, stride, size, Origin { x, y }).is_some()
    };
    let (left, top) = (0..=last_y).find_map(|y| (0..=last_x).find(|&x| is_code(x, y)).map(|x| (x, y)))?;
    // From the first place on there are others, as far as blocks have a rim.
    let right = (left..=last_x.min(left + BLOCK_SIDE)).take_while(|&x| is_code(x, top)).last()?;
    let bottom = (top..=last_y.min(top + BLOCK_SIDE)).take_while(|&y| is_code(left, y)).last()?;
    Some(Origin { x: u32::midpoint(left, right), y: u32::midpoint(top, bottom) })
}

/// Whether the corner could be a code's: its top side alternates.
fn looks_like_one(luma: &[u8], stride: usize, x: u32, y: u32) -> bool {
    let row = (y + BLOCK_SIDE / 2) as usize * stride + (x + BLOCK_SIDE / 2) as usize;
    let level = |column: usize| luma[row + column * BLOCK_SIDE as usize];
    (0..4).all(|pair| level(2 * pair + 1).saturating_sub(level(2 * pair)) >= CONTRAST)
}

/// By how much white is brighter than black, at least.
const CONTRAST: u8 = 64;

/// From how many shades on there is more on a screen than a window without content: text has soft edges.
const DRAWN: usize = 16;

/// How long until a display on which there was no code is looked at again.
const AGAIN: Duration = Duration::from_millis(50);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_found_wherever_it_is() {
        let size = Size::new(400, 300);
        for origin in [Origin { x: 16, y: 16 }, Origin { x: 101, y: 57 }, Origin { x: 250, y: 215 }] {
            let mut pixels = vec![0x40; (size.width * size.height * 4) as usize];
            let code = TimeCode { frame: 7, micros: 11 };
            assert!(timecode::paint(&mut pixels, size.width as usize * 4, size, origin, code));
            let luma: Vec<_> = pixels.chunks_exact(4).map(|pixel| pixel[1]).collect();
            let found = find(&luma, size).unwrap();
            assert!(
                found.x.abs_diff(origin.x) <= 1 && found.y.abs_diff(origin.y) <= 1,
                "{found:?} for {origin:?}"
            );
        }
        assert_eq!(find(&vec![0x40; (size.width * size.height) as usize], size), None);
    }
}
