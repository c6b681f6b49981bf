//! How many accounts fit one transaction, as a legacy message and with a lookup table, and the
//! figures of the largest batch.
use backend::chain::MAX_TRANSACTION_LEN;
use e2e::{
    chain::Refused,
    elf,
    keys::{address, key},
    world::{APPROVERS, SOL, Stage, TIMELOCK, World},
};
use serde::Serialize;
use solana_account::Account;
use solana_instruction::{Instruction, error::InstructionError as Cause};
use solana_message::AddressLookupTableAccount;
use solana_pubkey::Pubkey;
use solana_transaction_error::TransactionError;

use crate::meter::{self, Figure};

/// The program of lookup tables.
const LOOKUP_TABLE_PROGRAM: Pubkey =
    Pubkey::from_str_const("AddressLookupTab1e1111111111111111111111111");
/// Bytes in front of a table's addresses.
const TABLE_HEADER_LEN: usize = 56;
/// Instructions of one transaction, CPIs included: the runtime's limit.
const MAX_TRACE_LEN: usize = 64;
/// Accounts one transaction can lock: the runtime's limit.
const MAX_ACCOUNT_LOCKS: usize = 64;
/// More accounts than any transaction can hold.
const VAULTS: u32 = 40;

/// The largest batch of one instruction.
#[derive(Clone, Debug, Serialize)]
pub struct Batch {
    pub instruction: String,
    /// Whether addresses come from a lookup table.
    pub lookup_table: bool,
    /// The most accounts with which the transaction succeeds.
    pub accounts: usize,
    /// The most accounts that the limits on packet size, CPIs and locks allow.
    pub room: usize,
    /// The limit that one account more would break.
    pub stopped_by: String,
    /// The figures of the largest batch.
    pub figure: Figure,
}

impl Batch {
    /// The manager's units per account of the batch, the transaction's fixed part included.
    #[must_use]
    pub fn own_units_each(&self) -> u64 {
        self.figure.own_units().div_ceil(self.accounts as u64)
    }
}

/// Makes an instruction about the first `n` vaults, with its signers.
type Make = fn(&World, &[Pubkey]) -> Instruction;

/// The largest batches of the three instructions that take many accounts.
pub fn measure() -> Vec<Batch> {
    let executed = executed();
    let mut migrated = executed.clone();
    for batch in executed.vaults.chunks(10) {
        let ix = migrated.migrate_ix(batch);
        migrated.run("migrate_accounts", ix, &[&key("cranker")]);
    }
    let mut rolling_back = migrated.clone();
    rolling_back.vote_rollback(&APPROVERS, false);
    let kinds: [(&str, &World, Make, &[&str]); 3] = [
        ("migrate_accounts", &executed, |w, v| w.migrate_ix(v), &["cranker"]),
        ("verify_accounts", &migrated, |w, v| w.verify_ix(v), &["cranker"]),
        (
            "restore_accounts",
            &rolling_back,
            |w, v| w.restore_ix("dan", &w.old_bytes(v)),
            &["payer", "dan"],
        ),
    ];
    let mut batches = vec![];
    for (name, world, make, signers) in kinds {
        for lookup in [false, true] {
            batches.push(largest(name, world, make, signers, lookup));
        }
    }
    batches
}

/// A world with many vaults that can be migrated.
fn executed() -> World {
    let mut w = World::at(Stage::Registered);
    for index in 100..100 + VAULTS {
        w.open_vault(index, SOL);
    }
    w.stage_buffers(elf::v2(), elf::v1());
    w.propose();
    w.approve_by(&APPROVERS);
    w.chain.pass(i64::from(TIMELOCK));
    w.execute();
    w.chain.next_slot();
    w
}

