//! A chain beside the model: does every operation on both and stops at the first difference.
use std::{collections::BTreeMap, fmt::Write as _, sync::Arc};

use demo_vault::client;
use litesvm::types::TransactionMetadata;
use sha2::{Digest, Sha256};
use solana_account::Account;
use solana_instruction::Instruction;
use solana_keypair::Keypair;
use solana_pubkey::Pubkey;
use solana_signer::Signer;
use solana_system_interface::instruction::{advance_nonce_account, create_nonce_account};

use super::{
    Faults, Model,
    archive::Archive,
    check, elfs,
    instructions::Writer,
    keys::Keys,
    op::{Call, Code, Op, PEOPLE, Pid, Thing, Twist, VaultId},
    program::Holder,
    wire::{INSTRUCTIONS, LOADER, discriminator},
};
use crate::{
    chain::{Chain, Refused, SendResult},
    keys::{address, key, program_key},
    loader,
};

const SOL: u64 = 1_000_000_000;

/// Accepted and refused calls by instruction.
pub type Tally = BTreeMap<&'static str, (u64, u64)>;

/// A model and a chain that have agreed so far.
#[derive(Clone)]
pub struct Pair {
    /// The expected state.
    pub model: Model,
    /// The real state.
    pub chain: Chain,
    /// Data that clients keep off chain.
    pub archive: Archive,
    pub keys: Arc<Keys>,
    /// Counts of accepted and refused calls.
    pub tally: Tally,
    /// One line for each operation.
    pub log: Vec<String>,
}

impl Pair {
    /// A chain with deployed programs and funded keys.
    pub fn new() -> Self {
        let (mut chain, keys) = (Chain::new(), Keys::new());
        for name in PEOPLE.iter().chain(&["owner"]) {
            chain.fund(&address(name), 1_000 * SOL);
        }
        chain.next_slot();
        let dev = key("dev");
        let manager = crate::elf::manager();
        loader::deploy(&mut chain, &program_key("upgrade-manager"), &dev, manager, manager.len());
        let first = Code::First(0).bytes();
        let others =
            [(program_key("demo-vault"), elfs::room()), (key("other-program"), elfs::large_room())];
        for (program, room) in others {
            loader::deploy(&mut chain, &program, &dev, &first, room);
        }
        let rent = chain.rent(80);
        let nonce = create_nonce_account(&dev.pubkey(), &keys.nonce.pubkey(), &dev.pubkey(), rent);
        chain.ok(&nonce, &[&dev, &keys.nonce]);
        let mut model = Model::new(chain.time(), chain.slot());
        for program in &mut model.programs {
            program.deployed = chain.slot() - 1;
        }
        let addresses = (0..super::op::VAULT_COUNT).map(|v| (v, keys.vault(v))).collect();
        let archive = Archive { addresses, ..Archive::default() };
        let keys = Arc::new(keys);
        Self { model, chain, archive, keys, tally: Tally::new(), log: vec![] }
    }

    /// Does `op` on model and chain.
    ///
    /// # Errors
    /// The difference between them.
    pub fn step(&mut self, op: &Op) -> Result<(), String> {
        let mut faults = Faults::default();
        let mut next = self.model.clone();
        let prepared = self.prepare(op);
        let straight = match (op, &prepared) {
            // The twist had no effect: it put the right account there, or an account that the
            // manager ignores.
            (Op::Call { call, .. }, Some((_, false))) => {
                Some(Op::Call { call: call.clone(), twist: None })
            }
            _ => None,
        };
        let events = next.apply(straight.as_ref().unwrap_or(op), &mut faults);
        let said = match op {
            Op::Pass { .. } => {
                self.chain.set_time(next.now.time);
                self.chain.set_slot(next.now.slot);
                String::from("done")
            }
            Op::Upload { buffer, code, given, by } => {
                if faults.none() {
                    let holder = given.map_or(Holder::Person(*by), Holder::Manager);
                    self.plant(*buffer, *code, holder);
                }
                String::from("done")
            }
            Op::Open { vault } | Op::Close { vault } | Op::Deposit { vault } => {
                let (owner, index) = (self.keys.owner.pubkey(), u32::from(*vault));
                let ix = match op {
                    Op::Open { .. } => client::open_ix(&owner, index),
                    Op::Close { .. } => client::close_ix(&owner, index),
                    _ => client::deposit_ix(&owner, index, 1_000_000),
                };
                let keys = self.keys.clone();
                let outcome = self.chain.send(&[ix], &[&keys.owner]);
                compare(&outcome, &faults)?;
                tell(&outcome)
            }
            Op::Call { call, .. } => {
                let ix = prepared.map(|(ix, _)| ix).ok_or("no instruction")?;
                self.call(call, &ix, &faults, &events)?
            }
        };
        self.log.push(said);
        if faults.none() {
            check::steady(&self.model, &next, op)?;
            self.model = next;
            check::equal(self)?;
        }
        Ok(())
    }

