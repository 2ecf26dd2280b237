//! What the overlay looks like: a card with figures, on a grid of letters.

use std::time::Duration;

use pf_client::{Moment, Percentiles, Stage};
use pf_media::picture::Size;

use super::layer::{Area, Colour, Face, Layer};

/// A card at so many pixels a point; `None` where there is nothing to show.
pub(super) fn short(moment: &Moment, scale: f32) -> Option<Layer> {
    let text = headline(moment);
    let mut sheet = Sheet::new(text.chars().count(), 1.0, scale)?;
    sheet.line(&[(0, &text, BRIGHT)]);
    Some(sheet.layer)
}

/// The same with every stage, what was lost, what is shown in which size, and what draws it.
pub(super) fn full(moment: &Moment, shown: Size, drawn_by: &str, scale: f32) -> Option<Layer> {
    let stages = [
        (Stage::Capture, 0x0060_A5FA),
        (Stage::Encode, 0x00A7_8BFA),
        (Stage::Queue, 0x00F4_72B6),
        (Stage::Network, 0x00FB_BF24),
        (Stage::Decode, 0x0034_D399),
        (Stage::Display, 0x0022_D3EE),
    ]
    .map(|(stage, colour)| (stage, Colour::opaque(colour)));
    let mut sheet = Sheet::new(COLUMNS, LINES, scale)?;
    sheet.line(&[(0, &headline(moment), BRIGHT)]);
    let shares = stages.map(|(stage, colour)| (moment.latency.of(stage).map(|latency| latency.p50), colour));
    sheet.bar(&shares);
    let right = |end: usize, text: String, colour: Colour| (end - text.chars().count(), text, colour);
    let mut row = |name: &str, dot: Option<Colour>, colour: Colour, cells: [String; 3]| {
        let [p50, p95, p99] = cells;
        let cells = [right(P50, p50, colour), right(P95, p95, MUTED), right(P99, p99, MUTED)];
        let mut words = vec![(if dot.is_some() { 2 } else { 0 }, name, colour)];
        words.extend(cells.iter().map(|(column, text, colour)| (*column, text.as_str(), *colour)));
        if let Some(dot) = dot {
            sheet.dot(dot);
        }
        sheet.line(&words);
    };
    row("ms", None, MUTED, ["p50", "p95", "p99"].map(str::to_owned));
    for (stage, colour) in stages {
        row(stage.name(), Some(colour), PLAIN, cells(moment.latency.of(stage)));
    }
    row("total", None, BRIGHT, cells(moment.latency.of(Stage::Total)));
    sheet.skip(GAP);
    let arrived = &moment.arrived;
    let facts = [
        ("lost", format!("{} last second, {} in all", moment.lost_lately, arrived.lost)),
        ("concealed", format!("{} in all", arrived.concealed)),
        ("repaired", format!("{} last second, {} in all", moment.repaired_lately, arrived.repaired)),
        ("link", format!("loss {:.1} %, round trip {} ms", arrived.loss * 100.0, tenths(moment.round_trip))),
        ("picture", picture(moment, shown)),
        ("drawn by", drawn_by.to_owned()),
    ];
    for (name, fact) in facts {
        let fact: String = fact.chars().take(COLUMNS - FACTS).collect();
        sheet.line(&[(0, name, MUTED), (FACTS, &fact, PLAIN)]);
    }
    Some(sheet.layer)
}

/// How often, how much and how late.
fn headline(moment: &Moment) -> String {
    let total = moment.latency.of(Stage::Total).map_or_else(|| "–".to_owned(), |total| tenths(total.p50));
    format!("{:.0} fps  {:.1} Mbit/s  {total} ms", moment.frames_per_second, moment.megabits_per_second)
}

/// Its source, its size, and that at which it is shown where that is another.
fn picture(moment: &Moment, shown: Size) -> String {
    let Some(stream) = &moment.stream else { return "–".to_owned() };
    let times = |size: Size| format!("{}×{}", size.width, size.height);
    let size = Size::new(stream.width, stream.height);
    let as_shown = if size == shown { String::new() } else { format!(" → {}", times(shown)) };
    format!("{} {}{as_shown}", stream.source, times(size))
}

fn cells(latency: Option<Percentiles>) -> [String; 3] {
    match latency {
        Some(latency) => [latency.p50, latency.p95, latency.p99].map(tenths),
        None => ["–"; 3].map(str::to_owned),
    }
}

