//! Every instruction of the manager, each in a world where it goes through.
use solana_instruction::Instruction;
use upgrade_manager::state::BufferRole;

use crate::{
    elf,
    keys::{address, key},
    world::{DECIDING, ROLLBACK_WINDOW, Stage, World},
};

/// An instruction that goes through in its world.
#[derive(Clone)]
pub struct Case {
    /// The instruction's name.
    pub name: &'static str,
    /// The world.
    pub world: World,
    /// The instruction.
    pub instruction: Instruction,
    /// Names of those who sign.
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
    [setup(), voting(), code(), accounts(), closing()].concat()
}

fn setup() -> Vec<Case> {
    let (bare, team, attested) =
        (World::at(Stage::Deployed), World::at(Stage::Team), World::at(Stage::Attested));
    let mut uploaded = World::at(Stage::Registered);
    uploaded.upload("upgrade", elf::v2());
    uploaded.upload("rollback", elf::v1());
    let mut frozen = uploaded.clone();
    frozen.freeze("upgrade", BufferRole::Upgrade);
    frozen.freeze("rollback", BufferRole::Rollback);
    let create = |w: &World| w.create_multisig_ix(w.team_args());
    let freeze = |w: &World| w.freeze_ix("upgrade", BufferRole::Upgrade);
    vec![
        case("create_multisig", &bare, create, &["create", "payer"]),
        case("register_program", &team, World::register_ix, &["dev", "payer"]),
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
    restored.vote_rollback(&DECIDING, false);
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
    back.vote_rollback(&DECIDING, false);
    let mut gone = World::at(Stage::Ready);
    let index = gone.index_of(&gone.vaults[0]);
    gone.chain.ok(&[demo_vault::client::close_ix(&address("owner"), index)], &[&key("owner")]);
    gone.execute();
    gone.chain.next_slot();
    // Two of six: what the others have does not count as theirs.
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
