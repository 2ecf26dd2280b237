//! Packetise and reassemble, repair, rate and congestion control, pacing and clock offset of the media stream.
//!
//! [`transmit`] is the sender of a stream, [`reassembly`] its receiver.
//!
//! Everything here is pure: time is an argument, and bytes go in and come out.

#![forbid(unsafe_code)]

pub mod clock;
pub mod congestion;
pub mod fec;
pub mod figures;
pub mod pacer;
pub mod packet;
pub mod parity;
pub mod picture;
pub mod rate;
pub mod reassembly;
pub mod recovery;
pub mod time;
pub mod timecode;
pub mod transmit;
