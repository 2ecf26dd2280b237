//! Frames around what belongs together.

use egui::{Align, Color32, CornerRadius, Frame, Layout, Margin, ScrollArea, Stroke, Ui, Vec2};

use crate::theme::{DIALOG, PALETTE, RADIUS};

/// A frame in the colour of cards.
pub(crate) fn card(edge: Color32) -> Frame {
    Frame::new()
        .fill(PALETTE.surface)
        .stroke(Stroke::new(1.0, edge))
        .corner_radius(CornerRadius::same(RADIUS))
        .inner_margin(Margin::same(18))
}

/// A dialog in the middle of the page, which scrolls where the window is smaller.
pub(crate) fn dialog<R>(ui: &mut Ui, edge: Color32, add: impl FnOnce(&mut Ui) -> R) -> R {
    let room = ui.available_size();
    let is_narrow = room.x < DIALOG;
    let width = DIALOG.min(room.x - if is_narrow { 4.0 } else { 32.0 });
    let margin: i8 = if is_narrow { 14 } else { 28 };
    ScrollArea::vertical()
        .auto_shrink([false, false])
        .show(ui, |ui| {
            ui.vertical_centered(|ui| {
                ui.add_space((room.y * 0.06).min(90.0));
                ui.allocate_ui_with_layout(Vec2::new(width, 0.0), Layout::top_down(Align::Min), |ui| {
                    card(edge)
                        .inner_margin(Margin::same(margin))
                        .show(ui, |ui| {
                            ui.set_width(width - 2.0 * f32::from(margin));
                            ui.spacing_mut().item_spacing.y = 14.0;
                            add(ui)
                        })
                        .inner
                })
                .inner
            })
            .inner
        })
        .inner
}
