//! The terminal is restored on every way out, and every terminal size is drawn without a panic.
use std::time::Duration;

use e2e::{
    live::Live,
    robot::{self, Robot, SCREEN_TIMEOUT},
};

/// Sequences that leave the alternate screen, show the cursor and stop mouse, paste and focus
/// reports.
const RESTORED: [&str; 2] = ["\x1b[?1049l", "\x1b[?25h"];

fn start(chain: &Live, more: &[&str], size: (u16, u16)) -> Robot {
    let flags = chain.flags("mirror", 2);
    let args: Vec<&str> = flags.iter().map(String::as_str).chain(more.iter().copied()).collect();
    Robot::start(&robot::control_room(), &args, &[("CONTROL_ROOM_NOTIFY", "off")], size)
}

/// Checks that every mode was switched off again, the alternate screen exactly once.
fn assert_restored(robot: &Robot) {
    let raw = String::from_utf8_lossy(&robot.raw()).into_owned();
    for code in RESTORED {
        assert!(raw.contains(code), "{code:?} is missing");
    }
    assert_eq!(raw.matches("\x1b[?1049h").count(), raw.matches("\x1b[?1049l").count());
    for mode in ["1000", "1002", "1003", "1004", "1006", "2004"] {
        let on = raw.rfind(&format!("\x1b[?{mode}h"));
        let off = raw.rfind(&format!("\x1b[?{mode}l"));
        assert!(on.is_none() || off > on, "mode {mode} stays on");
    }
}

#[test]
fn the_terminal_is_restored_on_quit_error_panic_and_signals() {
    let chain = Live::start(2, 400, &[]);
    let mut robot = start(&chain, &[], (80, 24));
    robot.expect("#0");
    robot.press("q");
    assert!(robot.exit().success());
    assert_restored(&robot);

    for (flag, word) in [("--debug-error", "error"), ("--debug-panic", "panic")] {
        let mut robot = start(&chain, &[flag], (80, 24));
        assert!(!robot.exit().success(), "{word} must not look like success");
        assert_restored(&robot);
    }

    for signal in ["TERM", "HUP", "INT"] {
        let mut robot = start(&chain, &[], (80, 24));
        robot.expect("#0");
        robot.signal(signal);
        robot.exit();
        assert_restored(&robot);
    }
}

#[test]
fn every_terminal_size_is_drawn_without_a_panic() {
    let chain = Live::start(2, 400, &[]);
    let mut robot = start(&chain, &[], (80, 24));
    robot.expect("#0");
    for size in [(20, 5), (1, 1), (200, 60), (59, 14), (3, 200), (160, 50), (80, 24)] {
        robot.resize(size.0, size.1);
        std::thread::sleep(std::time::Duration::from_millis(150));
    }
    robot.expect("#0");
    robot.resize(20, 5);
    robot.expect("too small");
    robot.resize(80, 24);
    robot.expect("#0");
    robot.press("q");
    assert!(robot.exit().success());

    let mut small = start(&chain, &[], (20, 5));
    small.expect("too small");
    small.press("q");
    assert!(small.exit().success());
}

#[test]
fn a_terminal_that_is_too_small_signs_nothing() {
    let elves = e2e::elf::dir().display().to_string();
    let chain = robot::sandbox().display().to_string();
    let args = ["sandbox", "--elf-dir", &elves, "--slot-ms", "100", "--vaults", "2"];
    let env = [("CONTROL_ROOM_SANDBOX_BIN", chain.as_str()), ("CONTROL_ROOM_NOTIFY", "off")];
    let mut robot = Robot::start(&robot::control_room(), &args, &env, (80, 24));
    robot.expect("Live");
    robot.expect("1/5");
    robot.resize(40, 10);
    robot.expect("too small");
    for key in ["\x1bOQ", "a"] {
        robot.press(key);
    }
    // About as long as a dialog takes to open, so that `y` would reach one.
    std::thread::sleep(Duration::from_secs(2));
    robot.press("y");
    robot.resize(80, 24);
    robot.expect("#0");
    let screen = robot.expect("key member-1");
    assert!(!screen.contains("Confirm ]"), "a dialog was opened:\n{screen}");
    robot.press("5");
    robot.expect("Sent transactions");
    // The same vote at a readable size. It is the member's first vote, so the small terminal signed
    // nothing.
    robot.press("1");
    robot.press("\x1bOQ");
    robot.expect("key member-2");
    robot.press("a");
    let screen = robot.expect("y confirms");
    assert!(screen.contains("2 of 3"), "somebody has voted unseen:\n{screen}");
    robot.press("q");
    robot.expect_gone("y confirms");
    robot.press("q");
    assert!(robot.exit().success());
}

#[test]
fn a_store_that_cannot_be_written_is_not_shown_as_fresh() {
    let chain = Live::start(2, 400, &[]);
    let mut robot = start(&chain, &[], (120, 30));
    robot.expect("#0");
    robot.expect("\u{2713} Live");
    let file = chain.folder("mirror").join("mirror.sqlite");
    let other = rusqlite::Connection::open(file).expect("the mirror opens");
    other.busy_timeout(SCREEN_TIMEOUT).expect("a timeout");
    other.execute_batch("BEGIN IMMEDIATE").expect("the write lock");
    robot.wait("a header that is no longer green", SCREEN_TIMEOUT, |s| {
        let head = s.lines().next().unwrap_or_default();
        head.contains("! Live, store down") && head.contains("stale")
    });
    other.execute_batch("ROLLBACK").expect("the lock is given back");
    robot.expect("\u{2713} Live");
    robot.press("q");
    assert!(robot.exit().success());
}
