//! Rules about the console's page and its tests: what a linter could be told to overlook.

use super::{
    Finding,
    tree::{Tree, lines},
};

/// What makes markup or code out of a text. Names come from devices, and a device may mean harm.
const INTERPRETERS: &[&str] =
    &["{@html", "innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function("];

/// What is written before a modifier of a test, and the modifiers that keep a test, or its neighbours, from counting.
const TESTS: &[&str] = &["test", "it", "describe"];
const MODIFIERS: &[&str] = &["only", "skip", "fixme", "fail", "todo"];

/// What keeps a type from being checked, and what waits for time to pass.
const LEFTOVERS: &[&str] = &["waitForTimeout", "debugger;", "@ts-ignore", "@ts-nocheck"];

/// What makes a linter overlook something, and what must stand after it on the line.
const OVERLOOKED: (&str, &str) = ("eslint-disable", " -- ");

/// No source of the page turns a text into markup or code.
pub(super) fn names_stay_text(tree: &Tree) -> Vec<Finding> {
    find(tree, "web/src/", INTERPRETERS, "makes markup or code of a text")
}

/// Every test of the page runs, and every exception to a lint has its reason.
pub(super) fn nothing_is_left_over(tree: &Tree) -> Vec<Finding> {
    let mut leftovers: Vec<_> = LEFTOVERS.iter().map(|word| (*word).to_owned()).collect();
    for test in TESTS {
        leftovers.extend(MODIFIERS.iter().map(|modifier| format!("{test}.{modifier}(")));
    }
    let leftovers: Vec<_> = leftovers.iter().map(String::as_str).collect();
    let mut findings = find(tree, "web/", &leftovers, "is left over");
    let (word, reason) = OVERLOOKED;
    for (path, number, line) in sources(tree, "web/") {
        if line.split_once(word).is_some_and(|(_, rest)| !rest.contains(reason)) {
            findings.push(Finding::at(path, number, format!("`{word}` needs a reason after `{reason}`")));
        }
    }
    findings
}

fn find(tree: &Tree, folder: &str, words: &[&str], what: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, number, line) in sources(tree, folder) {
        for word in words.iter().filter(|word| line.contains(**word)) {
            findings.push(Finding::at(path, number, format!("`{word}` {what}")));
        }
    }
    findings
}

/// Every line of every source below a folder, with its file and number.
fn sources<'a>(tree: &'a Tree, folder: &str) -> impl Iterator<Item = (&'a str, usize, &'a str)> {
    let is_source = |path: &str| [".ts", ".js", ".svelte"].iter().any(|ending| path.ends_with(ending));
    tree.files()
        .filter(move |(path, _)| path.starts_with(folder) && is_source(path))
        .flat_map(|(path, text)| lines(text).map(move |(number, line)| (path, number, line)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(line: &str) -> Tree {
        Tree::of(&[("web/src/Name.svelte", &*format!("<script>\n{line}\n</script>\n"))])
    }

    /// A device that is called `<img onerror=…>` would act in its owner's name.
    #[test]
    fn a_text_that_becomes_markup_or_code_is_found() {
        assert_eq!(names_stay_text(&page("<bdi>{name}</bdi>")), []);
        for interpreter in INTERPRETERS {
            let line = format!("x = {interpreter} name)");
            assert_eq!(names_stay_text(&page(&line))[0].place, "web/src/Name.svelte:2", "{interpreter}");
        }
        let elsewhere = Tree::of(&[("web/e2e/tests/a.spec.ts", "body.innerHTML = attack;\n")]);
        assert_eq!(names_stay_text(&elsewhere), [], "tests play the attacker");
    }

    #[test]
    fn a_test_that_does_not_run_is_found() {
        for leftover in ["test.only(", "it.skip(", "test.describe.only(", "test.fixme(", "waitForTimeout(9)"]
        {
            let tree = Tree::of(&[("web/e2e/tests/a.spec.ts", &*format!("a {leftover}\n"))]);
            assert_eq!(nothing_is_left_over(&tree).len(), 1, "{leftover}");
        }
        for fine in ["test('a', () => {});", "words.only(name)"] {
            assert_eq!(nothing_is_left_over(&page(fine)), [], "{fine}");
        }
    }

    #[test]
    fn an_exception_to_a_lint_says_why() {
        assert_eq!(nothing_is_left_over(&page("// eslint-disable-next-line no-empty")).len(), 1);
        assert_eq!(nothing_is_left_over(&page("// eslint-disable-next-line no-empty -- because")), []);
    }
}
