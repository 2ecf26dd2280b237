//! A host that does not advertise itself, by its address or its name.

use egui::{Key, RichText, TextEdit, Ui};

use crate::{
    Target,
    parts::{Weight, button, hint, title},
    theme::{CONTROL, PALETTE},
};

/// Shows the page: the host that was named, and whether the page is done with.
pub(super) fn show(ui: &mut Ui, text: &mut String) -> (Option<Target>, bool) {
    title(ui, "Add a host");
    hint(
        ui,
        "Type the address or the name that the host shows when it starts, as 192.168.1.20 or desk:9777.",
    );
    let label = ui.label(RichText::new("Address or name").color(PALETTE.muted));
    let field = TextEdit::singleline(text).desired_width(f32::INFINITY).min_size([0.0, CONTROL].into());
    let entry = ui.add(field.margin(egui::Margin::symmetric(12, 10))).labelled_by(label.id);
    if ui.memory(|memory| memory.focused().is_none()) && !entry.lost_focus() {
        entry.request_focus();
    }
    let named = Some(text.trim()).filter(|text| !text.is_empty()).map(|text| Target::Typed(text.to_owned()));
    let has_enter = entry.lost_focus() && ui.input(|input| input.key_pressed(Key::Enter));
    ui.add_space(6.0);
    ui.horizontal(|ui| {
        let is_clicked =
            ui.add_enabled_ui(named.is_some(), |ui| button(ui, Weight::Main, "Connect")).inner.clicked();
        let is_cancelled = button(ui, Weight::Quiet, "Cancel").clicked();
        (named.filter(|_| is_clicked || has_enter), is_cancelled)
    })
    .inner
}
