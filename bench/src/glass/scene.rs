//! The scenes: what is on the desktop, the same in every run.
//!
//! All is prepared on the server and put together there, so that drawing takes next to nothing of the machine that the
//! measured programs share.

use anyhow::Result;
use clap::ValueEnum;
use pf_media::{
    picture::Size,
    timecode::{self, EXTENT, ORIGIN, Origin, TimeCode},
};
use x11rb::{
    connection::Connection as _,
    protocol::xproto::{
        ChangeGCAux, ConnectionExt as _, CreateGCAux, CreateWindowAux, EventMask, GX, Gcontext, ImageFormat,
        InputFocus, Pixmap, Rectangle, Window, WindowClass,
    },
    rust_connection::RustConnection,
};

use crate::quality::scenes;

/// What is on the desktop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Scene {
    /// A page of text on which two windows move, a line is typed, output scrolls and a clock runs: a small part of it
    /// changes each time.
    Desktop,
    /// A textured picture that moves as a whole, as games do.
    Panning,
    /// The same with film grain, other in each picture: it fills whatever rate there is.
    Grain,
}

impl Scene {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Desktop => "desktop",
            Self::Panning => "panning",
            Self::Grain => "grain",
        }
    }
}

/// A window over a whole display, and the scene in it.
pub(super) struct Stage<'c> {
    connection: &'c RustConnection,
    scene: Scene,
    size: Size,
    depth: u8,
    window: Window,
    context: Gcontext,
    /// What does not change: the page, or all of the picture that is moved about.
    ground: Pixmap,
    /// Where a picture is put together.
    back: Pixmap,
    /// What is laid over the picture, each time from another place.
    grain: Pixmap,
    /// Where the boxes were, and what else is put back before the next picture.
    boxes: Vec<Rectangle>,
}

impl<'c> Stage<'c> {
    pub(super) fn set_up(connection: &'c RustConnection, screen: usize, scene: Scene) -> Result<Self> {
        let screen = &connection.setup().roots[screen];
        let (width, height, depth) = (screen.width_in_pixels, screen.height_in_pixels, screen.root_depth);
        let (window, context, font) =
            (connection.generate_id()?, connection.generate_id()?, connection.generate_id()?);
        let looks = CreateWindowAux::new()
            .override_redirect(1)
            .background_pixel(PAPER)
            .event_mask(EventMask::KEY_PRESS);
        let (class, visual) = (WindowClass::INPUT_OUTPUT, screen.root_visual);
        connection.create_window(
            depth,
            window,
            screen.root,
            0,
            0,
            width,
            height,
            0,
            class,
            visual,
            &looks,
        )?;
        connection.map_window(window)?;
        connection.open_font(font, b"fixed")?;
        let looks = CreateGCAux::new().font(font).graphics_exposures(0);
        connection.create_gc(context, window, &looks)?.check()?;
        let (ground, back, grain) =
            (connection.generate_id()?, connection.generate_id()?, connection.generate_id()?);
        let ground_size = match scene {
            Scene::Desktop => (width, height),
            Scene::Panning | Scene::Grain => (width + ROAM, height + ROAM),
        };
        connection.create_pixmap(depth, ground, window, ground_size.0, ground_size.1)?;
        connection.create_pixmap(depth, back, window, width, height)?;
        connection.create_pixmap(depth, grain, window, ground_size.0, ground_size.1)?.check()?;
        let size = Size::new(width.into(), height.into());
        let stage =
            Self { connection, scene, size, depth, window, context, ground, back, grain, boxes: Vec::new() };
        match scene {
            Scene::Desktop => stage.write_page()?,
            Scene::Panning | Scene::Grain => {
                let size = Size::new(ground_size.0.into(), ground_size.1.into());
                stage.paint(ground, size, scenes::Scene::Panning, 0xFF)?;
                // As far as grain goes: up or down by 15 of 256.
                stage.paint(grain, size, scenes::Scene::Noise, 0x0F)?;
            }
        }
        stage.copy(ground, back, (0, 0), stage.whole())?;
        stage.copy(back, window, (0, 0), stage.whole())?;
        Ok(stage)
    }

