//! Memory that a display writes pictures into.
#![expect(unsafe_code, reason = "mapping shared memory is a contract that the compiler cannot see")]

use std::io;
use std::os::fd::OwnedFd;
use std::ptr::{self, NonNull};

use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, ftruncate, memfd_create};
use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};

/// A block of memory that can be shared through a file descriptor.
///
/// Its size is sealed: whoever else has the descriptor cannot pull the memory from under us.
pub(crate) struct Mapping {
    start: NonNull<u8>,
    length: usize,
}

impl Mapping {
    /// A zeroed block of `length` bytes, which must not be 0, and the descriptor to share it by.
    pub(crate) fn new(length: usize) -> io::Result<(Self, OwnedFd)> {
        let memory = memfd_create("pf-desktop", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING)?;
        ftruncate(&memory, length as u64)?;
        fcntl_add_seals(&memory, SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL)?;
        // SAFETY: a new mapping at an address of the kernel's choice overlaps nothing.
        let start = unsafe {
            mmap(ptr::null_mut(), length, ProtFlags::READ | ProtFlags::WRITE, MapFlags::SHARED, &memory, 0)?
        };
        let start = NonNull::new(start.cast()).ok_or(io::ErrorKind::OutOfMemory)?;
        Ok((Self { start, length }, memory))
    }

    /// The memory.
    ///
    /// The caller keeps this apart in time from what the other side writes: a display writes a picture
    /// between our request for it and its reply, and nobody holds this borrow then.
    pub(crate) fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: the mapping is `length` bytes long and lives as long as `self`, the seals keep the file that
        // long, every byte pattern is a valid u8, and `&mut self` makes this the only borrow in this process.
        unsafe { std::slice::from_raw_parts_mut(self.start.as_ptr(), self.length) }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: this is the whole of a mapping that `new` made, and no borrow of it outlives `self`.
        // Unmapping what was mapped cannot fail.
        _ = unsafe { munmap(self.start.as_ptr().cast(), self.length) };
    }
}

// SAFETY: the pointer is to memory of the process, owned by this value alone; no thread is special to it.
unsafe impl Send for Mapping {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_one_side_writes_the_other_reads() {
        let (mut mapping, memory) = Mapping::new(10_000).unwrap();
        assert!(mapping.bytes_mut().iter().all(|&byte| byte == 0));
        rustix::io::pwrite(&memory, b"picture", 9_000).unwrap();
        assert_eq!(&mapping.bytes_mut()[9_000..9_007], b"picture");
    }

    /// An X server that truncates the memory would kill this process at its next read (SIGBUS).
    #[test]
    fn the_other_side_cannot_take_the_memory_away() {
        let (_mapping, memory) = Mapping::new(10_000).unwrap();
        assert_eq!(ftruncate(&memory, 0), Err(rustix::io::Errno::PERM));
        assert_eq!(fcntl_add_seals(&memory, SealFlags::WRITE), Err(rustix::io::Errno::PERM));
    }
}
