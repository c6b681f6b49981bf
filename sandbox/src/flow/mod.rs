//! The headless run of a whole upgrade: votes, an execution too early, the timelock, the upgrade, the
//! migration, the rollback. It follows the list in the README; `expect` holds what must be true after
//! each step.
pub mod expect;
pub mod operator;
pub mod tx_table;

use std::{io::Write, sync::Arc};

use anyhow::{Context, Result};
use backend::{FileArchive, ProposalContext, Verb, instructions};
use upgrade_manager::state::ProposalStatus;

use crate::{
    chain::{local_rpc, send_unchecked::send_unchecked, snapshot::AccountSnapshot},
    flow::{operator::Operator, tx_table::TxTable},
    scenario::{keys::KeyFile, world::World},
};

/// A rollback that must restore every account.
const ROLL_BACK: Verb = Verb::RollBack { give_up: false };

/// Which member sends which transaction. Every member has a part.
struct Parts<'a> {
    voters: [&'a KeyFile; 2],
    executor: &'a KeyFile,
    rollback_voters: [&'a KeyFile; 3],
    restorer: &'a KeyFile,
}

impl<'a> Parts<'a> {
    /// The first member has approved already, when the proposal was made.
    fn of(members: &'a [KeyFile]) -> Result<Self> {
        let [first, second, third, fourth, fifth] = members else {
            anyhow::bail!("The flow needs five members, and there are {}.", members.len());
        };
        Ok(Self {
            voters: [second, third],
            executor: fourth,
            rollback_voters: [first, second, third],
            restorer: fifth,
        })
    }
}

/// Runs the flow on a freshly seeded `world` and writes every transaction to `out`.
///
/// # Errors
/// The first expectation that does not hold, in a sentence.
pub async fn run(world: &World, out: impl Write) -> Result<()> {
    let client = &world.client;
    let seeded = world.seeded.as_ref().context("The chain is bare: there is nothing to run.")?;
    let parts = Parts::of(&world.keys.members)?;
    let archive = Arc::new(FileArchive::at(&world.archive));
    let table = TxTable::start(out).context("Stdout is closed.")?;
    let mut operator = Operator::new(client, archive, seeded.proposal, table);
    let reload = async || ProposalContext::load(client, seeded.proposal).await;

    for tx in &seeded.sent {
        operator.record(tx.clone()).await?;
    }
    let before = AccountSnapshot::take(client, &seeded.program).await?;
    let old_code = reload().await?.state.elf_hash;

    for voter in parts.voters {
        operator.act(voter, Verb::Approve).await?;
    }
    expect::three_approvals(&reload().await?)?;

    expect::refused_by_preflight(&operator.prepare(parts.executor, Verb::Execute).await?)?;
    let terms = reload().await?.proposal.terms;
    let early = instructions::execute_upgrade(&parts.executor.signer.pubkey(), &terms, None);
    let refused =
        send_unchecked(client, "execute, too early", early, &*parts.executor.signer).await?;
    expect::too_early(&refused)?;
    operator.record(refused).await?;
    expect::still(&reload().await?, ProposalStatus::Timelocked)?;

    let now = local_rpc::advance_clock(client, reload().await?.multisig.timelock).await?;
    operator.note(&format!("the chain's clock is moved 48 h on, to slot {}", now.slot))?;

    operator.act(parts.executor, Verb::Execute).await?;
    let executed = reload().await?;
    expect::still(&executed, ProposalStatus::Executed)?;
    local_rpc::wait_for_slot(client, executed.state.executed_slot.saturating_add(1)).await?;

    operator.act(parts.executor, Verb::Migrate).await?;
    expect::all_migrated(&reload().await?, &before)?;
    expect::new_layout(&before, &AccountSnapshot::take(client, &seeded.program).await?)?;
    operator.act(parts.executor, Verb::Verify).await?;
    expect::completed(&reload().await?, &before)?;
    operator.note(&format!("{} of {0} accounts migrated and verified", before.0.len()))?;

    for voter in parts.rollback_voters {
        operator.act(voter, ROLL_BACK).await?;
    }
    operator.act(parts.restorer, ROLL_BACK).await?;
    expect::rolled_back(&reload().await?, old_code)?;
    expect::identical(&before, &AccountSnapshot::take(client, &seeded.program).await?)?;
    operator.note(&format!(
        "{} of {0} accounts are what they were before: every byte, lamport and owner",
        before.0.len()
    ))?;
    operator.finish()
}
