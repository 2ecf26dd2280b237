//! Mirrors an output of a Wayland compositor: those on wlroots (sway, cage, labwc and others), Hyprland, and whoever else
//! lets programs take pictures.
//!
//! A compositor has no memory that others may look at, and tells nobody when it draws. It is asked for one picture at a
//! time, as soon as that differs from the one before, and fills a buffer of ours when it next draws the output: between
//! pictures this sleeps, and so does the compositor. What it draws before the next request counts as a difference, too,
//! so that nothing is lost in between. The pointer is painted in by the compositor.
//!
//! An output that nobody sits before, as a compositor without a screen has, takes on the size that is asked for. All
//! others keep theirs. Where there is no output at all, sway is asked for one, which goes with the source if sway can.

mod buffer;
mod camera;
mod heads;
mod image_copy;
mod injector;
mod layout;
mod link;
mod output;
mod screencopy;
mod sway;
mod upright;

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use pf_media::picture::{Bgrx, Size};
use rustix::time::{ClockId, clock_gettime};
use wayland_client::protocol::wl_shm::WlShm;
use wayland_protocols_wlr::output_management::v1::client::zwlr_output_manager_v1::ZwlrOutputManagerV1;

use self::buffer::Buffer;
use self::camera::{Camera, Outcome, Shutter, Wanted, When};
use self::injector::WaylandInjector;
use self::link::{Link, display_name};
use self::output::{Output, is_headless};
use self::sway::Sway;
use self::upright::{Order, Pose, set_upright};
use crate::input::Seat;
use crate::pace::Pace;
use crate::{Picture, Rows, Sizing, Source, SourceError, Stop};

/// Which compositor, and what of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WaylandConfig {
    /// The compositor's socket, such as `wayland-1` or a whole path; `None` for `$WAYLAND_DISPLAY`.
    pub display: Option<PathBuf>,
    /// The output to mirror, such as `DP-1`; `None` for the first one.
    pub output: Option<String>,
}

/// A mirrored output of a Wayland compositor.
pub struct WaylandSource {
    link: Link<Camera>,
    shm: WlShm,
    shutter: Shutter,
    /// What gives outputs other sizes, where the compositor has it.
    manager: Option<ZwlrOutputManagerV1>,
    /// The number by which the compositor knows the output.
    output: u32,
    name: String,
    /// Held for as long as it is mirrored.
    _added: Option<Added>,
    stage: Stage,
    buffer: Option<Buffer>,
    /// The picture, where it lies otherwise in the buffer.
    upright: Vec<u8>,
    size: Size,
    pace: Pace,
    /// Where the picture differs from the one before it.
    changed: Rows,
    /// Whether the next picture is due as it is, and differs everywhere.
    is_new: bool,
    seat: Seat,
}

/// How far the next picture is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Not before this moment.
    Resting(Instant),
    /// Begun: the compositor says what buffer it wants.
    Begun,
    /// Asked for at this moment.
    Asked(Instant),
}

/// An output that sway was asked for; it goes with this if sway can take it away.
struct Added {
    sway: Sway,
    name: String,
}

impl WaylandSource {
    /// Mirrors an output, at most `fps` times a second, and at `size` if nobody sits before it.
    pub fn open(
        config: &WaylandConfig,
        size: Size,
        fps: NonZeroU32,
        stop: &Stop,
    ) -> Result<Self, SourceError> {
        let mut link = Link::connect(config.display.as_deref(), Camera::default(), stop)?;
        let shm = link.bind(1..=1)?;
        Shutter::is_offered(&link)?;
        let manager = link.bind(1..=1).ok();
        link.round_trip()?;
        let mut added = None;
        if link.desk.outputs.is_empty() && config.output.is_none() {
            added = add_output(&mut link)?;
        }
        let output = find(&link.desk.outputs, config.output.as_deref())?;
        let (global, name) = (output.global, output.name.clone());
        let shutter = Shutter::new(&link, &output.proxy)?;
        let seat = Seat::new({
            let (display, name) = (link.socket.clone(), name.clone());
            move |stop| Ok(Box::new(WaylandInjector::open(&display, &name, stop)?))
        });
        let mut source = Self {
            link,
            shm,
            shutter,
            manager,
            output: global,
            name,
            _added: added,
            stage: Stage::Resting(Instant::now()),
            buffer: None,
            upright: Vec::new(),
            size,
            pace: Pace::new(fps),
            changed: Rows::none(),
            is_new: true,
            seat,
        };
        if source.resize(size, fps)? == Sizing::Keeps {
            source.size = source.output()?.size();
        }
        Ok(source)
    }

