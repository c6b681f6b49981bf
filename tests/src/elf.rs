//! The real ELFs under test, from the folder that the build wrote them to.
use std::{env, fs, path::PathBuf, sync::OnceLock};

/// `CONTROL_ROOM_ELF_DIR`, else the folder that `cargo xtask elf` writes to.
pub fn dir() -> PathBuf {
    if let Some(dir) = env::var_os("CONTROL_ROOM_ELF_DIR") {
        return dir.into();
    }
    let cache = env::var_os("XDG_CACHE_HOME").map(PathBuf::from).unwrap_or_else(|| {
        PathBuf::from(env::var_os("HOME").expect("HOME or XDG_CACHE_HOME")).join(".cache")
    });
    cache.join("program-upgrade-control-room/elf")
}

fn read(name: &str) -> Vec<u8> {
    let path = dir().join(name);
    fs::read(&path).unwrap_or_else(|e| {
        panic!("{}: {e}; build the ELFs first or set CONTROL_ROOM_ELF_DIR", path.display())
    })
}

/// The upgrade manager.
pub fn manager() -> &'static [u8] {
    static ELF: OnceLock<Vec<u8>> = OnceLock::new();
    ELF.get_or_init(|| read("upgrade_manager.so"))
}

/// The demo vault in its first layout.
pub fn v1() -> &'static [u8] {
    static ELF: OnceLock<Vec<u8>> = OnceLock::new();
    ELF.get_or_init(|| read("demo_vault_v1.so"))
}

/// The demo vault in its second layout.
pub fn v2() -> &'static [u8] {
    static ELF: OnceLock<Vec<u8>> = OnceLock::new();
    ELF.get_or_init(|| read("demo_vault_v2.so"))
}

/// The target that breaks the rules, to be installed in place of the demo vault.
pub fn hostile() -> &'static [u8] {
    static ELF: OnceLock<Vec<u8>> = OnceLock::new();
    ELF.get_or_init(|| read("hostile_target.so"))
}

/// The published Squads v4 program.
pub fn squads() -> &'static [u8] {
    static ELF: OnceLock<Vec<u8>> = OnceLock::new();
    ELF.get_or_init(|| read("squads_v4.so"))
}
