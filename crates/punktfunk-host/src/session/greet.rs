//! The first words: what the client is and wishes, and that it was let in.

use std::{num::NonZeroU32, time::Duration};

use pf_media::{picture::Size, transmit::SMALLEST_DATAGRAM};
use pf_net::Connection;
use pf_proto::session::{Admitted, AdmittedAs, ClientMessage, HostMessage, SessionHello, StreamWishes};
use pf_trust::admission::Role;
use tokio::time::timeout;

use super::{Control, End, Studio};
use crate::{
    hardware,
    stream::{self, Wishes},
};

/// How long a device may take to say hello.
const PATIENCE: Duration = Duration::from_secs(10);

/// Hears the hello, and answers with [`Admitted`].
pub(super) async fn greet(
    connection: &Connection,
    role: Role,
    studio: &Studio,
) -> Result<(Control, SessionHello), End> {
    let hearing = async {
        let mut control = connection.accept_control().await.map_err(|_| End::Left)?;
        let received = control.receive().await?;
        Ok::<_, End>((control, received.message))
    };
    let Ok((mut control, ClientMessage::Hello(hello))) =
        timeout(PATIENCE, hearing).await.map_err(|_| End::Misbehaved)?
    else {
        return Err(End::Misbehaved);
    };
    let version = pf_proto::common_version(&hello.versions).ok_or(End::NoCommonVersion)?;
    // Else each picture would be encoded in vain, or cut into thousands of datagrams.
    if connection.max_datagram() < SMALLEST_DATAGRAM {
        return Err(End::Misbehaved);
    }
    let admitted_as = match role {
        Role::Paired => AdmittedAs::Paired,
        Role::Guest => AdmittedAs::Guest,
    };
    let hardware_addresses = hardware::addresses();
    let admitted = Admitted { version, host_name: studio.name.clone(), admitted_as, hardware_addresses };
    control.send(&HostMessage::Admitted(admitted)).await?;
    Ok((control, hello))
}

/// What a client wishes, within what this host gives.
pub(super) fn within_reason(wishes: &StreamWishes) -> Wishes {
    let size = Size::new(wishes.width, wishes.height);
    Wishes {
        size: if size.is_streamable() { size } else { stream::DEFAULT_SIZE },
        fps: NonZeroU32::new(wishes.frames_per_second.min(stream::MAX_FPS)).unwrap_or(stream::DEFAULT_FPS),
        bitrate: match wishes.bits_per_second {
            0 => stream::DEFAULT_BITRATE,
            asked => asked.clamp(pf_codec::MIN_BITRATE, pf_codec::MAX_BITRATE),
        },
    }
}
