//! Fingerprints and check codes, for the eye.

use egui::{CornerRadius, FontId, Frame, Label, Margin, RichText, Ui};
use pf_base::{CheckCode, Fingerprint};

use crate::theme::{PALETTE, RADIUS_SMALL};

/// A fingerprint, whole and for the eye: in the forms in which a host shows its own.
pub(crate) fn fingerprint(ui: &mut Ui, caption: &str, fingerprint: &Fingerprint) {
    Frame::new()
        .fill(PALETTE.sunken)
        .corner_radius(CornerRadius::same(RADIUS_SMALL))
        .inner_margin(Margin::same(12))
        .show(ui, |ui| {
            ui.set_min_width(ui.available_width());
            ui.spacing_mut().item_spacing.y = 6.0;
            ui.label(RichText::new(caption).small().color(PALETTE.muted));
            let is_wide = ui.available_width() > 300.0;
            let (size, groups_of_a_row) = if is_wide { (19.0, 8) } else { (16.0, 4) };
            let eye =
                RichText::new(fingerprint.for_the_eye()).font(FontId::monospace(size)).color(PALETTE.ink);
            ui.add(Label::new(eye).wrap());
            let whole = fingerprint.to_string();
            // Rows of as many groups each: the eye finds its place again.
            let groups: Vec<_> = whole.split(' ').collect();
            let rows: Vec<_> = groups.chunks(groups_of_a_row).map(|row| row.join(" ")).collect();
            ui.add(
                Label::new(RichText::new(rows.join("\n")).monospace().color(PALETTE.muted)).selectable(true),
            );
        });
}

/// A check code, large.
pub(crate) fn check_code(ui: &mut Ui, code: CheckCode) {
    let digits = code.to_string();
    let (left, right) = digits.split_at(digits.len() / 2);
    ui.vertical_centered(|ui| {
        let text =
            RichText::new(format!("{left} {right}")).font(FontId::monospace(56.0)).color(PALETTE.accent);
        ui.add(Label::new(text));
    });
}
