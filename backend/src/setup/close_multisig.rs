//! Closes the accounts of a multisig: its ended proposals, the states of programs that were handed over,
//! the multisig itself. Rent goes back to the payers that the accounts name.
use solana_pubkey::Pubkey;
use upgrade_manager::{
    seeds,
    state::{GovernanceProposal, Phase, ProgramUpgradeState},
};

use crate::{
    accounts::{self, decode},
    chain::read::RawAccount,
    error::Result,
    instructions,
    pipeline::plan::Plan,
    preflight::{check::Check, rule_check},
    setup::manager::SetupManager,
};

impl SetupManager {
    /// Plans to close a proposal about a multisig that has ended, whose account is `raw`. Anyone may.
    pub(super) fn plan_close_multisig_proposal(
        &self,
        address: &Pubkey,
        raw: Option<&RawAccount>,
    ) -> Result<Plan> {
        let known: GovernanceProposal = decode("multisig proposal", *address, raw)?;
        let subject = format!("multisig proposal {} of {}", known.terms.id, known.terms.multisig);
        let mut plan = self.start("close", "Close", subject);
        plan.account = Some(*address);
        plan.fact("Proposal", address);
        plan.fact("Status", known.status.name());
        plan.fact("What it does", known.terms.action.name());
        let lamports = raw.map_or(0, |raw| raw.lamports);
        plan.fact("Rent back to", format!("{}: {lamports} lamports", known.payer));
        plan.pinned.pin("the proposal's status", known.status.name());
        plan.check(rule_check::check(&known.require_closable(), "The proposal has ended."));
        let Some(signer) = self.context.signer() else { return Ok(plan) };
        plan.instructions = vec![instructions::close_governance(&signer, &known)];
        Ok(plan)
    }

    /// Plans to close a multisig that has ended. Anyone may.
    pub(super) async fn plan_close_multisig(&self, multisig: &Pubkey) -> Result<Plan> {
        let config = accounts::multisig(self.context.chain(), multisig).await?;
        let mut plan = self.start("close", "Close the multisig", multisig.to_string());
        plan.account = Some(*multisig);
        plan.fact("Multisig", multisig);
        plan.fact("Rent back to", config.payer);
        plan.check(Check::when(
            config.dissolved,
            "The multisig has ended.",
            "The multisig has not ended: `control-room multisig propose-dissolve` begins that.",
        ));
        let Some(signer) = self.context.signer() else { return Ok(plan) };
        plan.instructions = vec![instructions::close_multisig(&signer, &config)];
        Ok(plan)
    }

    /// Plans to close the state of `program`, which was handed over. Anyone may.
    pub(super) async fn plan_close_state(&self, program: &Pubkey) -> Result<Plan> {
        let state: ProgramUpgradeState = self.registered(program).await?;
        let mut plan = self.start("close", "Close the state of program", program.to_string());
        plan.account = Some(*program);
        plan.fact("Program", program);
        plan.fact("State", seeds::program_state(program).0);
        plan.fact("Rent back to", state.payer);
        plan.check(Check::when(
            state.phase == Phase::Released,
            "The program was handed over.",
            "The program is still in the manager's care: `control-room program propose-transfer` \
             begins a handover.",
        ));
        let Some(signer) = self.context.signer() else { return Ok(plan) };
        plan.instructions = vec![instructions::close_program_state(&signer, &state)];
        Ok(plan)
    }
}
