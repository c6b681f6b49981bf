//! Execution of an upgrade. Everything that the chain will check is checked here first, so that the
//! preflight names the reason.
use upgrade_manager::state::role;

use crate::{
    accounts::proposal::ProposalContext,
    chain::simulate::MAX_UNITS,
    code::install::{Direction, InstallAccounts},
    error::Result,
    instructions,
    pipeline::{
        archiving::check_archive,
        members,
        plan::{self, ArchivedFirst, Plan},
        timing,
    },
    preflight::{operation::Verb, rule_check},
    proposals::ProposalManager,
};

impl ProposalManager {
    pub(crate) async fn plan_execute(&self, current: &ProposalContext) -> Result<Plan> {
        let terms = &current.proposal.terms;
        let mut plan = Plan::for_proposal(&self.context, Verb::Execute, current);
        let config = &current.multisig;
        members::pin_votes(&current.proposal, config, &mut plan.pinned);
        plan.check(timing::check_timelock(&current.proposal, config, current.now));
        plan.check(plan::check_fresh(&current.proposal, config));
        let paused = config.require_not_paused(current.now.unix);
        plan.check(rule_check::check(&paused, "The multisig is not paused."));
        plan.check(rule_check::check(
            &current.state.require_runs(terms),
            "The version and the code that run are those the proposal starts from.",
        ));
        let replaced = current.state.unfinished();
        if let Some(unfinished) = replaced {
            plan.fact("Takes the place of", unfinished);
        }
        plan.check(rule_check::check(
            &current.state.require_can_upgrade(&current.address, terms.kind, replaced),
            "It is this proposal's turn: nothing else of the program is under way.",
        ));
        let executors = current.multisig.members.iter().filter(|m| m.may(role::EXECUTE)).count();
        plan.fact("Members who may execute", executors);
        let code = InstallAccounts::load(self.context.chain(), terms, Direction::Forward).await?;
        plan.checks.extend(code.checks(terms, Direction::Forward, current.now.slot));
        code.pin(&mut plan.pinned);
        plan.check(check_archive(&self.context));
        plan.archived_first = ArchivedFirst::Accounts(Box::new(terms.clone()));
        plan.unit_limit = Some(MAX_UNITS);
        if let Some(signer) = self.context.signer() {
            let ix = instructions::execute_upgrade(&signer, terms, replaced);
            plan.instructions = vec![instructions::with_squads(ix, config)];
        }
        Ok(plan)
    }
}
