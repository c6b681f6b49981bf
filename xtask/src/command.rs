//! Runs other programs. An error says which step failed, shows the end of its output, and says what to do.

use std::{
    env,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use crate::paths::Paths;

/// How many of a failed command's last lines an error shows.
const MAX_ERROR_LINES: usize = 30;

/// The path of `program` on PATH.
pub fn find(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path).map(|folder| folder.join(program)).find(|file| file.is_file())
}

/// Runs a command whose output the operator reads as it comes.
pub fn run(command: &mut Command, what: &str) -> Result<()> {
    let status = command.status().with_context(|| cannot_start(command))?;
    if !status.success() {
        bail!("{what} failed ({status}): the reason is above");
    }
    Ok(())
}

/// Runs a command silently; its output, or an error with the end of it.
pub fn quietly(command: &mut Command, what: &str) -> Result<Output> {
    let output = command.stdin(Stdio::null()).output().with_context(|| cannot_start(command))?;
    if !output.status.success() {
        bail!("{what} failed ({}):\n{}", output.status, tail(&output));
    }
    Ok(output)
}

/// Standard output of a command that runs silently, as text.
pub fn text(command: &mut Command, what: &str) -> Result<String> {
    let output = quietly(command, what)?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn cannot_start(command: &Command) -> String {
    let program = Path::new(command.get_program());
    format!("cannot start {}: install it or put it on PATH", program.display())
}

/// The last lines of a command's stderr, or of its stdout where stderr is empty.
pub fn tail(output: &Output) -> String {
    let stdout = String::from_utf8_lossy(&output.stdout);
    let stderr = String::from_utf8_lossy(&output.stderr);
    let source = if stderr.trim().is_empty() { stdout } else { stderr };
    let lines: Vec<_> = source.lines().collect();
    lines.get(lines.len().saturating_sub(MAX_ERROR_LINES)..).unwrap_or_default().join("\n")
}

/// The cargo that runs this program.
fn cargo_path() -> PathBuf {
    env::var_os("CARGO").map_or_else(|| PathBuf::from("cargo"), PathBuf::from)
}

/// Cargo in the workspace at `root`, as if the operator had typed it there: without what `cargo run`
/// adds to the environment for this program, which would make it build some crates twice.
pub fn cargo(root: &Path, target: &Path) -> Command {
    let mut command = Command::new(cargo_path());
    command.current_dir(root).env("CARGO_TARGET_DIR", target);
    let added = ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_", "CARGO_CRATE_", "CARGO_PRIMARY_"];
    for name in variables().filter(|name| added.iter().any(|start| name.starts_with(start))) {
        command.env_remove(name);
    }
    command
}

/// Name and path of what `cargo` compiles for `arguments`.
pub fn compiled(paths: &Paths, arguments: &[&str]) -> Result<Vec<(String, PathBuf)>> {
    let mut build = cargo(&paths.root, &paths.target());
    build.args(arguments).args([
        "--locked",
        "--no-run",
        "--message-format=json-render-diagnostics",
    ]);
    let messages = text(&mut build, "compiling")?;
    let mut found = Vec::new();
    for message in messages.lines().filter_map(|l| serde_json::from_str::<Value>(l).ok()) {
        let field = |pointer: &str| message.pointer(pointer).and_then(Value::as_str);
        if let (Some(name), Some(path)) = (field("/target/name"), field("/executable")) {
            found.push((name.to_owned(), PathBuf::from(path)));
        }
    }
    Ok(found)
}

/// Cargo for a build whose result must not depend on the operator's environment: only settings of the
/// network, of registries and of the cargo home pass.
pub fn isolated_cargo(target: &Path) -> Command {
    let mut command = Command::new(cargo_path());
    isolate(&mut command);
    command.env("CARGO_TARGET_DIR", target);
    command
}

/// Takes every variable that changes how cargo or rustc build out of a command's environment.
pub fn isolate(command: &mut Command) {
    const KEPT: [&str; 6] = [
        "CARGO_HOME",
        "CARGO_HTTP_",
        "CARGO_NET_",
        "CARGO_REGISTR",
        "CARGO_SOURCE_",
        "CARGO_BUILD_JOBS",
    ];
    const REMOVED: [&str; 5] = ["CARGO", "__CARGO", "RUSTC", "RUSTFLAGS", "RUSTDOC"];
    for name in variables() {
        let removed = REMOVED.iter().any(|start| name.starts_with(start));
        if (removed && !KEPT.iter().any(|start| name.starts_with(start)))
            || name == "LD_LIBRARY_PATH"
        {
            command.env_remove(name);
        }
    }
}

fn variables() -> impl Iterator<Item = String> {
    env::vars_os().filter_map(|(name, _)| name.into_string().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_says_what_failed_and_shows_the_reason() {
        let mut shell = Command::new("sh");
        shell.args(["-c", "echo out; echo reason >&2; exit 3"]);
        let error = quietly(&mut shell, "building the thing").unwrap_err().to_string();
        assert!(error.contains("building the thing failed") && error.contains("reason"), "{error}");
        let error = format!("{:#}", run(&mut Command::new("no-such-program"), "x").unwrap_err());
        assert!(error.contains("install it"), "{error}");
    }

    #[test]
    fn finds_programs_on_the_path_only() {
        assert!(find("sh").is_some());
        assert!(find("no-such-program").is_none());
    }
}
