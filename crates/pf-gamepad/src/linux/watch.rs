//! Watches for gamepads and reads them, on a thread.
//!
//! Every second the folder of the devices is listed. That takes microseconds, needs no further handle, and also sees what a
//! watch on the folder does not: the folder itself, where there was none, and a right that comes a moment after its device.

use std::{
    collections::BTreeMap,
    fs::OpenOptions,
    io,
    os::{
        fd::{AsFd as _, OwnedFd},
        unix::fs::{DirEntryExt as _, OpenOptionsExt as _},
    },
    path::{Path, PathBuf},
    thread::JoinHandle,
    time::{Duration, Instant},
};

use evdev::raw_stream::RawDevice;
use pf_proto::input::Pad;
use pf_wait::{Interest, Stop, Wake};
use rustix::{
    buffer::spare_capacity,
    event::{PollFlags, Timespec, epoll},
    fs::OFlags,
};

use super::{
    description::Description,
    layout::{Layout, Range},
    reading::{Reading, Snapshot, Step},
};
use crate::{PadEvent, Unreadable};

/// Where the kernel shows its input devices.
#[derive(Clone, Debug)]
pub(crate) struct Places {
    /// To read them.
    devices: PathBuf,
    /// To read about them.
    descriptions: PathBuf,
}

/// Watches until it is dropped.
#[derive(Debug)]
pub(crate) struct Watch {
    stop: Stop,
    thread: Option<JoinHandle<()>>,
}

/// What the thread knows.
struct Watcher<F> {
    places: Places,
    tell: F,
    /// Is ready when one of the pads has something to say; each is there under its number.
    readiness: OwnedFd,
    seen: BTreeMap<Node, Seen>,
}

/// A device, told from a later one of the same name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Node {
    name: String,
    inode: u64,
}

/// What is known of a device.
enum Seen {
    /// It is no gamepad, or is not to be read.
    Other,
    /// It waits for a free number.
    Waiting,
    /// It cannot be read, and why. At the first look nobody is told: the system gives a person the right to a new device a
    /// moment after it came.
    Unreadable { why: Unreadable, is_told: bool },
    /// It is read.
    Plugged(Box<Plugged>),
}

/// A pad that is read.
struct Plugged {
    pad: Pad,
    device: RawDevice,
    reading: Reading,
}

impl Places {
    /// Where they are.
    pub(crate) fn of_this_machine() -> Self {
        Self { devices: "/dev/input".into(), descriptions: "/sys/class/input".into() }
    }

    fn device(&self, node: &Node) -> PathBuf {
        self.devices.join(&node.name)
    }

    fn description(&self, node: &Node) -> io::Result<Description> {
        Description::read(&self.descriptions.join(&node.name).join("device"))
    }

    /// The devices that are there. Where there is no such folder, there are none.
    fn list(&self) -> Vec<Node> {
        let entries = std::fs::read_dir(&self.devices).into_iter().flatten().flatten();
        let nodes = entries.filter_map(|entry| {
            let name = entry.file_name().into_string().ok()?;
            name.starts_with("event").then(|| Node { name, inode: entry.ino() })
        });
        nodes.collect()
    }
}

impl Watch {
    /// Watches these places, and tells of all that happens there.
    pub(crate) fn start(places: Places, tell: impl FnMut(PadEvent) + Send + 'static) -> io::Result<Self> {
        let stop = Stop::new()?;
        let readiness = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let mut watcher = Watcher { places, tell, readiness, seen: BTreeMap::new() };
        let thread = std::thread::Builder::new().name("gamepads".to_owned()).spawn({
            let stop = stop.clone();
            move || {
                if let Err(error) = watcher.run(&stop) {
                    tracing::warn!(%error, "gamepads are watched no more");
                }
            }
        })?;
        Ok(Self { stop, thread: Some(thread) })
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.stop.stop();
        if let Some(thread) = self.thread.take() {
            // One that panicked has said so, and watches no more either.
            let _ = thread.join();
        }
    }
}

impl<F: FnMut(PadEvent)> Watcher<F> {
    fn run(&mut self, stop: &Stop) -> io::Result<()> {
        loop {
            self.look();
            let next_look = Instant::now() + LOOK_EVERY;
            loop {
                let pads = Interest { fd: self.readiness.as_fd(), flags: PollFlags::IN };
                match stop.wait(Some(pads), Some(next_look))? {
                    Wake::Stopped => return Ok(()),
                    Wake::Deadline => break,
                    Wake::Ready => self.read_those_that_are_ready()?,
                }
                // A pad that never rests must not keep others from being seen.
                if Instant::now() >= next_look {
                    break;
                }
            }
        }
    }

    /// Sees which devices are there.
    fn look(&mut self) {
        let nodes = self.places.list();
        let gone: Vec<Node> = self.seen.keys().filter(|node| !nodes.contains(node)).cloned().collect();
        for node in gone {
            self.forget(&node);
        }
        for node in nodes {
            let before = match self.seen.get(&node) {
                Some(Seen::Other | Seen::Plugged(_)) => continue,
                Some(Seen::Unreadable { why, is_told }) => Some((why.clone(), *is_told)),
                Some(Seen::Waiting) | None => None,
            };
            let seen = self.meet(&node, before);
            self.seen.insert(node, seen);
        }
    }

