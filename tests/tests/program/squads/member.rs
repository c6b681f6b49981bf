//! A multisig whose only voter is a Squads v4 vault, against the real Squads program: three of five
//! Squads members approve by Squads' own instructions, and the vault's vote reaches the manager as
//! a CPI.
use backend::instructions as ix;
use e2e::{
    elf,
    keys::{address, key},
    loader,
    squads::{
        self, ConfigAction, SquadsMultisig,
        governed::{
            SQUAD, attested, backed, proposed, ready, rules, three_of_five, vote, vote_back,
        },
    },
    world::{APPROVERS, MEMBERS, SOL, Stage, TIMELOCK, World},
};
use solana_instruction::Instruction;
use solana_pubkey::Pubkey;
use upgrade_manager::{
    error::ManagerError,
    state::{Phase, ProposalStatus, SquadsVault},
};

/// Squads' error for a transaction with too few approvals.
const INVALID_PROPOSAL_STATUS: u32 = 6008;

/// `ix` with `to` in place of the Squads multisig.
fn redirected(mut ix: Instruction, squad: &SquadsMultisig, to: Pubkey) -> Instruction {
    let meta = ix.accounts.iter_mut().find(|m| m.pubkey == squad.multisig);
    meta.expect("the Squads multisig").pubkey = to;
    ix
}

/// `ix` without the Squads multisig.
fn bare(mut ix: Instruction, squad: &SquadsMultisig) -> Instruction {
    ix.accounts.retain(|m| m.pubkey != squad.multisig);
    ix
}

/// The Squads members approve `ix`, and the manager refuses it at its execution.
#[track_caller]
fn refuse_squads(w: &mut World, squad: &SquadsMultisig, code: ManagerError, ix: Instruction) {
    let pending = squad.agree(&mut w.chain, &[ix]);
    let execute = squad.execute_ix(&pending);
    w.chain.refuse(code, &[execute], &[&squad.executor()]);
}

#[test]
fn three_of_five_squads_members_carry_an_upgrade_to_its_end_and_back() {
    let (mut w, squad) = proposed();
    let approve = vote(&w, &squad);

    // Two approvals in Squads: the vault cannot even vote.
    let hasty = SquadsMultisig { threshold: 2, ..squad.clone() };
    let pending = hasty.agree(&mut w.chain, &[approve.clone()]);
    let execute = squad.execute_ix(&pending);
    w.chain.refuse(INVALID_PROPOSAL_STATUS, &[execute], &[&squad.executor()]);
    assert_eq!(w.proposal().status, ProposalStatus::Active);

    let units = squad.run(&mut w.chain, &[approve]);
    assert_eq!(units.approve.len(), 3);
    println!("units vault_transaction_execute (the vault approves): {}", units.execute);
    let proposal = w.proposal();
    assert_eq!(proposal.status, ProposalStatus::Timelocked);
    assert_eq!(proposal.ballot.approvals(), 1);

    let execute = backed(&w, w.execute_ix("dan"));
    w.chain.refuse(ManagerError::TimelockNotOver, &[execute.clone()], &[&key("dan")]);
    w.chain.pass(i64::from(TIMELOCK));
    w.run("execute_upgrade", execute, &[&key("dan")]);
    w.chain.next_slot();
    assert_eq!(w.live_code(), backend::elf::trimmed(elf::v2()));
    w.migrate_all();
    w.verify_all();
    w.complete();
    assert_eq!((w.state().phase, w.state().version), (Phase::Steady, 2));

    let back = vote_back(&w, &squad);
    squad.run(&mut w.chain, &[back]);
    assert_eq!(w.state().phase, Phase::RollingBack);
    w.restore_all();
    let roll_back = w.rollback_ix("dan");
    w.run("rollback_program", roll_back, &[&key("dan")]);
    w.chain.next_slot();
    assert_eq!((w.state().phase, w.state().version), (Phase::Steady, 1));
    assert_eq!(w.live_code(), backend::elf::trimmed(elf::v1()));
    for (vault, before) in &w.before {
        assert_eq!(w.chain.data(vault), before.data, "{vault}");
    }
}

