//! Attacks on the manager's own upgrade, on the programs that a multisig holds, and by its
//! guardian.
use backend::instructions::{self as ix, ProposalKeys};
use e2e::{
    attack::{SIGNER_MISSING, approve, decide, propose_by, swap},
    elf,
    keys::{address, key},
    loader,
    verbs::trimmed_len,
    world::{APPROVERS, MEMBERS, ROLLBACK_WINDOW, Stage, TIMELOCK, World},
};
use sandbox::scenario::vaults::type_rule;
use solana_pubkey::Pubkey;
use solana_signer::Signer;
use upgrade_manager::{
    error::ManagerError,
    instructions::ProposeArgs,
    seeds,
    state::{
        Action, BufferRole, MultisigRules, PAUSE_SECONDS, Phase, ProgramUpgradeState,
        ProposalStatus, Transfer, UpgradeProposal, role,
    },
};

const DAY: u32 = 24 * 3600;

/// The vault program's transfer to `new_authority`.
fn transfer(new_authority: &Pubkey) -> Transfer {
    let program_data = ix::program_data_address(&demo_vault::ID);
    Transfer { program: demo_vault::ID, program_data, new_authority: *new_authority }
}

/// A world whose multisig has rules strict enough to hold the manager itself, after `change`.
fn critical(change: impl FnOnce(&mut MultisigRules)) -> World {
    World::with_multisig(|r| {
        (r.threshold, r.timelock_floor, r.timelock) = (4, 7 * DAY, 7 * DAY);
        change(r);
    })
}

fn register_manager(w: &World) -> solana_instruction::Instruction {
    let (dev, payer, len) = (address("dev"), address("payer"), trimmed_len(elf::manager()));
    ix::register_program(&dev, &payer, &w.multisig(), &upgrade_manager::ID, 1, len)
}

/// Freezes and attests the manager's own code, in both roles.
fn stage_manager(w: &mut World) {
    let (dev, payer, id) = (address("dev"), address("payer"), upgrade_manager::ID);
    let len = trimmed_len(elf::manager());
    for (name, role) in [("own-up", BufferRole::Upgrade), ("own-back", BufferRole::Rollback)] {
        w.upload(name, elf::manager());
        let buffer = w.buffer_key(name).pubkey();
        let freeze = ix::freeze_buffer(&dev, &payer, &id, &buffer, role);
        w.passes(&[freeze], &["dev", "payer"]);
        let attest = match role {
            BufferRole::Upgrade => ix::attest_buffer(&id, &buffer, len),
            BufferRole::Rollback => ix::attest_rollback(&id, &buffer, len),
        };
        w.passes(&[attest], &[]);
    }
}

