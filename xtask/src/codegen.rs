//! What is made from something else and committed all the same, so that a plain `cargo build` needs none of the tools
//! that make it: the wire code, the API's document, its types for the page, and the built page.
//!
//! `--check` makes everything anew and compares. The parts stand in the order in which one is made from another.

mod openapi;
mod page;
mod proto;

use std::{fs, path::Path};

use anyhow::{Context, Result, bail, ensure};

use crate::setup::{Purpose, setup};

/// Something that is made from something else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// The wire schema as Rust.
    Proto,
    /// The console's API as an `OpenAPI` document.
    Openapi,
    /// That document as TypeScript, and the page as the host serves it.
    Page,
}

/// Each part by its word, in the order in which they are made.
const PARTS: &[(&str, Part)] = &[("proto", Part::Proto), ("openapi", Part::Openapi), ("page", Part::Page)];

/// What to do with a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Deed {
    /// Writes it where it differs from what stands there.
    Write,
    /// Fails when what is committed is not what would be made now.
    Check,
}

/// Makes, or with `--check` compares, the parts that the arguments name, or all.
pub(crate) fn codegen(root: &Path, arguments: &[&str]) -> Result<()> {
    let (deed, parts) = wish(arguments)?;
    if parts.contains(&Part::Page) {
        setup(root, Purpose::Page)?;
    }
    parts.iter().try_for_each(|&part| part.run(root, deed))
}

/// Fails when what is committed of a part is not what would be made now. Its tools are there.
pub(crate) fn check(root: &Path, part: Part) -> Result<()> {
    part.run(root, Deed::Check)
}

fn wish(arguments: &[&str]) -> Result<(Deed, Vec<Part>)> {
    let (deed, names) = match arguments {
        ["--check", names @ ..] => (Deed::Check, names),
        names => (Deed::Write, names),
    };
    if let Some(stranger) = names.iter().find(|name| PARTS.iter().all(|(word, _)| word != *name)) {
        let words: Vec<_> = PARTS.iter().map(|(word, _)| *word).collect();
        bail!("cannot make {stranger:?}: codegen takes [--check] and any of {}", words.join(", "));
    }
    let meant = PARTS.iter().filter(|(word, _)| names.is_empty() || names.contains(word));
    Ok((deed, meant.map(|&(_, part)| part).collect()))
}

impl Part {
    fn run(self, root: &Path, deed: Deed) -> Result<()> {
        match (self, deed) {
            (Self::Proto, Deed::Write) => proto::write(root),
            (Self::Proto, Deed::Check) => proto::check(root),
            (Self::Openapi, Deed::Write) => openapi::write(root),
            (Self::Openapi, Deed::Check) => openapi::check(root),
            (Self::Page, Deed::Write) => page::write(root),
            (Self::Page, Deed::Check) => page::check(root),
        }
    }
}

/// A committed text, and what it is made from.
struct Text {
    path: &'static str,
    source: &'static str,
}

/// Writes a text where it differs from what stands there.
fn replace(root: &Path, text: &Text, now: &str) -> Result<()> {
    let path = root.join(text.path);
    if fs::read_to_string(&path).is_ok_and(|committed| committed == now) {
        println!("{} is up to date", text.path);
        return Ok(());
    }
    fs::write(&path, now).with_context(|| format!("cannot write {}", path.display()))?;
    println!("{} written", text.path);
    Ok(())
}

/// Fails when what is committed is not what would be written now.
fn compare(root: &Path, text: &Text, now: &str) -> Result<()> {
    let path = root.join(text.path);
    let committed = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    ensure!(committed == now, stale(text.path, text.source));
    Ok(())
}

/// What to say of something committed that is not what its source gives.
fn stale(made: &str, source: &str) -> String {
    format!("{made} is not what {source} gives: run `cargo xtask codegen` and commit the result")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_name_everything_is_meant_in_order() {
        let all = vec![Part::Proto, Part::Openapi, Part::Page];
        assert_eq!(wish(&[]).unwrap(), (Deed::Write, all.clone()));
        assert_eq!(wish(&["--check"]).unwrap(), (Deed::Check, all));
    }

    #[test]
    fn parts_are_made_in_order_however_they_are_named() {
        assert_eq!(wish(&["page", "proto"]).unwrap(), (Deed::Write, vec![Part::Proto, Part::Page]));
        assert_eq!(wish(&["--check", "openapi"]).unwrap(), (Deed::Check, vec![Part::Openapi]));
    }

    #[test]
    fn a_part_that_is_not_there_is_an_error_and_not_nothing_to_do() {
        for wrong in [&["pages"][..], &["--chek"], &["proto", "--check"]] {
            assert!(wish(wrong).unwrap_err().to_string().contains("proto, openapi, page"), "{wrong:?}");
        }
    }
}
