//! A chain in this process: the real loader, runtime and programs of LiteSVM, and a clock that only
//! the test moves. One thing differs from a validator: new code can be called in the slot of its
//! deployment. `tests/bank` covers what follows from that.
use std::collections::BTreeMap;

use anchor_lang::{AccountDeserialize, AccountSerialize};
use litesvm::{LiteSVM, types::TransactionMetadata};
use solana_account::{Account, AccountSharedData, ReadableAccount};
use solana_clock::Clock;
use solana_compute_budget_interface::ComputeBudgetInstruction;
use solana_hash::Hash;
use solana_instruction::{Instruction, error::InstructionError};
use solana_keypair::Keypair;
use solana_message::{Message, VersionedMessage};
use solana_pubkey::Pubkey;
use solana_signer::Signer;
use solana_transaction::versioned::VersionedTransaction;
use solana_transaction_error::TransactionError;

use crate::keys::key;

/// Chain time at the start of every test: 2026-10-15, 12:00 UTC.
pub const START: i64 = 1_792_065_600;
/// Owner of the sysvars (clock, blockhashes), which change with every transaction.
const SYSVARS: Pubkey = anchor_lang::pubkey!("Sysvar1111111111111111111111111111111111111");
/// Slots per second that [`Chain::pass`] assumes: 400 ms each.
const SLOTS_PER_TWO_SECONDS: u64 = 5;
/// Compute units a transaction may ask for.
const MAX_COMPUTE_UNITS: u32 = 1_400_000;

#[derive(Clone)]
pub struct Chain {
    svm: LiteSVM,
}

/// Why a transaction failed.
#[derive(Debug)]
pub struct Refused {
    pub error: TransactionError,
    pub logs: Vec<String>,
}

impl Refused {
    /// The program's own error code, when a program refused.
    pub fn code(&self) -> Option<u32> {
        match self.error {
            TransactionError::InstructionError(_, InstructionError::Custom(code)) => Some(code),
            _ => None,
        }
    }
}

pub type SendResult = Result<TransactionMetadata, Refused>;

impl Chain {
    /// An empty chain at [`START`].
    pub fn new() -> Self {
        let mut chain = Self { svm: LiteSVM::new().with_log_bytes_limit(None) };
        chain.set_time(START);
        chain.fund(&key("fees").pubkey(), 1_000_000_000_000);
        chain
    }

    /// Gives `who` new lamports.
    pub fn fund(&mut self, who: &Pubkey, lamports: u64) {
        self.svm.airdrop(who, lamports).expect("the faucet pays");
    }

    /// Sends `instructions` in one transaction, signed by `signers`. A wallet that no test looks at
    /// pays the fees, so that every other account's lamports change only by the instructions.
    pub fn send(&mut self, instructions: &[Instruction], signers: &[&Keypair]) -> SendResult {
        let fees = key("fees");
        // At the end, because the runtime asks for a durable nonce's advance as the first
        // instruction.
        let mut all = instructions.to_vec();
        all.push(ComputeBudgetInstruction::set_compute_unit_limit(MAX_COMPUTE_UNITS));
        self.next_blockhash();
        let hash = self.svm.latest_blockhash();
        let message = Message::new_with_blockhash(&all, Some(&fees.pubkey()), &hash);
        let mut keys = vec![&fees];
        keys.extend(signers);
        self.send_message(message, &keys)
    }

    pub fn next_blockhash(&mut self) {
        self.svm.expire_blockhash();
    }

    pub fn blockhash(&self) -> Hash {
        self.svm.latest_blockhash()
    }

    pub fn send_message(&mut self, message: Message, signers: &[&Keypair]) -> SendResult {
        self.send_versioned(VersionedMessage::Legacy(message), signers)
    }

    pub fn send_versioned(
        &mut self,
        message: VersionedMessage,
        signers: &[&Keypair],
    ) -> SendResult {
        let transaction =
            VersionedTransaction::try_new(message, signers).expect("all signers are here");
        self.svm
            .send_transaction(transaction)
            .map_err(|failed| Refused { error: failed.err, logs: failed.meta.logs })
    }

    /// Sends a transaction that must succeed; else the test fails with the logs.
    #[track_caller]
    pub fn ok(
        &mut self,
        instructions: &[Instruction],
        signers: &[&Keypair],
    ) -> TransactionMetadata {
        match self.send(instructions, signers) {
            Ok(meta) => meta,
            Err(refused) => {
                panic!("refused: {:?}\n{}", refused.error, refused.logs.join("\n"))
            }
        }
    }

    /// Sends, and fails the test unless the chain refuses with exactly `code`.
    #[track_caller]
    pub fn refuse(
        &mut self,
        code: impl Into<u32>,
        instructions: &[Instruction],
        signers: &[&Keypair],
    ) {
        let code = code.into();
        match self.send(instructions, signers) {
            Ok(meta) => {
                panic!("went through, should be refused by {code}\n{}", meta.logs.join("\n"))
            }
            Err(refused) => assert_eq!(
                refused.code(),
                Some(code),
                "{:?}\n{}",
                refused.error,
                refused.logs.join("\n")
            ),
        }
    }

