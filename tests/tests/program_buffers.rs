//! Bytes that were voted for are the bytes that run: freezing, attesting, pinning, executing.
use e2e::{
    elf,
    keys::{address, key},
    loader,
    verbs::trimmed_len,
    world::{DECIDING, SOL, Stage, TIMELOCK, World},
};
use solana_loader_v3_interface::instruction::{extend_program, upgrade, write};
use solana_signer::Signer;
use upgrade_manager::{
    error::ManagerError,
    instructions::ProposeArgs,
    seeds,
    state::{BufferRole, LenRange, Manifest, Source, TypeRule},
};

/// Anchor's code for an account that does not exist yet.
const NOT_INITIALISED: u32 = 3012;
/// Anchor's code for an address that its seeds do not give.
const SEEDS: u32 = 2006;

#[test]
fn nobody_writes_into_a_frozen_buffer_nor_installs_it_without_the_manager() {
    let mut w = World::at(Stage::Attested);
    let (dev, buffer) = (key("dev"), w.buffer_key("upgrade").pubkey());
    let before = w.chain.data(&buffer);
    let patch = write(&buffer, &dev.pubkey(), 100, vec![0xcc; 8]);
    w.chain.refuse_saying("Incorrect buffer authority", &[patch], &[&dev]);
    let install = upgrade(&demo_vault::ID, &buffer, &dev.pubkey(), &dev.pubkey());
    w.chain.refuse_saying("authority", &[install], &[&dev]);
    assert_eq!(w.chain.data(&buffer), before);
}

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
fn only_loader_buffers_are_frozen() {
    let mut w = World::at(Stage::Registered);
    let program_data = backend::instructions::program_data_address(&demo_vault::ID);
    for not_a_buffer in [demo_vault::ID, program_data, w.vaults[0]] {
        let mut freeze = w.freeze_ix("upgrade", BufferRole::Upgrade);
        let attestation = seeds::attestation(&w.buffer_key("upgrade").pubkey()).0;
        for meta in &mut freeze.accounts {
            if meta.pubkey == w.buffer_key("upgrade").pubkey() {
                meta.pubkey = not_a_buffer;
            } else if meta.pubkey == attestation {
                meta.pubkey = seeds::attestation(&not_a_buffer).0;
            }
        }
        let signers = [&key("dev"), &key("payer")];
        w.chain.refuse(ManagerError::NotALoaderAccount, &[freeze], &signers);
    }
}

#[test]
fn what_was_not_frozen_is_not_attested() {
    let mut w = World::at(Stage::Registered);
    w.upload("upgrade", elf::v2());
    let attest = w.attest_ix("upgrade");
    w.chain.refuse(NOT_INITIALISED, &[attest], &[]);
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
    const MOST: usize = 2 * 1024 * 1024;
    for (len, fits) in [(MOST, true), (MOST + 1, false)] {
        let mut w = World::at(Stage::Registered);
        w.upload("upgrade", elf::v2());
        let buffer = w.buffer_key("upgrade").pubkey();
        w.chain.tamper(&buffer, |data| data.resize(37 + len, 7));
        w.freeze("upgrade", BufferRole::Upgrade);
        let attest = w.attest_ix("upgrade");
        if fits {
            w.run("attest_buffer (2 MiB)", attest, &[]);
        } else {
            w.chain.refuse(ManagerError::ElfTooLarge, &[attest], &[]);
        }
    }
}

