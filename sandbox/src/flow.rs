//! The whole life of an upgrade on the local chain, with nobody watching: votes, an execution too
//! early, the timelock, the upgrade, the migration, and the way back. It reads like the list in the
//! README; what must hold at each step is in `expect`.
use std::{io::Write, sync::Arc};

use anyhow::{Context, Result};
use backend::{FileArchive, ProposalContext, Verb, instructions};
use upgrade_manager::state::ProposalStatus;

use crate::{
    doomed, expect, keys::Saved, ledger::Ledger, local, operator::Operator, scenario::World,
    snapshot::Snapshot,
};

/// A rollback that gives nothing up.
const ROLL_BACK: Verb = Verb::RollBack { give_up: false };

/// Who does what. Every member has a part.
struct Cast<'a> {
    voters: [&'a Saved; 2],
    executor: &'a Saved,
    rollback_voters: [&'a Saved; 3],
    restorer: &'a Saved,
}

impl<'a> Cast<'a> {
    /// The first member has approved already, when the proposal was made.
    fn of(members: &'a [Saved]) -> Result<Self> {
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
/// The first thing that did not come out as it must, in a sentence.
pub async fn run(world: &World, out: impl Write) -> Result<()> {
    let gateway = &world.gateway;
    let seeded = world.seeded.as_ref().context("The chain is bare: there is nothing to run.")?;
    let cast = Cast::of(&world.keys.members)?;
    let archive = Arc::new(FileArchive::at(&world.archive));
    let ledger = Ledger::start(out).context("Stdout is closed.")?;
    let mut desk = Operator::new(gateway, archive, seeded.proposal, ledger);
    let scene = async || ProposalContext::load(gateway, seeded.proposal).await;

    for tx in &seeded.sent {
        desk.record(tx.clone()).await?;
    }
    let before = Snapshot::take(gateway, &seeded.program).await?;
    let old_code = scene().await?.state.elf_hash;

    for voter in cast.voters {
        desk.act(voter, Verb::Approve).await?;
    }
    expect::three_approvals(&scene().await?)?;

    expect::refused_by_preflight(&desk.prepare(cast.executor, Verb::Execute).await?)?;
    let terms = scene().await?.proposal.terms;
    let early = instructions::execute_upgrade(&cast.executor.signer.pubkey(), &terms, None);
    let refused =
        doomed::send(gateway, "execute, too early", early, &*cast.executor.signer).await?;
    expect::too_early(&refused)?;
    desk.record(refused).await?;
    expect::still(&scene().await?, ProposalStatus::Timelocked)?;

    let now = local::advance_clock(gateway, scene().await?.multisig.timelock).await?;
    desk.note(&format!("the chain's clock is moved 48 h on, to slot {}", now.slot))?;

    desk.act(cast.executor, Verb::Execute).await?;
    let executed = scene().await?;
    expect::still(&executed, ProposalStatus::Executed)?;
    local::wait_for_slot(gateway, executed.state.executed_slot.saturating_add(1)).await?;

    desk.act(cast.executor, Verb::Migrate).await?;
    expect::all_migrated(&scene().await?, &before)?;
    expect::new_layout(&before, &Snapshot::take(gateway, &seeded.program).await?)?;
    desk.act(cast.executor, Verb::Verify).await?;
    expect::completed(&scene().await?, &before)?;
    desk.note(&format!("{} of {0} accounts migrated and verified", before.0.len()))?;

    for voter in cast.rollback_voters {
        desk.act(voter, ROLL_BACK).await?;
    }
    desk.act(cast.restorer, ROLL_BACK).await?;
    expect::rolled_back(&scene().await?, old_code)?;
    expect::identical(&before, &Snapshot::take(gateway, &seeded.program).await?)?;
    desk.note(&format!(
        "{} of {0} accounts are what they were before: every byte, lamport and owner",
        before.0.len()
    ))?;
    desk.finish()
}