    /// Takes in a device that is not read yet; `before` says why it could not be, and whether that was told.
    fn meet(&mut self, node: &Node, before: Option<(Unreadable, bool)>) -> Seen {
        let Some(description) = self.places.description(node).ok().filter(Description::is_gamepad) else {
            return Seen::Other;
        };
        let Some(pad) = self.free_number() else { return Seen::Waiting };
        let name = description.device_name();
        match self.open(node, &description, pad) {
            Ok(plugged) => {
                (self.tell)(PadEvent::Plugged { pad, name, state: plugged.reading.state() });
                Seen::Plugged(Box::new(plugged))
            }
            Err(error) => {
                let why = why(&error);
                let is_told = match before {
                    Some((before, is_told)) if before == why => {
                        if !is_told {
                            (self.tell)(PadEvent::Unreadable { name, why: why.clone() });
                        }
                        true
                    }
                    _ => false,
                };
                Seen::Unreadable { why, is_told }
            }
        }
    }

    fn open(&self, node: &Node, description: &Description, pad: Pad) -> io::Result<Plugged> {
        let device = open(&self.places.device(node))?;
        let ranges = device.get_absinfo()?.filter_map(|(axis, info)| {
            Some((axis.0, Range::new(info.minimum(), info.maximum(), info.flat())?))
        });
        let layout = Layout::of(description, &ranges.collect::<Vec<_>>());
        let reading = Reading::new(layout, &snapshot(&device)?);
        let number = epoll::EventData::new_u64(pad.number().into());
        epoll::add(&self.readiness, &device, number, epoll::EventFlags::IN)?;
        Ok(Plugged { pad, device, reading })
    }

    fn free_number(&self) -> Option<Pad> {
        Pad::ALL.into_iter().find(|pad| self.node_of(*pad).is_none())
    }

    fn node_of(&self, pad: Pad) -> Option<&Node> {
        let is_pad = |seen: &Seen| matches!(seen, Seen::Plugged(plugged) if plugged.pad == pad);
        self.seen.iter().find(|(_, seen)| is_pad(seen)).map(|(node, _)| node)
    }

    fn read_those_that_are_ready(&mut self) -> io::Result<()> {
        let mut ready = Vec::with_capacity(Pad::ALL.len());
        // Nobody waits here: something is ready, or was.
        epoll::wait(&self.readiness, spare_capacity(&mut ready), Some(&Timespec { tv_sec: 0, tv_nsec: 0 }))?;
        for event in ready {
            let Some(pad) = Pad::from_number(event.data.u64() as u32) else { continue };
            let Some(node) = self.node_of(pad).cloned() else { continue };
            let Some(Seen::Plugged(plugged)) = self.seen.get_mut(&node) else { continue };
            if let Err(error) = plugged.read(&mut self.tell) {
                tracing::debug!(%error, device = node.name, "a gamepad is gone");
                self.forget(&node);
                // What is listed still is about to go; if not, another inode is another device.
                self.seen.insert(node, Seen::Other);
            }
        }
        Ok(())
    }

    fn forget(&mut self, node: &Node) {
        if let Some(Seen::Plugged(plugged)) = self.seen.remove(node) {
            (self.tell)(PadEvent::Unplugged { pad: plugged.pad });
        }
    }
}

impl Plugged {
    /// Reads what there is, and tells of it.
    fn read(&mut self, tell: &mut impl FnMut(PadEvent)) -> io::Result<()> {
        let events: Vec<_> = match self.device.fetch_events() {
            Ok(events) => events.map(|event| (event.event_type().0, event.code(), event.value())).collect(),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return Err(error),
        };
        for (kind, code, value) in events {
            let step = match self.reading.handle(kind, code, value) {
                Step::Lost => self.reading.adopt(&snapshot(&self.device)?),
                step => step,
            };
            if let Step::Told(state) = step {
                tell(PadEvent::Changed { pad: self.pad, state });
            }
        }
        Ok(())
    }
}

/// Opens a device to read it, without waiting for it.
fn open(path: &Path) -> io::Result<RawDevice> {
    let flags = OFlags::NONBLOCK.bits().cast_signed();
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    RawDevice::from_fd(file.into())
}

/// What a device says is held of it.
fn snapshot(device: &RawDevice) -> io::Result<Snapshot> {
    let keys = device.get_key_state()?.iter().map(|key| key.0).collect();
    let axes = device.get_absinfo()?.map(|(axis, info)| (axis.0, info.value())).collect();
    Ok(Snapshot { keys, axes })
}

fn why(error: &io::Error) -> Unreadable {
    match error.kind() {
        io::ErrorKind::PermissionDenied => Unreadable::NotPermitted,
        _ => Unreadable::Failed(error.to_string()),
    }
}

