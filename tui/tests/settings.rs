//! Runs the binary's command `config check`.
#[cfg(test)]
mod settings {
    use std::{fs, path::Path, process::Command};

    /// The exit code and everything printed, with `home` as the home folder.
    fn check(home: &Path, args: &[&str]) -> (Option<i32>, String) {
        let out = Command::new(env!("CARGO_BIN_EXE_control-room"))
            .env_clear()
            .env("HOME", home)
            .current_dir(home)
            .args(["config", "check"])
            .args(args)
            .output()
            .unwrap();
        let text = [out.stdout, out.stderr].concat();
        (out.status.code(), String::from_utf8(text).unwrap())
    }

    #[test]
    fn a_missing_key_file_is_reported_however_the_configuration_is_named() {
        let home = tempfile::tempdir().unwrap();
        let (file, key) = (home.path().join("x.toml"), home.path().join("id.json"));
        fs::write(&file, "keypair = '~/id.json'\n").unwrap();
        let whole = file.display().to_string();
        for path in ["~/x.toml", "x.toml", &whole] {
            let (code, said) = check(home.path(), &["--config", path]);
            assert_eq!(code, Some(1), "{said}");
            assert!(said.contains(&format!("There is no key file {}", key.display())), "{said}");
        }
        fs::write(&key, "[]").unwrap();
        let (code, said) = check(home.path(), &["--config=~/x.toml"]);
        assert_eq!((code, said), (Some(0), format!("{whole} is fine.\n")));
    }

    #[test]
    fn an_empty_or_missing_path_never_means_the_defaults() {
        let home = tempfile::tempdir().unwrap();
        for (path, expected, words) in
            [("", 2, "the path is empty"), ("none.toml", 1, "none.toml cannot be read")]
        {
            let (code, said) = check(home.path(), &["--config", path]);
            assert_eq!(code, Some(expected), "{said}");
            assert!(said.contains(words) && !said.contains("defaults"), "{said}");
        }
        let (code, said) = check(home.path(), &[]);
        assert!(code == Some(0) && said.contains("the defaults are used"), "{said}");
    }
}
