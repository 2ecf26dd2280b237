//! Capture, Opus and playback of sound, and the buffer between them.
//!
//! Sound is 48 kHz stereo in frames of 5 or 10 ms throughout. On the host, one thread of its own goes round:
//!
//! 1. [`capture::Capture::next_frame`] waits for a frame of what the host's speakers play;
//! 2. [`opus::Encoder::encode`] makes an Opus packet of it;
//! 3. [`packet::Packetiser::pack`] numbers it and adds copies of the frames before; the bytes go into a datagram.
//!
//! On the client, [`playback::Playback::start`] starts a thread that plays. Datagrams go into
//! [`playback::Playback::receive`], and each picture that is shown is reported to
//! [`playback::Playback::picture_shown`], so that sound waits for it.
//!
//! [`jitter`], [`packet`] and [`receiver`] are pure: time is an argument. Sound servers are spoken to in PulseAudio's
//! own protocol, which PipeWire speaks too, so that no system library is needed.

#![forbid(unsafe_code)]

pub mod capture;
mod connection;
mod error;
pub mod frame;
pub mod jitter;
pub mod opus;
pub mod output;
pub mod packet;
pub mod playback;
pub mod receiver;
mod resample;
mod server;
#[cfg(test)]
mod signal;
mod stamps;

pub use error::SoundError;
pub use frame::{CHANNELS, FrameLength, RATE};
pub use pf_wait::Stop;
pub use server::Server;
