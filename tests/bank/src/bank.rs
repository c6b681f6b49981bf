//! A bank of Agave in this process, one transaction at a time, with slots and a clock that only the
//! test moves.
use anchor_lang::AccountDeserialize;
use backend::instructions::program_data_address;
use solana_account::{Account, AccountSharedData};
use solana_clock::Clock;
use solana_compute_budget_interface::ComputeBudgetInstruction;
use solana_instruction::{Instruction, error::InstructionError};
use solana_keypair::Keypair;
use solana_message::Message;
use solana_program_test::{
    ProgramTest, ProgramTestContext,
    tokio::runtime::{Builder, Runtime},
};
use solana_pubkey::Pubkey;
use solana_rent::Rent;
use solana_sdk_ids::{bpf_loader_upgradeable, system_program};
use solana_signer::Signer;
use solana_transaction::Transaction;
use solana_transaction_error::TransactionError;

use crate::features;

/// Chain time at the start of every test: 2026-10-15, 12:00 UTC.
pub const START: i64 = 1_792_065_600;
/// Compute units a transaction may use.
pub const MAX_COMPUTE_UNITS: u32 = 1_400_000;
/// Slots per second that [`Bank::pass`] assumes: 400 ms each.
const SLOTS_PER_TWO_SECONDS: u64 = 5;

/// Accounts that exist before the first slot.
pub struct Genesis(ProgramTest);

pub struct Bank {
    context: ProgramTestContext,
    runtime: Runtime,
    sent: u64,
}

/// Why a transaction failed.
#[derive(Debug)]
pub struct Refused {
    pub error: TransactionError,
    pub logs: Vec<String>,
}

impl Refused {
    /// The refused instruction's error.
    #[track_caller]
    pub fn instruction_error(&self) -> &InstructionError {
        match &self.error {
            TransactionError::InstructionError(_, error) => error,
            error => panic!("no instruction was refused, but the transaction: {error}"),
        }
    }

    /// Whether a log line contains `text`.
    pub fn says(&self, text: &str) -> bool {
        self.logs.iter().any(|line| line.contains(text))
    }
}

fn rent(len: usize) -> u64 {
    Rent::default().minimum_balance(len)
}

fn loader_account(data: Vec<u8>, executable: bool) -> Account {
    let lamports = rent(data.len());
    Account { lamports, data, owner: bpf_loader_upgradeable::ID, executable, rent_epoch: u64::MAX }
}

impl Default for Genesis {
    fn default() -> Self {
        let mut test = ProgramTest::default();
        features::NOT_ON_MAINNET.iter().for_each(|feature| test.deactivate_feature(*feature));
        Self(test)
    }
}

impl Genesis {
    /// Gives `who` lamports.
    pub fn fund(&mut self, who: &Pubkey, lamports: u64) {
        let owner = system_program::ID;
        self.0.add_account(*who, Account { lamports, owner, ..Account::default() });
    }

    /// Deploys `elf` at `program` with a maximum length of `room` bytes under `authority`.
    pub fn deploy(&mut self, program: &Pubkey, authority: &Pubkey, elf: &[u8], room: usize) {
        let data = program_data_address(program);
        let mut code = [&[3, 0, 0, 0][..], &[0; 8], &[1], authority.as_ref(), elf].concat();
        code.resize(45 + room.max(elf.len()), 0);
        self.0.add_account(data, loader_account(code, false));
        let header = [&[2, 0, 0, 0][..], data.as_ref()].concat();
        self.0.add_account(*program, loader_account(header, true));
    }

    /// The first slot in which anything can be called.
    pub fn start(self) -> Bank {
        let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
        let context = runtime.block_on(self.0.start_with_context());
        let mut bank = Bank { context, runtime, sent: 0 };
        bank.set_time(START);
        bank
    }
}

impl Bank {
    /// Sends `instructions` in one transaction, signed by `signers`, in the present slot. Returns
    /// its compute units. A wallet of the bank pays the fees.
    pub fn send(
        &mut self,
        instructions: &[Instruction],
        signers: &[&Keypair],
    ) -> Result<u64, Refused> {
        self.sent += 1;
        let mut all = vec![ComputeBudgetInstruction::set_compute_unit_limit(MAX_COMPUTE_UNITS)];
        // A price of its own makes every transaction another one, whatever its blockhash.
        all.push(ComputeBudgetInstruction::set_compute_unit_price(self.sent));
        all.extend_from_slice(instructions);
        let (client, fees) = (&self.context.banks_client, &self.context.payer);
        let result = self.runtime.block_on(async {
            let hash = client.get_latest_blockhash().await.expect("the bank answers");
            let message = Message::new_with_blockhash(&all, Some(&fees.pubkey()), &hash);
            let keys = [&[fees], signers].concat();
            let transaction = Transaction::new(&keys, message, hash);
            client.process_transaction_with_metadata(transaction).await.expect("the bank answers")
        });
        let logs = result.metadata.as_ref().map(|m| m.log_messages.clone()).unwrap_or_default();
        match result.result {
            Ok(()) => Ok(result.metadata.map_or(0, |m| m.compute_units_consumed)),
            Err(error) => Err(Refused { error, logs }),
        }
    }

