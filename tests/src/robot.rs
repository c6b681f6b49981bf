//! Runs a binary in a pseudo-terminal, presses keys and reads the screen. Every wait has a timeout
//! and fails with the screen it saw last.
use std::{
    io::{Read, Write},
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    thread,
    time::{Duration, Instant},
};

use portable_pty::{Child, CommandBuilder, ExitStatus, MasterPty, PtySize, native_pty_system};

/// How long a step may take on a loaded two-core machine.
pub const SCREEN_TIMEOUT: Duration = Duration::from_secs(60);

/// A program in its own pseudo-terminal.
pub struct Robot {
    child: Box<dyn Child + Send + Sync>,
    master: Box<dyn MasterPty + Send>,
    writer: Arc<Mutex<Box<dyn Write + Send>>>,
    state: Arc<Mutex<Seen>>,
}

struct Seen {
    parser: vt100::Parser,
    raw: Vec<u8>,
    closed: bool,
}

impl Robot {
    /// Starts `program` with `args` and the extra environment in a terminal of `cols` by `rows`.
    pub fn start(
        program: &Path,
        args: &[&str],
        env: &[(&str, &str)],
        (cols, rows): (u16, u16),
    ) -> Self {
        let size = PtySize { rows, cols, pixel_width: 0, pixel_height: 0 };
        let pair = native_pty_system().openpty(size).expect("a pseudo-terminal");
        let mut command = CommandBuilder::new(program);
        command.args(args);
        command.env("TERM", "xterm-256color");
        for (key, value) in env {
            command.env(key, value);
        }
        let child = pair.slave.spawn_command(command).expect("the binary starts");
        drop(pair.slave);
        let writer = Arc::new(Mutex::new(pair.master.take_writer().expect("a writer")));
        let mut reader = pair.master.try_clone_reader().expect("a reader");
        let state = Arc::new(Mutex::new(Seen {
            parser: vt100::Parser::new(rows, cols, 0),
            raw: vec![],
            closed: false,
        }));
        let (seen, answer) = (Arc::clone(&state), Arc::clone(&writer));
        thread::spawn(move || {
            let mut buf = [0; 8192];
            loop {
                let n = reader.read(&mut buf).unwrap_or(0);
                let mut seen = seen.lock().expect("no panic while locked");
                if n == 0 {
                    seen.closed = true;
                    return;
                }
                seen.parser.process(&buf[..n]);
                seen.raw.extend_from_slice(&buf[..n]);
                // Answers the query for the cursor's position, as a terminal does.
                if buf[..n].windows(4).any(|w| w == b"\x1b[6n") {
                    let _ = answer.lock().expect("no panic while locked").write_all(b"\x1b[1;1R");
                }
            }
        });
        Self { child, master: pair.master, writer, state }
    }

    pub fn screen(&self) -> String {
        self.state.lock().expect("no panic while locked").parser.screen().contents()
    }

    /// Every byte the program has written.
    pub fn raw(&self) -> Vec<u8> {
        self.state.lock().expect("no panic while locked").raw.clone()
    }

    pub fn pid(&self) -> u32 {
        self.child.process_id().expect("a running process")
    }

    /// Types `keys` without a change.
    pub fn press(&self, keys: &str) {
        let mut writer = self.writer.lock().expect("no panic while locked");
        writer.write_all(keys.as_bytes()).expect("the terminal takes keys");
        writer.flush().expect("the terminal takes keys");
    }

    /// Resizes the terminal.
    pub fn resize(&self, cols: u16, rows: u16) {
        self.master
            .resize(PtySize { rows, cols, pixel_width: 0, pixel_height: 0 })
            .expect("the terminal changes size");
        let mut seen = self.state.lock().expect("no panic while locked");
        seen.parser.screen_mut().set_size(rows, cols);
    }

    /// Waits until the screen satisfies `done`; fails with `what` and the screen after `timeout`.
    pub fn wait(&self, what: &str, timeout: Duration, done: impl Fn(&str) -> bool) -> String {
        let end = Instant::now() + timeout;
        loop {
            let screen = self.screen();
            if done(&screen) {
                return screen;
            }
            let closed = self.state.lock().expect("no panic while locked").closed;
            assert!(!closed, "the program ended before {what}; its last screen:\n{screen}");
            assert!(Instant::now() < end, "waited in vain for {what}; the screen:\n{screen}");
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// The screen as soon as it satisfies `done`, at the latest after `timeout`.
    pub fn look(&self, timeout: Duration, done: impl Fn(&str) -> bool) -> String {
        let end = Instant::now() + timeout;
        loop {
            let screen = self.screen();
            if done(&screen) || Instant::now() >= end {
                return screen;
            }
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Waits for `text` on the screen.
    pub fn expect(&self, text: &str) -> String {
        self.wait(&format!("{text:?}"), SCREEN_TIMEOUT, |screen| screen.contains(text))
    }

    /// Waits until `text` has left the screen.
    pub fn expect_gone(&self, text: &str) -> String {
        self.wait(&format!("{text:?} to go"), SCREEN_TIMEOUT, |screen| !screen.contains(text))
    }

    /// Waits until the program has exited and all its output has been read.
    pub fn exit(&mut self) -> ExitStatus {
        let end = Instant::now() + SCREEN_TIMEOUT;
        loop {
            let status = self.child.try_wait().expect("a child to wait for");
            let closed = self.state.lock().expect("no panic while locked").closed;
            if let Some(status) = status.filter(|_| closed) {
                return status;
            }
            assert!(Instant::now() < end, "the program does not end:\n{}", self.screen());
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Sends signal `name` (as `kill` spells it) to the program.
    pub fn signal(&self, name: &str) {
        let status = std::process::Command::new("kill")
            .args([&format!("-{name}"), &self.pid().to_string()])
            .status()
            .expect("kill runs");
        assert!(status.success(), "kill -{name} failed");
    }
}

impl Drop for Robot {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The folder of the binaries: from the environment, else the one of the test's own executable.
pub fn binary(env: &str, name: &str) -> PathBuf {
    if let Some(path) = std::env::var_os(env) {
        return path.into();
    }
    let own = std::env::current_exe().expect("the test's own path");
    let path = own.parent().and_then(Path::parent).expect("the target folder").join(name);
    assert!(
        path.exists(),
        "{} is missing: run `cargo build --workspace --bins --locked` first",
        path.display()
    );
    path
}

pub fn control_room() -> PathBuf {
    binary("CONTROL_ROOM_BIN", "control-room")
}

pub fn sandbox() -> PathBuf {
    binary("CONTROL_ROOM_SANDBOX_BIN", "control-room-sandbox")
}
