//! Kill -9 in the middle of a migration: the next start reads from the chain which accounts are
//! left.
use std::{
    collections::BTreeMap,
    thread,
    time::{Duration, Instant},
};

use anchor_lang::AccountDeserialize;
use backend::chain::ChainClient;
use e2e::{
    live::Live,
    relay::Relay,
    robot::{self, Robot, SCREEN_TIMEOUT},
};
use solana_pubkey::Pubkey;
use upgrade_manager::{seeds, state::ProgramUpgradeState};

fn migrated(chain: &Live, client: &ChainClient) -> u32 {
    let program: Pubkey = chain.ready.program.parse().expect("an address");
    let (state, _) = seeds::program_state(&program);
    let account = chain.run(client.account(&state)).expect("the chain answers").expect("a state");
    let state =
        ProgramUpgradeState::try_deserialize(&mut account.data.as_slice()).expect("a state");
    state.counters.migrated
}

fn open(flags: &[String]) -> Robot {
    let args: Vec<&str> = flags.iter().map(String::as_str).collect();
    let env = [("CONTROL_ROOM_NOTIFY", "off")];
    let robot = Robot::start(&robot::control_room(), &args, &env, (120, 40));
    robot.expect("Live");
    robot.expect("#0");
    robot
}

/// Presses `m` and confirms.
fn migrate(robot: &Robot) {
    robot.press("m");
    robot.expect("Migrate proposal 0");
    robot.expect("y confirms");
    thread::sleep(Duration::from_millis(700));
    robot.press("y");
    robot.expect_gone("y confirms");
}

#[test]
fn a_migration_killed_half_way_ends_with_every_account_migrated_once() {
    let chain = Live::start(200, 200, &[]);
    chain.execute_upgrade();
    let client = chain.chain_client();

    // Two transactions of about ten accounts each pass; the relay holds the rest back until the
    // kill.
    let relay = Relay::with_sends(&chain.ready.http, 2);
    let mut robot = open(&chain.flags_by(&relay, "mirror", 3));
    migrate(&robot);
    let end = Instant::now() + SCREEN_TIMEOUT;
    while migrated(&chain, &client) == 0 {
        assert!(Instant::now() < end, "the migration does not start:\n{}", robot.screen());
        thread::sleep(Duration::from_millis(30));
    }
    robot.signal("KILL");
    robot.exit();
    let at_kill = migrated(&chain, &client);
    assert!(at_kill < 200, "all {at_kill} were migrated before the kill: nothing was shown");

    let mut robot = open(&chain.flags("mirror", 3));
    migrate(&robot);
    robot.press("3");
    robot.expect("200/200 migrated");
    robot.expect("0 failed. Verify them next.");
    robot.press("q");
    assert!(robot.exit().success());

    // Each account is in exactly one event of the chain. The test reads the events once they are
    // finalized.
    let end = Instant::now() + 2 * SCREEN_TIMEOUT;
    loop {
        let times = moves(&chain);
        assert!(times.values().all(|n| *n == 1), "an account was migrated twice: {times:?}");
        if times.len() == 200 {
            return;
        }
        assert!(Instant::now() < end, "only {} accounts are in the audit log", times.len());
        thread::sleep(Duration::from_secs(2));
    }
}

/// How often the audit log says that each account was migrated.
fn moves(chain: &Live) -> BTreeMap<String, u32> {
    chain.done(3, &["index", "--once"]);
    let audit = chain.done(3, &["audit", "--limit", "1000"]);
    let mut times = BTreeMap::new();
    let rows = audit["rows"].as_array().expect("rows");
    for row in rows.iter().filter(|row| row["kind"] == "AccountsMoved") {
        for moved in row["detail"]["accounts"].as_array().expect("accounts") {
            *times.entry(moved["account"].as_str().expect("a key").to_owned()).or_default() += 1;
        }
    }
    times
}
