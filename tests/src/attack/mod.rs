//! What the attack tests share: a transaction that must be refused with its own error and change no
//! account; the same transaction without the attack, which must succeed; and a second multisig with
//! a second program, equal to the first but for its keys.
pub mod cases;
pub mod slots;
pub mod twin;

use solana_instruction::Instruction;
use solana_keypair::Keypair;
use solana_pubkey::Pubkey;

use upgrade_manager::state::{Action, Choice};

use crate::{
    chain::Refused,
    keys::key,
    world::{APPROVERS, TIMELOCK, World},
};

/// Anchor's code for an instruction that the program does not know.
pub const UNKNOWN_INSTRUCTION: u32 = 101;
/// Anchor's code for instruction data that does not decode.
pub const NOT_DECODED: u32 = 102;
/// Anchor's code for a signature that is missing.
pub const SIGNER_MISSING: u32 = 3010;

/// The key pairs called `names`.
pub fn keys(names: &[&str]) -> Vec<Keypair> {
    names.iter().map(|name| key(name)).collect()
}

/// `instruction` with the account at `from` replaced by `to`, wherever it stands.
#[track_caller]
pub fn swap(instruction: &Instruction, from: &Pubkey, to: &Pubkey) -> Instruction {
    let mut swapped = instruction.clone();
    let mut found = false;
    for meta in swapped.accounts.iter_mut().filter(|m| m.pubkey == *from) {
        (meta.pubkey, found) = (*to, true);
    }
    assert!(found, "{from} is no account of this instruction");
    swapped
}

/// Proposes `action` by `who`. Returns the proposal's id.
#[track_caller]
pub fn propose_by(w: &mut World, who: &str, action: Action) -> u64 {
    let id = w.config().next_proposal;
    let ix = w.propose_multisig_ix(who, action);
    w.passes(&[ix], &[who, "payer"]);
    id
}

/// [`APPROVERS`] approves proposal `id` about the multisig.
#[track_caller]
pub fn approve(w: &mut World, id: u64) {
    for member in APPROVERS {
        let vote = w.multisig_vote_ix(member, id, Choice::Approve);
        w.passes(&[vote], &[member]);
    }
}

/// Proposes `action`, approves it and waits until it can be executed. Returns the proposal's id.
#[track_caller]
pub fn decide(w: &mut World, action: Action) -> u64 {
    let id = propose_by(w, "ben", action);
    approve(w, id);
    w.chain.pass(i64::from(TIMELOCK));
    id
}

impl World {
    /// Sends a transaction that the chain must refuse. The test fails when the transaction
    /// succeeds, or when it is refused and an account has changed.
    #[track_caller]
    pub fn refused(&mut self, instructions: &[Instruction], signers: &[&Keypair]) -> Refused {
        let before = self.chain.holdings();
        match self.chain.send(instructions, signers) {
            Ok(meta) => panic!("the attack went through\n{}", meta.logs.join("\n")),
            Err(refused) => {
                let changed = self.chain.changed(&before);
                assert!(changed.is_empty(), "refused, and still these changed: {changed:?}");
                refused
            }
        }
    }

    /// Sends a transaction that the chain must refuse with exactly `code`, without a change of any
    /// account.
    #[track_caller]
    pub fn attack(&mut self, code: impl Into<u32>, instructions: &[Instruction], signers: &[&str]) {
        let signers = keys(signers);
        self.attack_by(code, instructions, &signers.iter().collect::<Vec<_>>());
    }

    /// As [`World::attack`], signed by key pairs that have no name.
    #[track_caller]
    pub fn attack_by(
        &mut self,
        code: impl Into<u32>,
        instructions: &[Instruction],
        signers: &[&Keypair],
    ) {
        let (code, refused) = (code.into(), self.refused(instructions, signers));
        let said = refused.logs.join("\n");
        assert_eq!(refused.code(), Some(code), "{:?}\n{said}", refused.error);
    }

    /// Sends a transaction that the runtime or another program must refuse with `text`, without a
    /// change of any account.
    #[track_caller]
    pub fn attack_saying(&mut self, text: &str, instructions: &[Instruction], signers: &[&str]) {
        let signers = keys(signers);
        let refused = self.refused(instructions, &signers.iter().collect::<Vec<_>>());
        let said = refused.logs.iter().any(|line| line.contains(text))
            || format!("{:?}", refused.error).contains(text);
        assert!(said, "{text:?}: {:?}\n{}", refused.error, refused.logs.join("\n"));
    }

    /// The counter-check of an attack: without it the transaction must succeed.
    #[track_caller]
    pub fn passes(&mut self, instructions: &[Instruction], signers: &[&str]) {
        let signers = keys(signers);
        let meta = self.chain.ok(instructions, &signers.iter().collect::<Vec<_>>());
        self.events.extend(crate::world::events(&meta));
    }

    /// As [`World::passes`], on a copy of the world.
    #[track_caller]
    pub fn would_pass(&self, instructions: &[Instruction], signers: &[&str]) {
        self.clone().passes(instructions, signers);
    }
}
