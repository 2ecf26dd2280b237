//! Other sizes for outputs, by `wlr-output-management`.

use std::num::NonZeroU32;

use pf_media::picture::Size;
use wayland_client::{Connection, Dispatch, QueueHandle, delegate_noop, event_created_child};
use wayland_protocols_wlr::output_management::v1::client::zwlr_output_configuration_head_v1::ZwlrOutputConfigurationHeadV1;
use wayland_protocols_wlr::output_management::v1::client::zwlr_output_configuration_v1::{
    self as configuration, ZwlrOutputConfigurationV1,
};
use wayland_protocols_wlr::output_management::v1::client::zwlr_output_head_v1::{
    self as head, ZwlrOutputHeadV1,
};
use wayland_protocols_wlr::output_management::v1::client::zwlr_output_manager_v1::{
    self as manager, ZwlrOutputManagerV1,
};
use wayland_protocols_wlr::output_management::v1::client::zwlr_output_mode_v1::ZwlrOutputModeV1;

use super::camera::Camera;
use super::link::{Desk, Link};
use crate::SourceError;

/// All outputs of the compositor, also those that are off.
#[derive(Default)]
pub(super) struct Heads {
    all: Vec<Head>,
    /// Of the newest state; `None` before all of it has been told.
    serial: Option<u32>,
    verdict: Option<Verdict>,
}

struct Head {
    proxy: ZwlrOutputHeadV1,
    name: String,
    is_on: bool,
}

/// What the compositor says of a configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Taken,
    Refused,
    /// Something else changed meanwhile.
    Outdated,
}

/// Gives the output called `name` this size and speed; whether the compositor does that.
pub(super) fn set(
    link: &mut Link<Camera>,
    manager: &ZwlrOutputManagerV1,
    name: &str,
    size: Size,
    fps: NonZeroU32,
) -> Result<bool, SourceError> {
    for _ in 0..MOST_ATTEMPTS {
        // All that there is to know, so that this is about the newest state.
        link.round_trip()?;
        let (handle, heads) = (link.handle(), &mut link.desk.own.heads);
        let Some(serial) = heads.serial.filter(|_| heads.all.iter().any(|head| head.name == name)) else {
            return Ok(false);
        };
        heads.verdict = None;
        let configuration = manager.create_configuration(serial, &handle, ());
        for head in &heads.all {
            if head.name == name {
                let mode = configuration.enable_head(&head.proxy, &handle, ());
                // A streamable side fits, and so does any speed that a stream can have.
                let millihertz = i32::try_from(fps.get()).unwrap_or(i32::MAX).saturating_mul(1000);
                mode.set_custom_mode(size.width.cast_signed(), size.height.cast_signed(), millihertz);
            } else if head.is_on {
                configuration.enable_head(&head.proxy, &handle, ());
            } else {
                configuration.disable_head(&head.proxy);
            }
        }
        configuration.apply();
        let verdict = link.until(|desk| desk.own.heads.verdict);
        configuration.destroy();
        match verdict? {
            Verdict::Taken => return Ok(true),
            Verdict::Refused => return Ok(false),
            Verdict::Outdated => {}
        }
    }
    Ok(false)
}

impl Dispatch<ZwlrOutputManagerV1, ()> for Desk<Camera> {
    fn event(
        desk: &mut Self,
        _: &ZwlrOutputManagerV1,
        event: manager::Event,
        (): &(),
        _: &Connection,
        _: &QueueHandle<Self>,
    ) {
        let heads = &mut desk.own.heads;
        match event {
            manager::Event::Head { head } => {
                heads.all.push(Head { proxy: head, name: String::new(), is_on: false });
            }
            manager::Event::Done { serial } => heads.serial = Some(serial),
            manager::Event::Finished => *heads = Heads::default(),
            _ => {}
        }
    }

    event_created_child!(Desk<Camera>, ZwlrOutputManagerV1, [
        manager::EVT_HEAD_OPCODE => (ZwlrOutputHeadV1, ()),
    ]);
}

impl Dispatch<ZwlrOutputHeadV1, ()> for Desk<Camera> {
    fn event(
        desk: &mut Self,
        proxy: &ZwlrOutputHeadV1,
        event: head::Event,
        (): &(),
        _: &Connection,
        _: &QueueHandle<Self>,
    ) {
        let heads = &mut desk.own.heads.all;
        let Some(index) = heads.iter().position(|head| head.proxy == *proxy) else { return };
        match event {
            head::Event::Name { name } => heads[index].name = name,
            head::Event::Enabled { enabled } => heads[index].is_on = enabled != 0,
            head::Event::Finished => _ = heads.remove(index),
            _ => {}
        }
    }

    event_created_child!(Desk<Camera>, ZwlrOutputHeadV1, [
        head::EVT_MODE_OPCODE => (ZwlrOutputModeV1, ()),
    ]);
}

impl Dispatch<ZwlrOutputConfigurationV1, ()> for Desk<Camera> {
    fn event(
        desk: &mut Self,
        _: &ZwlrOutputConfigurationV1,
        event: configuration::Event,
        (): &(),
        _: &Connection,
        _: &QueueHandle<Self>,
    ) {
        desk.own.heads.verdict = match event {
            configuration::Event::Succeeded => Some(Verdict::Taken),
            configuration::Event::Failed => Some(Verdict::Refused),
            configuration::Event::Cancelled => Some(Verdict::Outdated),
            _ => return,
        };
    }
}

delegate_noop!(Desk<Camera>: ignore ZwlrOutputModeV1);
delegate_noop!(Desk<Camera>: ZwlrOutputConfigurationHeadV1);

/// How often a configuration may be outdated before it is given up: each time, something else changed the screens.
const MOST_ATTEMPTS: u32 = 5;
