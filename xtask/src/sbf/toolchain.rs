//! The toolchain that ELFs are compiled with. The offline one consists of four parts in folders of
//! their own, each made once for each content of what it is made from:
//!
//! | part | is | made from |
//! |---|---|---|
//! | `rust` | rustc, cargo and std's source, which is patched | Debian stable's packages for its browser |
//! | `llvm` | LLVM 23 and the C library it needs | Debian sid's packages |
//! | `ld` | the linker driver | `tools/sbf/sbf-ld`, compiled by the Rust of this machine |
//! | `builtins` | the run-time helpers | `tools/sbf/sbf-ld/builtins`, compiled by `rust` for sBPF |

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, bail};

use super::{
    debian::{Archive, Packages},
    official, offline, patch,
};
use crate::{
    atomic_dir::{self, Lock},
    cli::ToolchainChoice,
    command::{self, quietly},
    fingerprint::Fingerprint,
    paths::Paths,
    program::Program,
    progress::Progress,
};

/// rustc for Debian's browser follows upstream within weeks; the plain `rustc` package does not. The
/// rest of `stop` is what every machine with a C compiler has, or what only compiling would need.
const RUST: Packages = Packages {
    names: &["rustc-web", "cargo-web", "rust-web-src"],
    sources: &[Archive::Stable, Archive::StableSecurity],
    stop: &[
        "libc6",
        "libc-dev",
        "gcc",
        "libgcc-s1",
        "gcc-12-base",
        "binutils",
        "debconf",
        "clang",
        "c-compiler",
    ],
};

/// The first LLVM whose BPF back end passes arguments on the stack and returns 128-bit values.
const LLVM: Packages =
    Packages { names: &["libllvm23"], sources: &[Archive::Sid], stop: &["debconf"] };

/// Where the unpacked source of std is.
const STD: &str = "root/usr/lib/rustlib/src/rust/library";

/// Solana's toolchain, or ours.
#[derive(Debug)]
pub struct Toolchain {
    paths: Paths,
    /// `cargo build-sbf`, where that is used.
    official: bool,
}

impl Toolchain {
    /// Solana's where `cargo-build-sbf` is on PATH, unless `choice` says which.
    pub fn choose(paths: &Paths, choice: ToolchainChoice) -> Result<Self> {
        let found = command::find("cargo-build-sbf").is_some();
        if choice == ToolchainChoice::Solana && !found {
            bail!(
                "cargo build-sbf is not on PATH: install the Solana toolchain or leave the choice out"
            );
        }
        Ok(Self { paths: paths.clone(), official: found && choice != ToolchainChoice::Offline })
    }

    /// Whether this is the offline toolchain.
    pub fn is_offline(&self) -> bool {
        !self.official
    }

