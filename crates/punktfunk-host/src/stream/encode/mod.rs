//! The encoding thread of a lane: encodes the newest picture as soon as one of its sessions has room for it.
//!
//! A picture that nobody has room for is not encoded; it waits until somebody has, or a newer one takes its place. What
//! is encoded goes to everybody in the lane who can use it: nobody waits for another.

pub(super) mod audience;
mod beat;
mod encoder;
mod load;

use std::{
    io,
    panic::{self, AssertUnwindSafe},
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use pf_codec::{EncodeError, FrameKind};

use self::{
    audience::{Plan, Standing},
    beat::Beat,
    encoder::LaneEncoder,
    load::Load,
};
use super::{
    StreamError,
    bell::Bell,
    source::{Brief, Core, Format, LaneId, Rendition, Shot},
    viewer::{Encoded, Steps},
};

/// How many times a picture that stands still is sent again at [`SETTLING`], so that it becomes clean.
const SETTLING_REPEATS: u32 = 8;

/// After how long a picture counts as one that stands still. What changes ten times a second or more is never held up by
/// the encoding of what was there before.
const STANDING: Duration = Duration::from_millis(100);

/// How often a picture that has just come to a stand is sent again.
const SETTLING: Duration = Duration::from_millis(33);

/// How often a picture that stands still is sent again: a client that has lost one is never blind for longer, and
/// an idle desktop costs next to nothing.
const STILL: Duration = Duration::from_millis(200);

/// How often to look whether a path was silent for so long that a picture is to be tried: nothing else makes room without
/// a word.
const SILENT_PATH: Duration = Duration::from_millis(10);

/// Starts the thread, which ends with its lane, and ends the lane when it fails or panics.
pub(super) fn start(core: Arc<Core>, lane: LaneId, format: Format, bell: Arc<Bell>) -> io::Result<()> {
    thread::Builder::new().name("encode".to_owned()).spawn(move || {
        let run = || Encoding::new(Arc::clone(&core), lane, format).run(&bell);
        match panic::catch_unwind(AssertUnwindSafe(run)) {
            Ok(Ok(())) => {}
            Ok(Err(error)) => core.fail(lane, error.into()),
            Err(_) => core.fail(lane, StreamError::Broke),
        }
    })?;
    Ok(())
}

struct Encoding {
    core: Arc<Core>,
    lane: LaneId,
    format: Format,
    interval: Duration,
    encoder: LaneEncoder,
    load: Load,
    beat: Beat,
    last: Option<Last>,
    standings: Vec<Standing>,
}

/// The picture that was encoded last.
struct Last {
    shot: u64,
    rendition: Arc<Rendition>,
    at: Instant,
    /// How many times it was encoded again since it stands still.
    repeats: u32,
}

/// What to do now.
enum Step {
    Encode(Job),
    /// Nothing until then, if nothing happens.
    Wait(Option<Instant>),
    Over,
}

/// A picture to encode.
struct Job {
    brief: Brief,
    shot: Arc<Shot>,
    is_fresh: bool,
    plan: Plan,
}

impl Encoding {
    fn new(core: Arc<Core>, lane: LaneId, format: Format) -> Self {
        Self {
            core,
            lane,
            format,
            interval: Duration::from_secs(1) / format.fps.get(),
            encoder: LaneEncoder::new(format),
            load: Load::default(),
            beat: Beat::default(),
            last: None,
            standings: Vec::new(),
        }
    }

    fn run(mut self, bell: &Bell) -> Result<(), EncodeError> {
        loop {
            match self.next_step(Instant::now()) {
                Step::Encode(job) => self.encode(job)?,
                Step::Wait(until) => bell.wait(until),
                Step::Over => return Ok(()),
            }
        }
    }

    fn next_step(&mut self, now: Instant) -> Step {
        let Some(brief) = self.core.brief(self.lane) else { return Step::Over };
        let Some(shot) = brief.newest.clone() else { return Step::Wait(None) };
        let is_shared = brief.members.len() > 1;
        self.standings.clear();
        self.standings.extend(brief.members.iter().map(|member| member.viewer.outgoing.look(now, is_shared)));
        let plan = audience::plan(&self.standings, self.encoder.newest(), brief.measure);
        let is_fresh = self.last.as_ref().is_none_or(|last| last.shot != shot.number);
        let due = self.due(now, is_fresh, &brief, plan.as_ref());
        match plan {
            _ if due > now => Step::Wait(Some(due)),
            None => Step::Wait(Some(now + SILENT_PATH)),
            Some(plan) => Step::Encode(Job { brief, shot, is_fresh, plan }),
        }
    }

    /// When the next picture is to be encoded.
    fn due(&self, now: Instant, is_fresh: bool, brief: &Brief, plan: Option<&Plan>) -> Instant {
        let Some(last) = &self.last else { return now };
        if is_fresh {
            // A source that is as fast as the lane keeps its time itself.
            return if brief.source_fps > self.format.fps { self.beat.due(now) } else { now };
        }
        let pause = match plan {
            // Whoever lost something, or is new here, does not wait for the picture to change.
            Some(plan) if plan.kind != FrameKind::Auto => self.interval,
            _ if last.repeats == 0 => STANDING,
            _ if last.repeats < SETTLING_REPEATS => SETTLING,
            _ => STILL,
        };
        last.at + pause
    }

    fn encode(&mut self, job: Job) -> Result<(), EncodeError> {
        let Job { brief, shot, is_fresh, plan } = job;
        let rendition = self.rendition(&shot);
        let begun = Instant::now();
        // One that stands still is as fresh as when it was looked at last, which is now.
        let (captured, ready) = if is_fresh { (shot.captured, rendition.ready) } else { (begun, begun) };
        let made = self.encoder.encode(&rendition.picture, &plan)?;
        let ended = Instant::now();
        let frame = Encoded {
            number: made.number,
            reference: made.reference,
            captured: self.core.clock().media_time(captured),
            bytes: made.access_unit,
            steps: Steps {
                capture: ready.saturating_duration_since(captured),
                queue: begun.saturating_duration_since(ready),
                encode: ended - begun,
            },
        };
        let mut strained = Vec::new();
        for (member, standing) in brief.members.iter().zip(&self.standings) {
            let given = member.viewer.give(standing, &frame, self.format.size, is_fresh);
            if given.is_strained {
                strained.push(member.clone());
            }
        }
        let load = self.load.note(ended, frame.bytes.len());
        self.core.note_encoded(self.lane, plan.rate, load, &strained);
        if is_fresh {
            self.beat.taken(begun, self.interval);
        }
        let repeats = self.last.as_ref().filter(|_| !is_fresh).map_or(0, |last| last.repeats + 1);
        self.last = Some(Last { shot: shot.number, rendition, at: begun, repeats });
        Ok(())
    }

    /// The picture in the lane's size.
    fn rendition(&self, shot: &Shot) -> Arc<Rendition> {
        match &self.last {
            Some(last) if last.shot == shot.number => Arc::clone(&last.rendition),
            _ => shot.in_size(self.format.size, self.core.shelf()),
        }
    }
}
