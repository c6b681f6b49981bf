//! Applies patches to std's source. Stricter than `patch`: the lines that a hunk replaces must occur in the
//! file exactly once. A newer std then fails here instead of miscompiling a program.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail};

use crate::fingerprint::files;

/// The patches in `folder`, in the order of their names.
pub fn in_folder(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut patches = files(folder, &[])?;
    patches.retain(|path| path.extension().is_some_and(|extension| extension == "patch"));
    Ok(patches)
}

/// Applies the unified diff in `patch` to one file under `root`.
pub fn apply(patch: &Path, root: &Path) -> Result<()> {
    let text =
        fs::read_to_string(patch).with_context(|| format!("cannot read {}", patch.display()))?;
    let name = target(&text)
        .with_context(|| format!("{} names no file in a line `+++ b/…`", patch.display()))?;
    let path = root.join(name);
    let apply = || {
        let source = fs::read_to_string(&path)?;
        fs::write(&path, changed(&source, &hunks(&text))?)?;
        anyhow::Ok(())
    };
    apply().with_context(|| {
        format!("{} does not apply to {}: std has changed", patch.display(), path.display())
    })
}

fn target(patch: &str) -> Option<&str> {
    patch.lines().find_map(|line| line.strip_prefix("+++ b/"))
}

/// Lines to find, and lines to put there instead.
#[derive(Debug, Default, PartialEq, Eq)]
struct Hunk {
    old: String,
    new: String,
}

fn hunks(patch: &str) -> Vec<Hunk> {
    let mut hunks: Vec<Hunk> = vec![];
    for line in patch.lines() {
        if line.starts_with("@@") {
            hunks.push(Hunk::default());
            continue;
        }
        let Some(hunk) = hunks.last_mut() else { continue };
        let (kind, content) = line.split_at_checked(1).unwrap_or((" ", ""));
        let content = format!("{content}\n");
        if kind != "+" {
            hunk.old.push_str(&content);
        }
        if kind != "-" {
            hunk.new.push_str(&content);
        }
    }
    hunks
}

fn changed(source: &str, hunks: &[Hunk]) -> Result<String> {
    if hunks.is_empty() {
        bail!("the patch has no hunk");
    }
    let mut text = source.to_owned();
    for hunk in hunks {
        match text.matches(&hunk.old).count() {
            1 => text = text.replacen(&hunk.old, &hunk.new, 1),
            count => bail!("these lines are there {count} times and not once:\n{}", hunk.old),
        }
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATCH: &str =
        "Why.\n--- a/x/y.rs\n+++ b/x/y.rs\n@@ -1,3 +1,3 @@\n one\n-two\n+2\n three\n";

    #[test]
    fn replaces_the_lines_of_each_hunk() {
        assert_eq!(target(PATCH), Some("x/y.rs"));
        assert_eq!(
            changed("zero\none\ntwo\nthree\n", &hunks(PATCH)).unwrap(),
            "zero\none\n2\nthree\n"
        );
    }

    #[test]
    fn lines_that_are_missing_or_ambiguous_are_an_error() {
        let twice = "one\ntwo\nthree\none\ntwo\nthree\n";
        for source in ["one\nTWO\nthree\n", twice, "one\n2\nthree\n", ""] {
            assert!(changed(source, &hunks(PATCH)).is_err(), "{source}");
        }
        assert!(changed("x\n", &hunks("no hunk")).is_err());
    }
}
