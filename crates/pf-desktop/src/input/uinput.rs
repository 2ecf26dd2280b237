//! Gamepads that the kernel is given through `/dev/uinput`.

use std::io;

use evdev::{
    AbsInfo, AbsoluteAxisCode as Axis, AttributeSet, BusType, InputId, KeyCode, UinputAbsSetup,
    uinput::VirtualDevice,
};
use pf_proto::input::{AXIS_MAX, GamepadAxes, MAX_GAMEPADS, Pad};

use super::gamepad::{BUTTONS, Gamepads, HAT, PadState, STICKS, TRIGGER_MAX, TRIGGERS};
use crate::SourceError;

/// The gamepads of one session. Dropping it takes them all away.
#[derive(Debug, Default)]
pub struct Uinput {
    pads: [Option<Plugged>; MAX_GAMEPADS as usize],
}

/// Why this machine can be given no gamepads, and what to do about it.
#[derive(Debug, thiserror::Error)]
#[error("{NODE} cannot be opened: {0}; {way_on}", way_on = way_on(.0))]
pub struct NoGamepads(io::Error);

#[derive(Debug)]
struct Plugged {
    device: VirtualDevice,
    state: PadState,
}

impl Uinput {
    /// None yet, where the kernel lets this user make some.
    pub fn open() -> Result<Self, NoGamepads> {
        std::fs::OpenOptions::new().read(true).write(true).open(NODE).map_err(NoGamepads)?;
        Ok(Self::default())
    }

    fn tell(&mut self, pad: Pad, change: impl FnOnce(&mut PadState)) -> Result<(), SourceError> {
        let Some(plugged) = &mut self.pads[usize::from(pad.number())] else { return Ok(()) };
        change(&mut plugged.state);
        plugged.device.emit(&plugged.state.events()).map_err(SourceError::system("a gamepad cannot be moved"))
    }
}

impl Gamepads for Uinput {
    fn plug(&mut self, pad: Pad) -> Result<(), SourceError> {
        let place = &mut self.pads[usize::from(pad.number())];
        if place.is_none() {
            let device = device().map_err(SourceError::system("a gamepad cannot be made"))?;
            *place = Some(Plugged { device, state: PadState::default() });
        }
        Ok(())
    }

    fn unplug(&mut self, pad: Pad) {
        // The kernel lets go of everything that a device held when it goes.
        self.pads[usize::from(pad.number())] = None;
    }

    fn buttons(&mut self, pad: Pad, pressed: u32) -> Result<(), SourceError> {
        self.tell(pad, |state| state.buttons = pressed)
    }

    fn axes(&mut self, axes: GamepadAxes) -> Result<(), SourceError> {
        let GamepadAxes { pad, left, right, triggers, .. } = axes;
        self.tell(pad, |state| *state = PadState { left, right, triggers, ..*state })
    }
}

/// Makes a pad that games take for an Xbox 360 one, the one that they all know.
fn device() -> io::Result<VirtualDevice> {
    let keys: AttributeSet<KeyCode> = BUTTONS.iter().map(|(_, code)| code).collect();
    let mut builder = VirtualDevice::builder()?
        .name("Punktfunk gamepad")
        .input_id(InputId::new(BusType::BUS_USB, MICROSOFT, XBOX_360_PAD, VERSION))
        .with_keys(&keys)?;
    let stick = AbsInfo::new(0, -i32::from(AXIS_MAX) - 1, AXIS_MAX.into(), STICK_FUZZ, STICK_FLAT, 0);
    let trigger = AbsInfo::new(0, 0, TRIGGER_MAX, 0, 0, 0);
    let hat = AbsInfo::new(0, -1, 1, 0, 0, 0);
    let sticks = STICKS.map(|axis| (axis, stick));
    let triggers = TRIGGERS.map(|(axis, _)| (axis, trigger));
    let hats = HAT.map(|(axis, _, _)| (axis, hat));
    let axes: [&[(Axis, AbsInfo)]; 3] = [&sticks, &triggers, &hats];
    for &(axis, range) in axes.into_iter().flatten() {
        builder = builder.with_absolute_axis(&UinputAbsSetup::new(axis, range))?;
    }
    builder.build()
}

fn way_on(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::NotFound => "load the kernel's module: modprobe uinput",
        io::ErrorKind::PermissionDenied => {
            "let this user open it: an udev rule such as KERNEL==\"uinput\", GROUP=\"input\", MODE=\"0660\""
        }
        _ => "see what keeps the kernel from it",
    }
}

const NODE: &str = "/dev/uinput";

/// What an Xbox 360 pad says that it is.
const MICROSOFT: u16 = 0x045E;
const XBOX_360_PAD: u16 = 0x028E;
const VERSION: u16 = 0x0110;

/// What the kernel's driver of that pad says of its sticks: how much they tremble, and where they rest.
const STICK_FUZZ: i32 = 16;
const STICK_FLAT: i32 = 128;
