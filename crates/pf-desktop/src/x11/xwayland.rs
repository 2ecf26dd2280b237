//! X servers that are part of a Wayland compositor.

use x11rb::connection::RequestConnection as _;
use x11rb::protocol::randr::{self, ConnectionExt as _};

use super::link::{Link, LinkError};

/// Whether the server is Xwayland, which mostly has no picture: its compositor shows the windows, and no root window.
pub(super) fn is_xwayland(link: &Link) -> Result<bool, LinkError> {
    let (connection, root) = (&link.connection, link.screen().root);
    if connection.extension_information(EXTENSION)?.is_some() {
        return Ok(true);
    }
    // Before version 23 only the names of its outputs tell.
    if connection.extension_information(randr::X11_EXTENSION_NAME)?.is_none() {
        return Ok(false);
    }
    connection.randr_query_version(1, 3)?.reply()?;
    let resources = connection.randr_get_screen_resources_current(root)?.reply()?;
    for output in resources.outputs {
        let info = connection.randr_get_output_info(output, resources.config_timestamp)?.reply()?;
        if info.name.starts_with(EXTENSION.as_bytes()) {
            return Ok(true);
        }
    }
    Ok(false)
}

const EXTENSION: &str = "XWAYLAND";
