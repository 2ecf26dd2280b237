//! Starting other programs, and saying in one line which one failed and how.

use std::{
    env,
    ffi::OsStr,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use anyhow::{Context, Result, ensure};

/// A cargo command in the work tree, by the cargo that runs this program.
pub(crate) fn cargo<A: AsRef<OsStr>>(root: &Path, arguments: impl IntoIterator<Item = A>) -> Command {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(arguments).current_dir(root);
    cargo
}

/// An npm command in a package, which is a folder with a `package.json`.
pub(crate) fn npm<A: AsRef<OsStr>>(package: &Path, arguments: impl IntoIterator<Item = A>) -> Command {
    let mut npm = Command::new("npm");
    npm.args(arguments).current_dir(package);
    npm
}

/// Where cargo puts what it builds.
pub(crate) fn target_directory(root: &Path) -> Result<PathBuf> {
    let metadata = read(&mut cargo(root, ["metadata", "--format-version", "1", "--no-deps"]))?;
    let metadata: serde_json::Value = serde_json::from_str(&metadata)?;
    Ok(metadata["target_directory"].as_str().context("cargo names no target directory")?.into())
}

/// Runs a command to its end, without input; its output goes where ours goes.
pub(crate) fn run_to_end(command: &mut Command) -> Result<()> {
    let line = line(command);
    let status = command.stdin(Stdio::null()).status().with_context(|| format!("cannot start `{line}`"))?;
    ensure!(status.success(), "`{line}` failed: {status}");
    Ok(())
}

/// Runs a command to its end and gives what it wrote to its standard output.
pub(crate) fn read(command: &mut Command) -> Result<String> {
    let line = line(command);
    let Output { status, stdout, stderr } =
        command.stdin(Stdio::null()).output().with_context(|| format!("cannot start `{line}`"))?;
    ensure!(status.success(), "`{line}` failed: {status}\n{}", String::from_utf8_lossy(&stderr).trim());
    String::from_utf8(stdout).with_context(|| format!("`{line}` wrote something that is no text"))
}

/// A command as a person would type it.
fn line(command: &Command) -> String {
    let program = Path::new(command.get_program());
    let program = program.file_name().unwrap_or(program.as_os_str());
    let words: Vec<_> =
        std::iter::once(program).chain(command.get_args()).map(OsStr::to_string_lossy).collect();
    words.join(" ")
}

/// Whether a program is found.
pub(crate) fn is_installed(program: &str) -> bool {
    find(program).is_some()
}

/// Where a program stands: in `PATH`, or where a system keeps its own that ordinary users do not look.
pub(crate) fn find(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path)
        .chain(["/usr/sbin", "/sbin"].map(PathBuf::from))
        .map(|folder| folder.join(program))
        .find(|place| place.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_names_the_command_and_what_it_said() {
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", "echo no such luck >&2; exit 3"]);
        let error = read(&mut shell).unwrap_err().to_string();
        assert!(error.contains("`sh -c") && error.contains("no such luck") && error.contains('3'), "{error}");
        assert!(run_to_end(&mut shell).unwrap_err().to_string().contains('3'));
        assert!(
            run_to_end(&mut Command::new("no-such-program"))
                .unwrap_err()
                .to_string()
                .contains("cannot start")
        );
    }

    #[test]
    fn output_comes_back_as_text() {
        assert_eq!(read(Command::new("echo").args(["a", "b"])).unwrap(), "a b\n");
    }

    #[test]
    fn programs_are_found_where_they_are() {
        assert!(is_installed("sh"));
        assert!(!is_installed("no-such-program"));
    }
}
