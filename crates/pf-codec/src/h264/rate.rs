//! How coarsely each picture is quantised, so that what comes out keeps to its rate.
//!
//! The library has a rate control of its own, which is made for a camera: it turns from fine to coarse by at most five
//! steps a picture, so a cut from a desktop to a film goes over its rate for half a second, and with more than one
//! slice it doubles its rate on hard content for good. A stream that has to leave at once cannot have that. So the
//! library is told a quantiser for each picture, and this chooses it in three steps:
//!
//! 1. *How much is there to code?* Looks at every fourth row: how far the brightness of neighbours differs, which
//!    bounds what a key frame costs, and how far that of a pixel differs from the last picture's. That sees a cut before
//!    it is encoded; it does not see how well motion is followed.
//! 2. *How many bits will that be?* About in proportion to it, and inversely to the quantiser's step. The factor comes
//!    from the pictures before, so motion that is followed well makes itself known after one picture.
//! 3. *How many may it be?* What the rate leaves for one picture, less a part of what the last ones took beyond that.
//!
//! A picture that turns out larger than expected is paid back over the next [`HORIZON`] pictures. Where even the coarsest
//! quantiser is not coarse enough, as for noise at a low rate, pictures take longer to leave, and the caller leaves some
//! out before they are encoded.

use crate::i420::Plane;

/// The rate control of one encoder.
#[derive(Debug)]
pub(super) struct RateControl {
    /// Bits for each picture at the rate.
    share: f64,
    /// The most bits that a picture may take, whatever the rate.
    most: f64,
    /// Bits that were spent beyond the rate; below zero those that were left over.
    debt: f64,
    /// What the last pictures cost that were predicted: bits times step.
    cost: f64,
    /// How far the last pictures differed from those before them.
    change: f64,
    /// What a level of difference costs that is not predicted: bits times step.
    level_cost: f64,
    last: Picture,
}

/// The last picture, which may still be being encoded.
#[derive(Clone, Copy, Debug)]
struct Picture {
    work: Work,
    quantiser: i32,
    bits: f64,
}

/// How much there is to code in a picture: sums of differences in brightness, in levels of 256.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Work {
    /// Between pixels side by side.
    pub(super) detail: f64,
    /// To the same pixels of the last picture.
    pub(super) change: f64,
}

/// What a picture may be predicted from, as far as it matters here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Prediction {
    /// From nothing.
    Intra,
    /// From another picture.
    Inter,
}

impl RateControl {
    /// A rate control for `fps` pictures a second at `bitrate` bits a second, none of which takes more than `most` bits.
    pub(super) fn new(bitrate: u32, fps: u32, most: f64) -> Self {
        Self {
            share: share(bitrate, fps),
            most,
            debt: 0.0,
            cost: 0.0,
            change: 0.0,
            level_cost: LEVEL_COST,
            last: Picture { work: Work::default(), quantiser: COARSEST, bits: 0.0 },
        }
    }

    /// Another rate, from the next picture on.
    pub(super) fn set_rate(&mut self, bitrate: u32, fps: u32) {
        let share = share(bitrate, fps);
        // A debt is so many pictures' worth, or a rate that falls to a quarter would leave four times as many.
        self.debt *= share / self.share;
        self.share = share;
    }

    /// The quantiser for the next picture.
    pub(super) fn choose(&mut self, work: Work, prediction: Prediction) -> i32 {
        let shares = if prediction == Prediction::Intra { KEY_SHARES } else { 1.0 };
        let room = (self.share * shares - self.debt / HORIZON).max(self.share * LEAST_ROOM).min(self.most);
        let wanted = quantiser_of(self.expected(work, prediction) / room);
        let quantiser = match prediction {
            Prediction::Intra => wanted,
            Prediction::Inter => wanted.min(self.coarsest_next(work)).max(self.finest_next()),
        };
        self.last = Picture { work, quantiser: quantiser.clamp(FINEST, COARSEST), bits: 0.0 };
        self.last.quantiser
    }

    /// The quantiser for a picture that must come out as small as can be.
    pub(super) fn choose_coarsest(&mut self) -> i32 {
        self.last.quantiser = COARSEST;
        COARSEST
    }

