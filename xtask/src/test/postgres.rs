//! A Postgres cluster for the tests, in a temporary folder, on a free port, with a random password.
//! `postgres-guard.sh` stops the server and removes the folder even when this process is killed.
//! Postgres refuses to run as root, so as root it runs as another user.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    net::TcpListener,
    os::unix::{fs::PermissionsExt as _, fs::chown, process::CommandExt as _},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Stdio},
};

use anyhow::{Context as _, Result, bail};

use crate::{
    atomic_dir, command,
    system::{self, Need, is_root},
};

/// The server's package.
pub const NEED: Need = Need {
    purpose: "the tests on Postgres",
    packages: &["postgresql"],
    present: || binaries().is_some(),
};

const GUARD_SCRIPT: &str = include_str!("postgres-guard.sh");

/// A running cluster; dropping it stops the server and removes its folder.
pub struct Postgres {
    guard: Child,
    /// The guard cleans up when this pipe is closed.
    signal: Option<ChildStdin>,
    port: u16,
    password: String,
}

impl Postgres {
    /// Makes and starts a cluster that does not wait for the disk.
    pub fn start() -> Result<Self> {
        Self::make(false)
    }

    /// Makes and starts a cluster that keeps what it has committed, as Postgres does by itself, with
    /// memory for the mirror of a million records.
    pub fn start_durable() -> Result<Self> {
        Self::make(true)
    }

    fn make(durable: bool) -> Result<Self> {
        let bin = binaries()
            .context("Postgres is not installed: run `apt-get install postgresql` as root")?;
        let user = if is_root() { Some(User::unprivileged()?) } else { None };
        let (port, password) = (free_port()?, hex::encode(system::random::<16>()?));
        let home = std::env::temp_dir().join(format!("control-room-postgres-{port}"));
        fs::create_dir(&home).with_context(|| format!("cannot create {}", home.display()))?;
        let started = Self::launch(&bin, &home, user.as_ref(), port, password, durable);
        if started.is_err() {
            // The guard removes the folder; it is still there only if the guard never started.
            atomic_dir::remove(&home)?;
        }
        started
    }

    /// The superuser's URL.
    pub fn url(&self) -> String {
        format!("postgres://postgres:{}@127.0.0.1:{}/postgres", self.password, self.port)
    }

    fn launch(
        bin: &Path,
        home: &Path,
        user: Option<&User>,
        port: u16,
        password: String,
        durable: bool,
    ) -> Result<Self> {
        let write = || {
            fs::set_permissions(home, fs::Permissions::from_mode(0o700))?;
            fs::write(home.join("password"), &password)?;
            if let Some(user) = user {
                chown(home.join("password"), Some(user.uid), Some(user.gid))?;
                chown(home, Some(user.uid), Some(user.gid))?;
            }
            std::io::Result::Ok(())
        };
        write().with_context(|| format!("cannot prepare {}", home.display()))?;
        let mut command = Command::new("sh");
        command
            .args(["-c", GUARD_SCRIPT, "postgres-guard.sh"])
            .arg(bin)
            .arg(home)
            .arg(port.to_string());
        if durable {
            command.arg("durable");
        }
        // A separate process group, so that Ctrl-C reaches only this process. The guard notices its
        // end.
        command.process_group(0).current_dir("/").stdin(Stdio::piped()).stdout(Stdio::piped());
        if let Some(user) = user {
            command.uid(user.uid).gid(user.gid);
        }
        let mut guard = command.spawn().context("cannot start a shell to keep Postgres in")?;
        let (signal, output) = (guard.stdin.take(), guard.stdout.take());
        let postgres = Self { guard, signal, port, password };
        let mut answer = String::new();
        if let Some(output) = output {
            BufReader::new(output).read_line(&mut answer).context("cannot hear from Postgres")?;
        }
        match answer.trim() {
            "ready" => Ok(postgres),
            "" => bail!("Postgres did not start and says nothing: try `cargo xtask test` again"),
            reason => bail!("{reason}"),
        }
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        drop(self.signal.take());
        // The guard cleans up even if waiting for it fails.
        let _ = self.guard.wait();
    }
}

/// The folder with the server's binaries: on PATH, or where Debian keeps them, the newest first.
fn binaries() -> Option<PathBuf> {
    let is_complete = |folder: &PathBuf| {
        ["initdb", "postgres", "pg_isready"].iter().all(|name| folder.join(name).is_file())
    };
    let mut folders: Vec<(u32, PathBuf)> = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .filter_map(|entry| {
            let path = entry.ok()?.path();
            let version = path.file_name()?.to_str()?.parse().ok()?;
            Some((version, path.join("bin")))
        })
        .collect();
    folders.sort_by_key(|folder| std::cmp::Reverse(folder.0));
    let on_path = command::find("initdb").and_then(|file| Some(file.parent()?.to_path_buf()));
    on_path.into_iter().chain(folders.into_iter().map(|folder| folder.1)).find(is_complete)
}

/// A user that is not root.
#[derive(Debug, PartialEq, Eq)]
struct User {
    uid: u32,
    gid: u32,
}

impl User {
    fn unprivileged() -> Result<Self> {
        let passwd = fs::read_to_string("/etc/passwd").context("cannot read /etc/passwd")?;
        ["postgres", "nobody"].into_iter().find_map(|name| Self::find(&passwd, name)).context(
            "Postgres does not run as root, and there is no user postgres or nobody: add one",
        )
    }

    fn find(passwd: &str, name: &str) -> Option<Self> {
        passwd.lines().find_map(|line| {
            let mut fields = line.split(':');
            if fields.next()? != name {
                return None;
            }
            let mut ids = fields.skip(1);
            Some(Self { uid: ids.next()?.parse().ok()?, gid: ids.next()?.parse().ok()? })
        })
    }
}

fn free_port() -> Result<u16> {
    let listener = TcpListener::bind("127.0.0.1:0").context("no port is free on 127.0.0.1")?;
    Ok(listener.local_addr().context("a port has no number")?.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_a_users_numbers() {
        let passwd = "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65533:n:/:/bin/false\n";
        assert_eq!(User::find(passwd, "nobody"), Some(User { uid: 65534, gid: 65533 }));
        assert_eq!(User::find(passwd, "nobod"), None);
    }

    #[test]
    #[ignore = "needs Postgres on this machine, which `cargo xtask test` installs"]
    fn a_cluster_answers_until_it_is_dropped_and_leaves_nothing() {
        let postgres = Postgres::start().unwrap();
        let home = std::env::temp_dir().join(format!("control-room-postgres-{}", postgres.port));
        let ask = |url: &str| {
            let psql = binaries().unwrap().join("psql");
            Command::new(psql).args([url, "-Atc", "select 40 + 2"]).output().unwrap()
        };
        let answer = ask(&postgres.url());
        assert_eq!(String::from_utf8_lossy(&answer.stdout).trim(), "42", "{answer:?}");
        let stranger = postgres.url().replace(&postgres.password, "guess");
        assert!(!ask(&stranger).status.success());
        let url = postgres.url();
        drop(postgres);
        assert!(!ask(&url).status.success() && !home.exists());
    }
}
