//! Commands on a node whose history cannot be read, and without a mirror. A command that needs only accounts, or only a
//! node and a key, must go on and say what is missing.
#[cfg(test)]
mod without_mirror {
    use std::{
        io::{Read, Write},
        net::{TcpListener, TcpStream},
        path::Path,
        process::{Command, Output},
        sync::{Arc, Mutex},
    };

    use indexer::{MirrorStore, SqliteStore};
    use serde_json::{Value, json};

    /// An address without an account.
    const NOWHERE: &str = "CktRuQ2mttgRGkXJtyksdKHjUdc2C4TgDzyB98oEzy8";
    /// A URL without a database.
    const NO_DATABASE: &str = "postgres://127.0.0.1:1/none";
    /// 64 bytes as base58.
    const SIGNATURE: &str = "1111111111111111111111111111111111111111111111111111111111111111";

    type Asked = Arc<Mutex<Vec<String>>>;

    fn answer(method: &str, params: &Value) -> Result<Value, (i64, &'static str)> {
        // Slot 100, and a time: see the layout of the Clock sysvar.
        let clock = "ZAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAACAO7FqAAAAAA==";
        let clock = json!({"lamports": 1, "owner": "Sysvar1111111111111111111111111111111111111",
        "executable": false, "data": [clock, "base64"], "rentEpoch": 0});
        let at = |value: Value| json!({"context": {"slot": 100}, "value": value});
        Ok(match method {
            "getGenesisHash" => json!(NOWHERE),
            "getSlot" => json!(100),
            "getAccountInfo" => at(clock),
            "getMultipleAccounts" => at(json!([clock])),
            "getProgramAccounts" => at(json!([])),
            "getSignaturesForAddress" if params[1]["before"].is_string() => json!([]),
            "getSignaturesForAddress" => json!([
                {"signature": SIGNATURE, "slot": 50, "err": null, "memo": null, "blockTime": null},
            ]),
            "getSignatureStatuses" => at(json!([null])),
            "getTransaction" => {
                return Err((-32_015, "Transaction version (2) is not supported"));
            }
            _ => return Err((-32_601, "Method not found")),
        })
    }