    /// The picture that was chosen for took so many bits.
    pub(super) fn spent(&mut self, bits: usize, prediction: Prediction) {
        let bits = bits as f64;
        self.last.bits = bits;
        self.debt = (self.debt + bits - self.share).clamp(-CREDIT * self.share, DEEPEST * self.share);
        let cost = bits * step_of(self.last.quantiser);
        match prediction {
            Prediction::Intra if self.last.work.detail > 0.0 => {
                let level_cost = cost / self.last.work.detail;
                self.level_cost = level_cost.clamp(LEVEL_COST / 4.0, LEVEL_COST * 4.0);
            }
            Prediction::Intra => {}
            Prediction::Inter => {
                self.cost = f64::midpoint(self.cost, cost);
                self.change = f64::midpoint(self.change, self.last.work.change);
            }
        }
    }

    /// Bits times step that a picture is expected to cost.
    fn expected(&self, work: Work, prediction: Prediction) -> f64 {
        let unpredicted = work.detail * self.level_cost;
        match prediction {
            Prediction::Intra => unpredicted,
            Prediction::Inter => {
                let seen = if work.change < self.change { work.change / self.change } else { 1.0 };
                (self.cost * seen + self.novelty(work)).min(unpredicted.max(self.cost))
            }
        }
    }

    /// Bits times step that a picture is expected to cost for what was never seen.
    fn novelty(&self, work: Work) -> f64 {
        (work.change - self.change * USUAL_CHANGE).max(0.0) * self.level_cost
    }

    /// How coarse the next picture may be, however much it is expected to cost.
    ///
    /// What the last pictures cost is no good guide when each was made finer than the one before, which costs once. To
    /// be coarser then would undo it, and cost as much again. So without a sign of something new it goes by small steps.
    fn coarsest_next(&self, work: Work) -> i32 {
        let is_new = self.novelty(work) > self.share * step_of(self.last.quantiser);
        let is_late = self.debt > self.share * LATE || self.last.bits > self.share * LARGE;
        if is_new || is_late { COARSEST } else { self.last.quantiser + COARSER }
    }

    /// How fine the next picture may be: what it costs to be finer shows only afterwards.
    fn finest_next(&self) -> i32 {
        let used = self.last.bits / self.share;
        let finer = FINER.iter().find(|(below, _)| used < *below).map_or(1, |(_, finer)| *finer);
        self.last.quantiser - finer
    }
}

/// Measures the work in pictures, each against the last.
#[derive(Debug, Default)]
pub(super) struct Surveyor {
    /// The rows that were looked at of the last picture, one behind the other.
    last: Vec<u8>,
}

impl Surveyor {
    /// Looks at the luma plane of a picture, `width` samples wide.
    pub(super) fn survey(&mut self, luma: Plane<'_>, width: usize) -> Work {
        let rows = luma.samples.chunks(luma.stride).step_by(EVERY).map(|row| &row[..width.min(row.len())]);
        let mut work = Work::default();
        let mut looked_at = 0;
        for row in rows {
            let end = looked_at + row.len();
            if self.last.len() < end {
                self.last.resize(end, 0);
            }
            let last = &mut self.last[looked_at..end];
            work.change += f64::from(difference(row, last));
            work.detail += f64::from(difference(row, &row[1..]));
            last.copy_from_slice(row);
            looked_at = end;
        }
        self.last.truncate(looked_at);
        let scale = EVERY as f64;
        Work { detail: work.detail * scale, change: work.change * scale }
    }
}

/// The sum of the differences between samples of two rows.
fn difference(a: &[u8], b: &[u8]) -> u32 {
    a.iter().zip(b).map(|(&a, &b)| u32::from(a.abs_diff(b))).sum()
}

fn share(bitrate: u32, fps: u32) -> f64 {
    f64::from(bitrate) / f64::from(fps)
}

/// The step of a quantiser, as H.264 defines it: it doubles every six.
fn step_of(quantiser: i32) -> f64 {
    f64::exp2(f64::from(quantiser - 4) / 6.0)
}

/// The quantiser of a step, or the next coarser.
fn quantiser_of(step: f64) -> i32 {
    (6.0 * step.max(f64::MIN_POSITIVE).log2() + 4.0).ceil() as i32
}

