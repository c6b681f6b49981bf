//! A Squads multisig on the test's chain. As many members as the threshold needs approve every
//! transaction, and each step's compute units are kept.
use solana_instruction::Instruction;
use solana_keypair::Keypair;
use solana_pubkey::Pubkey;
use solana_signer::Signer;

use super::{
    ALL, ConfigAction, MultisigArgs, TransactionMessage, calls, config_transaction_create,
    config_transaction_execute, install, multisig, multisig_create_v2, proposal_create,
    vault_transaction_create,
};
use crate::{
    chain::Chain,
    keys::{address, key},
};

/// Lamports that each member and the vault start with, for rent and transfers.
const INITIAL_LAMPORTS: u64 = 10_000_000_000;
/// Offset of `transaction_index` in a multisig account: how many transactions it has had.
const TRANSACTION_INDEX_OFFSET: usize = 78;

/// Compute units of each step. They are those of the whole transaction, so they include the 150 of
/// the `SetComputeUnitLimit` that [`Chain::send`] adds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Units {
    /// `vault_transaction_create`.
    pub create: u64,
    /// `proposal_create`.
    pub propose: u64,
    /// `proposal_approve`, once for each approving member.
    pub approve: Vec<u64>,
    /// `vault_transaction_execute` with everything that it calls; 0 before the execution.
    pub execute: u64,
}

/// A vault transaction that is approved and not executed.
#[derive(Clone, Debug)]
pub struct Pending {
    /// Its index.
    pub index: u64,
    /// The message that the vault will sign.
    pub message: TransactionMessage,
    /// What it has cost so far.
    pub units: Units,
}

#[derive(Clone, Debug)]
pub struct SquadsMultisig {
    /// Address of the multisig account.
    pub multisig: Pubkey,
    /// Names of the members' keys, see [`key`]. The first member creates and executes; as many as
    /// the threshold needs approve, in this order.
    pub members: Vec<String>,
    /// The threshold.
    pub threshold: u16,
    /// The time lock: seconds from the approval that reaches the threshold to the earliest
    /// execution.
    pub time_lock: u32,
    /// Compute units of the creation, as in [`Units`].
    pub created: u64,
}

impl SquadsMultisig {
    /// A multisig of the keys called `members`, each with all permissions. It has no config authority,
    /// so only its own vote changes it. Installs the Squads program where it is missing, and gives
    /// lamports to the members and the vault.
    #[track_caller]
    pub fn create(chain: &mut Chain, members: &[&str], threshold: u16, time_lock: u32) -> Self {
        Self::create_as(chain, members, |args| {
            args.threshold = threshold;
            args.time_lock = time_lock;
        })
    }

    /// As [`Self::create`], with settings changed by `change`. The defaults are a threshold of one
    /// and no time lock.
    #[track_caller]
    pub fn create_as(
        chain: &mut Chain,
        members: &[&str],
        change: impl FnOnce(&mut MultisigArgs),
    ) -> Self {
        install(chain);
        let mut args = MultisigArgs {
            config_authority: None,
            threshold: 1,
            members: members.iter().map(|name| (address(name), ALL)).collect(),
            time_lock: 0,
            rent_collector: None,
        };
        change(&mut args);
        for (member, _) in &args.members {
            chain.fund(member, INITIAL_LAMPORTS);
        }
        // The address derives from this key. Two multisigs on one chain must therefore differ in
        // members, threshold or time lock.
        let label = format!("{}-{}-{}", members.join("-"), args.threshold, args.time_lock);
        let create_key = key(&format!("squads-create-{label}"));
        let creator = key(members[0]);
        let call = multisig_create_v2(&create_key.pubkey(), &creator.pubkey(), &args);
        let created = chain.ok(&[call], &[&create_key, &creator]).compute_units_consumed;
        let multisig = Self {
            multisig: multisig(&create_key.pubkey()),
            members: members.iter().map(ToString::to_string).collect(),
            threshold: args.threshold,
            time_lock: args.time_lock,
            created,
        };
        chain.fund(&multisig.vault(), INITIAL_LAMPORTS);
        multisig
    }

    /// The multisig's vault: the address that signs what the multisig agrees on.
    pub fn vault(&self) -> Pubkey {
        super::vault(&self.multisig, 0)
    }

    /// Has the multisig execute `instructions` with its vault as a signer: stores them, puts them to
    /// the vote, approves them, waits out the time lock, executes.
    #[track_caller]
    pub fn run(&self, chain: &mut Chain, instructions: &[Instruction]) -> Units {
        let mut pending = self.agree(chain, instructions);
        chain.pass(i64::from(self.time_lock));
        let call = self.execute_ix(&pending);
        let meta = chain.ok(&[call], &[&self.executor()]);
        pending.units.execute = meta.compute_units_consumed;
        pending.units
    }

    /// As [`Self::run`], up to the approval that reaches the threshold.
    #[track_caller]
    pub fn agree(&self, chain: &mut Chain, instructions: &[Instruction]) -> Pending {
        let message = TransactionMessage::new(&self.vault(), instructions);
        let (index, who) = (self.next(chain), self.executor());
        let store = vault_transaction_create(&self.multisig, index, &who.pubkey(), &message);
        let mut units = Units {
            create: chain.ok(&[store], &[&who]).compute_units_consumed,
            ..Units::default()
        };
        self.vote(chain, index, &mut units);
        Pending { index, message, units }
    }

    /// The execution of `pending` by [`Self::executor`]. Whoever else the vault's instructions name as
    /// a signer must sign as well.
    pub fn execute_ix(&self, pending: &Pending) -> Instruction {
        let who = self.executor().pubkey();
        calls::vault_transaction_execute(&self.multisig, pending.index, &who, &pending.message)
    }

    /// The member who creates and executes.
    pub fn executor(&self) -> Keypair {
        key(&self.members[0])
    }

    /// Changes the multisig itself by its own vote, time lock included. The fields of `self` stay as
    /// they were: after a change of members, threshold or time lock the caller goes on with a copy
    /// that has the new values.
    #[track_caller]
    pub fn reconfigure(&self, chain: &mut Chain, actions: &[ConfigAction]) -> Units {
        let (index, who) = (self.next(chain), self.executor());
        let store = config_transaction_create(&self.multisig, index, &who.pubkey(), actions);
        let mut units = Units {
            create: chain.ok(&[store], &[&who]).compute_units_consumed,
            ..Units::default()
        };
        self.vote(chain, index, &mut units);
        chain.pass(i64::from(self.time_lock));
        let call = config_transaction_execute(&self.multisig, index, &who.pubkey());
        units.execute = chain.ok(&[call], &[&who]).compute_units_consumed;
        units
    }

    /// Puts transaction `index` to the vote and approves it as often as it takes.
    #[track_caller]
    fn vote(&self, chain: &mut Chain, index: u64, units: &mut Units) {
        let who = self.executor();
        let propose = proposal_create(&self.multisig, index, &who.pubkey());
        units.propose = chain.ok(&[propose], &[&who]).compute_units_consumed;
        for name in self.members.iter().take(usize::from(self.threshold)) {
            let approve = calls::proposal_approve(&self.multisig, index, &address(name));
            units.approve.push(chain.ok(&[approve], &[&key(name)]).compute_units_consumed);
        }
    }

    /// The index of the next transaction.
    #[track_caller]
    fn next(&self, chain: &Chain) -> u64 {
        let data = chain.data(&self.multisig);
        let bytes = data[TRANSACTION_INDEX_OFFSET..].first_chunk().expect("a multisig account");
        u64::from_le_bytes(*bytes) + 1
    }
}
