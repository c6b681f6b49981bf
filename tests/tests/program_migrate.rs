//! What migration may touch, who pays, and when it counts as done.
use demo_vault::{
    client::{close_ix, deposit_ix, open_ix, set_limit_ix, vault_address, withdraw_ix},
    v1, v2,
};
use e2e::{
    keys::{address, key},
    world::{DECIDING, SOL, Stage, VAULTS, World, sha256},
};
use solana_account::Account;
use solana_instruction::AccountMeta;
use solana_pubkey::Pubkey;
use upgrade_manager::{
    error::ManagerError,
    seeds,
    state::{AccountStatus, Phase, ProposalStatus},
};

/// Anchor's code for an address that its seeds do not give.
const SEEDS: u32 = 2006;
/// Accounts of `migrate_accounts` and of `verify_accounts` in front of the batch.
const MIGRATE_HEAD: usize = 9;
const VERIFY_HEAD: usize = 4;

#[track_caller]
fn refuse_migration(w: &mut World, error: ManagerError, accounts: &[Pubkey]) {
    let migrate = w.migrate_ix(accounts);
    w.chain.refuse(error, &[migrate], &[&key("cranker")]);
}

#[test]
fn nothing_migrates_before_execution_or_in_its_slot() {
    let mut w = World::at(Stage::Ready);
    let vaults = w.vaults.clone();
    refuse_migration(&mut w, ManagerError::NotExecuted, &vaults);
    w.execute();
    refuse_migration(&mut w, ManagerError::SameSlot, &vaults);
    w.chain.pass(0);
    refuse_migration(&mut w, ManagerError::SameSlot, &vaults);
    w.chain.next_slot();
    w.migrate_all();
}

#[test]
fn a_vault_migrates_once() {
    let mut w = World::at(Stage::Migrated);
    let (vault, before) = (w.vaults[2], w.snapshot());
    refuse_migration(&mut w, ManagerError::AlreadyMigrated, &[vault]);
    w.verify_all();
    refuse_migration(&mut w, ManagerError::AlreadyMigrated, &[vault]);
    assert_eq!(w.snapshot(), before);
    assert_eq!(w.state().counters.verified, VAULTS);
}

#[test]
fn whoever_migrates_pays_exactly_for_growth_and_records() {
    let mut w = World::at(Stage::Executed);
    let cranker = address("cranker");
    let (gift, vault) = (1_234_567, w.vaults[0]);
    w.chain.fund(&vault, gift);
    let (before, purse) = (w.snapshot(), w.chain.lamports(&cranker));
    w.migrate_all();
    let growth = w.chain.rent(v2::LEN) - w.chain.rent(v1::LEN);
    for vault in &w.vaults {
        assert_eq!(w.chain.lamports(vault), before[vault].lamports + growth);
        let record = w.record(vault);
        assert_eq!((record.rent_paid, record.rent_payer), (growth, cranker));
    }
    let record = seeds::account_version(&demo_vault::ID, &vault).0;
    let cost = (growth + w.chain.lamports(&record)) * u64::from(VAULTS);
    assert_eq!(purse - w.chain.lamports(&cranker), cost);
}

#[test]
fn a_gift_to_a_vault_before_its_migration_does_not_stop_its_restore() {
    let mut w = World::at(Stage::Executed);
    for vault in w.vaults.clone() {
        w.chain.fund(&vault, 153_120);
    }
    w.migrate_all();
    w.vote_rollback(&DECIDING, false);
    w.restore_all();
    for (vault, account) in w.snapshot() {
        assert_eq!(account.data, w.before[&vault].data);
        assert_eq!(account.lamports, w.before[&vault].lamports + 153_120);
    }
}

#[test]
fn a_squatted_record_address_does_not_stop_a_migration() {
    let mut w = World::at(Stage::Executed);
    for (i, vault) in w.vaults.clone().iter().enumerate() {
        let record = seeds::account_version(&demo_vault::ID, vault).0;
        w.chain.fund(&record, 1_000_000 * (i as u64 * 4 + 1));
    }
    w.migrate_all();
    assert_eq!(w.state().counters.migrated, VAULTS);
}

