//! Makes proposals that change a multisig, end it, or hand a program over; and the guardian's pause. The
//! terms are built here as the program will build them, so that the digest which the members will vote on
//! is shown before anything is signed.
use std::time::Duration;

use solana_pubkey::Pubkey;
use upgrade_manager::{
    instructions::GovernanceArgs,
    seeds,
    state::{
        Action, GovernanceTerms, MultisigConfig, PAUSE_SECONDS, ProgramUpgradeState, ProposalKind,
        Transfer, role,
    },
};

use crate::{
    accounts,
    error::{BackendError, Result},
    instructions::{self, with_squads},
    multisig::{
        changes::{MultisigChange, action_facts},
        rules::rule_warnings,
    },
    pipeline::{members, plan::Plan},
    preflight::{check::Check, rule_check, step::Step, text::span},
    setup::{manager::SetupManager, task::FrozenNote},
};

/// Note and expiry of a new proposal by a multisig.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MultisigProposalRequest {
    /// The reason, for the members to read.
    pub note: String,
    /// How long from now until it expires.
    pub expires_in: Duration,
}

impl SetupManager {
    /// Plans a proposal of new rules for `multisig`.
    pub(super) async fn plan_propose_change(
        &self,
        multisig: &Pubkey,
        change: &MultisigChange,
        note: &FrozenNote,
    ) -> Result<Plan> {
        let config = accounts::multisig(self.context.chain(), multisig).await?;
        let rules = change.apply(config.rules()).map_err(BackendError::Refused)?;
        let same = rules == config.rules();
        let warnings = rule_warnings(&rules);
        let (name, action) = ("multisig propose-change", Action::ConfigChange(rules));
        let mut plan = self.plan_proposal(name, multisig, &config, action, note).await?;
        plan.checks.extend(warnings);
        plan.check(Check::when(
            !same,
            "The rules differ from those in force.",
            "Nothing would change: name what shall.",
        ));
        Ok(plan)
    }

    /// Plans a proposal to end `multisig`.
    pub(super) async fn plan_propose_dissolve(
        &self,
        multisig: &Pubkey,
        note: &FrozenNote,
    ) -> Result<Plan> {
        let config = accounts::multisig(self.context.chain(), multisig).await?;
        let (name, action) = ("multisig propose-dissolve", Action::Dissolve);
        let mut plan = self.plan_proposal(name, multisig, &config, action, note).await?;
        if config.programs > 0 {
            plan.check(Check::warn(format!(
                "The multisig still holds {} programs: they must be handed over before it can end.",
                config.programs
            )));
        }
        Ok(plan)
    }

    /// Plans a proposal to hand the upgrade authority of `program` to `new_authority`.
    pub(super) async fn plan_propose_transfer(
        &self,
        program: &Pubkey,
        new_authority: &Pubkey,
        note: &FrozenNote,
    ) -> Result<Plan> {
        let state = self.registered(program).await?;
        let config = accounts::multisig(self.context.chain(), &state.multisig).await?;
        let transfer = Transfer {
            program: *program,
            program_data: state.program_data,
            new_authority: *new_authority,
        };
        let (name, multisig) = ("program propose-transfer", state.multisig);
        let action = Action::TransferAuthority(transfer);
        let mut plan = self.plan_proposal(name, &multisig, &config, action, note).await?;
        check_transfer(&mut plan, &state, new_authority);
        Ok(plan)
    }

    async fn plan_proposal(
        &self,
        name: &'static str,
        multisig: &Pubkey,
        config: &MultisigConfig,
        action: Action,
        note: &FrozenNote,
    ) -> Result<Plan> {
        let now = self.context.chain().chain_time().await?;
        let terms = GovernanceTerms {
            id: config.next_proposal,
            genesis_hash: self.context.chain().genesis_hash(),
            multisig: *multisig,
            config_epoch: config.config_epoch,
            expires_at: note.expires_at,
            note: note.note.clone(),
            action,
        };
        let digest = terms.digest().map_err(|e| BackendError::Refused(rule_check::sentence(&e)))?;
        let address = seeds::governance(multisig, terms.id).0;
        let subject = format!("{} by multisig {multisig}", terms.action.name());
        let mut plan = self.start(name, "Propose", subject);
        plan.pinned.pin("the digest", hex::encode(digest));
        plan.pinned.pin("the multisig's epoch", config.config_epoch);
        plan.account = Some(address);
        plan.fact("Proposal", address);
        plan.fact("Multisig", multisig);
        plan.fact("Digest that votes will name", hex::encode(digest));
        plan.facts.extend(action_facts(&terms.action, config));
        plan.fact("Note", &terms.note);
        plan.fact("Expires in", span(note.lifetime));
        plan.fact("Approvals needed", format!("{} of {}", config.threshold, config.voters()));
        plan.fact("Timelock until execution", span(config.timelock.into()));
        let sound = rule_check::check(
            &terms.invariant(config, now.unix),
            "Rules, note and expiry obey the chain's rules.",
        );
        plan.check(sound);
        plan.check(rule_check::check(
            &config.require_not_dissolved(),
            "The multisig has not ended.",
        ));
        let Some(signer) = self.context.signer() else { return Ok(plan) };
        plan.check(members::check_role(config, &signer, role::PROPOSE));
        let opened = config.clone().open_proposal(&signer);
        plan.check(rule_check::check(&opened, "The signer has fewer open proposals than the cap."));
        if plan.failed().is_some() {
            return Ok(plan);
        }
        let args = GovernanceArgs {
            genesis_hash: terms.genesis_hash,
            expires_at: terms.expires_at,
            note: terms.note,
            action: terms.action,
        };
        let ix = instructions::propose_governance(&signer, &signer, multisig, terms.id, args);
        plan.instructions = vec![with_squads(ix, config)];
        Ok(plan)
    }