    /// Sends, and fails the test unless the chain refuses and a log line contains `text`.
    #[track_caller]
    pub fn refuse_saying(
        &mut self,
        text: &str,
        instructions: &[Instruction],
        signers: &[&Keypair],
    ) {
        match self.send(instructions, signers) {
            Ok(meta) => panic!("went through, should say {text:?}\n{}", meta.logs.join("\n")),
            Err(refused) => {
                let said = refused.logs.iter().any(|line| line.contains(text))
                    || format!("{:?}", refused.error).contains(text);
                assert!(said, "{text:?}: {:?}\n{}", refused.error, refused.logs.join("\n"));
            }
        }
    }

    fn clock(&self) -> Clock {
        self.svm.get_sysvar::<Clock>()
    }

    /// Chain time, seconds since 1970.
    pub fn time(&self) -> i64 {
        self.clock().unix_timestamp
    }

    pub fn slot(&self) -> u64 {
        self.clock().slot
    }

    /// Sets the time and leaves the slot.
    pub fn set_time(&mut self, unix: i64) {
        let clock = Clock { unix_timestamp: unix, ..self.clock() };
        self.svm.set_sysvar(&clock);
    }

    /// Sets the slot and leaves the time.
    pub fn set_slot(&mut self, slot: u64) {
        let clock = Clock { slot, ..self.clock() };
        self.svm.set_sysvar(&clock);
    }

    /// The next slot, at the same time.
    pub fn next_slot(&mut self) {
        self.set_slot(self.slot() + 1);
    }

    /// Moves the clock by `seconds`, and the slot by one per 400 ms of them.
    pub fn pass(&mut self, seconds: i64) {
        self.set_time(self.time() + seconds);
        self.set_slot(self.slot() + seconds.unsigned_abs() * SLOTS_PER_TWO_SECONDS / 2);
    }

    /// Moves the clock to `unix`, and the slot with it.
    pub fn pass_until(&mut self, unix: i64) {
        self.pass(unix - self.time());
    }

    /// Every account but sysvars and the wallet that pays fees: a refused transaction may change
    /// none of them. Copies share their bytes with the chain.
    pub fn holdings(&self) -> BTreeMap<Pubkey, AccountSharedData> {
        let (fees, accounts) = (key("fees").pubkey(), &self.svm.accounts_db().inner);
        let kept = |(k, a): &(&Pubkey, &AccountSharedData)| **k != fees && *a.owner() != SYSVARS;
        accounts.iter().filter(kept).map(|(k, a)| (*k, a.clone())).collect()
    }

    /// The accounts that differ from `before`.
    pub fn changed(&self, before: &BTreeMap<Pubkey, AccountSharedData>) -> Vec<Pubkey> {
        let after = self.holdings();
        // Shared bytes are equal without a comparison, which would take long for ELFs.
        let same = |a: &AccountSharedData, b: &AccountSharedData| {
            (a.data().as_ptr() == b.data().as_ptr() && a.lamports() == b.lamports()) || a == b
        };
        let differs = |k: &&Pubkey| match (before.get(*k), after.get(*k)) {
            (Some(a), Some(b)) => !same(a, b),
            (a, b) => a.is_some() != b.is_some(),
        };
        before.keys().chain(after.keys()).filter(differs).copied().collect()
    }

    pub fn rent(&self, len: usize) -> u64 {
        self.svm.minimum_balance_for_rent_exemption(len)
    }

    pub fn account(&self, key: &Pubkey) -> Option<Account> {
        self.svm.get_account(key).filter(|a| a.lamports > 0)
    }

    #[track_caller]
    pub fn data(&self, key: &Pubkey) -> Vec<u8> {
        self.account(key).unwrap_or_else(|| panic!("{key} does not exist")).data
    }

    /// Lamports of `key`, 0 when there is no account.
    pub fn lamports(&self, key: &Pubkey) -> u64 {
        self.account(key).map_or(0, |a| a.lamports)
    }

    /// The account as an Anchor type.
    #[track_caller]
    pub fn read<T: AccountDeserialize>(&self, key: &Pubkey) -> T {
        T::try_deserialize(&mut &self.data(key)[..]).unwrap_or_else(|e| panic!("{key}: {e}"))
    }

    /// Changes an account of an Anchor type without a transaction.
    pub fn rewrite<T: AccountSerialize + AccountDeserialize>(
        &mut self,
        key: &Pubkey,
        change: impl FnOnce(&mut T),
    ) {
        let mut value: T = self.read(key);
        change(&mut value);
        self.tamper(key, |data| value.try_serialize(&mut &mut data[..]).expect("it fits"));
    }

    /// Writes an account without a transaction, for states that no instruction can reach.
    pub fn plant(&mut self, key: &Pubkey, account: Account) {
        self.svm.set_account(*key, account).expect("the account fits");
    }

    /// Changes an account's bytes without a transaction.
    pub fn tamper(&mut self, key: &Pubkey, change: impl FnOnce(&mut Vec<u8>)) {
        let mut account = self.account(key).expect("an account to change");
        change(&mut account.data);
        account.lamports = account.lamports.max(self.rent(account.data.len()));
        self.plant(key, account);
    }
}

impl Default for Chain {
    fn default() -> Self {
        Self::new()
    }
}