    fn plant(&mut self, buffer: u8, code: Code, holder: Holder) {
        let authority = match holder {
            Holder::Person(who) => self.keys.person(who),
            Holder::Manager(program) => self.keys.authority(program),
        };
        let mut data = vec![1, 0, 0, 0, 1];
        data.extend(authority.as_ref());
        data.extend(code.bytes().iter());
        let lamports = self.chain.rent(data.len());
        let account = Account { lamports, data, owner: LOADER, executable: false, rent_epoch: 0 };
        self.chain.plant(&self.keys.buffer(buffer), account);
    }

    /// The instruction for `op`, and whether a twist that must be noticed is in it.
    fn prepare(&mut self, op: &Op) -> Option<(Instruction, bool)> {
        let Op::Call { call, twist } = op else { return None };
        self.look(call);
        let writer = Writer { model: &self.model, keys: &self.keys, archive: &self.archive };
        let mut ix = writer.write(call);
        // The account list alone says what these calls are about, so another account makes another
        // valid call.
        let plain = matches!(
            call,
            Call::Register { .. }
                | Call::Pause { .. }
                | Call::Unpause { .. }
                | Call::CloseRecord { .. }
                | Call::CloseState { .. }
                | Call::CloseMultisig { .. }
                | Call::CloseProposal { on: Pid::Multisig(..), .. }
        );
        let loose = matches!(
            call,
            Call::Revoke { .. }
                | Call::Cancel { .. }
                | Call::Expire { .. }
                | Call::ExecuteConfig { .. }
        );
        let means = |twist: &Twist| match twist {
            Twist::Unsigned => false,
            Twist::Swap { with, .. } => plain || (loose && matches!(with, Thing::Proposal(_))),
        };
        let twist = twist.filter(|twist| !means(twist));
        let twisted = twist.is_some_and(|twist| self.twist(&mut ix, twist));
        Some((ix, twisted))
    }

    /// Applies `twist` to `ix`. Returns whether the chain must refuse it.
    fn twist(&self, ix: &mut Instruction, twist: Twist) -> bool {
        // Where a multisig allows durable nonces, the manager does not read the instructions
        // sysvar.
        let durable = self.model.multisigs.values().any(|multisig| multisig.rules.durable);
        let free = |key: &Pubkey| *key == upgrade_manager::ID || (durable && *key == INSTRUCTIONS);
        let mut signers = ix.accounts.iter_mut().filter(|m| m.is_signer);
        let (at, with) = match twist {
            Twist::Unsigned => {
                return signers.next().map(|meta| meta.is_signer = false).is_some();
            }
            Twist::Swap { at, with } => (usize::from(at), self.keys.thing(with)),
        };
        let mut places: Vec<_> =
            ix.accounts.iter_mut().filter(|m| !m.is_signer && !free(&m.pubkey)).collect();
        let count = places.len().max(1);
        let Some(meta) = places.get_mut(at % count) else { return false };
        let other = meta.pubkey != with;
        meta.pubkey = with;
        other
    }

