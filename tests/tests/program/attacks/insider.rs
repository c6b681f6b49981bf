//! Attacks by somebody who knows the program well: blocking a multisig, keeping its rent, reviving
//! a closed account, numbers at the ends of their range.
use backend::instructions::{self as ix, Restore};
use demo_vault::client::{close_ix, open_ix};
use e2e::{
    elf,
    keys::{address, key},
    loader,
    world::{APPROVERS, SOL, Stage, TIMELOCK, VAULTS, World},
};
use sandbox::scenario::vaults::type_rule;
use solana_pubkey::Pubkey;
use solana_signer::Signer;
use upgrade_manager::{
    error::ManagerError,
    instructions::{ProposeArgs, RestoreItem},
    seeds,
    state::{AccountStatus, BufferRole, Phase, ProposalStatus, TypeRule},
};

/// The owner closes a vault. Returns its index, which opens it again at the same address.
fn close(w: &mut World, vault: &Pubkey) -> u32 {
    let index = w.index_of(vault);
    w.chain.ok(&[close_ix(&address("owner"), index)], &[&key("owner")]);
    index
}

#[test]
fn a_vault_reopened_on_the_new_layout_does_not_block_completion() {
    let mut w = World::at(Stage::Ready);
    let vault = w.vaults[2];
    let index = close(&mut w, &vault);
    w.execute();
    w.chain.next_slot();
    w.chain.ok(&[open_ix(&address("owner"), index)], &[&key("owner")]);
    let others: Vec<_> = w.vaults.iter().copied().filter(|v| *v != vault).collect();
    let both = [w.migrate_ix(&others), w.verify_ix(&others)];
    w.chain.ok(&both, &[&key("cranker")]);
    let complete = w.complete_ix("dan");
    w.chain.refuse(ManagerError::NotComplete, &[complete], &[&key("dan")]);
    let migrate = w.migrate_ix(&[vault]);
    w.chain.refuse(ManagerError::NotEligible, &[migrate], &[&key("cranker")]);
    let mark = w.mark_closed_ix(&vault);
    w.run("mark_closed", mark.clone(), &[&key("cranker")]);
    w.chain.refuse(ManagerError::RecordStatus, &[mark], &[&key("cranker")]);
    w.complete();
    let counters = w.state().counters;
    assert_eq!((counters.closed, counters.verified), (1, VAULTS - 1));
}

#[test]
fn a_rollback_buffer_longer_than_the_program_is_not_attested() {
    let mut w = World::at(Stage::Registered);
    let room = loader::live(&w.chain, &demo_vault::ID).len();
    for (name, len, fits) in [("long", room + 1, false), ("rollback", room, true)] {
        let mut padded = elf::v1().to_vec();
        padded.resize(len, 0);
        w.upload(name, &padded);
        w.freeze(name, BufferRole::Rollback);
        let attest = w.attest_rollback_ix(name);
        if fits {
            w.chain.ok(&[attest], &[]);
        } else {
            w.chain.refuse(ManagerError::RollbackNotLive, &[attest], &[]);
        }
    }
    w.stage_upgrade("upgrade", elf::v2());
    w.propose();
    w.approve_by(&APPROVERS);
    w.chain.pass(i64::from(TIMELOCK));
    w.execute();
    w.vote_rollback(&APPROVERS, false);
    w.chain.next_slot();
    w.roll_back();
    assert_eq!(w.live_code(), backend::elf::trimmed(elf::v1()));
}

#[test]
fn a_buffer_that_is_its_own_authority_is_not_frozen() {
    let mut w = World::at(Stage::Registered);
    let buffer = w.buffer_key("upgrade");
    w.chain.fund(&buffer.pubkey(), SOL);
    w.upload("other", elf::v2());
    let mut data = w.chain.account(&w.buffer_key("other").pubkey()).unwrap();
    data.data[5..37].copy_from_slice(buffer.pubkey().as_ref());
    w.chain.plant(&buffer.pubkey(), data);
    let (at, payer) = (buffer.pubkey(), key("payer"));
    let freeze = ix::freeze_buffer(&at, &payer.pubkey(), &demo_vault::ID, &at, BufferRole::Upgrade);
    w.chain.refuse(ManagerError::WrongAccount, &[freeze], &[&buffer, &payer]);
}

