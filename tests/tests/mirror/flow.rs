//! After the whole flow the mirror equals the chain, account by account, on SQLite and on Postgres.
use e2e::{database::Database, live::Live, robot};

#[test]
fn after_the_flow_the_mirror_equals_the_chain_field_by_field() {
    let chain = Live::start(200, 50, &["--headless", "--hold"]);
    let report = chain.done(1, &["index", "--verify"]);
    // 200 records, one multisig, one program, one proposal, two attestations.
    assert_eq!(report["compared"], 205, "{report}");
    assert_eq!(report["equal"], 205, "{report}");
    assert_eq!(report["differences"].as_array().map(Vec::len), Some(0), "{report}");

    let Some(database) = Database::fresh("mirror") else { return };
    let out = std::process::Command::new(robot::control_room())
        .args(chain.flags("postgres", 1))
        .args(["--database-url", &database.url(), "index", "--verify", "--json"])
        .output()
        .expect("the control room starts");
    let text = String::from_utf8_lossy(&out.stdout);
    assert!(out.status.success(), "{text}\n{}", String::from_utf8_lossy(&out.stderr));
    let report: serde_json::Value = serde_json::from_str(&text).expect("one JSON value");
    assert_eq!(report["equal"], 205, "{report}");
}
