//! Which package may know which: arrows between crates point one way, and the pure ones reach nothing outside.

use std::{collections::BTreeMap, path::Path};

use anyhow::{Context, Result};
use serde::Deserialize;

use super::{Finding, PURE};
use crate::process;

/// The crates from the bottom up. A crate may depend on those of lower rows, and on none of its own row.
const LAYERS: &[&[&str]] = &[
    &["pf-base"],
    &["pf-proto"],
    &["pf-trust", "pf-media", "pf-wait"],
    &["pf-net", "pf-store", "pf-discovery", "pf-desktop", "pf-codec", "pf-audio", "pf-gamepad"],
    &["pf-console", "pf-gamestream", "pf-client"],
    &["pf-app"],
    &["punktfunk-host", "punktfunk"],
];

/// What helps to build the project and is no part of it: may know everything, and only tests may know it.
const TOOLS: &[&str] = &["pf-lab", "pf-peers", "pf-sim", "pf-bench", "pf-e2e", "xtask"];

/// Crates that show what one knows them by: sockets, clocks and tasks, files, randomness, and formats of the outside.
const IMPURE: &[&str] =
    &["getrandom", "mio", "quinn", "quinn-proto", "rand", "rusqlite", "rustls", "serde", "socket2", "tokio"];

/// Crates that handle pictures and sound, and crates that one speaks to a network with.
const PICTURE_AND_SOUND: &[&str] = &["pf-desktop", "pf-codec", "pf-audio"];
const NETWORK: &[&str] = &["if-addrs", "mdns-sd", "quinn", "rustls", "socket2", "tokio"];

/// The licence of every package.
const LICENCE: &str = "MIT OR Apache-2.0";

/// The packages of the workspace, as cargo sees them.
#[derive(Deserialize)]
pub(super) struct Workspace {
    pub(super) packages: Vec<Package>,
    /// Everything that a pure crate is built with, by the crate's name; features of other packages do not count.
    #[serde(skip)]
    reached: BTreeMap<&'static str, Vec<String>>,
}

/// One package of the workspace.
#[derive(Deserialize)]
pub(super) struct Package {
    name: String,
    license: Option<String>,
    /// The registries that it may be published to: `Some` of none means never.
    publish: Option<Vec<String>>,
    dependencies: Vec<Dependency>,
}

/// What a manifest names.
#[derive(Deserialize)]
struct Dependency {
    name: String,
    /// `None` is an ordinary dependency.
    kind: Option<Kind>,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Dev,
    Build,
}

impl Workspace {
    /// Asks cargo about the workspace at `root`.
    pub(super) fn read(root: &Path) -> Result<Self> {
        let metadata =
            process::read(&mut process::cargo(root, ["metadata", "--format-version", "1", "--no-deps"]))?;
        let mut workspace: Self =
            serde_json::from_str(&metadata).context("cannot read what `cargo metadata` says")?;
        for &name in PURE {
            let edges = ["tree", "--edges", "normal,no-proc-macro", "--prefix", "none", "--package", name];
            let tree = process::read(&mut process::cargo(root, edges))?;
            let reached = tree.lines().filter_map(|line| line.split(' ').next()).map(str::to_owned).collect();
            workspace.reached.insert(name, reached);
        }
        Ok(workspace)
    }
}

/// A crate that no table names has no place in the design yet.
pub(super) fn every_package_has_a_place(workspace: &Workspace) -> Vec<Finding> {
    let stranger = |package: &&Package| layer(&package.name).is_none() && !is_tool(&package.name);
    let what = "has no layer: give it a place in ARCHITECTURE.md and in xtask's table of layers";
    workspace.packages.iter().filter(stranger).map(|package| Finding::new(&package.name, what)).collect()
}

/// A crate knows lower layers only; tests may also know their own layer, and the tools.
pub(super) fn arrows_point_down(workspace: &Workspace) -> Vec<Finding> {
    let mut findings = Vec::new();
    for package in &workspace.packages {
        let Some(from) = layer(&package.name) else { continue };
        for dependency in &package.dependencies {
            let for_tests = dependency.kind == Some(Kind::Dev);
            let allowed = match layer(&dependency.name) {
                Some(to) => to < from || (for_tests && to == from),
                None => for_tests || !is_tool(&dependency.name),
            };
            if !allowed {
                let what = format!("may not depend on {}: arrows point down the layers", dependency.name);
                findings.push(Finding::new(&package.name, what));
            }
        }
    }
    findings
}

/// Nothing that a pure crate is built with, however far down, reads a clock, a file, a socket or the system's
/// randomness.
pub(super) fn pure_crates_stay_pure(workspace: &Workspace) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (&name, reached) in &workspace.reached {
        for impure in reached.iter().filter(|reached| IMPURE.contains(&reached.as_str())) {
            let what = format!("is pure, and is built with {impure}: see `cargo tree -p {name} -i {impure}`");
            findings.push(Finding::new(name, what));
        }
    }
    findings
}

/// Capture, codecs and sound hand over pictures and samples; who carries them is none of their business.
pub(super) fn pictures_and_sound_know_no_network(workspace: &Workspace) -> Vec<Finding> {
    let mut findings = Vec::new();
    for package in
        workspace.packages.iter().filter(|package| PICTURE_AND_SOUND.contains(&package.name.as_str()))
    {
        for dependency in package.dependencies.iter().filter(|there| NETWORK.contains(&there.name.as_str())) {
            let what = format!("knows no network, and depends on {}", dependency.name);
            findings.push(Finding::new(&package.name, what));
        }
    }
    findings
}