    /// Plans the guardian's pause of `multisig`.
    pub(super) async fn plan_pause(&self, multisig: &Pubkey) -> Result<Plan> {
        let chain = self.context.chain();
        let config = accounts::multisig(chain, multisig).await?;
        let now = chain.chain_time().await?.unix;
        let mut plan = self.start("pause", "Pause the multisig", multisig.to_string());
        plan.account = Some(*multisig);
        plan.fact("Multisig", multisig);
        plan.fact("Guardian", config.guardian.map_or("nobody".into(), |k| k.to_string()));
        plan.fact("Executions stop for", span(PAUSE_SECONDS));
        plan.pinned.pin("the multisig's epoch", config.config_epoch);
        plan.fact("Not stopped", "votes, changes of the multisig, verification, rollback");
        plan.check(rule_check::check(
            &config.clone().pause(now),
            "Nothing is paused, and the guardian has rested since the last pause.",
        ));
        let Some(signer) = self.context.signer() else { return Ok(plan) };
        let guards = config.require_guardian(&signer);
        plan.check(rule_check::check(&guards, "The signer is the multisig's guardian."));
        if plan.failed().is_some() {
            return Ok(plan);
        }
        plan.instructions = vec![instructions::pause(&signer, multisig)];
        Ok(plan)
    }

    /// Plans a vote to lift the pause of `multisig`.
    pub(super) async fn plan_unpause(&self, multisig: &Pubkey) -> Result<Plan> {
        let chain = self.context.chain();
        let config = accounts::multisig(chain, multisig).await?;
        let now = chain.chain_time().await?.unix;
        let mut plan =
            self.start("unpause", "Vote to lift the pause of", format!("multisig {multisig}"));
        plan.account = Some(*multisig);
        plan.fact("Multisig", multisig);
        plan.fact("Ends by itself in", span(config.paused_until.saturating_sub(now).max(0)));
        let votes = config.unpause_votes.count_ones();
        plan.fact("Votes so far", format!("{votes} of {}", config.threshold));
        plan.pinned.pin("the number of votes to lift the pause", votes);
        plan.pinned.pin("the threshold", config.threshold);
        plan.pinned.pin("the multisig's epoch", config.config_epoch);
        let Some(signer) = self.context.signer() else { return Ok(plan) };
        let mut after = config.clone();
        let outcome = after.unpause(&signer, now);
        plan.check(rule_check::check(
            &outcome,
            "The chain's rules accept this vote from this signer.",
        ));
        if plan.failed().is_some() {
            return Ok(plan);
        }
        let threshold = usize::from(config.threshold);
        let lifted = after.paused_until == 0;
        let cast = usize::try_from(after.unpause_votes.count_ones()).unwrap_or(threshold);
        plan.step = Step::unpause(if lifted { threshold } else { cast }, threshold);
        let ix = with_squads(instructions::unpause(&signer, multisig), &config);
        plan.instructions = vec![ix];
        Ok(plan)
    }
}

fn check_transfer(plan: &mut Plan, state: &ProgramUpgradeState, new: &Pubkey) {
    plan.check(rule_check::check(
        &state.require_can_open(ProposalKind::Upgrade),
        "No proposal and no migration of the program is under way.",
    ));
    let own = seeds::authority(&state.program).0;
    plan.check(Check::when(
        *new != Pubkey::default() && *new != own,
        "The new authority is another key than the manager's address.",
        "The new authority must be neither all zero nor the manager's own address.",
    ));
    plan.check(Check::warn(format!(
        "Once executed, {new} can change the program without any vote or timelock. It must sign \
         the execution."
    )));
}
