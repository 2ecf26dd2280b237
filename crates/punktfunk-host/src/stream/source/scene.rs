//! An open source, the sessions that watch it, and the encoders that they share.

use std::{
    collections::HashMap,
    mem,
    num::NonZeroU32,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};

use pf_desktop::{Sizing, Source, SourceKind, Stop, input::Seat};
use pf_media::picture::Size;
use tokio::sync::watch;

use super::{
    capture,
    fit::fit,
    lanes::{LaneId, Lanes, ViewerId},
    shot::{Shelf, Shot},
};
use crate::{
    clock::Clock,
    stream::{
        StreamError, Wishes,
        bell::Bell,
        encode::{self, audience::Measure},
        viewer::Viewer,
    },
};

/// An open source. Dropping it closes it.
pub(crate) struct Scene(Arc<Core>);

/// What the threads of a scene share.
pub(in crate::stream) struct Core {
    kind: SourceKind,
    seat: Option<Seat>,
    clock: Clock,
    stop: Stop,
    /// Of pictures that were scaled.
    shelf: Mutex<Shelf>,
    counts: Arc<Counts>,
    state: Mutex<State>,
    /// Whether the source is as it was asked to be, or said that it will not be.
    is_settled: watch::Sender<bool>,
}

/// The size and speed of pictures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::stream) struct Format {
    pub(in crate::stream) size: Size,
    pub(in crate::stream) fps: NonZeroU32,
}

/// What was done for all sessions together.
#[derive(Debug, Default)]
pub(in crate::stream) struct Counts {
    captured: AtomicU64,
    encoded: AtomicU64,
}

/// What the encoding thread of a lane has to know.
pub(in crate::stream) struct Brief {
    pub(in crate::stream) members: Arc<[Member]>,
    pub(in crate::stream) measure: Measure,
    /// How many pictures a second the source gives at most.
    pub(in crate::stream) source_fps: NonZeroU32,
    pub(in crate::stream) newest: Option<Arc<Shot>>,
}

/// A session in a lane.
#[derive(Clone)]
pub(in crate::stream) struct Member {
    pub(in crate::stream) id: ViewerId,
    pub(in crate::stream) viewer: Arc<Viewer>,
}

struct State {
    /// Of the source's pictures.
    size: Size,
    /// What the source was asked for last.
    asked: Format,
    /// What it does about the size.
    sizing: Sizing,
    newest: Option<Arc<Shot>>,
    next_viewer: u64,
    watching: Vec<Watching>,
    lanes: Lanes,
    /// The lanes that have a thread, which are all but for a moment.
    running: Vec<Running>,
    /// Why there are no more pictures.
    over: Option<Arc<StreamError>>,
}

struct Watching {
    member: Member,
    wished: Format,
    /// The lane whose bell it rings.
    lane: Option<LaneId>,
}

struct Running {
    lane: LaneId,
    bell: Arc<Bell>,
    members: Arc<[Member]>,
}

impl Scene {
    /// Shows what `source` gives, which was asked for this.
    pub(super) fn start(
        kind: SourceKind,
        source: Box<dyn Source>,
        asked: Format,
        stop: Stop,
        clock: Clock,
    ) -> Result<Self, StreamError> {
        let state = State {
            size: source.size(),
            asked,
            sizing: Sizing::Keeps,
            newest: None,
            next_viewer: 0,
            watching: Vec::new(),
            lanes: Lanes::default(),
            running: Vec::new(),
            over: None,
        };
        let core = Arc::new(Core {
            kind,
            seat: source.seat(),
            clock,
            stop,
            shelf: Mutex::default(),
            counts: Arc::default(),
            state: Mutex::new(state),
            is_settled: watch::Sender::new(true),
        });
        capture::start(source, Arc::clone(&core))?;
        Ok(Self(core))
    }

    /// Which source it is.
    pub(crate) fn kind(&self) -> SourceKind {
        self.0.kind
    }

    /// Its keyboard and pointer, if it has any.
    pub(crate) fn seat(&self) -> Option<Seat> {
        self.0.seat.clone()
    }

    /// What was done for all of its sessions.
    pub(in crate::stream) fn counts(&self) -> &Arc<Counts> {
        &self.0.counts
    }

    /// Whether there are no more pictures.
    pub(super) fn is_over(&self) -> bool {
        self.0.state().over.is_some()
    }