#[test]
fn attack_19_the_manager_upgrades_itself_like_any_program() {
    use ManagerError as E;
    let too_weak: [&dyn Fn(&mut MultisigRules); 5] = [
        &|r| r.threshold = 3,
        &|r| (r.timelock_floor, r.timelock) = (7 * DAY - 1, 7 * DAY),
        &|r| (r.timelock_floor, r.timelock) = (2 * DAY, 2 * DAY),
        &|r| r.members.truncate(4),
        &|r| {
            (r.members[0].roles, r.threshold) = (role::PROPOSE | role::EXECUTE, 4);
        },
    ];
    for change in too_weak {
        let mut w = critical(change);
        let register = register_manager(&w);
        w.attack(E::CriticalPolicy, &[register], &["dev", "payer"]);
        assert!(!w.config().critical);
    }
    let mut w = critical(|_| ());
    let register = register_manager(&w);
    w.passes(&[register], &["dev", "payer"]);
    assert!(w.config().critical);
    // The multisig's rules stay this strict while it holds the manager.
    for change in too_weak {
        let mut rules = w.config().rules();
        change(&mut rules);
        let code =
            if rules.timelock_floor < 7 * DAY { E::TimelockFloor } else { E::CriticalPolicy };
        let propose = w.propose_multisig_ix("anna", Action::ConfigChange(rules));
        w.attack(code, &[propose], &["anna", "payer"]);
    }
    stage_manager(&mut w);
    let (program, anna) = (upgrade_manager::ID, address("anna"));
    let id = w.config().next_proposal;
    let keys = ProposalKeys::new(w.multisig(), program, id);
    let (up, back) = (w.buffer_key("own-up").pubkey(), w.buffer_key("own-back").pubkey());
    let propose = |args| ix::propose_upgrade(&anna, &address("payer"), &keys, &up, &back, args);
    let plain =
        ProposeArgs { type_rules: vec![], manifest: Default::default(), ..w.propose_args() };
    let with_accounts = ProposeArgs { type_rules: vec![type_rule()], ..plain.clone() };
    w.attack(E::TypeRule, &[propose(with_accounts)], &["anna", "payer"]);
    w.passes(&[propose(plain)], &["anna", "payer"]);
    let proposal = |w: &World| -> UpgradeProposal { w.chain.read(&keys.proposal) };
    let digest = proposal(&w).digest;
    for member in APPROVERS {
        w.passes(&[ix::approve(&address(member), &keys, digest)], &[member]);
    }
    let execute = ix::execute_upgrade(&address("dan"), &proposal(&w).terms, None);
    w.chain.pass(i64::from(8 * DAY));
    w.attack(E::NotTimelocked, &[execute.clone()], &["dan"]);
    w.passes(&[ix::approve(&address("dan"), &keys, digest)], &["dan"]);
    w.chain.pass(i64::from(2 * DAY));
    w.attack(E::TimelockNotOver, &[execute.clone()], &["dan"]);
    w.chain.pass(i64::from(5 * DAY) - 600);
    let expires = proposal(&w).window_end;
    assert!(expires > 0);
    let mut w = {
        // With time enough: proposed and approved in one go.
        let mut w = critical(|_| ());
        let register = register_manager(&w);
        w.passes(&[register], &["dev", "payer"]);
        stage_manager(&mut w);
        w.id = w.config().next_proposal;
        let plain =
            ProposeArgs { type_rules: vec![], manifest: Default::default(), ..w.propose_args() };
        w.passes(&[propose(plain)], &["anna", "payer"]);
        let digest = proposal(&w).digest;
        for member in &MEMBERS[..4] {
            w.passes(&[ix::approve(&address(member), &keys, digest)], &[member]);
        }
        w.chain.pass(i64::from(7 * DAY));
        w
    };
    let execute = ix::execute_upgrade(&address("dan"), &proposal(&w).terms, None);
    let run = w.chain.ok(&[execute], &[&key("dan")]);
    assert_eq!(e2e::world::events(&run).len(), 1, "told before the new code is in place");
    w.chain.next_slot();
    // The guardian alone cannot roll the manager back; members can.
    let digest = proposal(&w).digest;
    let vote = |who: &str| ix::approve_rollback(&address(who), &keys, digest, false);
    w.attack(E::CriticalPolicy, &[vote("guardian")], &["guardian"]);
    for member in &MEMBERS[..4] {
        w.passes(&[vote(member)], &[member]);
    }
    let back = ix::rollback_program(&address("dan"), &proposal(&w).terms);
    w.passes(&[back], &["dan"]);
}

