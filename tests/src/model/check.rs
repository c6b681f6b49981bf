//! What must hold after every step: the chain's accounts equal the model's, lamports are conserved,
//! only signers pay, and only approved code runs.
use std::collections::BTreeMap;

use anchor_lang::AccountDeserialize;
use solana_instruction::Instruction;
use solana_pubkey::Pubkey;
use upgrade_manager::state::{
    self as chain_state, AccountStatus, AccountVersion, MultisigConfig, ProgramUpgradeState,
};

use super::{
    Model,
    compare::{compare_buffers, compare_proposals, compare_vaults},
    drive::Pair,
    keys::Keys,
    multisig::Multisig,
    op::{Call, MULTISIGS, Op, PROGRAMS, Person, Pid, VAULT_COUNT, ZERO},
    program::{Holder, Phase, State},
};
use crate::chain::Chain;

/// Bytes in front of the code in a ProgramData account.
const PROGRAM_DATA_HEADER_LEN: usize = 45;

/// The lamports of every account that an instruction can change.
pub struct Balances(BTreeMap<Pubkey, u64>);

impl Balances {
    /// Reads them.
    pub fn of(chain: &Chain, ix: &Instruction) -> Self {
        let writable = ix.accounts.iter().filter(|m| m.is_writable);
        Self(writable.map(|m| (m.pubkey, chain.lamports(&m.pubkey))).collect())
    }

    /// Checks that `call` conserved the lamports, and took some only from signers and closed
    /// accounts.
    ///
    /// # Errors
    /// The violation.
    pub fn compare(&self, chain: &Chain, call: &Call, ix: &Instruction) -> Result<(), String> {
        let after = Self::of(chain, ix);
        let sum = |balances: &Self| balances.0.values().map(|n| u128::from(*n)).sum::<u128>();
        if sum(self) != sum(&after) {
            return Err(format!("lamports: {} before, {} after", sum(self), sum(&after)));
        }
        for (key, before) in &self.0 {
            let now = after.0[key];
            let signed =
                ix.accounts.iter().any(|m| m.pubkey == *key && m.is_signer && m.is_writable);
            let shrinks =
                matches!(call, Call::Restore { .. } | Call::Execute { .. } | Call::RollBack { .. });
            if now < *before && now != 0 && !signed && !shrinks {
                return Err(format!("{key} lost {} lamports without signing", before - now));
            }
            let Some(account) = chain.account(key) else { continue };
            if account.lamports < chain.rent(account.data.len()) {
                return Err(format!("{key} is not exempt from rent any more"));
            }
        }
        Ok(())
    }
}

/// Collects differences.
pub(super) struct Differences<'a> {
    pub(super) keys: &'a Keys,
    pub(super) found: Vec<String>,
}

impl Differences<'_> {
    pub(super) fn same<T: PartialEq + std::fmt::Debug>(&mut self, what: &str, chain: T, model: T) {
        if chain != model {
            self.found.push(format!("{what}: chain {chain:?}, model {model:?}"));
        }
    }

    pub(super) fn person(&self, key: &Pubkey) -> Person {
        (0..super::op::PEOPLE.len() as u8).find(|p| self.keys.person(*p) == *key).unwrap_or(ZERO)
    }

    pub(super) fn proposal(&self, id: Option<Pid>) -> Option<Pubkey> {
        id.map(|id| self.keys.proposal(id))
    }
}

pub(super) fn read<T: AccountDeserialize>(chain: &Chain, key: &Pubkey) -> Option<T> {
    let account = chain.account(key).filter(|a| a.owner == upgrade_manager::ID)?;
    T::try_deserialize(&mut &account.data[..]).ok()
}

/// The key at `at` in an account's bytes.
pub(super) fn key_at(data: &[u8], at: usize) -> Pubkey {
    data.get(at..at + 32).and_then(|key| Pubkey::try_from(key).ok()).unwrap_or_default()
}