    /// Shows the pictures to one more session.
    pub(in crate::stream) fn join(
        &self,
        viewer: Arc<Viewer>,
        wishes: Wishes,
    ) -> Result<ViewerId, Arc<StreamError>> {
        let mut state = self.0.state();
        if let Some(error) = &state.over {
            return Err(Arc::clone(error));
        }
        let id = ViewerId(state.next_viewer);
        state.next_viewer += 1;
        let whole = Format { size: wishes.size, fps: wishes.fps };
        let format = whole.of(state.size);
        let rate = viewer.outgoing.encoder_rate(Instant::now());
        state.watching.push(Watching { member: Member { id, viewer }, wished: whole, lane: None });
        state.lanes.join(id, format, rate);
        if let Err(error) = self.0.settle(&mut state) {
            state.watching.retain(|watching| watching.member.id != id);
            state.lanes.leave(id);
            return Err(error);
        }
        Ok(id)
    }

    /// The session wishes something else from now on.
    pub(in crate::stream) fn change(&self, viewer: ViewerId, wishes: Wishes) -> Result<(), Arc<StreamError>> {
        let mut state = self.0.state();
        if let Some(watching) = state.watching.iter_mut().find(|watching| watching.member.id == viewer) {
            watching.wished = Format { size: wishes.size, fps: wishes.fps };
        }
        if state.demand() == Some(state.asked) {
            state.refit();
        }
        // Else the source is asked first: pictures that it is about to give need no scaling.
        self.0.settle(&mut state)
    }

    /// The size of the session's pictures.
    pub(in crate::stream) fn size_for(&self, viewer: ViewerId) -> Size {
        let state = self.0.state();
        let format = state.lanes.lane_of(viewer).and_then(|lane| state.lanes.format(lane));
        format.map_or(state.size, |format| format.size)
    }

    /// Waits until the source is as its sessions wish it, or said that it will not be. Safe to cancel.
    pub(in crate::stream) async fn settled(&self) {
        // It only fails when the scene is gone, and this is it.
        let _ = self.0.is_settled.subscribe().wait_for(|is_settled| *is_settled).await;
    }

    /// The session is over.
    pub(in crate::stream) fn leave(&self, viewer: ViewerId) {
        let mut state = self.0.state();
        state.watching.retain(|watching| watching.member.id != viewer);
        state.lanes.leave(viewer);
        // Without one more session no lane is opened, which is all that can fail.
        let _ = self.0.settle(&mut state);
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        self.0.stop.stop();
    }
}

impl Core {
    /// What the source is to be asked for, if that is something new.
    pub(super) fn new_demand(&self) -> Option<Format> {
        let state = self.state();
        state.demand().filter(|demand| *demand != state.asked)
    }

    /// The source was asked for this.
    pub(super) fn answer(self: &Arc<Self>, demand: Format, sizing: Sizing) {
        let mut state = self.state();
        (state.asked, state.sizing) = (demand, sizing);
        if state.is_settled() {
            self.refit(&mut state);
        }
    }

    /// Shows a picture of the source to all.
    pub(super) fn show(self: &Arc<Self>, shot: Shot) {
        self.counts.captured.fetch_add(1, Ordering::Relaxed);
        let mut state = self.state();
        let is_resized = shot.size() != state.size;
        state.size = shot.size();
        state.newest = Some(Arc::new(shot));
        if is_resized {
            self.refit(&mut state);
        }
        state.ring();
    }

    /// There are no more pictures, for anybody.
    pub(super) fn end(&self, error: StreamError) {
        let error = Arc::new(error);
        let mut state = self.state();
        for watching in mem::take(&mut state.watching) {
            watching.member.viewer.fail(&error);
            state.lanes.leave(watching.member.id);
        }
        state.ring();
        state.running.clear();
        state.over = Some(error);
    }

    /// What the thread of `lane` has to know; nothing when it is to end.
    pub(in crate::stream) fn brief(&self, lane: LaneId) -> Option<Brief> {
        let state = self.state();
        let running = state.running.iter().find(|running| running.lane == lane)?;
        Some(Brief {
            members: Arc::clone(&running.members),
            measure: state.lanes.measure(lane),
            source_fps: state.asked.fps,
            newest: state.newest.clone(),
        })
    }

    /// Takes in what an encoder of a lane did: it aims at `rate` bits a second, made `load` of late, and these sessions
    /// could not keep up with it.
    pub(in crate::stream) fn note_encoded(
        self: &Arc<Self>,
        lane: LaneId,
        rate: u64,
        load: u64,
        strained: &[Member],
    ) {
        self.counts.encoded.fetch_add(1, Ordering::Relaxed);
        let mut state = self.state();
        state.lanes.measured(lane, rate, load);
        let now = Instant::now();
        for member in strained {
            state.lanes.step_down(member.id, member.viewer.outgoing.encoder_rate(now));
        }
        let has_moved = state.running.len() > 1 && state.step_up(lane, now);
        if (has_moved || !strained.is_empty())
            && let Err(error) = self.settle(&mut state)
        {
            tracing::warn!(%error, "a session could not be given an encoder of its own");
        }
    }

