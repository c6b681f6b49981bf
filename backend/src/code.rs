//! The bytes that an upgrade moves: buffers, ProgramData, spill. Fetched whole and hashed here; a
//! node's word about a hash is never taken.
use solana_pubkey::Pubkey;
use upgrade_manager::{
    external::loader::{self, PROGRAM_DATA_HEADER},
    seeds,
    state::{PinnedElf, Terms, elf::require_same_code},
};

use crate::{
    elf,
    error::{BackendError, Result},
    gateway::{Gateway, RawAccount},
    intent::Shown,
    preflight::Check,
    words,
};

/// Least bytes that the cluster extends a program by (SIMD-0431).
pub const MIN_EXTEND: usize = 10_240;

/// The accounts of one installation as they are now.
pub(crate) struct Code {
    authority: Pubkey,
    program_data: Option<RawAccount>,
    buffer: Option<RawAccount>,
    other: Option<RawAccount>,
    spill: Option<RawAccount>,
    rent: u64,
}

/// Which of a proposal's two ELFs is installed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    Forward,
    Back,
}

impl Code {
    /// Reads everything that installing `terms` in `direction` touches.
    pub(crate) async fn load(
        gateway: &Gateway,
        terms: &Terms,
        direction: Direction,
    ) -> Result<Self> {
        let (install, other) = match direction {
            Direction::Forward => (terms.upgrade.buffer, terms.rollback.buffer),
            Direction::Back => (terms.rollback.buffer, terms.upgrade.buffer),
        };
        let keys = [terms.program_data, install, other, terms.spill];
        let mut got = gateway.accounts(&keys).await?.into_iter();
        let mut next = || got.next().flatten();
        let program_data = next();
        let len = program_data.as_ref().map_or(0, |a| a.data.len());
        Ok(Self {
            authority: seeds::authority(&terms.program).0,
            program_data,
            buffer: next(),
            other: next(),
            spill: next(),
            rent: gateway.rent(len).await?,
        })
    }

    /// Everything that must hold of the code before it is installed.
    pub(crate) fn checks(&self, terms: &Terms, direction: Direction, slot: u64) -> Vec<Check> {
        let (pinned, what) = match direction {
            Direction::Forward => (&terms.upgrade, "new"),
            Direction::Back => (&terms.rollback, "old"),
        };
        let mut checks = vec![self.check_authority(), self.check_pinned(pinned, what)];
        if direction == Direction::Forward {
            checks.push(self.check_way_back(&terms.rollback));
        }
        checks.extend(self.check_elf(what));
        checks.push(self.check_room(pinned, &terms.program));
        checks.push(self.check_slot(slot));
        checks.push(self.check_spill(terms));
        checks
    }

    /// Pins the bytes that decide: what runs and what is installed.
    pub(crate) fn pin(&self, shown: &mut Shown) {
        let hash = |account: &Option<RawAccount>, header: usize| {
            account.as_ref().map_or("nothing".into(), |a| {
                hex::encode(elf::verify_hash(a.data.get(header..).unwrap_or_default()))
            })
        };
        shown.pin("the code in ProgramData", hash(&self.program_data, PROGRAM_DATA_HEADER));
        shown.pin("the code in the buffer", hash(&self.buffer, loader::BUFFER_HEADER));
    }