    /// Sends a transaction that must succeed; else the test fails with the logs.
    #[track_caller]
    pub fn ok(&mut self, instructions: &[Instruction], signers: &[&Keypair]) -> u64 {
        match self.send(instructions, signers) {
            Ok(units) => units,
            Err(refused) => panic!("refused: {:?}\n{}", refused.error, refused.logs.join("\n")),
        }
    }

    /// Sends a transaction that must be refused.
    #[track_caller]
    pub fn refused(&mut self, instructions: &[Instruction], signers: &[&Keypair]) -> Refused {
        self.send(instructions, signers).expect_err("went through, should be refused")
    }

    /// Sends, and fails the test unless a program refuses with its own `code`.
    #[track_caller]
    pub fn refuse(
        &mut self,
        code: impl Into<u32>,
        instructions: &[Instruction],
        signers: &[&Keypair],
    ) {
        let refused = self.refused(instructions, signers);
        let expected = InstructionError::Custom(code.into());
        assert_eq!(*refused.instruction_error(), expected, "{}", refused.logs.join("\n"));
    }

    /// Sends, and fails the test unless the loader or the runtime refuses with `error` and a log line
    /// contains `text`.
    #[track_caller]
    pub fn refuse_saying(
        &mut self,
        error: InstructionError,
        text: &str,
        instructions: &[Instruction],
        signers: &[&Keypair],
    ) {
        let refused = self.refused(instructions, signers);
        let logs = refused.logs.join("\n");
        assert_eq!(*refused.instruction_error(), error, "{logs}");
        assert!(refused.says(text), "nothing says {text:?}:\n{logs}");
    }

    fn clock(&self) -> Clock {
        let client = &self.context.banks_client;
        self.runtime.block_on(client.get_sysvar()).expect("the bank has a clock")
    }

    pub fn slot(&self) -> u64 {
        self.clock().slot
    }

    /// Chain time, seconds since 1970.
    pub fn time(&self) -> i64 {
        self.clock().unix_timestamp
    }

    fn set_time(&mut self, unix_timestamp: i64) {
        self.context.set_sysvar(&Clock { unix_timestamp, ..self.clock() });
    }

    /// Ends the slot and starts the one `slots` later, `seconds` later.
    fn go(&mut self, slots: u64, seconds: i64) {
        let (slot, time) = (self.slot() + slots, self.time() + seconds);
        let entered = self.runtime.enter();
        self.context.warp_to_slot(slot).expect("slots only go up");
        drop(entered);
        // The bank estimates time from votes, and here nobody votes.
        self.set_time(time);
    }

    /// The next slot, at the same time.
    pub fn next_slot(&mut self) {
        self.go(1, 0);
    }

    /// Moves the clock by `seconds`, and the slot by one per 400 ms of them.
    pub fn pass(&mut self, seconds: i64) {
        self.go(seconds.unsigned_abs() * SLOTS_PER_TWO_SECONDS / 2, seconds);
    }

    pub fn account(&self, key: &Pubkey) -> Option<Account> {
        let client = &self.context.banks_client;
        self.runtime.block_on(client.get_account(*key)).expect("the bank answers")
    }

    #[track_caller]
    pub fn data(&self, key: &Pubkey) -> Vec<u8> {
        self.account(key).unwrap_or_else(|| panic!("{key} does not exist")).data
    }

    /// The account as an Anchor type.
    #[track_caller]
    pub fn read<T: AccountDeserialize>(&self, key: &Pubkey) -> T {
        T::try_deserialize(&mut &self.data(key)[..]).unwrap_or_else(|e| panic!("{key}: {e}"))
    }

    /// A loader's buffer with `elf` under `authority`, as if it had been uploaded.
    pub fn place_buffer(&mut self, buffer: &Pubkey, authority: &Pubkey, elf: &[u8]) {
        let data = [&[1, 0, 0, 0, 1][..], authority.as_ref(), elf].concat();
        let account = AccountSharedData::from(loader_account(data, false));
        self.context.set_account(buffer, &account);
    }
}
