//! The pages that are about no host in particular, or about one that is not being visited.

mod add;
mod forget;
mod hosts;
mod rename;
mod settings;
mod stopped;

use egui::{Align, Key, Layout, Ui, Vec2};
use pf_base::{Fingerprint, Timestamp};
use pf_client::Listed;

use crate::{
    Settings, Target, Wish,
    parts::{Weight, button, dialog, problem},
    sentences::Sentence,
    theme::{CONTROL, PALETTE},
};
pub(crate) use settings::stream_rows;

/// Which page is shown.
#[derive(Clone, Debug, Default)]
pub(crate) enum Page {
    /// All hosts.
    #[default]
    Hosts,
    /// A host that is named by hand.
    Add {
        /// What was typed.
        text: String,
    },
    /// Another name for a host.
    Rename {
        fingerprint: Fingerprint,
        /// What was typed.
        text: String,
        before: String,
    },
    /// Whether to forget a host.
    Forget { fingerprint: Fingerprint, name: String },
    /// The settings.
    Settings,
    /// Why the app cannot begin.
    Stopped(Sentence),
}

impl Page {
    /// What it is called; the grid of hosts is the app itself.
    pub(crate) fn heading(&self) -> Option<String> {
        match self {
            Self::Hosts => None,
            Self::Add { .. } => Some("Add a host".to_owned()),
            Self::Rename { before, .. } => Some(format!("Rename {before}")),
            Self::Forget { name, .. } => Some(format!("Forget {name}?")),
            Self::Settings => Some("Settings".to_owned()),
            Self::Stopped(_) => Some("Stopped".to_owned()),
        }
    }
}

/// What pages show.
pub(crate) struct Shown<'a> {
    pub(crate) hosts: &'a [Listed],
    pub(crate) unsearchable: Option<&'a Sentence>,
    pub(crate) today: Timestamp,
}

/// Shows a page; a host that was chosen on it, to visit.
pub(crate) fn show(
    ui: &mut Ui,
    page: &mut Page,
    shown: &Shown<'_>,
    settings: &mut Settings,
    wishes: &mut Vec<Wish>,
) -> Option<Target> {
    match page {
        Page::Hosts => return hosts::show(ui, page, shown, wishes),
        Page::Stopped(why) => {
            stopped::show(ui, why, wishes);
            return None;
        }
        _ => {}
    }
    let mut chosen = None;
    let mut is_done = ui.input(|input| input.key_pressed(Key::Escape));
    dialog(ui, PALETTE.line, |ui| match page {
        Page::Hosts | Page::Stopped(_) => {}
        Page::Add { text } => {
            let (target, done) = add::show(ui, text);
            chosen = target;
            is_done |= done;
        }
        Page::Rename { fingerprint, text, before } => {
            is_done |= rename::show(ui, *fingerprint, text, before, wishes);
        }
        Page::Forget { fingerprint, name } => is_done |= forget::show(ui, *fingerprint, name, wishes),
        Page::Settings => is_done |= settings::show(ui, settings),
    });
    if is_done || chosen.is_some() {
        *page = Page::Hosts;
    }
    chosen
}

/// Shows a problem at the top of the page, until it is dismissed.
pub(crate) fn dismissed(ui: &mut Ui, sentence: &Sentence) -> bool {
    problem(ui, sentence);
    let row = Vec2::new(ui.available_width(), CONTROL);
    let layout = Layout::right_to_left(Align::Center);
    ui.allocate_ui_with_layout(row, layout, |ui| button(ui, Weight::Other, "OK").clicked()).inner
}
