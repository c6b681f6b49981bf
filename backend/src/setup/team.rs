//! A new team. Its address comes from a key that is made for it, signs once and is forgotten.
use std::sync::Arc;

use solana_keypair::Keypair;
use upgrade_manager::{
    instructions::CreateMultisigArgs,
    seeds,
    state::{LAYOUT, Member, MultisigConfig, role},
};

use super::{SetupManager, SetupPreflight};
use crate::{
    error::Result,
    instructions,
    preflight::Check,
    signer::{KeypairSigner, Signer},
    timelock::span,
    words,
};

impl SetupManager {
    /// Prepares a team; the loaded key pays. Members are sorted here.
    ///
    /// # Errors
    /// The network's. A rule that does not hold is a failed check.
    pub async fn team(&self, mut args: CreateMultisigArgs) -> Result<SetupPreflight> {
        args.members.sort_by_key(|m| m.key);
        let create: Arc<dyn Signer> = Arc::new(KeypairSigner::new(Keypair::new()));
        let address = seeds::multisig(&create.pubkey()).0;
        let config = config(&create.pubkey(), &args);
        let mut shown = self.start("team create", format!("Create the team {address}"));
        shown.subject = Some(address);
        shown.fact("Team, new at every run", address);
        shown.fact("Create key", create.pubkey());
        shown.fact("Approvals needed", format!("{} of {}", args.threshold, config.voters()));
        for member in &args.members {
            shown.fact("Member", format!("{} may {}", member.key, roles(member.roles)));
        }
        shown.fact("Timelock", span(args.timelock.into()));
        shown.fact("Timelock, never below", span(args.timelock_floor.into()));
        shown.fact("Window to execute", span(args.execution_window.into()));
        shown.fact("Window to roll back", span(args.rollback_window.into()));
        shown.fact("Open proposals of a member", args.open_cap);
        shown.fact("Durable-nonce votes count", args.allow_durable_nonce);
        shown.fact("Treasury, gets surplus", args.treasury);
        let sound = words::rule(&config.invariant(), "The team obeys the chain's rules.");
        let holds = sound.verdict == crate::preflight::Verdict::Pass;
        shown.check(sound);
        if !holds {
            return Ok(shown);
        }
        for check in advice(&config) {
            shown.check(check);
        }
        if self.backend.gateway().account(&args.treasury).await?.is_none() {
            shown.check(Check::warn(format!(
                "The treasury {} does not exist yet: make sure that somebody holds its key.",
                args.treasury
            )));
        }
        let Some(payer) = shown.signer else { return Ok(shown) };
        let ix = instructions::create_multisig(&create.pubkey(), &payer, args);
        self.seal(shown, &[ix], vec![create]).await
    }
}

/// The team as the chain will write it.
fn config(create: &solana_pubkey::Pubkey, args: &CreateMultisigArgs) -> MultisigConfig {
    let member = |m: &upgrade_manager::instructions::MemberArgs| Member {
        key: m.key,
        roles: m.roles,
        open: 0,
    };
    MultisigConfig {
        layout: LAYOUT,
        bump: 0,
        create_key: *create,
        config_epoch: 0,
        threshold: args.threshold,
        open_cap: args.open_cap,
        allow_durable_nonce: args.allow_durable_nonce,
        timelock_floor: args.timelock_floor,
        timelock: args.timelock,
        execution_window: args.execution_window,
        rollback_window: args.rollback_window,
        treasury: args.treasury,
        next_proposal: 0,
        members: args.members.iter().map(member).collect(),
        reserved: [0; 128],
    }
}

/// What is allowed and still deserves a look.
fn advice(config: &MultisigConfig) -> Vec<Check> {
    let mut out = vec![];
    if usize::from(config.threshold) == config.voters() {
        out.push(Check::warn(
            "Every voter must approve: one lost key stops all upgrades for good.",
        ));
    }
    if config.timelock < 24 * 3600 {
        out.push(Check::warn(
            "The timelock is shorter than a day: users have little time to leave.",
        ));
    }
    if config.allow_durable_nonce {
        out.push(Check::warn(
            "Votes in durable-nonce transactions count: a signed vote can be kept and sent later.",
        ));
    }
    out
}

fn roles(bits: u8) -> String {
    let names = [(role::PROPOSE, "propose"), (role::VOTE, "vote"), (role::EXECUTE, "execute")];
    let held: Vec<_> = names.iter().filter(|(b, _)| bits & b != 0).map(|(_, n)| *n).collect();
    held.join("+")
}

#[cfg(test)]
mod tests {
    use super::*;
    use solana_pubkey::Pubkey;
    use upgrade_manager::instructions::MemberArgs;

    #[test]
    fn what_locks_a_team_out_is_said() {
        let member = |n| MemberArgs { key: Pubkey::new_from_array([n; 32]), roles: role::ALL };
        let mut args = CreateMultisigArgs {
            threshold: 3,
            open_cap: 1,
            allow_durable_nonce: false,
            timelock_floor: 3600,
            timelock: 48 * 3600,
            execution_window: 7 * 86_400,
            rollback_window: 7 * 86_400,
            treasury: Pubkey::new_from_array([9; 32]),
            members: (1..=5).map(member).collect(),
        };
        let key = Pubkey::new_from_array([8; 32]);
        assert!(config(&key, &args).invariant().is_ok());
        assert!(advice(&config(&key, &args)).is_empty());
        args.threshold = 5;
        args.timelock = 3600;
        args.allow_durable_nonce = true;
        assert_eq!(advice(&config(&key, &args)).len(), 3);
        assert_eq!(roles(role::PROPOSE | role::EXECUTE), "propose+execute");
    }
}
