//! Whether to forget a host, and what it means.

use egui::Ui;
use pf_base::Fingerprint;

use crate::{
    Wish,
    parts::{Weight, button, hint, title},
};

/// Shows the page: whether it is done with.
pub(super) fn show(ui: &mut Ui, fingerprint: Fingerprint, name: &str, wishes: &mut Vec<Wish>) -> bool {
    title(ui, &format!("Forget {name}?"));
    hint(
        ui,
        "This device will not connect to it by itself any more. A mark stays: should the host come back, or another \
         machine in its name, it must be paired with by PIN. Nothing changes at the host, whose owner can remove this \
         device there.",
    );
    ui.add_space(6.0);
    ui.horizontal(|ui| {
        let keep = button(ui, Weight::Other, "Keep it");
        if ui.memory(|memory| memory.focused().is_none()) {
            keep.request_focus();
        }
        if button(ui, Weight::Danger, "Forget").clicked() {
            wishes.push(Wish::Forget(fingerprint));
            return true;
        }
        keep.clicked()
    })
    .inner
}
