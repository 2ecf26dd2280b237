//! Packetise and reassemble, congestion control and clock offset of the media stream.
//!
//! Everything here is pure: time is an argument, and bytes go in and come out.

#![forbid(unsafe_code)]

pub mod clock;
pub mod congestion;
pub mod figures;
pub mod packet;
pub mod picture;
pub mod reassembly;
pub mod time;
pub mod timecode;
