//! What tests of who draws a window have in common: something to paint, and how it is to look.

use egui::{ClippedPrimitive, TexturesDelta};
use pf_codec::I420;
use pf_media::picture::{Bgrx, Size};

use super::{canvas::Canvas, picture::Planes, software::Brushes};

/// A picture in which everything changes from pixel to pixel: luma, colours, edges.
pub(super) fn planes(size: Size, seed: u32) -> Planes {
    let pixels = (0..size.height).flat_map(|y| (0..size.width).map(move |x| (x, y)));
    let bytes: Vec<u8> = pixels
        .flat_map(|(x, y)| {
            let square = if (x / 5 + y / 3 + seed).is_multiple_of(2) { 90 } else { 0 };
            [(x * 3 + seed * 17) as u8 / 2 + square, (y * 5) as u8 / 2, (x * 2 + y) as u8 / 2 + square, 0]
        })
        .collect();
    let mut picture = I420::new(size);
    picture.fill_from_bgrx(&Bgrx::new(size, size.width as usize * 4, &bytes).unwrap());
    let mut planes = Planes::default();
    planes.copy(picture.view());
    planes
}

/// What egui makes of a page that leaves the corner free.
pub(super) fn page(context: &egui::Context, room: Size) -> (Vec<ClippedPrimitive>, TexturesDelta) {
    let size = egui::vec2(room.width as f32, room.height as f32);
    let input = egui::RawInput {
        screen_rect: Some(egui::Rect::from_min_size(egui::Pos2::ZERO, size)),
        ..Default::default()
    };
    let output = context.run_ui(input, |ui| {
        egui::Window::new("Pair").fixed_pos((60.0, 20.0)).show(ui.ctx(), |ui| {
            ui.label("Type the PIN that the host shows.");
            let _ = ui.button("Cancel");
        });
    });
    (context.tessellate(output.shapes, output.pixels_per_point), output.textures_delta)
}

/// What the processor paints, in the lower 24 bits of each pixel.
pub(super) fn by_processor(room: Size, mut paint: impl FnMut(&mut dyn Canvas)) -> Vec<u32> {
    let mut pixels = vec![0; (room.width * room.height) as usize];
    paint(&mut Brushes::default().canvas(&mut pixels, room));
    pixels.iter().map(|pixel| pixel & 0x00FF_FFFF).collect()
}

/// By how much the two differ at most, and how many pixels by more than `steps`.
pub(super) fn difference(is: &[u32], expected: &[u32], steps: u8) -> (u8, usize) {
    assert_eq!(is.len(), expected.len());
    let differences = is.iter().zip(expected).map(|(is, expected)| {
        let parts = is.to_le_bytes().into_iter().zip(expected.to_le_bytes());
        parts.map(|(is, expected)| is.abs_diff(expected)).max().unwrap_or(0)
    });
    let differences: Vec<u8> = differences.collect();
    (*differences.iter().max().unwrap(), differences.iter().filter(|by| **by > steps).count())
}

#[track_caller]
pub(super) fn assert_alike(what: &str, is: &[u32], expected: &[u32]) {
    let (most, _) = difference(is, expected, 0);
    println!("{what}: {most} steps");
    assert!(most <= STEPS, "{what}: {most} steps of 255 apart");
}

/// What rounding makes of it: the processor rounds after each of four steps, a GPU once, and a step of a colour's sample is
/// two of a pixel.
pub(super) const STEPS: u8 = 6;
