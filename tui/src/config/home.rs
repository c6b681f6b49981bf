//! Replaces `~` at the start of a path. A shell does so only at the start of a word: not in a file, not in a variable, not
//! after `--keypair=`.
use std::{
    ffi::OsString,
    path::{Path, PathBuf},
};

use clap::builder::{OsStringValueParser, TypedValueParser};

/// `path` with a leading `~` replaced by the home folder.
///
/// # Errors
/// A sentence where another user's home is meant, or the home folder is not known.
pub fn expand(path: &Path) -> Result<PathBuf, String> {
    expanded(path, || etcetera::home_dir().ok())
}

fn expanded(path: &Path, home: impl Fn() -> Option<PathBuf>) -> Result<PathBuf, String> {
    let Some(rest) = path.to_str().and_then(|text| text.strip_prefix('~')) else {
        return Ok(path.to_owned());
    };
    if !rest.is_empty() && !rest.starts_with('/') {
        return Err(format!(
            "{} means the home folder of another user, which is not looked up. Write the whole path, ~/ for your own home folder, or ./~ for a file of that name.",
            path.display()
        ));
    }
    let home = home().filter(|home| home.is_absolute()).ok_or_else(|| {
        format!("{} means your home folder, which is not known: set HOME.", path.display())
    })?;
    Ok(match rest.trim_start_matches('/') {
        "" => home,
        rest => home.join(rest),
    })
}

/// Clap's parser of a path. An empty path is refused: it comes, for example, from an unset shell variable, and would mean
/// the current folder.
pub fn parser() -> impl TypedValueParser<Value = PathBuf> {
    OsStringValueParser::new().try_map(|text: OsString| {
        if text.to_string_lossy().trim().is_empty() {
            return Err("the path is empty; write a path, or leave the option out".to_owned());
        }
        expand(Path::new(&text))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tilde_is_the_own_home_folder_and_another_users_is_refused() {
        let home = || Some(PathBuf::from("/home/bob"));
        for (path, right) in [
            ("~", "/home/bob"),
            ("~/", "/home/bob"),
            ("~/a/b.json", "/home/bob/a/b.json"),
            ("~//a", "/home/bob/a"),
            ("/a/~", "/a/~"),
            ("./~", "./~"),
            ("a~b", "a~b"),
        ] {
            assert_eq!(expanded(Path::new(path), home).unwrap(), Path::new(right), "{path}");
        }
        for path in ["~alice", "~alice/id.json", "~+", "~-"] {
            let error = expanded(Path::new(path), home).unwrap_err();
            assert!(error.contains(path) && error.contains("another user"), "{error}");
        }
        let unknown = expanded(Path::new("~/a"), || None).unwrap_err();
        assert!(unknown.contains("~/a") && unknown.contains("HOME"), "{unknown}");
        let odd = expanded(Path::new("~/a"), || Some("".into())).unwrap_err();
        assert!(odd.contains("HOME"), "{odd}");
    }
}
