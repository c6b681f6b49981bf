//! Only approved bytes run: freezing, attesting, pinning.
use e2e::{
    elf,
    keys::{address, key},
    verbs::trimmed_len,
    world::{APPROVERS, Stage, TIMELOCK, World},
};
use solana_signer::Signer;
use upgrade_manager::{
    error::ManagerError,
    instructions::ProposeArgs,
    state::{BufferRole, LenRange, Manifest, Source, TypeRule},
};

#[test]
fn a_buffer_is_frozen_only_by_who_has_it() {
    let mut w = World::at(Stage::Registered);
    w.upload("upgrade", elf::v2());
    let mut freeze = w.freeze_ix("upgrade", BufferRole::Upgrade);
    freeze.accounts[0].pubkey = address("stranger");
    let (stranger, payer) = (key("stranger"), key("payer"));
    w.chain.refuse(ManagerError::NotBufferAuthority, &[freeze], &[&stranger, &payer]);
    w.freeze("upgrade", BufferRole::Upgrade);
    let again = w.freeze_ix("upgrade", BufferRole::Rollback);
    assert!(w.chain.send(&[again], &[&key("dev"), &payer]).is_err(), "the role is fixed");
}

#[test]
fn a_buffer_that_is_not_frozen_is_not_attested() {
    let mut w = World::at(Stage::Registered);
    w.upload("upgrade", elf::v2());
    let attest = w.attest_ix("upgrade");
    w.chain.refuse(ManagerError::WrongAccount, &[attest], &[]);
}

#[test]
fn the_hash_covers_all_bytes_up_to_the_last_that_is_not_zero() {
    let mut w = World::at(Stage::Registered);
    w.upload("upgrade", elf::v2());
    w.freeze("upgrade", BufferRole::Upgrade);
    let (buffer, right) = (w.buffer_key("upgrade").pubkey(), trimmed_len(elf::v2()));
    assert!((right as usize) < elf::v2().len(), "ELFs end in zeros");
    for wrong in [0, 1, right - 1, right + 1, elf::v2().len() as u32, u32::MAX] {
        let attest = backend::instructions::attest_buffer(&demo_vault::ID, &buffer, wrong);
        w.chain.refuse(ManagerError::TrimmedLength, &[attest], &[]);
    }
    w.attest("upgrade");
    let again = w.attest_ix("upgrade");
    w.chain.refuse(ManagerError::AlreadyAttested, &[again], &[]);
}

#[test]
fn neither_a_script_nor_half_an_elf_is_attested() {
    let cut = backend::elf::trimmed(elf::v2());
    let cases = [
        (&b"#!/bin/sh\necho all your funds\n"[..], ManagerError::NotAnElf),
        (cut, ManagerError::ElfCutShort),
    ];
    for (bytes, error) in cases {
        let mut w = World::at(Stage::Registered);
        w.upload("upgrade", bytes);
        w.freeze("upgrade", BufferRole::Upgrade);
        let attest = w.attest_ix("upgrade");
        w.chain.refuse(error, &[attest], &[]);
    }
}

#[test]
fn two_mebibytes_are_hashed_in_one_transaction_and_not_a_byte_more() {
    const MAX_ELF_LEN: usize = 2 * 1024 * 1024;
    for (len, fits) in [(MAX_ELF_LEN, true), (MAX_ELF_LEN + 1, false)] {
        let mut w = World::at(Stage::Registered);
        w.upload("upgrade", elf::v2());
        let buffer = w.buffer_key("upgrade").pubkey();
        w.chain.tamper(&buffer, |data| data.resize(37 + len, 7));
        w.freeze("upgrade", BufferRole::Upgrade);
        let attest = w.attest_ix("upgrade");
        if fits {
            w.run("attest_buffer (2 MiB)", attest, &[]);
        } else {
            w.chain.refuse(ManagerError::NeedsChunks, &[attest], &[]);
        }
    }
}

#[test]
fn a_buffer_serves_only_the_role_it_was_frozen_for() {
    let mut w = World::at(Stage::Registered);
    w.stage_buffers(elf::v2(), elf::v1());
    w.upload("other", elf::v1());
    w.freeze("other", BufferRole::Rollback);
    let as_upgrade = w.attest_ix("other");
    w.chain.refuse(ManagerError::WrongBufferRole, &[as_upgrade], &[]);
    let as_rollback = w.attest_rollback_ix("upgrade");
    assert!(w.chain.send(&[as_rollback], &[]).is_err());
    let signers = [&key("anna"), &key("payer")];
    for (upgrade, rollback) in
        [("rollback", "upgrade"), ("rollback", "rollback"), ("upgrade", "upgrade")]
    {
        let propose = w.propose_with_ix("anna", w.propose_args(), upgrade, rollback);
        assert!(w.chain.send(&[propose], &signers).is_err(), "{upgrade}, {rollback}");
    }
    w.upload("copy", elf::v1());
    w.freeze("copy", BufferRole::Upgrade);
    let as_rollback = w.attest_rollback_ix("copy");
    w.chain.refuse(ManagerError::WrongBufferRole, &[as_rollback], &[]);
    let propose = w.propose_with_ix("anna", w.propose_args(), "upgrade", "other");
    w.chain.refuse(ManagerError::NotAttested, &[propose], &signers);
}

