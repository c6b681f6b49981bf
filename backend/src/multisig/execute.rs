//! Execution of a proposal that changes a multisig or hands a program over. Everything that the chain will
//! check is checked here first, so that the preflight names the reason.
use upgrade_manager::{
    seeds,
    state::{Action, Transfer},
};

use crate::{
    accounts::governance::GovernanceContext,
    code,
    error::Result,
    instructions::{self, with_squads},
    multisig::plan::for_governance,
    pipeline::{
        context::Context,
        plan::{self, Plan},
        timing,
    },
    preflight::{check::Check, operation::Verb, rule_check, step::Step},
};

pub(super) async fn plan(context: &Context, current: &GovernanceContext) -> Result<Plan> {
    let (proposal, config) = (&current.proposal, &current.multisig);
    let mut plan = for_governance(context, Verb::Execute, current);
    plan.check(timing::check_timelock(proposal, config, current.now));
    plan.check(plan::check_fresh(proposal, config));
    plan.step = step(&proposal.terms.action);
    match &proposal.terms.action {
        Action::ConfigChange(rules) => {
            let after = config.clone().change(rules.clone());
            plan.check(rule_check::check(&after, "The new rules obey the chain's rules."));
            plan.check(Check::warn(
                "Every other proposal of this multisig that has not been executed becomes stale.",
            ));
        }
        Action::Dissolve => plan.check(Check::when(
            config.programs == 0 && config.open_proposals <= 1,
            "The multisig holds no program and has no other open proposal.",
            format!(
                "The multisig holds {} programs and has {} open proposals, this one included: hand \
                 the programs over and end the proposals first.",
                config.programs, config.open_proposals
            ),
        )),
        Action::TransferAuthority(transfer) => {
            check_transfer(&mut plan, context, current, transfer).await?;
        }
    }
    if let Some(signer) = context.signer() {
        let ix = match &proposal.terms.action {
            Action::TransferAuthority(transfer) => {
                instructions::execute_transfer(&signer, &proposal.terms, transfer)
            }
            Action::ConfigChange(_) | Action::Dissolve => {
                instructions::execute_config_change(&signer, &proposal.terms)
            }
        };
        plan.instructions = vec![with_squads(ix, config)];
    }
    Ok(plan)
}

/// The step that executes `action`.
fn step(action: &Action) -> Step {
    let consequence = match action {
        Action::ConfigChange(_) => "Puts the new rules of the multisig in force now.".to_owned(),
        Action::Dissolve => "Ends the multisig now, for good.".to_owned(),
        Action::TransferAuthority(transfer) => format!(
            "Hands the upgrade authority of program {} to {} now, for good.",
            transfer.program, transfer.new_authority
        ),
    };
    Step::act("execute", "Execute", consequence)
}

async fn check_transfer(
    plan: &mut Plan,
    context: &Context,
    current: &GovernanceContext,
    transfer: &Transfer,
) -> Result<()> {
    let now = current.now.unix;
    plan.check(rule_check::check(
        &current.multisig.require_not_paused(now),
        "The multisig is not paused.",
    ));
    plan.check(match &current.state {
        None => Check::fail("The program is no longer registered with the manager."),
        Some(state) => rule_check::check(
            &state.require_releasable(&current.address),
            "No migration and no other proposal of the program is under way.",
        ),
    });
    let held = code::live_authority(context.chain(), &transfer.program_data).await?;
    plan.check(Check::when(
        held == Some(seeds::authority(&transfer.program).0),
        "The manager's address holds the program's upgrade authority.",
        "The program's upgrade authority is no longer the manager's address.",
    ));
    let new = transfer.new_authority;
    let signs = context.signer() == Some(new) || context.cosigner() == Some(new);
    plan.check(Check::when(
        signs,
        "The new authority signs as well, so it is nobody's typing error.",
        format!("The new authority {new} must sign as well: load its key with --cosigner."),
    ));
    plan.check(Check::warn(format!(
        "THE UPGRADE AUTHORITY LEAVES the manager for {new}, who can then change the program \
         without any vote or timelock. No vote brings it back."
    )));
    plan.pinned.pin("who holds the program", held.map_or("nobody".into(), |k| k.to_string()));
    Ok(())
}