/// Checks what no step may do under any rules.
///
/// # Errors
/// The violation.
pub fn steady(before: &Model, after: &Model, op: &Op) -> Result<(), String> {
    for (id, multisig) in &before.multisigs {
        let Some(now) = after.multisigs.get(id) else { continue };
        if now.epoch < multisig.epoch
            || now.rules.floor < multisig.rules.floor
            || now.next < multisig.next
        {
            return Err(format!("multisig {id}: an epoch, a floor or a number went back"));
        }
    }
    let transfer = matches!(op, Op::Call { call: Call::ExecuteTransfer { .. }, .. });
    let install = matches!(op, Op::Call { call: Call::Execute { .. } | Call::RollBack { .. }, .. });
    for (id, (was, now)) in before.programs.iter().zip(&after.programs).enumerate() {
        if matches!(was.holder, Holder::Manager(_)) && was.holder != now.holder && !transfer {
            return Err(format!("program {id} left the manager without a transfer"));
        }
        if was.code != now.code && !install {
            return Err(format!("program {id} runs other code without an execution"));
        }
    }
    Ok(())
}

/// Compares model and chain.
///
/// # Errors
/// Every difference.
pub fn equal(pair: &Pair) -> Result<(), String> {
    let mut d = Differences { keys: &pair.keys, found: vec![] };
    for multisig in 0..MULTISIGS {
        let there: Option<MultisigConfig> = read(&pair.chain, &pair.keys.multisig(multisig));
        let open = pair.model.open_proposals(multisig);
        match (there, pair.model.multisigs.get(&multisig)) {
            (Some(chain), Some(model)) => compare_multisig(&mut d, multisig, &chain, model, open),
            (chain, model) => {
                d.same(&format!("multisig {multisig}"), chain.is_some(), model.is_some())
            }
        }
    }
    for program in 0..PROGRAMS {
        compare_program(&mut d, pair, program);
    }
    compare_proposals(&mut d, pair);
    compare_buffers(&mut d, pair);
    compare_vaults(&mut d, pair);
    if d.found.is_empty() { Ok(()) } else { Err(d.found.join("\n    ")) }
}

fn compare_multisig(
    d: &mut Differences,
    id: u8,
    chain: &MultisigConfig,
    model: &Multisig,
    open: usize,
) {
    let (at, rules) = (format!("multisig {id}"), &model.rules);
    let mut members: Vec<_> =
        chain.members.iter().map(|m| (d.person(&m.key), m.roles, m.open)).collect();
    members.sort_unstable();
    let open_of = |who| model.open.get(&who).copied().unwrap_or(0);
    let expected = rules.members.iter().map(|(who, roles)| (*who, *roles, open_of(*who)));
    d.same(&format!("{at} members"), members, expected.collect());
    let flat = (chain.threshold, chain.open_cap, chain.allow_durable_nonce);
    d.same(&format!("{at} flags"), flat, (rules.threshold, rules.open_cap, rules.durable));
    let times =
        (chain.timelock_floor, chain.timelock, chain.execution_window, chain.rollback_window);
    let expected = (rules.floor, rules.timelock, rules.window, rules.rollback_window);
    d.same(&format!("{at} times"), times, expected);
    d.same(&format!("{at} treasury"), d.person(&chain.treasury), rules.treasury);
    let guardian = chain.guardian.map(|g| d.person(&g));
    d.same(&format!("{at} guardian"), guardian, rules.guardian);
    d.same(&format!("{at} epoch"), chain.config_epoch, model.epoch);
    d.same(&format!("{at} next"), chain.next_proposal, model.next);
    let pause = (chain.paused_until, chain.pause_again);
    d.same(&format!("{at} pause"), pause, (model.paused_until, model.pause_again));
    let wishes = chain.unpause_votes.count_ones() as usize;
    d.same(&format!("{at} unpause"), wishes, model.unpause.len());
    d.same(&format!("{at} programs"), chain.programs, model.programs);
    d.same(&format!("{at} open proposals"), chain.open_proposals as usize, open);
    d.same(&format!("{at} dissolved"), chain.dissolved, model.dissolved);
    let voters = rules.voters();
    if 2 * usize::from(chain.threshold) <= voters {
        d.found.push(format!("{at}: a threshold of {} for {voters} voters", chain.threshold));
    }
}

