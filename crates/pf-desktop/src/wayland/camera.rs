//! One picture after another out of a compositor, by whichever protocol it offers.
//!
//! Both protocols do it in the same steps: the compositor says what buffer it wants, gets one, fills it as soon as there is
//! something new on its output, and tells where that differs from the picture before.

use std::time::Duration;

use pf_media::picture::Size;
use wayland_client::QueueHandle;
use wayland_client::protocol::wl_output::{Transform, WlOutput};
use wayland_client::protocol::wl_shm::Format;

use super::buffer::Buffer;
use super::heads::Heads;
use super::image_copy::{ImageCopy, Wishes};
use super::link::{Desk, Link};
use super::screencopy::Screencopy;
use super::upright::{Order, Pose, Shape};
use crate::{Rows, SourceError};

/// What the compositor has told of the picture that is being taken, and of its screens.
#[derive(Default)]
pub(super) struct Camera {
    /// The picture's number. What is still told of an earlier one is of no use.
    number: u32,
    /// The buffer that the compositor wants.
    pub(super) wanted: Option<Wanted>,
    /// Where the picture differs from the one before.
    pub(super) damaged: Rows,
    /// How the picture lies in the buffer, apart from the output's own transform.
    pub(super) is_inverted: bool,
    /// How the picture lies in the buffer, where the protocol tells with each.
    pub(super) transform: Option<Transform>,
    /// When the picture was on the output, on the monotonic clock.
    pub(super) time: Option<Duration>,
    pub(super) outcome: Option<Outcome>,
    /// Whether the compositor takes no more pictures of this output.
    pub(super) is_over: bool,
    /// What is being told of the buffers to come.
    pub(super) wishes: Wishes,
    pub(super) heads: Heads,
}

/// A buffer that a compositor wants, or the names of formats of which none can be streamed.
pub(super) type Wanted = Result<Shape, String>;

/// How taking a picture ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It is in the buffer.
    Taken,
    /// There is none, for instance because the output has another size by now.
    Failed,
}

/// Takes pictures of one output.
pub(super) enum Shutter {
    Screencopy(Screencopy),
    ImageCopy(ImageCopy),
}

impl Camera {
    /// Begins another picture, and returns its number.
    pub(super) fn begin(&mut self) -> u32 {
        self.number = self.number.wrapping_add(1);
        self.damaged.clear();
        self.is_inverted = false;
        self.transform = None;
        self.time = None;
        self.outcome = None;
        self.number
    }

    /// What is known of the picture of this number, if it is the one that is being taken.
    pub(super) fn picture(&mut self, number: u32) -> Option<&mut Self> {
        (self.number == number).then_some(self)
    }

    /// This area of the buffer differs from the picture before.
    pub(super) fn damage(&mut self, y: i64, height: i64) {
        let row = |y: i64| y.clamp(0, Size::MAX_SIDE.into()) as u32;
        self.damaged.add(row(y)..row(y.saturating_add(height)));
    }

    /// How the picture lies in the buffer, on an output with this transform.
    pub(super) fn pose(&self, output: Transform) -> Pose {
        Pose { transform: self.transform.unwrap_or(output), is_inverted: self.is_inverted }
    }
}

impl Shutter {
    /// Whether the compositor lets anybody take pictures of its outputs.
    pub(super) fn is_offered(link: &Link<Camera>) -> Result<(), SourceError> {
        ImageCopy::managers(link).map(|_| ()).or_else(|_| Screencopy::manager(link).map(|_| ()))
    }

    /// Takes pictures of `output`, by the newer protocol where the compositor has it.
    pub(super) fn new(link: &Link<Camera>, output: &WlOutput) -> Result<Self, SourceError> {
        match ImageCopy::managers(link) {
            Ok(managers) => Ok(Self::ImageCopy(ImageCopy::new(&managers, output, &link.handle()))),
            Err(_) => Ok(Self::Screencopy(Screencopy::new(Screencopy::manager(link)?, output.clone()))),
        }
    }

    /// Begins a picture: asks for what buffer the compositor wants for it, if that is not known.
    pub(super) fn ask(&mut self, camera: &mut Camera, handle: &QueueHandle<Desk<Camera>>) {
        match self {
            Self::Screencopy(screencopy) => screencopy.ask(camera, handle),
            Self::ImageCopy(image_copy) => image_copy.ask(camera, handle),
        }
    }

    /// Has the picture taken as `when` says.
    pub(super) fn shoot(&mut self, buffer: &Buffer, when: When) {
        match self {
            Self::Screencopy(screencopy) => screencopy.shoot(buffer, when),
            Self::ImageCopy(image_copy) => image_copy.shoot(buffer),
        }
    }
}

/// When a picture is to be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum When {
    Now,
    /// As soon as it differs from the one before.
    Changed,
}

/// The buffer of these sizes in the first format that can be streamed.
pub(super) fn wanted(size: Size, formats: &[(Format, Option<u32>)]) -> Wanted {
    let found = formats.iter().find_map(|&(format, stride)| {
        let stride = stride.or_else(|| size.width.checked_mul(4))?;
        Some(Shape { size, stride, order: Order::of(format)? })
    });
    found.ok_or_else(|| format!("{:?}", formats.iter().map(|(format, _)| format).collect::<Vec<_>>()))
}
