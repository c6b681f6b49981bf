//! For every account of an instruction, the accounts that an attacker could pass instead.
use std::collections::BTreeMap;

use solana_account::{Account, ReadableAccount};
use solana_instruction::Instruction;
use solana_pubkey::Pubkey;
use solana_signer::Signer;
use upgrade_manager::{ID, seeds};

use super::{cases::Case, twin::Twin};
use crate::{
    keys::{address, key},
    world::{MEMBERS, SOL, World},
};

/// One attempt: the instruction with one account changed.
pub struct Attempt {
    /// Position of the replaced account.
    pub slot: usize,
    /// Describes the replacement.
    pub what: String,
    pub instruction: Instruction,
    /// The signers.
    pub signers: Vec<String>,
}

/// Names for the addresses in `w`, for messages.
pub fn names(w: &World) -> BTreeMap<Pubkey, String> {
    let people =
        ["payer", "cranker", "dev", "owner", "stranger", "treasury", "create", "guardian", "heir"];
    let mut out: BTreeMap<_, _> =
        people.iter().chain(&MEMBERS).map(|n| (address(n), (*n).to_owned())).collect();
    let own = demo_vault::ID;
    let program_data = solana_loader_v3_interface::get_program_data_address(&own);
    for (key, name) in [
        (w.multisig(), "multisig"),
        (own, "target program"),
        (program_data, "program data"),
        (seeds::program_state(&own).0, "state"),
        (seeds::authority(&own).0, "authority"),
        (seeds::migrator(&own).0, "migrator"),
        (seeds::event_authority(), "event authority"),
        (ID, "manager"),
        (solana_system_interface::program::ID, "system program"),
        (upgrade_manager::external::loader::ID, "loader"),
        (upgrade_manager::runtime::nonce::INSTRUCTIONS, "instructions sysvar"),
    ] {
        out.insert(key, name.to_owned());
    }
    for id in 0..8 {
        out.insert(seeds::proposal(&own, &w.multisig(), id).0, format!("proposal {id}"));
        out.insert(seeds::governance(&w.multisig(), id).0, format!("multisig proposal {id}"));
    }
    for name in ["upgrade", "rollback", "stray"] {
        let buffer = w.buffer_key(name).pubkey();
        out.insert(buffer, format!("{name} buffer"));
        out.insert(seeds::attestation(&buffer).0, format!("{name} attestation"));
    }
    for (i, vault) in w.vaults.iter().enumerate() {
        out.insert(*vault, format!("vault {i}"));
        out.insert(seeds::account_version(&own, vault).0, format!("record {i}"));
        out.insert(seeds::backup(&own, vault).0, format!("backup {i}"));
    }
    out
}

/// Every replacement of one account of `case`, and the world that holds all of these accounts.
pub fn attempts(case: &Case) -> (World, Vec<Attempt>) {
    let twin = Twin::of(&case.world);
    let mut world = case.world.clone();
    twin.plant(&mut world);
    // Every signer has lamports, so that no attempt fails for want of them.
    case.signers.iter().for_each(|name| world.chain.fund(&address(name), SOL));
    let kinds = kinds(&case.world);
    let all = &case.instruction.accounts;
    let mut out = vec![];
    for (slot, meta) in all.iter().enumerate() {
        if meta.is_signer {
            signatures(case, slot, &mut out);
            continue;
        }
        let mut put = BTreeMap::new();
        let mut add = |key: Pubkey, what: String| {
            if key != meta.pubkey {
                put.entry(key).or_insert(what);
            }
        };
        if let Some(key) = twin.key(&meta.pubkey) {
            add(key, "the second multisig's".into());
        }
        for (key, what) in sibling(&case.world, &meta.pubkey) {
            add(key, what);
        }
        for (i, other) in all.iter().enumerate() {
            add(other.pubkey, format!("account {i}"));
        }
        for (disc, key) in &kinds {
            let same = case.world.chain.account(&meta.pubkey);
            if same.is_none_or(|a| a.owner != ID || !a.data.starts_with(disc)) {
                add(*key, "another kind of account".into());
            }
        }
        add(address("nobody"), "an address with nothing".into());
        add(address("stranger"), "a wallet".into());
        for (key, what) in put {
            out.push(attempt(case, slot, key, what));
        }
        if let Some(account) = case.world.chain.account(&meta.pubkey).filter(|a| !a.executable) {
            let (fake, owner) = (address(&format!("lookalike-{slot}")), address("stranger"));
            world.chain.plant(&fake, Account { owner, ..account });
            out.push(attempt(case, slot, fake, "the same bytes of another owner".into()));
        }
    }
    (world, out)
}

