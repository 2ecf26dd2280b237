//! What lies over a host's picture: that it stands still, or the menu.

use std::time::{Duration, Instant};

use egui::{Align2, Area, Grid, Id, Key, Order, Spinner, Ui, Vec2};

use crate::{
    Wish,
    pages::stream_rows,
    parts::{Weight, button, card, hint, title},
    reconnect::Reconnecting,
    settings::Settings,
    theme::{DIALOG, PALETTE},
};

/// What was done in the menu over a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MenuAct {
    /// It is done with.
    Close,
    /// The session is.
    Leave,
}

/// Shows that the session was lost, and is being taken up again.
pub(crate) fn reconnecting(
    ui: &mut Ui,
    host: &str,
    state: &Reconnecting,
    now: Instant,
    wishes: &mut Vec<Wish>,
) {
    over_picture(ui, "reconnecting", |ui| {
        ui.horizontal(|ui| {
            ui.add(Spinner::new().size(22.0).color(PALETTE.accent));
            title(ui, &format!("Reconnecting to {host}"));
        });
        hint(ui, &format!("{} {}", state.why.message, state.why.hint));
        let wait = state.next.map(|next| next.saturating_duration_since(now).as_secs());
        let what = match wait {
            None => "Trying now…".to_owned(),
            Some(0) => "Trying again…".to_owned(),
            Some(seconds) => format!("Trying again in {} s.", seconds + 1),
        };
        ui.label(format!("{what} It goes on until the host is back, or you stop."));
        let stop = button(ui, Weight::Other, "Stop");
        if ui.memory(|memory| memory.focused().is_none()) {
            stop.request_focus();
        }
        if stop.clicked() || ui.input(|input| input.key_pressed(Key::Escape)) {
            wishes.push(Wish::Leave);
        }
    });
}

/// Shows the menu of a session, whose choices count at once.
pub(crate) fn menu(ui: &mut Ui, host: &str, settings: &mut Settings) -> Option<MenuAct> {
    over_picture(ui, "menu", |ui| {
        title(ui, host);
        Grid::new("stream").num_columns(2).spacing([24.0, 10.0]).show(ui, |ui| stream_rows(ui, settings));
        hint(ui, KEYS);
        ui.add_space(6.0);
        ui.horizontal(|ui| {
            let back = button(ui, Weight::Main, "Back to the picture");
            if ui.memory(|memory| memory.focused().is_none()) {
                back.request_focus();
            }
            if button(ui, Weight::Other, "Leave").clicked() {
                return Some(MenuAct::Leave);
            }
            let is_left = back.clicked() || ui.input(|input| input.key_pressed(Key::Escape));
            is_left.then_some(MenuAct::Close)
        })
        .inner
    })
}

/// Shows, as a session opens, how its person gets back from the picture: the more so where all other keys are the host's.
pub(crate) fn entry(ui: &mut Ui, has_all_keys: bool) {
    let area = Area::new(Id::new("entry")).order(Order::Middle).interactable(false);
    area.anchor(Align2::CENTER_BOTTOM, Vec2::new(0.0, -24.0)).show(ui.ctx(), |ui| {
        card(PALETTE.line).inner_margin(12).show(ui, |ui| {
            ui.set_max_width(ui.ctx().content_rect().width() - 80.0);
            ui.label(KEYS);
            if has_all_keys {
                ui.label(ALL_KEYS);
            }
        });
    });
}

/// How long [`entry`] is there.
pub(crate) const ENTRY: Duration = Duration::from_secs(6);

/// The keys that are for the window and not for the host.
const KEYS: &str = "Hold Ctrl+Alt+Shift and press M for the menu, Z to give the pointer to the host and to take it back, X \
                    for full screen, S for figures, Q to leave.";

/// That these are the only ones.
const ALL_KEYS: &str = "All other keys go to the host now, Alt+Tab and the like included.";

/// A card in the middle of the picture, which is darker below it.
fn over_picture<R>(ui: &mut Ui, id: &str, add: impl FnOnce(&mut Ui) -> R) -> R {
    let veil = PALETTE.background.gamma_multiply(0.72);
    let whole = ui.ctx().content_rect();
    ui.painter().rect_filled(whole, 0.0, veil);
    let area = Area::new(Id::new(id)).order(Order::Middle).anchor(Align2::CENTER_CENTER, Vec2::ZERO);
    area.show(ui.ctx(), |ui| {
        card(PALETTE.line)
            .inner_margin(28)
            .show(ui, |ui| {
                ui.set_width(DIALOG.min(whole.width() - 88.0));
                ui.spacing_mut().item_spacing.y = 14.0;
                add(ui)
            })
            .inner
    })
    .inner
}
