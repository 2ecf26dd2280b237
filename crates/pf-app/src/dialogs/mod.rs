//! The pages between a click on a host and its picture. There is one for each [`Stage`], and no way round any.

mod ask;
mod changed;
mod first_use;
mod notice;
mod pair;

use egui::{Align, Layout, Spinner, Ui};

use crate::{
    Wish,
    parts::{Weight, button, dialog, hint, title},
    theme::PALETTE,
    visit::{Stage, Visit},
};

/// Shows the page of a visit that does not show its picture.
pub(crate) fn show(ui: &mut Ui, visit: &mut Visit, wishes: &mut Vec<Wish>) {
    let edge = if let Stage::Changed { .. } = visit.stage { PALETTE.danger } else { PALETTE.line };
    dialog(ui, edge, |ui| match visit.stage {
        Stage::Reaching => busy(ui, wishes, &format!("Reaching {}…", visit.host), ""),
        Stage::Pair(_) => pair::show(ui, visit, wishes),
        Stage::Asking => busy(ui, wishes, &format!("Asking {}…", visit.host), ""),
        Stage::Waiting(code) => ask::show(ui, &visit.host, code, wishes),
        Stage::FirstUse(fingerprint) => first_use::show(ui, visit, fingerprint, wishes),
        Stage::Changed { old, new } => changed::show(ui, visit, &old, &new, wishes),
        Stage::Opening => {
            busy(
                ui,
                wishes,
                &format!("Opening {}…", visit.host),
                "It is trusted. The picture is on its way.",
            );
        }
        Stage::Notice(_) => notice::show(ui, visit, wishes),
        Stage::Picture | Stage::Reconnecting(_) => {}
    });
    if ui.input(|input| input.key_pressed(egui::Key::Escape)) {
        wishes.push(Wish::Leave);
    }
}

/// What a window is called while a visit shows a page.
pub(crate) fn heading(visit: &Visit) -> String {
    let host = &visit.host;
    match &visit.stage {
        Stage::Reaching => format!("Reaching {host}"),
        Stage::Pair(page) if page.is_trying => format!("Pairing with {host}"),
        Stage::Pair(_) => format!("Pair with {host}"),
        Stage::Asking => format!("Asking {host}"),
        Stage::Waiting(_) => format!("Waiting for the owner of {host}"),
        Stage::FirstUse(_) => format!("Trust {host} on first use?"),
        Stage::Changed { .. } => format!("STOP: {host} has changed"),
        Stage::Opening => format!("Opening {host}"),
        Stage::Notice(_) => format!("Not connected to {host}"),
        Stage::Picture => host.clone(),
        Stage::Reconnecting(_) => format!("Reconnecting to {host}"),
    }
}

fn busy(ui: &mut Ui, wishes: &mut Vec<Wish>, what: &str, more: &str) {
    ui.horizontal(|ui| {
        ui.add(Spinner::new().size(22.0).color(PALETTE.accent));
        title(ui, what);
    });
    if !more.is_empty() {
        hint(ui, more);
    }
    actions(ui, |ui| {
        if button(ui, Weight::Other, "Cancel").clicked() {
            wishes.push(Wish::Leave);
        }
    });
}

/// The row of buttons at the end of a page: the main one at the right, as it comes last; its keyboard order is the eye's.
fn actions<R>(ui: &mut Ui, add: impl FnOnce(&mut Ui) -> R) -> R {
    ui.add_space(6.0);
    ui.with_layout(Layout::left_to_right(Align::Center).with_main_wrap(true), add).inner
}
