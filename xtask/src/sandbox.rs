//! `cargo xtask sandbox`: builds what is missing, then replaces this process by the control room (`exec`),
//! so that Ctrl-C and the exit code are the control room's.

use std::{
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Command, ExitCode},
    thread,
};

use anyhow::{Context as _, Result, anyhow};

use crate::{
    cli::{Sandbox, ToolchainChoice},
    command,
    paths::Paths,
    program::Program,
    progress::Progress,
    sbf::{self, toolchain::Toolchain},
    system,
};

/// The command. Returns only on an error.
pub fn run(options: &Sandbox) -> Result<ExitCode> {
    let progress = Progress::start();
    let paths = Paths::find()?;
    system::ensure(&system::COMPILING, &progress)?;
    build(&paths, &progress)?;
    let mut control_room = Command::new(binary(&paths, "control-room"));
    control_room
        .arg("sandbox")
        .args(&options.arguments)
        .env("CONTROL_ROOM_ELF_DIR", paths.elf())
        .env("CONTROL_ROOM_SANDBOX_BIN", binary(&paths, "control-room-sandbox"));
    progress.say("starting the control room on a local chain");
    let error = control_room.exec();
    Err(error).with_context(|| {
        format!("cannot start {}", Path::new(control_room.get_program()).display())
    })
}

/// Builds the product's binaries and ELFs. The ELF toolchain is downloaded while the binaries compile.
fn build(paths: &Paths, progress: &Progress) -> Result<()> {
    let toolchain = Toolchain::choose(paths, ToolchainChoice::Auto)?;
    let elfs_are_current = sbf::are_current(paths, &toolchain, &Program::PRODUCT);
    thread::scope(|scope| {
        let download =
            scope.spawn(|| if elfs_are_current { Ok(()) } else { toolchain.download(progress) });
        let compiled = binaries(paths, progress);
        let downloaded =
            download.join().map_err(|_| anyhow!("the download of the toolchain broke off"))?;
        compiled.and(downloaded)
    })?;
    if !elfs_are_current {
        sbf::build(paths, &toolchain, &Program::PRODUCT, progress)?;
    }
    Ok(())
}

/// Compiles every binary of the workspace.
pub fn binaries(paths: &Paths, progress: &Progress) -> Result<()> {
    let cold = if binary(paths, "control-room").exists() { "" } else { ": 8 to 15 minutes" };
    progress.say(&format!("compiling the control room and the sandbox{cold}"));
    let mut cargo = command::cargo(&paths.root, &paths.target());
    cargo.args(["build", "--workspace", "--bins", "--locked"]);
    command::run(&mut cargo, "compiling the workspace")
}

/// Where cargo puts a binary.
pub fn binary(paths: &Paths, name: &str) -> PathBuf {
    paths.target().join("debug").join(name)
}
