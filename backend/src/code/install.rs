//! The accounts that installing code touches: ProgramData, both buffers, the treasury. Everything that
//! the chain will check of them is checked here first.
use solana_pubkey::Pubkey;
use upgrade_manager::{
    external::loader::{self, PROGRAM_DATA_HEADER},
    seeds,
    state::{PinnedElf, Terms, elf::require_same_code},
};

use crate::{
    chain::{client::ChainClient, read::RawAccount},
    code::{check_elf, check_frozen, check_room, elf},
    error::Result,
    preflight::{
        check::{Check, Verdict},
        pinned::PinnedState,
        rule_check,
    },
};

/// The accounts that installing one of a proposal's ELFs touches, as they are now.
pub(crate) struct InstallAccounts {
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

impl InstallAccounts {
    /// Reads everything that installing `terms` in `direction` touches.
    pub(crate) async fn load(
        chain: &ChainClient,
        terms: &Terms,
        direction: Direction,
    ) -> Result<Self> {
        let (install, other) = match direction {
            Direction::Forward => (terms.upgrade.buffer, terms.rollback.buffer),
            Direction::Back => (terms.rollback.buffer, terms.upgrade.buffer),
        };
        let keys = [terms.program_data, install, other, terms.spill];
        let mut got = chain.accounts(&keys).await?.into_iter();
        let mut next = || got.next().flatten();
        let program_data = next();
        let len = program_data.as_ref().map_or(0, |a| a.data.len());
        Ok(Self {
            authority: seeds::authority(&terms.program).0,
            program_data,
            buffer: next(),
            other: next(),
            spill: next(),
            rent: chain.rent(len).await?,
        })
    }

    /// Every check of these accounts that the installation needs.
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

    /// Pins the hashes of the code that runs and of the code that is installed.
    pub(crate) fn pin(&self, pinned: &mut PinnedState) {
        let hash = |account: &Option<RawAccount>, header: usize| {
            account.as_ref().map_or("nothing".into(), |a| {
                hex::encode(elf::verify_hash(a.data.get(header..).unwrap_or_default()))
            })
        };
        pinned.pin("the code in ProgramData", hash(&self.program_data, PROGRAM_DATA_HEADER));
        pinned.pin("the code in the buffer", hash(&self.buffer, loader::BUFFER_HEADER));
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

    /// Checks that the rollback buffer holds the code that runs now.
    fn check_way_back(&self, pinned: &PinnedElf) -> Check {
        let frozen = check_frozen(self.other.as_ref(), pinned, &self.authority, "old");
        if frozen.verdict == Verdict::Fail {
            return frozen;
        }
        let copy = self.other.as_ref().map(|a| a.data.get(loader::BUFFER_HEADER..));
        let copy = elf::trimmed(copy.flatten().unwrap_or_default());
        let live = self.live().map_or(&[][..], |l| l.elf);
        rule_check::check(
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
