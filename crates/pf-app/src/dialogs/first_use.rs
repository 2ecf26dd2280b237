//! *Trust on first use*: the weaker way, where the host's owner opened it.

use egui::Ui;
use pf_base::Fingerprint;

use super::actions;
use crate::{
    Wish,
    parts::{Weight, button, fingerprint as show_fingerprint, hint, title},
    visit::{Stage, Visit},
};

pub(super) fn show(ui: &mut Ui, visit: &mut Visit, fingerprint: Fingerprint, wishes: &mut Vec<Wish>) {
    title(ui, &format!("Trust {} on first use?", visit.host));
    hint(
        ui,
        "This cannot detect an impostor: if another machine answers in the host's place now, it is the one that is \
         trusted from here on. The host shows its fingerprint when it starts, and in its console. Compare:",
    );
    show_fingerprint(ui, "Fingerprint of the machine that answers", &fingerprint);
    actions(ui, |ui| {
        let pair = button(ui, Weight::Main, "Pair with PIN");
        if ui.memory(|memory| memory.focused().is_none()) {
            pair.request_focus();
        }
        if pair.clicked() {
            visit.pair_by_pin();
        }
        if button(ui, Weight::Other, "Trust and connect").clicked() {
            visit.stage = Stage::Opening;
            wishes.push(Wish::TrustFirstUse);
        }
        if button(ui, Weight::Quiet, "Cancel").clicked() {
            wishes.push(Wish::Leave);
        }
    });
}
