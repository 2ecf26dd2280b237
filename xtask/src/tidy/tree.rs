//! The text of the work tree: every file that git tracks or would add.

use std::{collections::BTreeMap, fs, path::Path, process::Command};

use anyhow::{Context, Result};

use crate::process;

/// Every text file, by its path from the root with `/` between the parts.
pub(super) struct Tree {
    files: BTreeMap<String, String>,
}

impl Tree {
    /// Reads the work tree at `root`. Files that are no UTF-8 text are left out.
    pub(super) fn read(root: &Path) -> Result<Self> {
        // A build machine may run as another user than the one who cloned; without this git refuses to look.
        let trusted = format!("safe.directory={}", root.display());
        let listing = process::read(
            Command::new("git")
                .args(["-c", &trusted, "ls-files", "-z", "--cached", "--others", "--exclude-standard"])
                .current_dir(root),
        )?;
        let mut files = BTreeMap::new();
        for name in listing.split_terminator('\0') {
            let path = root.join(name);
            if !path.is_file() {
                continue;
            }
            let bytes = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
            if let Ok(text) = String::from_utf8(bytes) {
                files.insert(name.to_owned(), text);
            }
        }
        Ok(Self { files })
    }

    /// Every file, in the order of the paths.
    pub(super) fn files(&self) -> impl Iterator<Item = (&str, &str)> {
        self.files.iter().map(|(path, text)| (path.as_str(), text.as_str()))
    }

    /// Every Rust file that people wrote.
    pub(super) fn rust(&self) -> impl Iterator<Item = (&str, &str)> {
        self.files().filter(|(path, _)| has_extension(path, "rs") && !path.ends_with("/generated.rs"))
    }

    /// Every Rust file that is not there for tests alone.
    pub(super) fn product_rust(&self) -> impl Iterator<Item = (&str, &str)> {
        self.rust().filter(|(path, _)| !path.contains("/tests/") && !path.ends_with("/tests.rs"))
    }

    /// The documents.
    pub(super) fn markdown(&self) -> impl Iterator<Item = (&str, &str)> {
        self.files().filter(|(path, _)| has_extension(path, "md"))
    }

    /// The text of one file.
    pub(super) fn text(&self, path: &str) -> Option<&str> {
        self.files.get(path).map(String::as_str)
    }

    #[cfg(test)]
    pub(super) fn of(files: &[(&str, &str)]) -> Self {
        Self { files: files.iter().map(|&(path, text)| (path.to_owned(), text.to_owned())).collect() }
    }
}

fn has_extension(path: &str, extension: &str) -> bool {
    Path::new(path).extension().is_some_and(|there| there == extension)
}

/// The lines of a text with their numbers, from 1.
pub(super) fn lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines().enumerate().map(|(index, line)| (index + 1, line))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn new_and_committed_files_are_read_and_ignored_ones_are_not() {
        let root = tempfile::tempdir().unwrap();
        let write = |name: &str, bytes: &[u8]| fs::write(root.path().join(name), bytes).unwrap();
        process::read(Command::new("git").args(["init", "-q"]).current_dir(root.path())).unwrap();
        write(".gitignore", b"scratch\n");
        write("scratch", b"x");
        write("staged.rs", b"//! Staged.\n");
        write("gone.rs", b"//! Gone.\n");
        write("picture.png", b"\x89PNG\xff");
        process::read(Command::new("git").args(["add", "-A"]).current_dir(root.path())).unwrap();
        fs::remove_file(root.path().join("gone.rs")).unwrap();
        write("new.md", b"# New\n");

        let tree = Tree::read(root.path()).unwrap();
        assert_eq!(
            tree.files().map(|(path, _)| path).collect::<Vec<_>>(),
            [".gitignore", "new.md", "staged.rs"]
        );
        assert_eq!(tree.text("new.md"), Some("# New\n"));
        assert_eq!(tree.rust().count(), 1);
    }

    #[test]
    fn tests_and_generated_code_are_told_from_the_product() {
        let tree = Tree::of(&[
            ("crates/a/src/lib.rs", ""),
            ("crates/a/src/generated.rs", ""),
            ("crates/a/src/step/tests.rs", ""),
            ("crates/a/tests/wire.rs", ""),
        ]);
        assert_eq!(tree.rust().count(), 3);
        assert_eq!(tree.product_rust().map(|(path, _)| path).collect::<Vec<_>>(), ["crates/a/src/lib.rs"]);
    }
}