fn compare_program(d: &mut Differences, pair: &Pair, id: u8) {
    let (at, model) = (format!("program {id}"), &pair.model.programs[usize::from(id)]);
    let there: Option<ProgramUpgradeState> = read(&pair.chain, &pair.keys.state(id));
    match (&there, &model.state) {
        (Some(chain), Some(model)) => compare_state(d, pair, &at, chain, model),
        (chain, model) => d.same(&at, chain.is_some(), model.is_some()),
    }
    let data = pair.chain.data(&pair.keys.program_data(id));
    let authority = key_at(&data, 13);
    let holder = match model.holder {
        Holder::Manager(program) => pair.keys.authority(program),
        Holder::Person(who) => pair.keys.person(who),
    };
    d.same(&format!("{at} authority"), authority, holder);
    let code = model.code.bytes();
    let runs = data[PROGRAM_DATA_HEADER_LEN..].starts_with(&code);
    let rest = &data[(PROGRAM_DATA_HEADER_LEN + code.len()).min(data.len())..];
    let padded = rest.chunks(ZEROS.len()).all(|part| part == &ZEROS[..part.len()]);
    d.same(&format!("{at} runs {:?}", model.code), (runs, padded), (true, true));
}

static ZEROS: [u8; 4096] = [0; 4096];

fn compare_state(
    d: &mut Differences,
    pair: &Pair,
    at: &str,
    chain: &ProgramUpgradeState,
    model: &State,
) {
    d.same(&format!("{at} multisig"), chain.multisig, pair.keys.multisig(model.multisig));
    let versions = (chain.version, chain.previous_version);
    d.same(&format!("{at} versions"), versions, (model.version, model.previous_version));
    let phase = match model.phase {
        Phase::Steady => chain_state::Phase::Steady,
        Phase::Migrating => chain_state::Phase::Migrating,
        Phase::RollingBack => chain_state::Phase::RollingBack,
        Phase::Released => chain_state::Phase::Released,
    };
    d.same(&format!("{at} phase"), chain.phase, phase);
    let places = (chain.live_proposal, chain.roll_forward, chain.last_executed);
    let expected = (d.proposal(model.live), d.proposal(model.forward), d.proposal(model.last));
    d.same(&format!("{at} live, roll-forward, last"), places, expected);
    let when = (chain.executed_slot, chain.executed_at);
    d.same(&format!("{at} executed"), when, (model.executed_slot, model.executed_at));
    let (c, m) = (&chain.counters, &model.counters);
    let counters = [c.total, c.migrated, c.verified, c.restored, c.quarantined, c.closed];
    let expected = [m.total, m.migrated, m.verified, m.restored, m.quarantined, m.closed];
    d.same(&format!("{at} counters"), counters, expected);
    d.same(&format!("{at} hash known"), chain.elf_hash != [0; 32], model.known.is_some());
    if model.phase != Phase::Steady
        && let Some(last) = model.last
    {
        recount(d, pair, at, last, counters);
    }
}

/// Checks the counters against the records on the chain.
fn recount(d: &mut Differences, pair: &Pair, at: &str, last: Pid, counters: [u32; 6]) {
    let Pid::Upgrade(program, ..) = last else { return };
    let executed = pair.model.upgrade(last).map_or(0, |u| u.voting.executed.1);
    let key = pair.keys.proposal(last);
    let mut count = [counters[0], 0, 0, 0, 0, 0];
    for vault in 0..VAULT_COUNT {
        let record: Option<AccountVersion> = read(&pair.chain, &pair.keys.record(program, vault));
        let Some(record) = record.filter(|r| r.proposal == key && r.slot >= executed) else {
            continue;
        };
        let place = match record.status {
            AccountStatus::Pending => continue,
            AccountStatus::Migrated => 1,
            AccountStatus::Verified => 2,
            AccountStatus::Restored => 3,
            AccountStatus::Quarantined => 4,
            AccountStatus::Closed => 5,
        };
        count[place] += 1;
    }
    d.same(&format!("{at} counters, recounted"), counters, count);
}
