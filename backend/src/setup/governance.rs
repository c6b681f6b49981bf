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
    pipeline::members,
    preflight::{check::Check, rule_check, step::Step, text::span},
    setup::manager::{SetupManager, SetupPreflight},
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
    /// Prepares a proposal of new rules for `multisig`.
    ///
    /// # Errors
    /// The network's, or a change that cannot be applied.
    pub async fn propose_change(
        &self,
        multisig: &Pubkey,
        change: &MultisigChange,
        request: MultisigProposalRequest,
    ) -> Result<SetupPreflight> {
        let config = accounts::multisig(self.context.chain(), multisig).await?;
        let rules = change.apply(config.rules()).map_err(BackendError::Refused)?;
        let same = rules == config.rules();
        let warnings = rule_warnings(&rules);
        let verb = "multisig propose-change";
        let action = Action::ConfigChange(rules);
        let mut preflight =
            self.propose_by_multisig(verb, multisig, &config, action, request).await?;
        preflight.checks.extend(warnings);
        preflight.check(Check::when(
            !same,
            "The rules differ from those in force.",
            "Nothing would change: name what shall.",
        ));
        Ok(preflight)
    }

    /// Prepares a proposal to end `multisig`.
    ///
    /// # Errors
    /// The network's.
    pub async fn propose_dissolve(
        &self,
        multisig: &Pubkey,
        request: MultisigProposalRequest,
    ) -> Result<SetupPreflight> {
        let config = accounts::multisig(self.context.chain(), multisig).await?;
        let verb = "multisig propose-dissolve";
        let mut preflight =
            self.propose_by_multisig(verb, multisig, &config, Action::Dissolve, request).await?;
        if config.programs > 0 {
            preflight.check(Check::warn(format!(
                "The multisig still holds {} programs: they must be handed over before it can end.",
                config.programs
            )));
        }
        Ok(preflight)
    }

    /// Prepares a proposal to hand the upgrade authority of `program` to `new_authority`.
    ///
    /// # Errors
    /// The network's, or that the program is not registered.
    pub async fn propose_transfer(
        &self,
        program: &Pubkey,
        new_authority: &Pubkey,
        request: MultisigProposalRequest,
    ) -> Result<SetupPreflight> {
        let state = self.registered(program).await?;
        let config = accounts::multisig(self.context.chain(), &state.multisig).await?;
        let transfer = Transfer {
            program: *program,
            program_data: state.program_data,
            new_authority: *new_authority,
        };
        let (verb, multisig) = ("program propose-transfer", state.multisig);
        let action = Action::TransferAuthority(transfer);
        let mut preflight =
            self.propose_by_multisig(verb, &multisig, &config, action, request).await?;
        check_transfer(&mut preflight, &state, new_authority);
        Ok(preflight)
    }

    async fn propose_by_multisig(
        &self,
        verb: &'static str,
        multisig: &Pubkey,
        config: &MultisigConfig,
        action: Action,
        request: MultisigProposalRequest,
    ) -> Result<SetupPreflight> {
        let now = self.context.chain().chain_time().await?;
        let life = i64::try_from(request.expires_in.as_secs()).unwrap_or(i64::MAX);
        let terms = GovernanceTerms {
            id: config.next_proposal,
            genesis_hash: self.context.chain().genesis_hash(),
            multisig: *multisig,
            config_epoch: config.config_epoch,
            expires_at: now.unix.saturating_add(life),
            note: request.note,
            action,
        };
        let digest = terms.digest().map_err(|e| BackendError::Refused(rule_check::sentence(&e)))?;
        let address = seeds::governance(multisig, terms.id).0;
        let title = format!("Propose {} by multisig {multisig}", terms.action.name());
        let mut preflight = self.start(verb, title);
        preflight.subject = Some(address);
        preflight.fact("Proposal", address);
        preflight.fact("Multisig", multisig);
        preflight.fact("Digest that votes will name", hex::encode(digest));
        preflight.facts.extend(action_facts(&terms.action, config));
        preflight.fact("Note", &terms.note);
        preflight.fact("Expires in", span(life));
        preflight.fact("Approvals needed", format!("{} of {}", config.threshold, config.voters()));
        preflight.fact("Timelock until execution", span(config.timelock.into()));
        let sound = rule_check::check(
            &terms.invariant(config, now.unix),
            "Rules, note and expiry obey the chain's rules.",
        );
        preflight.check(sound);
        preflight.check(rule_check::check(
            &config.require_not_dissolved(),
            "The multisig has not ended.",
        ));
        let Some(signer) = preflight.signer else { return Ok(preflight) };
        preflight.check(members::check_role(config, &signer, role::PROPOSE));
        let opened = config.clone().open_proposal(&signer);
        preflight
            .check(rule_check::check(&opened, "The signer has fewer open proposals than the cap."));
        if preflight.failed().is_some() {
            return Ok(preflight);
        }
        let args = GovernanceArgs {
            genesis_hash: terms.genesis_hash,
            expires_at: terms.expires_at,
            note: terms.note,
            action: terms.action,
        };
        let ix = instructions::propose_governance(&signer, &signer, multisig, terms.id, args);
        self.seal(preflight, &[with_squads(ix, config)], vec![]).await
    }

    /// Prepares the guardian's pause of `multisig`.
    ///
    /// # Errors
    /// The network's.
    pub async fn pause(&self, multisig: &Pubkey) -> Result<SetupPreflight> {
        let chain = self.context.chain();
        let config = accounts::multisig(chain, multisig).await?;
        let now = chain.chain_time().await?.unix;
        let mut preflight = self.start("pause", format!("Pause the multisig {multisig}"));
        preflight.subject = Some(*multisig);
        preflight.fact("Multisig", multisig);
        preflight.fact("Guardian", config.guardian.map_or("nobody".into(), |k| k.to_string()));
        preflight.fact("Executions stop for", span(PAUSE_SECONDS));
        preflight.fact("Not stopped", "votes, changes of the multisig, verification, rollback");
        preflight.check(rule_check::check(
            &config.clone().pause(now),
            "Nothing is paused, and the guardian has rested since the last pause.",
        ));
        let Some(signer) = preflight.signer else { return Ok(preflight) };
        let guards = config.require_guardian(&signer);
        preflight.check(rule_check::check(&guards, "The signer is the multisig's guardian."));
        if preflight.failed().is_some() {
            return Ok(preflight);
        }
        self.seal(preflight, &[instructions::pause(&signer, multisig)], vec![]).await
    }

    /// Prepares a vote to lift the pause of `multisig`.
    ///
    /// # Errors
    /// The network's.
    pub async fn unpause(&self, multisig: &Pubkey) -> Result<SetupPreflight> {
        let chain = self.context.chain();
        let config = accounts::multisig(chain, multisig).await?;
        let now = chain.chain_time().await?.unix;
        let mut preflight =
            self.start("unpause", format!("Vote to lift the pause of multisig {multisig}"));
        preflight.subject = Some(*multisig);
        preflight.fact("Multisig", multisig);
        preflight.fact("Ends by itself in", span(config.paused_until.saturating_sub(now).max(0)));
        let votes = config.unpause_votes.count_ones();
        preflight.fact("Votes so far", format!("{votes} of {}", config.threshold));
        let Some(signer) = preflight.signer else { return Ok(preflight) };
        let mut after = config.clone();
        let outcome = after.unpause(&signer, now);
        preflight.check(rule_check::check(
            &outcome,
            "The chain's rules accept this vote from this signer.",
        ));
        if preflight.failed().is_some() {
            return Ok(preflight);
        }
        let threshold = usize::from(config.threshold);
        let lifted = after.paused_until == 0;
        let cast = usize::try_from(after.unpause_votes.count_ones()).unwrap_or(threshold);
        let step = Step::unpause(if lifted { threshold } else { cast }, threshold);
        preflight.title = step.title(&format!("multisig {multisig}"));
        preflight.step = Some(step);
        let ix = with_squads(instructions::unpause(&signer, multisig), &config);
        self.seal(preflight, &[ix], vec![]).await
    }
}

fn check_transfer(preflight: &mut SetupPreflight, state: &ProgramUpgradeState, new: &Pubkey) {
    preflight.check(rule_check::check(
        &state.require_can_open(ProposalKind::Upgrade),
        "No proposal and no migration of the program is under way.",
    ));
    let own = seeds::authority(&state.program).0;
    preflight.check(Check::when(
        *new != Pubkey::default() && *new != own,
        "The new authority is another key than the manager's address.",
        "The new authority must be neither all zero nor the manager's own address.",
    ));
    preflight.check(Check::warn(format!(
        "Once executed, {new} can change the program without any vote or timelock. It must sign \
         the execution."
    )));
}
