//! `cargo xtask sandbox`: everything up to the first screen, then the control room takes this
//! process's place, so that Ctrl-C and the exit code are its own.

use std::{
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Command, ExitCode},
    thread,
};

use anyhow::{Context as _, Result, anyhow};

use crate::{
    cli::Sandbox, command, places::Places, progress::Progress, sbf, sbf::toolchain::Toolchain,
    system,
};

/// The command. Returns only on an error.
pub fn run(options: &Sandbox) -> Result<ExitCode> {
    let progress = Progress::start();
    let places = Places::find()?;
    system::ensure(&system::COMPILING, &progress)?;
    build(&places, &progress)?;
    let mut control_room = Command::new(binary(&places, "control-room"));
    control_room
        .arg("sandbox")
        .args(&options.arguments)
        .env("CONTROL_ROOM_ELF_DIR", places.elf())
        .env("CONTROL_ROOM_SANDBOX_BIN", binary(&places, "control-room-sandbox"));
    progress.say("starting the control room on a local chain");
    let error = control_room.exec();
    Err(error).with_context(|| {
        format!("cannot start {}", Path::new(control_room.get_program()).display())
    })
}

/// Builds the product's binaries and ELFs. What the ELFs' toolchain downloads comes in beside the
/// compilation.
fn build(places: &Places, progress: &Progress) -> Result<()> {
    let toolchain = Toolchain::choose(places, sbf::DEFAULT)?;
    let elfs_are_current = sbf::are_current(places, &toolchain, &sbf::Program::PRODUCT);
    thread::scope(|scope| {
        let download =
            scope.spawn(|| if elfs_are_current { Ok(()) } else { toolchain.download(progress) });
        let compiled = binaries(places, progress);
        let downloaded =
            download.join().map_err(|_| anyhow!("the download of the toolchain broke off"))?;
        compiled.and(downloaded)
    })?;
    if !elfs_are_current {
        sbf::build(places, &toolchain, &sbf::Program::PRODUCT, progress)?;
    }
    Ok(())
}

/// Compiles every binary of the workspace.
pub fn binaries(places: &Places, progress: &Progress) -> Result<()> {
    let cold = if binary(places, "control-room").exists() { "" } else { ": 8 to 15 minutes" };
    progress.say(&format!("compiling the control room and the sandbox{cold}"));
    let mut cargo = command::cargo(&places.root, &places.target());
    cargo.args(["build", "--workspace", "--bins", "--locked"]);
    command::run(&mut cargo, "compiling the workspace")
}

/// Where cargo puts a binary.
pub fn binary(places: &Places, name: &str) -> PathBuf {
    places.target().join("debug").join(name)
}
