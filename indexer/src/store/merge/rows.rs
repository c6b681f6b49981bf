//! Turns stored columns into typed rows, counters and views, for every store.
use std::collections::BTreeMap;

use solana_pubkey::Pubkey;
use upgrade_manager::state::{AccountStatus, AccountVersion};

use crate::{
    account::{AccountKind, ManagerAccount, Tally, decode::manager_account},
    store::types::{ProgressRow, Row, View},
};

/// Sums of `rows` by program, and by proposal.
#[must_use]
pub fn sums(
    rows: &BTreeMap<(Pubkey, Pubkey), ProgressRow>,
) -> (BTreeMap<Pubkey, ProgressRow>, BTreeMap<Pubkey, ProgressRow>) {
    let (mut by_program, mut by_proposal) = (BTreeMap::new(), BTreeMap::new());
    for ((program, proposal), row) in rows {
        for (map, key) in [(&mut by_program, program), (&mut by_proposal, proposal)] {
            let sum: &mut ProgressRow = map.entry(*key).or_default();
            *sum = sum.plus(*row);
        }
    }
    (by_program, by_proposal)
}

/// The counter that a stored row belongs to; `None` unless it is a version record.
#[must_use]
pub fn tally(
    kind: &str,
    program: Option<Pubkey>,
    proposal: Option<Pubkey>,
    status: Option<&str>,
) -> Option<Tally> {
    if kind != AccountKind::AccountVersion.name() {
        return None;
    }
    let status = AccountStatus::from_name(status?)?;
    Some(Tally { program: program?, proposal: proposal?, status })
}

/// Counters from numbers in the order of [`AccountStatus::ALL`].
#[must_use]
pub fn progress_row(counts: [u64; 6]) -> ProgressRow {
    let [pending, migrated, verified, restored, quarantined, closed] = counts;
    ProgressRow { pending, migrated, verified, restored, quarantined, closed }
}

/// One stored row, undecoded.
#[derive(Clone, Debug)]
pub struct Stored {
    /// Address.
    pub pubkey: Pubkey,
    /// Bytes.
    pub raw: Vec<u8>,
    /// Slot of that state.
    pub slot: u64,
    /// Slot at which it was found closed.
    pub closed_slot: Option<u64>,
}

impl Stored {
    fn row<T>(&self, account: T) -> Row<T> {
        let Self { pubkey, slot, closed_slot, .. } = *self;
        Row { pubkey, account, slot, closed_slot }
    }

    fn decode(&self) -> Result<ManagerAccount, String> {
        manager_account(&self.raw).map_err(|why| format!("row {}: {why}", self.pubkey))
    }
}

/// The view over `rows` and the counters, without frontier and revision.
///
/// # Errors
/// Which row holds bytes that do not decode.
pub fn view(
    rows: Vec<Stored>,
    progress: &BTreeMap<(Pubkey, Pubkey), ProgressRow>,
) -> Result<View, String> {
    let (by_program, by_proposal) = sums(progress);
    let mut view = View { progress: by_program, moved: by_proposal, ..View::default() };
    for stored in rows {
        match stored.decode()? {
            ManagerAccount::Multisig(a) => view.multisigs.push(stored.row(*a)),
            ManagerAccount::Program(a) => view.programs.push(stored.row(*a)),
            ManagerAccount::Proposal(a) => view.proposals.push(stored.row(*a)),
            ManagerAccount::Attestation(a) => view.attestations.push(stored.row(*a)),
            ManagerAccount::Governance(a) => view.governance.push(stored.row(*a)),
            ManagerAccount::AccountVersion(_) | ManagerAccount::Backup(_) => {}
        }
    }
    Ok(view)
}

/// The version records in `rows`.
///
/// # Errors
/// Which row holds bytes that are not a version record.
pub fn records(rows: Vec<Stored>) -> Result<Vec<Row<AccountVersion>>, String> {
    let read = |stored: Stored| match stored.decode()? {
        ManagerAccount::AccountVersion(a) => Ok(stored.row(*a)),
        _ => Err(format!("row {} is not a version record", stored.pubkey)),
    };
    rows.into_iter().map(read).collect()
}