fn attempt(case: &Case, slot: usize, put: Pubkey, what: String) -> Attempt {
    let mut instruction = case.instruction.clone();
    instruction.accounts[slot].pubkey = put;
    Attempt { slot, what, instruction, signers: case.signers.clone() }
}

/// The instruction without the signature at `slot`, and with every other key's signature instead.
fn signatures(case: &Case, slot: usize, out: &mut Vec<Attempt>) {
    let at = case.instruction.accounts[slot].pubkey;
    let mut unsigned = attempt(case, slot, at, "no signature".into());
    unsigned.instruction.accounts[slot].is_signer = false;
    keep_signing(&mut unsigned);
    out.push(unsigned);
    let outsiders = ["stranger", "owner"].map(str::to_owned);
    let others = case.signers.iter().cloned().chain(outsiders);
    for other in others.filter(|o| key(o).pubkey() != at) {
        let mut swapped = attempt(case, slot, address(&other), format!("{other}, who signs,"));
        swapped.signers.push(other);
        keep_signing(&mut swapped);
        out.push(swapped);
    }
}

/// Keeps only the signers that the instruction asks for, each once.
fn keep_signing(attempt: &mut Attempt) {
    let asked = |who| attempt.instruction.accounts.iter().any(|m| m.is_signer && m.pubkey == who);
    attempt.signers.sort();
    attempt.signers.dedup();
    attempt.signers.retain(|name| asked(address(name)));
}

/// One account of the manager of every kind there is in `w`, by discriminator.
fn kinds(w: &World) -> BTreeMap<[u8; 8], Pubkey> {
    let ours = w.chain.holdings().into_iter().filter(|(_, a)| *a.owner() == ID);
    let kind = |(key, a): (Pubkey, solana_account::AccountSharedData)| {
        Some((*a.data().first_chunk::<8>()?, key))
    };
    ours.filter_map(kind).collect()
}

/// Accounts of the same kind on the same side: another vault's, the other buffer's.
fn sibling(w: &World, key: &Pubkey) -> Vec<(Pubkey, String)> {
    let own = demo_vault::ID;
    let mut out = vec![];
    for (i, vault) in w.vaults.iter().enumerate() {
        let next = w.vaults[(i + 1) % w.vaults.len()];
        let of = |v| (seeds::account_version(&own, v).0, seeds::backup(&own, v).0);
        for (from, to) in [(*vault, next), (of(vault).0, of(&next).0), (of(vault).1, of(&next).1)] {
            if from == *key {
                out.push((to, format!("that of vault {}", i + 1)));
            }
        }
    }
    let buffer = |name| w.buffer_key(name).pubkey();
    for (a, b) in [("upgrade", "rollback"), ("rollback", "upgrade")] {
        let known = |name| seeds::attestation(&buffer(name)).0;
        if buffer(a) == *key {
            out.push((buffer(b), format!("the {b} buffer")));
        } else if known(a) == *key {
            out.push((known(b), format!("the {b} attestation")));
        }
    }
    let proposal = |id| seeds::proposal(&own, &w.multisig(), id).0;
    if *key == proposal(w.id) {
        out.push((proposal(w.id + 1), "the next id's".into()));
    }
    out
}
