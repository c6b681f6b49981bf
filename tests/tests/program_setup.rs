//! Teams and registrations: nobody takes an address, a program or a slot that is not theirs.
use e2e::{
    elf,
    keys::{address, key},
    loader,
    verbs::trimmed_len,
    world::{Stage, World},
};
use solana_instruction::Instruction;
use solana_pubkey::Pubkey;
use solana_signer::Signer;
use upgrade_manager::{
    error::ManagerError,
    instructions::ProposeArgs,
    seeds,
    state::{BufferRole, Manifest, MemberArgs, TeamRules},
};

/// Anchor's code for an account that did not sign.
const SIGNER_MISSING: u32 = 3010;

fn team(change: impl FnOnce(&mut TeamRules)) -> (World, TeamRules) {
    let w = World::at(Stage::Deployed);
    let mut args = w.team_args();
    change(&mut args);
    (w, args)
}

#[test]
fn a_team_that_breaks_a_rule_is_not_made() {
    type Change = fn(&mut TeamRules);
    let cases: [(ManagerError, Change); 15] = [
        (ManagerError::MemberCount, |a| a.members.clear()),
        (ManagerError::MembersNotSortedUnique, |a| a.members.reverse()),
        (ManagerError::MembersNotSortedUnique, |a| a.members[1] = a.members[0]),
        (ManagerError::MemberIsZero, |a| a.members[0].key = Default::default()),
        (ManagerError::MemberRoles, |a| a.members[0].roles = 0),
        (ManagerError::MemberRoles, |a| a.members[0].roles = 8),
        (ManagerError::Threshold, |a| a.threshold = 2),
        (ManagerError::Threshold, |a| a.threshold = 6),
        (ManagerError::NobodyProposes, |a| a.members.iter_mut().for_each(|m| m.roles = 6)),
        (ManagerError::NobodyExecutes, |a| a.members.iter_mut().for_each(|m| m.roles = 3)),
        (ManagerError::Timelock, |a| a.timelock = a.timelock_floor - 1),
        (ManagerError::TimelockFloor, |a| (a.timelock, a.timelock_floor) = (0, 0)),
        (ManagerError::Window, |a| a.execution_window = 3_599),
        (ManagerError::OpenCap, |a| a.open_cap = 0),
        (ManagerError::TreasuryIsZero, |a| a.treasury = Default::default()),
    ];
    for (error, change) in cases {
        let (mut w, args) = team(change);
        let create = w.create_multisig_ix(args);
        w.chain.refuse(error, &[create], &[&key("create"), &key("payer")]);
    }
}

#[test]
fn a_team_of_sixteen_fits_and_seventeen_do_not() {
    for (n, fits) in [(16, true), (17, false)] {
        let (mut w, args) = team(|args| {
            let mut keys: Vec<_> = (0..n).map(|i| address(&format!("member-{i}"))).collect();
            keys.sort();
            let roles = args.members[0].roles;
            args.members = keys.into_iter().map(|key| MemberArgs { key, roles }).collect();
            args.threshold = n / 2 + 1;
        });
        let create = w.create_multisig_ix(args);
        let outcome = w.chain.send(&[create], &[&key("create"), &key("payer")]);
        assert_eq!(outcome.is_ok(), fits, "{n}: {outcome:?}");
    }
}

#[test]
fn nobody_makes_a_team_at_anothers_address() {
    let (mut w, args) = team(|_| ());
    let mut unsigned = w.create_multisig_ix(args.clone());
    unsigned.accounts[0].is_signer = false;
    w.chain.refuse(SIGNER_MISSING, &[unsigned], &[&key("payer")]);
    let mut thief = w.create_multisig_ix(args.clone());
    thief.accounts[0].pubkey = address("stranger");
    w.chain.refuse(ManagerError::WrongAccount, &[thief], &[&key("stranger"), &key("payer")]);
    let create = w.create_multisig_ix(args);
    w.chain.ok(&[create.clone()], &[&key("create"), &key("payer")]);
    assert!(w.chain.send(&[create], &[&key("create"), &key("payer")]).is_err(), "made once");
}

