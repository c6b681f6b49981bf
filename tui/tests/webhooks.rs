//! Runs the binary's command `webhooks` with a configuration, a store, and a receiver on this machine.
#[cfg(test)]
mod webhooks {
    use std::{
        io::{Read, Write},
        net::TcpListener,
        path::Path,
        process::{Command, Output},
        sync::{Arc, Mutex},
        thread,
    };

    use indexer::{Announcement, Outbox, Run, Sent, SqliteStore};
    use serde_json::{Value, json};
    use tempfile::TempDir;

    /// A receiver that answers each request with the next of `statuses` and keeps the bodies.
    fn receiver(statuses: Vec<u16>) -> (String, Arc<Mutex<Vec<String>>>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/services/k3y-k3y-k3y", listener.local_addr().unwrap());
        let got = Arc::new(Mutex::new(vec![]));
        let keep = Arc::clone(&got);
        thread::spawn(move || {
            for status in statuses {
                let (mut stream, _) = listener.accept().unwrap();
                let (mut text, mut part) = (String::new(), [0; 4096]);
                // The body is one JSON object and ends the request.
                while !(text.contains("\r\n\r\n{") && text.ends_with('}')) {
                    let n = stream.read(&mut part).unwrap();
                    assert!(n > 0, "cut off: {text}");
                    text.push_str(std::str::from_utf8(&part[..n]).unwrap());
                }
                keep.lock().unwrap().push(text);
                let answer = format!("HTTP/1.1 {status} X\r\ncontent-length: 0\r\n\r\n");
                stream.write_all(answer.as_bytes()).unwrap();
            }
        });
        (url, got)
    }

    struct Place(TempDir);

    impl Place {
        fn new(url: &str) -> Self {
            let dir = tempfile::tempdir().unwrap();
            let secret = dir.path().join("secret");
            std::fs::write(&secret, "0123456789abcdef0123456789abcdef\n").unwrap();
            mode(&secret, 0o600);
            let config = format!(
                "[[webhooks]]\nname = 'multisig'\nurl = '{url}'\nsecret_file = '{}'\n",
                secret.display()
            );
            std::fs::write(dir.path().join("config.toml"), config).unwrap();
            Self(dir)
        }

        fn run(&self, args: &[&str]) -> Output {
            Command::new(env!("CARGO_BIN_EXE_control-room"))
                .env_clear()
                .args(["webhooks"])
                .args(args)
                .arg("--config")
                .arg(self.0.path().join("config.toml"))
                .arg("--data-dir")
                .arg(self.0.path().join("data"))
                .output()
                .unwrap()
        }

        fn json(&self, args: &[&str], code: i32) -> Value {
            let output = self.run(&[args, &["--json"]].concat());
            let (out, err) = (text(&output.stdout), text(&output.stderr));
            assert_eq!(output.status.code(), Some(code), "{out} {err}");
            assert!(!out.contains("k3y") && !err.contains("k3y"), "{out} {err}");
            serde_json::from_str(&out).unwrap_or_else(|e| panic!("{e}: {out}"))
        }

        /// Stores two messages that the webhook `multisig` refused, and one that waits.
        fn fill(&self) {
            let store = SqliteStore::open(self.0.path().join("data/mirror.sqlite")).unwrap();
            let system = tokio::runtime::Builder::new_current_thread().build().unwrap();
            system.block_on(async {
                for n in 1..=3 {
                    let said = Announcement {
                        event_id: [n; 32],
                        kind: "Executed".to_owned(),
                        slot: 100,
                        chain_time: None,
                        subject: None,
                        detail: "{}".to_owned(),
                    };
                    store.enqueue(&Run::default(), &said).await.unwrap();
                }
                store.hook("multisig", 50).await.unwrap();
                for row in store.outbox(0, 2).await.unwrap() {
                    let dead = Sent::Dead { error: "no".to_owned(), at_ms: 5 };
                    store.hook_sent("multisig", row.id, &dead).await.unwrap();
                }
            });
        }
    }

