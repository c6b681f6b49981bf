//! The mirror's content as `runtime` read it at one time, with the look-ups that screens need. Immutable; never reads the
//! store.
use std::collections::BTreeMap;

use indexer::{AuditRow, Row, SentRow, View};
use solana_pubkey::Pubkey;
use upgrade_manager::state::{
    AccountVersion, BufferAttestation, GovernanceProposal, MultisigConfig, ProgramUpgradeState,
    ProposalStatus, UpgradeProposal,
};

/// A snapshot holds at most this many rows of the audit log, and as many sent transactions.
pub const MAX_HISTORY_ROWS: u32 = 2_000;
/// A snapshot holds about this many version records of each program.
pub const MAX_RECORD_ROWS: u32 = 5_000;

/// The mirror's content as it was read at one time.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// Whether the store held a complete snapshot of the chain. If not, a missing row may only be unread.
    pub complete: bool,
    /// Multisigs, programs, proposals, attestations.
    pub view: View,
    /// Newest events, newest first.
    pub audit: Vec<AuditRow>,
    /// Transactions of this control room, newest first.
    pub sent: Vec<SentRow>,
    /// Version records of each program, problems first.
    pub records: BTreeMap<Pubkey, Vec<Row<AccountVersion>>>,
}

/// A proposal of either kind.
#[derive(Clone, Copy, Debug)]
pub enum Decision<'a> {
    /// Upgrades a program.
    Upgrade(&'a Row<UpgradeProposal>),
    /// Changes or dissolves a multisig, or hands a program over.
    Multisig(&'a Row<GovernanceProposal>),
}

impl Decision<'_> {
    pub fn address(&self) -> Pubkey {
        match self {
            Self::Upgrade(row) => row.pubkey,
            Self::Multisig(row) => row.pubkey,
        }
    }

    /// The id; both kinds share one sequence of ids.
    pub fn id(&self) -> u64 {
        match self {
            Self::Upgrade(row) => row.account.terms.id,
            Self::Multisig(row) => row.account.terms.id,
        }
    }

    pub fn status(&self) -> ProposalStatus {
        match self {
            Self::Upgrade(row) => row.account.status,
            Self::Multisig(row) => row.account.status,
        }
    }

    /// The slot at which the account was seen in this state.
    pub fn slot(&self) -> u64 {
        match self {
            Self::Upgrade(row) => row.slot,
            Self::Multisig(row) => row.slot,
        }
    }

    pub fn is_closed(&self) -> bool {
        match self {
            Self::Upgrade(row) => row.closed_slot.is_some(),
            Self::Multisig(row) => row.closed_slot.is_some(),
        }
    }

    /// The digest of the terms, which every vote names.
    pub fn digest(&self) -> [u8; 32] {
        match self {
            Self::Upgrade(row) => row.account.digest,
            Self::Multisig(row) => row.account.digest,
        }
    }
}

impl Snapshot {
    /// Programs in the order of the table: those with a live proposal first, then by address.
    pub fn programs(&self) -> Vec<&Row<ProgramUpgradeState>> {
        let mut rows: Vec<_> =
            self.view.programs.iter().filter(|r| r.closed_slot.is_none()).collect();
        rows.sort_by_key(|r| (r.account.live_proposal.is_none(), r.account.program));
        rows
    }

    /// Proposals of `program`, newest first.
    pub fn proposals(&self, program: &Pubkey) -> Vec<&Row<UpgradeProposal>> {
        let mut rows: Vec<_> =
            self.view.proposals.iter().filter(|r| r.account.terms.program == *program).collect();
        rows.sort_by_key(|r| std::cmp::Reverse(r.account.terms.id));
        rows
    }

    /// Proposals about `multisig`, newest first.
    pub fn multisig_proposals(&self, multisig: &Pubkey) -> Vec<&Row<GovernanceProposal>> {
        let rows = self.view.governance.iter();
        let mut rows: Vec<_> = rows.filter(|r| r.account.terms.multisig == *multisig).collect();
        rows.sort_by_key(|r| std::cmp::Reverse(r.account.terms.id));
        rows
    }

    /// Proposals to upgrade `program`, and about the multisig that decides on it, newest first.
    pub fn decisions(&self, program: &Pubkey) -> Vec<Decision<'_>> {
        let mut all: Vec<_> = self.proposals(program).into_iter().map(Decision::Upgrade).collect();
        if let Some(state) = self.program(program) {
            all.extend(
                self.multisig_proposals(&state.multisig).into_iter().map(Decision::Multisig),
            );
        }
        all.sort_by_key(|d| std::cmp::Reverse(d.id()));
        all
    }

    /// The proposal at `address`, of either kind.
    pub fn decision(&self, address: &Pubkey) -> Option<Decision<'_>> {
        let multisig = || self.view.governance.iter().find(|r| r.pubkey == *address);
        self.proposal(address).map(Decision::Upgrade).or_else(|| multisig().map(Decision::Multisig))
    }

    /// One proposal.
    pub fn proposal(&self, address: &Pubkey) -> Option<&Row<UpgradeProposal>> {
        self.view.proposals.iter().find(|r| r.pubkey == *address)
    }

    /// The state of `program`.
    pub fn program(&self, program: &Pubkey) -> Option<&ProgramUpgradeState> {
        self.view.programs.iter().map(|r| &r.account).find(|s| s.program == *program)
    }

    /// The multisig at `address`.
    pub fn multisig(&self, address: &Pubkey) -> Option<&MultisigConfig> {
        self.view.multisigs.iter().find(|r| r.pubkey == *address).map(|r| &r.account)
    }

    /// The multisig that decides on `proposal`.
    pub fn multisig_of(&self, proposal: &UpgradeProposal) -> Option<&MultisigConfig> {
        self.multisig(&proposal.terms.multisig)
    }

    /// The attestation of `buffer`.
    pub fn attestation(&self, buffer: &Pubkey) -> Option<&Row<BufferAttestation>> {
        self.view.attestations.iter().find(|r| r.account.buffer == *buffer)
    }
}
