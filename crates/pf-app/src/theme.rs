//! How the app looks: the console's colours, spaces and sizes of text.

use egui::{
    Color32, Context, CornerRadius, FontFamily, FontId, Margin, Stroke, TextStyle, Theme, Vec2, Visuals,
};

/// The colours of the app, by what they are for.
#[derive(Clone, Copy, Debug)]
pub struct Palette {
    /// Behind everything.
    pub background: Color32,
    /// A card or a dialog.
    pub surface: Color32,
    /// A field to type in.
    pub sunken: Color32,
    /// Between things.
    pub line: Color32,
    /// Around what can be typed in or pressed.
    pub edge: Color32,
    /// Text.
    pub ink: Color32,
    /// Text that matters less.
    pub muted: Color32,
    /// What is most likely wanted.
    pub accent: Color32,
    /// Text on that.
    pub on_accent: Color32,
    /// Behind what deserves a look.
    pub accent_soft: Color32,
    /// What is wrong, or cannot be undone.
    pub danger: Color32,
    /// Text on that.
    pub on_danger: Color32,
    /// Behind an alarm.
    pub danger_soft: Color32,
    /// What is well.
    pub ok: Color32,
}

/// The one palette: a stream's windows are dark, and so is the way to them.
pub const PALETTE: Palette = Palette {
    background: Color32::from_rgb(0x13, 0x12, 0x11),
    surface: Color32::from_rgb(0x1c, 0x1a, 0x18),
    sunken: Color32::from_rgb(0x0d, 0x0c, 0x0b),
    line: Color32::from_rgb(0x30, 0x2d, 0x29),
    edge: Color32::from_rgb(0x7d, 0x77, 0x6c),
    ink: Color32::from_rgb(0xf3, 0xf0, 0xea),
    muted: Color32::from_rgb(0xb3, 0xad, 0xa2),
    accent: Color32::from_rgb(0xff, 0xb2, 0x24),
    on_accent: Color32::from_rgb(0x1c, 0x14, 0x00),
    accent_soft: Color32::from_rgb(0x2f, 0x25, 0x10),
    danger: Color32::from_rgb(0xff, 0x8d, 0x83),
    on_danger: Color32::from_rgb(0x2b, 0x07, 0x04),
    danger_soft: Color32::from_rgb(0x36, 0x1a, 0x17),
    ok: Color32::from_rgb(0x74, 0xd2, 0x94),
};

/// How high what can be pressed is at least, in points: a thumb hits it.
pub const CONTROL: f32 = 40.0;

/// How wide a dialog is, in points.
pub const DIALOG: f32 = 520.0;

/// The radius of cards and dialogs.
pub const RADIUS: u8 = 12;

/// The radius of controls.
pub const RADIUS_SMALL: u8 = 8;

/// Gives a context the app's look.
pub fn apply(context: &Context) {
    context.set_theme(Theme::Dark);
    context.all_styles_mut(|style| {
        style.text_styles = [
            (TextStyle::Small, FontId::new(13.0, FontFamily::Proportional)),
            (TextStyle::Body, FontId::new(15.0, FontFamily::Proportional)),
            (TextStyle::Button, FontId::new(15.0, FontFamily::Proportional)),
            (TextStyle::Heading, FontId::new(22.0, FontFamily::Proportional)),
            (TextStyle::Monospace, FontId::new(14.0, FontFamily::Monospace)),
        ]
        .into();
        style.spacing.item_spacing = Vec2::new(12.0, 10.0);
        style.spacing.button_padding = Vec2::new(16.0, 8.0);
        style.spacing.interact_size.y = CONTROL;
        style.spacing.menu_margin = Margin::same(8);
        // Nothing moves for its own sake: a picture that is drawn by the processor is drawn when something changed.
        style.animation_time = 0.0;
        style.visuals = visuals();
    });
}

fn visuals() -> Visuals {
    let palette = PALETTE;
    let mut visuals = Visuals::dark();
    visuals.panel_fill = palette.background;
    visuals.window_fill = palette.surface;
    visuals.window_stroke = Stroke::new(1.0, palette.line);
    visuals.window_corner_radius = CornerRadius::same(RADIUS);
    visuals.menu_corner_radius = CornerRadius::same(RADIUS_SMALL);
    visuals.extreme_bg_color = palette.sunken;
    visuals.hyperlink_color = palette.accent;
    visuals.selection.bg_fill = palette.accent.gamma_multiply(0.35);
    visuals.selection.stroke = Stroke::new(2.0, palette.accent);
    let widgets = &mut visuals.widgets;
    for widget in [
        &mut widgets.noninteractive,
        &mut widgets.inactive,
        &mut widgets.hovered,
        &mut widgets.active,
        &mut widgets.open,
    ] {
        widget.corner_radius = CornerRadius::same(RADIUS_SMALL);
        widget.fg_stroke = Stroke::new(1.0, palette.ink);
        widget.expansion = 0.0;
    }
    widgets.noninteractive.bg_stroke = Stroke::new(1.0, palette.line);
    let raised = Color32::from_rgb(0x29, 0x26, 0x22);
    for (widget, fill, edge) in [
        (&mut widgets.inactive, raised, palette.line),
        (&mut widgets.hovered, Color32::from_rgb(0x35, 0x31, 0x2b), palette.edge),
        (&mut widgets.active, Color32::from_rgb(0x40, 0x3b, 0x34), palette.accent),
        (&mut widgets.open, raised, palette.edge),
    ] {
        widget.bg_fill = fill;
        widget.weak_bg_fill = fill;
        widget.bg_stroke = Stroke::new(1.0, edge);
    }
    visuals
}
