//! Values that the tests of every crate share: the rules of a multisig, the terms of an upgrade, the state
//! of a program. A test that relies on another value names it by struct update. Compiled only for tests:
//! the feature `test-fixtures` is on in no ELF.
use anchor_lang::prelude::Pubkey;

use crate::state::{
    Counters, LAYOUT, LenRange, MIN_TIMELOCK, Manifest, MemberArgs, MultisigRules, Phase,
    PinnedElf, ProgramUpgradeState, ProposalKind, Source, Terms, TypeRule, role,
};

/// The address of 32 bytes `n`.
#[must_use]
pub fn key(n: u8) -> Pubkey {
    Pubkey::new_from_array([n; 32])
}

/// `keys` as members with every role, in the order that the program asks for.
pub fn members(keys: impl IntoIterator<Item = Pubkey>) -> Vec<MemberArgs> {
    let member = |key| MemberArgs { key, roles: role::ALL };
    let mut members: Vec<_> = keys.into_iter().map(member).collect();
    members.sort_by_key(|m| m.key);
    members
}

/// Three of `keys` decide, with the shortest timelock, a day to execute and a week to roll back. The
/// treasury is `key(8)`; there is no guardian.
pub fn rules(keys: impl IntoIterator<Item = Pubkey>) -> MultisigRules {
    MultisigRules {
        threshold: 3,
        open_cap: 2,
        allow_durable_nonce: false,
        timelock_floor: MIN_TIMELOCK,
        timelock: MIN_TIMELOCK,
        execution_window: 24 * 3600,
        rollback_window: 7 * 24 * 3600,
        treasury: key(8),
        guardian: None,
        squads: None,
        members: members(keys),
    }
}

/// An ELF of eight bytes in the buffer `key(n)`; its hash is 32 bytes `n`.
#[must_use]
pub fn elf(n: u8) -> PinnedElf {
    PinnedElf { buffer: key(n), len: 8, trimmed_len: 8, sha256: [n; 32] }
}

/// A type rule whose accounts have exactly `old_len` bytes before and `new_len` bytes after the migration.
#[must_use]
pub fn type_rule(old_len: u32, new_len: u32) -> TypeRule {
    TypeRule {
        discriminator: [1; 8],
        version_offset: 8,
        version_width: 2,
        old_len: LenRange { min: old_len, max: old_len },
        new_len: LenRange { min: new_len, max: new_len },
        flags: 0,
    }
}

/// The terms of proposal 0 of the multisig `key(10)`: the program `key(11)` goes from version 1 to 2,
/// from the ELF `elf(14)` to `elf(13)`, and has no accounts to migrate.
#[must_use]
pub fn terms(expires_at: i64) -> Terms {
    Terms {
        kind: ProposalKind::Upgrade,
        id: 0,
        genesis_hash: [1; 32],
        multisig: key(10),
        config_epoch: 0,
        program: key(11),
        program_data: key(12),
        upgrade: elf(13),
        rollback: elf(14),
        spill: key(8),
        from_version: 1,
        oldest_version: 1,
        to_version: 2,
        type_rules: vec![],
        manifest: Manifest::default(),
        expires_at,
        source: Source::default(),
    }
}

/// The program of `terms` before its upgrade, while the proposal at `live` is open. It was registered by
/// `key(7)`.
#[must_use]
pub fn program_state(terms: &Terms, live: Pubkey) -> ProgramUpgradeState {
    ProgramUpgradeState {
        layout: LAYOUT,
        bump: 0,
        authority_bump: 0,
        migrator_bump: 0,
        multisig: terms.multisig,
        program: terms.program,
        program_data: terms.program_data,
        version: terms.from_version,
        elf_hash: terms.rollback.sha256,
        previous_version: terms.from_version,
        previous_elf_hash: terms.rollback.sha256,
        phase: Phase::Steady,
        live_proposal: Some(live),
        roll_forward: None,
        last_executed: None,
        executed_slot: 0,
        executed_at: 0,
        counters: Counters::default(),
        payer: key(7),
        reserved: [0; 64],
    }
}