#[test]
fn a_version_too_large_for_the_accounts_version_field_is_not_proposed() {
    let mut w = World::at(Stage::Attested);
    let narrow = TypeRule { version_width: 1, ..type_rule() };
    for (to_version, fits) in [(256, false), (255, true)] {
        let args = ProposeArgs { to_version, type_rules: vec![narrow], ..w.propose_args() };
        let propose = w.propose_ix("anna", args);
        let signers = [&key("anna"), &key("payer")];
        if fits {
            w.chain.ok(&[propose], &signers);
        } else {
            w.chain.refuse(ManagerError::TypeRule, &[propose], &signers);
        }
    }
}

#[test]
fn one_wallet_can_be_signer_payer_and_rent_payer() {
    // Anchor refuses an account that is passed twice and written to, unless it was told not to.
    let mut w = World::at(Stage::Registered);
    let (anna, program) = (key("anna"), demo_vault::ID);
    let who = anna.pubkey();
    for (name, code, role) in
        [("upgrade", elf::v2(), BufferRole::Upgrade), ("rollback", elf::v1(), BufferRole::Rollback)]
    {
        let buffer = w.buffer_key(name);
        loader::upload(&mut w.chain, &buffer, &anna, code);
        let freeze = ix::freeze_buffer(&who, &who, &program, &buffer.pubkey(), role);
        w.chain.ok(&[freeze], &[&anna]);
    }
    w.attest("upgrade");
    w.attest_rollback("rollback");
    w.before = w.snapshot();
    let (up, back) = (w.buffer_key("upgrade").pubkey(), w.buffer_key("rollback").pubkey());
    let propose = ix::propose_upgrade(&who, &who, &w.keys(), &up, &back, w.propose_args());
    w.chain.ok(&[propose], &[&anna]);
    w.approve_by(&APPROVERS);
    w.chain.pass(i64::from(TIMELOCK));
    let execute = w.execute_ix("anna");
    w.chain.ok(&[execute], &[&anna]);
    w.chain.next_slot();
    let (vaults, terms) = (w.vaults.clone(), w.proposal().terms);
    let migrate = ix::migrate_accounts(&who, &terms, &w.targets(&vaults[1..]));
    let aside = ix::quarantine(&who, &who, &w.keys(), &vaults[0]);
    w.chain.ok(&[migrate, aside], &[&anna]);
    w.vote_rollback(&APPROVERS, false);
    let item = |v: &Pubkey| {
        let item = RestoreItem::Bytes(w.before[v].data.clone());
        Restore { account: *v, rent_refund: who, item }
    };
    let items: Vec<_> = vaults[1..].iter().map(item).collect();
    let restore = ix::restore_accounts(&who, &who, &terms, &items);
    let back = w.rollback_ix("anna");
    w.chain.ok(&[restore, back], &[&anna]);
    assert_eq!(w.snapshot(), w.before);
    let mut close: Vec<_> = vaults.iter().map(|v| w.close_record_ix("anna", v)).collect();
    close.extend(["upgrade", "rollback"].map(|name| w.close_buffer_ix("anna", name)));
    close.push(w.close_proposal_ix("anna"));
    w.chain.ok(&close, &[&anna]);
    assert!(w.chain.account(&w.proposal_address()).is_none());
}

