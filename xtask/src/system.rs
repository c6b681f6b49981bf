//! Debian packages that a command needs: installed where missing and where that is possible, else
//! one sentence that says what to install. And the machine's random bytes.

use std::{fs, io::Read as _, os::unix::fs::MetadataExt as _, path::Path, process::Command};

use anyhow::{Context as _, Result, bail};

use crate::{command, progress::Progress};

/// Something that has to be on the machine.
#[derive(Debug, Clone, Copy)]
pub struct Need {
    /// What it is for, as the object of "needed for".
    pub purpose: &'static str,
    /// The Debian packages that bring it.
    pub packages: &'static [&'static str],
    /// Whether it is there.
    pub present: fn() -> bool,
}

/// What compiling the workspace needs beside Rust: several crates compile C, and OpenSSL is built by a
/// Perl script.
pub const COMPILING: [Need; 2] = [
    Need {
        purpose: "compiling C code",
        packages: &["build-essential"],
        present: || {
            ["cc", "make"].iter().all(|program| command::find(program).is_some())
                && Path::new("/usr/include/stdio.h").exists()
        },
    },
    Need {
        purpose: "compiling OpenSSL",
        packages: &["perl"],
        present: || succeeds(Command::new("perl").args(["-MIPC::Cmd", "-MFindBin", "-e", "1"])),
    },
];

/// A session bus for the notification tests.
pub const SESSION_BUS: Need = Need {
    purpose: "the notification tests' D-Bus session",
    packages: &["dbus"],
    present: || command::find("dbus-run-session").is_some(),
};

/// Whether this process runs as root.
pub fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0)
}

/// Makes sure that everything in `needs` is there.
pub fn ensure(needs: &[Need], progress: &Progress) -> Result<()> {
    let missing: Vec<_> = needs.iter().filter(|need| !(need.present)()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let mut packages: Vec<_> = missing.iter().flat_map(|need| need.packages).copied().collect();
    packages.sort_unstable();
    packages.dedup();
    let names = packages.join(" ");
    let purposes: Vec<_> = missing.iter().map(|need| need.purpose).collect();
    let purposes = purposes.join(" and ");
    let Some(prefix) = installer() else {
        bail!("needed for {purposes} and not installed: run `apt-get install {names}` as root");
    };
    progress.say(&format!("installing {names}, needed for {purposes}"));
    apt(prefix, &["update"])?;
    let install = ["install", "--yes", "--no-install-recommends"];
    apt(prefix, &[&install[..], &packages].concat())?;
    match missing.iter().find(|need| !(need.present)()) {
        None => Ok(()),
        Some(need) => bail!(
            "{} installed, and still nothing for {}: see what `apt-get install {}` says",
            names,
            need.purpose,
            need.packages.join(" ")
        ),
    }
}

/// The words in front of `apt-get`, if packages can be installed without a password.
fn installer() -> Option<&'static [&'static str]> {
    command::find("apt-get")?;
    if is_root() {
        return Some(&[]);
    }
    let sudo: &[&str] = &["sudo", "-n"];
    succeeds(Command::new("sudo").args(["-n", "true"])).then_some(sudo)
}

fn apt(prefix: &[&str], arguments: &[&str]) -> Result<()> {
    // Uses `env`, because sudo does not pass the environment on.
    let words = [prefix, &["env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-q"], arguments];
    let words = words.concat();
    let Some((program, rest)) = words.split_first() else { return Ok(()) };
    let what = format!("apt-get {}", arguments.join(" "));
    command::quietly(Command::new(program).args(rest), &what).map(drop)
}

fn succeeds(command: &mut Command) -> bool {
    command.output().is_ok_and(|output| output.status.success())
}

/// Random bytes from the system, fit for a password.
pub fn random<const N: usize>() -> Result<[u8; N]> {
    let mut bytes = [0; N];
    fs::File::open("/dev/urandom")
        .and_then(|mut file| file.read_exact(&mut bytes))
        .context("cannot read random bytes from /dev/urandom")?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_need_that_is_met_installs_nothing() {
        let there = Need { purpose: "nothing", packages: &["no-such-package"], present: || true };
        ensure(&[there], &Progress::start()).unwrap();
    }
}
