//! A built-in moving picture that needs no desktop: for tests, measurements and a first look.
//!
//! Boxes glide over a colour gradient. Frame `n` has the same pixels on every machine, but for the
//! microseconds in the [time code](pf_media::timecode) at [`timecode::ORIGIN`], which pictures of at least
//! 160 × 96 pixels carry. The frame number starts at 0 and counts every picture that was handed out.

use std::num::NonZeroU32;
use std::time::{Duration, Instant};

use pf_media::picture::{Bgrx, Size};
use pf_media::timecode::{self, TimeCode};
use rustix::time::{ClockId, clock_gettime};

use crate::pace::interval;
use crate::{Picture, Rows, Sizing, Source, SourceError, Stop};

/// The built-in moving picture.
///
/// It paints by an absolute schedule: a caller that is late misses beats but does not shift the later ones.
pub struct SyntheticSource {
    size: Size,
    interval: Duration,
    due: Instant,
    frame: u32,
    clock: Box<dyn FnMut() -> u64 + Send>,
    stop: Stop,
    background: Vec<u8>,
    pixels: Vec<u8>,
    /// Where the last picture differs from the one before.
    changed: Rows,
    /// Whether no picture of this size was handed out yet.
    is_new: bool,
}

impl SyntheticSource {
    /// A source whose time codes carry the machine's monotonic clock, in microseconds.
    ///
    /// Every program on the same machine reads the same clock, so that two of them can tell a latency.
    pub fn new(size: Size, fps: NonZeroU32, stop: &Stop) -> Self {
        Self::with_clock(size, fps, stop, monotonic_micros)
    }

    /// A source whose time codes carry the microseconds that `clock` tells.
    pub fn with_clock(
        size: Size,
        fps: NonZeroU32,
        stop: &Stop,
        clock: impl FnMut() -> u64 + Send + 'static,
    ) -> Self {
        let background = gradient(size);
        Self {
            size,
            interval: interval(fps),
            due: Instant::now(),
            frame: 0,
            clock: Box::new(clock),
            stop: stop.clone(),
            pixels: background.clone(),
            background,
            changed: Rows::none(),
            is_new: true,
        }
    }

    fn stride(&self) -> usize {
        self.size.width as usize * 4
    }

    fn paint(&mut self) {
        let previous = self.frame.wrapping_sub(1);
        for glider in &GLIDERS {
            let area = glider.area(self.size, previous);
            self.for_rows(area, |row, background| row.copy_from_slice(background));
        }
        for glider in &GLIDERS {
            let area = glider.area(self.size, self.frame);
            self.for_rows(area, |row, _| row.as_chunks_mut().0.fill(glider.colour));
        }
        let code = TimeCode { frame: self.frame, micros: (self.clock)() };
        let stride = self.stride();
        // Pictures that are too small for a code go without.
        _ = timecode::paint(&mut self.pixels, stride, self.size, timecode::ORIGIN, code);
        let code_end = (timecode::ORIGIN.y + timecode::EXTENT.height).min(self.size.height);
        self.changed.add(timecode::ORIGIN.y..code_end);
    }

    /// Hands each row of `area` to `change`, together with the same row of the background.
    fn for_rows(&mut self, area: Area, change: impl Fn(&mut [u8], &[u8])) {
        let stride = self.stride();
        self.changed.add(area.top..area.top + area.height);
        for y in area.top..area.top + area.height {
            let start = y as usize * stride + area.left as usize * 4;
            let span = start..start + area.width as usize * 4;
            change(&mut self.pixels[span.clone()], &self.background[span]);
        }
    }
}

impl Source for SyntheticSource {
    fn size(&self) -> Size {
        self.size
    }