    /// The encoder of a lane failed.
    pub(in crate::stream) fn fail(&self, lane: LaneId, error: StreamError) {
        let error = Arc::new(error);
        let mut state = self.state();
        for member in state.in_lane(lane).cloned().collect::<Vec<_>>() {
            member.viewer.fail(&error);
            state.watching.retain(|watching| watching.member.id != member.id);
            state.lanes.leave(member.id);
        }
        state.running.retain(|running| running.lane != lane);
    }

    pub(in crate::stream) fn clock(&self) -> Clock {
        self.clock
    }

    pub(in crate::stream) fn shelf(&self) -> &Mutex<Shelf> {
        &self.shelf
    }

    /// Gives each session what it is to get of the source as it is now.
    fn refit(self: &Arc<Self>, state: &mut State) {
        state.refit();
        if let Err(error) = self.settle(state) {
            tracing::warn!(%error, "pictures of another size cannot be shown");
        }
    }

    /// Gives each lane a thread, ends those of lanes that are gone, and has each session follow its lane.
    fn settle(self: &Arc<Self>, state: &mut State) -> Result<(), Arc<StreamError>> {
        let State { watching, lanes, running, .. } = state;
        running.retain(|running| {
            let is_there = lanes.format(running.lane).is_some();
            if !is_there {
                running.bell.ring();
            }
            is_there
        });
        for (lane, format) in lanes.all() {
            if running.iter().all(|running| running.lane != lane) {
                let bell = Arc::<Bell>::default();
                encode::start(Arc::clone(self), lane, format, Arc::clone(&bell))
                    .map_err(|error| Arc::new(StreamError::Thread(error)))?;
                running.push(Running { lane, bell, members: Arc::default() });
            }
        }
        for watching in watching.iter_mut() {
            let lane = lanes.lane_of(watching.member.id);
            if watching.lane != lane {
                watching.lane = lane;
                let running = running.iter().find(|running| Some(running.lane) == lane);
                running.inspect(|running| watching.member.viewer.outgoing.follow(Arc::clone(&running.bell)));
            }
        }
        for running in running {
            let members = watching.iter().filter(|watching| watching.lane == Some(running.lane));
            running.members = members.map(|watching| watching.member.clone()).collect();
            running.bell.ring();
        }
        self.is_settled.send_replace(state.is_settled());
        Ok(())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A thread that panicked ends its lane or its scene at worst; the rest of the state is still good.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// What the source should be for all who watch it: the largest and the fastest that anybody wishes.
    fn demand(&self) -> Option<Format> {
        let wished = || self.watching.iter().map(|watching| watching.wished);
        let size = wished().map(|wished| wished.size).max_by_key(|size| size.width * size.height)?;
        Some(Format { size, fps: wished().map(|wished| wished.fps).max()? })
    }

    fn is_settled(&self) -> bool {
        let is_asked = self.demand().is_none_or(|demand| demand == self.asked);
        is_asked && (self.sizing == Sizing::Keeps || self.size == self.asked.size)
    }

    /// Puts each session in a lane of what it is to get now.
    fn refit(&mut self) {
        let now = Instant::now();
        for watching in &self.watching {
            let rate = watching.member.viewer.outgoing.encoder_rate(now);
            self.lanes.refit(watching.member.id, watching.wished.of(self.size), rate);
        }
    }

    fn step_up(&mut self, lane: LaneId, now: Instant) -> bool {
        let rate = |member: &Member| (member.id, member.viewer.outgoing.encoder_rate(now));
        let rates: HashMap<_, _> = self.in_lane(lane).map(rate).collect();
        self.lanes.step_up(lane, now, |viewer| rates.get(&viewer).copied().unwrap_or(0))
    }

    fn in_lane(&self, lane: LaneId) -> impl Iterator<Item = &Member> {
        self.watching
            .iter()
            .filter(move |watching| watching.lane == Some(lane))
            .map(|watching| &watching.member)
    }

    fn ring(&self) {
        self.running.iter().for_each(|running| running.bell.ring());
    }
}

impl Format {
    /// What a session gets that wishes this of a source whose pictures have this size.
    fn of(self, source: Size) -> Self {
        Self { size: fit(source, self.size), ..self }
    }
}

impl Counts {
    /// Pictures that were taken of the source.
    pub(in crate::stream) fn captured(&self) -> u64 {
        self.captured.load(Ordering::Relaxed)
    }

    /// Frames that were made of them.
    pub(in crate::stream) fn encoded(&self) -> u64 {
        self.encoded.load(Ordering::Relaxed)
    }
}
