//! The field for a PIN: a box for each digit, which advances as digits come.

use std::fmt;

use egui::{
    CornerRadius, Event, EventFilter, FontId, Key, Rect, Response, Sense, Stroke, StrokeKind, Ui, Vec2,
    WidgetInfo,
};
use pf_base::{Pin, PinDigits};
use zeroize::Zeroizing;

use crate::theme::{PALETTE, RADIUS_SMALL};

/// The digits that were typed so far. Wiped when dropped, and not printed.
#[derive(Default)]
pub struct PinText(Zeroizing<String>);

impl PinText {
    /// Takes in what was typed or pasted: the digits in it, up to so many.
    pub fn push(&mut self, text: &str, most: usize) {
        for digit in text.chars().filter(char::is_ascii_digit) {
            if self.0.len() < most {
                self.0.push(digit);
            }
        }
    }

    /// The PIN, where there are as many digits as it has; at least four, where that is not known.
    pub fn whole(&self, digits: Option<PinDigits>) -> Option<Pin> {
        let is_whole = digits.is_none_or(|digits| self.0.len() == usize::from(digits.count()));
        Pin::parse(&self.0).ok().filter(|_| is_whole)
    }

    fn back(&mut self) {
        self.0.pop();
    }

    fn digit(&self, place: usize) -> Option<&str> {
        self.0.get(place..=place)
    }
}

impl fmt::Debug for PinText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PinText({} digits)", self.0.len())
    }
}

/// The most digits that a PIN has.
const MOST: usize = 10;

/// A field for a PIN of so many digits, as far as it is known. Whether it is whole, and Enter was pressed, is the caller's
/// to see.
pub(crate) fn pin_entry(ui: &mut Ui, text: &mut PinText, digits: Option<PinDigits>) -> Response {
    let most = digits.map_or(MOST, |digits| usize::from(digits.count()));
    let places = digits.map_or_else(|| (text.0.len() + 1).clamp(4, MOST), |_| most);
    let gap = 8.0;
    let width = ((ui.available_width() + gap) / places as f32 - gap).min(52.0);
    let size = Vec2::new((width + gap) * places as f32 - gap, width * 1.25);
    let (rect, response) = ui.allocate_exact_size(size, Sense::click());
    if response.clicked() {
        response.request_focus();
    }
    if response.has_focus() {
        ui.memory_mut(|memory| {
            // Arrows still move between controls, and so does Tab; Escape leaves the page.
            memory.set_focus_lock_filter(response.id, EventFilter::default());
        });
        take_in(ui, text, most);
    }
    let caret = text.0.len().min(places - 1);
    for place in 0..places {
        let left = rect.left() + (width + gap) * place as f32;
        let digit_box = Rect::from_min_size(egui::pos2(left, rect.top()), Vec2::new(width, size.y));
        let is_next = response.has_focus() && place == caret;
        let edge = if is_next { Stroke::new(2.0, PALETTE.accent) } else { Stroke::new(1.0, PALETTE.edge) };
        let radius = CornerRadius::same(RADIUS_SMALL);
        ui.painter().rect(digit_box, radius, PALETTE.sunken, edge, StrokeKind::Inside);
        if let Some(digit) = text.digit(place) {
            let font = FontId::monospace(width * 0.6);
            ui.painter().text(digit_box.center(), egui::Align2::CENTER_CENTER, digit, font, PALETTE.ink);
        } else if is_next {
            let line = Rect::from_center_size(digit_box.center(), Vec2::new(2.0, size.y * 0.45));
            ui.painter().rect_filled(line, 0.0, PALETTE.accent);
        }
    }
    response.widget_info(|| {
        // How many digits there are, and not which: whatever reads the screen aloud may be heard by others.
        let typed = "•".repeat(text.0.len());
        WidgetInfo::text_edit(true, "", typed, "The PIN that the host shows")
    });
    response
}

/// What the keyboard and the clipboard bring.
fn take_in(ui: &Ui, text: &mut PinText, most: usize) {
    ui.input(|input| {
        for event in &input.events {
            match event {
                Event::Text(typed) | Event::Paste(typed) => text.push(typed, most),
                Event::Key { key: Key::Backspace, pressed: true, .. } => text.back(),
                _ => {}
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_taken_from_whatever_is_typed_or_pasted() {
        let mut text = PinText::default();
        text.push(" 04 1x", 4);
        assert!(text.whole(PinDigits::new(4)).is_none());
        text.push("7\n99", 4);
        assert_eq!(text.whole(PinDigits::new(4)).unwrap().reveal(), "0417");
        assert!(text.whole(PinDigits::new(6)).is_none());
        assert!(text.whole(None).is_some(), "four digits may be a whole PIN");
        text.back();
        assert!(text.whole(None).is_none());
    }

    /// A PIN in a log or a panic's message is one that others read.
    #[test]
    fn inv_22_what_was_typed_is_not_printed() {
        let mut text = PinText::default();
        text.push("8305", 4);
        assert!(!format!("{text:?}").contains("8305"));
    }
}