/// How soon a gamepad is seen that is plugged in. Each look wakes the processor.
const LOOK_EVERY: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use std::{
        fs::{self, Permissions},
        os::unix::fs::PermissionsExt as _,
        sync::mpsc,
    };

    use tempfile::TempDir;

    use super::*;

    /// What sysfs says of the keys of a pad, and of a keyboard.
    const PAD: &str = "7cdb000000000000 0 0 0 0";
    const KEYBOARD: &str = "fffffffe";

    /// A machine whose input devices are plain files.
    struct Machine {
        root: TempDir,
        told: Vec<PadEvent>,
    }

    impl Machine {
        fn new() -> Self {
            let root = tempfile::tempdir().unwrap();
            fs::set_permissions(root.path(), Permissions::from_mode(0o755)).unwrap();
            fs::create_dir(root.path().join("input")).unwrap();
            Self { root, told: Vec::new() }
        }

        fn places(&self) -> Places {
            Places { devices: self.root.path().join("input"), descriptions: self.root.path().join("class") }
        }

        /// Adds a device with these keys, whose file has this mode.
        fn plug(&self, node: &str, keys: &str, mode: u32) {
            let description = self.root.path().join("class").join(node).join("device");
            for folder in ["id", "capabilities"] {
                fs::create_dir_all(description.join(folder)).unwrap();
            }
            let files = [
                ("name", node),
                ("id/vendor", "045e"),
                ("capabilities/key", keys),
                ("capabilities/abs", "3003f"),
                ("capabilities/rel", "0"),
                ("properties", "0"),
            ];
            for (file, text) in files {
                fs::write(description.join(file), format!("{text}\n")).unwrap();
            }
            let device = self.places().devices.join(node);
            fs::write(&device, "").unwrap();
            fs::set_permissions(&device, Permissions::from_mode(mode)).unwrap();
        }

        /// What is told by looking so often.
        fn look(&mut self, times: usize) -> Vec<PadEvent> {
            let readiness = epoll::create(epoll::CreateFlags::CLOEXEC).unwrap();
            let (places, told) = (self.places(), &mut self.told);
            let mut watcher =
                Watcher { places, tell: |event| told.push(event), readiness, seen: BTreeMap::new() };
            for _ in 0..times {
                watcher.look();
            }
            std::mem::take(&mut self.told)
        }
    }

    /// Does something as a user who may not do everything: on a thread that gives up root's rights, where it has them.
    fn as_anybody<T: Send>(act: impl FnOnce() -> T + Send) -> T {
        let act = || {
            let nobody = rustix::process::Uid::from_raw(65_534);
            // Who is not root has no such rights to begin with.
            let _ = rustix::thread::set_thread_res_uid(nobody, nobody, nobody);
            act()
        };
        std::thread::scope(|scope| scope.spawn(act).join().unwrap())
    }

    fn unreadable(name: &str, why: Unreadable) -> PadEvent {
        PadEvent::Unreadable { name: pf_base::DeviceName::sanitise(name), why }
    }

    #[test]
    fn a_machine_without_devices_has_no_gamepads() {
        let mut machine = Machine::new();
        assert_eq!(machine.look(2), []);
        fs::remove_dir(machine.places().devices).unwrap();
        assert_eq!(machine.look(2), [], "nor one without a folder for them");
    }

    /// The person must learn that it is a matter of rights, and once; and that they may not read keyboards either is no news.
    #[test]
    fn a_gamepad_that_may_not_be_read_is_told_of_once() {
        let mut machine = Machine::new();
        machine.plug("event3", KEYBOARD, 0o000);
        machine.plug("event7", PAD, 0o000);
        let told = as_anybody(|| machine.look(1));
        assert_eq!(told, [], "the right may come a moment later");
        let told = as_anybody(|| machine.look(4));
        assert_eq!(told, [unreadable("event7", Unreadable::NotPermitted)]);
    }

    #[test]
    fn a_gamepad_that_does_not_work_says_why() {
        let mut machine = Machine::new();
        machine.plug("event7", PAD, 0o644);
        fs::write(machine.places().devices.join("js0"), "").unwrap();
        let told = machine.look(2);
        let [PadEvent::Unreadable { why: Unreadable::Failed(why), .. }] = told.as_slice() else {
            panic!("not one failure: {told:?}")
        };
        assert!(why.contains("ioctl"), "{why}");
    }

    #[test]
    fn the_thread_tells_and_ends_with_its_handle() {
        let machine = Machine::new();
        machine.plug("event7", PAD, 0o644);
        let (tell, told) = mpsc::channel();
        let watch = Watch::start(machine.places(), move |event| {
            // The test has seen enough.
            let _ = tell.send(event);
        });
        assert!(matches!(told.recv().unwrap(), PadEvent::Unreadable { .. }));
        drop(watch.unwrap());
        assert!(told.recv().is_err(), "nobody tells any more");
    }
}