/// The largest batch: one account more until the packet is full or the chain refuses.
fn largest(name: &str, world: &World, make: Make, signers: &[&str], lookup: bool) -> Batch {
    let mut world = world.clone();
    let table = lookup.then(|| table(&mut world, make));
    let attempt = |n: usize| -> Result<Figure, String> {
        let mut w = world.clone();
        let ix = make(&w, &w.vaults[..n]);
        if table.is_none() && meter::legacy_size(&w.chain, &ix, signers[0]) > MAX_TRANSACTION_LEN {
            return Err(format!("{MAX_TRANSACTION_LEN} bytes"));
        }
        let sent = meter::send(&mut w.chain, &ix, signers, table.as_ref());
        let figure = sent.map_err(|refused| reason(&refused))?;
        if figure.bytes > MAX_TRANSACTION_LEN {
            Err(format!("{MAX_TRANSACTION_LEN} bytes"))
        } else {
            Ok(figure)
        }
    };
    let (mut n, mut best) = (1, attempt(1).unwrap_or_else(|why| panic!("{name}, alone: {why}")));
    let alone = best.clone();
    let stopped_by = loop {
        match attempt(n + 1) {
            Ok(figure) => (n, best) = (n + 1, figure),
            Err(why) => break why,
        }
        assert!(n < world.vaults.len() - 1, "{name} takes every vault there is");
    };
    let two = attempt(2).unwrap_or_else(|_| alone.clone());
    Batch {
        instruction: name.to_owned(),
        lookup_table: lookup,
        accounts: n,
        room: room(&alone, &two),
        stopped_by,
        figure: Figure { instruction: name.to_owned(), ..best },
    }
}

/// The runtime's limit that refused the transaction.
fn reason(refused: &Refused) -> String {
    use TransactionError::{InstructionError, TooManyAccountLocks};
    match refused.error {
        InstructionError(_, Cause::MaxInstructionTraceLengthExceeded) => {
            format!("{MAX_TRACE_LEN} instructions")
        }
        TooManyAccountLocks => format!("{MAX_ACCOUNT_LOCKS} accounts"),
        ref other => format!("{other:?}"),
    }
}

/// How many accounts the tightest limit allows, computed from the figures of one and of two
/// accounts.
fn room(one: &Figure, two: &Figure) -> usize {
    // The request for units and the instruction itself count as well.
    let limits = [
        (MAX_TRANSACTION_LEN, one.bytes, two.bytes),
        (MAX_TRACE_LEN, one.calls + 2, two.calls + 2),
        (MAX_ACCOUNT_LOCKS, one.accounts, two.accounts),
    ];
    let more = |(most, one, two): (usize, usize, usize)| match two.saturating_sub(one) {
        0 => usize::MAX,
        each => most.saturating_sub(one) / each,
    };
    limits.into_iter().map(more).min().unwrap_or_default().saturating_add(1)
}

/// A lookup table of every account of the instruction that does not sign.
fn table(w: &mut World, make: Make) -> AddressLookupTableAccount {
    let ix = make(w, &w.vaults);
    let mut addresses: Vec<Pubkey> =
        ix.accounts.iter().filter(|m| !m.is_signer).map(|m| m.pubkey).collect();
    addresses.sort();
    addresses.dedup();
    // The bincode layout of an active table without authority, last extended in slot 0.
    let mut data = vec![0; TABLE_HEADER_LEN];
    data[..4].copy_from_slice(&1u32.to_le_bytes());
    data[4..12].copy_from_slice(&u64::MAX.to_le_bytes());
    addresses.iter().for_each(|a| data.extend(a.as_ref()));
    let key = address("lookup-table");
    let lamports = w.chain.rent(data.len());
    let account = Account {
        lamports,
        data,
        owner: LOOKUP_TABLE_PROGRAM,
        executable: false,
        rent_epoch: u64::MAX,
    };
    w.chain.plant(&key, account);
    AddressLookupTableAccount { key, addresses }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figure(bytes: usize, calls: usize, accounts: usize) -> Figure {
        let (instruction, case) = (String::new(), String::new());
        Figure {
            instruction,
            case,
            units: 0,
            target_units: 0,
            bytes,
            accounts,
            signatures: 1,
            calls,
        }
    }

    #[test]
    fn the_tightest_limit_says_how_many_accounts_there_is_room_for() {
        // 66 bytes each: (1232 - 600) / 66 = 9 more than the first.
        assert_eq!(room(&figure(600, 3, 15), &figure(666, 5, 17)), 10);
        // 3 calls each: (64 - 6) / 3 = 19 more.
        assert_eq!(room(&figure(300, 4, 15), &figure(302, 7, 17)), 20);
        // 2 accounts each: (64 - 15) / 2 = 24 more.
        assert_eq!(room(&figure(300, 4, 15), &figure(302, 5, 17)), 25);
    }
}