    fn next_picture(&mut self, deadline: Instant) -> Result<Option<Picture<'_>>, SourceError> {
        self.stop.sleep_until(self.due.min(deadline))?;
        let captured = Instant::now();
        if captured < self.due {
            return Ok(None);
        }
        while self.due <= captured {
            self.due += self.interval;
        }
        self.changed.clear();
        if std::mem::take(&mut self.is_new) {
            self.changed = Rows::all(self.size);
        }
        self.paint();
        self.frame = self.frame.wrapping_add(1);
        let pixels = Bgrx::new(self.size, self.stride(), &self.pixels)
            .ok_or(SourceError::UnstreamableSize { size: self.size })?;
        Ok(Some(Picture { pixels, captured, changed: &self.changed }))
    }

    fn change(&mut self, size: Size, fps: NonZeroU32) -> Result<Sizing, SourceError> {
        self.interval = interval(fps);
        if size != self.size {
            self.size = size;
            self.background = gradient(size);
            self.pixels.clone_from(&self.background);
            self.is_new = true;
        }
        Ok(Sizing::Follows)
    }
}

/// A box that glides to and fro, at its own speed in each direction.
struct Glider {
    colour: [u8; 4],
    /// Its sides are this part of the picture's.
    fraction: u32,
    /// Frames from one side of the picture to the other, and from top to bottom.
    crossing: (u32, u32),
}

impl Glider {
    fn area(&self, size: Size, frame: u32) -> Area {
        let width = size.width.div_ceil(self.fraction);
        let height = size.height.div_ceil(self.fraction);
        Area {
            left: to_and_fro(frame, self.crossing.0, size.width - width),
            top: to_and_fro(frame, self.crossing.1, size.height - height),
            width,
            height,
        }
    }
}

/// A rectangle within the picture.
#[derive(Clone, Copy)]
struct Area {
    left: u32,
    top: u32,
    width: u32,
    height: u32,
}

/// A position between 0 and `reach` that takes `crossing` frames from one end to the other.
fn to_and_fro(frame: u32, crossing: u32, reach: u32) -> u32 {
    let phase = frame % (2 * crossing);
    let along = phase.min(2 * crossing - phase);
    (u64::from(along) * u64::from(reach) / u64::from(crossing)) as u32
}

/// Blue to red from left to right, dark to green from top to bottom.
fn gradient(size: Size) -> Vec<u8> {
    let ramp = |position: u32, length: u32| (position * 255 / length.max(2).saturating_sub(1)) as u8;
    let pixel = |x, y| {
        let across = ramp(x, size.width);
        [255 - across, ramp(y, size.height) / 2, across / 2, 0]
    };
    (0..size.height).flat_map(|y| (0..size.width).flat_map(move |x| pixel(x, y))).collect()
}

fn monotonic_micros() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    now.tv_sec as u64 * 1_000_000 + now.tv_nsec as u64 / 1000
}

