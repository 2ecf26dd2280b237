//! Rules about every text in the tree: nothing of one machine, nothing of one mirror, and the documents are there.

use super::{
    Finding,
    tree::{Tree, lines},
};

/// Folders that stand for somebody's machine where they begin a path.
const PRIVATE_ROOTS: &[&str] = &["home", "Users", "root", "work"];

/// Hosts that packages come from. Who builds this may use a mirror, so no file names one; in two parts, so that this
/// file does not either.
const REGISTRY_HOSTS: &[(&str, &str)] = &[
    ("crates", "io"),
    ("registry.npmjs", "org"),
    ("registry.yarnpkg", "com"),
    ("pypi", "org"),
    ("proxy.golang", "org"),
    ("deb.debian", "org"),
    ("archive.ubuntu", "com"),
];

/// What a stranger looks for first, and what must stand in it.
const DOCUMENTS: &[(&str, &[&str])] = &[
    ("README.md", &["cargo xtask run", "cargo xtask test"]),
    ("CHANGELOG.md", &[]),
    ("LICENSE-MIT", &[]),
    ("LICENSE-APACHE", &[]),
];

/// No path that exists on one machine only.
pub(super) fn no_paths_of_one_machine(tree: &Tree) -> Vec<Finding> {
    let roots: Vec<_> = PRIVATE_ROOTS.iter().map(|name| format!("/{name}/")).collect();
    let mut findings = Vec::new();
    for (path, text) in tree.files() {
        for (number, line) in lines(text) {
            if let Some(root) = roots.iter().find(|root| begins_a_path(line, root)) {
                findings.push(Finding::at(
                    path,
                    number,
                    format!("names a path below {root}, of one machine"),
                ));
            }
        }
    }
    findings
}

/// Whether a path that begins with `root` stands anywhere in the line: not as the middle of a longer one, and not as
/// an example, which goes on with a name of one letter.
fn begins_a_path(line: &str, root: &str) -> bool {
    line.match_indices(root).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let name = line[at + root.len()..].chars().take_while(|c| c.is_alphanumeric() || "._-".contains(*c));
        before.is_none_or(|c| c.is_whitespace() || "\"'`=:,;<>([{|".contains(c)) && name.count() != 1
    })
}

/// No host that packages come from, but where cargo itself writes its own.
pub(super) fn no_registry_hosts(tree: &Tree) -> Vec<Finding> {
    let hosts: Vec<_> = REGISTRY_HOSTS.iter().map(|(name, domain)| format!("{name}.{domain}")).collect();
    // What stands for cargo's own registry in a lock file, whatever mirror is in use.
    let cargo_s_own = format!("source = \"registry+https://github.com/rust-lang/{}-index\"", hosts[0]);
    let mut findings = Vec::new();
    for (path, text) in tree.files() {
        let is_lock = path.ends_with("Cargo.lock");
        for (number, line) in lines(text).filter(|(_, line)| !(is_lock && *line == cargo_s_own)) {
            if let Some(host) = hosts.iter().find(|host| line.contains(host.as_str())) {
                findings.push(Finding::at(
                    path,
                    number,
                    format!("names {host}: leave where packages come from open"),
                ));
            }
        }
    }
    findings
}

/// The documents are there and say what they must.
pub(super) fn documents_are_there(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for &(path, needles) in DOCUMENTS {
        match tree.text(path) {
            None | Some("") => findings.push(Finding::new(path, "is missing")),
            Some(text) => findings.extend(
                needles
                    .iter()
                    .filter(|needle| !text.contains(**needle))
                    .map(|needle| Finding::new(path, format!("must tell of `{needle}`"))),
            ),
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_of_one_machine_is_found() {
        for root in PRIVATE_ROOTS {
            for line in [format!("/{root}/ann"), format!("cd /{root}/"), format!("PATH=\"a:/{root}/.cargo\"")]
            {
                let tree = Tree::of(&[("docs/a.md", &*format!("a\n{line}\n"))]);
                assert_eq!(no_paths_of_one_machine(&tree)[0].place, "docs/a.md:2", "{line}");
            }
            let inside =
                format!("see https://example.org/{root}/x and ./{root}/x and ${root}/x and {root}/x");
            assert_eq!(no_paths_of_one_machine(&Tree::of(&[("a.md", &inside)])), []);
        }
    }

    #[test]
    fn a_registry_host_is_found_wherever_cargo_did_not_write_it() {
        let host = format!("{}.{}", REGISTRY_HOSTS[0].0, REGISTRY_HOSTS[0].1);
        let source = format!("source = \"registry+https://github.com/rust-lang/{host}-index\"\n");
        assert_eq!(no_registry_hosts(&Tree::of(&[("Cargo.lock", &source)])), []);
        assert_eq!(no_registry_hosts(&Tree::of(&[("deny.toml", &source)])).len(), 1);
        let mirror = format!("source = \"sparse+https://index.{host}/\"\n");
        assert_eq!(no_registry_hosts(&Tree::of(&[("Cargo.lock", &mirror)])).len(), 1);
        for (name, domain) in REGISTRY_HOSTS {
            let tree = Tree::of(&[("a.sh", &*format!("curl https://{name}.{domain}/x\n"))]);
            assert_eq!(no_registry_hosts(&tree).len(), 1, "{name}.{domain}");
        }
    }

    #[test]
    fn a_document_that_is_missing_or_silent_is_found() {
        assert_eq!(documents_are_there(&Tree::of(&[])).len(), DOCUMENTS.len());
        let mut files: Vec<_> =
            DOCUMENTS.iter().map(|&(path, needles)| (path, needles.join("\n") + "\n")).collect();
        let tree = |files: &[(&str, String)]| {
            Tree::of(&files.iter().map(|(path, text)| (*path, text.as_str())).collect::<Vec<_>>())
        };
        assert_eq!(documents_are_there(&tree(&files)), []);
        files[0].1 = "cargo build\n".to_owned();
        assert_eq!(documents_are_there(&tree(&files)).len(), 2);
    }
}
