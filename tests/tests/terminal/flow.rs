//! A whole upgrade and rollback by keys: the real binary in a pseudo-terminal on a live local
//! chain.
use std::time::{Duration, Instant};

use e2e::{
    elf,
    robot::{self, Robot, SCREEN_TIMEOUT},
};

/// Down the list of the clock dialog to "+ 48 hours".
const TO_48_HOURS: [&str; 2] = ["\x1b[B", "\x1b[B"];
/// How long the test waits before it presses the same key again.
const PRESS_AGAIN_INTERVAL: Duration = Duration::from_secs(2);
/// Keys of the five members.
const MEMBER: [&str; 5] = ["\x1bOP", "\x1bOQ", "\x1bOR", "\x1bOS", "\x1b[15~"];

fn sandbox(size: (u16, u16), more: &[&str]) -> Robot {
    let elves = elf::dir().display().to_string();
    let chain = robot::sandbox().display().to_string();
    let args = [&["sandbox", "--elf-dir", &elves, "--slot-ms", "100"], more].concat();
    let env = [("CONTROL_ROOM_SANDBOX_BIN", chain.as_str()), ("CONTROL_ROOM_NOTIFY", "off")];
    let robot = Robot::start(&robot::control_room(), &args, &env, size);
    robot.expect("Live");
    robot.expect("#0");
    robot
}

/// Presses `key` until `shown` is on the screen. The mirror may show the result of the last action
/// before its receipt is in; until then the next action is refused, and a person presses again. A
/// dialog ignores the key that opened it.
fn press_until(robot: &Robot, key: &str, shown: &str) -> String {
    let end = Instant::now() + SCREEN_TIMEOUT;
    loop {
        robot.press(key);
        let screen = robot.look(PRESS_AGAIN_INTERVAL, |s| s.contains(shown));
        if screen.contains(shown) {
            return screen;
        }
        assert!(Instant::now() < end, "{key:?} never led to {shown:?}; the screen:\n{screen}");
    }
}

/// Signs as member `n`, from 1.
fn sign_as(robot: &Robot, n: usize) {
    press_until(robot, MEMBER[n - 1], &format!("key member-{n}"));
}

/// Opens the dialog named `title` with `key`, reads that it can be signed, and confirms.
fn confirm(robot: &Robot, key: &str, title: &str) {
    press_until(robot, key, "[ Go back ]");
    let screen = robot.expect("y confirms");
    assert!(screen.contains(title), "another dialog than {title:?}:\n{screen}");
    assert!(screen.contains("▶[ Go back ]"), "Go back has the focus at first:\n{screen}");
    assert!(!screen.contains("FAIL"), "a check failed:\n{screen}");
    // The dialog ignores keys in its first half second, because they were meant for the screen
    // behind it.
    std::thread::sleep(Duration::from_millis(700));
    robot.press("y");
    robot.expect_gone("y confirms");
}

#[test]
fn an_operator_approves_waits_executes_migrates_verifies_and_rolls_back() {
    let mut robot = sandbox((160, 50), &[]);
    let screen = robot.expect("Approvals 1/5 (3 needed)");
    assert!(screen.contains("Active") && screen.contains("member-2, member-3"), "{screen}");

    sign_as(&robot, 2);
    confirm(&robot, "a", "Approve proposal 0");
    let screen = robot.expect("Approvals 2/5 (3 needed)");
    assert!(screen.contains("approved by member-1, member-2"), "{screen}");
    sign_as(&robot, 3);
    confirm(&robot, "a", "Approve proposal 0");
    robot.expect("Approvals 3/5 (3 needed)");
    robot.expect("executable in 1d 23:59");

    // An action that is not possible yet: the dialog says why, and `y` signs nothing.
    press_until(&robot, "x", "The timelock is not over");
    robot.expect("nothing can be signed");
    std::thread::sleep(Duration::from_millis(700));
    robot.press("y");
    robot.press("\x1b");
    robot.expect_gone("[ Close ]");
    robot.expect("Timelocked");

    robot.press("T");
    robot.expect("Move the chain's clock");
    for key in TO_48_HOURS {
        robot.press(key);
    }
    robot.expect("▶ + 48 hours");
    std::thread::sleep(Duration::from_millis(700));
    robot.press("\r");
    robot.expect("ready to execute");

    confirm(&robot, "x", "Execute proposal 0");
    robot.expect("Executed");
    robot.press("3");
    robot.expect("0/200 migrated");
    confirm(&robot, "m", "Migrate proposal 0");
    robot.expect("200/200 migrated");
    robot.expect("200 accounts migrated, 0 accounted for as closed, 0 failed");
    confirm(&robot, "v", "Verify proposal 0");
    robot.expect("200/200 verified");
    robot.wait("the proof that no account was forgotten", SCREEN_TIMEOUT, |s| {
        s.contains("Completed")
    });

    robot.press("1");
    for (n, so_far) in [(1, "1/3 votes"), (2, "2/3 votes"), (3, "3/3 votes")] {
        sign_as(&robot, n);
        confirm(&robot, "R", "proposal 0");
        robot.expect(so_far);
    }
    confirm(&robot, "R", "proposal 0");
    robot.wait("the old code", SCREEN_TIMEOUT, |s| s.contains("RolledBack") && s.contains("v1"));
    robot.press("3");
    robot.expect("200/200 restored");
    robot.press("4");
    robot.expect("ProgramRolledBack");
    robot.press("5");
    robot.expect("Sent");
    robot.press("q");
    assert!(robot.exit().success());
}

#[test]
fn enter_alone_never_signs() {
    let mut robot = sandbox((80, 24), &["--vaults", "3"]);
    sign_as(&robot, 2);
    press_until(&robot, "a", "y confirms");
    std::thread::sleep(Duration::from_millis(700));
    robot.press("\r");
    robot.expect_gone("y confirms");
    robot.press("5");
    let screen = robot.expect("Sent");
    assert!(!screen.contains("Approve"), "something was sent:\n{screen}");
    robot.press("1");
    robot.expect("1/5");
    robot.press("q");
    assert!(robot.exit().success());
}
