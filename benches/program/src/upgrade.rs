//! Figures of an upgrade, from the creation of the multisig to the last returned rent: the demo
//! vault from its first layout to its second, by a multisig of five with a threshold of three.
use demo_vault::client;
use e2e::{
    elf,
    keys::{address, key},
    world::{APPROVERS, ROLLBACK_WINDOW, Stage, World},
};
use upgrade_manager::{
    instructions::RestoreItem,
    state::{BufferRole, CRITICAL},
};

use crate::meter::Meter;

/// Names of the approvals, in their order.
pub const VOTES: [&str; 3] = ["first of three", "second", "third, decides"];

/// Every instruction of this file.
pub fn measure(m: &mut Meter) {
    forward(m);
    votes(m);
    settling(m);
    back(m);
    critical(m);
}

/// The upgrade up to its completion, and the returned rents.
fn forward(m: &mut Meter) {
    let mut w = World::at(Stage::Deployed);
    let ix = w.create_multisig_ix(w.multisig_args());
    m.run(&mut w.chain, "five members", ix, &["payer", "create"]);
    let ix = w.register_ix();
    m.run(&mut w.chain, &kib(elf::v1()), ix, &["payer", "dev"]);

    w.upload("upgrade", elf::v2());
    let ix = w.freeze_ix("upgrade", BufferRole::Upgrade);
    m.run(&mut w.chain, "", ix, &["payer", "dev"]);
    let ix = w.attest_ix("upgrade");
    m.run(&mut w.chain, &kib(elf::v2()), ix, &[]);
    w.upload("rollback", elf::v1());
    w.freeze("rollback", BufferRole::Rollback);
    let ix = w.attest_rollback_ix("rollback");
    m.run(&mut w.chain, &kib(elf::v1()), ix, &[]);

    w.before = w.snapshot();
    let ix = w.propose_ix("anna", w.propose_args());
    m.run(&mut w.chain, "one type rule", ix, &["payer", "anna"]);
    for (member, vote) in APPROVERS.into_iter().zip(VOTES) {
        let ix = w.approve_ix(member);
        m.run(&mut w.chain, vote, ix, &[member]);
    }
    let lock = w.proposal().eta - w.chain.time();
    w.chain.pass(lock);
    let ix = w.execute_ix("dan");
    m.run(&mut w.chain, &kib(elf::v2()), ix, &["dan"]);
    w.chain.next_slot();

    let (one, rest) = w.vaults.split_at(1);
    let (one, rest) = (one.to_vec(), rest.to_vec());
    let ix = w.migrate_ix(&one);
    m.run(&mut w.chain, "1 account", ix, &["cranker"]);
    let ix = w.migrate_ix(&rest);
    w.run("migrate_accounts", ix, &[&key("cranker")]);
    let ix = w.verify_ix(&one);
    m.run(&mut w.chain, "1 account", ix, &[]);
    let ix = w.verify_ix(&rest);
    w.run("verify_accounts", ix, &[]);
    let ix = w.complete_ix("dan");
    m.run(&mut w.chain, "", ix, &["dan"]);

    w.chain.pass(i64::from(ROLLBACK_WINDOW) + 1);
    let ix = w.close_record_ix("stranger", &one[0]);
    m.run(&mut w.chain, "", ix, &["stranger"]);
    let ix = w.close_buffer_ix("stranger", "rollback");
    m.run(&mut w.chain, "", ix, &["stranger"]);
    w.close_buffers(&["upgrade"]);
    let ix = w.close_proposal_ix("stranger");
    m.run(&mut w.chain, "", ix, &["stranger"]);
}