/// The finest and the coarsest that the quantiser may be. Finer than this shows no difference on a desktop (45 dB)
/// and makes a cut to hard content larger still; the other end is H.264's own.
const FINEST: i32 = 18;
const COARSEST: i32 = 51;

/// By how much a picture may be finer than the one before it, by how much of its share that took.
const FINER: [(f64, i32); 2] = [(0.25, 4), (0.75, 2)];

/// By how much a picture may be coarser than the one before it where nothing is new and the debt is small.
const COARSER: i32 = 2;

/// How deep a debt must be for a picture to become as coarse as is wanted, in shares.
const LATE: f64 = 4.0;

/// How large the last picture must have been for the next to become as coarse as is wanted, in shares.
const LARGE: f64 = 3.0;

/// What a key frame may take, in shares of a picture. More of it leaves later than a person waits for; less of it
/// shows.
const KEY_SHARES: f64 = 6.0;

/// Over how many pictures a debt is paid back: half of the quarter of a second that a rate is to be held over, at 60
/// pictures a second.
const HORIZON: f64 = 8.0;

/// What a picture gets however deep the debt is, in shares.
const LEAST_ROOM: f64 = 0.1;

/// How much may be left over for later, in shares.
const CREDIT: f64 = 2.0;

/// How deep a debt may become, in shares: beyond a quarter of a second the damage is done, and to make everything coarse
/// for longer does not undo it.
const DEEPEST: f64 = 16.0;

/// What a level of difference costs when nothing is known yet, in bits times step.
const LEVEL_COST: f64 = 2.0;

/// How many times more than the last pictures one may differ from the one before it without being something new: motion
/// is uneven, and what is followed well costs little however far it goes.
const USUAL_CHANGE: f64 = 3.0;

