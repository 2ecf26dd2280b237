//! Giving a screen another size (RandR 1.2).
//!
//! A screen shows what its outputs show, each in a mode, through a controller (*CRTC*). So the one output of a virtual
//! display is switched off, the screen gets its size, and the output is switched on again in a mode of that size,
//! which is made when there is none. Nobody sees the steps between: the server serves no other client meanwhile.

use pf_media::picture::Size;
use x11rb::connection::Connection;
use x11rb::errors::{ConnectionError, ReplyError};
use x11rb::protocol::randr::{
    self, ConnectionExt as _, Crtc, GetScreenResourcesCurrentReply, Mode, ModeInfo, Output, Rotation,
    SetConfig,
};
use x11rb::protocol::xproto::{ConnectionExt as _, Window};

use super::link::LinkError;

/// Why a screen keeps its size.
pub(super) enum Refusal {
    /// Its server cannot, or does not want to.
    Server(String),
    /// Nobody knows: the connection is gone.
    Connection(LinkError),
}

/// Gives the screen of `root` another size, and its first output a mode of that size.
pub(super) fn resize(connection: &impl Connection, root: Window, size: Size) -> Result<(), Refusal> {
    if connection.extension_information(randr::X11_EXTENSION_NAME)?.is_none() {
        return Err(Refusal::Server("it has no RandR extension".to_owned()));
    }
    connection.randr_query_version(1, 3)?.reply()?;
    let range = connection.randr_get_screen_size_range(root)?.reply()?;
    let most = Size::new(range.max_width.into(), range.max_height.into());
    if size.width > most.width || size.height > most.height {
        return Err(Refusal::Server(format!("it goes up to {most} only")));
    }
    connection.grab_server()?;
    let result = set(connection, root, size);
    // Whatever became of it, others are to be served again.
    connection.ungrab_server()?.check()?;
    result
}

fn set(connection: &impl Connection, root: Window, size: Size) -> Result<(), Refusal> {
    let resources = connection.randr_get_screen_resources_current(root)?.reply()?;
    let (output, crtc) = first_output(connection, &resources)?;
    let mode = mode_of(connection, root, &resources, output, size)?;
    configure(connection, &resources, crtc, None)?;
    let millimetres = |pixels: u32| (pixels * 254).div_ceil(DPI * 10);
    connection
        .randr_set_screen_size(
            root,
            size.width as u16,
            size.height as u16,
            millimetres(size.width),
            millimetres(size.height),
        )?
        .check()?;
    configure(connection, &resources, crtc, Some((output, mode)))?;
    match forget_modes(connection, &resources, output, mode) {
        // The screen has its size all the same.
        Err(Refusal::Server(why)) => {
            tracing::debug!(why, "the X server keeps a mode that is not needed any more");
            Ok(())
        }
        result => result,
    }
}

/// The first output that has a controller, and that.
fn first_output(
    connection: &impl Connection,
    resources: &GetScreenResourcesCurrentReply,
) -> Result<(Output, Crtc), Refusal> {
    for &output in &resources.outputs {
        let info = connection.randr_get_output_info(output, resources.config_timestamp)?.reply()?;
        let current = Some(info.crtc).filter(|&crtc| crtc != x11rb::NONE);
        if let Some(crtc) = current.or_else(|| info.crtcs.first().copied()) {
            return Ok((output, crtc));
        }
    }
    Err(Refusal::Server("its screen has no output".to_owned()))
}

/// A mode of `size` that `output` can be switched to.
fn mode_of(
    connection: &impl Connection,
    root: Window,
    resources: &GetScreenResourcesCurrentReply,
    output: Output,
    size: Size,
) -> Result<Mode, Refusal> {
    let offered = connection.randr_get_output_info(output, resources.config_timestamp)?.reply()?.modes;
    let is_wanted = |mode: &&ModeInfo| {
        Size::new(mode.width.into(), mode.height.into()) == size && offered.contains(&mode.id)
    };
    if let Some(mode) = resources.modes.iter().find(is_wanted) {
        return Ok(mode.id);
    }
    let name = format!("{NAME_PREFIX}{size}");
    let mode = connection.randr_create_mode(root, timing(size, name.len()), name.as_bytes())?.reply()?.mode;
    connection.randr_add_output_mode(output, mode)?.check()?;
    Ok(mode)
}

/// A mode of 60 Hz with a little room around the picture, as a monitor would want it.
fn timing(size: Size, name_length: usize) -> ModeInfo {
    let (width, height) = (size.width as u16, size.height as u16);
    let (total_width, total_height) = (width + 4 * MARGIN, height + 4 * MARGIN);
    ModeInfo {
        id: 0,
        width,
        height,
        dot_clock: u32::from(total_width) * u32::from(total_height) * 60,
        hsync_start: width + MARGIN,
        hsync_end: width + 2 * MARGIN,
        htotal: total_width,
        hskew: 0,
        vsync_start: height + MARGIN,
        vsync_end: height + 2 * MARGIN,
        vtotal: total_height,
        name_len: name_length as u16,
        mode_flags: 0_u8.into(),
    }
}

/// Switches the output on in this mode, or off.
fn configure(
    connection: &impl Connection,
    resources: &GetScreenResourcesCurrentReply,
    crtc: Crtc,
    on: Option<(Output, Mode)>,
) -> Result<(), Refusal> {
    let (mode, outputs) = on.map_or((x11rb::NONE, Vec::new()), |(output, mode)| (mode, vec![output]));
    let reply = connection
        .randr_set_crtc_config(
            crtc,
            x11rb::CURRENT_TIME,
            resources.config_timestamp,
            0,
            0,
            mode,
            Rotation::ROTATE0,
            &outputs,
        )?
        .reply()?;
    match reply.status {
        SetConfig::SUCCESS => Ok(()),
        status => Err(Refusal::Server(format!("it refuses the mode: {status:?}"))),
    }
}

/// Takes back the modes that earlier sizes needed: a window that is dragged larger goes through many.
fn forget_modes(
    connection: &impl Connection,
    resources: &GetScreenResourcesCurrentReply,
    output: Output,
    current: Mode,
) -> Result<(), Refusal> {
    let mut names = resources.names.as_slice();
    for mode in &resources.modes {
        let (name, rest) = names.split_at_checked(mode.name_len.into()).unwrap_or_default();
        names = rest;
        if mode.id != current && name.starts_with(NAME_PREFIX.as_bytes()) {
            connection.randr_delete_output_mode(output, mode.id)?.check()?;
            connection.randr_destroy_mode(mode.id)?.check()?;
        }
    }
    Ok(())
}

impl From<ConnectionError> for Refusal {
    fn from(error: ConnectionError) -> Self {
        Self::Connection(error.into())
    }
}

impl From<ReplyError> for Refusal {
    fn from(error: ReplyError) -> Self {
        match error {
            ReplyError::X11Error(error) => {
                Self::Server(format!("{:?} at {:?}", error.error_kind, error.request_name))
            }
            ReplyError::ConnectionError(error) => error.into(),
        }
    }
}

/// What the modes are called that are made here, before their size.
const NAME_PREFIX: &str = "punktfunk-";

/// Pixels before, in and behind each gap between pictures.
const MARGIN: u16 = 8;

/// What programs take a pixel's size from: that of a common monitor, which Xvfb is started with, too.
const DPI: u32 = 96;