/// The instructions that end or change a proposal before its execution.
fn votes(m: &mut Meter) {
    let mut w = World::at(Stage::Proposed);
    let ix = w.cancel_ix("anna");
    m.run(&mut w.clone().chain, "by the proposer", ix, &["anna"]);
    let ix = w.cancel_ix("guardian");
    m.run(&mut w.clone().chain, "by the guardian", ix, &["guardian"]);
    let ix = w.reject_ix("ben");
    m.run(&mut w.chain, "first of three", ix, &["ben"]);
    let ix = w.cancel_ix("chloe");
    m.run(&mut w.chain, "vote, first of three", ix, &["chloe"]);
    let ix = w.revoke_ix("ben");
    m.run(&mut w.chain, "", ix, &["ben"]);
    let end = w.proposal().terms.expires_at;
    w.chain.pass_until(end + 1);
    let ix = w.expire_ix();
    m.run(&mut w.chain, "", ix, &[]);

    let mut w = World::at(Stage::Registered);
    w.upload("stray", elf::v2());
    let stray = w.buffer_key("stray");
    let authority = upgrade_manager::seeds::authority(&demo_vault::ID).0;
    let give = solana_loader_v3_interface::instruction::set_buffer_authority(
        &solana_signer::Signer::pubkey(&stray),
        &address("dev"),
        &authority,
    );
    w.chain.ok(&[give], &[&key("dev")]);
    let ix = w.reclaim_ix("dan", "stray");
    m.run(&mut w.chain, "", ix, &["dan"]);
}

/// Accounts that count without a migration: closed and quarantined ones.
fn settling(m: &mut Meter) {
    let mut w = World::at(Stage::Ready);
    let vault = w.vaults[0];
    let close = client::close_ix(&address("owner"), w.index_of(&vault));
    w.chain.ok(&[close], &[&key("owner")]);
    w.execute();
    w.chain.next_slot();
    let ix = w.mark_closed_ix(&vault);
    m.run(&mut w.chain, "6 in the manifest", ix, &["cranker"]);
    let ix = w.quarantine_ix("dan", &w.vaults[1]);
    m.run(&mut w.chain, "", ix, &["payer", "dan"]);
}

/// The rollback.
fn back(m: &mut Meter) {
    let mut w = World::at(Stage::Migrated);
    let ix = w.approve_rollback_ix("guardian", false);
    m.run(&mut w.clone().chain, "by the guardian", ix, &["guardian"]);
    for (member, vote) in APPROVERS.into_iter().zip(VOTES) {
        let ix = w.approve_rollback_ix(member, false);
        m.run(&mut w.chain, vote, ix, &[member]);
    }
    let ix = w.restore_ix("dan", &w.old_bytes(&w.vaults[..1]));
    m.run(&mut w.chain, "1 account, from bytes", ix, &["payer", "dan"]);
    let ix = w.restore_ix("dan", &w.old_bytes(&w.vaults[1..]));
    w.run("restore_accounts", ix, &[&key("dan"), &key("payer")]);
    let ix = w.rollback_ix("dan");
    m.run(&mut w.chain, &kib(elf::v1()), ix, &["dan"]);
}

/// The rollback of an account with a backup on the chain.
fn critical(m: &mut Meter) {
    let mut w = World::at(Stage::Attested);
    w.before = w.snapshot();
    let mut args = w.propose_args();
    args.type_rules.iter_mut().for_each(|rule| rule.flags = CRITICAL);
    let ix = w.propose_ix("anna", args);
    w.run("propose_upgrade", ix, &[&key("anna"), &key("payer")]);
    w.approve_by(&APPROVERS);
    let lock = w.proposal().eta - w.chain.time();
    w.chain.pass(lock);
    w.execute();
    w.chain.next_slot();
    let one = w.vaults[..1].to_vec();
    let ix = w.migrate_ix(&one);
    m.run(&mut w.chain, "1 critical account", ix, &["cranker"]);
    w.vote_rollback(&APPROVERS, false);
    let ix = w.restore_ix("dan", &[(one[0], RestoreItem::Backup)]);
    m.run(&mut w.chain, "1 account, from its backup", ix, &["payer", "dan"]);
    let ix = w.close_backup_ix("stranger", &one[0]);
    m.run(&mut w.chain, "", ix, &["stranger"]);
}

/// The size of `elf` in words.
pub fn kib(elf: &[u8]) -> String {
    format!("ELF of {} KiB", elf.len().div_ceil(1024))
}
