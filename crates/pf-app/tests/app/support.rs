//! Somebody who uses the app: sees what is on its pages, clicks, types, and looks at the whole.

use std::time::{Duration, Instant};

use egui::{Event, Key, accesskit::Role};
use egui_kittest::{
    Harness, SnapshotOptions,
    kittest::{NodeT, Queryable},
};
use egui_software_backend::{ColorFieldOrder, EguiSoftwareRender};
use pf_app::{App, News, Settings, Stage, Target, VisitNews, Wish, theme};
use pf_base::{Fingerprint, Timestamp};

/// The app, and what its person wished of it.
pub(crate) struct Desk {
    app: App,
    now: Instant,
    wishes: Vec<Wish>,
}

/// Somebody at the app.
pub(crate) struct Person {
    harness: Harness<'static, Desk>,
    /// The number of the visit that was begun last.
    visit: u32,
}

/// When it is, in every test.
pub(crate) const TODAY: Timestamp = Timestamp::EPOCH;

impl Person {
    /// Somebody in front of the app.
    pub(crate) fn at(app: App) -> Self {
        let desk = Desk { app, now: Instant::now(), wishes: Vec::new() };
        let mut is_dressed = false;
        let mut harness = Harness::builder()
            .with_size([900.0, 640.0])
            .with_max_steps(8)
            .renderer(EguiSoftwareRender::new(ColorFieldOrder::Rgba))
            .build_ui_state(
                move |ui, desk: &mut Desk| {
                    if !std::mem::replace(&mut is_dressed, true) {
                        theme::apply(ui.ctx());
                    }
                    desk.app.show(ui, desk.now, TODAY);
                    desk.wishes.extend(desk.app.take_wishes());
                },
                desk,
            );
        harness.run_ok();
        Self { harness, visit: 0 }
    }

    /// Somebody who has just clicked on a host.
    pub(crate) fn visiting(host: &str) -> Self {
        let mut app = App::new(Settings::default());
        app.visit(Target::Typed(host.to_owned()));
        let wishes = app.take_wishes();
        let [Wish::Visit(visit, Target::Typed(_))] = wishes[..] else { panic!("{wishes:?}") };
        Self { visit, ..Self::at(app) }
    }

    /// The app is told of something on the visit that was begun last.
    pub(crate) fn hear(&mut self, news: VisitNews) {
        self.hear_of(News::Visit(self.visit, news));
    }

    /// The app is told of something.
    pub(crate) fn hear_of(&mut self, news: News) {
        let desk = self.harness.state_mut();
        desk.app.hear(news, desk.now);
        self.settle();
    }

    /// So much time goes by.
    pub(crate) fn waits(&mut self, for_so_long: Duration) {
        let desk = self.harness.state_mut();
        desk.now += for_so_long;
        desk.app.poll(desk.now);
        self.settle();
    }

    pub(crate) fn types(&mut self, text: &str) {
        for letter in text.chars() {
            self.harness.event(Event::Text(letter.to_string()));
        }
        self.settle();
    }

    pub(crate) fn pastes(&mut self, text: &str) {
        self.harness.event(Event::Paste(text.to_owned()));
        self.settle();
    }

    pub(crate) fn presses(&mut self, key: Key) {
        self.harness.key_press(key);
        self.settle();
    }

    pub(crate) fn clicks(&mut self, button: &str) {
        self.harness.get_by_role_and_label(Role::Button, button).click();
        self.settle();
    }

    /// There is a line with exactly this text.
    pub(crate) fn sees(&self, text: &str) {
        self.harness.get_all_by_label(text).next().unwrap_or_else(|| panic!("{text:?} is not there"));
    }

    /// There is a line that has this text in it.
    pub(crate) fn sees_in_part(&self, text: &str) {
        let found = self.harness.query_all_by_label_contains(text).next();
        assert!(found.is_some(), "{text:?} is not there");
    }

    pub(crate) fn does_not_see(&self, text: &str) {
        assert!(self.harness.query_all_by_label_contains(text).next().is_none(), "{text:?} is there");
    }

    /// The texts of all buttons, in the order of the keyboard.
    pub(crate) fn buttons(&self) -> Vec<String> {
        self.harness
            .query_all_by_role(Role::Button)
            .map(|node| node.accesskit_node().label().unwrap_or_default())
            .collect()
    }

    /// What has the keyboard.
    pub(crate) fn focused(&self) -> String {
        let nodes = self.harness.query_all_by(|node| node.is_focused() && !node.is_hidden());
        nodes.map(|node| node.accesskit_node().label().unwrap_or_default()).next().unwrap_or_default()
    }

    /// Opens a list of choices, and takes one.
    pub(crate) fn chooses(&mut self, caption: &str, choice: &str) {
        self.harness.get_by_role_and_label(Role::ComboBox, caption).click();
        self.settle();
        self.clicks(choice);
    }

    pub(crate) fn opens_the_menu(&mut self) {
        self.harness.state_mut().app.toggle_menu();
        self.settle();
    }

    /// The display, or its person, wants everything so many times as large.
    pub(crate) fn looks_at_scale(&mut self, times: f32) {
        self.harness.set_pixels_per_point(times);
        self.settle();
    }

    /// What was wished since this was asked last.
    pub(crate) fn wishes(&mut self) -> Vec<Wish> {
        let desk = self.harness.state_mut();
        desk.wishes.extend(desk.app.take_wishes());
        std::mem::take(&mut desk.wishes)
    }

    pub(crate) fn title(&self) -> String {
        self.harness.state().app.title()
    }

    pub(crate) fn stage(&self) -> &Stage {
        &self.harness.state().app.visited().expect("a visit").stage
    }

    pub(crate) fn shows_picture(&self) -> bool {
        self.harness.state().app.shows_picture().is_some()
    }

    /// The whole looks as it did when it was last looked at by a person: `tests/snapshots` has how.
    pub(crate) fn looks_like(&mut self, name: &str) {
        let options = SnapshotOptions::new().threshold(1.0).failed_pixel_count_threshold(60_usize);
        self.harness.snapshot_options(name, &options);
    }

    fn settle(&mut self) {
        // What turns never comes to rest; that is no reason not to go on.
        self.harness.run_ok();
    }
}

/// A fingerprint like no other number's.
pub(crate) fn fingerprint(number: u8) -> Fingerprint {
    Fingerprint::of_spki(&[number])
}
