//! Why the app cannot begin, and what to do about it.

use egui::{Key, Ui};

use crate::{
    Wish,
    parts::{Weight, button, dialog, hint, title},
    sentences::Sentence,
    theme::PALETTE,
};

pub(super) fn show(ui: &mut Ui, why: &Sentence, wishes: &mut Vec<Wish>) {
    dialog(ui, PALETTE.danger, |ui| {
        title(ui, &why.message);
        hint(ui, &why.hint);
        ui.add_space(6.0);
        let close = button(ui, Weight::Main, "Close");
        if ui.memory(|memory| memory.focused().is_none()) {
            close.request_focus();
        }
        if close.clicked() || ui.input(|input| input.key_pressed(Key::Escape)) {
            wishes.push(Wish::Quit);
        }
    });
}
