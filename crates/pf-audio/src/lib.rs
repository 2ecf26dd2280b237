//! Capture, Opus and playback of sound, and the buffer between them.
//!
//! [`jitter`], [`packet`] and [`receiver`] are pure: time is an argument. Sound servers are spoken to in PulseAudio's
//! own protocol, which PipeWire speaks too, so that no system library is needed.

#![forbid(unsafe_code)]

pub mod frame;
pub mod jitter;
pub mod opus;
pub mod packet;
pub mod receiver;
mod resample;
#[cfg(test)]
mod signal;

pub use frame::{CHANNELS, FrameLength, RATE};
