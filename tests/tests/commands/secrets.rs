//! Rules out that the control room prints or logs a password, an access key or a secret key,
//! whatever characters it holds and wherever it was put: each secret is given in every possible
//! place, and no four characters of it may appear in the output.
use std::{
    fs,
    net::TcpListener,
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Command, Output},
    thread,
};

use tempfile::TempDir;

/// Characters that mean something in addresses, shells, TOML or JSON.
const NASTY: [&str; 18] =
    ["/", "'", ":", "@", "#", "?", "%", " ", "\"", "\\", "&", "=", "[", "]", "<", "`", "\t", "%2F"];
/// Nothing listens there.
const NOWHERE: &str = "127.0.0.1:9";

/// A listener that closes every connection at once, so that a database driver does not retry.
fn rude() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let at = listener.local_addr().expect("an address").to_string();
    thread::spawn(move || listener.incoming().for_each(drop));
    at
}

/// A password with `c` in it.
fn password(c: &str) -> String {
    format!("ZqXw7{c}KvJp3{c}Yh8Lm")
}

/// The control room with an empty environment.
fn control_room(folder: &Path) -> Command {
    let mut command = Command::new(e2e::robot::control_room());
    let strangers = std::env::vars_os().map(|(name, _)| name);
    strangers.filter(|n| n.to_string_lossy().starts_with("CONTROL_ROOM_")).for_each(|name| {
        command.env_remove(name);
    });
    command.env("HOME", folder).env_remove("XDG_CONFIG_HOME").env_remove("XDG_DATA_HOME");
    command.env("CONTROL_ROOM_LOG_FILE", folder.join("log"));
    command
        .env("CONTROL_ROOM_LOG_LEVEL", "debug")
        .env("CONTROL_ROOM_DATA_DIR", folder.join("data"));
    command.env("CONTROL_ROOM_RPC_URL", format!("http://{NOWHERE}"));
    command
}

/// Everything that was printed and logged.
fn said(out: &Output, folder: &Path) -> String {
    let log = fs::read_to_string(folder.join("log")).unwrap_or_default();
    let [stdout, stderr] =
        [&out.stdout, &out.stderr].map(|b| String::from_utf8_lossy(b).into_owned());
    // The folder's name is random.
    format!("{stdout}{stderr}{log}").replace(&folder.display().to_string(), "FOLDER")
}

/// Checks that the output is not empty and contains no four characters of `secret`, or eight of a
/// list of numbers.
fn keeps(secret: &str, how: &str, out: &Output, folder: &Path) {
    let said = said(out, folder);
    let chars: Vec<char> = secret.chars().collect();
    // Three digits and a space appear in ordinary output.
    let few = if secret.chars().any(char::is_lowercase) { 4 } else { 8 };
    for window in chars.windows(few).map(|w| w.iter().collect::<String>()) {
        assert!(!said.contains(&window), "{how} repeats {window:?} of {secret:?}:\n{said}");
    }
    assert!(!out.status.success(), "{how} must fail with {secret:?}:\n{said}");
    assert!(!out.stderr.is_empty() || !out.stdout.is_empty(), "{how} says nothing");
    assert!(!said.contains("panicked"), "{how}: {said}");
}

fn folder() -> TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

/// `text` as a string of TOML.
fn toml(text: &str) -> String {
    serde_json::to_string(text).expect("a string")
}

