//! Fetching rows of the root window's pixels, through shared memory where the server can.

use std::ops::Range;

use x11rb::connection::RequestConnection as _;
use x11rb::errors::ReplyError;
use x11rb::protocol::shm::{self, ConnectionExt as _, Seg};
use x11rb::protocol::xproto::{ConnectionExt as _, ImageFormat, Window};
use x11rb::x11_utils::X11Error;

use pf_media::picture::Size;

use super::link::{Link, LinkError, Reach};
use crate::mapping::Mapping;

/// Where pictures of one size are fetched to.
pub(super) struct Grab {
    size: Size,
    memory: Memory,
}

enum Memory {
    /// The server writes into memory of ours.
    Shared { segment: Seg, mapping: Mapping },
    /// The server sends every pixel through the socket.
    Plain { pixels: Vec<u8> },
}

impl Grab {
    /// Prepares for pictures of `size`, which is streamable.
    pub(super) fn new(link: &Link, size: Size) -> Result<Self, LinkError> {
        let memory = if link.reach == Reach::Local && offers_descriptors(link)? {
            share(link, byte_count(size))?
        } else {
            None
        };
        let memory = memory.unwrap_or_else(|| Memory::Plain { pixels: vec![0; byte_count(size)] });
        Ok(Self { size, memory })
    }

    /// The size of the pictures.
    pub(super) fn size(&self) -> Size {
        self.size
    }

    /// Whether the server writes straight into our memory.
    pub(super) fn is_shared(&self) -> bool {
        matches!(self.memory, Memory::Shared { .. })
    }

    /// Fetches these rows of `root`; an X error means that it is smaller than [`Self::size`] by now.
    ///
    /// Asks for all of them at once: one round trip.
    pub(super) fn fetch(&mut self, link: &Link, root: Window, rows: &[Range<u32>]) -> Result<(), ReplyError> {
        let connection = &link.connection;
        let width = self.size.width as u16;
        // A streamable side fits u16, and i16.
        let place = |rows: &Range<u32>| (rows.start as i16, (rows.end - rows.start) as u16);
        let row = self.size.width as usize * 4;
        match &mut self.memory {
            Memory::Shared { segment, .. } => {
                let request = |rows: &Range<u32>| {
                    let (top, height) = place(rows);
                    let (format, offset) = (ImageFormat::Z_PIXMAP.into(), rows.start * row as u32);
                    connection
                        .shm_get_image(root, 0, top, width, height, ALL_PLANES, format, *segment, offset)
                };
                let requests = rows.iter().map(request).collect::<Result<Vec<_>, _>>()?;
                for request in requests {
                    request.reply()?;
                }
            }
            Memory::Plain { pixels } => {
                let request = |rows: &Range<u32>| {
                    let (top, height) = place(rows);
                    connection.get_image(ImageFormat::Z_PIXMAP, root, 0, top, width, height, ALL_PLANES)
                };
                let requests = rows.iter().map(request).collect::<Result<Vec<_>, _>>()?;
                for (request, rows) in requests.into_iter().zip(rows) {
                    let sent = request.reply()?.data;
                    let place = pixels.get_mut(rows.start as usize * row..rows.end as usize * row);
                    if let Some(place) = place.filter(|place| place.len() == sent.len()) {
                        place.copy_from_slice(&sent);
                    }
                }
            }
        }
        Ok(())
    }

    /// The pixels as fetched, rows without gaps; black where none were.
    pub(super) fn pixels(&mut self) -> &mut [u8] {
        match &mut self.memory {
            Memory::Shared { mapping, .. } => mapping.bytes_mut(),
            Memory::Plain { pixels } => pixels,
        }
    }

    /// Ends the use of this memory by the server.
    pub(super) fn release(self, link: &Link) -> Result<(), LinkError> {
        if let Memory::Shared { segment, .. } = self.memory {
            link.connection.shm_detach(segment)?;
        }
        Ok(())
    }
}

/// Whether the server speaks MIT-SHM 1.2, which takes memory by file descriptor.
fn offers_descriptors(link: &Link) -> Result<bool, LinkError> {
    if link.connection.extension_information(shm::X11_EXTENSION_NAME)?.is_none() {
        return Ok(false);
    }
    let version = link.connection.shm_query_version()?.reply()?;
    Ok((version.major_version, version.minor_version) >= (1, 2))
}

/// Memory that the server has attached; `None` when it does not want to, as from within some sandboxes.
fn share(link: &Link, length: usize) -> Result<Option<Memory>, LinkError> {
    use x11rb::connection::Connection as _;

    let (mapping, descriptor) = Mapping::new(length)?;
    let segment = link.connection.generate_id()?;
    match link.connection.shm_attach_fd(segment, descriptor, false)?.check() {
        Ok(()) => Ok(Some(Memory::Shared { segment, mapping })),
        Err(ReplyError::X11Error(X11Error { error_kind, .. })) => {
            tracing::debug!(?error_kind, "the X server does not attach shared memory");
            Ok(None)
        }
        Err(error) => Err(error.into()),
    }
}

fn byte_count(size: Size) -> usize {
    size.width as usize * size.height as usize * 4
}

/// Every bit of a pixel.
const ALL_PLANES: u32 = !0;
