//! The mirror cannot record a transaction that was sent: the operator is told, on the screen and on
//! the command line, and the transaction stays valid.
use std::{
    thread,
    time::{Duration, Instant},
};

use e2e::{
    live::Live,
    robot::{self, Robot, SCREEN_TIMEOUT},
};

/// How long the test waits for a dialog before it presses the same key again.
const PRESS_AGAIN_INTERVAL: Duration = Duration::from_secs(10);
/// Pause after Escape, so that it is not read as the start of another key.
const ESCAPE_PAUSE: Duration = Duration::from_millis(500);

/// Makes a mirror that accepts everything but the record of sent transactions.
fn refuse_what_was_sent(chain: &Live) {
    chain.done(2, &["index", "--once"]);
    let path = chain.folder("mirror").join("mirror.sqlite");
    let sqlite = rusqlite::Connection::open(path).expect("a mirror");
    let refuse = "CREATE TRIGGER no_room BEFORE INSERT ON sent
        BEGIN SELECT RAISE(ABORT, 'no room in here'); END";
    sqlite.execute_batch(refuse).expect("a trigger");
}

fn one_line(screen: &str) -> String {
    screen.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Opens the dialog of an approval and confirms it.
fn approve(robot: &Robot) {
    let end = Instant::now() + SCREEN_TIMEOUT;
    loop {
        robot.press("a");
        let screen =
            robot.look(PRESS_AGAIN_INTERVAL, |s| s.contains("y confirms") || s.contains("error: "));
        if screen.contains("y confirms") {
            assert!(screen.contains("Approve proposal 0"), "{screen}");
            break;
        }
        assert!(Instant::now() < end, "no dialog opens:\n{screen}");
        // Before the node is reached the key is refused. That error would stand before the next one.
        robot.press("\x1b");
        thread::sleep(ESCAPE_PAUSE);
    }
    // The dialog ignores keys in its first half second.
    thread::sleep(Duration::from_millis(700));
    robot.press("y");
    robot.expect_gone("y confirms");
}

#[test]
fn a_vote_that_the_journal_cannot_record_is_cast_and_the_operator_is_told() {
    let chain = Live::start(2, 100, &[]);
    refuse_what_was_sent(&chain);

    let flags = chain.flags("mirror", 2);
    let args: Vec<&str> = flags.iter().map(String::as_str).collect();
    let env = [("CONTROL_ROOM_NOTIFY", "off")];
    let robot = Robot::start(&robot::control_room(), &args, &env, (160, 50));
    robot.expect("Live");
    robot.expect("Approvals 1/5");
    approve(&robot);
    robot.wait("the error", SCREEN_TIMEOUT, |screen| {
        let screen = one_line(screen);
        screen.contains("error: Transaction ") && screen.contains("cannot be written down here")
    });
    robot.expect("Approvals 2/5");
    drop(robot);

    let out = chain.command(3, &["approve", "--yes", "--json"]);
    let said = String::from_utf8_lossy(&out.stderr).into_owned();
    assert!(out.status.success(), "{said}");
    assert!(said.contains("Warning: ") && said.contains("could not be written down"), "{said}");
    let done: serde_json::Value = serde_json::from_slice(&out.stdout).expect("one value");
    assert!(done["receipt"]["sent"][0]["signature"].is_string(), "{done:#}");
}
