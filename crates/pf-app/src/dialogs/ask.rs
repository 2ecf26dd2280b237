//! *Ask for access*: the check code, while the owner decides.

use egui::{Label, Spinner, Ui};
use pf_base::CheckCode;

use super::actions;
use crate::{
    Wish,
    parts::{Weight, button, check_code, hint, title},
    theme::PALETTE,
};

pub(super) fn show(ui: &mut Ui, host: &str, code: CheckCode, wishes: &mut Vec<Wish>) {
    title(ui, &format!("Ask {host} for access"));
    hint(
        ui,
        "The owner sees this device under “Waiting for approval” in the host's console, with a code. It must be this one:",
    );
    check_code(ui, code);
    hint(ui, "If the codes differ, another machine stands between you: the owner must deny it.");
    ui.horizontal(|ui| {
        ui.add(Spinner::new().size(18.0).color(PALETTE.accent));
        ui.add(Label::new("Waiting for the owner. Once approved, the picture comes by itself.").wrap());
    });
    actions(ui, |ui| {
        if button(ui, Weight::Other, "Stop waiting").clicked() {
            wishes.push(Wish::Leave);
        }
    });
}