#[test]
fn a_rollback_stops_the_next_proposal_and_frees_the_multisig() {
    let mut w = World::at(Stage::Completed);
    let first = w.id;
    w.stage_upgrade("upgrade-2", elf::v2());
    w.stage_rollback("rollback-2", elf::v2());
    w.id = w.config().next_proposal;
    let args = ProposeArgs { to_version: 3, ..w.propose_args() };
    let propose = w.propose_with_ix("anna", args, "upgrade-2", "rollback-2");
    w.chain.ok(&[propose], &[&key("anna"), &key("payer")]);
    w.approve_by(&APPROVERS);
    w.chain.pass(i64::from(TIMELOCK));
    let (second, dan) = (w.id, key("dan"));

    w.id = first;
    w.vote_rollback(&APPROVERS, false);
    w.id = second;
    let execute = w.execute_ix("dan");
    w.chain.refuse(ManagerError::NotSteady, &[execute], &[&dan]);
    w.id = first;
    w.restore_all();
    w.roll_back();
    w.chain.next_slot();
    assert_eq!(
        w.state().live_proposal,
        Some(seeds::proposal(&demo_vault::ID, &w.multisig(), second).0)
    );
    w.id = second;
    let execute = w.execute_ix("dan");
    w.chain.refuse(ManagerError::Superseded, &[execute], &[&dan]);

    for member in APPROVERS {
        let cancel = w.cancel_ix(member);
        w.chain.ok(&[cancel], &[&key(member)]);
    }
    w.id = first;
    w.close_buffers(&["upgrade", "rollback"]);
    w.stage_buffers(elf::v2(), elf::v1());
    w.propose();
    assert_eq!(w.proposal().status, ProposalStatus::Active);
}

#[test]
fn a_vault_migrated_after_completion_blocks_the_rollback_until_it_is_restored() {
    let mut w = World::at(Stage::Proposed);
    let planned = w.vaults.clone();
    w.open_vault(50, SOL);
    let late = *w.vaults.iter().find(|v| !planned.contains(v)).unwrap();
    w.before.insert(late, w.chain.account(&late).unwrap());
    w.vaults = planned;
    w.approve_by(&APPROVERS);
    w.chain.pass(i64::from(TIMELOCK));
    w.execute();
    w.chain.next_slot();
    w.migrate_all();
    w.verify_all();
    w.complete();
    let follow = w.migrate_ix(&[late]);
    w.chain.ok(&[follow], &[&key("cranker")]);
    assert_eq!((w.proposal().status, w.state().phase), (ProposalStatus::Completed, Phase::Steady));
    w.vote_rollback(&APPROVERS, false);
    w.restore_all();
    let back = w.rollback_ix("dan");
    w.chain.refuse(ManagerError::NotRestored, &[back.clone()], &[&key("dan")]);
    let last = w.restore_ix("dan", &w.old_bytes(&[late]));
    w.chain.ok(&[last, back], &[&key("dan"), &key("payer")]);
    w.vaults.push(late);
    assert_eq!(w.snapshot(), w.before);
}

#[test]
fn the_largest_verify_batch_fits_the_heap_with_both_its_events() {
    // 64 accounts is what a transaction may lock: 28 vaults and records, and the fixed ones.
    const MAX_ACCOUNTS: u32 = 28;
    let mut w = World::at(Stage::Registered);
    (100..100 + MAX_ACCOUNTS).for_each(|index| w.open_vault(index, 0));
    w.vaults = w.vaults.iter().copied().filter(|v| w.index_of(v) >= 100).collect();
    w.stage_buffers(elf::v2(), elf::v1());
    w.propose();
    w.approve_by(&APPROVERS);
    w.chain.pass(i64::from(TIMELOCK));
    w.execute();
    w.chain.next_slot();
    let vaults = w.vaults.clone();
    for batch in vaults.chunks(14) {
        let migrate = w.migrate_ix(batch);
        w.chain.ok(&[migrate], &[&key("cranker")]);
    }
    for vault in vaults.iter().step_by(2) {
        close(&mut w, vault);
    }
    let seen = w.events.len();
    w.verify_all();
    assert_eq!(w.events.len(), seen + 2);
    let counters = w.state().counters;
    assert_eq!((counters.closed, counters.verified), (MAX_ACCOUNTS / 2, MAX_ACCOUNTS / 2));
    assert_eq!(w.record(&vaults[0]).status, AccountStatus::Closed);
    w.complete();
}
