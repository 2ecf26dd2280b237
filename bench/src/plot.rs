//! Plots as SVG: plain, and with a ground of their own, so that they can be read on a light page and on a dark one.

use std::fmt::Write as _;

/// Values of several things, side by side: the middle, and how far the rest goes.
pub(crate) struct Spread {
    pub(crate) title: String,
    pub(crate) unit: &'static str,
    pub(crate) rows: Vec<Row>,
}

/// One of them.
pub(crate) struct Row {
    pub(crate) label: String,
    pub(crate) p50: f64,
    pub(crate) p95: f64,
    pub(crate) p99: f64,
    /// Whether it is the one that matters.
    pub(crate) is_ours: bool,
}

/// Values over time, one panel below the other.
pub(crate) struct Timeline {
    pub(crate) title: String,
    /// How long all of it is, in seconds.
    pub(crate) seconds: f64,
    pub(crate) panels: Vec<Panel>,
}

/// One value over time.
pub(crate) struct Panel {
    pub(crate) label: String,
    /// Time in seconds, value.
    pub(crate) points: Vec<(f64, f64)>,
    /// What limits the value, as steps: from a time in seconds on.
    pub(crate) limit: Vec<(f64, f64)>,
}

impl Spread {
    pub(crate) fn svg(&self) -> String {
        let height = TOP + self.rows.len() as f64 * ROW + BOTTOM;
        let reach = round_up(self.rows.iter().map(|row| row.p99).fold(0.0, f64::max));
        let x = |value: f64| LABELS + value / reach * (WIDTH - LABELS - RIGHT);
        let mut svg = open(height, &self.title);
        let floor = height - BOTTOM;
        for step in 0..=STEPS {
            let value = reach * f64::from(step) / f64::from(STEPS);
            line(&mut svg, (x(value), TOP), (x(value), floor), GRID, 1.0);
            let label = if step == STEPS { format!("{} {}", short(value), self.unit) } else { short(value) };
            text(&mut svg, (x(value), floor + 16.0), "middle", FAINT, &label);
        }
        for (number, row) in self.rows.iter().enumerate() {
            let y = TOP + (number as f64 + 0.5) * ROW;
            let colour = if row.is_ours { OURS } else { OTHERS };
            text(&mut svg, (LABELS - 10.0, y + 4.0), "end", INK, &row.label);
            line(&mut svg, (x(0.0), y), (x(row.p50), y), colour, 12.0);
            line(&mut svg, (x(row.p50), y), (x(row.p95), y), colour, 5.0);
            line(&mut svg, (x(row.p95), y), (x(row.p99), y), colour, 1.5);
            text(&mut svg, (x(row.p99) + 5.0, y + 4.0), "start", FAINT, &short(row.p50));
        }
        text(&mut svg, (WIDTH - RIGHT, 34.0), "end", FAINT, "bar: p50, thick line: p95, thin line: p99");
        svg + "</svg>\n"
    }
}

impl Timeline {
    pub(crate) fn svg(&self) -> String {
        let height = TOP + self.panels.len() as f64 * PANEL + BOTTOM;
        let x = |seconds: f64| MARGIN + seconds / self.seconds * (WIDTH - MARGIN - RIGHT);
        let mut svg = open(height, &self.title);
        for (number, panel) in self.panels.iter().enumerate() {
            let (top, floor) = (TOP + number as f64 * PANEL, TOP + (number as f64 + 1.0) * PANEL - GAP);
            let highest = panel.points.iter().chain(&panel.limit).map(|point| point.1).fold(0.0, f64::max);
            let reach = round_up(highest);
            let y = |value: f64| floor - value / reach * (floor - top - 18.0);
            for step in 0..=2 {
                let value = reach * f64::from(step) / 2.0;
                line(&mut svg, (MARGIN, y(value)), (WIDTH - RIGHT, y(value)), GRID, 1.0);
                text(&mut svg, (MARGIN - 6.0, y(value) + 4.0), "end", FAINT, &short(value));
            }
            text(&mut svg, (MARGIN, top + 10.0), "start", INK, &panel.label);
            let ends = panel.limit.iter().skip(1).map(|step| step.0).chain([self.seconds]);
            let steps: Vec<_> = panel
                .limit
                .iter()
                .zip(ends)
                .flat_map(|(&(from, value), to)| [(x(from), y(value)), (x(to), y(value))])
                .collect();
            path(&mut svg, &steps, OTHERS, 1.5);
            let points: Vec<_> = panel.points.iter().map(|&(at, value)| (x(at), y(value))).collect();
            path(&mut svg, &points, OURS, 1.5);
        }
        for step in 0..=STEPS {
            let seconds = self.seconds * f64::from(step) / f64::from(STEPS);
            let label = if step == STEPS { format!("{} s", short(seconds)) } else { short(seconds) };
            text(&mut svg, (x(seconds), height - BOTTOM + 8.0), "middle", FAINT, &label);
        }
        svg + "</svg>\n"
    }
}