    fn call(
        &mut self,
        call: &Call,
        ix: &Instruction,
        faults: &Faults,
        events: &[&'static str],
    ) -> Result<String, String> {
        let before = check::Balances::of(&self.chain, ix);
        let durable = is_durable(call);
        let Some(outcome) = self.send(ix, durable) else {
            return Err(String::from("a signer has no key: the generator must not make this"));
        };
        compare(&outcome, faults)?;
        let count = self.tally.entry(call.name()).or_default();
        match &outcome {
            Ok(meta) => {
                count.0 += 1;
                let mut expected: Vec<_> =
                    events.iter().map(|e| discriminator("event", e)).collect();
                let mut seen = events_in(meta);
                expected.sort_unstable();
                seen.sort_unstable();
                // Every accepted instruction emits at least one event.
                if expected != seen || seen.is_empty() {
                    return Err(format!("events: {events:?} expected, {seen:?} seen"));
                }
                before.compare(&self.chain, call, ix)?;
                self.remember(call);
            }
            Err(_) => count.1 += 1,
        }
        Ok(tell(&outcome))
    }

    fn send(&mut self, ix: &Instruction, durable: bool) -> Option<SendResult> {
        let keys = self.keys.clone();
        let mut signers: Vec<&Keypair> = vec![];
        for meta in ix.accounts.iter().filter(|m| m.is_signer) {
            let pair = keys.signer_of(&meta.pubkey)?;
            if signers.iter().all(|s| s.pubkey() != pair.pubkey()) {
                signers.push(pair);
            }
        }
        if !durable {
            return Some(self.chain.send(std::slice::from_ref(ix), &signers));
        }
        let dev = key("dev");
        let advance = advance_nonce_account(&keys.nonce.pubkey(), &dev.pubkey());
        if signers.iter().all(|s| s.pubkey() != dev.pubkey()) {
            signers.push(&dev);
        }
        Some(self.chain.send(&[advance, ix.clone()], &signers))
    }

    /// Reads what a client reads before it sends `call`.
    fn look(&mut self, call: &Call) {
        match call {
            Call::Propose { plan, .. } if plan.manifest => {
                let mut seen: Vec<_> = self.model.vaults.keys().copied().collect();
                seen.sort_by_key(|v| self.keys.vault(*v));
                let hash = |v: VaultId| -> [u8; 32] {
                    Sha256::digest(self.chain.data(&self.keys.vault(v))).into()
                };
                self.archive.next = seen.into_iter().map(|v| (v, hash(v))).collect();
            }
            Call::Migrate { vaults, .. } => {
                for vault in vaults {
                    // An account with the new layout has no old bytes to keep.
                    let old = self.model.vaults.get(vault).is_some_and(|c| c.layout == 1);
                    if old {
                        let bytes = self.chain.data(&self.keys.vault(*vault));
                        self.archive.old.insert(*vault, bytes);
                    }
                }
            }
            _ => {}
        }
    }

    /// Keeps what a client keeps after `call` was accepted.
    fn remember(&mut self, call: &Call) {
        let id = match call {
            Call::Propose { program, .. } => {
                let multisig = self.model.state(*program).map_or(0, |s| s.multisig);
                Pid::Upgrade(
                    *program,
                    multisig,
                    self.model.multisigs.get(&multisig).map_or(0, |t| t.next),
                )
            }
            Call::ProposeMultisig { multisig, .. } => {
                Pid::Multisig(*multisig, self.model.multisigs.get(multisig).map_or(0, |t| t.next))
            }
            _ => return,
        };
        let data = self.chain.data(&self.keys.proposal(id));
        // Discriminator, layout, bump, status, proposer, payer, time; then the digest.
        let digest = data.get(83..115).and_then(|d| d.first_chunk().copied());
        self.archive.digests.insert(id, digest.unwrap_or_default());
        self.archive.manifests.insert(id, self.archive.next.clone());
    }
}

impl Default for Pair {
    fn default() -> Self {
        Self::new()
    }
}

fn is_durable(call: &Call) -> bool {
    matches!(
        call,
        Call::Vote { durable: true, .. }
            | Call::Revoke { durable: true, .. }
            | Call::Cancel { durable: true, .. }
            | Call::Unpause { durable: true, .. }
            | Call::VoteBack { durable: true, .. }
    )
}

/// The name of the error that a program gave.
fn reason(refused: &Refused) -> String {
    let named = refused.logs.iter().rev().find_map(|line| {
        let rest = line.split("Error Code: ").nth(1)?;
        Some(rest.split('.').next()?.to_string())
    });
    named.unwrap_or_else(|| format!("{:?}", refused.error))
}

fn tell(outcome: &SendResult) -> String {
    match outcome {
        Ok(_) => String::from("done"),
        Err(refused) => format!("refused: {}", reason(refused)),
    }
}

fn compare(outcome: &SendResult, faults: &Faults) -> Result<(), String> {
    let broken = &faults.broken;
    match outcome {
        Ok(_) if faults.none() => Ok(()),
        Ok(_) => Err(format!("went through, and breaks {broken:?} (open: {})", faults.open)),
        Err(refused) if faults.none() => {
            let logs = refused.logs.join("\n    ");
            Err(format!("refused, and breaks nothing: {}\n    {logs}", reason(refused)))
        }
        Err(refused) => {
            let reason = reason(refused);
            if faults.open || broken.contains(reason.as_str()) {
                return Ok(());
            }
            let logs = refused.logs.join("\n    ");
            Err(format!("refused for {reason}, and breaks {broken:?}\n    {logs}"))
        }
    }
}

/// `ops` as text, each with its result.
pub fn readable(ops: &[Op], log: &[String]) -> String {
    let mut out = String::new();
    for (i, op) in ops.iter().enumerate() {
        let said = log.get(i).map_or("", |line| line);
        let _ = writeln!(out, "  {i:2}. {op:?}\n      {said}");
    }
    for (i, name) in PEOPLE.iter().enumerate() {
        let _ = write!(out, "{i}={name} ");
    }
    out
}

/// Discriminators of the manager's events: its calls of itself that begin with Anchor's tag.
fn events_in(meta: &TransactionMetadata) -> Vec<[u8; 8]> {
    let tag = anchor_lang::event::EVENT_IX_TAG_LE;
    let inner = meta.inner_instructions.iter().flatten();
    let event = |data: &[u8]| data.strip_prefix(tag)?.first_chunk().copied();
    inner.filter_map(|i| event(&i.instruction.data)).collect()
}
