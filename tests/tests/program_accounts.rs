//! Every instruction, every account: a lookalike, an account of another type and a missing signature
//! are refused wherever they are put.
use anchor_lang::Discriminator;
use e2e::{
    keys::{address, key},
    world::{DECIDING, ROLLBACK_WINDOW, Stage, World},
};
use solana_account::Account;
use solana_instruction::Instruction;
use solana_keypair::Keypair;
use solana_pubkey::Pubkey;
use upgrade_manager::state::{AccountVersion, BufferRole, ProgramUpgradeState};

/// An instruction that goes through in its world.
struct Case {
    name: &'static str,
    world: World,
    instruction: Instruction,
    signers: Vec<Keypair>,
}

fn case(name: &'static str, world: World, instruction: Instruction, signers: &[&str]) -> Case {
    Case { name, world, instruction, signers: signers.iter().map(|s| key(s)).collect() }
}

/// Worlds in which the rarer verbs go through.
struct Worlds {
    frozen: World,
    rolling_back: World,
    restored: World,
    expired: World,
    closable: World,
    gone: World,
}

fn worlds() -> Worlds {
    let mut frozen = World::at(Stage::Registered);
    frozen.upload("upgrade", e2e::elf::v2());
    frozen.upload("rollback", e2e::elf::v1());
    let mut rolling_back = World::at(Stage::Migrated);
    rolling_back.vote_rollback(&DECIDING, false);
    let mut restored = rolling_back.clone();
    restored.restore_all();
    let mut expired = World::at(Stage::Proposed);
    expired.chain.pass_until(expired.proposal().terms.expires_at + 1);
    let mut closable = World::at(Stage::Completed);
    closable.chain.pass(i64::from(ROLLBACK_WINDOW) + 1);
    let mut gone = World::at(Stage::Ready);
    let (vault, owner) = (gone.vaults[0], key("owner"));
    let index = gone.index_of(&vault);
    gone.chain.ok(&[demo_vault::client::close_ix(&address("owner"), index)], &[&owner]);
    gone.execute();
    gone.chain.next_slot();
    Worlds { frozen, rolling_back, restored, expired, closable, gone }
}

fn cases() -> Vec<Case> {
    let Worlds { mut frozen, rolling_back, restored, expired, closable, gone } = worlds();
    let freeze = case(
        "freeze_buffer",
        frozen.clone(),
        frozen.freeze_ix("upgrade", BufferRole::Upgrade),
        &["dev", "payer"],
    );
    frozen.freeze("upgrade", BufferRole::Upgrade);
    frozen.freeze("rollback", BufferRole::Rollback);
    let at = World::at;
    let (attested, proposed) = (at(Stage::Attested), at(Stage::Proposed));
    let (ready, executed) = (at(Stage::Ready), at(Stage::Executed));
    let (migrated, mut verified) = (at(Stage::Migrated), at(Stage::Migrated));
    verified.verify_all();
    let mut voted = proposed.clone();
    voted.approve_by(&["anna"]);
    let mut cleared = closable.clone();
    cleared.close_buffers(&["upgrade", "rollback"]);
    let vaults = executed.vaults.clone();
    let (propose, approve) = (attested.propose_args(), proposed.approve_ix("anna"));
    let old = rolling_back.old_bytes(&vaults);
    vec![
        case("register_program", at(Stage::Team), at(Stage::Team).register_ix(), &["dev", "payer"]),
        freeze,
        case("attest_buffer", frozen.clone(), frozen.attest_ix("upgrade"), &[]),
        case("attest_rollback", frozen.clone(), frozen.attest_rollback_ix("rollback"), &[]),
        case(
            "propose_upgrade",
            attested.clone(),
            attested.propose_ix("anna", propose),
            &["anna", "payer"],
        ),
        case("approve", proposed.clone(), approve, &["anna"]),
        case("reject", proposed.clone(), proposed.reject_ix("anna"), &["anna"]),
        case("revoke", voted.clone(), voted.revoke_ix("anna"), &["anna"]),
        case("cancel", proposed.clone(), proposed.cancel_ix("anna"), &["anna"]),
        case("expire", expired.clone(), expired.expire_ix(), &[]),
        case("execute_upgrade", ready.clone(), ready.execute_ix("dan"), &["dan"]),
        case("migrate_accounts", executed.clone(), executed.migrate_ix(&vaults), &["cranker"]),
        case("verify_accounts", migrated.clone(), migrated.verify_ix(&vaults), &[]),
        case("mark_closed", gone.clone(), gone.mark_closed_ix(&gone.vaults[0]), &["cranker"]),
        case(
            "quarantine",
            executed.clone(),
            executed.quarantine_ix("dan", &vaults[0]),
            &["dan", "payer"],
        ),
        case("complete", verified.clone(), verified.complete_ix("dan"), &["dan"]),
        case(
            "approve_rollback",
            migrated.clone(),
            migrated.approve_rollback_ix("anna", false),
            &["anna"],
        ),
        case(
            "restore_accounts",
            rolling_back.clone(),
            rolling_back.restore_ix("dan", &old),
            &["dan", "payer"],
        ),
        case("rollback_program", restored.clone(), restored.rollback_ix("dan"), &["dan"]),
        case(
            "close_buffer",
            closable.clone(),
            closable.close_buffer_ix("stranger", "rollback"),
            &["stranger"],
        ),
        case(
            "close_proposal",
            cleared.clone(),
            cleared.close_proposal_ix("stranger"),
            &["stranger"],
        ),
        case(
            "close_account_version",
            closable.clone(),
            closable.close_record_ix("stranger", &vaults[0]),
            &["stranger"],
        ),
    ]
}

