//! Builds the console's page from `web/`: the API's types from its document, then the files that the host serves, which
//! are committed as `crates/pf-console/page/`.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use anyhow::{Context, Result, ensure};

use super::stale;
use crate::process;

/// The page's package.
const SOURCE: &str = "web";

/// The built page.
const PAGE: &str = "crates/pf-console/page";

/// The document's types, as the page reads them.
const TYPES: &str = "web/src/lib/api/schema.ts";

/// Where the page is built to be compared, below cargo's target directory.
const SCRATCH: &str = "page-check";

/// Makes the types and the page.
pub(super) fn write(root: &Path) -> Result<()> {
    process::run_to_end(&mut process::npm(&root.join(SOURCE), ["run", "types"]))?;
    process::run_to_end(&mut process::npm(&root.join(SOURCE), ["run", "build"]))
}

/// Fails when the committed types or the committed page are not what would be made now.
pub(super) fn check(root: &Path) -> Result<()> {
    let types = process::read(&mut process::npm(&root.join(SOURCE), ["run", "types", "--", "--check"]));
    types.with_context(|| stale(TYPES, "the API's document"))?;
    let built = process::target_directory(root)?.join(SCRATCH);
    let place = built.to_str().context("the target directory's path is no text")?;
    let command = ["run", "build", "--", "--emptyOutDir", "--outDir", place];
    process::read(&mut process::npm(&root.join(SOURCE), command))?;
    let different = differences(&files(&root.join(PAGE))?, &files(&built)?);
    ensure!(different.is_empty(), "{} (see {})", stale(PAGE, SOURCE), different.join(", "));
    Ok(())
}

/// The bytes of each file of a folder, by its path in it.
type Files = BTreeMap<String, Vec<u8>>;

/// Every file below a folder.
fn files(folder: &Path) -> Result<Files> {
    let mut files = Files::new();
    for entry in fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_dir() {
            let below = self::files(&path)?;
            files.extend(below.into_iter().map(|(inner, bytes)| (format!("{name}/{inner}"), bytes)));
        } else {
            let bytes = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
            files.insert(name, bytes);
        }
    }
    Ok(files)
}

/// The files that are not the same on both sides, or on one side only.
fn differences(one: &Files, other: &Files) -> Vec<String> {
    let names: BTreeSet<_> = one.keys().chain(other.keys()).collect();
    names.into_iter().filter(|name| one.get(*name) != other.get(*name)).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(of: &[(&str, &str)]) -> Files {
        of.iter().map(|(name, text)| ((*name).to_owned(), text.as_bytes().to_vec())).collect()
    }

    #[test]
    fn a_page_is_the_same_as_itself() {
        let one = page(&[("index.html", "a"), ("assets/a.js", "b")]);
        assert_eq!(differences(&one, &one.clone()), [""; 0]);
    }

    /// A page that was changed by hand, or built from other sources, would be served all the same.
    #[test]
    fn a_file_that_was_changed_added_or_left_out_is_named() {
        let one = page(&[("index.html", "a"), ("assets/a.js", "b")]);
        for other in [
            page(&[("index.html", "a"), ("assets/a.js", "B")]),
            page(&[("index.html", "a")]),
            page(&[("index.html", "a"), ("assets/a.js", "b"), ("assets/b.js", "")]),
        ] {
            assert_eq!(differences(&one, &other).len(), 1);
            assert_eq!(differences(&other, &one).len(), 1);
        }
    }

    #[test]
    fn files_are_found_at_any_depth() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join("assets/fonts")).unwrap();
        fs::write(folder.path().join("index.html"), "a").unwrap();
        fs::write(folder.path().join("assets/fonts/a.woff2"), "b").unwrap();
        assert_eq!(
            files(folder.path()).unwrap(),
            page(&[("index.html", "a"), ("assets/fonts/a.woff2", "b")])
        );
        assert!(files(&folder.path().join("nowhere")).is_err());
    }
}
