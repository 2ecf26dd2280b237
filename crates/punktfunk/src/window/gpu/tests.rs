//! What OpenGL paints is held against what the processor paints, by Mesa's renderer: real OpenGL without a GPU.

use std::rc::Rc;

use egui::TexturesDelta;
use pf_media::picture::Size;

use super::{
    context::off_screen::{KINDS_TO_TEST, OffScreen},
    has_render_node,
    scene::Scene,
};
use crate::app::textures_for;
use crate::window::{
    canvas::Canvas,
    fixtures::{assert_alike, by_processor, difference, page, planes},
    overlay::{Area, Colour, Layer},
};

/// A layer with all there is on one: what hides, what is seen through, an edge.
fn layer() -> Rc<Layer> {
    let mut layer = Layer::clear(Size::new(37, 23));
    let whole = Area { left: 0.0, top: 0.0, width: 37.0, height: 23.0 };
    layer.fill(whole, 9.0, Colour::opaque(0x00FF_8020).faded(140));
    layer.fill(Area { left: 4.0, top: 4.0, width: 9.5, height: 6.5 }, 2.0, Colour::opaque(0x0020_40FF));
    Rc::new(layer)
}

fn by_gpu(scene: &mut Scene, room: Size, mut paint: impl FnMut(&mut dyn Canvas)) -> Vec<u32> {
    scene.begin(room);
    paint(scene);
    scene.end().unwrap();
    scene.read()
}

/// Runs a test with each kind of OpenGL, with room for windows up to 320 × 240.
fn with_each_kind(test: impl Fn(&mut Scene)) {
    for kind in 0..KINDS_TO_TEST {
        let (_context, device) = OffScreen::open(kind, ROOM);
        test(&mut Scene::new(device).unwrap());
    }
}

const ROOM: Size = Size::new(320, 240);

#[test]
fn a_gpu_shows_each_picture_as_the_processor_does() {
    with_each_kind(|scene| {
        for (number, (picture, room)) in (1..).zip([
            // As large as the window, and as its width.
            ((64, 48), (64, 48)),
            ((64, 48), (64, 90)),
            // Odd sizes, whose last samples of colour belong to one pixel.
            ((63, 47), (63, 47)),
            ((33, 21), (50, 21)),
            ((1, 1), (7, 5)),
            ((2, 3), (31, 29)),
            // Larger, by a whole number and not.
            ((64, 48), (128, 96)),
            ((64, 48), (201, 133)),
            ((63, 47), (319, 239)),
            ((160, 120), (320, 240)),
            // Smaller, by little and by much.
            ((300, 200), (299, 200)),
            ((300, 200), (151, 240)),
            ((640, 400), (101, 63)),
            ((1920, 1080), (107, 61)),
            ((301, 7), (50, 50)),
            // Wide and high, in the middle of black.
            ((200, 10), (77, 201)),
            ((10, 200), (201, 77)),
        ]) {
            let [picture_size, room] = [picture, room].map(|(width, height)| Size::new(width, height));
            let picture = planes(picture_size, number as u32);
            let painted = by_gpu(scene, room, |canvas| canvas.picture(&picture, number));
            let expected = by_processor(room, |canvas| canvas.picture(&picture, number));
            assert_alike(&format!("{picture_size} in {room}"), &painted, &expected);
        }
    });
}

/// A person sees the newest picture, and the overlay of now, and not those from before.
#[test]
fn what_changed_is_brought_to_the_gpu_and_what_did_not_stays() {
    with_each_kind(|scene| {
        let (room, size) = (Size::new(80, 60), Size::new(80, 60));
        let [first, second] = [1, 2].map(|seed| planes(size, seed));
        let expected = [&first, &second].map(|picture| by_processor(room, |on| on.picture(picture, 0)));
        assert_alike("first", &by_gpu(scene, room, |on| on.picture(&first, 1)), &expected[0]);
        assert_alike("second", &by_gpu(scene, room, |on| on.picture(&second, 2)), &expected[1]);
        // By its number it is the second, which is there: nothing is brought.
        assert_alike("second again", &by_gpu(scene, room, |on| on.picture(&first, 2)), &expected[1]);

        let other = {
            let mut layer = Layer::clear(Size::new(37, 23));
            let half = Area { left: 0.0, top: 0.0, width: 18.0, height: 23.0 };
            layer.fill(half, 0.0, Colour::opaque(0x0012_EF34));
            Rc::new(layer)
        };
        for layer in [layer(), other] {
            let expected = by_processor(room, |on| on.layer(&layer, 3));
            assert_alike("a layer", &by_gpu(scene, room, |on| on.layer(&layer, 3)), &expected);
        }
    });
}

