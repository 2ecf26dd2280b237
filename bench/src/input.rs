//! Input to photon: from a key that is pressed at the client's window to the answer on the client's screen.
//!
//! A program on the host's desktop draws a new code whenever it gets a key. The key is pressed on the client's display by
//! XTest, as a keyboard would; all that is between is the client's window, the network, the host, and the way back.

use std::{fmt::Write as _, net::Ipv4Addr, thread, time::Duration};

use anyhow::{Context as _, Result, bail, ensure};
use pf_lab::Namespace;
use x11rb::{
    connection::Connection as _,
    protocol::{
        xproto::{ConnectionExt as _, InputFocus, KEY_PRESS_EVENT, KEY_RELEASE_EVENT, MapState, Window},
        xtest::ConnectionExt as _,
    },
    rust_connection::RustConnection,
};

use crate::{
    format::Format,
    glass::{Answerer, Seen, Watcher, clock},
    latency::{MEGABITS, await_picture, milliseconds, screen_for},
    peer::{Ask, Peer, Scenery},
    program::Place,
    report::Section,
    table::percentile,
    x_server::XServer,
};

pub(crate) fn measure(seconds: u64) -> Result<Section> {
    let format = Format::HD_60;
    let namespace = Namespace::new("input")?;
    let screen = XServer::xvfb(screen_for(format.size))?;
    let place = Place::In(&namespace);
    let scenery = Scenery { host: place, address: Ipv4Addr::LOCALHOST, client: place, screen: &screen };
    let ask = Ask { size: format.size, fps: format.fps, megabits: MEGABITS };
    let (mut show, _answerer) = Peer::Punktfunk.show(scenery, ask, Answerer::start)?;
    let mut watcher = await_picture(&screen, &mut show)?;
    let keyboard = Keyboard::at(screen.name())?;
    let before = keyboard.await_answer(&mut watcher)?;
    let duration = Duration::from_secs(seconds);
    let (pressed, seen) = thread::scope(|scope| {
        let pressing = scope.spawn(|| keyboard.press_for(duration));
        let seen = watcher.watch(duration);
        (pressing.join(), seen)
    });
    let (pressed, seen) = (pressed.ok().context("nobody pressed keys")??, seen?);
    show.check()?;
    let mut ways = Ways::of(&pressed, before, &seen);
    ensure!(!ways.whole.is_empty(), "{} keys were pressed, and none was answered", pressed.len());
    let mut text =
        "| input to photon, 720p60 | p50 | p95 | p99 | aim |\n| --- | ---: | ---: | ---: | --- |\n"
            .to_owned();
    for (name, times, aim) in [
        ("key to answer on the client's screen", &mut ways.whole, "p50 ≤ 30 ms"),
        ("of that: key to the program at the host", &mut ways.there, ""),
        ("of that: its drawing to the client's screen", &mut ways.back, ""),
    ] {
        let [p50, p95, p99] = [50, 95, 99].map(|percent| milliseconds(percentile(times, percent)));
        _ = writeln!(text, "| {name} | {p50} | {p95} | {p99} | {aim} |");
    }
    _ = writeln!(text, "\n{} keys pressed, {} answers seen.", pressed.len(), ways.whole.len());
    Ok(Section { name: "input", text, plots: Vec::new() })
}

/// How long each key's way took, and its parts.
#[derive(Debug, Default, PartialEq)]
struct Ways {
    whole: Vec<Duration>,
    there: Vec<Duration>,
    back: Vec<Duration>,
}

impl Ways {
    /// There is one answer to each key, in their order; `before` is the number of the last one before these.
    fn of(pressed: &[Duration], before: u32, seen: &Seen) -> Self {
        let mut ways = Self::default();
        for picture in &seen.pictures {
            let number =
                picture.frame.checked_sub(before + 1).and_then(|number| usize::try_from(number).ok());
            let Some(&key) = number.and_then(|number| pressed.get(number)) else { continue };
            ways.whole.push(picture.seen.saturating_sub(key));
            ways.there.push(picture.drawn.saturating_sub(key));
            ways.back.push(picture.latency());
        }
        ways
    }
}

/// The keyboard of a display, in front of the one window that is on it.
struct Keyboard {
    connection: RustConnection,
    root: Window,
}

impl Keyboard {
    fn at(display: &str) -> Result<Self> {
        let (connection, screen) = x11rb::connect(Some(display))?;
        let root = connection.setup().roots[screen].root;
        let windows = connection.query_tree(root)?.reply()?.children;
        let is_shown = |window: &Window| {
            let attributes = connection.get_window_attributes(*window).ok()?.reply().ok()?;
            (attributes.map_state == MapState::VIEWABLE).then_some(())
        };
        let window =
            windows.into_iter().find(|window| is_shown(window).is_some()).context("there is no window")?;
        connection.set_input_focus(InputFocus::PARENT, window, x11rb::CURRENT_TIME)?.check()?;
        Ok(Self { connection, root })
    }

    /// Presses a key until the window is seen to have the keyboard; the number of the last answer.
    fn await_answer(&self, watcher: &mut Watcher) -> Result<u32> {
        for _ in 0..TRIES {
            self.turn(KEY_PRESS_EVENT)?;
            self.turn(KEY_RELEASE_EVENT)?;
            let seen = watcher.watch(ANSWERED)?;
            if let Some(answer) = seen.pictures.last().filter(|picture| picture.frame > 0) {
                return Ok(answer.frame);
            }
        }
        bail!("no key was answered");
    }

    /// Presses a key again and again; when it was.
    fn press_for(&self, duration: Duration) -> Result<Vec<Duration>> {
        let begun = clock();
        let mut pressed = Vec::new();
        while clock() < begun + duration.saturating_sub(PAUSE) {
            pressed.push(clock());
            self.turn(KEY_PRESS_EVENT)?;
            thread::sleep(HELD);
            self.turn(KEY_RELEASE_EVENT)?;
            thread::sleep(PAUSE);
        }
        Ok(pressed)
    }

    fn turn(&self, event: u8) -> Result<()> {
        self.connection.xtest_fake_input(event, LETTER_A, 0, self.root, 0, 0, 0)?;
        self.connection.flush()?;
        Ok(())
    }
}

/// The key that has an A on most keyboards.
const LETTER_A: u8 = 38;

/// How often a key is pressed to see whether it is answered, and for how long an answer is awaited.
const TRIES: usize = 20;
const ANSWERED: Duration = Duration::from_millis(500);

/// How long a key is held: shorter than any display waits until it repeats it.
const HELD: Duration = Duration::from_millis(40);

/// How long no key is held; with [`HELD`] no multiple of a picture's time, so that keys fall anywhere between two.
const PAUSE: Duration = Duration::from_millis(173);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::glass::Picture;

    /// An answer that comes after the next key was pressed took longer than that, and not nearly no time.
    #[test]
    fn each_answer_is_to_its_own_key_however_late() {
        let ms = Duration::from_millis;
        let picture = |frame, drawn, seen| Picture { frame, drawn: ms(drawn), seen: ms(seen) };
        let pictures = vec![picture(0, 5, 9), picture(1, 110, 118), picture(2, 330, 345)];
        let seen = Seen { pictures, watched: ms(400) };
        let ways = Ways::of(&[ms(100), ms(200), ms(300)], 0, &seen);
        assert_eq!(ways.whole, [ms(18), ms(145)]);
        assert_eq!(ways.there, [ms(10), ms(130)]);
        assert_eq!(ways.back, [ms(8), ms(15)]);
    }
}