    /// Its name in a sentence.
    pub fn name(&self) -> &'static str {
        if self.official { "cargo build-sbf" } else { "the offline toolchain" }
    }

    /// What it consists of, a line each.
    pub fn description(&self) -> Result<String> {
        if self.official {
            return official::version();
        }
        let mut text = format!("offline toolchain in {}\n", self.paths.toolchain().display());
        for part in ["rust", "llvm"] {
            text.push_str(&self.versions(part)?);
        }
        Ok(text)
    }

    /// The key of everything that influences the generated code.
    pub fn key(&self) -> Result<String> {
        if self.official {
            return Ok(Fingerprint::default().text(&official::version()?).key());
        }
        let print = Fingerprint::default()
            .text(&self.rust_key()?)
            .text(&self.versions("rust")?)
            .text(&self.versions("llvm")?)
            .text(&self.ld_key()?)
            .text(&self.builtins_key()?)
            .text(&offline::FLAGS.join(" "))
            .text(&offline::INLINE_THRESHOLD.to_string());
        Ok(print.key())
    }

    /// Compiles `program`; the ELF lies in a build folder.
    pub fn compile(&self, program: Program) -> Result<PathBuf> {
        if self.official {
            official::compile(&self.paths, program)
        } else {
            offline::compile(&self.paths, program, &self.key()?)
        }
    }

    /// Whether nothing has to be set up.
    pub fn is_set_up(&self) -> bool {
        self.official
            || self.missing(&["rust", "llvm", "ld", "builtins"]).is_ok_and(|parts| parts.is_empty())
    }

    /// Sets up what is missing.
    pub fn set_up(&self, progress: &Progress) -> Result<()> {
        if self.is_set_up() {
            return Ok(());
        }
        self.download(progress)?;
        let _lock = Lock::take(&self.paths.toolchain(), progress)?;
        for part in self.missing(&["ld", "builtins"])? {
            match part {
                "ld" => self.make_ld(progress)?,
                _ => self.make_builtins(progress)?,
            }
        }
        Ok(())
    }

    /// Only the parts that come from the network: this may run beside a cargo build.
    pub fn download(&self, progress: &Progress) -> Result<()> {
        if self.official {
            return Ok(());
        }
        check_machine()?;
        let _lock = Lock::take(&self.paths.toolchain(), progress)?;
        for part in self.missing(&["rust", "llvm"])? {
            match part {
                "rust" => self.make_rust(progress)?,
                _ => self.make_llvm(progress)?,
            }
        }
        Ok(())
    }

    /// Of `parts`, those that are absent or were made from something else.
    fn missing(&self, parts: &[&'static str]) -> Result<Vec<&'static str>> {
        let mut missing = vec![];
        for part in parts {
            let key = match *part {
                "rust" => self.rust_key()?,
                "llvm" => llvm_key(),
                "ld" => self.ld_key()?,
                _ => self.builtins_key()?,
            };
            if !atomic_dir::is_current(&self.part(part), &key) {
                missing.push(*part);
            }
        }
        Ok(missing)
    }

    fn part(&self, name: &str) -> PathBuf {
        self.paths.toolchain().join(name)
    }

    fn versions(&self, part: &str) -> Result<String> {
        let path = self.part(part).join("versions.txt");
        fs::read_to_string(&path)
            .with_context(|| format!("cannot read {}: run `cargo xtask build-sbf`", path.display()))
    }

    fn rust_key(&self) -> Result<String> {
        let print = Fingerprint::default()
            .text(&RUST.text())
            .dir(&self.paths.sbf_source("patches"), &[])?
            .file(&self.paths.sbf_source("rust-wrapper.sh"))?;
        Ok(print.key())
    }

    fn ld_key(&self) -> Result<String> {
        let print = Fingerprint::default()
            .dir(&self.paths.sbf_source("sbf-ld"), &["builtins", "target"])?
            .file(&self.paths.sbf_source("link-wrapper.sh"))?;
        Ok(print.key())
    }

    fn builtins_key(&self) -> Result<String> {
        let print = Fingerprint::default()
            .text(&self.rust_key()?)
            .dir(&self.paths.sbf_source("sbf-ld/builtins"), &["target"])?
            .file(&self.paths.sbf_source("sbf-solana.json"))?
            .text(&offline::FLAGS.join(" "));
        Ok(print.key())
    }

    fn make_rust(&self, progress: &Progress) -> Result<()> {
        progress.say("downloading the compiler of the offline toolchain: about 170 MB");
        atomic_dir::replace(&self.part("rust"), &self.rust_key()?, |new| {
            RUST.unpack(new)?;
            let std = new.join(STD);
            keep_only_the_library(&std)?;
            for file in patch::in_folder(&self.paths.sbf_source("patches"))? {
                patch::apply(&file, &std)?;
            }
            for name in ["rustc", "cargo"] {
                let wrapper = new.join("bin").join(name);
                atomic_dir::create(&new.join("bin"))?;
                install(&self.paths.sbf_source("rust-wrapper.sh"), &wrapper)?;
                quietly(Command::new(&wrapper).arg("-vV"), "starting the unpacked compiler")?;
            }
            Ok(())
        })
    }

    fn make_llvm(&self, progress: &Progress) -> Result<()> {
        progress.say("downloading LLVM for the offline toolchain: about 60 MB");
        atomic_dir::replace(&self.part("llvm"), &llvm_key(), |new| LLVM.unpack(new))
    }

    fn make_ld(&self, progress: &Progress) -> Result<()> {
        progress.say("compiling the linker driver: about two minutes, once");
        atomic_dir::replace(&self.part("ld"), &self.ld_key()?, |new| {
            let target = self.paths.sbf_target().join("ld");
            let mut cargo = command::isolated_cargo(&target);
            cargo.arg("build").args(DRIVER).current_dir(self.paths.sbf_source("sbf-ld"));
            quietly(&mut cargo, "compiling the linker driver")?;
            install(&target.join("release/sbf-ld"), &new.join("sbf-ld"))?;
            install(&self.paths.sbf_source("link-wrapper.sh"), &new.join("sbf-link"))
        })
    }

    fn make_builtins(&self, progress: &Progress) -> Result<()> {
        progress.say("compiling the run-time helpers");
        atomic_dir::replace(&self.part("builtins"), &self.builtins_key()?, |new| {
            let library = offline::compile_builtins(&self.paths)?;
            install(&library, &new.join("libsbf_builtins.rlib"))
        })
    }

    /// The command that tests the linker driver and the run-time helpers on the host.
    pub fn driver_tests(&self) -> Command {
        let mut cargo = command::isolated_cargo(&self.paths.sbf_target().join("ld"));
        cargo.arg("test").args(DRIVER).arg("--workspace");
        cargo.current_dir(self.paths.sbf_source("sbf-ld"));
        cargo
    }
}

/// Options of the linker driver's build and of its tests, the same so that they share compiled crates.
const DRIVER: [&str; 2] = ["--release", "--locked"];

fn llvm_key() -> String {
    Fingerprint::default().text(&LLVM.text()).key()
}

fn check_machine() -> Result<()> {
    const OTHERWISE: &str =
        "elsewhere, install the Solana toolchain so that `cargo build-sbf` is on PATH";
    if !cfg!(all(target_os = "linux", target_arch = "x86_64")) {
        bail!("the offline toolchain is for Linux on x86-64: {OTHERWISE}");
    }
    for program in ["apt-get", "dpkg-deb"] {
        if command::find(program).is_none() {
            bail!("the offline toolchain comes by {program}, which Debian has: {OTHERWISE}");
        }
    }
    if command::find("cc").is_none() {
        bail!(
            "the offline toolchain needs a C compiler: run `apt-get install build-essential` as root"
        );
    }
    Ok(())
}

/// Removes rustc's own sources from Debian's source package: 360 MB that no build here reads.
fn keep_only_the_library(std: &Path) -> Result<()> {
    let library = fs::canonicalize(std).with_context(|| {
        format!("Debian's packages have no std source at {}: they have changed", std.display())
    })?;
    let source = library.parent().context("std's source has no folder above it")?;
    for name in ["src", "compiler", "tests", "vendor"] {
        atomic_dir::remove(&source.join(name))?;
    }
    Ok(())
}

/// Copies a file and makes it executable.
fn install(from: &Path, to: &Path) -> Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    atomic_dir::copy_file(from, to)?;
    fs::set_permissions(to, fs::Permissions::from_mode(0o755))
        .with_context(|| format!("cannot make {} executable", to.display()))
}
