//! What a person wants the same at every start; over a picture the same rows are its quality menu.

use egui::{ComboBox, Grid, RichText, Ui};
use pf_media::picture::Size;
use pf_proto::session::SoundWish;

use crate::{
    parts::{Weight, button, hint, title},
    settings::{GrabKeyboard, Level, Settings, StreamSize, UiScale},
    theme::PALETTE,
};

/// Shows the page of all settings: whether it is done with.
pub(super) fn show(ui: &mut Ui, settings: &mut Settings) -> bool {
    title(ui, "Settings");
    Grid::new("settings").num_columns(2).spacing([24.0, 10.0]).show(ui, |ui| {
        stream_rows(ui, settings);
        choice(ui, "Figures over the picture", &mut settings.overlay, &LEVELS);
        choice(
            ui,
            "A session opens",
            &mut settings.full_screen,
            &[("in the window", false), ("full screen", true)],
        );
        // Elsewhere the window has no way yet to get them.
        if cfg!(target_os = "linux") {
            choice(ui, "Alt+Tab and the like", &mut settings.grab_keyboard, &GRABS);
        }
        choice(ui, "Size of these pages", &mut settings.ui_scale, &SCALES);
    });
    hint(ui, "They are kept in settings.toml; docs/settings.md says what can stand there.");
    ui.add_space(6.0);
    button(ui, Weight::Main, "Done").clicked()
}

/// The rows that can be changed while a session runs.
pub(crate) fn stream_rows(ui: &mut Ui, settings: &mut Settings) {
    choice(ui, "Picture size", &mut settings.size, &SIZES);
    choice(ui, "Pictures a second", &mut settings.fps, &RATES);
    choice(ui, "Bitrate at most", &mut settings.bitrate, &BITRATES);
    choice(ui, "Sound", &mut settings.sound, &SOUNDS);
}

/// A row with one choice of a few. A value that is not among them, from the file, is shown and stays until another is
/// chosen.
fn choice<T: Copy + PartialEq + std::fmt::Debug>(
    ui: &mut Ui,
    caption: &str,
    value: &mut T,
    of: &[(&str, T)],
) {
    let label = ui.label(RichText::new(caption).color(PALETTE.muted));
    let chosen = of.iter().find(|(_, one)| one == value).map_or("as in settings.toml", |(name, _)| *name);
    let combo = ComboBox::from_id_salt(caption).width(220.0).selected_text(chosen).show_ui(ui, |ui| {
        for (name, one) in of {
            ui.selectable_value(value, *one, *name);
        }
    });
    combo.response.labelled_by(label.id);
    ui.end_row();
}

const SIZES: [(&str, StreamSize); 5] = [
    ("as the window", StreamSize::Window),
    ("1280 × 720", StreamSize::Fixed(Size::new(1280, 720))),
    ("1920 × 1080", StreamSize::Fixed(Size::new(1920, 1080))),
    ("2560 × 1440", StreamSize::Fixed(Size::new(2560, 1440))),
    ("3840 × 2160", StreamSize::Fixed(Size::new(3840, 2160))),
];

const RATES: [(&str, Option<u32>); 5] =
    [("as the host has it", None), ("30", Some(30)), ("60", Some(60)), ("90", Some(90)), ("120", Some(120))];

const BITRATES: [(&str, Option<u32>); 6] = [
    ("as the host has it", None),
    ("4 Mbit/s", Some(4)),
    ("10 Mbit/s", Some(10)),
    ("20 Mbit/s", Some(20)),
    ("50 Mbit/s", Some(50)),
    ("100 Mbit/s", Some(100)),
];

const SOUNDS: [(&str, SoundWish); 3] =
    [("on", SoundWish::Ms5), ("on, for a thin link", SoundWish::Ms10), ("off", SoundWish::Silent)];

const GRABS: [(&str, GrabKeyboard); 3] = [
    ("to the host in full screen", GrabKeyboard::FullScreen),
    ("to the host always", GrabKeyboard::Always),
    ("to this desktop", GrabKeyboard::Never),
];

const LEVELS: [(&str, Level); 3] = [("none", Level::Off), ("short", Level::Short), ("full", Level::Full)];

const SCALES: [(&str, UiScale); 6] = [
    ("as the display says", UiScale::Auto),
    ("1×", UiScale::Times(1.0)),
    ("1.5×", UiScale::Times(1.5)),
    ("2×", UiScale::Times(2.0)),
    ("2.5×", UiScale::Times(2.5)),
    ("3×", UiScale::Times(3.0)),
];