/// Every package states the project's licence, and none can be published by accident.
pub(super) fn licences_are_stated(workspace: &Workspace) -> Vec<Finding> {
    let mut findings = Vec::new();
    for package in &workspace.packages {
        if package.license.as_deref() != Some(LICENCE) {
            findings.push(Finding::new(&package.name, format!("must say: license = {LICENCE:?}")));
        }
        if package.publish.as_ref().is_none_or(|registries| !registries.is_empty()) {
            findings.push(Finding::new(&package.name, "must say: publish = false"));
        }
    }
    findings
}

fn layer(name: &str) -> Option<usize> {
    LAYERS.iter().position(|layer| layer.contains(&name))
}

fn is_tool(name: &str) -> bool {
    TOOLS.contains(&name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn workspace(packages: Vec<Package>) -> Workspace {
        Workspace { packages, reached: BTreeMap::new() }
    }

    fn package(name: &str, dependencies: &[(&str, Option<Kind>)]) -> Package {
        Package {
            name: name.to_owned(),
            license: Some(LICENCE.to_owned()),
            publish: Some(Vec::new()),
            dependencies: dependencies
                .iter()
                .map(|&(name, kind)| Dependency { name: name.to_owned(), kind })
                .collect(),
        }
    }

    fn arrow(from: &str, to: &str, kind: Option<Kind>) -> usize {
        arrows_point_down(&workspace(vec![package(from, &[(to, kind)])])).len()
    }

    #[test]
    fn arrows_down_are_allowed() {
        for (from, to) in [
            ("punktfunk-host", "pf-net"),
            ("pf-client", "pf-trust"),
            ("pf-trust", "pf-base"),
            ("pf-trust", "p256"),
            ("pf-bench", "punktfunk-host"),
        ] {
            assert_eq!(arrow(from, to, None), 0, "{from} -> {to}");
        }
    }

    #[test]
    fn arrows_up_and_sideways_are_found() {
        for (from, to) in [
            ("pf-trust", "pf-media"),
            ("pf-media", "pf-trust"),
            ("pf-base", "pf-proto"),
            ("pf-net", "pf-store"),
            ("pf-net", "pf-client"),
            ("punktfunk", "punktfunk-host"),
            ("pf-net", "pf-sim"),
            ("pf-net", "xtask"),
        ] {
            assert_eq!(arrow(from, to, None), 1, "{from} -> {to}");
            assert_eq!(arrow(from, to, Some(Kind::Build)), 1, "{from} -> {to}, build script");
        }
    }

    #[test]
    fn tests_may_look_sideways_and_use_tools_and_not_look_up() {
        assert_eq!(arrow("pf-net", "pf-store", Some(Kind::Dev)), 0);
        assert_eq!(arrow("pf-trust", "pf-sim", Some(Kind::Dev)), 0);
        assert_eq!(arrow("pf-trust", "pf-net", Some(Kind::Dev)), 1);
    }

    #[test]
    fn a_package_without_a_layer_is_found() {
        let workspace =
            workspace(vec![package("pf-base", &[]), package("xtask", &[]), package("pf-utils", &[])]);
        assert_eq!(every_package_has_a_place(&workspace).len(), 1);
    }

    #[test]
    fn an_impure_crate_far_below_a_pure_one_is_found() {
        let mut workspace = workspace(Vec::new());
        workspace.reached.insert("pf-trust", vec!["pf-trust".into(), "p256".into(), "rand_core".into()]);
        assert_eq!(pure_crates_stay_pure(&workspace), []);
        for &impure in IMPURE {
            workspace.reached.insert("pf-trust", vec!["p256".into(), impure.into()]);
            assert_eq!(pure_crates_stay_pure(&workspace).len(), 1, "{impure}");
        }
    }

    #[test]
    fn a_codec_that_speaks_to_the_network_is_found() {
        let fine = workspace(vec![
            package("pf-codec", &[("openh264", None)]),
            package("pf-net", &[("quinn", None)]),
        ]);
        assert_eq!(pictures_and_sound_know_no_network(&fine), []);
        let not = workspace(vec![package("pf-codec", &[("quinn", None)])]);
        assert_eq!(pictures_and_sound_know_no_network(&not).len(), 1);
    }

    #[test]
    fn another_licence_or_a_way_to_publish_is_found() {
        assert_eq!(licences_are_stated(&workspace(vec![package("pf-base", &[])])), []);
        let unlicensed = Package { license: None, ..package("pf-base", &[]) };
        let copyleft = Package { license: Some("GPL-3.0".to_owned()), ..package("pf-base", &[]) };
        let anywhere = Package { publish: None, ..package("pf-base", &[]) };
        let somewhere = Package { publish: Some(vec!["shop".to_owned()]), ..package("pf-base", &[]) };
        assert_eq!(licences_are_stated(&workspace(vec![unlicensed, copyleft, anywhere, somewhere])).len(), 4);
    }

    #[test]
    fn what_cargo_says_is_read() {
        let said = r#"{"packages": [{"name": "pf-net", "version": "0.1.0", "license": "MIT OR Apache-2.0",
            "publish": [], "dependencies": [{"name": "pf-store", "kind": null}, {"name": "rcgen", "kind": "dev"}]}]}"#;
        let workspace: Workspace = serde_json::from_str(said).unwrap();
        assert_eq!(licences_are_stated(&workspace), []);
        assert_eq!(arrows_point_down(&workspace).len(), 1);
    }
}