#[test]
fn accounts_of_others_and_of_other_kinds_do_not_migrate() {
    let mut w = World::at(Stage::Executed);
    let stranger = address("stranger");
    let mut lookalike = w.before[&w.vaults[0]].clone();
    lookalike.owner = stranger;
    w.chain.plant(&address("lookalike"), lookalike.clone());
    let own = |data: Vec<u8>| Account { data, owner: demo_vault::ID, ..lookalike.clone() };
    let mut other_kind = lookalike.data.clone();
    other_kind[0] ^= 1;
    w.chain.plant(&address("other-kind"), own(other_kind));
    let mut other_version = lookalike.data.clone();
    other_version[8] = 3;
    w.chain.plant(&address("other-version"), own(other_version));
    let mut longer = lookalike.data.clone();
    longer.push(0);
    w.chain.plant(&address("longer"), own(longer));
    w.chain.plant(&address("shorter"), own(lookalike.data[..9].to_vec()));
    for name in ["lookalike", "other-kind", "other-version", "longer", "shorter", "stranger"] {
        println!("{name}");
        refuse_migration(&mut w, ManagerError::NotEligible, &[address(name)]);
    }
    let (owner, who) = (key("owner"), address("owner"));
    w.chain.ok(&[open_ix(&who, 90)], &[&owner]);
    refuse_migration(&mut w, ManagerError::NotEligible, &[vault_address(&who, 90)]);
    for own in [w.proposal_address(), w.multisig()] {
        refuse_migration(&mut w, ManagerError::NotEligible, &[own]);
    }
    assert_eq!(w.proposal().status, ProposalStatus::Executed);
}

#[test]
fn a_batch_is_whole_ascending_and_without_repetition() {
    let mut w = World::at(Stage::Executed);
    let vaults = w.vaults.clone();
    let reversed: Vec<_> = vaults.iter().rev().copied().collect();
    for batch in
        [vec![], reversed, vec![vaults[0], vaults[0]], vec![vaults[0], vaults[2], vaults[1]]]
    {
        refuse_migration(&mut w, ManagerError::BadBatch, &batch);
    }
    let mut half = w.migrate_ix(&vaults);
    half.accounts.pop();
    w.chain.refuse(ManagerError::BadBatch, &[half], &[&key("cranker")]);
    let mut long = w.migrate_ix(&vaults);
    long.accounts.push(AccountMeta::new(vaults[0], false));
    w.chain.refuse(ManagerError::BadBatch, &[long], &[&key("cranker")]);

    w.migrate_all();
    let reversed: Vec<_> = vaults.iter().rev().copied().collect();
    for batch in [vec![], reversed, vec![vaults[0], vaults[0]]] {
        let verify = w.verify_ix(&batch);
        w.chain.refuse(ManagerError::BadBatch, &[verify], &[]);
    }
}

#[test]
fn one_bad_account_stops_its_whole_batch() {
    let mut w = World::at(Stage::Executed);
    let (owner, who) = (key("owner"), address("owner"));
    w.chain.ok(&[open_ix(&who, 90)], &[&owner]);
    let mut batch = w.vaults.clone();
    batch.push(vault_address(&who, 90));
    batch.sort();
    let before = w.snapshot();
    refuse_migration(&mut w, ManagerError::NotEligible, &batch);
    assert_eq!(w.snapshot(), before);
    assert_eq!(w.state().counters.migrated, 0);
}

#[test]
fn a_record_of_another_account_is_not_taken() {
    let mut w = World::at(Stage::Executed);
    let (a, b) = (w.vaults[0], w.vaults[1]);
    let mut crossed = w.migrate_ix(&[a]);
    let of_b = seeds::account_version(&demo_vault::ID, &b).0;
    crossed.accounts[MIGRATE_HEAD + 1].pubkey = of_b;
    w.chain.refuse(ManagerError::WrongAccount, &[crossed.clone()], &[&key("cranker")]);
    let migrate_b = w.migrate_ix(&[b]);
    w.chain.ok(&[migrate_b], &[&key("cranker")]);
    w.chain.refuse(ManagerError::WrongAccount, &[crossed], &[&key("cranker")]);
    let mut verify = w.verify_ix(&[a]);
    verify.accounts[VERIFY_HEAD + 1].pubkey = of_b;
    w.chain.refuse(ManagerError::WrongAccount, &[verify], &[]);
    let mut record = w.migrate_ix(&[a]);
    record.accounts[MIGRATE_HEAD + 1].pubkey = w.proposal_address();
    assert!(w.chain.send(&[record], &[&key("cranker")]).is_err());
}

#[test]
fn the_target_is_called_only_as_itself_and_only_with_the_migrator() {
    let mut w = World::at(Stage::Executed);
    let vaults = w.vaults.clone();
    let good = w.migrate_ix(&vaults);
    let swaps = [
        (demo_vault::ID, upgrade_manager::ID, u32::from(ManagerError::WrongAccount)),
        (seeds::migrator(&demo_vault::ID).0, seeds::authority(&demo_vault::ID).0, SEEDS),
        (
            w.state().program_data,
            backend::instructions::program_data_address(&upgrade_manager::ID),
            ManagerError::WrongAccount.into(),
        ),
    ];
    for (from, to, code) in swaps {
        let mut ix = good.clone();
        let at = ix.accounts.iter().position(|m| m.pubkey == from).unwrap();
        ix.accounts[at].pubkey = to;
        w.chain.refuse(code, &[ix], &[&key("cranker")]);
    }
}

