//! A display with something on it that moves.

use std::{
    io::{BufRead as _, BufReader},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use pf_media::picture::Size;
use rustix::process::{Pid, Signal, kill_process};
use x11rb::{
    connection::Connection as _,
    protocol::xproto::{ChangeGCAux, ConnectionExt as _, CreateGCAux, Rectangle},
};

/// The argument that makes this program the one that draws.
pub(crate) const WORD: &str = "draw";

/// How often the picture changes.
const FRAME: Duration = Duration::from_micros(16_667);

/// An Xvfb, and a program that draws on it.
pub(crate) struct Screen {
    server: Child,
    painter: Child,
    name: String,
}

impl Screen {
    pub(crate) fn start(size: Size) -> Result<Self> {
        let mut server = Command::new("Xvfb")
            .args(["-noreset", "-nolisten", "tcp", "-displayfd", "1", "-screen", "0", &format!("{size}x24")])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .context("Xvfb cannot be run (Debian: xvfb)")?;
        let mut number = String::new();
        BufReader::new(server.stdout.take().context("no output")?).read_line(&mut number)?;
        let name = format!(":{}", number.trim());
        let painter = Command::new(std::env::current_exe()?).args([WORD, &name]).spawn()?;
        Ok(Self { server, painter, name })
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        _ = self.painter.kill();
        _ = self.painter.wait();
        // Asked to, the server takes its socket along.
        _ = kill_process(Pid::from_child(&self.server), Signal::TERM);
        _ = self.server.wait();
    }
}

/// Draws on `display` for ever: a page of something like text, and a striped window that moves across it.
pub(crate) fn draw(display: &str) -> Result<()> {
    let (connection, screen) = x11rb::connect(Some(display))?;
    let screen = &connection.setup().roots[screen];
    let (root, width, height) = (screen.root, screen.width_in_pixels, screen.height_in_pixels);
    let context = connection.generate_id()?;
    connection.create_gc(context, root, &CreateGCAux::new())?.check()?;
    let fill = |colour: u32, areas: &[Rectangle]| -> Result<()> {
        connection.change_gc(context, &ChangeGCAux::new().foreground(colour))?;
        connection.poly_fill_rectangle(root, context, areas)?;
        Ok(())
    };
    let words = words(width, height);
    let (side, span) = (height / 3, u32::from(height - height / 3));
    let started = Instant::now();
    for frame in 0.. {
        thread::sleep((FRAME * frame).saturating_sub(started.elapsed()));
        fill(0x00E8_E6DF, &[Rectangle { x: 0, y: 0, width, height }])?;
        fill(0x0022_2222, &words)?;
        let (left, top) = ((frame * 5 % u32::from(width - side)) as i16, (frame * 3 % span) as i16);
        fill(0x002E_5A88, &[Rectangle { x: left, y: top, width: side, height: side }])?;
        let stripes: Vec<_> = (0..side / 16)
            .map(|row| Rectangle {
                x: left + 8,
                y: top + (row * 16).cast_signed(),
                width: side - 16,
                height: 6,
            })
            .collect();
        fill(0x00F0_C040, &stripes)?;
        // The server draws all of it before anyone else's turn, so nobody sees a half-drawn picture for long.
        connection.get_input_focus()?.reply()?;
    }
    Ok(())
}

/// Where the words of the page are: rows of short strokes, the gaps by a fixed pattern.
fn words(width: u16, height: u16) -> Vec<Rectangle> {
    let rows = (1..height / 24).map(|row| row * 24);
    rows.flat_map(|y| {
        (1..width / 12).filter(move |column| (column * 7 + y) % 5 != 0).map(move |column| Rectangle {
            x: (column * 12).cast_signed(),
            y: y.cast_signed(),
            width: 9,
            height: 10,
        })
    })
    .collect()
}