#[test]
fn a_squads_vault_cancels_and_lifts_a_pause() {
    let (mut w, squad) = proposed();
    let pause = ix::pause(&address("guardian"), &w.multisig());
    w.run("pause", pause, &[&key("guardian")]);
    let unpause = backed(&w, ix::unpause(&squad.vault(), &w.multisig()));
    squad.run(&mut w.chain, &[unpause]);
    assert_eq!(w.config().paused_until, 0);
    let cancel = backed(&w, ix::cancel(&squad.vault(), &w.keys()));
    squad.run(&mut w.chain, &[cancel]);
    assert_eq!(w.proposal().status, ProposalStatus::Cancelled);
}

#[test]
fn nobody_votes_in_the_vaults_place() {
    let (mut w, squad) = proposed();
    for (name, code) in [
        ("sam", ManagerError::NotAMember),
        ("stranger", ManagerError::NotAMember),
        ("anna", ManagerError::RoleMissing),
        ("dan", ManagerError::RoleMissing),
    ] {
        let approve = backed(&w, w.approve_ix(name));
        w.chain.refuse(code, &[approve], &[&key(name)]);
    }
    // Another Squads multisig of the same members.
    let other = SquadsMultisig::create(&mut w.chain, &SQUAD, 4, 0);
    let approve = backed(&w, ix::approve(&other.vault(), &w.keys(), w.proposal().digest));
    refuse_squads(&mut w, &other, ManagerError::NotAMember, approve);
    assert_eq!(w.proposal().ballot.approvals(), 0);
    assert_ne!(other.vault(), squad.vault());
}

#[test]
fn a_squads_multisig_under_a_single_key_is_refused_at_creation() {
    let mut w = World::at(Stage::Deployed);
    let squad = SquadsMultisig::create_as(&mut w.chain, &SQUAD, |args| {
        args.threshold = 3;
        args.config_authority = Some(address("stranger"));
    });
    let create = w.create_multisig_ix(rules(&w, three_of_five(&squad), squad.vault()));
    let signers = [&key("create"), &key("payer")];
    w.chain.refuse(ManagerError::SquadsControlled, &[create], &signers);
}

#[test]
fn a_squads_multisig_that_demands_less_than_agreed_is_refused_at_creation() {
    let mut w = World::at(Stage::Deployed);
    let signers = [&key("create"), &key("payer")];
    let lax = SquadsMultisig::create(&mut w.chain, &SQUAD, 2, 0);
    let few = SquadsMultisig::create(&mut w.chain, &SQUAD[..4], 3, 0);
    // Five members, but one of them has no vote.
    let mute = SquadsMultisig::create_as(&mut w.chain, &SQUAD, |args| {
        args.threshold = 3;
        args.time_lock = 1;
        args.members[4].1 = squads::INITIATE | squads::EXECUTE;
    });
    for squad in [&lax, &few, &mute] {
        let create = w.create_multisig_ix(rules(&w, three_of_five(squad), squad.vault()));
        w.chain.refuse(ManagerError::SquadsPolicy, &[create], &signers);
    }
}

#[test]
fn a_voter_that_is_not_the_vault_or_no_majority_behind_it_is_refused_at_creation() {
    let mut w = World::at(Stage::Deployed);
    let signers = [&key("create"), &key("payer")];
    let squad = SquadsMultisig::create(&mut w.chain, &SQUAD, 3, 0);
    let agreed = three_of_five(&squad);
    let other_vault = squads::vault(&squad.multisig, 1);
    for voter in [other_vault, squad.multisig, address("sam")] {
        let create = w.create_multisig_ix(rules(&w, agreed, voter));
        w.chain.refuse(ManagerError::SquadsVoter, &[create], &signers);
    }
    // A threshold of one, of half the members or of more than there are is no majority.
    for (min_threshold, min_voters) in [(1, 1), (2, 4), (4, 3)] {
        let agreed = SquadsVault { min_threshold, min_voters, ..agreed };
        let create = w.create_multisig_ix(rules(&w, agreed, squad.vault()));
        w.chain.refuse(ManagerError::SquadsVoter, &[create], &signers);
    }
    // With its own index the other vault is accepted.
    let create =
        w.create_multisig_ix(rules(&w, SquadsVault { vault_index: 1, ..agreed }, other_vault));
    w.chain.ok(&[create], &signers);
}

