//! Checks of code: an ELF, a frozen buffer, the room in ProgramData, the authority over a program.
//! Whole accounts are fetched and hashed here; a hash that a node claims is never used.
pub(crate) mod buffer;
pub mod elf;
pub(crate) mod install;

use solana_pubkey::Pubkey;
use upgrade_manager::{external::loader, state::PinnedElf};

use crate::{
    chain::{client::ChainClient, read::RawAccount},
    error::{BackendError, Result},
    preflight::{check::Check, rule_check},
};

/// Least bytes that the cluster extends a program by (SIMD-0431).
pub const MIN_EXTEND_LEN: usize = 10_240;

/// Checks that `account` is the frozen buffer `pinned` and holds the pinned code, hashed here.
pub(crate) fn check_frozen(
    account: Option<&RawAccount>,
    pinned: &PinnedElf,
    authority: &Pubkey,
    what: &str,
) -> Check {
    let buffer = pinned.buffer;
    let Some(account) = account else {
        return Check::fail(format!("The buffer {buffer} with the {what} code does not exist."));
    };
    let held = match loader::buffer(&account.owner, &account.data) {
        Ok(held) => held,
        Err(error) => return Check::fail(format!("{buffer}: {}", rule_check::sentence(&error))),
    };
    if held.authority != Some(*authority) {
        return Check::fail(format!(
            "The buffer {buffer} is not frozen: its authority is {}, not the manager's address.",
            held.authority.map_or("nobody".into(), |k| k.to_string())
        ));
    }
    let same_len = u32::try_from(held.elf.len()) == Ok(pinned.len);
    Check::when(
        same_len && elf::verify_hash(held.elf) == pinned.sha256,
        format!("The frozen buffer with the {what} code, hashed here, has the pinned sha256."),
        format!("The buffer {buffer} does not hold the {what} code that was pinned: do not sign."),
    )
}

/// Checks that the ELF can be deployed, as far as its header tells.
pub(crate) fn check_elf(bytes: &[u8], what: &str) -> Check {
    match elf::inspect(bytes) {
        Err(problem) => Check::fail(format!("The {what} code cannot be deployed: {problem}.")),
        Ok(info) if info.sbpf_version < 3 => Check::warn(format!(
            "The {what} code is sBPF v{}; clusters may stop deploying versions below 3 \
             (SIMD-0500). The simulation shows whether this one still does.",
            info.sbpf_version
        )),
        Ok(info) => Check::pass(format!("The {what} code is sBPF v{}.", info.sbpf_version)),
    }
}

/// Checks that ProgramData with `room` bytes for code can hold `len` bytes.
pub(crate) fn check_room(room: usize, len: u32, program: &Pubkey) -> Check {
    let need = usize::try_from(len).unwrap_or(usize::MAX);
    match need.checked_sub(room) {
        None | Some(0) => Check::pass("ProgramData is large enough."),
        Some(missing) => Check::fail(format!(
            "ProgramData has {room} bytes for code, {need} are needed: extend program {program} \
             by {} bytes first, in an earlier slot.",
            missing.max(MIN_EXTEND_LEN)
        )),
    }
}

/// The ELF behind the header of ProgramData, as it runs now.
pub(crate) async fn live_elf(chain: &ChainClient, program_data: &Pubkey) -> Result<Vec<u8>> {
    with_live(chain, program_data, |live| live.elf.to_vec()).await
}

/// The upgrade authority now; `None` when the program is final.
pub(crate) async fn live_authority(
    chain: &ChainClient,
    program_data: &Pubkey,
) -> Result<Option<Pubkey>> {
    with_live(chain, program_data, |live| live.authority).await
}

async fn with_live<T>(
    chain: &ChainClient,
    program_data: &Pubkey,
    look: impl FnOnce(loader::CodeAccount<'_>) -> T,
) -> Result<T> {
    let (what, address) = ("ProgramData account", *program_data);
    let account =
        chain.account(program_data).await?.ok_or(BackendError::NoAccount { what, address })?;
    let bad = |e| BackendError::BadAccount { what, address, reason: rule_check::sentence(&e) };
    Ok(look(loader::program_data(&account.owner, &account.data).map_err(bad)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::preflight::check::Verdict;

    fn buffer(authority: u8, elf: &[u8]) -> RawAccount {
        let mut data = vec![1, 0, 0, 0, 1];
        data.extend([authority; 32]);
        data.extend(elf);
        RawAccount { owner: loader::ID, lamports: 1, data, executable: false }
    }

    fn pinned(elf: &[u8]) -> PinnedElf {
        PinnedElf {
            buffer: Pubkey::new_from_array([2; 32]),
            len: u32::try_from(elf.len()).unwrap(),
            trimmed_len: u32::try_from(elf::trimmed(elf).len()).unwrap(),
            sha256: elf::verify_hash(elf),
        }
    }

    #[test]
    fn a_buffer_must_exist_be_frozen_and_hold_the_pinned_bytes() {
        let authority = Pubkey::new_from_array([9; 32]);
        let check = |account: Option<&RawAccount>| {
            check_frozen(account, &pinned(b"code\0"), &authority, "new")
        };
        assert_eq!(check(Some(&buffer(9, b"code\0"))).verdict, Verdict::Pass);
        for (bad, expected) in [
            (None, "does not exist"),
            (Some(buffer(8, b"code\0")), "not frozen"),
            (Some(buffer(9, b"cope\0")), "does not hold"),
            (Some(buffer(9, b"code")), "does not hold"),
            (Some(RawAccount { owner: authority, ..buffer(9, b"code\0") }), "loader"),
        ] {
            let check = check(bad.as_ref());
            assert_eq!(check.verdict, Verdict::Fail, "{}", check.sentence);
            assert!(check.sentence.contains(expected), "{}", check.sentence);
        }
    }

    #[test]
    fn missing_room_is_named_in_bytes_that_the_cluster_accepts() {
        let program = Pubkey::new_from_array([1; 32]);
        assert_eq!(check_room(100, 100, &program).verdict, Verdict::Pass);
        let small = check_room(100, 101, &program);
        assert!(small.verdict == Verdict::Fail && small.sentence.contains("by 10240 bytes"));
        let large = check_room(100, 50_100, &program);
        assert!(large.sentence.contains("by 50000 bytes"), "{}", large.sentence);
    }
}