/// Crossings without a common divisor keep the boxes from falling into step.
const GLIDERS: [Glider; 4] = [
    Glider { colour: [0x30, 0xB0, 0xF0, 0], fraction: 4, crossing: (180, 127) },
    Glider { colour: [0xF0, 0xE0, 0xD0, 0], fraction: 6, crossing: (97, 151) },
    Glider { colour: [0x40, 0x30, 0x20, 0], fraction: 8, crossing: (61, 83) },
    Glider { colour: [0x60, 0xD0, 0x40, 0], fraction: 12, crossing: (41, 53) },
];

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: Size = Size::new(320, 180);

    fn fps() -> NonZeroU32 {
        NonZeroU32::new(1000).unwrap()
    }

    fn far() -> Instant {
        Instant::now() + Duration::from_hours(24)
    }

    fn next(source: &mut SyntheticSource) -> Vec<u8> {
        source.next_picture(far()).unwrap().unwrap().pixels.bytes().to_vec()
    }

    fn code(pixels: &[u8], size: Size) -> Option<TimeCode> {
        let luma: Vec<u8> = pixels.chunks_exact(4).map(|pixel| pixel[1]).collect();
        timecode::read(&luma, size.width as usize, size, timecode::ORIGIN)
    }

    #[test]
    fn pictures_count_up_from_zero_and_carry_the_clock() {
        let mut time = 0;
        let clock = move || {
            time += 7;
            time
        };
        let mut source = SyntheticSource::with_clock(SIZE, fps(), &Stop::new().unwrap(), clock);
        for frame in 0..5 {
            let expected = TimeCode { frame, micros: 7 * (u64::from(frame) + 1) };
            assert_eq!(code(&next(&mut source), SIZE), Some(expected));
        }
    }

    #[test]
    fn the_same_frame_has_the_same_pixels_and_the_next_one_others() {
        let source = || SyntheticSource::with_clock(SIZE, fps(), &Stop::new().unwrap(), || 0);
        let (mut one, mut other) = (source(), source());
        let mut last = Vec::new();
        for _ in 0..20 {
            let pixels = next(&mut one);
            assert!(pixels == next(&mut other));
            assert!(pixels != last);
            last = pixels;
        }
    }

    /// A box that moved on must leave the gradient behind it, or the picture depends on its past.
    #[test]
    fn boxes_leave_no_trace() {
        let mut source = SyntheticSource::with_clock(SIZE, fps(), &Stop::new().unwrap(), || 0);
        for _ in 0..50 {
            source.paint();
            source.frame += 1;
        }
        let mut fresh = SyntheticSource::with_clock(SIZE, fps(), &Stop::new().unwrap(), || 0);
        fresh.frame = 49;
        fresh.paint();
        assert!(source.pixels == fresh.pixels);
    }

    #[test]
    fn any_streamable_size_works_and_small_ones_have_no_code() {
        for (width, height) in [(1, 1), (2, 1), (3, 97), (159, 95), (321, 241), (Size::MAX_SIDE, 1)] {
            let size = Size::new(width, height);
            let mut source = SyntheticSource::new(size, fps(), &Stop::new().unwrap());
            for _ in 0..3 {
                let picture = source.next_picture(far()).unwrap().unwrap();
                assert_eq!(picture.pixels.size(), size);
                assert_eq!(code(picture.pixels.bytes(), size).is_some(), width >= 160 && height >= 96);
            }
        }
    }

    /// Whoever converts only what has changed shows old rows otherwise.
    #[test]
    fn rows_that_are_not_said_to_change_do_not() {
        let mut source = SyntheticSource::new(Size::new(320, 1000), fps(), &Stop::new().unwrap());
        let mut last: Vec<u8> = Vec::new();
        let mut same = 0;
        for frame in 0..100 {
            let picture = source.next_picture(far()).unwrap().unwrap();
            let (bytes, stride) = (picture.pixels.bytes(), picture.pixels.stride());
            for row in 0..1000 {
                if !picture.changed.ranges().iter().any(|range| range.contains(&row)) {
                    let span = row as usize * stride..(row as usize + 1) * stride;
                    assert!(bytes[span.clone()] == last[span], "row {row} of frame {frame}");
                    same += 1;
                }
            }
            last = bytes.to_vec();
        }
        assert!(same > 100, "only {same} rows of 100 frames were the same");
    }

    #[test]
    fn another_size_and_rate_begin_with_the_next_picture() {
        let mut source = SyntheticSource::new(SIZE, fps(), &Stop::new().unwrap());
        next(&mut source);
        let other = Size::new(400, 200);
        assert_eq!(source.change(other, NonZeroU32::new(10).unwrap()), Ok(Sizing::Follows));
        for frame in 1..3 {
            let picture = source.next_picture(far()).unwrap().unwrap();
            assert_eq!((picture.pixels.size(), *picture.changed == Rows::all(other)), (other, frame == 1));
            assert_eq!(code(picture.pixels.bytes(), other).unwrap().frame, frame);
        }
        assert_eq!(source.interval, Duration::from_millis(100));
    }

    #[test]
    fn nothing_is_due_before_its_time() {
        let mut source = SyntheticSource::new(SIZE, NonZeroU32::new(1).unwrap(), &Stop::new().unwrap());
        source.due += Duration::from_hours(24);
        assert!(source.next_picture(Instant::now()).unwrap().is_none());
        assert_eq!(source.frame, 0);
    }

    #[test]
    fn stopping_ends_the_wait_for_the_next_beat() {
        let stop = Stop::new().unwrap();
        let mut source = SyntheticSource::new(SIZE, NonZeroU32::new(1).unwrap(), &stop);
        source.due += Duration::from_hours(24);
        let waiting = std::thread::spawn(move || source.next_picture(far()).map(|_| ()));
        stop.stop();
        assert_eq!(waiting.join().unwrap(), Err(SourceError::Stopped));
    }
}
