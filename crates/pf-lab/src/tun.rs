//! A network interface whose packets this process reads and writes.
#![expect(unsafe_code, reason = "naming an interface is an ioctl, whose argument the compiler cannot check")]

use std::{
    fs::{File, OpenOptions},
    io,
    os::fd::AsFd,
};

use rustix::ioctl::{Opcode, Setter, ioctl};

/// Makes the interface `name`, shorter than 16 bytes, in the network namespace of the calling thread. It goes with the
/// file. One read is one IP packet that a program sent, one write is one that it gets.
pub(crate) fn open(name: &str) -> io::Result<File> {
    let device = OpenOptions::new().read(true).write(true).open("/dev/net/tun")?;
    let mut request = Request { name: [0; 16], flags: IFF_TUN | IFF_NO_PI, rest: [0; 22] };
    request.name[..name.len()].copy_from_slice(name.as_bytes());
    // SAFETY: TUNSETIFF takes a pointer to a `struct ifreq`, which `Request` is laid out as, and reads no more of it than
    // the name and the flags; what it writes back goes to the setter's own copy.
    unsafe { ioctl(device.as_fd(), Setter::<TUNSETIFF, Request>::new(request))? };
    Ok(device)
}

/// C's `struct ifreq`, as far as `TUNSETIFF` goes.
#[repr(C)]
struct Request {
    name: [u8; 16],
    flags: i16,
    rest: [u8; 22],
}

/// The kernel's numbers, from `linux/if_tun.h`.
const TUNSETIFF: Opcode = rustix::ioctl::opcode::write::<i32>(b'T', 202);
/// IP packets, no Ethernet.
const IFF_TUN: i16 = 0x0001;
/// Nothing in front of a packet.
const IFF_NO_PI: i16 = 0x1000;