#[test]
fn only_a_multisig_account_of_squads_stands_for_a_multisig_at_creation() {
    let mut w = World::at(Stage::Deployed);
    let signers = [&key("create"), &key("payer")];
    let squad = SquadsMultisig::create(&mut w.chain, &SQUAD, 3, 0);
    let other = SquadsMultisig::create(&mut w.chain, &SQUAD, 4, 0);
    let create = w.create_multisig_ix(rules(&w, three_of_five(&squad), squad.vault()));
    w.chain.refuse(ManagerError::SquadsAccount, &[bare(create.clone(), &squad)], &signers);
    let redirect = redirected(create, &squad, other.multisig);
    w.chain.refuse(ManagerError::SquadsAccount, &[redirect], &signers);

    // The same bytes under another owner; and accounts of Squads that are something else.
    let fake = address("fake-multisig");
    let mut account = w.chain.account(&squad.multisig).expect("the Squads multisig");
    account.owner = demo_vault::ID;
    w.chain.plant(&fake, account);
    squad.run(
        &mut w.chain,
        &[solana_system_interface::instruction::transfer(&squad.vault(), &address("friend"), SOL)],
    );
    for named in [fake, squads::proposal(&squad.multisig, 1), squads::program_config()] {
        let agreed = SquadsVault { multisig: named, ..three_of_five(&squad) };
        let create = w.create_multisig_ix(rules(&w, agreed, squads::vault(&named, 0)));
        w.chain.refuse(ManagerError::SquadsAccount, &[create], &signers);
    }
}

#[test]
fn a_vote_needs_the_squads_multisig_itself() {
    let (mut w, squad) = proposed();
    let other = SquadsMultisig::create(&mut w.chain, &SQUAD, 4, 0);
    let approve = vote(&w, &squad);
    refuse_squads(&mut w, &squad, ManagerError::SquadsAccount, bare(approve.clone(), &squad));
    let redirect = redirected(approve.clone(), &squad, other.multisig);
    refuse_squads(&mut w, &squad, ManagerError::SquadsAccount, redirect);
    let fake = address("fake-multisig");
    let copy = w.chain.account(&squad.multisig).expect("the Squads multisig");
    w.chain.plant(&fake, copy);
    let redirect = redirected(approve.clone(), &squad, fake);
    refuse_squads(&mut w, &squad, ManagerError::SquadsAccount, redirect);
    assert_eq!(w.proposal().ballot.approvals(), 0);
    squad.run(&mut w.chain, &[approve]);
    assert_eq!(w.proposal().status, ProposalStatus::Timelocked);
}