/// Gives `url`, which holds `secret`, in every place that takes a database URL, and in wrong
/// places.
fn every_way_in(url: &str, secret: &str) {
    let dir = folder();
    let at = dir.path();
    let config = at.join("config.toml");
    let with_file = |text: String, args: &[&str]| {
        fs::write(&config, text).expect("a file");
        fs::set_permissions(&config, fs::Permissions::from_mode(0o600)).expect("a mode");
        control_room(at).arg("--config").arg(&config).args(args).output().expect("it starts")
    };
    let run = |args: &[&str]| control_room(at).args(args).output().expect("it starts");

    keeps(secret, "a flag", &run(&["status", "--database-url", url]), at);
    keeps(secret, "a flag, as JSON", &run(&["audit", "head", "--json", "--database-url", url]), at);
    let mut variable = control_room(at);
    variable.env("CONTROL_ROOM_DATABASE_URL", url).arg("migrate-db");
    keeps(secret, "a variable", &variable.output().expect("it starts"), at);
    let file = format!("database_url = {}", toml(url));
    keeps(secret, "the file", &with_file(file.clone(), &["status"]), at);
    keeps(secret, "doctor", &with_file(file, &["doctor", "--json"]), at);
    // On the wrong line, without quotes, and on the command line where nothing takes it.
    let check = ["config", "check"];
    for text in [
        format!("database_url = {url}"),
        format!("read_only = {}", toml(url)),
        format!("theme = {}", toml(url)),
        format!("rpc_url = {}", toml(url)),
        format!("[index]\nlisten = {}", toml(url)),
        format!("[retention]\nops_days = {}", toml(url)),
    ] {
        keeps(secret, &text, &with_file(text.clone(), &check), at);
    }
    keeps(secret, "no flag", &run(&["status", url]), at);
    keeps(secret, "no command", &run(&[url]), at);
    keeps(secret, "a wrong flag", &run(&["status", "--log-level", url]), at);
    keeps(secret, "an address of a node", &run(&["status", "--rpc-url", url]), at);
}

#[test]
fn no_database_password_is_printed_in_any_form_of_url() {
    let (mut urls, rude) = (vec![], rude());
    for c in NASTY {
        let secret = password(c);
        urls.push((format!("postgres://bob:{secret}@{rude}/mirror"), secret));
    }
    let plain = password("");
    for url in [
        format!("postgres://bob:{plain}:{rude}/mirror"),
        format!("postgres://:{plain}:@{rude}/mirror"),
        format!("postgres://bob:{plain}@:{rude}/mirror"),
        format!("postgres:bob:{plain}@{rude}/mirror"),
        format!("bob:{plain}@{rude}/mirror"),
        format!("postgres://bob:12/{plain}@{rude}/mirror"),
        format!("postgres://{rude}/mirror?user=bob&password={plain}&pasword={plain}"),
        format!("postgres://{rude}/mirror?sslmode={plain}"),
    ] {
        urls.push((url, plain.clone()));
    }
    thread::scope(|scope| {
        for (url, secret) in &urls {
            scope.spawn(|| every_way_in(url, secret));
        }
    });
}

#[test]
fn no_access_key_of_a_node_or_a_webhook_is_printed() {
    thread::scope(|scope| {
        for c in NASTY {
            scope.spawn(move || {
                let dir = folder();
                let at = dir.path();
                let secret = password(c);
                for url in [
                    format!("http://{NOWHERE}/v1/{secret}"),
                    format!("http://{NOWHERE}/?api-key={secret}"),
                    format!("http://bob:{secret}@{NOWHERE}/"),
                ] {
                    let run =
                        |args: &[&str]| control_room(at).args(args).output().expect("it starts");
                    keeps(&secret, &url, &run(&["status", "--rpc-url", &url]), at);
                    let socket = url.replace("http://", "ws://");
                    keeps(&secret, &socket, &run(&["doctor", "--ws-url", &socket]), at);
                    let hook = format!(
                        "[[webhooks]]\nname = 'multisig'\nurl = {}\nsecret_env = 'NONE'\n",
                        toml(&url.replace(NOWHERE, "hooks.example"))
                    );
                    let config = at.join("config.toml");
                    fs::write(&config, hook).expect("a file");
                    let check = ["config", "check", "--config", &config.display().to_string()];
                    keeps(&secret, "a webhook", &run(&check), at);
                }
            });
        }
    });
}