    /// Gives the output another size, if nobody sits before it and the compositor can.
    fn resize(&mut self, size: Size, fps: NonZeroU32) -> Result<Sizing, SourceError> {
        let Some(manager) = self.manager.as_ref().filter(|_| is_headless(&self.name)) else {
            return Ok(Sizing::Keeps);
        };
        if heads::set(&mut self.link, manager, &self.name, size, fps)? {
            Ok(Sizing::Follows)
        } else {
            tracing::info!(%size, output = self.name, "the compositor keeps its output's size");
            Ok(Sizing::Keeps)
        }
    }

    fn output(&self) -> Result<&Output, SourceError> {
        let output = self.link.desk.outputs.iter().find(|output| output.global == self.output);
        output.filter(|_| !self.link.desk.own.is_over).ok_or_else(|| SourceError::Lost {
            reason: format!("the compositor has no output {} any more", self.name),
        })
    }

    /// Goes on with the next picture until it is there; when it was on the output, if that was before `deadline`.
    fn take(&mut self, deadline: Instant) -> Result<Option<Instant>, SourceError> {
        loop {
            self.output()?;
            match self.link.desk.own.outcome.take() {
                Some(Outcome::Taken) => {
                    let captured = self.captured();
                    self.pace.taken(captured);
                    return Ok(Some(captured));
                }
                Some(Outcome::Failed) => self.rest(),
                None => {}
            }
            let is_ready = match self.stage {
                Stage::Resting(until) => Some(until),
                Stage::Begun if self.link.desk.own.wanted.is_some() => Some(self.pace.due(Instant::now())),
                Stage::Begun | Stage::Asked(_) => None,
            };
            if let Some(due) = is_ready {
                self.link.stop().sleep_until(due.min(deadline))?;
                if Instant::now() < due {
                    return Ok(None);
                }
                self.proceed()?;
            } else if !self.link.listen(deadline)? {
                return Ok(None);
            }
        }
    }

    /// Takes the next step, whose time has come.
    fn proceed(&mut self) -> Result<(), SourceError> {
        match (self.stage, self.link.desk.own.wanted.clone()) {
            (Stage::Resting(_), _) => self.begin(),
            (Stage::Begun, Some(wanted)) => self.ask(wanted)?,
            _ => {}
        }
        Ok(())
    }

    /// Begins the next picture.
    fn begin(&mut self) {
        let handle = self.link.handle();
        self.shutter.ask(&mut self.link.desk.own, &handle);
        self.stage = Stage::Begun;
    }

    /// Asks for the picture, in a buffer as it is wanted.
    fn ask(&mut self, wanted: Wanted) -> Result<(), SourceError> {
        let shape = wanted.map_err(|found| SourceError::UnsupportedPixels { found })?;
        let standing = self.buffer.take().filter(|buffer| buffer.shape == shape);
        let buffer = if let Some(buffer) = standing {
            buffer
        } else {
            self.is_new = true;
            Buffer::new(&self.shm, shape, &self.link.handle())?
        };
        let when = if self.is_new { When::Now } else { When::Changed };
        self.shutter.shoot(self.buffer.insert(buffer), when);
        self.stage = Stage::Asked(Instant::now());
        Ok(())
    }

    /// Waits a while before the next attempt: the output may be off, or just changing its size.
    fn rest(&mut self) {
        self.is_new = true;
        if let Some(buffer) = &mut self.buffer {
            buffer.is_filled = false;
        }
        self.stage = Stage::Resting(Instant::now() + REST);
    }

    /// When the picture that has just come was on the output.
    fn captured(&self) -> Instant {
        let now = Instant::now();
        let clock = clock_gettime(ClockId::Monotonic);
        let clock = Duration::new(clock.tv_sec.cast_unsigned(), clock.tv_nsec as u32);
        let age = self.link.desk.own.time.and_then(|time| clock.checked_sub(time));
        let captured = age.and_then(|age| now.checked_sub(age)).unwrap_or(now);
        match self.stage {
            Stage::Asked(at) => captured.max(at),
            Stage::Resting(_) | Stage::Begun => captured,
        }
    }

