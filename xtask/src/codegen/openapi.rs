//! Has the host print its API as an `OpenAPI` document, which is committed as `crates/pf-console/openapi.json`.

use std::{path::Path, process::Command};

use anyhow::Result;

use super::{Text, compare, replace};
use crate::process;

/// The committed document.
const DOCUMENT: Text = Text { path: "crates/pf-console/openapi.json", source: "the host's API" };

/// Writes the document where it differs from what stands there.
pub(super) fn write(root: &Path) -> Result<()> {
    replace(root, &DOCUMENT, &print(root)?)
}

/// Fails when the committed document is not what the host prints.
pub(super) fn check(root: &Path) -> Result<()> {
    compare(root, &DOCUMENT, &print(root)?)
}

/// What the host prints, built as the checks build it: for the whole workspace, so that nothing is compiled twice.
fn print(root: &Path) -> Result<String> {
    process::run_to_end(&mut process::cargo(root, ["build", "--workspace", "--bin", "punktfunk-host"]))?;
    let host = process::target_directory(root)?.join("debug/punktfunk-host");
    process::read(Command::new(host).arg("openapi"))
}