#[test]
fn a_proposal_needs_frozen_attested_buffers_that_no_other_has_pinned() {
    let mut w = World::at(Stage::Attested);
    let (anna, payer) = (key("anna"), key("payer"));
    let not_a_member = w.propose_ix("stranger", w.propose_args());
    w.chain.refuse(ManagerError::NotAMember, &[not_a_member], &[&key("stranger"), &payer]);
    w.propose();
    w.stage_upgrade("upgrade-2", elf::v2());
    w.stage_rollback("rollback-2", elf::v1());
    let second = w.propose_with_ix("ben", w.propose_args(), "upgrade-2", "rollback-2");
    w.chain.refuse(ManagerError::LiveProposal, &[second], &[&key("ben"), &payer]);
    let cancel = w.cancel_ix("anna");
    w.chain.ok(&[cancel], &[&anna]);
    for (upgrade, rollback) in [("upgrade", "rollback-2"), ("upgrade-2", "rollback")] {
        let reuse = w.propose_with_ix("anna", w.propose_args(), upgrade, rollback);
        w.chain.refuse(ManagerError::BufferTaken, &[reuse], &[&anna, &payer]);
    }
    let fresh = w.propose_with_ix("anna", w.propose_args(), "upgrade-2", "rollback-2");
    w.chain.ok(&[fresh], &[&anna, &payer]);
}

#[test]
fn a_rollback_copy_of_code_that_no_longer_runs_is_not_proposed() {
    let mut w = World::at(Stage::Registered);
    w.stage_rollback("stale", elf::v1());
    w.stage_buffers(elf::v2(), elf::v1());
    w.propose();
    w.approve_by(&APPROVERS);
    w.chain.pass(i64::from(TIMELOCK));
    w.execute();
    w.chain.next_slot();
    w.migrate_all();
    w.verify_all();
    w.complete();
    w.stage_upgrade("upgrade-2", elf::v2());
    let args = ProposeArgs { to_version: 3, ..w.propose_args() };
    let propose = w.propose_with_ix("anna", args, "upgrade-2", "stale");
    w.chain.refuse(ManagerError::RollbackNotLive, &[propose], &[&key("anna"), &key("payer")]);
}

#[test]
fn unsound_terms_are_not_proposed() {
    let mut w = World::at(Stage::Attested);
    let good = w.propose_args();
    let rule = good.type_rules[0];
    let seventeen = (1..=17).map(|i| TypeRule { discriminator: [i; 8], ..rule }).collect();
    let cases: [(ManagerError, ProposeArgs); 10] = [
        (ManagerError::VersionNotNewer, ProposeArgs { to_version: 1, ..good.clone() }),
        (ManagerError::VersionNotNewer, ProposeArgs { to_version: 0, ..good.clone() }),
        (ManagerError::TypeRule, ProposeArgs { type_rules: vec![rule, rule], ..good.clone() }),
        (
            ManagerError::TypeRule,
            ProposeArgs { type_rules: vec![TypeRule { version_width: 4, ..rule }], ..good.clone() },
        ),
        (
            ManagerError::TypeRule,
            ProposeArgs {
                type_rules: vec![TypeRule {
                    new_len: LenRange { min: 57, max: 57 + 10_241 },
                    ..rule
                }],
                ..good.clone()
            },
        ),
        (ManagerError::TypeRule, ProposeArgs { type_rules: seventeen, ..good.clone() }),
        (
            ManagerError::Manifest,
            ProposeArgs { manifest: Manifest { root: [1; 32], count: 0 }, ..good.clone() },
        ),
        (
            ManagerError::Manifest,
            ProposeArgs { manifest: Manifest { root: [0; 32], count: 1 }, ..good.clone() },
        ),
        (
            ManagerError::Manifest,
            ProposeArgs {
                type_rules: vec![],
                manifest: Manifest { root: [1; 32], count: 1 },
                ..good.clone()
            },
        ),
        (
            ManagerError::SourceTooLong,
            ProposeArgs {
                source: Source { link: "x".repeat(161), ..Source::default() },
                ..good.clone()
            },
        ),
    ];
    for (error, args) in cases {
        let propose = w.propose_ix("anna", args);
        w.chain.refuse(error, &[propose], &[&key("anna"), &key("payer")]);
    }
}
