//! The table of figures.

use std::{fmt, time::Duration};

/// Figures, each with its baseline.
pub(crate) struct Table {
    rows: Vec<Row>,
}

struct Row {
    what: String,
    figure: String,
    baseline: String,
    ratio: f64,
    aim: String,
}

impl Table {
    pub(crate) fn new() -> Self {
        Self { rows: Vec::new() }
    }

    /// How long something takes, and how long the bare library needs for it.
    pub(crate) fn time(&mut self, what: impl Into<String>, figure: Duration, baseline: Duration, aim: &str) {
        let ratio = figure.as_secs_f64() / baseline.as_secs_f64();
        self.push(what, milliseconds(figure), milliseconds(baseline), ratio, aim);
    }

    /// How often something happens a second.
    pub(crate) fn rate(&mut self, what: impl Into<String>, figure: f64, baseline: f64) {
        self.push(what, format!("{figure:.0} /s"), format!("{baseline:.0} /s"), figure / baseline, "");
    }

    /// How much memory something takes, in KiB.
    pub(crate) fn memory(&mut self, what: impl Into<String>, figure: u64, baseline: u64) {
        let shown = |kib: u64| format!("{:.1} MiB", kib as f64 / 1024.0);
        self.push(what, shown(figure), shown(baseline), figure as f64 / baseline as f64, "");
    }

    fn push(&mut self, what: impl Into<String>, figure: String, baseline: String, ratio: f64, aim: &str) {
        let row = Row { what: what.into(), figure, baseline, ratio, aim: aim.to_owned() };
        eprintln!("{row}");
        self.rows.push(row);
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "| figure | measured | bare baseline | ratio | aim |\n| --- | ---: | ---: | ---: | --- |"
        )?;
        self.rows.iter().try_for_each(|row| writeln!(f, "{row}"))
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { what, figure, baseline, ratio, aim } = self;
        write!(f, "| {what} | {figure} | {baseline} | {ratio:.2} | {aim} |")
    }
}

/// The value below which `percent` of the samples lie.
///
/// # Panics
/// When there are none.
pub(crate) fn percentile(samples: &mut [Duration], percent: usize) -> Duration {
    samples.sort_unstable();
    samples[(samples.len() * percent / 100).min(samples.len() - 1)]
}

fn milliseconds(duration: Duration) -> String {
    format!("{:.2} ms", duration.as_secs_f64() * 1000.0)
}
