//! All hosts: those that are known, and those that the network shows, live.

use egui::{
    Align, Color32, Id, Label, Layout, Popup, RichText, ScrollArea, Sense, Ui, UiBuilder, Vec2, WidgetInfo,
    WidgetType,
};
use pf_base::Timestamp;
use pf_client::Listed;
use pf_store::HostState;
use pf_trust::{
    proof::Comparison,
    route::{Advert, PinnedBy},
};

use super::{Page, Shown};
use crate::{
    Target, Wish,
    parts::{Weight, button, card, hint, outline_focus, pill, problem, title},
    theme::PALETTE,
};

/// Shows the page: the host that was chosen.
pub(super) fn show(
    ui: &mut Ui,
    page: &mut Page,
    shown: &Shown<'_>,
    wishes: &mut Vec<Wish>,
) -> Option<Target> {
    let mut next = None;
    ui.horizontal(|ui| {
        title(ui, "Punktfunk");
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            if button(ui, Weight::Other, "Add a host…").clicked() {
                next = Some(Page::Add { text: String::new() });
            }
            if button(ui, Weight::Quiet, "Settings").clicked() {
                next = Some(Page::Settings);
            }
        });
    });
    ui.add_space(8.0);
    if let Some(sentence) = shown.unsearchable {
        problem(ui, sentence);
    }
    let chosen = ScrollArea::vertical()
        .auto_shrink([false, false])
        .show(ui, |ui| {
            if shown.hosts.is_empty() {
                nobody(ui);
            }
            grid(ui, shown, &mut next, wishes)
        })
        .inner;
    if let Some(next) = next {
        *page = next;
    }
    chosen
}

/// What stands where the hosts would.
fn nobody(ui: &mut Ui) {
    ui.vertical_centered(|ui| {
        ui.add_space(ui.available_height() * 0.25);
        ui.set_max_width(460.0);
        ui.label(RichText::new("Looking for hosts on this network…").size(18.0));
        hint(
            ui,
            "Start one on the machine that you want to see: punktfunk-host serve. It shows up here by itself. Where the \
             network hides it, add it by its address.",
        );
    });
}

fn grid(ui: &mut Ui, shown: &Shown<'_>, next: &mut Option<Page>, wishes: &mut Vec<Wish>) -> Option<Target> {
    let gap = 16.0;
    let room = ui.available_width() - gap - 4.0;
    let columns = ((room + gap) / (LEAST_WIDTH + gap)).floor().max(1.0);
    let size = Vec2::new((room + gap) / columns - gap, HEIGHT);
    let mut chosen = None;
    ui.spacing_mut().item_spacing = Vec2::splat(gap);
    ui.add_space(4.0);
    for row in shown.hosts.chunks(columns as usize) {
        ui.horizontal(|ui| {
            // Room for what marks the focus.
            ui.add_space(4.0);
            for host in row {
                let actions = host_card(ui, host, size, shown.today);
                match actions {
                    Some(Act::Visit) => chosen = Some(Target::Listed(Box::new(host.clone()))),
                    Some(Act::Open(page)) => *next = Some(page),
                    Some(Act::Wish(wish)) => wishes.push(wish),
                    None => {}
                }
            }
        });
    }
    chosen
}

/// What was chosen of a host.
enum Act {
    Visit,
    Open(Page),
    Wish(Wish),
}

fn host_card(ui: &mut Ui, host: &Listed, size: Vec2, today: Timestamp) -> Option<Act> {
    let (rect, response) = ui.allocate_exact_size(size, Sense::click());
    let name = host.name.to_string();
    response.widget_info(|| {
        WidgetInfo::labeled(WidgetType::Button, true, format!("Connect to {name}, {}", state_words(host)))
    });
    let edge = if response.hovered() || response.has_focus() { PALETTE.edge } else { PALETTE.line };
    let mut act = response.clicked().then_some(Act::Visit);
    let mut inside = ui.new_child(UiBuilder::new().max_rect(rect).layout(Layout::top_down(Align::Min)));
    card(edge).show(&mut inside, |ui| {
        ui.set_min_size(size - Vec2::splat(36.0));
        ui.spacing_mut().item_spacing = Vec2::new(8.0, 6.0);
        // Lines of text, none of which is to be hit by a thumb.
        ui.spacing_mut().interact_size.y = 0.0;
        let head = Vec2::new(ui.available_width(), 28.0);
        ui.allocate_ui_with_layout(head, Layout::left_to_right(Align::Center), |ui| {
            let dot = if host.is_advertised { PALETTE.ok } else { PALETTE.line };
            let (place, _) = ui.allocate_exact_size(Vec2::splat(10.0), Sense::hover());
            ui.painter().circle_filled(place.center(), 5.0, dot);
            ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                if let Some(chosen) = menu(ui, host) {
                    act = Some(chosen);
                }
                ui.with_layout(Layout::left_to_right(Align::Center), |ui| {
                    ui.add(Label::new(RichText::new(&name).size(18.0).strong()).truncate().selectable(false));
                });
            });
        });
        let (word, color) = state_pill(host);
        pill(ui, word, color);
        if host.is_disputed {
            pill(ui, "Name disputed", PALETTE.danger);
        } else if host.is_advertised {
            pill(ui, policy_words(host.policy), PALETTE.muted);
        }
        let place = host.addresses.first().map_or_else(|| "No address known".to_owned(), ToString::to_string);
        line(ui, &place);
        line(ui, &when(host, today));
    });
    outline_focus(ui, &response);
    act
}

