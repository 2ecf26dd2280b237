//! Rules about each Rust file by itself.

use super::{
    Finding, PURE,
    tree::{Tree, lines},
};

/// Past this many lines, a file has a wall missing.
const MAX_LINES: usize = 600;

/// Each pure crate forbids `unsafe` at its root.
pub(super) fn pure_crates_forbid_unsafe(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for name in PURE {
        let path = format!("crates/{name}/src/lib.rs");
        if !tree.text(&path).is_some_and(|text| text.lines().any(|line| line == "#![forbid(unsafe_code)]")) {
            findings.push(Finding::new(path, "must say #![forbid(unsafe_code)]"));
        }
    }
    findings
}

/// No file that is not a test grows past [`MAX_LINES`].
pub(super) fn files_are_rooms_one_can_live_in(tree: &Tree) -> Vec<Finding> {
    let too_long = |(path, text): (&str, &str)| {
        let count = text.lines().count();
        (count > MAX_LINES).then(|| {
            Finding::new(path, format!("has {count} lines; past {MAX_LINES} look for the wall missing"))
        })
    };
    tree.product_rust().filter_map(too_long).collect()
}

/// No macro that means "not done yet" or "let me look", and no test that does not run.
pub(super) fn nothing_is_left_over(tree: &Tree) -> Vec<Finding> {
    // Put together here, so that this file does not find itself.
    let mut leftovers = ["todo", "unimplemented", "dbg"].map(|name| format!("{name}!(")).to_vec();
    leftovers.push(["#[", "ignore"].concat());
    let mut findings = Vec::new();
    for (path, text) in tree.rust() {
        for (number, line) in lines(text) {
            for left in leftovers.iter().filter(|left| line.contains(left.as_str())) {
                findings.push(Finding::at(path, number, format!("`{left}` is left over")));
            }
        }
    }
    findings
}

/// Every file opens with a sentence that says what it is for.
pub(super) fn files_say_what_they_are_for(tree: &Tree) -> Vec<Finding> {
    let silent = |(path, text): (&str, &str)| {
        let first = text.lines().find(|line| !line.is_empty()).unwrap_or_default();
        (!first.starts_with("//! ")).then(|| Finding::at(path, 1, "must open with a module doc (`//! …`)"))
    };
    tree.product_rust().filter_map(silent).collect()
}

/// Nothing that changes lives outside of values: no mutable static, no thread-local.
pub(super) fn no_global_mutable_state(tree: &Tree) -> Vec<Finding> {
    const CHANGING: &[&str] = &["static mut ", "Mutex<", "RwLock<", "Atomic", "Cell<"];
    let mut findings = Vec::new();
    for (path, text) in tree.product_rust() {
        for (number, line) in lines(text) {
            let item = line.trim_start();
            let item = item.strip_prefix("pub ").or_else(|| item.strip_prefix("pub(crate) ")).unwrap_or(item);
            let is_static = item.starts_with("static ") && CHANGING.iter().any(|word| item.contains(word));
            if is_static || item.starts_with("thread_local!") {
                findings.push(Finding::at(path, number, "is global mutable state: pass it in"));
            }
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(text: &str) -> Tree {
        Tree::of(&[("crates/a/src/a.rs", text)])
    }

    #[test]
    fn a_pure_crate_that_does_not_forbid_unsafe_is_found() {
        let paths = PURE.iter().map(|name| format!("crates/{name}/src/lib.rs")).collect::<Vec<_>>();
        let all = |text| Tree::of(&paths.iter().map(|path| (path.as_str(), text)).collect::<Vec<_>>());
        assert_eq!(pure_crates_forbid_unsafe(&all("//! A.\n\n#![forbid(unsafe_code)]\n")), []);
        assert_eq!(pure_crates_forbid_unsafe(&all("//! A.\n")).len(), PURE.len());
        assert_eq!(pure_crates_forbid_unsafe(&all("// #![forbid(unsafe_code)]\n")).len(), PURE.len());
        assert_eq!(pure_crates_forbid_unsafe(&Tree::of(&[])).len(), PURE.len());
    }

    #[test]
    fn a_file_too_long_is_found_and_tests_may_be_long() {
        let long = "//\n".repeat(MAX_LINES + 1);
        assert_eq!(files_are_rooms_one_can_live_in(&file(&"//\n".repeat(MAX_LINES))), []);
        assert_eq!(files_are_rooms_one_can_live_in(&file(&long)).len(), 1);
        let elsewhere =
            [("crates/a/tests/a.rs", &*long), ("crates/a/src/generated.rs", &*long), ("a.md", &*long)];
        assert_eq!(files_are_rooms_one_can_live_in(&Tree::of(&elsewhere)), []);
    }

    #[test]
    fn what_is_left_over_is_found() {
        for name in ["todo", "unimplemented", "dbg"] {
            let tree = file(&format!("//! A.\nfn f() {{\n    {name}!()\n}}\n"));
            assert_eq!(nothing_is_left_over(&tree)[0].place, "crates/a/src/a.rs:3");
        }
        for test in ["ignore]", "ignore = \"slow\"]"] {
            let tree = Tree::of(&[("crates/a/tests/a.rs", &*format!("#[test]\n#[{test}\nfn f() {{}}\n"))]);
            assert_eq!(nothing_is_left_over(&tree).len(), 1);
        }
        assert_eq!(nothing_is_left_over(&file("//! A.\nfn todo_list() {}\n")), []);
    }

    #[test]
    fn a_file_without_a_doc_is_found() {
        assert_eq!(files_say_what_they_are_for(&file("\n//! A.\n")), []);
        for text in ["", "use std::fmt;\n//! A.\n", "// A.\n", "//!\n", "/// A.\n"] {
            assert_eq!(files_say_what_they_are_for(&file(text)).len(), 1, "{text:?}");
        }
    }

    #[test]
    fn global_mutable_state_is_found() {
        for state in [
            "static mut COUNT: u32 = 0;",
            "static COUNT: AtomicU32 = AtomicU32::new(0);",
            "    pub(crate) static NAMES: Mutex<Vec<String>> = Mutex::new(Vec::new());",
            "pub static ONCE: OnceCell<u32> = OnceCell::new();",
            "thread_local! {",
        ] {
            assert_eq!(no_global_mutable_state(&file(state)).len(), 1, "{state}");
        }
        for value in
            ["static WORDS: &[&str] = &[];", "const MAX: u32 = 1;", "let x: &'static Mutex<u32> = y;"]
        {
            assert_eq!(no_global_mutable_state(&file(value)), [], "{value}");
        }
    }
}
