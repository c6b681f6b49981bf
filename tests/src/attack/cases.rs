//! Every instruction of the manager, each with a world in which it succeeds.
use sandbox::scenario::vaults::type_rule;
use solana_instruction::Instruction;
use solana_loader_v3_interface::instruction::set_buffer_authority;
use solana_signer::Signer;
use upgrade_manager::{
    instructions::{ProposeArgs, RestoreItem},
    state::{Action, BufferRole, CRITICAL, Choice, TypeRule},
};

use crate::{
    elf,
    keys::{address, key},
    world::{APPROVERS, ROLLBACK_WINDOW, Stage, TIMELOCK, World},
};

/// An instruction and a world in which it succeeds.
#[derive(Clone)]
pub struct Case {
    pub name: &'static str,
    pub world: World,
    pub instruction: Instruction,
    /// Names of the signers.
    pub signers: Vec<String>,
}

fn case(
    name: &'static str,
    world: &World,
    instruction: impl FnOnce(&World) -> Instruction,
    signers: &[&str],
) -> Case {
    let signers = signers.iter().map(|s| (*s).to_owned()).collect();
    Case { name, instruction: instruction(world), world: world.clone(), signers }
}

/// Every instruction.
pub fn all() -> Vec<Case> {
    [setup(), voting(), code(), accounts(), closing(), multisig(), backups()].concat()
}

fn setup() -> Vec<Case> {
    let (bare, multisig, attested) =
        (World::at(Stage::Deployed), World::at(Stage::Multisig), World::at(Stage::Attested));
    let mut uploaded = World::at(Stage::Registered);
    uploaded.upload("upgrade", elf::v2());
    uploaded.upload("rollback", elf::v1());
    let mut frozen = uploaded.clone();
    frozen.freeze("upgrade", BufferRole::Upgrade);
    frozen.freeze("rollback", BufferRole::Rollback);
    let create = |w: &World| w.create_multisig_ix(w.multisig_args());
    let freeze = |w: &World| w.freeze_ix("upgrade", BufferRole::Upgrade);
    vec![
        case("create_multisig", &bare, create, &["create", "payer"]),
        case("register_program", &multisig, World::register_ix, &["dev", "payer"]),
        case("freeze_buffer", &uploaded, freeze, &["dev", "payer"]),
        case("attest_buffer", &frozen, |w| w.attest_ix("upgrade"), &[]),
        case("attest_rollback", &frozen, |w| w.attest_rollback_ix("rollback"), &[]),
        case(
            "propose_upgrade",
            &attested,
            |w| w.propose_ix("anna", w.propose_args()),
            &["anna", "payer"],
        ),
    ]
}

fn voting() -> Vec<Case> {
    let proposed = World::at(Stage::Proposed);
    let mut voted = proposed.clone();
    voted.approve_by(&["anna"]);
    let mut expired = proposed.clone();
    expired.chain.pass_until(expired.proposal().terms.expires_at + 1);
    vec![
        case("approve", &proposed, |w| w.approve_ix("anna"), &["anna"]),
        case("reject", &proposed, |w| w.reject_ix("anna"), &["anna"]),
        case("revoke", &voted, |w| w.revoke_ix("anna"), &["anna"]),
        case("cancel", &proposed, |w| w.cancel_ix("anna"), &["anna"]),
        case("expire", &expired, World::expire_ix, &[]),
    ]
}

fn code() -> Vec<Case> {
    let (ready, migrated) = (World::at(Stage::Ready), World::at(Stage::Migrated));
    let mut restored = migrated.clone();
    restored.vote_rollback(&APPROVERS, false);
    restored.restore_all();
    vec![
        case("execute_upgrade", &ready, |w| w.execute_ix("dan"), &["dan"]),
        case("approve_rollback", &migrated, |w| w.approve_rollback_ix("anna", false), &["anna"]),
        case("rollback_program", &restored, |w| w.rollback_ix("dan"), &["dan"]),
    ]
}

