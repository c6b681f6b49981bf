//! Instructions for proposals that change a multisig, end it, or hand a program over, and for its pauses.
//! Votes on such a proposal are in `voting`.
use solana_instruction::Instruction;
use solana_pubkey::Pubkey;
use solana_sdk_ids::{bpf_loader_upgradeable, system_program, sysvar};
use upgrade_manager::{
    accounts, instruction,
    instructions::GovernanceArgs,
    seeds,
    state::{Action, GovernanceTerms, Transfer},
};

use super::{behind, build, manager};

/// `ix` with the Squads multisig as its last account, when `action` makes its vault the voter.
fn with_next_squads(ix: Instruction, action: &Action) -> Instruction {
    match action {
        Action::ConfigChange(rules) => behind(ix, rules.squads.as_ref()),
        Action::TransferAuthority(_) | Action::Dissolve => ix,
    }
}

/// Makes proposal `id` of `multisig`, which must be its next one. `proposer` and `payer` sign.
#[must_use]
pub fn propose_governance(
    proposer: &Pubkey,
    payer: &Pubkey,
    multisig: &Pubkey,
    id: u64,
    args: GovernanceArgs,
) -> Instruction {
    let accounts = accounts::ProposeGovernance {
        proposer: *proposer,
        payer: *payer,
        multisig: *multisig,
        state: args.action.program().map(|p| seeds::program_state(&p).0),
        proposal: seeds::governance(multisig, id).0,
        system_program: system_program::ID,
        event_authority: seeds::event_authority(),
        program: manager(),
    };
    let action = args.action.clone();
    with_next_squads(build(accounts, instruction::ProposeGovernance { args }), &action)
}

/// Puts the rules in `terms` in force, or ends the multisig. `executor` signs.
#[must_use]
pub fn execute_config_change(executor: &Pubkey, terms: &GovernanceTerms) -> Instruction {
    let accounts = accounts::ExecuteConfigChange {
        executor: *executor,
        multisig: terms.multisig,
        proposal: seeds::governance(&terms.multisig, terms.id).0,
        event_authority: seeds::event_authority(),
        program: manager(),
    };
    with_next_squads(build(accounts, instruction::ExecuteConfigChange {}), &terms.action)
}

/// Hands the program's upgrade authority over as `terms` and `transfer`, their action, say.
/// `executor` and the new authority sign.
#[must_use]
pub fn execute_transfer(
    executor: &Pubkey,
    terms: &GovernanceTerms,
    transfer: &Transfer,
) -> Instruction {
    let accounts = accounts::ExecuteTransfer {
        executor: *executor,
        new_authority: transfer.new_authority,
        multisig: terms.multisig,
        state: seeds::program_state(&transfer.program).0,
        proposal: seeds::governance(&terms.multisig, terms.id).0,
        program_data: transfer.program_data,
        authority: seeds::authority(&transfer.program).0,
        loader: bpf_loader_upgradeable::ID,
        event_authority: seeds::event_authority(),
        program: manager(),
    };
    build(accounts, instruction::ExecuteTransfer {})
}

/// Stops executions for 72 hours. `guardian` signs.
#[must_use]
pub fn pause(guardian: &Pubkey, multisig: &Pubkey) -> Instruction {
    let accounts = accounts::Pause {
        guardian: *guardian,
        multisig: *multisig,
        event_authority: seeds::event_authority(),
        program: manager(),
    };
    build(accounts, instruction::Pause {})
}

/// A vote to lift the pause. `member` signs.
#[must_use]
pub fn unpause(member: &Pubkey, multisig: &Pubkey) -> Instruction {
    let accounts = accounts::Unpause {
        member: *member,
        multisig: *multisig,
        instructions_sysvar: sysvar::instructions::ID,
        event_authority: seeds::event_authority(),
        program: manager(),
    };
    build(accounts, instruction::Unpause {})
}