    /// Brings what the buffer holds to where the next picture is borrowed from, and begins the one after that.
    fn develop(&mut self) -> Result<(), SourceError> {
        let pose = self.pose()?;
        let camera = &self.link.desk.own;
        let Some(buffer) = &mut self.buffer else { return Ok(()) };
        let size = pose.upright(buffer.shape.size);
        let is_everywhere = std::mem::take(&mut self.is_new)
            || size != self.size
            || pose != Pose::UPRIGHT
            // Whoever tells of no difference does not look for any.
            || camera.damaged.is_empty();
        self.changed = if is_everywhere { Rows::all(size) } else { camera.damaged.within(size) };
        self.size = size;
        buffer.is_filled = true;
        if lies_as_needed(buffer, pose) {
            self.upright = Vec::new();
        } else {
            let length = size.width as usize * size.height as usize * 4;
            if self.upright.len() != length {
                self.upright = vec![0; length];
                self.changed = Rows::all(size);
            }
            let shape = buffer.shape;
            for rows in self.changed.ranges() {
                set_upright(buffer.bytes(), shape, pose, rows.clone(), &mut self.upright);
            }
        }
        // By the time that it is due, the compositor has said what buffer it wants.
        self.begin();
        self.link.flush()
    }

    /// How the picture that has just come lies in its buffer.
    fn pose(&self) -> Result<Pose, SourceError> {
        Ok(self.link.desk.own.pose(self.output()?.transform))
    }
}

impl Source for WaylandSource {
    fn size(&self) -> Size {
        self.size
    }

    fn seat(&self) -> Option<Seat> {
        Some(self.seat.clone())
    }

    fn next_picture(&mut self, deadline: Instant) -> Result<Option<Picture<'_>>, SourceError> {
        let Some(captured) = self.take(deadline)? else { return Ok(None) };
        self.develop()?;
        let size = self.size;
        let (stride, bytes) = match &mut self.buffer {
            Some(buffer) if self.upright.is_empty() => (buffer.shape.stride as usize, buffer.bytes()),
            _ => (size.width as usize * 4, self.upright.as_slice()),
        };
        let pixels = Bgrx::new(size, stride, bytes).ok_or(SourceError::UnstreamableSize { size })?;
        Ok(Some(Picture { pixels, captured, changed: &self.changed }))
    }

    fn change(&mut self, size: Size, fps: NonZeroU32) -> Result<Sizing, SourceError> {
        self.pace.set(fps);
        self.resize(size, fps)
    }
}

impl Drop for Added {
    fn drop(&mut self) {
        match self.sway.remove_output(&self.name) {
            Ok(true) => {}
            // The next session finds it.
            Ok(false) => {
                tracing::info!(output = self.name, "this sway keeps the output that was added to it");
            }
            Err(error) => tracing::debug!(%error, "the output that was added to sway is not taken away"),
        }
    }
}

/// Whether a compositor answers and lets an output be mirrored; its name if so.
pub(crate) fn probe(config: &WaylandConfig, stop: &Stop) -> Result<String, SourceError> {
    let link = Link::connect(config.display.as_deref(), Camera::default(), stop)?;
    let _shm: WlShm = link.bind(1..=1)?;
    Shutter::is_offered(&link)?;
    let can_add = || config.output.is_none() && Sway::beside(&link.socket).is_some();
    match find(&link.desk.outputs, config.output.as_deref()) {
        Err(error) if !can_add() => Err(error),
        _ => Ok(display_name(config.display.as_deref())),
    }
}

/// Has sway add an output; nothing where the compositor is another one.
fn add_output(link: &mut Link<Camera>) -> Result<Option<Added>, SourceError> {
    let Some(mut sway) = Sway::beside(&link.socket) else { return Ok(None) };
    if !sway.add_output()? {
        return Ok(None);
    }
    let name = |output: &Output| Some(output.name.clone()).filter(|name| !name.is_empty());
    let name = link.until(|desk| desk.outputs.first().and_then(name))?;
    tracing::info!(output = name, "the compositor had no output: one was added");
    Ok(Some(Added { sway, name }))
}

/// The output of this name, or the first one.
fn find<'a>(outputs: &'a [Output], name: Option<&str>) -> Result<&'a Output, SourceError> {
    let is_it = |output: &&Output| name.is_none_or(|name| output.name == name);
    outputs.iter().find(is_it).ok_or_else(|| SourceError::NoOutput { name: name.map(str::to_owned) })
}

/// Whether a picture can be borrowed from the buffer as it is.
fn lies_as_needed(buffer: &Buffer, pose: Pose) -> bool {
    pose == Pose::UPRIGHT && matches!(buffer.shape.order, Order::Bgr(_))
}

/// How long to wait when a compositor gave no picture.
///
/// A screen that is off gives none for hours, and one that is being resized gives one at the next attempt.
const REST: Duration = Duration::from_millis(50);