    fn text(bytes: &[u8]) -> String {
        String::from_utf8(bytes.to_vec()).unwrap()
    }

    fn mode(path: &Path, mode: u32) {
        use std::os::unix::fs::PermissionsExt;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn retry_sends_refused_messages_in_order_until_one_fails() {
        let (url, got) = receiver(vec![200, 503, 200]);
        let place = Place::new(&url);
        let list = place.json(&["list"], 0);
        assert_eq!(list["webhooks"][0]["next_id"], Value::Null, "never delivered to");
        place.fill();
        let list = place.json(&["list"], 0);
        let hook = &list["webhooks"][0];
        assert_eq!((&hook["name"], &hook["configured"]), (&json!("multisig"), &json!(true)));
        assert_eq!(
            (&hook["waiting"], &hook["dead"], &hook["since_slot"]),
            (&json!(1), &json!(2), &json!(50))
        );
        let letters = list["dead_letters"].as_array().unwrap();
        assert_eq!((letters.len(), &letters[0]["kind"]), (2, &json!("Executed")));
        let shown = text(&place.run(&["list"]).stdout);
        assert!(
            shown.contains("1 waiting") && shown.contains("retry --hook multisig --all"),
            "{shown}"
        );
        // The first is taken, the second is not.
        let said = place.json(&["retry", "--hook", "multisig", "--all"], 1);
        assert_eq!((&said["taken"], &said["left"]), (&json!([letters[0]["id"]]), &json!(1)));
        assert!(said["error"].as_str().unwrap().contains("503"), "{said}");
        let left = letters[1]["id"].to_string();
        assert_eq!(place.json(&["list"], 0)["dead_letters"].as_array().unwrap().len(), 1);
        let said = place.json(&["retry", "--hook", "multisig", "--id", &left], 0);
        assert_eq!(said["left"], 0);
        assert!(place.json(&["list"], 0)["dead_letters"].as_array().unwrap().is_empty());
        assert_eq!(got.lock().unwrap().len(), 3);
        let gone = place.run(&["retry", "--hook", "multisig", "--id", &left]);
        assert_eq!(gone.status.code(), Some(1));
        assert!(text(&gone.stderr).contains(&format!("no message {left}")));
    }

    #[test]
    fn test_prints_the_receivers_answer() {
        let (url, got) = receiver(vec![204, 403]);
        let place = Place::new(&url);
        assert_eq!(place.json(&["test", "--hook", "multisig"], 0)["status"], 204);
        let request = got.lock().unwrap()[0].to_lowercase();
        assert!(request.contains("x-control-room-signature: v1="), "{request}");
        assert!(request.contains("x-control-room-event: test"), "{request}");
        let refused = place.run(&["test", "--hook", "multisig"]);
        assert_eq!(refused.status.code(), Some(1));
        assert!(text(&refused.stderr).contains("403"), "{}", text(&refused.stderr));
    }

    #[test]
    fn wrong_arguments_are_refused_with_the_next_step() {
        let place = Place::new("http://127.0.0.1:9/k3y-k3y-k3y");
        let refused = |args: &[&str], code: i32, said: &str| {
            let output = place.run(args);
            let err = text(&output.stderr);
            assert_eq!(output.status.code(), Some(code), "{err}");
            assert!(err.contains(said) && !err.contains("k3y"), "{err}");
        };
        refused(&["test", "--hook", "other"], 1, "there are multisig");
        refused(&["retry", "--hook", "multisig"], 2, "--all");
        refused(&["retry", "--hook", "multisig", "--all", "--id", "1"], 2, "cannot be used with");
        refused(&["test", "--hook", "multisig"], 1, "cannot be reached");
        mode(&place.0.path().join("secret"), 0o644);
        refused(&["test", "--hook", "multisig"], 1, "chmod 600");
        let path = place.0.path().join("config.toml");
        let config = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, config + "[webhooks.templates]\nReady = '{who}'\n").unwrap();
        refused(&["list"], 1, "template for Ready that names {who}");
    }
}
