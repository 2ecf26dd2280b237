//! What a measurement has to say: a table for whoever runs it, and for the docs.

use std::{fmt::Write as _, fs, path::Path};

use anyhow::{Context as _, Result};

use crate::process;

/// The results of one measurement.
pub(crate) struct Section {
    /// The name of its place in the docs.
    pub(crate) name: &'static str,
    /// Tables and what belongs to them, in Markdown.
    pub(crate) text: String,
    pub(crate) plots: Vec<Plot>,
}

/// A drawing that belongs to them.
pub(crate) struct Plot {
    /// What its file is called, after `bench-` and before `.svg`.
    pub(crate) name: String,
    /// What it shows, in words.
    pub(crate) shows: String,
    pub(crate) svg: String,
}

impl Section {
    /// Prints it, and with `docs`, the folder of the book, replaces what stands there.
    pub(crate) fn publish(mut self, docs: Option<&Path>) -> Result<()> {
        _ = writeln!(self.text, "\n`{}` on {}", command(), process::machine());
        println!("{}", self.text);
        let Some(docs) = docs else { return Ok(()) };
        for plot in &self.plots {
            let file = format!("bench-{}.svg", plot.name);
            fs::write(docs.join("images").join(&file), &plot.svg)?;
            _ = writeln!(self.text, "\n![{}](images/{file})", plot.shows);
        }
        let page = docs.join("benchmarks.md");
        let before = fs::read_to_string(&page).with_context(|| page.display().to_string())?;
        let after = replaced(&before, self.name, &self.text)
            .with_context(|| format!("{} has no place for {:?}", page.display(), self.name))?;
        fs::write(&page, after)?;
        eprintln!("{} has these figures now", page.display());
        Ok(())
    }
}

/// What this program was asked for, as a person asks for it; where results go is no part of it.
fn command() -> String {
    let words = std::env::args().skip(1).take_while(|word| !word.starts_with("--docs"));
    ["cargo", "xtask", "bench"].map(str::to_owned).into_iter().chain(words).collect::<Vec<_>>().join(" ")
}

/// The page with other text between the marks of a section.
fn replaced(page: &str, name: &str, text: &str) -> Option<String> {
    let [begin, end] = ["", "/"].map(|slash| format!("<!-- {slash}bench:{name} -->"));
    let (head, rest) = page.split_once(&begin)?;
    let (_, tail) = rest.split_once(&end)?;
    Some(format!("{head}{begin}\n\n{}\n\n{end}{tail}", text.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A page is written by people; a measurement may only touch what is its own.
    #[test]
    fn only_what_is_between_the_marks_is_replaced() {
        let page = "# A\n<!-- bench:one -->\nold\n<!-- /bench:one -->\nkept\n<!-- bench:two -->\nold\n<!-- /bench:two -->\n";
        let after = replaced(page, "two", "new\n").unwrap();
        assert_eq!(after, page.replace("two -->\nold\n<", "two -->\n\nnew\n\n<"));
        assert_eq!(replaced(&after, "two", "new").as_deref(), Some(after.as_str()));
        assert_eq!(replaced(page, "three", "new"), None);
    }
}