fn tenths(duration: Duration) -> String {
    format!("{:.1}", duration.as_secs_f64() * 1000.0)
}

/// A card that is written from top to bottom.
struct Sheet {
    layer: Layer,
    face: Face,
    scale: f32,
    /// Where the next line begins.
    top: f32,
}

impl Sheet {
    /// An empty one with room for so many letters in so many lines.
    fn new(columns: usize, lines: f32, scale: f32) -> Option<Self> {
        let face = Face::new(LETTERS * scale)?;
        let size = Size::new(
            (face.advance() * columns as f32 + 2.0 * MARGIN_X * scale).ceil() as u32,
            ((lines * LINE + 2.0 * MARGIN_Y) * scale).ceil() as u32,
        );
        let mut layer = Layer::clear(size);
        let whole = Area { left: 0.0, top: 0.0, width: size.width as f32, height: size.height as f32 };
        layer.fill(whole, CORNER * scale, EDGE);
        let within = Area {
            left: scale,
            top: scale,
            width: whole.width - 2.0 * scale,
            height: whole.height - 2.0 * scale,
        };
        layer.fill(within, (CORNER - 1.0) * scale, GROUND);
        Some(Self { layer, face, scale, top: MARGIN_Y * scale })
    }

    /// Writes words, each at its column, and goes to the next line.
    fn line(&mut self, words: &[(usize, &str, Colour)]) {
        let baseline = (self.top + f32::midpoint(LINE * self.scale, self.face.capital())).round();
        for (column, text, colour) in words {
            let left = MARGIN_X * self.scale + self.face.advance() * *column as f32;
            self.layer.write(left, baseline, text, &self.face, *colour);
        }
        self.skip(1.0);
    }

    /// Puts a dot at the beginning of the line.
    fn dot(&mut self, colour: Colour) {
        let side = 7.0 * self.scale;
        let area = Area {
            left: MARGIN_X * self.scale,
            top: self.top + (LINE * self.scale - side) / 2.0,
            width: side,
            height: side,
        };
        self.layer.fill(area, 2.0 * self.scale, colour);
    }

    /// Draws how much of the whole each part is.
    fn bar(&mut self, parts: &[(Option<Duration>, Colour)]) {
        let width = self.layer.size().width as f32 - 2.0 * MARGIN_X * self.scale;
        let height = 6.0 * self.scale;
        let top = self.top + (BAR * LINE * self.scale - height) / 2.0;
        let whole: Duration = parts.iter().filter_map(|(part, _)| *part).sum();
        let mut left = MARGIN_X * self.scale;
        self.layer.fill(Area { left, top, width, height }, height / 2.0, EDGE);
        for (part, colour) in parts {
            let Some(part) = part.filter(|part| !part.is_zero()) else { continue };
            let share = width * part.as_secs_f32() / whole.as_secs_f32();
            let gap = self.scale.min(share / 2.0);
            self.layer.fill(Area { left, top, width: share - gap, height }, 2.0 * self.scale, *colour);
            left += share;
        }
        self.skip(BAR);
    }

    fn skip(&mut self, lines: f32) {
        self.top += lines * LINE * self.scale;
    }
}

const BRIGHT: Colour = Colour::opaque(0x00F8_FAFC);
const PLAIN: Colour = Colour::opaque(0x00CB_D5E1);
const MUTED: Colour = Colour::opaque(0x0094_A3B8);

/// Dark enough for letters on a white desktop, and clear enough to see that something moves below.
const GROUND: Colour = Colour::opaque(0x000B_1120).faded(225);

/// Sets the card off from a desktop that is as dark as it.
const EDGE: Colour = Colour::opaque(0x0064_748B).faded(110);

/// The width of a full card, and where its columns end or begin, in letters.
const COLUMNS: usize = 40;
const P50: usize = 20;
const P95: usize = 30;
const P99: usize = 40;
const FACTS: usize = 10;

/// The headline, the bar, eight lines of latencies, a gap, and six lines of facts.
const LINES: f32 = 1.0 + BAR + 8.0 + GAP + 6.0;

/// The height of the bar, and of the space between groups, in lines.
const BAR: f32 = 1.0;
const GAP: f32 = 0.4;

/// In points: the size of letters, the height of a line, what is left empty at the sides and above and below, corners.
const LETTERS: f32 = 17.0;
const LINE: f32 = 20.0;
const MARGIN_X: f32 = 14.0;
const MARGIN_Y: f32 = 9.0;
const CORNER: f32 = 9.0;