    /// A node; its address, and the methods that it was asked for.
    fn node() -> (String, Asked) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let asked = Asked::default();
        let log = Arc::clone(&asked);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (stream, log) = (stream.unwrap(), Arc::clone(&log));
                std::thread::spawn(move || serve(stream, &log));
            }
        });
        (url, asked)
    }

    fn serve(mut stream: TcpStream, log: &Asked) -> Option<()> {
        let mut bytes = vec![];
        loop {
            let mut part = [0; 4096];
            let head = bytes.windows(4).position(|w| w == b"\r\n\r\n").map(|at| at + 4);
            let body = head.and_then(|at| serde_json::from_slice::<Value>(&bytes[at..]).ok());
            let Some(request) = body else {
                let n = stream.read(&mut part).ok().filter(|n| *n > 0)?;
                bytes.extend_from_slice(&part[..n]);
                continue;
            };
            bytes.clear();
            let method = request["method"].as_str()?.to_owned();
            let mut reply = json!({"jsonrpc": "2.0", "id": request["id"]});
            match answer(&method, &request["params"]) {
                Ok(result) => reply["result"] = result,
                Err((code, message)) => reply["error"] = json!({"code": code, "message": message}),
            }
            log.lock().unwrap().push(method);
            let body = reply.to_string();
            let head = format!(
                "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
                body.len()
            );
            stream.write_all(head.as_bytes()).ok()?;
            stream.write_all(body.as_bytes()).ok()?;
        }
    }

    fn run(url: &str, data: &Path, args: &[&str]) -> (Option<i32>, String, String) {
        let Output { status, stdout, stderr } = Command::new(env!("CARGO_BIN_EXE_control-room"))
            .args(["--rpc-url", url, "--data-dir"])
            .arg(data)
            .args(args)
            .env_clear()
            .env("HOME", data)
            .output()
            .unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (status.code(), text(stdout), text(stderr))
    }

    #[test]
    fn unreadable_history_stops_audit_commands_and_not_status() {
        let ((url, _), data) = (node(), tempfile::tempdir().unwrap());
        let (code, out, err) = run(&url, data.path(), &["status", "--json"]);
        assert_eq!(code, Some(0), "{err}");
        let value: Value = serde_json::from_str(&out).unwrap();
        assert_eq!((&value["slot"], &value["audit_complete"]), (&json!(100), &json!(false)));
        assert!(value["audit_error"].as_str().unwrap().contains(SIGNATURE), "{out}");
        assert!(err.starts_with("Warning: ") && err.contains(SIGNATURE), "{err}");
        assert_eq!(err.lines().count(), 1, "{err}");
        for (args, expected) in [
            (&["audit"][..], 1),
            (&["audit", "head"], 1),
            (&["audit", "export"], 1),
            (&["audit", "verify"], 2),
            (&["index", "--once"], 2),
        ] {
            let (code, _, err) = run(&url, data.path(), args);
            assert_eq!(code, Some(expected), "{args:?} {err}");
            assert!(err.contains(SIGNATURE), "{args:?} {err}");
        }
        let (_, out, _) = run(&url, data.path(), &["audit", "head", "--json"]);
        let value: Value = serde_json::from_str(&out).unwrap();
        assert_eq!((&value["seq"], &value["complete"]), (&json!(0), &json!(false)));
    }

    /// Runs `command` on what `NOWHERE` names, without a database.
    fn needs_a_node_alone(command: &str) {
        let ((url, asked), data) = (node(), tempfile::tempdir().unwrap());
        let name = if command.ends_with("pause") { "--multisig" } else { "--proposal" };
        let args = ["--database-url", NO_DATABASE, command, name, NOWHERE];
        let (code, _, err) = run(&url, data.path(), &args);
        // The node answers with the Clock account: the command read it and refused it.
        assert_eq!(code, Some(1), "{command} {err}");
        let lines: Vec<_> = err.lines().collect();
        assert!(lines[0].starts_with("Warning: ") && lines[0].contains("chain alone"), "{err}");
        assert_eq!(lines.iter().filter(|l| l.starts_with("Warning: ")).count(), 1, "{err}");
        let asked = asked.lock().unwrap();
        assert!(asked.iter().any(|m| m == "getMultipleAccounts"), "{command} {asked:?}");
        for method in ["getProgramAccounts", "getSignaturesForAddress", "getTransaction"] {
            assert!(!asked.iter().any(|m| m == method), "{command} {asked:?}");
        }
    }

    #[test]
    fn a_command_with_an_address_needs_no_mirror_and_no_list_of_accounts() {
        // The driver retries a refusing database for 5 s, so the commands run in parallel.
        std::thread::scope(|scope| {
            for command in
                ["approve", "reject", "veto", "cancel", "execute", "rollback", "pause", "unpause"]
            {
                scope.spawn(move || needs_a_node_alone(command));
            }
        });
    }

    /// Makes a mirror of another cluster in `data`.
    fn mirror_of_another_cluster(data: &Path) {
        let store = SqliteStore::open(data.join("mirror.sqlite")).unwrap();
        let system = tokio::runtime::Builder::new_current_thread().build().unwrap();
        system.block_on(async {
            let run = store.begin_run(&upgrade_manager::ID, &[7; 32], "a test").await.unwrap();
            store.end_run(&run).await.unwrap();
        });
    }

    #[test]
    fn a_mirror_of_another_cluster_does_not_stop_a_command_with_an_address() {
        let data = tempfile::tempdir().unwrap();
        mirror_of_another_cluster(data.path());
        for (command, name) in [
            ("approve", "--proposal"),
            ("veto", "--proposal"),
            ("execute", "--proposal"),
            ("close", "--proposal"),
            ("close", "--buffer"),
            ("pause", "--multisig"),
            ("unpause", "--multisig"),
        ] {
            let (url, asked) = node();
            let (code, _, err) = run(&url, data.path(), &[command, name, NOWHERE]);
            assert_eq!(code, Some(1), "{command} {err}");
            let warnings: Vec<_> = err.lines().filter(|l| l.starts_with("Warning: ")).collect();
            let [warning] = warnings.as_slice() else { panic!("{command} {err}") };
            for part in ["genesis hash", "Continuing", "not recorded", "--data-dir"] {
                assert!(warning.contains(part), "{command} {err}");
            }
            assert!(!err.contains("--database-url"), "{command} {err}");
            // The command read the chain and found no account of the manager at the address.
            let asked = asked.lock().unwrap();
            let reads = ["getMultipleAccounts", "getAccountInfo"];
            assert!(asked.iter().any(|m| reads.contains(&m.as_str())), "{command} {asked:?}");
        }
        // On another cluster an id or the live proposal is a different proposal.
        for args in [&["approve"] as &[&str], &["approve", "--proposal", "0"], &["status"]] {
            let (code, _, err) = run(&node().0, data.path(), args);
            assert_eq!(code, Some(1), "{args:?} {err}");
            assert!(err.contains("genesis hash") && err.contains("--data-dir"), "{args:?} {err}");
            assert!(!err.contains("--database-url"), "{args:?} {err}");
        }
    }

    #[test]
    fn tx_works_with_any_database_url() {
        let ((url, asked), data) = (node(), tempfile::tempdir().unwrap());
        for database in ["nonsense", "postgres://bob:12/x@h/d", NO_DATABASE] {
            let args = ["--database-url", database, "tx", SIGNATURE];
            let (code, out, err) = run(&url, data.path(), &args);
            assert_eq!((code, err.as_str()), (Some(1), ""), "{database}");
            assert!(out.contains("does not know the transaction"), "{database} {out}");
        }
        assert!(asked.lock().unwrap().iter().any(|m| m == "getSignatureStatuses"));
    }

    #[test]
    fn status_does_not_hide_a_wrong_database_url() {
        let ((url, _), data) = (node(), tempfile::tempdir().unwrap());
        let args = ["--database-url", "nonsense", "status"];
        assert_eq!(run(&url, data.path(), &args).0, Some(1));
    }
}
