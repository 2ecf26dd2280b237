//! Which pictures the library keeps for recoveries, and which of them every receiver has.
//!
//! Beside the last picture the library keeps two *long-term references*. The key frame is one; others it takes when it
//! is told to, one at a time: it *marks* a picture, waits to hear that the receivers have it, and lets go of the older
//! one then. A recovery refers to the one that the receivers have.
//!
//! The library does not say what it does, so this keeps account of it. Three habits of it matter here:
//! - What it is told about a mark it takes in after the next picture, so that picture cannot refer to the mark yet.
//! - The first mark after a key frame keeps the very picture that carries it. From the second confirmed one on (the
//!   key frame counts as the first) a mark keeps the picture *before* the one that carries it. Who decoded the carrier
//!   has both, so to the outside a mark is its carrier.
//! - It names a picture by its `frame_num`, which counts from the key frame, and by the number of the key frame.

use super::ffi::MarkedPicture;
use crate::FrameKind;

/// The long-term references of one encoder.
#[derive(Debug, Default)]
pub(super) struct LongTerm {
    /// Key frames so far, as the library counts them: that of the last one, from 1 on.
    key_frames: u16,
    /// Pictures since the key frame, itself included: the `frame_num` of the next one.
    next_in_run: u32,
    /// What a recovery refers to. Who decoded this or anything that builds on it has it.
    known: Option<Mark>,
    candidate: Candidate,
    /// Whether a mark keeps the picture before its carrier.
    keeps_previous: bool,
}

/// A picture that carries a mark.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Mark {
    /// Its number in the stream.
    carrier: u32,
    /// Of the picture that is kept.
    frame_num: u32,
}

/// What may become the next that is known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Candidate {
    /// Nothing is marked.
    #[default]
    None,
    /// Sent, and not heard of.
    Marked(Mark),
    /// The receivers have it, and the library is to be told.
    Acknowledged(Mark),
    /// Some receiver will never have it, and the library is to be told.
    Lost(Mark),
}

/// How to make the next picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Plan {
    /// A key frame.
    Key,
    /// One that refers to the picture before it, and may carry a mark.
    Previous {
        /// Whether it does.
        mark: bool,
    },
    /// One that refers to the picture that is known, marked by the carrier of this number.
    Recovery(u32),
}

/// What the library is to hear of a mark before the next picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Settled {
    /// The receivers have it.
    Known(MarkedPicture),
    /// Some do not, and never will.
    Lost(MarkedPicture),
}

impl LongTerm {
    /// Every receiver has decoded `frame`.
    pub(super) fn acknowledge(&mut self, frame: u32) {
        if let Candidate::Marked(mark) = self.candidate
            && is_at_or_after(frame, mark.carrier)
        {
            self.candidate = Candidate::Acknowledged(mark);
        }
    }

    /// Plans the picture `next`.
    pub(super) fn plan(&mut self, kind: FrameKind, next: u32) -> Plan {
        let plan = match kind {
            _ if self.key_frames == 0 => Plan::Key,
            FrameKind::Key => Plan::Key,
            FrameKind::Auto => Plan::Previous { mark: self.may_mark() },
            FrameKind::After(frame) if frame == next.wrapping_sub(1) => Plan::Previous { mark: false },
            FrameKind::After(frame) => self
                .known
                .filter(|known| is_at_or_after(frame, known.carrier) && is_at_or_after(next, frame))
                .filter(|known| next.wrapping_sub(known.carrier) <= crate::MAX_REFERENCE)
                .map_or(Plan::Key, |known| Plan::Recovery(known.carrier)),
        };
        if let (Plan::Recovery(_), Candidate::Marked(mark)) = (plan, self.candidate) {
            // It is among the pictures that the recovery leaps over.
            self.candidate = Candidate::Lost(mark);
        }
        plan
    }

    /// What the library has to hear before it makes the picture that was planned.
    pub(super) fn settled(&self) -> Option<Settled> {
        let picture = |mark: Mark| MarkedPicture { key_frame: self.key_frames, frame_num: mark.frame_num };
        match self.candidate {
            Candidate::Acknowledged(mark) => Some(Settled::Known(picture(mark))),
            Candidate::Lost(mark) => Some(Settled::Lost(picture(mark))),
            Candidate::None | Candidate::Marked(_) => None,
        }
    }

    /// The number of the key frame that pictures are counted from.
    pub(super) fn key_frame(&self) -> u16 {
        self.key_frames
    }

    /// The picture `frame` was made as planned.
    pub(super) fn made(&mut self, frame: u32, plan: Plan) {
        if plan == Plan::Key {
            let known = Some(Mark { carrier: frame, frame_num: 0 });
            *self = Self {
                key_frames: self.key_frames.wrapping_add(1),
                known,
                next_in_run: 1,
                ..Self::default()
            };
            return;
        }
        match self.candidate {
            Candidate::Acknowledged(mark) => {
                self.known = Some(mark);
                self.keeps_previous = true;
                self.candidate = Candidate::None;
            }
            Candidate::Lost(_) => self.candidate = Candidate::None,
            Candidate::None | Candidate::Marked(_) => {}
        }
        if plan == (Plan::Previous { mark: true }) {
            let kept = if self.keeps_previous { self.next_in_run.wrapping_sub(1) } else { self.next_in_run };
            self.candidate = Candidate::Marked(Mark { carrier: frame, frame_num: kept % FRAME_NUMS });
        }
        self.next_in_run = (self.next_in_run + 1) % FRAME_NUMS;
    }

    /// Whether the library would mark the next picture if it is told to.
    fn may_mark(&self) -> bool {
        // The picture behind a key frame still has to make a long-term reference of that.
        self.candidate == Candidate::None && self.next_in_run != 1
    }
}

/// Whether `frame` is `other` or came after it, across the wrap of the numbers.
fn is_at_or_after(frame: u32, other: u32) -> bool {
    frame.wrapping_sub(other) <= u32::MAX / 2
}

/// How many values a `frame_num` has.
const FRAME_NUMS: u32 = 1 << 15;
