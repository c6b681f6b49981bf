//! Instructions that propose an upgrade and vote on a proposal of either kind.
use solana_instruction::Instruction;
use solana_pubkey::Pubkey;
use solana_sdk_ids::{system_program, sysvar};
use upgrade_manager::{accounts, instruction, instructions::ProposeArgs, seeds};

use super::{ProposalKeys, Voted, build, manager};

/// Makes the proposal at `keys.proposal`, whose id must be the multisig's next one. `proposer` and
/// `payer` sign.
#[must_use]
pub fn propose_upgrade(
    proposer: &Pubkey,
    payer: &Pubkey,
    keys: &ProposalKeys,
    upgrade_buffer: &Pubkey,
    rollback_buffer: &Pubkey,
    args: ProposeArgs,
) -> Instruction {
    let accounts = accounts::ProposeUpgrade {
        proposer: *proposer,
        payer: *payer,
        multisig: keys.multisig,
        state: keys.state,
        upgrade_attestation: seeds::attestation(upgrade_buffer).0,
        rollback_attestation: seeds::attestation(rollback_buffer).0,
        upgrade_buffer: *upgrade_buffer,
        rollback_buffer: *rollback_buffer,
        proposal: keys.proposal,
        system_program: system_program::ID,
        event_authority: seeds::event_authority(),
        program: manager(),
    };
    build(accounts, instruction::ProposeUpgrade { args })
}

fn cast_vote(voter: &Pubkey, keys: &impl Voted) -> accounts::CastVote {
    let keys = keys.voted();
    accounts::CastVote {
        voter: *voter,
        multisig: keys.multisig,
        state: keys.state,
        proposal: keys.proposal,
        instructions_sysvar: sysvar::instructions::ID,
        event_authority: seeds::event_authority(),
        program: manager(),
    }
}

/// A vote for the terms with this digest. `voter` signs.
#[must_use]
pub fn approve(voter: &Pubkey, keys: &impl Voted, digest: [u8; 32]) -> Instruction {
    build(cast_vote(voter, keys), instruction::Approve { digest })
}

/// A vote against the terms with this digest. `voter` signs.
#[must_use]
pub fn reject(voter: &Pubkey, keys: &impl Voted, digest: [u8; 32]) -> Instruction {
    build(cast_vote(voter, keys), instruction::Reject { digest })
}

/// Takes the vote of `voter` back, who signs.
#[must_use]
pub fn revoke(voter: &Pubkey, keys: &impl Voted) -> Instruction {
    build(cast_vote(voter, keys), instruction::Revoke {})
}

/// Cancels, or votes to; the guardian vetoes. `member` signs.
#[must_use]
pub fn cancel(member: &Pubkey, keys: &impl Voted) -> Instruction {
    let keys = keys.voted();
    let accounts = accounts::Cancel {
        member: *member,
        multisig: keys.multisig,
        state: keys.state,
        proposal: keys.proposal,
        instructions_sysvar: sysvar::instructions::ID,
        event_authority: seeds::event_authority(),
        program: manager(),
    };
    build(accounts, instruction::Cancel {})
}

/// Records that the proposal ran out of time. Anyone pays.
#[must_use]
pub fn expire(keys: &impl Voted) -> Instruction {
    let keys = keys.voted();
    let accounts = accounts::Expire {
        multisig: keys.multisig,
        state: keys.state,
        proposal: keys.proposal,
        event_authority: seeds::event_authority(),
        program: manager(),
    };
    build(accounts, instruction::Expire {})
}