fn accounts() -> Vec<Case> {
    let (executed, migrated) = (World::at(Stage::Executed), World::at(Stage::Migrated));
    let mut verified = migrated.clone();
    verified.verify_all();
    let mut back = migrated.clone();
    back.vote_rollback(&APPROVERS, false);
    let mut gone = World::at(Stage::Ready);
    let index = gone.index_of(&gone.vaults[0]);
    gone.chain.ok(&[demo_vault::client::close_ix(&address("owner"), index)], &[&key("owner")]);
    gone.execute();
    gone.chain.next_slot();
    // Two of six vaults, so that other vaults' accounts can replace theirs.
    let some = |w: &World| w.vaults[..2].to_vec();
    vec![
        case("migrate_accounts", &executed, |w| w.migrate_ix(&some(w)), &["cranker"]),
        case("verify_accounts", &migrated, |w| w.verify_ix(&some(w)), &[]),
        case("mark_closed", &gone, |w| w.mark_closed_ix(&w.vaults[0]), &["cranker"]),
        case("quarantine", &executed, |w| w.quarantine_ix("dan", &w.vaults[0]), &["dan", "payer"]),
        case("complete", &verified, |w| w.complete_ix("dan"), &["dan"]),
        case(
            "restore_accounts",
            &back,
            |w| w.restore_ix("dan", &w.old_bytes(&some(w))),
            &["dan", "payer"],
        ),
    ]
}

fn closing() -> Vec<Case> {
    let mut closable = World::at(Stage::Completed);
    closable.chain.pass(i64::from(ROLLBACK_WINDOW) + 1);
    let mut cleared = closable.clone();
    cleared.close_buffers(&["upgrade", "rollback"]);
    let record = |w: &World| w.close_record_ix("stranger", &w.vaults[0]);
    vec![
        case(
            "close_buffer",
            &closable,
            |w| w.close_buffer_ix("stranger", "rollback"),
            &["stranger"],
        ),
        case("close_proposal", &cleared, |w| w.close_proposal_ix("stranger"), &["stranger"]),
        case("close_account_version", &closable, record, &["stranger"]),
    ]
}

/// Instructions of a multisig about itself, and those that close its accounts.
fn multisig() -> Vec<Case> {
    let registered = World::at(Stage::Registered);
    let change = |w: &World| w.new_rules(|rules| rules.open_cap = 3);
    let hand_over = |w: &World| w.hand_over("heir");
    let mut changing = registered.clone();
    let id = changing.propose_multisig(change(&changing));
    let mut voted = changing.clone();
    let vote = voted.multisig_vote_ix("anna", id, Choice::Approve);
    voted.chain.ok(&[vote], &[&key("anna")]);
    let mut expired = changing.clone();
    expired.chain.pass_until(expired.multisig_proposal(id).terms.expires_at + 1);
    let mut agreed = changing.clone();
    agreed.agree_multisig(id);
    let mut handing = registered.clone();
    handing.propose_multisig(hand_over(&handing));
    let mut handed = handing.clone();
    handed.agree_multisig(id);
    let mut released = handed.clone();
    let transfer = released.execute_transfer_ix("dan", id);
    released.chain.ok(&[transfer], &[&key("dan"), &key("heir")]);
    let mut ended = released.clone();
    let end = ended.propose_multisig(Action::Dissolve);
    ended.agree_multisig(end);
    let dissolve = ended.execute_change_ix("dan", end);
    ended.chain.ok(&[dissolve], &[&key("dan")]);
    let mut paused = registered.clone();
    let pause = paused.pause_ix("guardian");
    paused.chain.ok(&[pause], &[&key("guardian")]);
    let approve = |w: &World| w.multisig_vote_ix("anna", id, Choice::Approve);
    let both = ["anna", "payer"];
    vec![
        case(
            "propose_governance",
            &registered,
            |w| w.propose_multisig_ix("anna", change(w)),
            &both,
        ),
        case(
            "propose_governance",
            &registered,
            |w| w.propose_multisig_ix("anna", hand_over(w)),
            &both,
        ),
        case("approve", &changing, approve, &["anna"]),
        case("approve", &handing, approve, &["anna"]),
        case("reject", &changing, |w| w.multisig_vote_ix("anna", id, Choice::Reject), &["anna"]),
        case("revoke", &voted, |w| w.multisig_revoke_ix("anna", id), &["anna"]),
        case("cancel", &changing, |w| w.multisig_cancel_ix("anna", id), &["anna"]),
        case("cancel", &changing, |w| w.multisig_cancel_ix("guardian", id), &["guardian"]),
        case("expire", &expired, |w| w.multisig_expire_ix(id), &[]),
        case("execute_config_change", &agreed, |w| w.execute_change_ix("dan", id), &["dan"]),
        case("execute_transfer", &handed, |w| w.execute_transfer_ix("dan", id), &["dan", "heir"]),
        case("pause", &registered, |w| w.pause_ix("guardian"), &["guardian"]),
        case("unpause", &paused, |w| w.unpause_ix("anna"), &["anna"]),
        case(
            "close_governance",
            &released,
            |w| w.close_multisig_proposal_ix("stranger", id),
            &["stranger"],
        ),
        case("close_program_state", &released, |w| w.close_state_ix("stranger"), &["stranger"]),
        case("close_multisig", &ended, |w| w.close_multisig_ix("stranger"), &["stranger"]),
    ]
}

