//! A private D-Bus session with a notification daemon that records the notifications it gets.
use std::{
    collections::HashMap,
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
    sync::mpsc::{self, Receiver, Sender},
    time::Duration,
};

use tokio::runtime::Runtime;
use zbus::OwnedVariant;

/// A notification.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notification {
    pub summary: String,
    pub body: String,
}

struct Daemon {
    shown: Sender<Notification>,
    next: u32,
}

#[zbus::interface(name = "org.freedesktop.Notifications")]
impl Daemon {
    #[allow(clippy::too_many_arguments, reason = "the interface has eight")]
    fn notify(
        &mut self,
        _app_name: String,
        _replaces_id: u32,
        _app_icon: String,
        summary: String,
        body: String,
        _actions: Vec<String>,
        _hints: HashMap<String, OwnedVariant>,
        _expire_timeout: i32,
    ) -> u32 {
        let _ = self.shown.send(Notification { summary, body });
        self.next += 1;
        self.next
    }

    fn close_notification(&self, _id: u32) {}

    fn get_capabilities(&self) -> Vec<String> {
        vec!["body".to_owned()]
    }

    fn get_server_information(&self) -> (String, String, String, String) {
        ["test daemon", "tests", "1", "1.2"].map(str::to_owned).into()
    }
}

/// The session. It ends with this value.
pub struct Desktop {
    bus: Child,
    /// The value for `DBUS_SESSION_BUS_ADDRESS`.
    pub address: String,
    shown: Receiver<Notification>,
    _connection: zbus::Connection,
    _runtime: Runtime,
}

impl Desktop {
    /// Starts a bus and the daemon on it.
    pub fn start() -> Self {
        let mut bus = Command::new("dbus-daemon")
            .args(["--session", "--nofork", "--print-address=1"])
            .stdout(Stdio::piped())
            .spawn()
            .expect("dbus-daemon is missing: run `cargo xtask test`, which installs it");
        let mut address = String::new();
        BufReader::new(bus.stdout.take().expect("a pipe"))
            .read_line(&mut address)
            .expect("the bus says its address");
        let address = address.trim().to_owned();
        let (sender, shown) = mpsc::channel();
        let runtime = Runtime::new().expect("a runtime");
        let connection = runtime.block_on(async {
            let daemon = Daemon { shown: sender, next: 0 };
            zbus::connection::Builder::address(address.as_str())
                .name("org.freedesktop.Notifications")
                .serve_at("/org/freedesktop/Notifications", daemon)
                .build()
                .await
                .expect("the daemon is on the bus")
        });
        Self { bus, address, shown, _connection: connection, _runtime: runtime }
    }

    /// The next notification, or `None` after the timeout.
    pub fn next(&self, timeout: Duration) -> Option<Notification> {
        self.shown.recv_timeout(timeout).ok()
    }
}

impl Drop for Desktop {
    fn drop(&mut self) {
        let _ = self.bus.kill();
        let _ = self.bus.wait();
    }
}
