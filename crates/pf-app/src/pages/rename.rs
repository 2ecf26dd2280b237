//! Another name for a host, which is this device's alone.

use egui::{Key, RichText, TextEdit, Ui};
use pf_base::{DeviceName, Fingerprint};

use crate::{
    Wish,
    parts::{Weight, button, title},
    theme::{CONTROL, PALETTE},
};

/// Shows the page: whether it is done with.
pub(super) fn show(
    ui: &mut Ui,
    fingerprint: Fingerprint,
    text: &mut String,
    before: &str,
    wishes: &mut Vec<Wish>,
) -> bool {
    title(ui, &format!("Rename {before}"));
    let label = ui.label(RichText::new("What this device calls it").color(PALETTE.muted));
    let field = TextEdit::singleline(text).desired_width(f32::INFINITY).min_size([0.0, CONTROL].into());
    let entry = ui.add(field.margin(egui::Margin::symmetric(12, 10))).labelled_by(label.id);
    if ui.memory(|memory| memory.focused().is_none()) && !entry.lost_focus() {
        entry.request_focus();
    }
    let name = DeviceName::sanitise(text);
    let is_name = name.as_str() != DeviceName::UNNAMED;
    let has_enter = entry.lost_focus() && ui.input(|input| input.key_pressed(Key::Enter));
    ui.add_space(6.0);
    ui.horizontal(|ui| {
        let is_clicked = ui.add_enabled_ui(is_name, |ui| button(ui, Weight::Main, "Rename")).inner.clicked();
        if is_name && (is_clicked || has_enter) {
            wishes.push(Wish::Rename(fingerprint, name));
            return true;
        }
        button(ui, Weight::Quiet, "Cancel").clicked()
    })
    .inner
}