#[test]
fn every_step_of_a_squads_multisig_needs_the_squads_multisig() {
    let (mut w, squad) = attested();
    let (anna, dan, payer) = (key("anna"), key("dan"), key("payer"));
    w.before = w.snapshot();
    let propose = backed(&w, w.propose_ix("anna", w.propose_args()));
    let without = bare(propose.clone(), &squad);
    w.chain.refuse(ManagerError::SquadsAccount, &[without], &[&anna, &payer]);
    w.chain.ok(&[propose], &[&anna, &payer]);
    let approve = vote(&w, &squad);
    squad.run(&mut w.chain, &[approve]);
    w.chain.pass(i64::from(TIMELOCK));

    let execute = backed(&w, w.execute_ix("dan"));
    w.chain.refuse(ManagerError::SquadsAccount, &[bare(execute.clone(), &squad)], &[&dan]);
    // The same bytes at the right address, but not Squads' own.
    let real = w.chain.account(&squad.multisig).expect("the Squads multisig");
    let mut fake = real.clone();
    fake.owner = demo_vault::ID;
    w.chain.plant(&squad.multisig, fake);
    w.chain.refuse(ManagerError::SquadsAccount, &[execute.clone()], &[&dan]);
    w.chain.plant(&squad.multisig, real);
    w.chain.ok(&[execute], &[&dan]);
    w.chain.next_slot();

    let back = vote_back(&w, &squad);
    refuse_squads(&mut w, &squad, ManagerError::SquadsAccount, bare(back.clone(), &squad));
    squad.run(&mut w.chain, &[back]);
    assert_eq!(w.state().phase, Phase::RollingBack);
}

#[test]
fn a_program_is_registered_only_while_the_squads_threshold_is_high_enough() {
    let mut w = World::at(Stage::Deployed);
    let squad = SquadsMultisig::create(&mut w.chain, &SQUAD, 3, 0);
    let create = w.create_multisig_ix(rules(&w, three_of_five(&squad), squad.vault()));
    w.chain.ok(&[create], &[&key("create"), &key("payer")]);
    let register = backed(&w, w.register_ix());
    let signers = [&key("dev"), &key("payer")];
    w.chain.refuse(ManagerError::SquadsAccount, &[bare(register.clone(), &squad)], &signers);
    squad.reconfigure(&mut w.chain, &[ConfigAction::ChangeThreshold(2)]);
    w.chain.refuse(ManagerError::SquadsPolicy, &[register], &signers);
    assert_eq!(loader::authority(&w.chain, &demo_vault::ID), Some(address("dev")));
}

/// Changes that weaken a Squads multisig, the approvals it then needs, and the change back.
fn weakenings() -> [(Vec<ConfigAction>, u16, Vec<ConfigAction>); 3] {
    let member = |permissions| ConfigAction::AddMember(address("syd"), permissions);
    let leave = ConfigAction::RemoveMember(address("syd"));
    let mute = squads::INITIATE | squads::EXECUTE;
    [
        (vec![ConfigAction::ChangeThreshold(2)], 2, vec![ConfigAction::ChangeThreshold(3)]),
        (vec![leave], 3, vec![member(squads::ALL)]),
        (vec![leave, member(mute)], 3, vec![leave, member(squads::ALL)]),
    ]
}

#[test]
fn a_vote_counts_only_while_the_squads_threshold_is_high_enough() {
    for (weaken, threshold, mend) in weakenings() {
        let (mut w, squad) = proposed();
        squad.reconfigure(&mut w.chain, &weaken);
        let now = SquadsMultisig { threshold, ..squad.clone() };
        let approve = vote(&w, &squad);
        refuse_squads(&mut w, &now, ManagerError::SquadsPolicy, approve.clone());
        assert_eq!(w.proposal().ballot.approvals(), 0);
        now.reconfigure(&mut w.chain, &mend);
        squad.run(&mut w.chain, &[approve]);
        assert_eq!(w.proposal().status, ProposalStatus::Timelocked);
    }
}

#[test]
fn an_approved_proposal_is_executed_only_while_the_squads_threshold_is_high_enough() {
    for (weaken, threshold, mend) in weakenings() {
        let (mut w, squad) = ready();
        squad.reconfigure(&mut w.chain, &weaken);
        let execute = backed(&w, w.execute_ix("dan"));
        w.chain.refuse(ManagerError::SquadsPolicy, &[execute.clone()], &[&key("dan")]);
        assert_eq!(w.live_code(), backend::elf::trimmed(elf::v1()));
        let now = SquadsMultisig { threshold, ..squad.clone() };
        now.reconfigure(&mut w.chain, &mend);
        w.chain.ok(&[execute], &[&key("dan")]);
    }
}

