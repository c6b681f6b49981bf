//! Attacks by the target, whose code a careless or bribed multisig approved: abuse of the
//! signatures and accounts that it gets, wrong results, forged events.
use demo_vault::client;
use e2e::{
    attack::{cases, swap},
    elf,
    keys::{address, key},
    world::{APPROVERS, EVENT_TAG, SOL, Stage, VAULTS, World, events, sha256},
};
use hostile_target::{FIRST_WRONG_INDEX, PASS_ON, Wrong};
use solana_instruction::{AccountMeta, Instruction};
use solana_pubkey::Pubkey;
use solana_signer::Signer;
use upgrade_manager::{
    error::ManagerError,
    seeds,
    state::{AccountStatus, manifest},
};

/// The required result of a misdeed of the hostile target.
#[derive(Clone, Copy, Debug)]
enum ExpectedResult {
    /// The manager refuses by name.
    Named(ManagerError),
    /// The runtime refuses, saying this.
    Runtime(&'static str),
    /// The instruction succeeds and does no harm.
    Harmless,
}

/// The result of each misdeed at migration.
fn at_migration(wrong: Wrong) -> ExpectedResult {
    use ExpectedResult::{Harmless, Named, Runtime};
    match wrong {
        Wrong::DoNothing
        | Wrong::FlipVersion
        | Wrong::OtherType
        | Wrong::OtherVersion
        | Wrong::TooLong
        | Wrong::GiveAway
        | Wrong::Drain
        | Wrong::Underfund => Named(ManagerError::TargetBroke),
        Wrong::Overcharge | Wrong::TakeFromUser | Wrong::TakePayer => {
            Named(ManagerError::LamportsMoved)
        }
        // Neither the manager nor the loader is among the accounts that a target gets.
        Wrong::CallManager
        | Wrong::EmitAsManager
        | Wrong::MoveAuthority
        | Wrong::UpgradeItself
        | Wrong::CloseItself => Runtime("MissingAccount"),
        Wrong::BurnUnits => Runtime("ComputationalBudgetExceeded"),
        Wrong::LogEvent
        | Wrong::RestoreOther
        | Wrong::RestoreNothing
        | Wrong::RestoreTooMuch
        | Wrong::RestoreSpend => Harmless,
    }
}

/// The result of each misdeed at restore, when its migration did no harm.
fn at_restore(wrong: Wrong) -> ExpectedResult {
    use ExpectedResult::{Harmless, Named, Runtime};
    match wrong {
        Wrong::RestoreOther | Wrong::RestoreNothing => Named(ManagerError::NotExact),
        Wrong::RestoreTooMuch => Named(ManagerError::LamportsMoved),
        Wrong::RestoreSpend => Runtime("PrivilegeEscalation"),
        _ => Harmless,
    }
}

/// A vault without a balance shows who pays for growth, one with a balance who takes from it.
fn balance_for(wrong: Wrong) -> u64 {
    if matches!(wrong, Wrong::Underfund | Wrong::Drain) { 0 } else { SOL }
}

/// A world whose upgrade installs the hostile target, with one vault for each misdeed.
fn hostile_world() -> (World, Vec<(Wrong, Pubkey)>) {
    let mut w = World::at(Stage::Registered);
    let owner = address("owner");
    let mut vaults = vec![];
    for (i, wrong) in (FIRST_WRONG_INDEX..).zip(Wrong::ALL) {
        w.open_vault(i, balance_for(wrong));
        vaults.push((wrong, client::vault_address(&owner, i)));
    }
    w.stage_buffers(elf::hostile(), elf::v1());
    w.propose();
    w.approve_by(&APPROVERS);
    w.chain.pass(48 * 3600);
    w.execute();
    w.chain.next_slot();
    (w, vaults)
}

/// A vault without a misdeed.
fn honest(w: &World) -> Pubkey {
    *w.vaults.iter().find(|v| w.index_of(v) < FIRST_WRONG_INDEX).unwrap()
}

/// Tries the misdeeds in `which` at migration; each must have its required result.
fn migrate(w: &mut World, vaults: &[(Wrong, Pubkey)], which: impl Fn(Wrong) -> bool) -> usize {
    let mut tried = 0;
    for (wrong, vault) in vaults.iter().filter(|(wrong, _)| which(*wrong)) {
        let (ix, fate) = (w.migrate_ix(&[*vault]), at_migration(*wrong));
        println!("{wrong:?}: {fate:?}");
        tried += 1;
        match fate {
            ExpectedResult::Named(error) => w.attack(error, &[ix], &["cranker"]),
            ExpectedResult::Runtime(text) => w.attack_saying(text, &[ix], &["cranker"]),
            ExpectedResult::Harmless => w.passes(&[ix], &["cranker"]),
        }
    }
    tried
}

#[test]
fn attack_15_the_target_abuses_the_signatures_it_gets() {
    let (mut w, vaults) = hostile_world();
    let takes = [Wrong::MoveAuthority, Wrong::UpgradeItself, Wrong::CloseItself, Wrong::TakePayer];
    let authority = e2e::loader::authority(&w.chain, &demo_vault::ID);
    assert_eq!(migrate(&mut w, &vaults, |wrong| takes.contains(&wrong)), 4);
    assert_eq!(e2e::loader::authority(&w.chain, &demo_vault::ID), authority);
    // With loader and program data smuggled in behind the batch, or as the account itself.
    let (honest, data) = (honest(&w), w.state().program_data);
    let one = vaults.iter().find(|(wrong, _)| *wrong == Wrong::MoveAuthority).unwrap().1;
    let mut smuggled = w.migrate_ix(&[one]);
    let loader = upgrade_manager::external::loader::ID;
    smuggled.accounts.push(AccountMeta::new(data, false));
    smuggled.accounts.push(AccountMeta::new_readonly(loader, false));
    w.attack_saying("MissingAccount", &[smuggled], &["cranker"]);
    let named = [ManagerError::NotEligible, ManagerError::WrongAccount].map(u32::from);
    // The manager signs for the migrator, not for the authority, and neither is accepted in place
    // of the other.
    let good = w.migrate_ix(&[honest]);
    let (migrator, holder) =
        (seeds::migrator(&demo_vault::ID).0, seeds::authority(&demo_vault::ID).0);
    w.attack(ManagerError::WrongAccount, &[swap(&good, &migrator, &holder)], &["cranker"]);
    // Accounts that a target must never get to write.
    let own = [w.multisig(), w.proposal_address(), seeds::program_state(&demo_vault::ID).0];
    let buffer = w.buffer_key("rollback").pubkey();
    let forbidden = own.into_iter().chain([data, demo_vault::ID, buffer, holder, migrator]);
    for account in forbidden.chain([address("cranker"), upgrade_manager::ID]) {
        let ix = w.migrate_ix(&[account]);
        let refused = w.refused(&[ix], &[&key("cranker")]);
        let code = refused.code().unwrap_or_else(|| panic!("{account}: {refused:?}"));
        assert!(named.contains(&code), "{account}: {code}");
    }
    w.passes(&[good], &["cranker"]);
    // At restore the target gets neither the payer's signature nor that of the rent's recipient.
    w.vote_rollback(&APPROVERS, false);
    w.would_pass(&[w.restore_ix("dan", &w.old_bytes(&[honest]))], &["dan", "payer"]);
    let (mut w, vaults) = hostile_world();
    assert_eq!(migrate(&mut w, &vaults, |wrong| wrong == Wrong::RestoreSpend), 1);
    w.vote_rollback(&APPROVERS, false);
    let spends = vaults.iter().find(|(wrong, _)| *wrong == Wrong::RestoreSpend).unwrap().1;
    let mut signed = w.restore_ix("dan", &w.old_bytes(&[spends]));
    signed.accounts.iter_mut().rfind(|m| m.pubkey == address("cranker")).unwrap().is_signer = true;
    w.attack_saying("unauthorized signer or writable", &[signed], &["dan", "payer", "cranker"]);
}

/// `instruction` as the hostile program passes it on.
fn passed_on(instruction: &Instruction, through: &Pubkey) -> Instruction {
    let program = AccountMeta::new_readonly(instruction.program_id, false);
    let accounts = [vec![program], instruction.accounts.clone()].concat();
    let data = [&PASS_ON[..], &instruction.data].concat();
    Instruction { program_id: *through, accounts, data }
}

#[test]
fn attack_16_the_target_calls_the_manager_back() {
    let (mut w, vaults) = hostile_world();
    let back = [Wrong::CallManager, Wrong::EmitAsManager];
    assert_eq!(migrate(&mut w, &vaults, |wrong| back.contains(&wrong)), 2);
    let honest = w.migrate_ix(&[honest(&w)]);
    w.passes(&[honest], &["cranker"]);

    // A program that members call for another reason and that calls the manager with their
    // signatures.
    for case in cases::all() {
        let mut w = case.world.clone();
        let between = key("between");
        e2e::loader::deploy(&mut w.chain, &between, &key("dev"), elf::hostile(), 100_000);
        let ix = passed_on(&case.instruction, &between.pubkey());
        let signers: Vec<&str> = case.signers.iter().map(String::as_str).collect();
        if NEVER_BY_CPI.contains(&case.name) {
            println!("{}: refused", case.name);
            w.attack(ManagerError::CalledByProgram, &[ix], &signers);
        } else {
            println!("{}: anyone's program may call it", case.name);
            w.passes(&[ix], &signers);
            continue;
        }
        w.passes(&[case.instruction.clone()], &signers);
    }
}

/// The instructions that the manager refuses as a CPI, so that another program cannot use a
/// member's signature.
const NEVER_BY_CPI: [&str; 14] = [
    "propose_upgrade",
    "propose_governance",
    "approve",
    "reject",
    "revoke",
    "cancel",
    "approve_rollback",
    "execute_upgrade",
    "execute_config_change",
    "execute_transfer",
    "rollback_program",
    "pause",
    "unpause",
    "-",
];

#[test]
fn attack_23_the_target_reports_success_without_migrating() {
    let (mut w, vaults) = hostile_world();
    let before = w.snapshot();
    let lies = |wrong| {
        matches!(at_migration(wrong), ExpectedResult::Named(_) | ExpectedResult::Runtime(_))
    };
    assert_eq!(migrate(&mut w, &vaults, lies), 17);
    assert_eq!((w.snapshot(), w.state().counters.migrated), (before, 0));
    // One wrong migration stops the whole batch, whether honest accounts come first or last.
    for (wrong, vault) in vaults.iter().filter(|(wrong, _)| lies(*wrong)) {
        let mut batch = vec![honest(&w), *vault];
        batch.sort();
        println!("{wrong:?} in a batch");
        let ix = w.migrate_ix(&batch);
        w.refused(&[ix], &[&key("cranker")]);
    }
    let harmless = |wrong| matches!(at_migration(wrong), ExpectedResult::Harmless);
    assert_eq!(migrate(&mut w, &vaults, harmless), 5);
    w.vote_rollback(&APPROVERS, false);
    for (wrong, vault) in vaults.iter().filter(|(wrong, _)| harmless(*wrong)) {
        let restore = w.restore_ix("dan", &w.old_bytes(&[*vault]));
        println!("{wrong:?} at restore: {:?}", at_restore(*wrong));
        match at_restore(*wrong) {
            ExpectedResult::Named(error) => w.attack(error, &[restore], &["dan", "payer"]),
            ExpectedResult::Runtime(text) => w.attack_saying(text, &[restore], &["dan", "payer"]),
            ExpectedResult::Harmless => w.passes(&[restore], &["dan", "payer"]),
        }
    }
    assert_eq!(w.state().counters.restored, 1);
    // A multisig with a hostile target rolls back and loses nothing.
    let (mut w, _) = hostile_world();
    let honest: Vec<_> =
        w.vaults.iter().copied().filter(|v| w.index_of(v) < FIRST_WRONG_INDEX).collect();
    let migrate = w.migrate_ix(&honest);
    w.passes(&[migrate], &["cranker"]);
    w.vote_rollback(&APPROVERS, false);
    let restore = w.restore_ix("dan", &w.old_bytes(&honest));
    w.passes(&[restore], &["dan", "payer"]);
    w.roll_back();
    w.chain.next_slot();
    assert_eq!(w.snapshot(), w.before);
    assert_eq!(w.live_code(), backend::elf::trimmed(elf::v1()));
}

#[test]
fn attack_26_false_manifest_proofs_and_omitted_accounts() {
    let mut w = World::at(Stage::Ready);
    let gone = w.vaults[3];
    let index = w.index_of(&gone);
    w.chain.ok(&[client::close_ix(&address("owner"), index)], &[&key("owner")]);
    w.execute();
    w.chain.next_slot();
    let (keys, hash, leaves) = (w.keys(), sha256(&w.before[&gone].data), w.leaves());
    let proof = |i| manifest::proof(&leaves, i).unwrap();
    let mark = |account, index, hash, proof| {
        backend::instructions::mark_closed(&address("cranker"), &keys, account, index, hash, proof)
    };
    let never = address("never-there");
    let long = [proof(3), vec![[0; 32]]].concat();
    // An inner node in the place of a leaf: its proof is the rest of the leaf's.
    let inner = manifest::root(&leaves[2..4]);
    for (what, ix) in [
        ("another index", mark(&gone, 2, hash, proof(3))),
        ("another's proof", mark(&gone, 3, hash, proof(2))),
        ("other bytes", mark(&gone, 3, [0; 32], proof(3))),
        ("no proof", mark(&gone, 3, hash, vec![])),
        ("a longer proof", mark(&gone, 3, hash, long)),
        ("a shorter proof", mark(&gone, 3, hash, proof(3)[1..].to_vec())),
        ("an index outside", mark(&gone, VAULTS, hash, proof(3))),
        ("the last index there is", mark(&gone, u32::MAX, hash, proof(3))),
        ("an account that never was", mark(&never, 3, hash, proof(3))),
        ("an inner node", mark(&gone, 1, inner, proof(3)[1..].to_vec())),
        ("a proof without end", mark(&gone, 3, hash, vec![[0; 32]; 24])),
    ] {
        println!("{what}");
        w.attack(ManagerError::BadProof, &[ix], &["cranker"]);
    }
    let good = w.mark_closed_ix(&gone);
    // An existing account cannot be marked as closed, before or after its migration.
    let there = w.mark_closed_ix(&w.vaults[0].clone());
    w.attack(ManagerError::AccountExists, &[there.clone()], &["cranker"]);
    let complete = w.complete_ix("dan");
    w.attack(ManagerError::NotComplete, &[complete.clone()], &["dan"]);
    w.passes(&[good.clone()], &["cranker"]);
    w.attack(ManagerError::RecordStatus, &[good], &["cranker"]);
    assert_eq!(w.record(&gone).status, AccountStatus::Closed);
    w.vaults.remove(3);
    let vaults = w.vaults.clone();
    // Foreign accounts do not count, and a missing account stops the completion.
    w.passes(&[w.migrate_ix(&vaults[1..])], &["cranker"]);
    w.passes(&[w.verify_ix(&vaults[1..])], &[]);
    w.attack(ManagerError::NotComplete, &[complete.clone()], &["dan"]);
    let unknown = w.quarantine_ix("dan", &never);
    w.attack(ManagerError::NotEligible, &[unknown], &["dan", "payer"]);
    w.passes(&[w.migrate_ix(&vaults[..1])], &["cranker"]);
    w.attack(ManagerError::AlreadyMigrated, &[there], &["cranker"]);
    w.attack(ManagerError::NotComplete, &[complete.clone()], &["dan"]);
    w.passes(&[w.verify_ix(&vaults[..1]), complete], &["dan"]);
}

#[test]
fn attack_28_forged_events() {
    // The target logs what an event looks like: no inner instruction of the manager's.
    let (mut w, vaults) = hostile_world();
    let logs = vaults.iter().find(|(wrong, _)| *wrong == Wrong::LogEvent).unwrap().1;
    let honest = w.migrate_ix(&[honest(&w)]);
    let plain = w.clone().chain.ok(&[honest], &[&key("cranker")]);
    let noisy = w.migrate_ix(&[logs]);
    let noisy = w.chain.ok(&[noisy], &[&key("cranker")]);
    assert!(noisy.logs.iter().any(|line| line.starts_with("Program data: ")));
    assert_eq!(events(&noisy), events(&plain));
    assert_eq!(events(&plain).len(), 1);
    // The target calls the manager with the bytes of an event.
    assert_eq!(migrate(&mut w, &vaults, |wrong| wrong == Wrong::EmitAsManager), 1);
    // So does anybody: unsigned, signed by another key, through a program.
    let data = [EVENT_TAG, &sha256(b"event:UpgradeExecuted")[..8], &[0; 162]].concat();
    let forged = |authority, signs| Instruction {
        program_id: upgrade_manager::ID,
        accounts: vec![AccountMeta::new_readonly(authority, signs)],
        data: data.clone(),
    };
    let (unsigned, stranger) =
        (forged(seeds::event_authority(), false), forged(address("stranger"), true));
    // Anchor's: a signer is missing; an address is not what its seeds give.
    w.attack(2002_u32, &[unsigned.clone()], &[]);
    w.attack(2006_u32, &[stranger.clone()], &["stranger"]);
    let between = demo_vault::ID;
    w.attack(2002_u32, &[passed_on(&unsigned, &between)], &[]);
    w.attack(2006_u32, &[passed_on(&stranger, &between)], &["stranger"]);
    // Events of a program that is not the manager are not the manager's.
    let other = Instruction { program_id: between, ..unsigned };
    w.refused(&[other], &[]);
}

#[test]
fn attack_35_migration_after_the_manager_lost_the_upgrade_authority() {
    type Way<'a> = &'a dyn Fn(&mut Vec<u8>);
    let mut w = World::at(Stage::Executed);
    let (vaults, data) = (w.vaults.clone(), w.state().program_data);
    let lose = |w: &mut World, how: Way<'_>| w.chain.tamper(&data, |data| how(data));
    let dev = address("dev").to_bytes();
    let ways: [Way<'_>; 3] = [&|d| d[13..45].copy_from_slice(&dev), &|d| d[12] = 0, &|d| {
        d[13..45].copy_from_slice(seeds::migrator(&demo_vault::ID).0.as_ref())
    }];
    let migrate = w.migrate_ix(&vaults);
    for how in ways {
        let mut lost = w.clone();
        lose(&mut lost, how);
        lost.attack(ManagerError::AuthorityLost, &[migrate.clone()], &["cranker"]);
    }
    w.passes(&[migrate], &["cranker"]);
    w.vote_rollback(&APPROVERS, true);
    let restore = w.restore_ix("dan", &w.old_bytes(&vaults));
    let back = w.rollback_ix("dan");
    for how in ways {
        let mut lost = w.clone();
        lose(&mut lost, how);
        lost.attack(ManagerError::AuthorityLost, &[restore.clone()], &["dan", "payer"]);
        lost.attack(ManagerError::AuthorityLost, &[back.clone()], &["dan"]);
    }
    w.passes(&[restore, back], &["dan", "payer"]);
    let mut w = World::at(Stage::Ready);
    let execute = w.execute_ix("dan");
    for how in ways {
        let mut lost = w.clone();
        lose(&mut lost, how);
        lost.attack(ManagerError::AuthorityLost, &[execute.clone()], &["dan"]);
    }
    w.passes(&[execute], &["dan"]);
}
