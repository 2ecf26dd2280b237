//! *Pair with PIN*, and what else is offered for a host that is not trusted.

use egui::{Key, Ui};

use super::actions;
use crate::{
    Wish,
    parts::{Weight, button, hint, pin_entry, problem, title},
    sentences::HOW_TO_GET_A_PIN,
    visit::{Offer, Stage, Visit, Why},
};

pub(super) fn show(ui: &mut Ui, visit: &mut Visit, wishes: &mut Vec<Wish>) {
    let Visit { host, offer, stage } = visit;
    let Stage::Pair(page) = stage else { return };
    title(ui, &format!("Pair with {host}"));
    hint(ui, &why(*offer, host));
    ui.label("Type the PIN that the host shows.");
    let entry = ui.add_enabled_ui(!page.is_trying, |ui| pin_entry(ui, &mut page.pin, offer.digits)).inner;
    if !page.is_trying && ui.memory(|memory| memory.focused().is_none()) {
        entry.request_focus();
    }
    if let Some(sentence) = &page.problem {
        problem(ui, sentence);
    } else if offer.no_pin {
        hint(ui, &format!("{host} shows no PIN now. {HOW_TO_GET_A_PIN}"));
    } else {
        hint(
            ui,
            &format!(
                "{HOW_TO_GET_A_PIN} A PIN works once: a wrong one is spent, too, and a fresh one is needed then."
            ),
        );
    }

    let pin = page.pin.whole(offer.digits);
    let has_enter = entry.has_focus() && ui.input(|input| input.key_pressed(Key::Enter));
    let mut next = None;
    actions(ui, |ui| {
        let label = if page.is_trying { "Pairing…" } else { "Pair with PIN" };
        let can_pair = !page.is_trying && pin.is_some();
        let is_clicked = ui.add_enabled_ui(can_pair, |ui| button(ui, Weight::Main, label)).inner.clicked();
        if can_pair
            && (is_clicked || has_enter)
            && let Some(pin) = pin
        {
            page.is_trying = true;
            page.problem = None;
            wishes.push(Wish::Pair(pin));
        }
        if button(ui, Weight::Quiet, "Cancel").clicked() {
            wishes.push(Wish::Leave);
        }
    });
    if !page.is_trying && (offer.ask || offer.first_use.is_some()) {
        ui.separator();
        if offer.ask {
            hint(ui, "Nobody can read you the PIN? The owner can let you in from the host's console.");
            if button(ui, Weight::Other, "Ask for access").clicked() {
                next = Some(Stage::Asking);
                wishes.push(Wish::Ask);
            }
        }
        if let Some(fingerprint) = offer.first_use {
            hint(
                ui,
                "The owner lets any device in as a guest. Without a PIN, an impostor would not be noticed.",
            );
            if button(ui, Weight::Other, "Trust on first use (weaker)…").clicked() {
                next = Some(Stage::FirstUse(fingerprint));
            }
        }
    }
    if let Some(next) = next {
        visit.stage = next;
    }
}

/// Why there is a question.
fn why(offer: Offer, host: &str) -> String {
    match offer.why {
        Why::New => "It is new here. Pairing makes sure that it is the machine you mean, and no other; it is done once.".to_owned(),
        Why::Unknown => format!("{host} does not know this device any more. It is still the machine that you paired with."),
        Why::Removed => format!("The owner of {host} removed this device. It is still the machine that you paired with."),
        Why::Denied => format!("The owner of {host} said no to this device."),
        Why::Forgotten => format!("{host} was forgotten here. What was once paired comes back by its PIN alone."),
        Why::Changed => {
            "Its identity has changed. Take the PIN from the host's own screen: an impostor does not know it.".to_owned()
        }
    }
}