#[test]
fn attack_20_upgrade_authority_to_another_recipient() {
    use ManagerError as E;
    let own = demo_vault::ID;
    let (data, holder) = (ix::program_data_address(&own), seeds::authority(&own).0);
    // No instruction takes a program's code for a buffer.
    let mut w = World::at(Stage::Completed);
    w.chain.pass(i64::from(ROLLBACK_WINDOW) + 1);
    w.upload("stray", elf::v1());
    let stray = w.buffer_key("stray").pubkey();
    let give = solana_loader_v3_interface::instruction::set_buffer_authority(
        &stray,
        &address("dev"),
        &holder,
    );
    w.passes(&[give], &["dev"]);
    let close = w.close_buffer_ix("stranger", "rollback");
    let (multisig, treasury) = (w.multisig(), address("treasury"));
    let take = |at: &Pubkey| ix::reclaim_buffer(&address("dan"), (&multisig, &treasury), &own, at);
    let rollback = w.buffer_key("rollback").pubkey();
    let others = [data, own, holder, w.multisig(), w.proposal_address(), w.vaults[0]];
    for other in others.into_iter().chain([seeds::program_state(&own).0, address("nobody")]) {
        let closed = swap(&close, &rollback, &other);
        w.attack(E::WrongAccount, &[closed], &["stranger"]);
        w.attack(E::NotALoaderAccount, &[take(&other)], &["dan"]);
        // As if it had been frozen.
        let (from, to) = (seeds::attestation(&rollback).0, seeds::attestation(&other).0);
        let mut w = w.clone();
        let known = w.chain.account(&from).unwrap();
        w.chain.plant(&to, known);
        w.chain.tamper(&to, |d| {
            d[10..42].copy_from_slice(other.as_ref());
        });
        let closed = swap(&swap(&close, &rollback, &other), &from, &to);
        // An account that is no buffer is not touched; only its attestation is closed.
        let before = w.chain.account(&other);
        let outcome = w.chain.send(&[closed], &[&key("stranger")]);
        assert_eq!(w.chain.account(&other), before, "{outcome:?}");
    }
    assert_eq!(loader::authority(&w.chain, &own), Some(holder));
    w.attack(E::BufferKnown, &[take(&rollback)], &["dan"]);
    w.passes(&[close], &["stranger"]);
    w.passes(&[take(&stray)], &["dan"]);

    // A transfer: to nobody, to the manager itself, of another program.
    let mut w = World::at(Stage::Registered);
    let heir = address("heir");
    let good = transfer(&heir);
    let manager_data = ix::program_data_address(&upgrade_manager::ID);
    for (error, transfer) in [
        (E::NewAuthority, Transfer { new_authority: Pubkey::default(), ..good }),
        (E::NewAuthority, Transfer { new_authority: holder, ..good }),
        (E::WrongAccount, Transfer { program_data: manager_data, ..good }),
    ] {
        let propose = w.propose_multisig_ix("anna", Action::TransferAuthority(transfer));
        w.attack(error, &[propose], &["anna", "payer"]);
    }
    let mut foreign = w.propose_multisig_ix("anna", Action::TransferAuthority(good));
    foreign.accounts[3].pubkey = upgrade_manager::ID;
    w.attack(E::WrongAccount, &[foreign], &["anna", "payer"]);
    let at = decide(&mut w, Action::TransferAuthority(good));
    let execute = w.execute_transfer_ix("dan", at);
    // Another recipient than the approved one, or without the recipient's signature.
    let theft = swap(&execute, &heir, &address("stranger"));
    w.attack(E::NewAuthority, &[theft], &["dan", "stranger"]);
    let mut unsigned = execute.clone();
    unsigned.accounts[1].is_signer = false;
    w.attack(SIGNER_MISSING, &[unsigned], &["dan"]);
    for (from, to) in [(data, manager_data), (holder, seeds::migrator(&own).0)] {
        w.attack(E::WrongAccount, &[swap(&execute, &from, &to)], &["dan", "heir"]);
    }
    let as_change = w.execute_change_ix("dan", at);
    w.attack(E::NotThisKind, &[as_change], &["dan"]);
    let mut early = World::at(Stage::Registered);
    let other = propose_by(&mut early, "ben", Action::TransferAuthority(good));
    early.attack(E::NotTimelocked, &[execute.clone()], &["dan", "heir"]);
    approve(&mut early, other);
    early.attack(E::TimelockNotOver, &[execute.clone()], &["dan", "heir"]);
    w.passes(&[execute.clone()], &["dan", "heir"]);
    assert_eq!(loader::authority(&w.chain, &own), Some(heir));
    assert_eq!(w.state().phase, Phase::Released);
    w.attack(E::NotTimelocked, &[execute], &["dan", "heir"]);
    // Never while an upgrade is on its way, in either order.
    let mut w = World::at(Stage::Proposed);
    let propose = w.propose_multisig_ix("ben", Action::TransferAuthority(good));
    w.attack(E::LiveProposal, &[propose], &["ben", "payer"]);
    let mut w = World::at(Stage::Migrated);
    w.chain
        .rewrite::<ProgramUpgradeState>(&seeds::program_state(&own).0, |s| s.live_proposal = None);
    let propose = w.propose_multisig_ix("ben", Action::TransferAuthority(good));
    w.attack(E::NotSteady, &[propose], &["ben", "payer"]);
    let mut w = World::at(Stage::Attested);
    propose_by(&mut w, "ben", Action::TransferAuthority(good));
    let propose = w.propose_ix("anna", w.propose_args());
    w.attack(E::LiveProposal, &[propose], &["anna", "payer"]);
}

