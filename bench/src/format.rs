//! The sizes and rates of pictures that are measured.

use std::num::NonZeroU32;

use pf_media::picture::Size;

/// A size and a rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Format {
    /// As people call it.
    pub(crate) name: &'static str,
    pub(crate) size: Size,
    pub(crate) fps: NonZeroU32,
}

impl Format {
    pub(crate) const HD_60: Self = Self::new("720p60", Size::new(1280, 720), 60);
    pub(crate) const FULL_HD_60: Self = Self::new("1080p60", Size::new(1920, 1080), 60);
    pub(crate) const FULL_HD_30: Self = Self::new("1080p30", Size::new(1920, 1080), 30);

    const fn new(name: &'static str, size: Size, fps: u32) -> Self {
        Self { name, size, fps: NonZeroU32::new(fps).expect("pictures come") }
    }
}
