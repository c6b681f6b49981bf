//! The largest batches that fit a transaction, and the compute units of every instruction. Units
//! are printed; run with `--nocapture` to see them. They differ between compilers, so the tests
//! assert only wide bounds.
use e2e::{
    keys::{address, key},
    world::{APPROVERS, MEMBERS, SOL, Stage, World},
};
use litesvm::types::TransactionMetadata;

/// Accounts whose migration fits the runtime's 64 instructions: one call of the target, one transfer
/// and one creation of a record each.
const BATCH: u32 = 20;

/// Compute units of the vault program, from the runtime's log.
fn taken_by_target(meta: &TransactionMetadata) -> u64 {
    let line = format!("Program {} consumed ", demo_vault::ID);
    let taken = |log: &String| log.strip_prefix(&line)?.split(' ').next()?.parse::<u64>().ok();
    meta.logs.iter().filter_map(taken).sum()
}

fn with_vaults(n: u32) -> World {
    let mut w = World::at(Stage::Registered);
    for index in 100..100 + n {
        w.open_vault(index, SOL);
    }
    let newer = |v: &_| w.index_of(v) >= 100;
    w.vaults = w.vaults.iter().copied().filter(newer).collect();
    w.stage_buffers(e2e::elf::v2(), e2e::elf::v1());
    w.propose();
    w.approve_by(&APPROVERS);
    w.chain.pass(48 * 3600);
    w.execute();
    w.chain.next_slot();
    w
}

#[test]
fn a_full_batch_migrates_verifies_and_restores_in_one_transaction_each() {
    let mut w = with_vaults(BATCH);
    let vaults = w.vaults.clone();
    let mut one = w.clone();
    let single = one.migrate_ix(&vaults[..1]);
    let first = one.run("migrate_accounts (1)", single, &[&key("cranker")]);

    let all = w.migrate_ix(&vaults);
    let full = w.run(&format!("migrate_accounts ({BATCH})"), all, &[&key("cranker")]);
    let overhead = |m: &TransactionMetadata| m.compute_units_consumed - taken_by_target(m);
    let each = (overhead(&full) - overhead(&first)) / u64::from(BATCH - 1);
    println!("units migrate_accounts, the manager's part an account: {each}");
    println!("units migrate_accounts, the target's part an account: {}", taken_by_target(&first));
    assert!(full.compute_units_consumed < 1_400_000 / 2);

    w.verify_all();
    w.vote_rollback(&APPROVERS, false);
    w.restore_all();
    assert_eq!(w.snapshot(), w.before);
}

#[test]
fn the_last_vote_of_five_leaves_compute_units_for_the_rest_of_its_transaction() {
    let mut w = World::at(Stage::Proposed);
    for member in MEMBERS {
        let approve = w.approve_ix(member);
        let meta = w.run(&format!("approve by {member}"), approve, &[&key(member)]);
        assert!(meta.compute_units_consumed < 40_000);
    }
}

#[test]
fn sixteen_members_and_sixteen_type_rules_fit_the_accounts_and_the_heap() {
    let names: Vec<String> = (0..16).map(|i| format!("member-{i}")).collect();
    let mut w = World::with_multisig(|args| {
        let mut keys: Vec<_> = names.iter().map(|name| address(name)).collect();
        keys.sort();
        let like = args.members[0];
        let member = |key| upgrade_manager::state::MemberArgs { key, ..like };
        args.members = keys.into_iter().map(member).collect();
        args.threshold = 16;
    });
    let rule = sandbox::scenario::vaults::type_rule();
    let rules = (0..16u8).map(|i| upgrade_manager::state::TypeRule {
        discriminator: [rule.discriminator[0].wrapping_add(i), 8, 232, 43, 2, 152, 117, 119],
        ..rule
    });
    w.before = w.snapshot();
    let args = upgrade_manager::instructions::ProposeArgs {
        type_rules: rules.collect(),
        source: upgrade_manager::state::Source {
            link: "l".repeat(160),
            commit: "c".repeat(64),
            image: "i".repeat(160),
        },
        ..w.propose_args()
    };
    let propose = w.propose_ix("member-0", args);
    w.run("propose_upgrade (largest)", propose, &[&key("member-0"), &key("payer")]);
    for name in &names {
        let approve = w.approve_ix(name);
        w.run("approve (largest)", approve, &[&key(name)]);
    }
    w.chain.pass(48 * 3600);
    let execute = w.execute_ix("member-3");
    w.run("execute_upgrade (largest)", execute, &[&key("member-3")]);
    w.chain.next_slot();
    w.migrate_all();
    w.verify_all();
    for name in &names {
        let vote = w.approve_rollback_ix(name, true);
        w.run("approve_rollback (largest)", vote, &[&key(name)]);
    }
    let restore = w.restore_ix("member-3", &w.old_bytes(&w.vaults.clone()));
    w.run("restore_accounts (largest)", restore, &[&key("member-3"), &key("payer")]);
    let back = w.rollback_ix("member-3");
    w.run("rollback_program (largest)", back, &[&key("member-3")]);
    assert_eq!(w.snapshot(), w.before);
}