fn line(ui: &mut Ui, text: &str) {
    ui.add(Label::new(RichText::new(text).small().color(PALETTE.muted)).truncate().selectable(false));
}

/// What else can be done with a known host.
fn menu(ui: &mut Ui, host: &Listed) -> Option<Act> {
    let fingerprint = host.fingerprint()?;
    let name = host.name.to_string();
    let (rect, opener) = ui.allocate_exact_size(Vec2::splat(28.0), Sense::click());
    let ink = if opener.hovered() || opener.has_focus() { PALETTE.ink } else { PALETTE.muted };
    for place in [-6.0, 0.0, 6.0] {
        ui.painter().circle_filled(rect.center() + Vec2::new(place, 0.0), 1.8, ink);
    }
    opener.widget_info(|| WidgetInfo::labeled(WidgetType::Button, true, format!("More about {name}")));
    outline_focus(ui, &opener);
    let mut act = None;
    Popup::menu(&opener).id(Id::new(("more", fingerprint))).show(|ui| {
        ui.set_min_width(170.0);
        if host.is_wakeable && !host.is_advertised && ui.button("Wake").clicked() {
            act = Some(Act::Wish(Wish::Wake(fingerprint)));
        }
        if ui.button("Rename…").clicked() {
            act = Some(Act::Open(Page::Rename { fingerprint, text: name.clone(), before: name.clone() }));
        }
        if host.is_pinned() && ui.button("Forget…").clicked() {
            act = Some(Act::Open(Page::Forget { fingerprint, name: name.clone() }));
        }
    });
    act
}

fn state_pill(host: &Listed) -> (&'static str, Color32) {
    match host.state {
        Some(HostState::Pinned { how: PinnedBy::Pin, .. }) => ("Paired", PALETTE.ok),
        Some(HostState::Pinned { how: PinnedBy::Approval(Comparison::CodeShown), .. }) => {
            ("Approved", PALETTE.ok)
        }
        Some(HostState::Pinned { how: PinnedBy::Approval(Comparison::NothingToCompare), .. }) => {
            ("Approved, not compared", PALETTE.ok)
        }
        Some(HostState::Pinned { how: PinnedBy::FirstUse, .. }) => ("Trusted on first use", PALETTE.accent),
        Some(HostState::Forgotten { .. }) => ("Forgotten: needs its PIN", PALETTE.muted),
        Some(HostState::Asked { .. }) => ("Asked for access", PALETTE.accent),
        Some(HostState::SeenRequired { .. }) => ("Not paired", PALETTE.muted),
        None => ("New", PALETTE.accent),
    }
}

/// What a host's adverts say of devices that it does not know.
fn policy_words(policy: Advert) -> &'static str {
    match policy {
        Advert::Optional => "Lets guests in",
        Advert::Unknown | Advert::Required => "Pairing required",
    }
}

/// What a screen reader says of a host besides its name.
fn state_words(host: &Listed) -> String {
    let here = if host.is_advertised { "on the network now" } else { "not seen on the network" };
    format!("{}, {here}", state_pill(host).0)
}

fn when(host: &Listed, today: Timestamp) -> String {
    match host.last_used {
        Some(at) => format!("Last used {}", ago(today, at)),
        None if host.is_advertised => "On the network now".to_owned(),
        None => "Never used".to_owned(),
    }
}

/// How long ago something was, as one says it.
fn ago(today: Timestamp, at: Timestamp) -> String {
    let seconds = today.since(at).as_secs();
    let (count, unit) = match seconds {
        0..60 => return "just now".to_owned(),
        60..3600 => (seconds / 60, "minute"),
        3600..86_400 => (seconds / 3600, "hour"),
        86_400..5_184_000 => (seconds / 86_400, "day"),
        _ => (seconds / 2_592_000, "month"),
    };
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {unit}{plural} ago")
}

/// How wide a card is at least, and how high, in points.
const LEAST_WIDTH: f32 = 250.0;
const HEIGHT: f32 = 176.0;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_moment_is_told_as_one_says_it() {
        let at = Timestamp::EPOCH + Duration::from_secs(1_000_000);
        for (seconds, said) in [
            (5, "just now"),
            (60, "1 minute ago"),
            (7199, "1 hour ago"),
            (7200, "2 hours ago"),
            (86_400 * 3, "3 days ago"),
            (86_400 * 90, "3 months ago"),
        ] {
            assert_eq!(ago(at + Duration::from_secs(seconds), at), said);
        }
        assert_eq!(ago(at, at + Duration::from_secs(90)), "just now", "a clock that was set back");
    }
}