#[test]
fn the_overlay_lies_over_the_picture_as_the_processor_lays_it() {
    with_each_kind(|scene| {
        let (picture, layer) = (planes(Size::new(120, 80), 5), layer());
        // In the second window a part of it is cut off.
        for (number, (room, margin)) in (1..).zip([(Size::new(120, 100), 14), (Size::new(31, 20), 5)]) {
            let mut paint = |canvas: &mut dyn Canvas| {
                canvas.picture(&picture, number);
                canvas.layer(&layer, margin);
            };
            let painted = by_gpu(scene, room, &mut paint);
            assert_alike(&format!("over a picture in {room}"), &painted, &by_processor(room, &mut paint));
        }
    });
}

/// Edges of letters are smoothed by another hand; the rest is the same, and so is what is around.
#[test]
fn pages_lie_over_the_picture_as_the_processor_lays_them() {
    with_each_kind(|scene| {
        let picture = planes(Size::new(160, 120), 1);
        let context = egui::Context::default();
        for room in [ROOM, Size::new(300, 200)] {
            let _ = page(&context, room);
            let (primitives, _) = page(&context, room);
            let paint = |canvas: &mut dyn Canvas| {
                canvas.picture(&picture, 1);
                let textures = textures_for(canvas, &context, TexturesDelta::default());
                canvas.pages(&primitives, &textures, 1.0);
            };
            let painted = by_gpu(scene, room, paint);
            let expected = by_processor(room, paint);
            let bare = by_processor(room, |canvas| canvas.picture(&picture, 1));
            let (_, covered) = difference(&expected, &bare, 16);
            let (most, apart) = difference(&painted, &expected, 16);
            println!("{room}: {covered} pixels are the page's, {apart} differ, at most {most} steps");
            assert!(covered > 5000, "there is a page: {covered} pixels");
            assert!(apart * 50 < covered, "{apart} of {covered} pixels differ, by up to {most} steps");
            // A pixel of the picture that the page leaves alone.
            let corner = (room.width * (room.height / 2)) as usize + 20;
            assert_alike("beside the page", &painted[corner..=corner], &bare[corner..=corner]);
        }
    });
}

/// Textures of pages come once; who has none is given all, and who has some what changed.
#[test]
fn a_scene_knows_whether_it_has_pages() {
    with_each_kind(|scene| {
        assert!(!scene.has_pages());
        scene.begin(ROOM);
        let context = egui::Context::default();
        let (primitives, textures) = page(&context, ROOM);
        scene.pages(&primitives, &textures, 1.0);
        scene.end().unwrap();
        assert!(scene.has_pages());
    });
}

/// What OpenGL was asked and refused comes out at the end of a frame, once, and not as a picture that is wrong.
#[test]
fn what_goes_wrong_is_told_at_the_end_of_the_frame() {
    with_each_kind(|scene| {
        let room = Size::new(40, 40);
        scene.begin(room);
        scene.picture(&planes(Size::new(40_000, 2), 1), 1);
        assert!(scene.end().is_err(), "no GPU takes a picture as wide as that");
        let small = planes(Size::new(40, 40), 2);
        let painted = by_gpu(scene, room, |canvas| canvas.picture(&small, 2));
        assert_alike("afterwards", &painted, &by_processor(room, |canvas| canvas.picture(&small, 2)));
    });
}

#[test]
fn a_shader_that_does_not_compile_is_told() {
    let (_context, device) = OffScreen::open(0, ROOM);
    let fault = device.program("void main() { pixel = vec4(1.0); }\n", &[]).err().unwrap();
    assert!(fault.to_string().starts_with("a shader does not compile: "), "{fault}");
}

#[test]
fn a_gpu_is_known_by_its_device() {
    let devices = tempfile::tempdir().unwrap();
    assert!(!has_render_node(&devices.path().join("dri")), "no such folder");
    assert!(!has_render_node(devices.path()));
    std::fs::write(devices.path().join("card0"), "").unwrap();
    assert!(!has_render_node(devices.path()), "a screen, and nothing that draws on it");
    std::fs::write(devices.path().join("renderD128"), "").unwrap();
    assert!(has_render_node(devices.path()));
}