#[test]
fn attack_31_the_guardian_exceeds_its_powers() {
    use ManagerError as E;
    let who = ["guardian"];
    // It neither proposes, votes nor executes.
    let mut w = World::at(Stage::Proposed);
    let propose = w.propose_multisig_ix("guardian", Action::Dissolve);
    w.attack(E::NotAMember, &[propose], &["guardian", "payer"]);
    for ix in [w.approve_ix("guardian"), w.reject_ix("guardian"), w.revoke_ix("guardian")] {
        w.attack(E::NotAMember, &[ix], &who);
    }
    let mut ready = World::at(Stage::Ready);
    let execute = ready.execute_ix("guardian");
    ready.attack(E::NotAMember, &[execute], &who);
    let unpause = w.unpause_ix("guardian");
    w.attack(E::NotAMember, &[unpause], &who);

    // Nobody else pauses. A pause ends by itself, and the next one is possible only after the same
    // time again.
    for other in ["stranger", "anna"] {
        let pause = w.pause_ix(other);
        w.attack(E::NotGuardian, &[pause], &[other]);
    }
    let mut w = World::at(Stage::Ready);
    let (pause, execute) = (w.pause_ix("guardian"), w.execute_ix("dan"));
    w.passes(&[pause.clone()], &who);
    let until = w.chain.time() + PAUSE_SECONDS;
    assert_eq!(w.config().paused_until, until);
    w.attack(E::Paused, &[execute.clone()], &["dan"]);
    w.attack(E::Paused, &[pause.clone()], &who);
    let mut long = World::with_multisig(|r| r.execution_window = 30 * DAY);
    long.propose();
    long.approve_by(&APPROVERS);
    long.chain.pass(i64::from(TIMELOCK));
    long.passes(&[pause.clone()], &who);
    let long_execute = long.execute_ix("dan");
    long.chain.pass(PAUSE_SECONDS - 1);
    long.attack(E::Paused, &[long_execute.clone()], &["dan"]);
    long.chain.pass(1);
    long.would_pass(&[long_execute.clone()], &["dan"]);
    long.attack(E::PauseTooSoon, &[pause.clone()], &who);
    long.chain.pass(PAUSE_SECONDS - 1);
    long.attack(E::PauseTooSoon, &[pause.clone()], &who);
    long.chain.pass(1);
    long.would_pass(&[pause.clone()], &who);
    long.passes(&[long_execute], &["dan"]);
    // Members at the threshold end the pause sooner; one member cannot, even by voting twice.
    let unpause = w.unpause_ix("anna");
    w.passes(&[unpause.clone()], &["anna"]);
    w.attack(E::AlreadyVoted, &[unpause.clone()], &["anna"]);
    w.passes(&[w.unpause_ix("ben")], &["ben"]);
    w.attack(E::Paused, &[execute.clone()], &["dan"]);
    w.passes(&[w.unpause_ix("chloe")], &["chloe"]);
    w.attack(E::NotPaused, &[unpause], &["anna"]);
    w.attack(E::PauseTooSoon, &[pause.clone()], &who);
    w.passes(&[execute], &["dan"]);
    // A pause stops migration, but not a rollback.
    let mut w = World::at(Stage::Executed);
    w.passes(&[pause.clone()], &who);
    let migrate = w.migrate_ix(&w.vaults.clone());
    w.attack(E::Paused, &[migrate.clone()], &["cranker"]);
    w.vote_rollback(&APPROVERS, false);
    w.roll_back();
    World::at(Stage::Executed).would_pass(&[migrate], &["cranker"]);
    // While it is paused, members change the multisig and put another guardian there.
    let mut w = World::at(Stage::Registered);
    let heir = transfer(&address("heir"));
    let handing = decide(&mut w, Action::TransferAuthority(heir));
    let rules = MultisigRules { guardian: Some(address("other")), ..w.config().rules() };
    let other = propose_by(&mut w, "anna", Action::ConfigChange(rules));
    approve(&mut w, other);
    w.chain.pass(i64::from(TIMELOCK) - 60);
    w.passes(&[pause.clone()], &who);
    let paused = w.execute_transfer_ix("dan", handing);
    let refused = w.refused(&[paused], &[&key("dan"), &key("heir")]);
    let named = [E::Paused, E::Expired].map(|e| Some(u32::from(e)));
    assert!(named.contains(&refused.code()), "{refused:?}");
    // It does not veto its own removal, and vetoes everything else.
    let veto = |w: &World, id| w.multisig_cancel_ix("guardian", id);
    let own = veto(&w, other);
    w.attack(E::GuardianCannotVeto, &[own], &who);
    w.would_pass(&[veto(&w, handing)], &who);
    w.chain.pass(60);
    let change = w.execute_change_ix("dan", other);
    w.passes(&[change], &["dan"]);
    for ix in [w.pause_ix("guardian"), w.multisig_cancel_ix("guardian", handing)] {
        let refused = w.refused(&[ix], &[&key("guardian")]);
        let named = [E::NotGuardian, E::NotAMember].map(|e| Some(u32::from(e)));
        assert!(named.contains(&refused.code()), "{refused:?}");
    }
    let mut w = World::at(Stage::Timelocked);
    let cancel = w.cancel_ix("guardian");
    w.passes(&[cancel.clone()], &who);
    assert_eq!(w.proposal().status, ProposalStatus::Cancelled);
    w.attack(E::NotVoting, &[cancel], &who);

    // The guardian starts one rollback for each execution, within its window, for the approved
    // terms, and gives no account up.
    let mut w = World::at(Stage::Migrated);
    let early = w.restore_ix("guardian", &w.old_bytes(&w.vaults.clone()));
    w.attack(E::RollbackNotApproved, &[early.clone()], &["guardian", "payer"]);
    let back = w.rollback_ix("guardian");
    w.attack(E::RollbackNotApproved, &[back.clone()], &who);
    let giving_up = w.approve_rollback_ix("guardian", true);
    w.attack(E::RoleMissing, &[giving_up.clone()], &who);
    let mut digest = w.proposal().digest;
    digest[0] ^= 1;
    let blind = ix::approve_rollback(&address("guardian"), &w.keys(), digest, false);
    w.attack(E::DigestMismatch, &[blind], &who);
    let vote = w.approve_rollback_ix("guardian", false);
    let mut late = w.clone();
    late.chain.pass_until(late.proposal().rollback_until + 1);
    late.attack(E::RollbackWindowOver, &[vote.clone()], &who);
    w.passes(&[vote.clone()], &who);
    w.attack(E::AlreadyVoted, &[vote.clone()], &who);
    w.attack(E::RoleMissing, &[giving_up], &who);
    w.attack(E::NotRestored, &[back.clone()], &who);
    w.passes(&[early, back.clone()], &["guardian", "payer"]);
    w.chain.next_slot();
    w.attack(E::NotExecuted, &[back], &who);
    w.attack(E::NotExecuted, &[vote], &who);
}
