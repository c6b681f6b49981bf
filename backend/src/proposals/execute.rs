//! Execution: everything the chain will check, checked before and in words.
use upgrade_manager::state::role;

use super::ProposalManager;
use crate::{
    code::{Code, Direction},
    error::Result,
    gateway::MAX_UNITS,
    instructions,
    lookup::Scene,
    multisig,
    operation::Verb,
    plan::{self, Plan},
    preflight::Check,
    timelock::TimelockManager,
    words,
};

impl ProposalManager {
    pub(crate) async fn plan_execute(&self, scene: &Scene) -> Result<Plan> {
        let terms = &scene.proposal.terms;
        let mut plan = plan::on_scene(&self.backend, Verb::Execute, scene);
        let config = &scene.multisig;
        multisig::pin_votes(&scene.proposal, config, &mut plan.shown);
        plan.check(TimelockManager.check(&scene.proposal, config, scene.now));
        plan.check(plan::check_fresh(&scene.proposal, config));
        let paused = config.require_not_paused(scene.now.unix);
        plan.check(words::rule(&paused, "The multisig is not paused."));
        plan.check(words::rule(
            &scene.state.require_runs(terms),
            "The version and the code that run are those the proposal starts from.",
        ));
        let replaced = scene.state.unfinished();
        if let Some(unfinished) = replaced {
            plan.fact("Takes the place of", unfinished);
        }
        plan.check(words::rule(
            &scene.state.require_can_upgrade(&scene.address, terms.kind, replaced),
            "It is this proposal's turn: nothing else of the program is under way.",
        ));
        let executors = scene.multisig.members.iter().filter(|m| m.may(role::EXECUTE)).count();
        plan.fact("Members who may execute", executors);
        let code = Code::load(self.backend.gateway(), terms, Direction::Forward).await?;
        plan.checks.extend(code.checks(terms, Direction::Forward, scene.now.slot));
        code.pin(&mut plan.shown);
        plan.check(check_archive(&self.backend));
        plan.archives = true;
        plan.unit_limit = Some(MAX_UNITS);
        if let Some(signer) = self.backend.signer() {
            let ix = instructions::execute_upgrade(&signer, terms, replaced);
            plan.instructions = vec![instructions::with_squads(ix, config)];
        }
        Ok(plan)
    }
}

/// Old bytes must be kept before anything can overwrite them.
pub(crate) fn check_archive(backend: &crate::backend::Backend) -> Check {
    match backend.archive().check_writable() {
        Ok(()) => {
            Check::pass(format!("The archive {} can be written.", backend.archive().location()))
        }
        Err(error) => Check::fail(error.to_string()),
    }
}