#[test]
fn a_secret_key_given_as_a_path_is_not_printed() {
    let numbers: Vec<String> = (0..64).map(|n| (164 + n).to_string()).collect();
    let list = format!("[{}]", numbers.join(","));
    let phrase = "quizquiz jumpjump vexvexvex foxfoxfox zebrazebra wakewakewake";
    let base58 =
        "5MaiiCavjCmn9Hs1o3eznqDEhRwxo7pXiAYez7keQUviUkauRiTMD8DrESdrNjN8zd9mTmVhRvBJeg5vhyvgrAhG";
    let dir = folder();
    let at = dir.path();
    for key in [list.as_str(), phrase, base58, &numbers.join(" ")] {
        let run = |args: &[&str]| control_room(at).args(args).output().expect("it starts");
        keeps(key, "--keypair", &run(&["approve", "--yes", "--keypair", key]), at);
        keeps(key, "doctor", &run(&["doctor", "--keypair", key]), at);
        keeps(key, "--cosigner", &run(&["execute", "--cosigner", key]), at);
        keeps(key, "no flag", &run(&["approve", key]), at);
        let mut variable = control_room(at);
        variable.env("CONTROL_ROOM_KEYPAIR", key).args(["approve", "--yes"]);
        keeps(key, "a variable", &variable.output().expect("it starts"), at);
        let help = control_room(at).env("CONTROL_ROOM_KEYPAIR", key).arg("--help").output();
        let help = String::from_utf8(help.expect("it starts").stdout).expect("text");
        assert!(help.contains("CONTROL_ROOM_KEYPAIR") && !help.contains(&key[..8]), "{help}");
        let config = at.join("config.toml");
        fs::write(&config, format!("keypair = {}", toml(key))).expect("a file");
        let file = config.display().to_string();
        keeps(key, "the file", &run(&["config", "check", "--config", &file]), at);
        fs::write(&config, format!("keypair = {list}")).expect("a file");
        keeps(&list, "no string", &run(&["config", "check", "--config", &file]), at);
    }
}

#[test]
fn variables_paths_and_devices_are_taken_as_people_write_them() {
    let dir = folder();
    let at = dir.path();
    fs::create_dir(at.join("keys")).expect("a folder");
    let status = |name: &str, value: &str| {
        let out = control_room(at).env(name, value).arg("doctor").output().expect("it starts");
        (out.status.code(), said(&out, at))
    };
    // Exit code 1 means that no node answers, so the configuration was accepted.
    for value in ["1", "YES", "", " off\r\n"] {
        let (code, said) = status("CONTROL_ROOM_READ_ONLY", value);
        assert_eq!(code, Some(1), "{value:?}: {said}");
    }
    let (code, said_of_it) = status("CONTROL_ROOM_READ_ONLY", "maybe");
    assert_eq!(code, Some(2), "{said_of_it}");
    assert!(said_of_it.contains("CONTROL_ROOM_READ_ONLY"), "{said_of_it}");
    assert!(said_of_it.contains("1, true, yes, on"), "{said_of_it}");

    for (value, words) in [
        ("~/keys/none.json", &["FOLDER/keys/none.json", "check the path"] as &[&str]),
        ("~bob/id.json", &["~bob/id.json", "another user"]),
        ("usb://ledger?key=0", &["not supported yet", "key file"]),
        ("prompt:", &["not supported yet", "key file"]),
    ] {
        let config = at.join("config.toml");
        fs::write(&config, format!("keypair = {}\ndata_dir = '~/data'", toml(value)))
            .expect("a file");
        let flag = format!("--keypair={value}");
        let file = format!("--config={}", config.display());
        for args in [["doctor", &flag], ["doctor", &file]] {
            let out = control_room(at).args(args).output().expect("it starts");
            let said = said(&out, at);
            assert!(words.iter().all(|word| said.contains(word)), "{args:?}: {said}");
            assert!(!said.contains("solana-keygen"), "{args:?}: {said}");
        }
    }
}

#[test]
fn a_size_that_the_sandbox_does_not_have_is_refused_before_a_chain_is_started() {
    for (flag, value) in
        [("--vaults", "0"), ("--vaults", "10001"), ("--slot-ms", "49"), ("--slot-ms", "751")]
    {
        let dir = folder();
        let ours = control_room(dir.path()).args(["sandbox", flag, value]).output();
        let chains = Command::new(e2e::robot::sandbox()).args([flag, value]).output();
        for out in [ours.expect("it starts"), chains.expect("it starts")] {
            let said = String::from_utf8_lossy(&out.stderr).into_owned();
            assert_eq!(out.status.code(), Some(2), "{said}");
            assert!(said.contains(flag) && said.contains(value) && said.contains(".."), "{said}");
        }
    }
}