/// Critical accounts with their backups, a buffer too large for one transaction to hash, and a
/// buffer that its owner gave to the manager without freezing it.
fn backups() -> Vec<Case> {
    let mut w = World::at(Stage::Attested);
    w.before = w.snapshot();
    w.id = w.config().next_proposal;
    let type_rules = vec![TypeRule { flags: CRITICAL, ..type_rule() }];
    let propose = w.propose_ix("anna", ProposeArgs { type_rules, ..w.propose_args() });
    w.chain.ok(&[propose], &[&key("anna"), &key("payer")]);
    w.approve_by(&APPROVERS);
    w.chain.pass(i64::from(TIMELOCK));
    w.execute();
    w.chain.next_slot();
    let executed = w.clone();
    w.migrate_all();
    w.vote_rollback(&APPROVERS, false);
    let back = w.clone();
    let some = |w: &World| w.vaults[..2].to_vec();
    let kept =
        |w: &World| some(w).into_iter().map(|v| (v, RestoreItem::Backup)).collect::<Vec<_>>();
    let restore = w.restore_ix("dan", &kept(&w));
    w.chain.ok(&[restore], &[&key("dan"), &key("payer")]);
    let mut large = World::at(Stage::Registered);
    large.upload("upgrade", elf::v2());
    let buffer = large.buffer_key("upgrade").pubkey();
    large.chain.tamper(&buffer, |data| data.resize(3 * 1024 * 1024, 7));
    large.freeze("upgrade", BufferRole::Upgrade);
    let mut stray = World::at(Stage::Registered);
    stray.upload("stray", elf::v1());
    let (at, dev) = (stray.buffer_key("stray").pubkey(), key("dev"));
    let holder = upgrade_manager::seeds::authority(&demo_vault::ID).0;
    stray.chain.ok(&[set_buffer_authority(&at, &dev.pubkey(), &holder)], &[&dev]);
    vec![
        case("migrate_accounts", &executed, |w| w.migrate_ix(&some(w)), &["cranker"]),
        case("restore_accounts", &back, |w| w.restore_ix("dan", &kept(w)), &["dan", "payer"]),
        case("close_backup", &w, |w| w.close_backup_ix("stranger", &w.vaults[0]), &["stranger"]),
        case("attest_chunk", &large, |w| w.attest_chunk_ix("upgrade"), &[]),
        case("reclaim_buffer", &stray, |w| w.reclaim_ix("dan", "stray"), &["dan"]),
    ]
}
