//! The commands of the mirror: fill once, verify, export, read, and run as a daemon.
use std::{
    fs,
    io::{Read, Write},
    net::TcpStream,
    path::Path,
    process::{Child, Command, Output, Stdio},
    time::{Duration, Instant},
};

use e2e::{database::Database, live::Live, robot};
use serde_json::Value;

/// How long a test waits for a change. Only a failing test waits that long.
const MIRROR_TIMEOUT: Duration = Duration::from_secs(60);

fn run(flags: &[String], args: &[&str]) -> Output {
    Command::new(robot::control_room())
        .args(flags)
        .args(args)
        .output()
        .expect("the control room starts")
}

fn text(out: &Output) -> String {
    let (told, errors) =
        (String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
    format!("{told}\n{errors}")
}

/// Exit code and the one JSON value.
fn json(flags: &[String], args: &[&str]) -> (i32, Value) {
    let out = run(flags, &[args, &["--json"]].concat());
    let value = serde_json::from_slice(&out.stdout);
    let value = value.unwrap_or_else(|e| panic!("{args:?}: {e}\n{}", text(&out)));
    (out.status.code().expect("no signal"), value)
}

/// Changes one bit of the first audit row in the store at `path`, without the triggers that forbid
/// it.
fn bend(path: &str) {
    let sqlite = rusqlite::Connection::open(path).expect("a store");
    let names = "SELECT name FROM sqlite_schema WHERE type = 'trigger'";
    let mut statement = sqlite.prepare(names).expect("SQL");
    let triggers = statement.query_map([], |r| r.get::<_, String>(0)).expect("names");
    for name in triggers.map(|name| name.expect("a name")) {
        sqlite.execute_batch(&format!("DROP TRIGGER {name}")).expect("no trigger");
    }
    let read = |r: &rusqlite::Row<'_>| r.get::<_, Vec<u8>>(0);
    let first = "SELECT signature FROM audit_log WHERE seq = 1";
    let mut bytes = sqlite.query_row(first, [], read).expect("a row");
    bytes[7] ^= 1;
    let done = sqlite.execute("UPDATE audit_log SET signature = ?1 WHERE seq = 1", [&bytes]);
    assert_eq!(done.expect("the change"), 1);
}

#[test]
fn a_mirror_is_filled_once_checked_exported_and_one_changed_byte_is_named() {
    let chain = Live::start(2, 100, &[]);
    let flags = chain.flags("mirror", 1);
    // Events are mirrored once they are final.
    let deadline = Instant::now() + MIRROR_TIMEOUT;
    let (code, once) = loop {
        let done = json(&flags, &["index", "--once"]);
        if done.1["audit_seq"].as_u64() > Some(0) {
            break done;
        }
        assert!(Instant::now() < deadline, "{}", done.1);
    };
    assert_eq!((code, &once["found"], &once["error"]), (0, &0.into(), &Value::Null), "{once}");
    assert_eq!(once["digest"].as_str().map(str::len), Some(64));

    // Another mirror of the same chain is equal.
    let (_, other) = json(&chain.flags("other", 1), &["index", "--once"]);
    assert_eq!(other["digest"], once["digest"]);

    // Mirrored data are read without a node.
    let mut offline = flags.clone();
    offline.extend(["--rpc-url".to_owned(), "http://127.0.0.1:9".to_owned()]);
    let offline: Vec<String> = offline.into_iter().skip(2).collect();
    let (code, head) = json(&offline, &["audit", "head"]);
    assert_eq!((code, &head["hash"]), (0, &once["audit_head"]), "{head}");
    assert!(head["seq"].as_u64() > Some(0), "{head}");
    let (code, held) = json(&offline, &["audit", "verify"]);
    assert_eq!((code, &held["holds"], &held["head"]), (0, &true.into(), &head["hash"]), "{held}");

    // The export is verified without the mirror.
    for name in ["log.jsonl", "log.csv"] {
        let file = chain.folder(name).display().to_string();
        let (code, written) = json(&offline, &["audit", "export", "--output", &file]);
        assert_eq!((code, &written["rows"]), (0, &head["seq"]), "{written}");
        let (code, held) = json(&offline, &["audit", "verify", "--file", &file]);
        assert_eq!((code, &held["head"]), (0, &head["hash"]), "{held}");
        let whole = fs::read_to_string(&file).expect("the export");
        let hash = head["hash"].as_str().expect("a hash");
        let bent = if hash.starts_with('0') { "1" } else { "0" }.to_owned() + &hash[1..];
        fs::write(&file, whole.replace(hash, &bent)).expect("the export");
        let (code, broken) = json(&offline, &["audit", "verify", "--file", &file]);
        assert_eq!((code, &broken["holds"]), (1, &false.into()), "{broken}");
    }
    let shown = run(&offline, &["audit", "export", "--format", "csv"]);
    assert!(shown.status.success() && shown.stdout.starts_with(b"seq,slot,"), "{}", text(&shown));

    // One byte of a copy is changed: row and column are named.
    let copy = chain.folder("copy");
    fs::create_dir(&copy).expect("a folder");
    let store = chain.folder("mirror").join("mirror.sqlite");
    let copied = copy.join("mirror.sqlite").display().to_string();
    let sqlite = rusqlite::Connection::open(&store).expect("the mirror");
    sqlite.execute("VACUUM INTO ?1", [&copied]).expect("the copy");
    bend(&copied);
    let (code, broken) = json(&chain.flags("copy", 1), &["audit", "verify"]);
    assert_eq!(code, 1, "{broken}");
    let fault = &broken["faults"][0];
    let place = serde_json::json!({"table": "audit_log", "row": "1", "field": "signature"});
    assert_eq!(fault["at"], place, "{broken}");
    assert!(fault["what"].as_str().is_some_and(|w| w.ends_with('.')), "{broken}");

    // A missing mirror is an error, and none is made.
    let none = chain.flags("none", 1);
    let out = run(&none, &["audit", "verify"]);
    assert_eq!(out.status.code(), Some(2), "{}", text(&out));
    assert!(!chain.folder("none").join("mirror.sqlite").exists(), "looking makes nothing");
}

#[test]
fn doctor_finds_everything_in_order_and_says_what_is_not() {
    let chain = Live::start(2, 100, &[]);
    let flags = chain.flags("mirror", 1);
    let before = json(&flags, &["doctor"]);
    assert_eq!((before.0, &before.1["healthy"]), (0, &true.into()), "{}", before.1);
    assert!(!chain.folder("mirror").join("mirror.sqlite").exists(), "looking makes nothing");
    json(&flags, &["index", "--once"]);
    let out = run(&flags, &["doctor"]);
    let lines = text(&out);
    assert!(out.status.success() && !lines.contains("FAIL"), "{lines}");
    for word in ["mirror", "writer", "schema", "disk", "key file", "websocket", "chain time"] {
        assert!(lines.contains(word), "{word} is not looked at:\n{lines}");
    }
    let mut down = flags.clone();
    down.splice(0..2, ["--rpc-url".to_owned(), "http://127.0.0.1:9/key-0123456789".to_owned()]);
    let out = run(&down, &["doctor"]);
    let lines = text(&out);
    assert!(out.status.code() == Some(1) && lines.contains("FAIL  node"), "{lines}");
    assert!(!lines.contains("0123456789"), "{lines}");
}

#[test]
fn the_schema_is_brought_up_to_date_by_command_and_a_file_needs_none() {
    let chain = Live::start(2, 100, &[]);
    let flags = chain.flags("mirror", 1);
    let (code, refused) = json(&flags, &["migrate-db"]);
    assert!(code == 1 && refused["error"].as_str().is_some_and(|e| e.contains("--database-url")));
    let Some(database) = Database::fresh("schema") else { return };
    let mut flags = chain.flags("postgres", 1);
    flags.extend(["--database-url".to_owned(), database.url()]);
    let (code, done) = json(&flags, &["migrate-db"]);
    assert!(code == 0 && done["to"].as_u64() > Some(0), "{done}");
    let (_, again) = json(&flags, &["migrate-db"]);
    assert_eq!(again["from"], again["to"], "{again}");
    let (code, refused) = json(&flags, &["migrate-db", "--read-only-role", "a b"]);
    assert_eq!(code, 1, "{refused}");
}

/// A mirror that runs until the test ends.
struct Daemon(Child);

impl Daemon {
    /// Stops the daemon by a signal and waits for its end.
    fn end(&mut self) {
        let pid = self.0.id().to_string();
        let asked = Command::new("kill").args(["-TERM", &pid]).status().expect("kill runs");
        assert!(asked.success(), "the daemon is gone already");
        let deadline = Instant::now() + MIRROR_TIMEOUT;
        let status = loop {
            if let Some(status) = self.0.try_wait().expect("the daemon") {
                break status;
            }
            assert!(Instant::now() < deadline, "it does not end");
            std::thread::sleep(Duration::from_millis(20));
        };
        assert_eq!(status.code(), Some(0), "an end that was asked for is no failure");
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Status and body of `path`, once the daemon listens.
/// The probe address of the daemon that logs to `log`: it takes a free port and logs it.
fn served_at(log: &Path) -> String {
    let deadline = Instant::now() + MIRROR_TIMEOUT;
    loop {
        let said = fs::read_to_string(log).unwrap_or_default();
        let lines = said.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let mut served = lines.filter(|line| line["message"] == "health is served");
        if let Some(at) = served.find_map(|line| line["at"].as_str().map(str::to_owned)) {
            return at;
        }
        assert!(Instant::now() < deadline, "it does not say where it listens:\n{said}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn get(at: &str, path: &str) -> (String, String) {
    let mut stream = TcpStream::connect(at).expect("the daemon listens");
    let request = format!("GET {path} HTTP/1.1\r\nHost: {at}\r\n\r\n");
    stream.write_all(request.as_bytes()).expect("a request");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
    (head.lines().next().unwrap_or_default().to_owned(), body.to_owned())
}

#[test]
fn a_daemon_tells_probes_how_it_is_and_logs_json_without_keys() {
    let chain = Live::start(2, 100, &[]);
    // Outside the chain's folder, which is removed with the chain.
    let folder = tempfile::tempdir().expect("a folder");
    let own = |name: &str| folder.path().join(name).display().to_string();
    let log = folder.path().join("daemon.log");
    let (rpc, ws) = (&chain.flags("mirror", 1)[1], &chain.flags("mirror", 1)[3]);
    let flags = [
        // The node takes any path.
        ["--rpc-url".to_owned(), format!("{rpc}/v2/0123456789abcdef")],
        ["--ws-url".to_owned(), ws.clone()],
        ["--data-dir".to_owned(), own("mirror")],
    ]
    .concat();
    let record = own("arrivals.jsonl.zst");
    let mut daemon = Daemon(
        Command::new(robot::control_room())
            .args(&flags)
            .args(["index", "--listen", "127.0.0.1:0", "--log-format", "json"])
            .args(["--record", &record])
            .stderr(fs::File::create(&log).expect("a log file"))
            .stdout(Stdio::null())
            .spawn()
            .expect("the daemon starts"),
    );
    let at = served_at(&log);
    let deadline = Instant::now() + MIRROR_TIMEOUT;
    let health = loop {
        let (status, body) = get(&at, "/healthz");
        if status.contains("200") {
            break body;
        }
        assert!(Instant::now() < deadline, "{body}");
        std::thread::sleep(Duration::from_millis(100));
    };
    let health: Value = serde_json::from_str(&health).expect("JSON");
    assert_eq!((&health["state"], &health["reasons"]), (&"Live".into(), &Value::Array(vec![])));
    assert!(get(&at, "/readyz").0.contains("200"));
    let counts = get(&at, "/metrics").1;
    for name in [
        "control_room_slot_seen ",
        "control_room_updates_total{",
        "control_room_snapshot_seconds_count ",
    ] {
        let line = counts.lines().find(|l| l.starts_with(name));
        assert!(line.is_some_and(|l| !l.ends_with(" 0")), "{name} was not counted:\n{counts}");
    }
    // Other commands see that a daemon runs, and work beside it.
    let out = run(&flags, &["doctor"]);
    assert!(out.status.success() && text(&out).contains("others follow"), "{}", text(&out));
    let (code, beside) = json(&flags, &["index", "--once"]);
    assert_eq!((code, &beside["found"]), (0, &0.into()), "{beside}");
    // The chain stops: the daemon stays and reports it.
    drop(chain);
    let deadline = Instant::now() + MIRROR_TIMEOUT;
    loop {
        let (status, body) = get(&at, "/healthz");
        if status.contains("503") {
            assert!(!body.contains("0123456789"), "{body}");
            break;
        }
        assert!(Instant::now() < deadline, "{body}");
        std::thread::sleep(Duration::from_millis(100));
    }
    assert!(get(&at, "/readyz").0.contains("200"), "what is mirrored can still be shown");
    assert!(daemon.0.try_wait().expect("the daemon").is_none(), "it keeps trying");

    // The daemon ends on a signal, and its recording replays to the same mirror.
    daemon.end();
    let (code, played) = json(&[], &["replay", "--from", &record, "--into", &own("played.sqlite")]);
    assert_eq!((code, &played["cut"]), (0, &false.into()), "{played}");
    assert_eq!(played["digest"], beside["digest"], "{played}");
    let (code, again) = json(&[], &["replay", "--from", &record]);
    assert_eq!((code, &again["digest"]), (0, &played["digest"]), "{again}");
    assert_eq!(again["audit_head"], played["audit_head"]);

    let log = fs::read_to_string(log).expect("the log");
    assert!(!log.contains("0123456789") && log.contains("is served"), "{log}");
    for line in log.lines() {
        let value: Value = serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"));
        assert!(value["level"].is_string() && value["message"].is_string(), "{line}");
    }
}
