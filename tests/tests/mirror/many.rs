//! A mirror of 100,000 records on a live chain: equal account by account, also after changes while
//! no indexer ran; and a row that was changed by hand is found.
use backend::chain::RawAccount;
use e2e::live::Live;
use sandbox::chain::{local_rpc, records};
use solana_pubkey::Pubkey;

/// Records on the chain.
const RECORDS: u32 = 100_000;
/// The manager's accounts that the sandbox makes itself: a multisig, a program, a proposal, two
/// attestations.
const SEEDED_ACCOUNTS: u64 = 5;

/// Record `n` with the content of record `like`.
fn record(n: u32, like: u32) -> (Pubkey, RawAccount) {
    let data = records::bytes(like).expect("a record is bytes");
    let (owner, lamports) = (upgrade_manager::ID, records::LAMPORTS);
    (records::address(n), RawAccount { owner, lamports, data, executable: false })
}

/// Record `n`, closed.
fn gone(n: u32) -> (Pubkey, RawAccount) {
    let nothing =
        RawAccount { owner: Pubkey::default(), lamports: 0, data: vec![], executable: false };
    (records::address(n), nothing)
}

fn place(chain: &Live, accounts: impl Iterator<Item = (Pubkey, RawAccount)>) {
    let client = local_rpc::rpc_client(&chain.chain_client());
    chain.run(async {
        for (address, account) in accounts {
            local_rpc::set_account(&client, &address, &account).await.expect("it is taken");
        }
    });
}

fn equal(chain: &Live, accounts: u64) {
    let report = chain.done(1, &["index", "--verify"]);
    assert_eq!(report["compared"], accounts, "{report}");
    assert_eq!(report["equal"], accounts, "{report}");
    assert_eq!(report["differences"].as_array().map(Vec::len), Some(0), "{report}");
}

#[test]
fn a_hundred_thousand_records_are_mirrored_equal_and_a_row_changed_by_hand_is_found() {
    let chain = Live::start(3, 100, &["--records", &RECORDS.to_string()]);
    let all = u64::from(RECORDS) + SEEDED_ACCOUNTS;
    let once = chain.done(1, &["index", "--once"]);
    assert_eq!(once["accounts"], all, "{once}");
    equal(&chain, all);

    // While no indexer runs, 50 records change, 20 are closed and 30 are new.
    let changed = (0..50).map(|n| record(n, n + 1));
    let new = (RECORDS..RECORDS + 30).map(|n| record(n, n));
    place(&chain, changed.chain((50..70).map(gone)).chain(new));
    let once = chain.done(1, &["index", "--once"]);
    assert_eq!((&once["accounts"], &once["written"]), (&(all + 10).into(), &80.into()), "{once}");
    equal(&chain, all + 10);

    // One byte of one row changes, and nothing on the chain.
    let mirror = chain.folder("mirror").join("mirror.sqlite");
    let store = rusqlite::Connection::open(mirror).expect("the store opens");
    let target = records::address(1_000);
    let changed = store
        .execute(
            "UPDATE accounts SET raw = CAST(substr(raw, 1, 80) || x'ee' || substr(raw, 82) AS BLOB)
             WHERE pubkey = ?1",
            [target.to_bytes()],
        )
        .expect("the row changes");
    assert_eq!(changed, 1);
    drop(store);
    let out = chain.command(1, &["index", "--verify", "--json"]);
    let text = String::from_utf8_lossy(&out.stdout);
    assert_eq!(out.status.code(), Some(1), "{text}");
    let report: serde_json::Value = serde_json::from_str(&text).expect("one JSON value");
    assert_eq!(report["equal"], all + 9, "{report}");
    assert!(text.contains(&target.to_string()), "{text}");
}
