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

/// Checks that the proposal has `status`.
///
/// # Errors
/// It has another status.
pub fn still(context: &ProposalContext, status: ProposalStatus) -> Result<()> {
    let now = context.proposal.status;
    ensure!(now == status, "The proposal should be {} and is {}.", status.name(), now.name());
    Ok(())
}

/// Checks that three members have approved and the timelock runs.
///
/// # Errors
/// One of these does not hold.
pub fn three_approvals(context: &ProposalContext) -> Result<()> {
    let approvals = context.proposal.ballot.count(Choice::Approve);
    ensure!(approvals == 3, "There should be 3 approvals and there are {approvals}.");
    still(context, ProposalStatus::Timelocked)
}

/// Checks that the preflight does not let the operator sign.
///
/// # Errors
/// The preflight made an intent, or gave no reason.
pub fn refused_by_preflight(shown: &Preflight) -> Result<()> {
    ensure!(shown.intent.is_none(), "The preflight let an execution pass before the timelock.");
    ensure!(shown.failures().next().is_some(), "The preflight refuses without saying why.");
    Ok(())
}

/// Checks that the program refused because of the timelock.
///
/// # Errors
/// It refused for another reason.
pub fn too_early(refused: &SentTx) -> Result<()> {
    let (reason, said) = (ManagerError::TimelockNotOver.to_string(), refused.error.as_deref());
    let said = said.unwrap_or("nothing");
    ensure!(said.contains(&reason), "The chain should refuse with {reason:?} and says: {said}");
    Ok(())
}

/// Checks that every account was migrated exactly once.
///
/// # Errors
/// A counter says otherwise.
pub fn all_migrated(context: &ProposalContext, before: &AccountSnapshot) -> Result<()> {
    let counters = context.state.counters;
    let (all, done) = (before.0.len(), counters.on_new_layout());
    let exact = usize::try_from(done).is_ok_and(|n| n == all);
    ensure!(exact, "{done} accounts hold the new layout instead of {all}: {counters:?}.");
    still(context, ProposalStatus::Migrating)
}

/// Checks that every vault of `before` holds the new layout, with the same owner, balance and
/// deposits.
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

/// Checks that every account is verified and the migration is complete.
///
/// # Errors
/// One of these does not hold.
pub fn completed(context: &ProposalContext, before: &AccountSnapshot) -> Result<()> {
    let verified = context.state.counters.verified;
    let all = before.0.len();
    let exact = usize::try_from(verified).is_ok_and(|n| n == all);
    ensure!(exact, "{verified} accounts are verified instead of {all}.");
    ensure!(
        context.state.phase == Phase::Steady,
        "The program is still {:?}.",
        context.state.phase
    );
    still(context, ProposalStatus::Completed)
}

/// Checks that the old code runs and no account holds the new layout.
///
/// # Errors
/// One of these does not hold.
pub fn rolled_back(context: &ProposalContext, old_code: [u8; 32]) -> Result<()> {
    ensure!(context.state.elf_hash == old_code, "The code that runs is not the one from before.");
    let left = context.state.counters.on_new_layout();
    ensure!(left == 0, "{left} accounts still hold the new layout.");
    still(context, ProposalStatus::RolledBack)
}

/// Checks that every account is equal to the one before, to the last byte and lamport.
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