#[test]
fn only_the_present_authority_hands_a_program_over() {
    let mut w = World::at(Stage::Team);
    let payer = key("payer");
    let mut theft = w.register_ix();
    theft.accounts[0].pubkey = address("stranger");
    w.chain.refuse(ManagerError::NotUpgradeAuthority, &[theft], &[&key("stranger"), &payer]);
    let mut unsigned = w.register_ix();
    unsigned.accounts[0].is_signer = false;
    w.chain.refuse(SIGNER_MISSING, &[unsigned], &[&payer]);
    assert_eq!(loader::authority(&w.chain, &demo_vault::ID), Some(address("dev")));
    w.register();
    let again = w.register_ix();
    assert!(w.chain.send(&[again], &[&key("dev"), &payer]).is_err());
}

#[test]
fn registration_takes_only_what_the_program_itself_points_to() {
    let mut w = World::at(Stage::Team);
    let len = trimmed_len(&w.live_code());
    let signers = [&key("dev"), &key("payer")];
    let good = w.register_ix();
    let at = |key| good.accounts.iter().position(|m| m.pubkey == key).unwrap();
    let data = backend::instructions::program_data_address(&demo_vault::ID);
    let other = backend::instructions::program_data_address(&upgrade_manager::ID);
    let mut foreign = good.clone();
    foreign.accounts[at(data)].pubkey = other;
    w.chain.refuse(ManagerError::WrongAccount, &[foreign], &signers);
    // An account of a stranger's program that looks like a program of the loader.
    let mut lookalike = w.chain.account(&demo_vault::ID).unwrap();
    (lookalike.owner, lookalike.executable) = (address("stranger"), false);
    let fake = address("fake-program");
    w.chain.plant(&fake, lookalike);
    let (dev, payer, team) = (address("dev"), address("payer"), w.multisig());
    let mut posing = backend::instructions::register_program(&dev, &payer, &team, &fake, 1, len);
    let derived = backend::instructions::program_data_address(&fake);
    let at = posing.accounts.iter().position(|m| m.pubkey == derived).unwrap();
    posing.accounts[at].pubkey = data;
    w.chain.refuse(ManagerError::NotALoaderAccount, &[posing], &signers);
    for wrong in [len - 1, len + 1] {
        let (dev, payer) = (address("dev"), address("payer"));
        let (team, id) = (w.multisig(), demo_vault::ID);
        let ix = backend::instructions::register_program(&dev, &payer, &team, &id, 1, wrong);
        w.chain.refuse(ManagerError::TrimmedLength, &[ix], &signers);
    }
}

#[test]
fn the_manager_does_not_take_charge_of_itself() {
    let mut w = World::at(Stage::Team);
    let len = trimmed_len(elf::manager());
    let (dev, payer) = (address("dev"), address("payer"));
    let (team, id) = (w.multisig(), upgrade_manager::ID);
    let ix = backend::instructions::register_program(&dev, &payer, &team, &id, 1, len);
    w.chain.refuse(ManagerError::CriticalPolicy, &[ix], &[&key("dev"), &key("payer")]);
}

#[test]
fn an_immutable_program_cannot_be_registered() {
    let mut w = World::at(Stage::Team);
    let data = backend::instructions::program_data_address(&demo_vault::ID);
    w.chain.tamper(&data, |data| data[12] = 0);
    let register = w.register_ix();
    w.chain.refuse(ManagerError::NotUpgradeAuthority, &[register], &[&key("dev"), &key("payer")]);
}