#[test]
fn a_program_the_manager_no_longer_holds_is_not_called() {
    let mut w = World::at(Stage::Executed);
    let (vaults, dev) = (w.vaults.clone(), address("dev").to_bytes());
    let data = w.state().program_data;
    w.chain.tamper(&data, |data| data[13..45].copy_from_slice(&dev));
    refuse_migration(&mut w, ManagerError::AuthorityLost, &vaults);
}

#[test]
fn verification_marks_what_users_changed_and_refuses_what_did_not_migrate() {
    let mut w = World::at(Stage::Executed);
    let vaults = w.vaults.clone();
    let none = w.verify_ix(&vaults[..1]);
    w.chain.refuse(ManagerError::WrongAccount, &[none], &[]);
    let migrate = w.migrate_ix(&vaults[..4]);
    w.chain.ok(&[migrate], &[&key("cranker")]);
    let (owner, index) = (key("owner"), w.index_of(&vaults[1]));
    w.chain.ok(&[set_limit_ix(&address("owner"), index, 9)], &[&owner]);
    let verify = w.verify_ix(&vaults[..4]);
    w.run("verify_accounts (4)", verify.clone(), &[]);
    for (i, vault) in vaults[..4].iter().enumerate() {
        let record = w.record(vault);
        assert_eq!((record.status, record.touched), (AccountStatus::Verified, i == 1));
    }
    w.chain.refuse(ManagerError::RecordStatus, &[verify], &[]);
    assert_eq!(w.state().counters.verified, 4);
}

#[test]
fn a_migrated_vault_that_lost_its_layout_is_not_verified() {
    let mut w = World::at(Stage::Migrated);
    let vault = w.vaults[0];
    w.chain.tamper(&vault, |data| data.truncate(v1::LEN));
    let verify = w.verify_ix(&[vault]);
    w.chain.refuse(ManagerError::TargetBroke, &[verify], &[]);
}

#[test]
fn completion_waits_for_every_account_of_the_manifest() {
    let mut w = World::at(Stage::Executed);
    let (vaults, complete) = (w.vaults.clone(), w.complete_ix("dan"));
    w.chain.refuse(ManagerError::NotComplete, &[complete.clone()], &[&key("dan")]);
    w.migrate_all();
    w.chain.refuse(ManagerError::NotComplete, &[complete.clone()], &[&key("dan")]);
    let verify = w.verify_ix(&vaults[..5]);
    w.chain.ok(&[verify], &[]);
    w.chain.refuse(ManagerError::NotComplete, &[complete.clone()], &[&key("dan")]);
    let verify = w.verify_ix(&vaults[5..]);
    w.chain.ok(&[verify], &[]);
    let stranger = w.complete_ix("stranger");
    w.chain.refuse(ManagerError::NotAMember, &[stranger], &[&key("stranger")]);
    w.chain.ok(&[complete.clone()], &[&key("dan")]);
    w.chain.refuse(ManagerError::NotExecuted, &[complete], &[&key("dan")]);
}

/// A world in which the owner closed one vault after planning; its address.
fn with_closed_vault() -> (World, Pubkey) {
    let mut w = World::at(Stage::Ready);
    let vault = w.vaults[3];
    let index = w.index_of(&vault);
    w.chain.ok(&[close_ix(&address("owner"), index)], &[&key("owner")]);
    w.execute();
    w.chain.next_slot();
    (w, vault)
}

#[test]
fn a_vault_closed_since_planning_is_counted_by_its_proof_alone() {
    let (mut w, gone) = with_closed_vault();
    let cranker = key("cranker");
    let good = w.mark_closed_ix(&gone);
    let (keys, hash) = (w.keys(), sha256(&w.before[&gone].data));
    let proof = |i| upgrade_manager::state::manifest::proof(&w.leaves(), i).unwrap();
    let mark = |account, index, hash, proof| {
        let payer = address("cranker");
        backend::instructions::mark_closed(&payer, &keys, account, index, hash, proof)
    };
    let never_there = address("never-there");
    let mut long = proof(3);
    long.push([0; 32]);
    let bad = [
        mark(&gone, 2, hash, proof(3)),
        mark(&gone, 3, hash, proof(2)),
        mark(&gone, 3, [0; 32], proof(3)),
        mark(&gone, 3, hash, vec![]),
        mark(&gone, 3, hash, long),
        mark(&gone, VAULTS, hash, proof(3)),
        mark(&never_there, 3, hash, proof(3)),
    ];
    for ix in bad {
        w.chain.refuse(ManagerError::BadProof, &[ix], &[&cranker]);
    }
    w.run("mark_closed", good.clone(), &[&cranker]);
    w.chain.refuse(ManagerError::RecordStatus, &[good], &[&cranker]);
    assert_eq!(w.record(&gone).status, AccountStatus::Closed);
    w.vaults.remove(3);
    w.migrate_all();
    w.verify_all();
    w.complete();
    let counters = w.state().counters;
    assert_eq!((counters.closed, counters.verified), (1, VAULTS - 1));
}

