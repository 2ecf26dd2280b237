//! The numbered invariants: each has a test that carries its number, `inv_09_one_evaluation_per_arming`.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Finding,
    tree::{Tree, lines},
};

/// How many there are.
const COUNT: u8 = 50;

/// Every number has a test, and what carries a number is a test.
pub(super) fn every_number_has_a_test(tree: &Tree) -> Vec<Finding> {
    let tests = tests(tree);
    let mut findings = Vec::new();
    for number in (1..=COUNT).filter(|number| !tests.contains_key(number)) {
        findings.push(Finding::new(format!("invariant {number}"), format!("no test inv_{number:02}_…")));
    }
    for (path, number, name) in functions(tree).filter(|function| !is_test(tree, function)) {
        findings.push(Finding::at(
            path,
            number,
            format!("{name} carries an invariant's number and is no test"),
        ));
    }
    for places in tests.range(COUNT + 1..).chain(tests.range(..1)).map(|(_, places)| places) {
        findings.push(Finding::new(&places[0], "carries a number that no invariant has"));
    }
    findings
}

/// A test that a document names by its number exists.
pub(super) fn docs_name_tests_that_exist(tree: &Tree) -> Vec<Finding> {
    let known: BTreeSet<_> = functions(tree).map(|(_, _, name)| name).collect();
    let mut findings = Vec::new();
    for (path, text) in tree.markdown() {
        for (number, line) in lines(text) {
            for name in words(line).filter(|word| number_of(word).is_some() && !known.contains(word)) {
                findings.push(Finding::at(path, number, format!("there is no test {name}")));
            }
        }
    }
    findings
}

/// What is tested, for a person.
pub(super) fn summary(tree: &Tree) -> String {
    format!("{} of {COUNT} numbered invariants have a test\n", tests(tree).len())
}

/// The tests of each number, as places.
fn tests(tree: &Tree) -> BTreeMap<u8, Vec<String>> {
    let mut tests: BTreeMap<u8, Vec<String>> = BTreeMap::new();
    for function in functions(tree).filter(|function| is_test(tree, function)) {
        let (path, line, name) = function;
        if let Some(number) = number_of(name) {
            tests.entry(number).or_default().push(format!("{path}:{line}"));
        }
    }
    tests
}

/// Every function that carries a number: its file, its line, its name.
fn functions(tree: &Tree) -> impl Iterator<Item = (&str, usize, &str)> {
    tree.rust().flat_map(|(path, text)| {
        lines(text).filter_map(move |(line, code)| {
            let item = code.trim_start();
            let item = item.strip_prefix("async ").unwrap_or(item).strip_prefix("fn ")?;
            let name = words(item).next()?;
            number_of(name).map(|_| (path, line, name))
        })
    })
}

/// Whether the attributes above a function make it a test.
fn is_test(tree: &Tree, &(path, line, _): &(&str, usize, &str)) -> bool {
    let above: Vec<_> = tree.text(path).unwrap_or_default().lines().take(line - 1).collect();
    above
        .iter()
        .rev()
        .map(|line| line.trim_start())
        .take_while(|line| line.starts_with("#[") || line.starts_with("//"))
        .any(|line| line.starts_with("#[test]") || line.starts_with("#[tokio::test"))
}

/// The number in a name like `inv_09_one_evaluation_per_arming`.
fn number_of(name: &str) -> Option<u8> {
    let (number, rest) = name.strip_prefix("inv_")?.split_once('_')?;
    (number.len() == 2 && !rest.is_empty()).then(|| number.parse().ok())?
}

/// The words of a line of code or of text.
fn words(line: &str) -> impl Iterator<Item = &str> {
    line.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').filter(|word| !word.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A test of every number but some.
    fn all_but(left_out: &[u8]) -> String {
        let numbers = (1..=COUNT).filter(|number| !left_out.contains(number));
        numbers
            .map(|number| format!("#[test]\nfn inv_{number:02}_holds() {{}}\n"))
            .collect::<Vec<_>>()
            .concat()
    }

    fn findings(text: &str) -> Vec<Finding> {
        every_number_has_a_test(&Tree::of(&[("crates/a/tests/a.rs", text)]))
    }

    #[test]
    fn every_number_is_asked_for() {
        assert_eq!(findings(&all_but(&[])), []);
        for number in 1..=COUNT {
            assert_eq!(findings(&all_but(&[number]))[0].place, format!("invariant {number}"));
        }
    }

    #[test]
    fn a_function_that_never_runs_is_no_test() {
        let with = |attributes: &str| {
            let text = all_but(&[]).replace(
                "#[test]\nfn inv_07_holds() {}",
                &format!("fn other() {{}}\n\n{attributes}fn inv_07_holds() {{}}"),
            );
            findings(&text).len()
        };
        assert_eq!(with("#[test]\n"), 0);
        assert_eq!(with("/// Stops a replay.\n#[tokio::test(flavor = \"current_thread\")]\nasync "), 0);
        assert_eq!(with("    #[test]\n    #[expect(clippy::x, reason = \"y\")]\n    "), 0);
        assert_eq!(with(""), 2, "no test, and the number is without one");
        assert_eq!(with("// #[test]\n"), 2);
    }

    #[test]
    fn a_number_that_no_invariant_has_is_found() {
        for strange in ["00", "51"] {
            let text = all_but(&[]) + &format!("#[test]\nfn inv_{strange}_holds() {{}}\n");
            assert_eq!(findings(&text).len(), 1, "{strange}");
        }
    }

    #[test]
    fn a_document_that_names_a_test_that_is_gone_is_found() {
        let code = "#[test]\nfn inv_01_vectors() {}\n";
        let docs =
            |text| docs_name_tests_that_exist(&Tree::of(&[("a/tests/a.rs", code), ("docs/a.md", text)]));
        assert_eq!(docs("Proved by `inv_01_vectors`, and names begin `inv_NN_`.\n"), []);
        assert_eq!(docs("a\nProved by `inv_01_old_name`.\n")[0].place, "docs/a.md:2");
    }

    #[test]
    fn the_summary_counts_what_is_tested() {
        let text = all_but(&[7, 9]);
        assert!(summary(&Tree::of(&[("crates/a/tests/a.rs", &text)])).starts_with("48 of 50"));
    }
}
