//! A visit that went no further: what happened, and what can be done.

use egui::Ui;

use super::actions;
use crate::{
    Wish,
    parts::{Weight, button, hint, title},
    visit::{Stage, Visit, WayOn},
};

pub(super) fn show(ui: &mut Ui, visit: &mut Visit, wishes: &mut Vec<Wish>) {
    let Stage::Notice(notice) = &visit.stage else { return };
    let way_on = notice.way_on;
    title(ui, &notice.sentence.message);
    hint(ui, &notice.sentence.hint);
    actions(ui, |ui| {
        let main = match way_on {
            WayOn::Again => "Try again",
            WayOn::AskAgain => "Ask again",
        };
        let main = button(ui, Weight::Main, main);
        if ui.memory(|memory| memory.focused().is_none()) {
            main.request_focus();
        }
        match way_on {
            WayOn::Again if main.clicked() => {
                visit.stage = Stage::Reaching;
                wishes.push(Wish::Again);
            }
            WayOn::AskAgain => {
                if main.clicked() {
                    visit.stage = Stage::Asking;
                    wishes.push(Wish::Ask);
                } else if button(ui, Weight::Other, "Pair with PIN").clicked() {
                    visit.pair_by_pin();
                }
            }
            WayOn::Again => {}
        }
        if button(ui, Weight::Quiet, "Close").clicked() {
            wishes.push(Wish::Leave);
        }
    });
}
