//! The `clippy.toml` of each pure crate: it replaces the root's, so it repeats it, and bans the outside world.

use super::{Finding, PURE, tree::Tree};

/// What a pure crate must ban by name, as clippy writes it: one word for each way out.
const BANS: &[&str] = &[
    "std::time::Instant::now",
    "std::time::SystemTime::now",
    "std::thread::sleep",
    "std::thread::spawn",
    "std::net::TcpStream",
    "std::net::TcpListener",
    "std::net::UdpSocket",
    "std::os::unix::net::UnixStream",
    "std::os::unix::net::UnixListener",
    "std::os::unix::net::UnixDatagram",
    "std::fs::File",
    "std::fs::read",
    "std::fs::read_to_string",
    "std::fs::write",
    "std::env::var",
    "std::env::var_os",
    "std::env::args",
    "std::process::Command",
    "getrandom::fill",
];

/// Each pure crate repeats the root's settings and bans every way out.
pub(super) fn pure_crates_ban_the_outside(tree: &Tree) -> Vec<Finding> {
    let common = tree.text("clippy.toml").unwrap_or_default();
    let first = tree.text(&path(PURE[0]));
    let mut findings = Vec::new();
    for name in PURE {
        let path = path(name);
        let Some(text) = tree.text(&path) else {
            findings
                .push(Finding::new(path, "is missing: the crate would have the root's settings and no bans"));
            continue;
        };
        if common.is_empty() || !text.starts_with(common) {
            findings
                .push(Finding::new(&*path, "must begin with all of the root's clippy.toml: it replaces it"));
        }
        if first.is_some_and(|first| first != text) {
            findings.push(Finding::new(&*path, format!("must be the same as {}", self::path(PURE[0]))));
        }
        for ban in BANS.iter().filter(|ban| !text.contains(&format!("{{ path = \"{ban}\""))) {
            findings.push(Finding::new(&*path, format!("must ban {ban}")));
        }
    }
    findings
}

fn path(name: &str) -> String {
    format!("crates/{name}/clippy.toml")
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMMON: &str = "allow-unwrap-in-tests = true\n";

    fn banning(bans: &[&str]) -> String {
        let bans: Vec<_> = bans.iter().map(|ban| format!("    {{ path = \"{ban}\" }},\n")).collect();
        format!("{COMMON}\ndisallowed-methods = [\n{}]\n", bans.concat())
    }

    fn findings(text: &str) -> usize {
        let paths = PURE.iter().copied().map(path).collect::<Vec<_>>();
        let mut files: Vec<_> = paths.iter().map(|path| (path.as_str(), text)).collect();
        files.push(("clippy.toml", COMMON));
        pure_crates_ban_the_outside(&Tree::of(&files)).len()
    }

    #[test]
    fn the_root_s_settings_with_every_ban_pass() {
        assert_eq!(findings(&banning(BANS)), 0);
    }

    #[test]
    fn a_ban_that_is_missing_is_found() {
        for left_out in BANS {
            let rest: Vec<_> = BANS.iter().copied().filter(|ban| ban != left_out).collect();
            assert_eq!(findings(&banning(&rest)), PURE.len(), "{left_out}");
        }
    }

    #[test]
    fn a_setting_of_the_root_that_is_missing_is_found() {
        assert_eq!(findings(&banning(BANS).replace(COMMON, "")), PURE.len());
    }

    #[test]
    fn a_file_that_went_its_own_way_is_found() {
        let paths = PURE.iter().copied().map(path).collect::<Vec<_>>();
        let (usual, own) = (banning(BANS), banning(BANS) + "# and more\n");
        let mut files: Vec<_> = paths.iter().map(|path| (path.as_str(), usual.as_str())).collect();
        files.push(("clippy.toml", COMMON));
        files[PURE.len() - 1].1 = &own;
        assert_eq!(pure_crates_ban_the_outside(&Tree::of(&files)).len(), 1);
    }

    #[test]
    fn a_file_that_is_missing_is_found() {
        assert_eq!(pure_crates_ban_the_outside(&Tree::of(&[("clippy.toml", COMMON)])).len(), PURE.len());
    }
}