#[test]
fn a_rollback_copy_that_differs_in_one_byte_or_could_not_be_deployed_is_no_copy() {
    let live = elf::v1();
    let (mut first, mut last) = (live.to_vec(), live.to_vec());
    let end = backend::elf::trimmed(live).len();
    first[4096] ^= 1;
    last[end - 1] ^= 1;
    let cases = [
        (first, ManagerError::RollbackNotLive),
        (last, ManagerError::RollbackNotLive),
        (live[..end - 1].to_vec(), ManagerError::RollbackNotLive),
        ([live, &[1]].concat(), ManagerError::RollbackNotLive),
        (elf::v2().to_vec(), ManagerError::RollbackNotLive),
        (live[..end].to_vec(), ManagerError::ElfCutShort),
    ];
    for (i, (bytes, error)) in cases.into_iter().enumerate() {
        let mut w = World::at(Stage::Registered);
        w.upload("rollback", &bytes);
        w.freeze("rollback", BufferRole::Rollback);
        let attest = w.attest_rollback_ix("rollback");
        println!("case {i}");
        w.chain.refuse(error, &[attest], &[]);
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
    w.approve_by(&DECIDING);
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
    let cases: [(ManagerError, ProposeArgs); 9] = [
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

#[test]
fn the_surplus_goes_to_the_treasury_and_nowhere_else() {
    let mut w = World::at(Stage::Ready);
    let execute = w.execute_ix("dan");
    let spill = execute.accounts.iter().position(|m| m.pubkey == address("treasury")).unwrap();
    let mut wrong = execute.clone();
    wrong.accounts[spill].pubkey = address("dan");
    w.chain.refuse(ManagerError::WrongAccount, &[wrong], &[&key("dan")]);

    let data = w.state().program_data;
    let buffer = w.buffer_key("upgrade").pubkey();
    w.chain.fund(&data, SOL);
    let rent = w.chain.rent(w.chain.data(&data).len());
    let surplus = w.chain.lamports(&data) + w.chain.lamports(&buffer) - rent;
    let before = w.chain.lamports(&address("treasury"));
    w.chain.ok(&[execute], &[&key("dan")]);
    assert_eq!(w.chain.lamports(&address("treasury")), before + surplus);
    assert_eq!(w.chain.lamports(&data), rent);
}

#[test]
fn an_executor_cannot_swap_any_account_for_another_of_its_kind() {
    let mut w = World::at(Stage::Ready);
    w.second_team();
    w.stage_upgrade("other", elf::v2());
    let good = w.execute_ix("dan");
    let other = w.buffer_key("other").pubkey();
    let rollback = w.buffer_key("rollback").pubkey();
    let manager_data = backend::instructions::program_data_address(&upgrade_manager::ID);
    let swaps = [
        (w.multisig(), upgrade_manager::seeds::multisig(&address("second-create")).0),
        (w.buffer_key("upgrade").pubkey(), other),
        (w.buffer_key("upgrade").pubkey(), rollback),
        (rollback, other),
        (seeds::attestation(&w.buffer_key("upgrade").pubkey()).0, seeds::attestation(&other).0),
        (seeds::attestation(&rollback).0, seeds::attestation(&other).0),
        (demo_vault::ID, upgrade_manager::ID),
        (w.state().program_data, manager_data),
        (seeds::authority(&demo_vault::ID).0, seeds::migrator(&demo_vault::ID).0),
        (solana_loader_v3_interface::get_program_data_address(&demo_vault::ID), manager_data),
    ];
    for (from, to) in swaps {
        let mut ix = good.clone();
        let at = ix.accounts.iter().position(|m| m.pubkey == from).unwrap();
        ix.accounts[at].pubkey = to;
        let refused = w.chain.send(&[ix], &[&key("dan")]).expect_err("swapped");
        let code = refused.code().unwrap_or_else(|| panic!("account {at}: {refused:?}"));
        let named = [u32::from(ManagerError::WrongAccount), SEEDS];
        assert!(named.contains(&code), "account {at}: {code}\n{}", refused.logs.join("\n"));
    }
    assert_eq!(w.state().version, 1);
    w.chain.ok(&[good], &[&key("dan")]);
}

#[test]
fn bytes_that_changed_behind_the_freeze_are_not_installed() {
    // No instruction can do this; the check stands in case a loader ever learns one that can.
    let mut w = World::at(Stage::Ready);
    w.chain.tamper(&w.buffer_key("upgrade").pubkey(), |data| data[5_000] ^= 1);
    let execute = w.execute_ix("dan");
    w.chain.refuse(ManagerError::HashMismatch, &[execute.clone()], &[&key("dan")]);

    let mut w = World::at(Stage::Ready);
    w.chain.tamper(&w.buffer_key("upgrade").pubkey(), |data| data.push(0));
    w.chain.refuse(ManagerError::HashMismatch, &[execute.clone()], &[&key("dan")]);

    let mut w = World::at(Stage::Ready);
    w.chain.tamper(&w.buffer_key("rollback").pubkey(), |data| data[5_000] ^= 1);
    w.chain.refuse(ManagerError::RollbackNotLive, &[execute.clone()], &[&key("dan")]);

    let mut w = World::at(Stage::Ready);
    let dev = address("dev").to_bytes();
    w.chain.tamper(&w.buffer_key("upgrade").pubkey(), |data| data[5..37].copy_from_slice(&dev));
    w.chain.refuse(ManagerError::BufferNotFrozen, &[execute.clone()], &[&key("dan")]);

    let mut w = World::at(Stage::Ready);
    let data = w.state().program_data;
    w.chain.tamper(&data, |data| data[13..45].copy_from_slice(&dev));
    w.chain.refuse(ManagerError::AuthorityLost, &[execute], &[&key("dan")]);
}

#[test]
fn code_the_loader_cannot_verify_changes_nothing() {
    let mut broken = elf::v2().to_vec();
    let table = u64::from_le_bytes(broken[40..48].try_into().unwrap()) as usize;
    // The entry point lies outside of the code.
    broken[24..32].copy_from_slice(&(table as u64).to_le_bytes());
    let mut w = World::at(Stage::Registered);
    w.stage_buffers(&broken, elf::v1());
    w.propose();
    w.approve_by(&DECIDING);
    w.chain.pass(i64::from(TIMELOCK));
    let (execute, before) = (w.execute_ix("dan"), w.state());
    w.chain.refuse_saying("InvalidAccountData", &[execute], &[&key("dan")]);
    assert_eq!(w.state(), before);
    assert_eq!(w.live_code(), backend::elf::trimmed(elf::v1()));
}

#[test]
fn nobody_executes_twice_or_from_outside_the_team() {
    let mut w = World::at(Stage::Ready);
    let execute = w.execute_ix("stranger");
    w.chain.refuse(ManagerError::NotAMember, &[execute], &[&key("stranger")]);
    let again = w.execute_ix("dan");
    w.execute();
    w.chain.next_slot();
    assert!(w.chain.send(&[again.clone()], &[&key("dan")]).is_err());
    w.upload("upgrade", elf::v2());
    w.chain.refuse(ManagerError::NotTimelocked, &[again], &[&key("dan")]);
}

#[test]
fn a_stranger_who_extends_the_program_delays_execution_by_one_slot() {
    let mut w = World::at(Stage::Ready);
    let stranger = key("stranger");
    let extend = extend_program(&demo_vault::ID, Some(&stranger.pubkey()), 10_240);
    w.chain.ok(&[extend], &[&stranger]);
    let execute = w.execute_ix("dan");
    w.chain.refuse_saying("deployed in this block already", &[execute.clone()], &[&key("dan")]);
    w.chain.next_slot();
    w.chain.ok(&[execute], &[&key("dan")]);
    assert_eq!(w.live_code(), backend::elf::trimmed(elf::v2()));
}

#[test]
fn a_program_stretched_to_ten_mebibytes_can_still_be_upgraded() {
    let mut w = World::at(Stage::Ready);
    let data = w.state().program_data;
    w.chain.tamper(&data, |data| data.resize(10 * 1024 * 1024, 0));
    w.execute();
    assert_eq!(w.live_code(), backend::elf::trimmed(elf::v2()));
}

#[test]
fn the_developer_is_no_longer_the_programs_authority() {
    let mut w = World::at(Stage::Registered);
    let dev = key("dev");
    w.upload("mine", elf::v2());
    let buffer = w.buffer_key("mine").pubkey();
    let install = upgrade(&demo_vault::ID, &buffer, &dev.pubkey(), &dev.pubkey());
    w.chain.refuse_saying("authority", &[install], &[&dev]);
    let give_back = solana_loader_v3_interface::instruction::set_upgrade_authority(
        &demo_vault::ID,
        &dev.pubkey(),
        Some(&dev.pubkey()),
    );
    w.chain.refuse_saying("authority", &[give_back], &[&dev]);
    let authority = seeds::authority(&demo_vault::ID).0;
    assert_eq!(loader::authority(&w.chain, &demo_vault::ID), Some(authority));
}
