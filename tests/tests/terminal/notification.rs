//! The desktop is notified once when a timelock ends, also across restarts.
use std::time::Duration;

use e2e::{
    desktop::Desktop,
    live::Live,
    robot::{self, Robot, SCREEN_TIMEOUT},
};

#[test]
fn an_expired_timelock_is_notified_once_also_across_restarts() {
    let (chain, desktop) = (Live::start(2, 200, &[]), Desktop::start());
    for member in [2, 3] {
        chain.done(member, &["approve", "--yes"]);
    }
    let flags = chain.flags("mirror", 2);
    let args: Vec<&str> = flags.iter().map(String::as_str).collect();
    let env = [
        ("DBUS_SESSION_BUS_ADDRESS", desktop.address.as_str()),
        ("CONTROL_ROOM_NOTIFY", "desktop"),
    ];
    let open = || Robot::start(&robot::control_room(), &args, &env, (100, 30));

    let mut robot = open();
    robot.expect("executable in");
    assert_eq!(desktop.next(Duration::from_secs(2)), None, "before the time");
    chain.advance(48 * 3600 + 60);
    let shown = desktop.next(SCREEN_TIMEOUT).expect("a notification");
    assert_eq!(shown.summary, "Timelock expired");
    assert!(shown.body.contains("ready to execute"), "{shown:?}");
    robot.expect("ready to execute");
    robot.press("q");
    assert!(robot.exit().success());

    let mut robot = open();
    robot.expect("ready to execute");
    assert_eq!(desktop.next(Duration::from_secs(4)), None, "again after a restart");
    robot.press("q");
    assert!(robot.exit().success());
}