/// Of how many rows one is looked at.
const EVERY: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: u32 = 6_000_000;
    const FPS: u32 = 60;
    const SHARE: f64 = RATE as f64 / FPS as f64;

    /// A library that codes by the book: what is predicted costs `cost` of bits times step, and what is new in `work`.
    #[derive(Clone, Copy)]
    struct Scene {
        work: Work,
        cost: f64,
    }

    /// A desktop on which hardly anything moves.
    const DESKTOP: Scene = Scene { work: Work { detail: 2e7, change: 2e4 }, cost: 1e4 };
    /// A film whose motion is followed well: as many bits at a quantiser of 34.
    const FILM: Scene = Scene { work: Work { detail: 1e7, change: 1e7 }, cost: SHARE * 32.0 };
    /// What no quantiser makes small enough.
    const NOISE: Scene = Scene { work: Work { detail: 8e7, change: 8e7 }, cost: SHARE * 512.0 };

    fn rate_control() -> RateControl {
        RateControl::new(RATE, FPS, f64::INFINITY)
    }

    /// Codes pictures of a scene, the first of them with what it costs to see it for the first time, and returns their
    /// bits in shares.
    fn code(rate: &mut RateControl, scene: Scene, pictures: usize, share: f64) -> Vec<f64> {
        let cut = Work { change: 9e7, ..scene.work };
        let code = |(work, cost): (Work, f64)| {
            let quantiser = rate.choose(work, Prediction::Inter);
            let bits = cost / step_of(quantiser);
            rate.spent(bits as usize, Prediction::Inter);
            bits / share
        };
        let first = std::iter::once((cut, scene.work.detail * LEVEL_COST));
        first.chain(std::iter::repeat((scene.work, scene.cost))).take(pictures).map(code).collect()
    }

    fn sum(shares: &[f64]) -> f64 {
        shares.iter().sum()
    }

    #[test]
    fn a_steady_scene_takes_its_rate_and_no_more() {
        let mut rate = rate_control();
        code(&mut rate, FILM, 60, SHARE);
        let shares = code(&mut rate, FILM, 240, SHARE);
        assert!((230.0..242.0).contains(&sum(&shares)), "{}", sum(&shares));
        for window in shares[15..].windows(15) {
            assert!(sum(window) < 16.5, "{window:?}");
        }
    }

    /// The library's own control takes seven pictures for this, each of many shares.
    #[test]
    fn a_cut_to_a_film_is_held_to_its_rate_from_the_first_picture_on() {
        let mut rate = rate_control();
        code(&mut rate, DESKTOP, 120, SHARE);
        assert_eq!(rate.last.quantiser, FINEST);
        let shares = code(&mut rate, FILM, 60, SHARE);
        assert!(shares.iter().all(|share| *share < 3.0), "{shares:?}");
        for window in shares.windows(15) {
            assert!(sum(window) < 17.0, "{window:?}");
        }
    }

    /// What is left over on a desktop must not be paid out in one go.
    #[test]
    fn an_idle_desktop_saves_up_no_more_than_its_credit() {
        let mut rate = rate_control();
        code(&mut rate, DESKTOP, 6000, SHARE);
        assert!(rate.debt >= -CREDIT * SHARE);
    }

    #[test]
    fn a_new_rate_holds_within_a_quarter_of_a_second() {
        let mut rate = rate_control();
        code(&mut rate, FILM, 120, SHARE);
        rate.set_rate(RATE / 4, FPS);
        let shares = code(&mut rate, FILM, 60, SHARE / 4.0);
        assert!(sum(&shares[15..30]) < 17.0, "{shares:?}");
        rate.set_rate(RATE, FPS);
        let shares = code(&mut rate, FILM, 60, SHARE);
        assert!(sum(&shares[30..45]) > 13.5, "{shares:?}");
    }

    /// Text that has just been scrolled must become sharp before one reads it.
    #[test]
    fn what_stands_still_becomes_fine_in_a_quarter_of_a_second() {
        let mut rate = rate_control();
        code(&mut rate, FILM, 60, SHARE);
        let still = Work { detail: 2e7, change: 0.0 };
        let pictures = (0..15).take_while(|_| {
            let quantiser = rate.choose(still, Prediction::Inter);
            rate.spent(1000, Prediction::Inter);
            quantiser > FINEST
        });
        assert!(pictures.count() < 8);
    }

    /// A key frame of a few shares leaves at once; one of twenty is a third of a second of nothing.
    #[test]
    fn a_key_frame_takes_a_few_shares_however_hard_it_is() {
        let mut rate = rate_control();
        for detail in [2e6, 1e7, 4e7] {
            let quantiser = rate.choose(Work { detail, change: 0.0 }, Prediction::Intra);
            let bits = detail * LEVEL_COST / step_of(quantiser);
            rate.spent(bits as usize, Prediction::Intra);
            assert!(bits < SHARE * (KEY_SHARES + 0.5), "{detail}: {:.1} shares", bits / SHARE);
            code(&mut rate, DESKTOP, 120, SHARE);
        }
    }

    /// Noise takes more than its rate at the coarsest, and nobody must pay for that long after it is over.
    #[test]
    fn what_no_quantiser_holds_is_forgotten_within_half_a_second() {
        let mut rate = rate_control();
        code(&mut rate, NOISE, 600, SHARE);
        assert_eq!(rate.last.quantiser, COARSEST);
        code(&mut rate, DESKTOP, 30, SHARE);
        assert!(rate.debt < 0.0);
        assert_eq!(rate.last.quantiser, FINEST);
    }

    #[test]
    fn nothing_takes_more_than_the_library_can_hold() {
        let mut rate = RateControl::new(RATE, FPS, SHARE / 4.0);
        let shares = code(&mut rate, FILM, 60, SHARE);
        assert!(shares[1..].iter().all(|share| *share < 0.3), "{shares:?}");
    }

    #[test]
    fn a_survey_sees_what_changed_and_how_much_detail_there_is() {
        let mut surveyor = Surveyor::default();
        let plain = [100_u8; 64 * 16];
        let mut survey = |samples: &[u8], width| surveyor.survey(Plane { samples, stride: 64 }, width);
        survey(&plain, 64);
        assert_eq!(survey(&plain, 64), Work::default());
        let mut dotted = plain;
        dotted[10] = 110;
        // What one row in four shows is counted four times.
        assert_eq!(survey(&dotted, 64), Work { detail: 80.0, change: 40.0 });
        survey(&plain, 8);
        assert_eq!(survey(&dotted, 8), Work::default(), "beyond the picture's width");
    }
}