/// A second program under the same team, with buffers of its own. Returns its address.
fn second_program(w: &mut World) -> Pubkey {
    let (program, dev, payer) = (key("second-program"), key("dev"), key("payer"));
    let (id, code) = (program.pubkey(), elf::v1());
    loader::deploy(&mut w.chain, &program, &dev, code, code.len());
    let (len, team) = (trimmed_len(code), w.multisig());
    let (d, p) = (dev.pubkey(), payer.pubkey());
    let register = backend::instructions::register_program(&d, &p, &team, &id, 1, len);
    w.chain.ok(&[register], &[&dev, &payer]);
    for (name, role) in [("second-up", BufferRole::Upgrade), ("second-back", BufferRole::Rollback)]
    {
        w.upload(name, code);
        let buffer = w.buffer_key(name).pubkey();
        let freeze = backend::instructions::freeze_buffer(&d, &p, &id, &buffer, role);
        w.chain.ok(&[freeze], &[&dev, &payer]);
        let attest = match role {
            BufferRole::Upgrade => backend::instructions::attest_buffer(&id, &buffer, len),
            BufferRole::Rollback => backend::instructions::attest_rollback(&id, &buffer, len),
        };
        w.chain.ok(&[attest], &[]);
    }
    id
}

fn propose_second(w: &World, id: &Pubkey, who: &str) -> Instruction {
    let args =
        ProposeArgs { type_rules: vec![], manifest: Manifest::default(), ..w.propose_args() };
    let keys =
        backend::instructions::ProposalKeys::new(w.multisig(), *id, w.config().next_proposal);
    let (up, back) = (w.buffer_key("second-up").pubkey(), w.buffer_key("second-back").pubkey());
    backend::instructions::propose_upgrade(
        &address(who),
        &address("payer"),
        &keys,
        &up,
        &back,
        args,
    )
}

#[test]
fn a_member_at_the_cap_opens_no_more_and_hinders_nobody_else() {
    let mut w = World::with_team(|args| args.open_cap = 1);
    let id = second_program(&mut w);
    w.propose();
    let (payer, over) = (key("payer"), propose_second(&w, &id, "anna"));
    w.chain.refuse(ManagerError::TooManyOpen, &[over], &[&key("anna"), &payer]);
    let mut free = w.clone();
    let other = propose_second(&w, &id, "ben");
    w.chain.ok(&[other], &[&key("ben"), &payer]);
    let cancel = free.cancel_ix("anna");
    free.chain.ok(&[cancel], &[&key("anna")]);
    let again = propose_second(&free, &id, "anna");
    free.chain.ok(&[again], &[&key("anna"), &payer]);
}

#[test]
fn a_vote_for_one_program_does_not_pass_for_another() {
    let mut w = World::at(Stage::Attested);
    let id = second_program(&mut w);
    w.propose();
    let second = propose_second(&w, &id, "ben");
    w.chain.ok(&[second], &[&key("ben"), &key("payer")]);
    let (own, other) = (w.keys(), backend::instructions::ProposalKeys::new(w.multisig(), id, 1));
    let good = w.approve_ix("anna");
    let swap = |from, to| {
        let mut ix = good.clone();
        let at = ix.accounts.iter().position(|m| m.pubkey == from).unwrap();
        ix.accounts[at].pubkey = to;
        ix
    };
    for ix in [swap(own.state, other.state), swap(own.proposal, other.proposal)] {
        w.chain.refuse(ManagerError::WrongAccount, &[ix], &[&key("anna")]);
    }
    let mut both = swap(own.state, other.state);
    let at = both.accounts.iter().position(|m| m.pubkey == own.proposal).unwrap();
    both.accounts[at].pubkey = other.proposal;
    w.chain.refuse(ManagerError::DigestMismatch, &[both], &[&key("anna")]);
}

#[test]
fn a_buffer_frozen_for_one_program_is_not_proposed_for_another() {
    let mut w = World::at(Stage::Attested);
    second_program(&mut w);
    let signers = [&key("anna"), &key("payer")];
    for (up, back) in [("second-up", "rollback"), ("upgrade", "second-back")] {
        let ix = w.propose_with_ix("anna", w.propose_args(), up, back);
        w.chain.refuse(ManagerError::WrongAccount, &[ix], &signers);
    }
}

#[test]
fn a_squatted_address_does_not_stop_registration() {
    let mut w = World::at(Stage::Team);
    let state = seeds::program_state(&demo_vault::ID).0;
    w.chain.fund(&state, 1_000_000);
    w.register();
    assert_eq!(w.state().version, 1);
}
