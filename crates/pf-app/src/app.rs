//! The app as a whole: which page it shows, and what follows from what it is told.

use std::time::Instant;

use egui::{CentralPanel, Frame, Margin, Ui};
use pf_base::{DeviceName, Fingerprint, Pin, Timestamp};
use pf_client::Listed;

use crate::{
    Settings, dialogs,
    pages::{self, Page},
    sentences::Sentence,
    stream::{self, MenuAct},
    theme::{DIALOG, PALETTE},
    visit::{Stage, Visit, VisitNews},
};

/// The app's state. See the [crate] for how to drive it.
#[derive(Debug)]
pub struct App {
    hosts: Vec<Listed>,
    /// Why the network cannot be searched, where it cannot.
    unsearchable: Option<Sentence>,
    page: Page,
    visit: Option<Visit>,
    /// Which visit is the present one: news of an earlier one is no news.
    number: u32,
    /// What went wrong beside a visit, for as long as its person does not dismiss it.
    problem: Option<Sentence>,
    settings: Settings,
    /// Whether the menu lies over the picture.
    has_menu: bool,
    /// Until when a session that opened shows its keys.
    entry_until: Option<Instant>,
    /// Whether the desktop's own keys go to the host.
    has_all_keys: bool,
    /// What the window was called when it was shown last.
    shown_title: String,
    wishes: Vec<Wish>,
}

/// A host to visit.
#[derive(Clone, Debug)]
pub enum Target {
    /// One of the list.
    Listed(Box<Listed>),
    /// One that is known, by its key and what it is called here.
    Known(Fingerprint, DeviceName),
    /// One that was named by hand.
    Typed(String),
}

/// Something that its person wants, for the driver to grant.
#[derive(Debug)]
pub enum Wish {
    /// Visit a host, under this number.
    Visit(u32, Target),
    /// Visit the same host again: it was not reached, or its session was lost.
    Again,
    /// Ask the host how its PIN looks.
    LookForPin,
    /// Pair with the host that is visited.
    Pair(Pin),
    /// Ask its owner for access, and connect once approved.
    Ask,
    /// Trust the key that it showed, and connect.
    TrustFirstUse,
    /// End the visit, or the session.
    Leave,
    /// Call a known host otherwise.
    Rename(Fingerprint, DeviceName),
    /// Forget a known host.
    Forget(Fingerprint),
    /// Wake a known host.
    Wake(Fingerprint),
    /// Keep these settings, and follow them: a session that runs gets what they say of the stream.
    Keep(Settings),
    /// Close the app.
    Quit,
}

/// Something that happened.
#[derive(Debug)]
pub enum News {
    /// The hosts are these now.
    Hosts(Vec<Listed>),
    /// The network cannot be searched, or can be again.
    Searching(Result<(), Sentence>),
    /// On the visit of this number.
    Visit(u32, VisitNews),
    /// Something beside a visit went wrong.
    Problem(Sentence),
    /// The keys that the desktop keeps for itself otherwise, such as Alt+Tab, go to the host from now on, or no more.
    AllKeys(bool),
}

impl App {
    /// The app at its start.
    pub fn new(settings: Settings) -> Self {
        Self {
            hosts: Vec::new(),
            unsearchable: None,
            page: Page::Hosts,
            visit: None,
            number: 0,
            problem: None,
            settings,
            has_menu: false,
            entry_until: None,
            has_all_keys: false,
            shown_title: String::new(),
            wishes: Vec::new(),
        }
    }

    /// The app where it cannot begin: it says why, and nothing else.
    pub fn stopped(why: Sentence) -> Self {
        Self { page: Page::Stopped(why), ..Self::new(Settings::default()) }
    }

    /// Visits a host, as a click on it does.
    pub fn visit(&mut self, target: Target) {
        let host = match &target {
            Target::Listed(listed) => listed.name.to_string(),
            Target::Known(_, name) => name.to_string(),
            Target::Typed(text) => text.clone(),
        };
        self.number += 1;
        self.visit = Some(Visit::new(host));
        self.page = Page::Hosts;
        self.wishes.push(Wish::Visit(self.number, target));
    }

    /// Something happened.
    pub fn hear(&mut self, news: News, now: Instant) {
        match news {
            News::Hosts(hosts) => self.hosts = hosts,
            News::Searching(result) => self.unsearchable = result.err(),
            News::Visit(number, news) if number == self.number => {
                if let Some(visit) = &mut self.visit {
                    if matches!((&visit.stage, &news), (Stage::Opening, VisitNews::Picture)) {
                        self.entry_until = Some(now + stream::ENTRY);
                    }
                    visit.hear(news, now);
                }
            }
            News::Visit(..) => {}
            News::Problem(sentence) => self.problem = Some(sentence),
            News::AllKeys(are_the_hosts) => self.has_all_keys = are_the_hosts,
        }
    }

    /// When to call [`poll`](Self::poll), if ever.
    pub fn due(&self) -> Option<Instant> {
        let retry = match &self.visit {
            Some(Visit { stage: Stage::Reconnecting(reconnecting), .. }) => reconnecting.next,
            _ => None,
        };
        retry.into_iter().chain(self.entry_until).min()
    }

    /// Does what is due.
    pub fn poll(&mut self, now: Instant) {
        self.entry_until.take_if(|until| *until <= now);
        if let Some(Visit { stage: Stage::Reconnecting(reconnecting), .. }) = &mut self.visit
            && reconnecting.poll(now)
        {
            self.wishes.push(Wish::Again);
        }
    }