    /// Draws a picture. The server shows all of it at once, and it is there when this returns.
    pub(super) fn draw(&mut self, code: TimeCode) -> Result<()> {
        let changed = match self.scene {
            Scene::Desktop => self.draw_desktop(code.frame)?,
            Scene::Panning | Scene::Grain => {
                let way = |pixels: u32| swing(code.frame * pixels, ROAM.into());
                self.copy(self.ground, self.back, (way(5), way(2)), self.whole())?;
                if self.scene == Scene::Grain {
                    self.lay_grain(code.frame)?;
                }
                vec![self.whole()]
            }
        };
        self.draw_code(code)?;
        // Nobody sees one half of it: whoever looks does so before or after what is grabbed.
        self.connection.grab_server()?;
        for area in changed.into_iter().chain([code_area()]) {
            self.copy(self.back, self.window, (area.x, area.y), area)?;
        }
        self.connection.ungrab_server()?;
        self.connection.get_input_focus()?.reply()?;
        Ok(())
    }

    /// Has what is typed come to this window.
    pub(super) fn take_focus(&self) -> Result<()> {
        self.connection.set_input_focus(InputFocus::PARENT, self.window, x11rb::CURRENT_TIME)?.check()?;
        Ok(())
    }

    /// Puts the next picture of the desktop together; what is another than before.
    fn draw_desktop(&mut self, frame: u32) -> Result<Vec<Rectangle>> {
        for area in std::mem::take(&mut self.boxes) {
            self.copy(self.ground, self.back, (area.x, area.y), area)?;
            self.boxes.push(area);
        }
        let (width, height) = (self.size.width, self.size.height);
        let [(wide, high), side] = [(width / 5, height / 5), (height / 8, height / 8)];
        let boxes = [
            rectangle(swing(frame * 4, width - wide), swing(frame * 3, height - high), wide, high),
            rectangle(
                swing(frame * 2 + width / 2, width - side.0),
                swing(frame * 5, height - side.1),
                side.0,
                side.1,
            ),
        ];
        for (row, (area, colour)) in (1000..).step_by(100).zip(boxes.iter().zip([0x00DD_E6F0, 0x00F0_E0DA])) {
            self.fill(colour, &[*area])?;
            self.fill(0x002E_5A88, &[Rectangle { height: BAR.min(area.height), ..*area }])?;
            self.fill_with_text(*area, colour, row)?;
        }
        let typed = (frame / 6 % LINE) as usize;
        let line = rectangle(40, (height - 30) as i16, LINE * LETTER, 18);
        let text: Vec<_> = (0..typed).map(|column| letter(7, column as u32)).collect();
        self.write(line, &text)?;
        let output = rectangle(40, (height * 2 / 3) as i16, width / 3, height / 6);
        self.fill(PAPER, &[output])?;
        self.fill_with_text(output, PAPER, 5000 + frame / 6)?;
        let clock = rectangle((width - 120) as i16, 12, 16 * LETTER, 18);
        let (seconds, parts) = (frame / 60, frame % 60);
        let time =
            format!("{:02}:{:02}:{:02}.{parts:02}", seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
        self.write(clock, time.as_bytes())?;
        let before = std::mem::replace(&mut self.boxes, boxes.to_vec());
        let moved = before.iter().zip(boxes).map(|(before, now)| around(*before, now));
        let moved: Vec<_> = if before.is_empty() { boxes.to_vec() } else { moved.collect() };
        Ok(moved.into_iter().chain([line, output, clock]).collect())
    }

    /// Fills a window below its bar with lines of text.
    fn fill_with_text(&self, area: Rectangle, paper: u32, first: u32) -> Result<()> {
        self.connection.change_gc(self.context, &ChangeGCAux::new().foreground(INK).background(paper))?;
        let columns = u32::from(area.width).saturating_sub(16) / LETTER;
        let lines = (area.y + BAR.cast_signed() + 14..area.y + area.height.cast_signed() - 4).step_by(16);
        for (row, y) in (first..).zip(lines) {
            let text: Vec<_> = (0..columns).map(|column| letter(row, column)).collect();
            self.connection.image_text8(self.back, self.context, area.x + 8, y, &text)?;
        }
        Ok(())
    }

    /// The page: paragraphs between margins, and a bar at the top.
    fn write_page(&self) -> Result<()> {
        self.on(self.ground, PAPER, &[self.whole()])?;
        self.on(self.ground, 0x00C8_CDD2, &[rectangle(0, 0, self.size.width, 24)])?;
        self.connection.change_gc(self.context, &ChangeGCAux::new().foreground(INK).background(PAPER))?;
        let columns = self.size.width.saturating_sub(80) / LETTER;
        for row in (4..self.size.height / 16).filter(|row| row % 9 != 0) {
            let text: Vec<_> = (0..columns).map(|column| letter(row, column)).collect();
            let mut at = 40;
            // A text of the protocol is 255 letters long at most.
            for part in text.chunks(200) {
                let y = (row * 16).cast_signed() as i16;
                self.connection.image_text8(self.ground, self.context, at, y, part)?;
                at += (part.len() as u32 * LETTER) as i16;
            }
        }
        Ok(())
    }

    /// Lays grain over the picture that is put together.
    fn lay_grain(&self, frame: u32) -> Result<()> {
        let [x, y] = [0, 1].map(|axis| (hash(2 * frame + axis) % u32::from(ROAM)) as i16);
        self.connection.change_gc(self.context, &ChangeGCAux::new().function(GX::XOR))?;
        self.copy(self.grain, self.back, (x, y), self.whole())?;
        self.connection.change_gc(self.context, &ChangeGCAux::new().function(GX::COPY))?;
        Ok(())
    }

    /// Paints a scene that is drawn by hand, of each sample the bits of `mask`; sent in parts that any server takes.
    fn paint(&self, to: Pixmap, size: Size, picture: scenes::Scene, mask: u8) -> Result<()> {
        let mut pixels = vec![[0; 4]; size.width as usize * size.height as usize];
        picture.draw(0, size, &mut pixels);
        pixels.as_flattened_mut().iter_mut().for_each(|sample| *sample &= mask);
        let rows = (MOST_AT_ONCE / (size.width * 4)).max(1);
        let parts = pixels.chunks((rows * size.width) as usize);
        for (top, part) in (0..).step_by(rows as usize).zip(parts) {
            let height = part.len() as u32 / size.width;
            self.put(to, (0, top), Size::new(size.width, height), part.as_flattened())?;
        }
        Ok(())
    }

    fn draw_code(&self, code: TimeCode) -> Result<()> {
        let stride = EXTENT.width as usize * 4;
        let mut pixels = vec![0; stride * EXTENT.height as usize];
        // It has room: the picture is just as large.
        _ = timecode::paint(&mut pixels, stride, EXTENT, Origin { x: 0, y: 0 }, code);
        self.put(self.back, (ORIGIN.x as i16, ORIGIN.y as i16), EXTENT, &pixels)
    }

    fn put(&self, to: Pixmap, (x, y): (i16, i16), size: Size, pixels: &[u8]) -> Result<()> {
        let (width, height, format) = (size.width as u16, size.height as u16, ImageFormat::Z_PIXMAP);
        self.connection.put_image(format, to, self.context, width, height, x, y, 0, self.depth, pixels)?;
        Ok(())
    }

    fn copy(&self, from: u32, to: u32, (x, y): (i16, i16), area: Rectangle) -> Result<()> {
        let Rectangle { x: to_x, y: to_y, width, height } = area;
        self.connection.copy_area(from, to, self.context, x, y, to_x, to_y, width, height)?;
        Ok(())
    }

    fn fill(&self, colour: u32, areas: &[Rectangle]) -> Result<()> {
        self.on(self.back, colour, areas)
    }

    fn on(&self, pixmap: Pixmap, colour: u32, areas: &[Rectangle]) -> Result<()> {
        self.connection.change_gc(self.context, &ChangeGCAux::new().foreground(colour))?;
        self.connection.poly_fill_rectangle(pixmap, self.context, areas)?;
        Ok(())
    }

    /// Writes a line of text into an area of its own.
    fn write(&self, area: Rectangle, text: &[u8]) -> Result<()> {
        self.fill(PAPER, &[area])?;
        let colours = ChangeGCAux::new().foreground(INK).background(PAPER);
        self.connection.change_gc(self.context, &colours)?;
        self.connection.image_text8(self.back, self.context, area.x + 4, area.y + 13, text)?;
        Ok(())
    }

    fn whole(&self) -> Rectangle {
        rectangle(0, 0, self.size.width, self.size.height)
    }
}

fn code_area() -> Rectangle {
    rectangle(ORIGIN.x as i16, ORIGIN.y as i16, EXTENT.width, EXTENT.height)
}

fn rectangle(x: i16, y: i16, width: u32, height: u32) -> Rectangle {
    Rectangle { x, y, width: width as u16, height: height as u16 }
}

/// The smallest area that two are within.
fn around(one: Rectangle, other: Rectangle) -> Rectangle {
    let (left, top) = (one.x.min(other.x), one.y.min(other.y));
    let end = |at: i16, length: u16| i32::from(at) + i32::from(length);
    let right = end(one.x, one.width).max(end(other.x, other.width));
    let bottom = end(one.y, one.height).max(end(other.y, other.height));
    let side = |from: i16, to: i32| (to - i32::from(from)) as u16;
    Rectangle { x: left, y: top, width: side(left, right), height: side(top, bottom) }
}

/// Where something is that goes from 0 to `reach` and back, after `steps` steps.
fn swing(steps: u32, reach: u32) -> i16 {
    let at = steps % (2 * reach);
    at.min(2 * reach - at) as i16
}

/// A letter of the endless page.
fn letter(row: u32, column: u32) -> u8 {
    match hash(row * 131 + column) % 32 {
        number @ 0..26 => b'a' + number as u8,
        _ => b' ',
    }
}

/// Numbers that are as good as random, and the same in every run.
fn hash(number: u32) -> u32 {
    let hash = number.wrapping_mul(0x9E37_79B9);
    (hash ^ hash >> 15).wrapping_mul(0x85EB_CA6B) >> 16
}

/// How far the moving picture is moved, in pixels.
const ROAM: u16 = 512;

/// Letters that are typed before the line is empty again.
const LINE: u32 = 90;

/// How wide a letter of the font `fixed` is, in pixels.
const LETTER: u32 = 6;

/// How high the bar at the top of a box is.
const BAR: u16 = 18;

/// The most bytes of pixels in one request: what a server without big requests takes.
const MOST_AT_ONCE: u32 = 200_000;

const PAPER: u32 = 0x00F4_F2EC;
const INK: u32 = 0x0022_2222;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_swings_goes_there_and_back() {
        let way: Vec<_> = (0..9).map(|steps| swing(steps, 4)).collect();
        assert_eq!(way, [0, 1, 2, 3, 4, 3, 2, 1, 0]);
    }

    #[test]
    fn an_area_around_two_holds_both_and_no_more() {
        let found = around(rectangle(10, 20, 5, 5), rectangle(12, 10, 30, 8));
        assert_eq!((found.x, found.y, found.width, found.height), (10, 10, 32, 15));
    }
}
