//! Buttons, and lines of text that mean something.

use egui::{Button, Color32, CornerRadius, Frame, Label, Margin, Response, RichText, Stroke, Ui, Vec2};

use crate::{
    sentences::Sentence,
    theme::{CONTROL, PALETTE, RADIUS_SMALL},
};

/// How much a button is to be pressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Weight {
    /// What is most likely wanted; one a page.
    Main,
    /// What else can be done.
    Other,
    /// What leaves the page, or is the weaker way: there, and not in the way.
    Quiet,
    /// What cannot be undone.
    Danger,
}

/// A button with a text, which is also what a screen reader says.
pub(crate) fn button(ui: &mut Ui, weight: Weight, text: &str) -> Response {
    let (ink, fill, edge) = match weight {
        Weight::Main => (PALETTE.on_accent, Some(PALETTE.accent), PALETTE.accent),
        Weight::Other => (PALETTE.ink, None, PALETTE.edge),
        Weight::Quiet => (PALETTE.muted, Some(Color32::TRANSPARENT), Color32::TRANSPARENT),
        Weight::Danger => (PALETTE.on_danger, Some(PALETTE.danger), PALETTE.danger),
    };
    let mut text = RichText::new(text).color(ink);
    if matches!(weight, Weight::Main | Weight::Danger) {
        text = text.strong();
    }
    let mut button = Button::new(text).stroke(Stroke::new(1.0, edge)).min_size(Vec2::new(0.0, CONTROL));
    if let Some(fill) = fill {
        button = button.fill(fill);
    }
    let response = ui.add(button);
    outline_focus(ui, &response);
    response
}

/// Draws around what has the keyboard. egui's own mark is a change of colour, which a button with a colour of its own lacks.
pub(crate) fn outline_focus(ui: &Ui, response: &Response) {
    if response.has_focus() {
        let outline = response.rect.expand(3.0);
        let radius = CornerRadius::same(RADIUS_SMALL + 3);
        let stroke = Stroke::new(2.0, PALETTE.ink);
        ui.painter().rect_stroke(outline, radius, stroke, egui::StrokeKind::Middle);
    }
}

/// The heading of a page.
pub(crate) fn title(ui: &mut Ui, text: &str) {
    ui.add(Label::new(RichText::new(text).heading().strong().color(PALETTE.ink)).wrap());
}

/// A line that explains.
pub(crate) fn hint(ui: &mut Ui, text: &str) {
    ui.add(Label::new(RichText::new(text).color(PALETTE.muted)).wrap());
}

/// What went wrong, and what to do.
pub(crate) fn problem(ui: &mut Ui, sentence: &Sentence) {
    Frame::new()
        .fill(PALETTE.danger_soft)
        .corner_radius(CornerRadius::same(RADIUS_SMALL))
        .inner_margin(Margin::same(12))
        .show(ui, |ui| {
            ui.set_min_width(ui.available_width());
            ui.spacing_mut().item_spacing.y = 4.0;
            ui.add(Label::new(RichText::new(&sentence.message).strong().color(PALETTE.danger)).wrap());
            ui.add(Label::new(RichText::new(&sentence.hint).color(PALETTE.ink)).wrap());
        });
}

/// A word in a frame of its own colour.
pub(crate) fn pill(ui: &mut Ui, text: &str, color: Color32) {
    Frame::new()
        .stroke(Stroke::new(1.0, color.gamma_multiply(0.6)))
        .corner_radius(CornerRadius::same(255))
        .inner_margin(Margin::symmetric(9, 2))
        .show(ui, |ui| ui.label(RichText::new(text).small().color(color)));
}