/// Sends the case's instruction after `change`; must be refused.
fn refused(case: &Case, what: &str, change: impl FnOnce(&mut World, &mut Instruction)) {
    let (mut world, mut instruction) = (case.world.clone(), case.instruction.clone());
    change(&mut world, &mut instruction);
    let signs = |k: &&Keypair| {
        let who = solana_signer::Signer::pubkey(*k);
        instruction.accounts.iter().any(|m| m.is_signer && m.pubkey == who)
    };
    let signers: Vec<&Keypair> = case.signers.iter().filter(signs).collect();
    let outcome = world.chain.send(&[instruction], &signers);
    assert!(outcome.is_err(), "{}: {what} went through", case.name);
}

fn manager_accounts(case: &Case) -> Vec<(usize, Pubkey, Account)> {
    let accounts = case.instruction.accounts.iter().enumerate();
    accounts
        .filter_map(|(i, m)| Some((i, m.pubkey, case.world.chain.account(&m.pubkey)?)))
        .filter(|(_, _, account)| account.owner == upgrade_manager::ID)
        .collect()
}

#[test]
fn every_case_goes_through_when_nothing_is_changed() {
    for Case { name, mut world, instruction, signers } in cases() {
        let signers: Vec<&Keypair> = signers.iter().collect();
        let outcome = world.chain.send(&[instruction], &signers);
        assert!(outcome.is_ok(), "{name}: {outcome:?}");
    }
}

#[test]
fn the_same_bytes_under_another_owner_are_refused_in_every_place() {
    let mut places = 0;
    for case in cases() {
        for (i, _, account) in manager_accounts(&case) {
            places += 1;
            refused(&case, &format!("a lookalike as account {i}"), |world, ix| {
                let (fake, owner) = (address("lookalike"), address("stranger"));
                world.chain.plant(&fake, Account { owner, ..account });
                ix.accounts[i].pubkey = fake;
            });
        }
    }
    assert!(places > 50, "only {places} places were tried");
}

/// Accounts that are known by their owner and what they hold: the manager makes each kind at its own
/// address only, so that no second one can say the same.
const KNOWN_BY_CONTENT: [(&str, &str); 5] = [
    ("approve", "state"),
    ("reject", "state"),
    ("revoke", "state"),
    ("verify_accounts", "record"),
    ("restore_accounts", "record"),
];

fn kind(account: &Account) -> &'static str {
    let kinds =
        [(ProgramUpgradeState::DISCRIMINATOR, "state"), (AccountVersion::DISCRIMINATOR, "record")];
    kinds.iter().find(|(disc, _)| account.data.starts_with(disc)).map_or("other", |(_, name)| name)
}

#[test]
fn the_same_bytes_at_another_address_are_refused_but_where_none_can_be() {
    let mut taken = vec![];
    for case in cases() {
        for (i, _, account) in manager_accounts(&case) {
            let (mut world, mut instruction) = (case.world.clone(), case.instruction.clone());
            let (copy, kind) = (address("copy"), kind(&account));
            world.chain.plant(&copy, account);
            instruction.accounts[i].pubkey = copy;
            let signers: Vec<&Keypair> = case.signers.iter().collect();
            if world.chain.send(&[instruction], &signers).is_ok() {
                taken.push((case.name, kind));
            }
        }
    }
    taken.dedup();
    assert_eq!(taken, KNOWN_BY_CONTENT);
}

#[test]
fn an_account_of_another_type_is_refused_in_every_place() {
    for case in cases() {
        let all = manager_accounts(&case);
        for (i, key, account) in &all {
            for (_, other, different) in &all {
                if account.data[..8] != different.data[..8] && key != other {
                    refused(&case, &format!("{other} as account {i}"), |_, ix| {
                        ix.accounts[*i].pubkey = *other;
                    });
                }
            }
        }
    }
}

#[test]
fn every_signature_is_needed() {
    for case in cases() {
        for (i, meta) in case.instruction.accounts.iter().enumerate() {
            if meta.is_signer {
                refused(&case, &format!("account {i} without its signature"), |_, ix| {
                    ix.accounts[i].is_signer = false;
                });
            }
        }
    }
}

#[test]
fn every_account_is_needed() {
    for case in cases() {
        for i in 0..case.instruction.accounts.len() {
            refused(&case, &format!("one account fewer, without {i}"), |_, ix| {
                ix.accounts.remove(i);
            });
        }
    }
}
