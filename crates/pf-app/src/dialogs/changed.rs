//! *Identity changed*: an alarm, and never a question.

use egui::{RichText, Ui};
use pf_base::Fingerprint;

use super::actions;
use crate::{
    Wish,
    parts::{Weight, button, fingerprint, hint, title},
    theme::PALETTE,
    visit::Visit,
};

pub(super) fn show(
    ui: &mut Ui,
    visit: &mut Visit,
    old: &Fingerprint,
    new: &Fingerprint,
    wishes: &mut Vec<Wish>,
) {
    let host = visit.host.clone();
    ui.label(RichText::new("STOP").strong().color(PALETTE.danger));
    title(ui, &format!("{host} is not the machine that it was"));
    hint(
        ui,
        "Nothing was sent to it. Either the host was installed anew, or another machine answers in its place.",
    );
    if ui.available_width() < TWO_COLUMNS {
        fingerprint(ui, "Before", old);
        fingerprint(ui, "Now", new);
    } else {
        ui.columns(2, |columns| {
            let [before, now] = columns else { return };
            fingerprint(before, "Before", old);
            fingerprint(now, "Now", new);
        });
    }
    hint(
        ui,
        "Go to the host and look at the fingerprint that it shows. If it is the one under “Now”, pair again with a PIN \
         from its own screen. If it is not, do not go on, and tell whoever looks after this network.",
    );
    actions(ui, |ui| {
        let cancel = button(ui, Weight::Main, "Cancel");
        if ui.memory(|memory| memory.focused().is_none()) {
            cancel.request_focus();
        }
        if cancel.clicked() {
            wishes.push(Wish::Leave);
        }
        if button(ui, Weight::Other, "Pair again").clicked() {
            visit.pair_by_pin();
            wishes.push(Wish::LookForPin);
        }
    });
}

/// The width from which on both fingerprints stand side by side, in points.
const TWO_COLUMNS: f32 = 400.0;