    /// Shows the app, over the host's picture where that [fills the window](Self::shows_picture).
    pub fn show(&mut self, ui: &mut Ui, now: Instant, today: Timestamp) {
        let mut wishes = Vec::new();
        let before = self.settings;
        // On another page nothing has the keyboard yet, so that its default button gets it before the next key.
        let title = self.title();
        if self.shown_title != title {
            ui.memory_mut(|memory| memory.focused().map(|focused| memory.surrender_focus(focused)));
            self.shown_title = title;
        }
        match &mut self.visit {
            Some(Visit { host, stage: Stage::Reconnecting(state), .. }) => {
                stream::reconnecting(ui, host, state, now, &mut wishes);
            }
            Some(Visit { host, stage: Stage::Picture, .. }) if self.has_menu => {
                match stream::menu(ui, host, &mut self.settings) {
                    Some(MenuAct::Leave) => wishes.push(Wish::Leave),
                    Some(MenuAct::Close) => self.has_menu = false,
                    None => {}
                }
            }
            Some(visit) if visit.shows_picture() => {
                if self.entry_until.is_some() {
                    stream::entry(ui, self.has_all_keys);
                }
            }
            Some(visit) => whole_page(ui, |ui| dialogs::show(ui, visit, &mut wishes)),
            None => whole_page(ui, |ui| self.show_pages(ui, today, &mut wishes)),
        }
        if self.settings != before {
            wishes.push(Wish::Keep(self.settings));
        }
        let is_left = wishes.iter().any(|wish| matches!(wish, Wish::Leave));
        wishes.retain(|wish| !matches!(wish, Wish::Leave));
        self.wishes.append(&mut wishes);
        if is_left {
            self.leave();
        }
    }

    fn show_pages(&mut self, ui: &mut Ui, today: Timestamp, wishes: &mut Vec<Wish>) {
        if let Some(sentence) = &self.problem
            && pages::dismissed(ui, sentence)
        {
            self.problem = None;
        }
        let shown = pages::Shown { hosts: &self.hosts, unsearchable: self.unsearchable.as_ref(), today };
        let chosen = pages::show(ui, &mut self.page, &shown, &mut self.settings, wishes);
        if let Some(target) = chosen {
            self.visit(target);
        }
    }

    /// Ends the visit, as its person's chord over a picture does.
    pub fn leave(&mut self) {
        if self.visit.take().is_some() {
            self.has_menu = false;
            self.entry_until = None;
            self.number += 1;
            self.wishes.push(Wish::Leave);
        }
    }

    /// What its person wants since this was asked last.
    #[must_use = "a wish that is not granted is a button that does nothing"]
    pub fn take_wishes(&mut self) -> Vec<Wish> {
        std::mem::take(&mut self.wishes)
    }

    /// The host whose picture fills the window, where one does.
    pub fn shows_picture(&self) -> Option<&str> {
        self.visit.as_ref().filter(|visit| visit.shows_picture()).map(|visit| visit.host.as_str())
    }

    /// Whether [`show`](Self::show) has something to draw over the picture.
    pub fn draws_over_picture(&self) -> bool {
        self.covers_picture() || self.entry_until.is_some()
    }

    /// Whether something lies over the picture, which the keyboard and the pointer are for.
    pub fn covers_picture(&self) -> bool {
        self.visit.as_ref().is_some_and(|visit| match visit.stage {
            Stage::Reconnecting(_) => true,
            Stage::Picture => self.has_menu,
            _ => false,
        })
    }

    /// Whether a session's pictures are wanted: it opens, is shown, or is being taken up again.
    pub fn wants_picture(&self) -> bool {
        self.visit
            .as_ref()
            .is_some_and(|visit| visit.shows_picture() || matches!(visit.stage, Stage::Opening))
    }

    /// Whether the first picture of a session is news.
    pub fn awaits_picture(&self) -> bool {
        self.visit
            .as_ref()
            .is_some_and(|visit| matches!(visit.stage, Stage::Opening | Stage::Reconnecting(_)))
    }

    /// Whether a lost session is being taken up again.
    pub fn is_reconnecting(&self) -> bool {
        self.visit.as_ref().is_some_and(|visit| matches!(visit.stage, Stage::Reconnecting(_)))
    }

    /// Opens the menu over the picture, or closes it.
    pub fn toggle_menu(&mut self) {
        self.has_menu = !self.has_menu;
    }

    /// Whether the desktop's own keys go to the host, as was [told](News::AllKeys).
    pub fn has_all_keys(&self) -> bool {
        self.has_all_keys
    }

    /// What its person wants the same at every start.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// What the window is called.
    pub fn title(&self) -> String {
        match &self.visit {
            Some(visit) => format!("{} – Punktfunk", dialogs::heading(visit)),
            None => match self.page.heading() {
                Some(heading) => format!("{heading} – Punktfunk"),
                None => "Punktfunk".to_owned(),
            },
        }
    }

    /// What is being visited, if anything is.
    pub fn visited(&self) -> Option<&Visit> {
        self.visit.as_ref()
    }
}

fn whole_page<R>(ui: &mut Ui, add: impl FnOnce(&mut Ui) -> R) -> R {
    let margin = if ui.available_width() < DIALOG { Margin::same(8) } else { Margin::symmetric(28, 20) };
    let frame = Frame::new().fill(PALETTE.background).inner_margin(margin);
    CentralPanel::default().frame(frame).show_inside(ui, add).inner
}
