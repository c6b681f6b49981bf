//! Wrong files, clusters and databases: one sentence with the next step, an exit code other than 0,
//! and nothing half-written.
use std::{
    fs,
    io::{Read, Write},
    net::TcpListener,
    process::Output,
    thread,
};

use e2e::live::Live;

/// Checks that the command failed with a sentence that contains all `words`, without a backtrace.
fn fails(out: &Output, words: &[&str]) {
    let text = String::from_utf8_lossy(&out.stderr).into_owned();
    let all = format!("{}{text}", String::from_utf8_lossy(&out.stdout));
    assert!(!out.status.success(), "it must not succeed:\n{all}");
    for word in words {
        assert!(text.contains(word), "{word:?} is missing in:\n{text}");
    }
    assert!(!all.contains("panicked") && !all.contains("RUST_BACKTRACE"), "{all}");
}

/// Checks that the command read the chain alone and warned that the mirror at `place` is missing.
fn does_without_the_mirror(out: &Output, place: &str) {
    let warned = String::from_utf8_lossy(&out.stderr).into_owned();
    assert!(out.status.success(), "{warned}");
    assert!(warned.contains("Warning: ") && warned.contains(place), "{warned}");
}

fn run(chain: &Live, flags: &[String], args: &[&str]) -> Output {
    let _ = chain;
    std::process::Command::new(e2e::robot::control_room())
        .args(flags)
        .args(args)
        .output()
        .expect("the control room starts")
}

/// `flags` with the value of `name` replaced.
fn with(mut flags: Vec<String>, name: &str, value: &str) -> Vec<String> {
    let at = flags.iter().position(|f| f == name).expect("a flag that is there");
    flags[at + 1] = value.to_owned();
    flags
}

/// Text that only a missing or wrong chain would cause.
fn server(answer: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            thread::spawn(move || {
                let mut buf = [0; 65_536];
                while let Ok(n) = stream.read(&mut buf) {
                    if n == 0 {
                        return;
                    }
                    let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n";
                    let text = format!("{head}Content-Length: {}\r\n\r\n{answer}", answer.len());
                    if stream.write_all(text.as_bytes()).is_err() {
                        return;
                    }
                }
            });
        }
    });
    url
}

#[test]
fn every_bad_input_gets_a_sentence_and_an_exit_code() {
    let chain = Live::start(2, 100, &[]);
    let flags = || chain.flags("mirror", 2);
    let act = ["approve", "--yes"];
    let file = |name: &str, text: &str| {
        let path = chain.folder(name);
        fs::write(&path, text).expect("a file");
        path.display().to_string()
    };

    // Keys.
    let missing = chain.folder("nobody.json").display().to_string();
    fails(&run(&chain, &with(flags(), "--keypair", &missing), &act), &["nobody.json"]);
    let garbage = file("garbage.json", "[1,2,3]");
    fails(&run(&chain, &with(flags(), "--keypair", &garbage), &act), &["garbage.json"]);
    let own = fs::read_to_string(chain.key(2)).expect("a key file");
    let wrong = own.replacen(own.split(',').nth(40).expect("a byte"), "7", 1);
    let wrong = file("wrong.json", &format!("{},1]", wrong.trim_end_matches(']')));
    let out = run(&chain, &with(flags(), "--keypair", &wrong), &act);
    fails(&out, &["wrong.json"]);
    let secret =
        own.trim_matches(['[', ']', '\n']).split(',').take(6).collect::<Vec<_>>().join(",");
    let said = String::from_utf8_lossy(&out.stderr).into_owned();
    assert!(!said.contains(&secret), "a key must never be printed: {said}");

    // Nodes: down, and of another cluster than the store's.
    let down = with(flags(), "--rpc-url", "http://127.0.0.1:9");
    fails(&run(&chain, &down, &act), &["127.0.0.1:9"]);
    chain.done(2, &["index", "--once"]);
    let other = server(
        r#"{"jsonrpc":"2.0","id":0,"result":"5eykt4UsFv8P8NJdTREpY1vzqKqZKvdpKuc147dw2N9d"}"#,
    );
    let out = run(&chain, &with(flags(), "--rpc-url", &other), &["index", "--once"]);
    fails(&out, &["genesis"]);
    assert_eq!(out.status.code(), Some(2), "1 would say that the mirror differs");

    // Databases: down, and of a newer schema.
    let mut down = flags();
    down.extend(["--database-url".to_owned(), "postgres://nobody@127.0.0.1:9/none".to_owned()]);
    fails(&run(&chain, &down, &["audit"]), &["127.0.0.1:9"]);
    does_without_the_mirror(&run(&chain, &down, &["status"]), "127.0.0.1:9");
    let store = fs::read_dir(chain.folder("mirror"))
        .expect("the data folder")
        .filter_map(|e| e.ok().map(|e| e.path()))
        .find(|p| p.extension().is_some_and(|e| e == "db" || e == "sqlite"))
        .expect("the mirror's file");
    let mut head = fs::read(&store).expect("the mirror");
    head[60..64].copy_from_slice(&9_999u32.to_be_bytes()); // SQLite's user_version
    let newer = chain.folder("newer");
    fs::create_dir(&newer).expect("a folder");
    fs::write(newer.join(store.file_name().expect("a name")), &head).expect("a file");
    let newer = with(flags(), "--data-dir", &newer.display().to_string());
    fails(&run(&chain, &newer, &["status"]), &["newer"]);

    // A proposal of a program that does not exist, and a file in place of a folder.
    fails(&run(&chain, &flags(), &["approve", "--proposal", "77"]), &["77"]);
    let folder = file("not-a-folder", "");
    let no_folder = with(flags(), "--data-dir", &folder);
    fails(&run(&chain, &no_folder, &["audit"]), &["not-a-folder"]);
    does_without_the_mirror(&run(&chain, &no_folder, &["status"]), "not-a-folder");

    // Not confirmed: the preflight only, exit code 2, no vote.
    let out = run(&chain, &flags(), &["approve"]);
    assert_eq!(out.status.code(), Some(2), "{}", String::from_utf8_lossy(&out.stderr));
    let status = chain.done(2, &["status"]);
    assert!(status.to_string().contains("\"approvals\":1"), "{status}");
}
