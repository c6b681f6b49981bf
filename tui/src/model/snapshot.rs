//! The mirror's content at one moment, and the questions screens ask of it. Immutable once made;
//! it never asks the store.
use std::collections::BTreeMap;

use indexer::{AuditRow, Row, SentRow, View};
use solana_pubkey::Pubkey;
use upgrade_manager::state::{
    AccountVersion, BufferAttestation, GovernanceProposal, MultisigConfig, ProgramUpgradeState,
    UpgradeProposal,
};

/// Rows of the audit log and of sent transactions that a snapshot carries.
pub const HISTORY: u32 = 2_000;
/// Version records of one program that a snapshot carries.
pub const RECORDS: u32 = 5_000;

/// The mirror's content.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// Teams, programs, proposals, attestations, counters.
    pub view: View,
    /// Newest events, newest first.
    pub audit: Vec<AuditRow>,
    /// Transactions of this control room, newest first.
    pub sent: Vec<SentRow>,
    /// Version records of each program, problems first.
    pub records: BTreeMap<Pubkey, Vec<Row<AccountVersion>>>,
}

impl Snapshot {
    /// Programs in the order of the table: those on the move first, then by address.
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

    /// Proposals about `team`, newest first.
    pub fn team_proposals(&self, team: &Pubkey) -> Vec<&Row<GovernanceProposal>> {
        let rows = self.view.governance.iter();
        let mut rows: Vec<_> = rows.filter(|r| r.account.terms.multisig == *team).collect();
        rows.sort_by_key(|r| std::cmp::Reverse(r.account.terms.id));
        rows
    }

    /// One proposal about a team.
    pub fn team_proposal(&self, address: &Pubkey) -> Option<&Row<GovernanceProposal>> {
        self.view.governance.iter().find(|r| r.pubkey == *address)
    }

    /// One proposal.
    pub fn proposal(&self, address: &Pubkey) -> Option<&Row<UpgradeProposal>> {
        self.view.proposals.iter().find(|r| r.pubkey == *address)
    }

    /// The state of `program`.
    pub fn program(&self, program: &Pubkey) -> Option<&ProgramUpgradeState> {
        self.view.programs.iter().map(|r| &r.account).find(|s| s.program == *program)
    }

    /// The team at `address`.
    pub fn multisig(&self, address: &Pubkey) -> Option<&MultisigConfig> {
        self.view.multisigs.iter().find(|r| r.pubkey == *address).map(|r| &r.account)
    }

    /// The team that decides on `proposal`.
    pub fn team(&self, proposal: &UpgradeProposal) -> Option<&MultisigConfig> {
        self.multisig(&proposal.terms.multisig)
    }

    /// What is known of `buffer`.
    pub fn attestation(&self, buffer: &Pubkey) -> Option<&Row<BufferAttestation>> {
        self.view.attestations.iter().find(|r| r.account.buffer == *buffer)
    }
}