#[test]
fn a_weakened_squads_multisig_approves_no_rollback_but_an_approved_one_is_executed() {
    let (mut w, squad) = ready();
    let execute = backed(&w, w.execute_ix("dan"));
    w.chain.ok(&[execute], &[&key("dan")]);
    w.chain.next_slot();
    let [(weaken, threshold, mend), ..] = weakenings();
    let now = SquadsMultisig { threshold, ..squad.clone() };
    let back = vote_back(&w, &squad);

    squad.reconfigure(&mut w.chain, &weaken);
    refuse_squads(&mut w, &now, ManagerError::SquadsPolicy, back.clone());
    assert_eq!(w.state().phase, Phase::Migrating);
    now.reconfigure(&mut w.chain, &mend);
    squad.run(&mut w.chain, &[back]);
    squad.reconfigure(&mut w.chain, &weaken);
    let roll_back = w.rollback_ix("dan");
    w.chain.ok(&[roll_back], &[&key("dan")]);
    assert_eq!(w.live_code(), backend::elf::trimmed(elf::v1()));
}

/// No instruction of Squads gives a self-governed multisig a config authority. The test writes
/// these bytes directly, so that the manager refuses the account even if an upgraded Squads allows
/// it.
#[test]
fn a_squads_multisig_that_came_under_a_single_key_is_refused_later() {
    const CONFIG_AUTHORITY_OFFSET: usize = 40;
    let control = |w: &mut World, squad: &SquadsMultisig| {
        let stranger = address("stranger");
        let at = CONFIG_AUTHORITY_OFFSET..CONFIG_AUTHORITY_OFFSET + 32;
        w.chain.tamper(&squad.multisig, |data| data[at].copy_from_slice(stranger.as_ref()));
    };
    let (mut w, squad) = proposed();
    let approve = vote(&w, &squad);
    let pending = squad.agree(&mut w.chain, &[approve]);
    control(&mut w, &squad);
    let execute = squad.execute_ix(&pending);
    w.chain.refuse(ManagerError::SquadsControlled, &[execute], &[&squad.executor()]);

    let (mut w, squad) = ready();
    control(&mut w, &squad);
    let execute = backed(&w, w.execute_ix("dan"));
    w.chain.refuse(ManagerError::SquadsControlled, &[execute], &[&key("dan")]);
}

/// A Squads transaction that names a native member as a signer gets that member's signature, and
/// could hide a vote from that member.
#[test]
fn a_native_member_does_not_vote_through_squads() {
    let (proposed, voted) = (World::at(Stage::Proposed), World::at(Stage::Timelocked));
    let (ready, executed) = (World::at(Stage::Ready), World::at(Stage::Executed));
    let mut decided = executed.clone();
    decided.vote_rollback(&APPROVERS, false);
    let cases = [
        ("approve", &proposed, proposed.approve_ix("anna"), "anna"),
        ("reject", &proposed, proposed.reject_ix("ben"), "ben"),
        ("cancel", &proposed, proposed.cancel_ix("anna"), "anna"),
        ("revoke", &voted, voted.revoke_ix("anna"), "anna"),
        ("execute_upgrade", &ready, ready.execute_ix("dan"), "dan"),
        ("approve_rollback", &executed, executed.approve_rollback_ix("anna", false), "anna"),
        ("rollback_program", &decided, decided.rollback_ix("dan"), "dan"),
    ];
    for (what, world, call, member) in cases {
        println!("{what}");
        let mut w = world.clone();
        let squad = SquadsMultisig::create(&mut w.chain, &SQUAD, 1, 0);
        let pending = squad.agree(&mut w.chain, &[call.clone()]);
        let through = squad.execute_ix(&pending);
        let signers = [&squad.executor(), &key(member)];
        w.chain.refuse(ManagerError::CalledByProgram, &[through], &signers);
        w.chain.ok(&[call], &[&key(member)]);
    }
    assert!(MEMBERS.iter().all(|m| !SQUAD.contains(m)));
}