#[test]
fn a_vault_that_still_exists_is_not_marked_closed() {
    let mut w = World::at(Stage::Executed);
    for vault in w.vaults.clone() {
        let mark = w.mark_closed_ix(&vault);
        w.chain.refuse(ManagerError::AccountExists, &[mark], &[&key("cranker")]);
    }
    w.migrate_all();
    let mark = w.mark_closed_ix(&w.vaults[0].clone());
    w.chain.refuse(ManagerError::AccountExists, &[mark], &[&key("cranker")]);
}

#[test]
fn a_closed_vault_refilled_with_lamports_is_still_closed() {
    let (mut w, gone) = with_closed_vault();
    w.chain.fund(&gone, SOL);
    let mark = w.mark_closed_ix(&gone);
    w.chain.ok(&[mark], &[&key("cranker")]);
}

#[test]
fn a_vault_closed_after_its_migration_does_not_stand_in_the_way() {
    let mut w = World::at(Stage::Migrated);
    let (vault, owner) = (w.vaults[1], key("owner"));
    let index = w.index_of(&vault);
    w.chain.ok(&[close_ix(&address("owner"), index)], &[&owner]);
    w.verify_all();
    assert_eq!(w.record(&vault).status, AccountStatus::Closed);
    let counters = w.state().counters;
    assert_eq!((counters.verified, counters.closed, counters.migrated), (VAULTS - 1, 1, 0));
    w.complete();
}

#[test]
fn only_an_executor_sets_an_account_aside_and_only_one_that_is_stuck() {
    let mut w = World::at(Stage::Executed);
    let vaults = w.vaults.clone();
    let payer = key("payer");
    let outside = w.quarantine_ix("stranger", &vaults[0]);
    w.chain.refuse(ManagerError::NotAMember, &[outside], &[&key("stranger"), &payer]);
    let foreign = w.quarantine_ix("dan", &w.multisig());
    w.chain.refuse(ManagerError::NotEligible, &[foreign], &[&key("dan"), &payer]);
    let aside = w.quarantine_ix("dan", &vaults[0]);
    w.run("quarantine", aside.clone(), &[&key("dan"), &payer]);
    w.chain.refuse(ManagerError::RecordStatus, &[aside], &[&key("dan"), &payer]);
    refuse_migration(&mut w, ManagerError::RecordStatus, &vaults);
    let migrate = w.migrate_ix(&vaults[1..]);
    w.chain.ok(&[migrate], &[&key("cranker")]);
    let sound = w.quarantine_ix("dan", &vaults[1]);
    w.chain.refuse(ManagerError::RecordStatus, &[sound], &[&key("dan"), &payer]);
    let verify = w.verify_ix(&vaults[1..]);
    w.chain.ok(&[verify], &[]);
    w.complete();
    let counters = w.state().counters;
    assert_eq!((counters.quarantined, counters.verified), (1, VAULTS - 1));
}

#[test]
fn nothing_is_proposed_while_accounts_are_on_their_way() {
    let mut w = World::at(Stage::Executed);
    w.stage_upgrade("upgrade-2", e2e::elf::v2());
    w.stage_rollback("rollback-2", e2e::elf::v2());
    let propose =
        |w: &World| w.propose_with_ix("anna", w.propose_args(), "upgrade-2", "rollback-2");
    let (early, signers) = (propose(&w), [&key("anna"), &key("payer")]);
    w.chain.refuse(ManagerError::LiveProposal, &[early], &signers);
    w.migrate_all();
    w.vote_rollback(&DECIDING, false);
    assert_eq!(w.state().phase, Phase::RollingBack);
    let early = propose(&w);
    w.chain.refuse(ManagerError::LiveProposal, &[early], &signers);
}

#[test]
fn a_vault_in_use_keeps_its_money_through_its_migration() {
    let mut w = World::at(Stage::Executed);
    let (owner, who) = (key("owner"), address("owner"));
    let balance = |w: &World, i| w.chain.read::<v2::Vault>(&vault_address(&who, i)).balance;
    w.migrate_all();
    let full = balance(&w, 5);
    w.chain.ok(&[withdraw_ix(&who, 5, full)], &[&owner]);
    assert_eq!(w.chain.lamports(&vault_address(&who, 5)), w.chain.rent(v2::LEN));
    w.chain.ok(&[deposit_ix(&who, 5, 3)], &[&owner]);
    assert_eq!(balance(&w, 5), 3);
}
