//! Closes the accounts of a multisig: its ended proposals, the states of programs that were handed over,
//! the multisig itself. Rent goes back to the payers that the accounts name.
use solana_pubkey::Pubkey;
use upgrade_manager::{
    seeds,
    state::{GovernanceProposal, Phase, ProgramUpgradeState},
};

use crate::{
    accounts::{self, decode},
    error::Result,
    instructions,
    preflight::{check::Check, rule_check},
    setup::manager::{SetupManager, SetupPreflight},
};

impl SetupManager {
    /// Prepares to close a proposal about a multisig that has ended. Anyone may.
    pub(super) async fn close_multisig_proposal(&self, address: &Pubkey) -> Result<SetupPreflight> {
        let raw = self.context.chain().account(address).await?;
        let known: GovernanceProposal = decode("multisig proposal", *address, raw.as_ref())?;
        let title =
            format!("Close multisig proposal {} of {}", known.terms.id, known.terms.multisig);
        let mut preflight = self.start("close", title);
        preflight.subject = Some(*address);
        preflight.fact("Proposal", address);
        preflight.fact("Status", known.status.name());
        preflight.fact("What it does", known.terms.action.name());
        let lamports = raw.map_or(0, |raw| raw.lamports);
        preflight.fact("Rent back to", format!("{}: {lamports} lamports", known.payer));
        preflight.check(rule_check::check(&known.require_closable(), "The proposal has ended."));
        let Some(signer) = preflight.signer else { return Ok(preflight) };
        self.seal(preflight, &[instructions::close_governance(&signer, &known)], vec![]).await
    }

    /// Prepares to close a multisig that has ended. Anyone may.
    ///
    /// # Errors
    /// The network's, or what is wrong with the account.
    pub async fn close_multisig(&self, multisig: &Pubkey) -> Result<SetupPreflight> {
        let config = accounts::multisig(self.context.chain(), multisig).await?;
        let mut preflight = self.start("close", format!("Close the multisig {multisig}"));
        preflight.subject = Some(*multisig);
        preflight.fact("Multisig", multisig);
        preflight.fact("Rent back to", config.payer);
        preflight.check(Check::when(
            config.dissolved,
            "The multisig has ended.",
            "The multisig has not ended: `control-room multisig propose-dissolve` begins that.",
        ));
        let Some(signer) = preflight.signer else { return Ok(preflight) };
        self.seal(preflight, &[instructions::close_multisig(&signer, &config)], vec![]).await
    }

    /// Prepares to close the state of `program`, which was handed over. Anyone may.
    ///
    /// # Errors
    /// The network's, or what is wrong with the account.
    pub async fn close_state(&self, program: &Pubkey) -> Result<SetupPreflight> {
        let state: ProgramUpgradeState = self.registered(program).await?;
        let mut preflight = self.start("close", format!("Close the state of program {program}"));
        preflight.subject = Some(*program);
        preflight.fact("Program", program);
        preflight.fact("State", seeds::program_state(program).0);
        preflight.fact("Rent back to", state.payer);
        preflight.check(Check::when(
            state.phase == Phase::Released,
            "The program was handed over.",
            "The program is still in the manager's care: `control-room program propose-transfer` \
             begins a handover.",
        ));
        let Some(signer) = preflight.signer else { return Ok(preflight) };
        self.seal(preflight, &[instructions::close_program_state(&signer, &state)], vec![]).await
    }
}
