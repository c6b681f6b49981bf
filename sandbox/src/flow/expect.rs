//! What must hold after each step of the headless flow. Every function compares accounts that were read from
//! the chain and fails with a sentence that names the difference. No I/O.
use anyhow::{Result, bail, ensure};
use backend::{Preflight, ProposalContext, SentTx};
use demo_vault::{v1, v2};
use upgrade_manager::{
    error::ManagerError,
    state::{Choice, Phase, ProposalStatus},
};

use crate::chain::snapshot::AccountSnapshot;

/// The proposal is at `status`.
///
/// # Errors
/// It is not.
pub fn still(scene: &ProposalContext, status: ProposalStatus) -> Result<()> {
    let now = scene.proposal.status;
    ensure!(now == status, "The proposal should be {} and is {}.", status.name(), now.name());
    Ok(())
}

/// Three members have approved, and the timelock runs.
///
/// # Errors
/// It is not so.
pub fn three_approvals(scene: &ProposalContext) -> Result<()> {
    let approvals = scene.proposal.ballot.count(Choice::Approve);
    ensure!(approvals == 3, "There should be 3 approvals and there are {approvals}.");
    still(scene, ProposalStatus::Timelocked)
}

/// The control room would not let the operator sign.
///
/// # Errors
/// It would.
pub fn refused_by_preflight(shown: &Preflight) -> Result<()> {
    ensure!(shown.intent.is_none(), "The preflight let an execution pass before the timelock.");
    ensure!(shown.failures().next().is_some(), "The preflight refuses without saying why.");
    Ok(())
}

/// The program itself refused because of the timelock.
///
/// # Errors
/// It refused for another reason.
pub fn too_early(refused: &SentTx) -> Result<()> {
    let (reason, said) = (ManagerError::TimelockNotOver.to_string(), refused.error.as_deref());
    let said = said.unwrap_or("nothing");
    ensure!(said.contains(&reason), "The chain should refuse with {reason:?} and says: {said}");
    Ok(())
}

/// Every account was migrated, none twice.
///
/// # Errors
/// A counter says otherwise.
pub fn all_migrated(scene: &ProposalContext, before: &AccountSnapshot) -> Result<()> {
    let counters = scene.state.counters;
    let (all, done) = (before.0.len(), counters.on_new_layout());
    let exact = usize::try_from(done).is_ok_and(|n| n == all);
    ensure!(exact, "{done} accounts hold the new layout instead of {all}: {counters:?}.");
    still(scene, ProposalStatus::Migrating)
}

/// Every vault of `before` holds the new layout now, with the same owner, balance and deposits.
///
/// # Errors
/// The first vault that does not.
pub fn new_layout(before: &AccountSnapshot, after: &AccountSnapshot) -> Result<()> {
    use anchor_lang::AccountDeserialize;
    for (address, old) in &before.0 {
        let Some(new) = after.0.get(address) else { bail!("The vault {address} is gone.") };
        let expected = v1::Vault::try_deserialize(&mut &old.data[..]).map(v2::Vault::from);
        let found = v2::Vault::try_deserialize(&mut &new.data[..]);
        match (expected, found) {
            (Ok(expected), Ok(found)) if expected == found => {}
            (expected, found) => {
                bail!("The vault {address} should hold {expected:?} and holds {found:?}.")
            }
        }
    }
    Ok(())
}

/// Every account is verified and the migration is complete.
///
/// # Errors
/// It is not so.
pub fn completed(scene: &ProposalContext, before: &AccountSnapshot) -> Result<()> {
    let verified = scene.state.counters.verified;
    let all = before.0.len();
    let exact = usize::try_from(verified).is_ok_and(|n| n == all);
    ensure!(exact, "{verified} accounts are verified instead of {all}.");
    ensure!(scene.state.phase == Phase::Steady, "The program is still {:?}.", scene.state.phase);
    still(scene, ProposalStatus::Completed)
}

/// The old code is back.
///
/// # Errors
/// It is not so.
pub fn rolled_back(scene: &ProposalContext, old_code: [u8; 32]) -> Result<()> {
    ensure!(scene.state.elf_hash == old_code, "The code that runs is not the one from before.");
    let left = scene.state.counters.on_new_layout();
    ensure!(left == 0, "{left} accounts still hold the new layout.");
    still(scene, ProposalStatus::RolledBack)
}

/// Every account is what it was, to the last byte and lamport.
///
/// # Errors
/// The first difference, and how many there are.
pub fn identical(before: &AccountSnapshot, after: &AccountSnapshot) -> Result<()> {
    match before.differences(after).as_slice() {
        [] => Ok(()),
        all @ [first, ..] => {
            bail!("The rollback left {} differences; the first: {first}", all.len())
        }
    }
}