    fn live(&self) -> Option<loader::CodeAccount<'_>> {
        let account = self.program_data.as_ref()?;
        loader::program_data(&account.owner, &account.data).ok()
    }

    fn check_authority(&self) -> Check {
        match self.live().map(|live| live.authority) {
            None => {
                Check::fail("The program's ProgramData account is missing or not the loader's.")
            }
            Some(Some(key)) if key == self.authority => {
                Check::pass("The manager's address holds the program's upgrade authority.")
            }
            Some(Some(key)) => Check::fail(format!(
                "The program's upgrade authority is {key}, no longer the manager's address {}.",
                self.authority
            )),
            Some(None) => Check::fail("The program is final: nobody can upgrade it any more."),
        }
    }

    fn check_pinned(&self, pinned: &PinnedElf, what: &str) -> Check {
        check_frozen(self.buffer.as_ref(), pinned, &self.authority, what)
    }

    /// The rollback buffer must hold what runs now.
    fn check_way_back(&self, pinned: &PinnedElf) -> Check {
        let frozen = check_frozen(self.other.as_ref(), pinned, &self.authority, "old");
        if frozen.verdict == crate::preflight::Verdict::Fail {
            return frozen;
        }
        let copy = self.other.as_ref().map(|a| a.data.get(loader::BUFFER_HEADER..));
        let copy = elf::trimmed(copy.flatten().unwrap_or_default());
        let live = self.live().map_or(&[][..], |l| l.elf);
        words::rule(
            &require_same_code(copy, live),
            "The rollback buffer, compared byte by byte here, equals the code that runs.",
        )
    }

    fn check_elf(&self, what: &str) -> Option<Check> {
        let bytes = self.buffer.as_ref()?.data.get(loader::BUFFER_HEADER..)?;
        Some(check_elf(bytes, what))
    }

    fn check_room(&self, pinned: &PinnedElf, program: &Pubkey) -> Check {
        let room = self.live().map_or(0, |live| live.elf.len());
        check_room(room, pinned.len, program)
    }

    fn check_slot(&self, slot: u64) -> Check {
        let changed = self
            .program_data
            .as_ref()
            .and_then(|a| a.data.get(4..)?.first_chunk::<8>().copied().map(u64::from_le_bytes));
        if changed.is_some_and(|at| at >= slot) {
            return Check::warn(
                "The program was changed in this very slot; the upgrade waits for the next one.",
            );
        }
        Check::pass("The program was not changed in this slot.")
    }

    fn check_spill(&self, terms: &Terms) -> Check {
        let lamports = |a: &Option<RawAccount>| a.as_ref().map_or(0, |a| a.lamports);
        let held = lamports(&self.program_data).saturating_add(lamports(&self.buffer));
        let Some(surplus) = held.checked_sub(self.rent) else {
            return Check::fail(format!(
                "ProgramData and buffer hold {held} lamports together, {} are needed for rent: \
                 send the difference to {}.",
                self.rent, terms.program_data
            ));
        };
        let address = terms.spill;
        if self.spill.is_some() {
            return Check::pass(format!("{surplus} surplus lamports will go to {address}."));
        }
        Check::warn(format!(
            "The treasury {address} does not exist yet; {surplus} lamports will open it."
        ))
    }
}

/// `account` is the frozen buffer that was pinned, hashed here.
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
        Err(error) => return Check::fail(format!("{buffer}: {}", words::sentence(&error))),
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

/// The ELF can be deployed, as far as its header tells.
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

/// ProgramData with `room` bytes can hold `len` bytes.
pub(crate) fn check_room(room: usize, len: u32, program: &Pubkey) -> Check {
    let need = usize::try_from(len).unwrap_or(usize::MAX);
    match need.checked_sub(room) {
        None | Some(0) => Check::pass("ProgramData is large enough."),
        Some(missing) => Check::fail(format!(
            "ProgramData has {room} bytes for code, {need} are needed: extend program {program} \
             by {} bytes first, in an earlier slot.",
            missing.max(MIN_EXTEND)
        )),
    }
}

/// The ELF behind the header of ProgramData, as it runs now.
pub(crate) async fn live_elf(gateway: &Gateway, program_data: &Pubkey) -> Result<Vec<u8>> {
    with_live(gateway, program_data, |live| live.elf.to_vec()).await
}

/// Who holds the upgrade authority now.
pub(crate) async fn live_authority(
    gateway: &Gateway,
    program_data: &Pubkey,
) -> Result<Option<Pubkey>> {
    with_live(gateway, program_data, |live| live.authority).await
}

async fn with_live<T>(
    gateway: &Gateway,
    program_data: &Pubkey,
    look: impl FnOnce(loader::CodeAccount<'_>) -> T,
) -> Result<T> {
    let (what, address) = ("ProgramData account", *program_data);
    let account =
        gateway.account(program_data).await?.ok_or(BackendError::NoAccount { what, address })?;
    let bad = |e| BackendError::BadAccount { what, address, reason: words::sentence(&e) };
    Ok(look(loader::program_data(&account.owner, &account.data).map_err(bad)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::preflight::Verdict;

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
