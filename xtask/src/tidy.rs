//! The rules of `ARCHITECTURE.md` that a compiler does not check, as code: each rule is a small function over the
//! work tree's text or over cargo's view of the workspace, and has a test that shows it failing.

mod invariants;
mod layers;
mod lints;
mod page;
mod sources;
mod texts;
mod tree;

use std::{fmt, path::Path};

use anyhow::{Result, ensure};

use self::{layers::Workspace, tree::Tree};
use crate::codegen::{self, Part};

/// Checks every rule, prints what breaks one, and fails when anything does.
pub(crate) fn tidy(root: &Path) -> Result<()> {
    let tree = Tree::read(root)?;
    let workspace = Workspace::read(root)?;
    let mut findings = Vec::new();
    for rule in TREE_RULES {
        findings.extend(rule(&tree));
    }
    for rule in WORKSPACE_RULES {
        findings.extend(rule(&workspace));
    }
    if let Err(error) = codegen::check(root, Part::Proto) {
        findings.push(Finding::new("proto", format!("{error:#}")));
    }
    print!("{}", invariants::summary(&tree));
    for finding in &findings {
        eprintln!("{finding}");
    }
    ensure!(findings.is_empty(), "tidy: {} to mend", findings.len());
    println!("tidy: {} files and {} packages keep the rules", tree.files().count(), workspace.packages.len());
    Ok(())
}

const TREE_RULES: &[fn(&Tree) -> Vec<Finding>] = &[
    invariants::every_number_has_a_test,
    invariants::docs_name_tests_that_exist,
    lints::pure_crates_ban_the_outside,
    sources::pure_crates_forbid_unsafe,
    sources::files_are_rooms_one_can_live_in,
    sources::nothing_is_left_over,
    sources::files_say_what_they_are_for,
    sources::no_global_mutable_state,
    page::names_stay_text,
    page::nothing_is_left_over,
    texts::no_paths_of_one_machine,
    texts::no_registry_hosts,
    texts::documents_are_there,
];

const WORKSPACE_RULES: &[fn(&Workspace) -> Vec<Finding>] = &[
    layers::every_package_has_a_place,
    layers::arrows_point_down,
    layers::pure_crates_stay_pure,
    layers::pictures_and_sound_know_no_network,
    layers::licences_are_stated,
];

/// One thing to mend.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    /// The file or package, and the line where there is one.
    place: String,
    /// What is wrong there, and what to do.
    what: String,
}

impl Finding {
    fn new(place: impl Into<String>, what: impl Into<String>) -> Self {
        Self { place: place.into(), what: what.into() }
    }

    fn at(path: &str, line: usize, what: impl Into<String>) -> Self {
        Self::new(format!("{path}:{line}"), what)
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.what)
    }
}

/// The crates without clock, file, socket, thread or randomness of their own.
const PURE: &[&str] = &["pf-base", "pf-proto", "pf-trust", "pf-media"];