fn open(height: f64, title: &str) -> String {
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" font-family=\"sans-serif\" \
         font-size=\"12\" role=\"img\">\n<rect width=\"{WIDTH}\" height=\"{height}\" fill=\"#ffffff\"/>\n"
    );
    let title = escaped(title);
    _ = writeln!(svg, "<title>{title}</title>");
    _ = writeln!(
        svg,
        "<text x=\"12\" y=\"22\" font-size=\"14\" font-weight=\"bold\" fill=\"{INK}\">{title}</text>"
    );
    svg
}

fn line(svg: &mut String, from: (f64, f64), to: (f64, f64), colour: &str, width: f64) {
    let ((x1, y1), (x2, y2)) = (from, to);
    _ = writeln!(
        svg,
        "<line x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\" stroke=\"{colour}\" stroke-width=\"{width}\"/>"
    );
}

fn path(svg: &mut String, points: &[(f64, f64)], colour: &str, width: f64) {
    let points: Vec<_> = points.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
    let points = points.join(" ");
    _ = writeln!(
        svg,
        "<polyline points=\"{points}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"{width}\"/>"
    );
}

fn text(svg: &mut String, (x, y): (f64, f64), anchor: &str, colour: &str, words: &str) {
    let words = escaped(words);
    _ = writeln!(
        svg,
        "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\" fill=\"{colour}\">{words}</text>"
    );
}

fn escaped(words: &str) -> String {
    words.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// The next number that an axis can end at.
fn round_up(value: f64) -> f64 {
    let power = 10_f64.powf(value.max(1e-6).log10().floor());
    let steps = [1.0, 2.0, 5.0, 10.0];
    steps.into_iter().map(|step| step * power).find(|end| *end >= value).unwrap_or(10.0 * power)
}

fn short(value: f64) -> String {
    if value >= 100.0 || value.fract().abs() < 0.05 { format!("{value:.0}") } else { format!("{value:.1}") }
}

const WIDTH: f64 = 760.0;
const LABELS: f64 = 200.0;
const MARGIN: f64 = 60.0;
const RIGHT: f64 = 50.0;
const TOP: f64 = 44.0;
const BOTTOM: f64 = 26.0;
const ROW: f64 = 26.0;
const PANEL: f64 = 150.0;
const GAP: f64 = 22.0;
const STEPS: i32 = 5;

const INK: &str = "#222222";
const FAINT: &str = "#666666";
const GRID: &str = "#dddddd";
const OURS: &str = "#2e5a88";
const OTHERS: &str = "#a7a29b";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_axis_ends_at_a_round_number() {
        let ends = [(0.7, 1.0), (1.0, 1.0), (1.2, 2.0), (23.0, 50.0), (99.0, 100.0)];
        for (value, end) in ends {
            assert!((round_up(value) - end).abs() < 1e-9, "{value}: {}", round_up(value));
        }
        assert!(round_up(0.0) > 0.0, "nothing is divided by nothing");
    }

    #[test]
    fn what_is_plotted_is_within_the_plot_and_has_its_own_ground() {
        let row = |label: &str, p50| Row {
            label: label.into(),
            p50,
            p95: 2.0 * p50,
            p99: 3.0 * p50,
            is_ours: false,
        };
        let spread =
            Spread { title: "a < b".into(), unit: "ms", rows: vec![row("one", 3.0), row("two", 11.0)] };
        let svg = spread.svg();
        assert!(svg.contains("fill=\"#ffffff\"") && svg.contains("a &lt; b") && svg.ends_with("</svg>\n"));
        let mut ends =
            svg.split("x2=\"").skip(1).filter_map(|rest| rest.split('"').next()?.parse::<f64>().ok());
        assert!(ends.all(|x| x <= WIDTH - RIGHT + 0.1));
    }
}
