//! A new multisig. Its address derives from a create key that was made with the task, signs once and is
//! dropped.
use std::sync::Arc;

use solana_pubkey::Pubkey;
use upgrade_manager::{
    seeds,
    state::{MultisigConfig, MultisigRules},
};

use crate::{
    error::Result,
    instructions,
    keys::signer::Signer,
    multisig::rules,
    pipeline::plan::Plan,
    preflight::{check::Check, rule_check},
    setup::manager::SetupManager,
};

impl SetupManager {
    /// Plans a multisig; the loaded key pays.
    pub(super) async fn plan_create_multisig(
        &self,
        args: &MultisigRules,
        create_key: &Arc<dyn Signer>,
    ) -> Result<Plan> {
        let create = create_key.pubkey();
        let address = seeds::multisig(&create).0;
        let made = MultisigConfig::new(args.clone(), (create, 0), Pubkey::default(), 0);
        let mut plan = self.start("multisig create", "Create the multisig", address.to_string());
        plan.account = Some(address);
        plan.fact("Multisig, new at every run", address);
        plan.fact("Create key", create);
        plan.facts.extend(rules::rule_facts(args));
        plan.check(rule_check::check(&made, "The multisig obeys the chain's rules."));
        if made.is_err() {
            return Ok(plan);
        }
        for check in rules::rule_warnings(args) {
            plan.check(check);
        }
        if self.context.chain().account(&args.treasury).await?.is_none() {
            plan.check(Check::warn(format!(
                "The treasury {} does not exist yet: make sure that somebody holds its key.",
                args.treasury
            )));
        }
        let Some(payer) = self.context.signer() else { return Ok(plan) };
        plan.instructions = vec![instructions::create_multisig(&create, &payer, args.clone())];
        plan.signers = vec![Arc::clone(create_key)];
        Ok(plan)
    }
}
