//! Attacks on the team itself: who is in it, how many it takes, what its guardian may do, and who
//! holds the programs.
use backend::instructions::{self as ix, ProposalKeys};
use e2e::{
    attack::{SIGNER_MISSING, swap},
    elf,
    keys::{address, key},
    loader,
    verbs::trimmed_len,
    world::{DECIDING, MEMBERS, ROLLBACK_WINDOW, Stage, TIMELOCK, World, type_rule},
};
use solana_pubkey::Pubkey;
use solana_signer::Signer;
use upgrade_manager::{
    error::ManagerError,
    instructions::ProposeArgs,
    seeds,
    state::{
        Action, BufferRole, Choice, MAX_PAUSE, MemberArgs, Phase, ProgramUpgradeState,
        ProposalStatus, SquadsVault, TeamRules, Transfer, UpgradeProposal, role,
    },
};

const DAY: u32 = 24 * 3600;

/// Rules that differ from the usual by `change` neither make a team nor are proposed to one.
fn refused_rules(error: ManagerError, change: impl Fn(&mut TeamRules)) {
    let mut w = World::at(Stage::Deployed);
    let mut rules = w.team_args();
    change(&mut rules);
    let create = w.create_multisig_ix(rules.clone());
    w.attack(error, &[create], &["create", "payer"]);
    let mut w = World::at(Stage::Team);
    let propose = w.propose_team_ix("anna", Action::ConfigChange(rules));
    w.attack(error, &[propose], &["anna", "payer"]);
}

/// Rules that differ from the usual by `change` make a team and change one.
fn allowed_rules(change: impl Fn(&mut TeamRules)) {
    let w = World::at(Stage::Deployed);
    let mut rules = w.team_args();
    change(&mut rules);
    w.would_pass(&[w.create_multisig_ix(rules.clone())], &["create", "payer"]);
    let mut w = World::at(Stage::Team);
    w.change_team(|old| *old = rules);
}

/// Proposes `action` by `who`. Returns the proposal's id.
#[track_caller]
fn propose_by(w: &mut World, who: &str, action: Action) -> u64 {
    let id = w.config().next_proposal;
    let ix = w.propose_team_ix(who, action);
    w.passes(&[ix], &[who, "payer"]);
    id
}

/// The three approve proposal `id` about the team.
#[track_caller]
fn approve(w: &mut World, id: u64) {
    for member in DECIDING {
        let vote = w.team_vote_ix(member, id, Choice::Approve);
        w.passes(&[vote], &[member]);
    }
}

/// Proposes `action`, approves it and waits until it can be executed. Returns the proposal's id.
#[track_caller]
fn decide(w: &mut World, action: Action) -> u64 {
    let id = propose_by(w, "ben", action);
    approve(w, id);
    w.chain.pass(i64::from(TIMELOCK));
    id
}

/// The vault program's transfer to `new_authority`.
fn transfer(new_authority: &Pubkey) -> Transfer {
    let program_data = ix::program_data_address(&demo_vault::ID);
    Transfer { program: demo_vault::ID, program_data, new_authority: *new_authority }
}

fn crowd(n: u8) -> Vec<MemberArgs> {
    let mut keys: Vec<_> = (0..n).map(|i| address(&format!("member-{i}"))).collect();
    keys.sort();
    keys.into_iter().map(|key| MemberArgs { key, roles: role::ALL }).collect()
}

#[test]
fn attack_03_a_member_twice_nobody_or_a_crowd() {
    use ManagerError as E;
    refused_rules(E::MembersNotSortedUnique, |r| r.members[1] = r.members[0]);
    refused_rules(E::MembersNotSortedUnique, |r| r.members[4] = r.members[3]);
    refused_rules(E::MembersNotSortedUnique, |r| r.members.push(r.members[0]));
    refused_rules(E::MembersNotSortedUnique, |r| r.members.reverse());
    refused_rules(E::MembersNotSortedUnique, |r| r.members.swap(0, 1));
    refused_rules(E::MemberIsZero, |r| r.members[0].key = Pubkey::default());
    refused_rules(E::MemberCount, |r| r.members.clear());
    for roles in [0, 8, 15, u8::MAX] {
        refused_rules(E::MemberRoles, |r| r.members[2].roles = roles);
    }
    refused_rules(E::GuardianIsMember, |r| r.guardian = Some(r.members[2].key));
    refused_rules(E::GuardianIsMember, |r| r.guardian = Some(Pubkey::default()));
    refused_rules(E::TreasuryIsZero, |r| r.treasury = Pubkey::default());
    allowed_rules(|r| (r.guardian, r.members[0].roles) = (None, role::VOTE));
    // Sixteen fit, seventeen do not; a change to so many does not fit into one transaction.
    let mut w = World::at(Stage::Deployed);
    for (n, fits) in [(16, true), (17, false)] {
        let rules = TeamRules { members: crowd(n), threshold: n / 2 + 1, ..w.team_args() };
        let create = w.create_multisig_ix(rules);
        if fits {
            w.would_pass(&[create], &["create", "payer"]);
        } else {
            w.attack(E::MemberCount, &[create], &["create", "payer"]);
        }
    }
}

#[test]
fn attack_04_a_threshold_of_none_of_a_few_or_of_more_than_there_are() {
    use ManagerError as E;
    for threshold in [0, 1, 2, 6, u8::MAX] {
        refused_rules(E::Threshold, |r| r.threshold = threshold);
    }
    for threshold in [3, 5] {
        allowed_rules(|r| r.threshold = threshold);
    }
    // Those without a vote do not count.
    let voters = |r: &mut TeamRules, n: usize| {
        r.members.iter_mut().skip(n).for_each(|m| m.roles = role::PROPOSE | role::EXECUTE);
    };
    refused_rules(E::Threshold, |r| voters(r, 2));
    refused_rules(E::Threshold, |r| voters(r, 0));
    allowed_rules(|r| (voters(r, 2), r.threshold = 2).0);
    let without = |role: u8| {
        move |r: &mut TeamRules| {
            r.members.iter_mut().for_each(|m| m.roles &= !role);
        }
    };
    refused_rules(E::NobodyProposes, without(role::PROPOSE));
    refused_rules(E::NobodyExecutes, without(role::EXECUTE));
    // Neither does anybody get around the lock that is meant to show a change in time.
    for (floor, lock, error) in [
        (0, 0, E::TimelockFloor),
        (2 * DAY - 1, 2 * DAY, E::TimelockFloor),
        (2 * DAY, 2 * DAY - 1, E::Timelock),
        (2 * DAY, 90 * DAY + 1, E::Timelock),
        (2 * DAY, u32::MAX, E::Timelock),
    ] {
        refused_rules(error, |r| (r.timelock_floor, r.timelock) = (floor, lock));
    }
    for window in [0, 3_599, 90 * DAY + 1, u32::MAX] {
        refused_rules(E::Window, |r| r.execution_window = window);
        refused_rules(E::Window, |r| r.rollback_window = window);
    }
    for cap in [0, 17, u8::MAX] {
        refused_rules(E::OpenCap, |r| r.open_cap = cap);
    }
    // A floor that was raised is never lowered, not even to where it was.
    let mut w = World::at(Stage::Team);
    w.change_team(|r| (r.timelock_floor, r.timelock) = (3 * DAY, 3 * DAY));
    let lower = TeamRules { timelock_floor: 3 * DAY - 1, ..w.config().rules() };
    let propose = w.propose_team_ix("anna", Action::ConfigChange(lower));
    w.attack(E::TimelockFloor, &[propose], &["anna", "payer"]);
    // A Squads vault: the only voter, and a majority of at least two behind it.
    let vault = SquadsVault {
        multisig: address("squads"),
        vault_index: 0,
        min_threshold: 2,
        min_voters: 3,
    };
    let alone = |r: &mut TeamRules, squads: SquadsVault| {
        r.members.iter_mut().for_each(|m| m.roles = role::PROPOSE | role::EXECUTE);
        r.members.push(MemberArgs { key: squads.vault(), roles: role::VOTE });
        r.members.sort_by_key(|m| m.key);
        (r.threshold, r.squads) = (1, Some(squads));
    };
    let squads_rules = |change: &dyn Fn(&mut TeamRules)| {
        let mut w = World::at(Stage::Deployed);
        let mut rules = w.team_args();
        alone(&mut rules, vault);
        change(&mut rules);
        let mut create = w.create_multisig_ix(rules);
        create.accounts.retain(|m| m.pubkey != vault.multisig);
        (w.refused(&[create], &[&key("create"), &key("payer")])).code()
    };
    for (min_threshold, min_voters) in [(0, 0), (1, 1), (1, 3), (2, 4), (3, 2), (2, u16::MAX)] {
        let code = squads_rules(&|r| {
            r.squads = Some(SquadsVault { min_threshold, min_voters, ..vault });
        });
        assert_eq!(code, Some(E::SquadsVoter.into()), "{min_threshold} of {min_voters}");
    }
    let second = squads_rules(&|r| {
        let at = r.members.iter().position(|m| m.key != vault.vault()).unwrap();
        (r.members[at].roles, r.threshold) = (role::ALL, 2);
    });
    assert_eq!(second, Some(E::SquadsVoter.into()));
    let other = squads_rules(&|r| r.squads = Some(SquadsVault { vault_index: 1, ..vault }));
    assert_eq!(other, Some(E::SquadsVoter.into()));
    // The rules are sound, and the Squads multisig they speak of is not there.
    assert_eq!(squads_rules(&|_| ()), Some(E::SquadsAccount.into()));
}

#[test]
fn attack_06_approvals_that_outlive_the_team_that_gave_them() {
    let mut w = World::at(Stage::Timelocked);
    let frank = address("frank");
    let replace_eve = |r: &mut TeamRules| {
        r.members.iter_mut().find(|m| m.key == address("eve")).unwrap().key = frank;
        r.members.sort_by_key(|m| m.key);
    };
    // Two changes, of which the second would follow the first.
    let rules = w.config().rules();
    let mut second = rules.clone();
    second.open_cap = 7;
    let other = propose_by(&mut w, "ben", Action::ConfigChange(second));
    approve(&mut w, other);
    let epoch = w.config().config_epoch;
    w.change_team(replace_eve);
    assert_eq!(w.config().config_epoch, epoch + 1);

    // Approved, in time, by enough members who are all still there: and stale.
    let execute = w.execute_ix("dan");
    assert!(w.chain.time() <= w.proposal().window_end);
    w.attack(ManagerError::StaleProposal, &[execute.clone()], &["dan"]);
    let change = w.execute_change_ix("dan", other);
    w.attack(ManagerError::StaleProposal, &[change], &["dan"]);
    for (vote, who) in [
        (w.approve_ix("dan"), "dan"),
        (w.reject_ix("dan"), "dan"),
        (w.revoke_ix("anna"), "anna"),
        (w.team_vote_ix("dan", other, Choice::Approve), "dan"),
    ] {
        w.attack(ManagerError::StaleProposal, &[vote], &[who]);
    }
    // Who left has no say, in what is open nor in what comes.
    for (ix, signers) in [
        (w.approve_ix("eve"), vec!["eve"]),
        (w.cancel_ix("eve"), vec!["eve"]),
        (w.execute_ix("eve"), vec!["eve"]),
        (w.propose_team_ix("eve", Action::Dissolve), vec!["eve", "payer"]),
    ] {
        w.attack(ManagerError::NotAMember, &[ix], &signers);
    }
    // It can be cleared away at once, by anyone or by vote, and proposed again.
    let mut by_vote = w.clone();
    for member in DECIDING {
        let cancel = by_vote.cancel_ix(member);
        by_vote.passes(&[cancel], &[member]);
    }
    assert_eq!(by_vote.proposal().status, ProposalStatus::Cancelled);
    let expire = w.expire_ix();
    w.passes(&[expire], &[]);
    assert_eq!((w.proposal().status, w.state().live_proposal), (ProposalStatus::Expired, None));
    w.close_buffers(&["upgrade", "rollback"]);
    w.stage_buffers(elf::v2(), elf::v1());
    w.propose();
    w.approve_by(&DECIDING);
    w.chain.pass(i64::from(TIMELOCK));
    w.execute();
    // What the old team voted for in a rollback counts only as far as it is still the team.
    w.chain.next_slot();
    let mut w = World::at(Stage::Migrated);
    w.vote_rollback(&["anna", "eve"], false);
    w.change_team(replace_eve);
    let vote = w.approve_rollback_ix("ben", false);
    w.passes(&[vote], &["ben"]);
    assert_eq!(w.proposal().rollback_approved_at, 0, "anna and ben of three");
    let vote = w.approve_rollback_ix("eve", true);
    w.attack(ManagerError::NotAMember, &[vote], &["eve"]);
    let vote = w.approve_rollback_ix("chloe", false);
    w.passes(&[vote], &["chloe"]);
    assert_eq!(w.state().phase, Phase::RollingBack);

    // A team that was ended and made again at its address does not start where the old one did.
    let mut w = World::at(Stage::Team);
    let (before, at) = (w.config().config_epoch, decide(&mut w, Action::Dissolve));
    let end = w.execute_change_ix("dan", at);
    w.passes(&[end], &["dan"]);
    let close = ix::close_multisig(&address("stranger"), &w.config());
    w.passes(&[close], &["stranger"]);
    let again = w.create_multisig_ix(w.team_args());
    w.passes(&[again], &["create", "payer"]);
    assert!(w.config().config_epoch > before + 1);
    let stale = w.execute_change_ix("dan", at);
    w.attack(ManagerError::NotTimelocked, &[stale], &["dan"]);
}

/// A world whose team may decide about the manager itself, after `change`.
fn critical(change: impl FnOnce(&mut TeamRules)) -> World {
    World::with_team(|r| {
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
    let too_weak: [&dyn Fn(&mut TeamRules); 5] = [
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
    // The policy stays as strict as long as the manager is in the team's care.
    for change in too_weak {
        let mut rules = w.config().rules();
        change(&mut rules);
        let code =
            if rules.timelock_floor < 7 * DAY { E::TimelockFloor } else { E::CriticalPolicy };
        let propose = w.propose_team_ix("anna", Action::ConfigChange(rules));
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
    for member in DECIDING {
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
    // The guardian alone does not bring the manager back, members do.
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
fn attack_20_the_upgrade_authority_goes_where_nobody_wants_it() {
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
    let (team, treasury) = (w.multisig(), address("treasury"));
    let take = |at: &Pubkey| ix::reclaim_buffer(&address("dan"), (&team, &treasury), &own, at);
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
        // What is no buffer is left alone; its record goes.
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
        let propose = w.propose_team_ix("anna", Action::TransferAuthority(transfer));
        w.attack(error, &[propose], &["anna", "payer"]);
    }
    let mut foreign = w.propose_team_ix("anna", Action::TransferAuthority(good));
    foreign.accounts[3].pubkey = upgrade_manager::ID;
    w.attack(E::WrongAccount, &[foreign], &["anna", "payer"]);
    let at = decide(&mut w, Action::TransferAuthority(good));
    let execute = w.execute_transfer_ix("dan", at);
    // Another than the one that was voted for, or without its signature.
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
    let propose = w.propose_team_ix("ben", Action::TransferAuthority(good));
    w.attack(E::LiveProposal, &[propose], &["ben", "payer"]);
    let mut w = World::at(Stage::Migrated);
    w.chain
        .rewrite::<ProgramUpgradeState>(&seeds::program_state(&own).0, |s| s.live_proposal = None);
    let propose = w.propose_team_ix("ben", Action::TransferAuthority(good));
    w.attack(E::NotSteady, &[propose], &["ben", "payer"]);
    let mut w = World::at(Stage::Attested);
    propose_by(&mut w, "ben", Action::TransferAuthority(good));
    let propose = w.propose_ix("anna", w.propose_args());
    w.attack(E::LiveProposal, &[propose], &["anna", "payer"]);
}

#[test]
fn attack_30_somebody_else_is_there_first() {
    use ManagerError as E;
    let mut w = World::at(Stage::Deployed);
    let create = w.create_multisig_ix(w.team_args());
    let mut unsigned = create.clone();
    unsigned.accounts[0].is_signer = false;
    w.attack(SIGNER_MISSING, &[unsigned], &["payer"]);
    let thief = swap(&create, &address("create"), &address("stranger"));
    w.attack(E::WrongAccount, &[thief], &["stranger", "payer"]);
    // Lamports that somebody sent there do not stop it; a second team does not take its place.
    w.chain.fund(&w.multisig(), 1_000_000);
    w.passes(&[create.clone()], &["create", "payer"]);
    w.attack(E::AddressTaken, &[create], &["create", "payer"]);

    let mut w = World::at(Stage::Team);
    let good = w.register_ix();
    let theft = swap(&good, &address("dev"), &address("stranger"));
    w.attack(E::NotUpgradeAuthority, &[theft], &["stranger", "payer"]);
    let mut unsigned = good.clone();
    unsigned.accounts[0].is_signer = false;
    w.attack(SIGNER_MISSING, &[unsigned], &["payer"]);
    let mut immutable = w.clone();
    let data = ix::program_data_address(&demo_vault::ID);
    immutable.chain.tamper(&data, |data| data[12] = 0);
    immutable.attack(E::NotUpgradeAuthority, &[good.clone()], &["dev", "payer"]);
    w.chain.fund(&seeds::program_state(&demo_vault::ID).0, 1_000_000);
    let second = w.second_team();
    w.passes(&[good.clone()], &["dev", "payer"]);
    assert_eq!(
        loader::authority(&w.chain, &demo_vault::ID),
        Some(seeds::authority(&demo_vault::ID).0)
    );
    let own = w.multisig();
    for again in [good.clone(), swap(&good, &own, &second)] {
        w.attack(E::NotUpgradeAuthority, &[again], &["dev", "payer"]);
    }
    // Nobody takes the address of a buffer's attestation, a proposal or a record before its time:
    // each is made only by the instruction that fills it, and lamports do not stop it.
    let mut w = World::at(Stage::Attested);
    w.chain.fund(&seeds::governance(&w.multisig(), w.config().next_proposal).0, 1_000_000);
    let same = Action::ConfigChange(w.config().rules());
    propose_by(&mut w, "anna", same);
    let next = ProposalKeys::new(w.multisig(), demo_vault::ID, w.config().next_proposal);
    w.chain.fund(&next.proposal, 1_000_000);
    w.propose();
    let mut w = World::at(Stage::Executed);
    for (i, vault) in w.vaults.clone().iter().enumerate() {
        let record = seeds::account_version(&demo_vault::ID, vault).0;
        w.chain.fund(&record, 1_000_000 * (i as u64 * 4 + 1));
    }
    w.migrate_all();
}

#[test]
fn attack_31_a_guardian_that_does_more_than_guard() {
    use ManagerError as E;
    let who = ["guardian"];
    // It neither proposes, votes nor executes.
    let mut w = World::at(Stage::Proposed);
    let propose = w.propose_team_ix("guardian", Action::Dissolve);
    w.attack(E::NotAMember, &[propose], &["guardian", "payer"]);
    for ix in [w.approve_ix("guardian"), w.reject_ix("guardian"), w.revoke_ix("guardian")] {
        w.attack(E::NotAMember, &[ix], &who);
    }
    let mut ready = World::at(Stage::Ready);
    let execute = ready.execute_ix("guardian");
    ready.attack(E::NotAMember, &[execute], &who);
    let unpause = w.unpause_ix("guardian");
    w.attack(E::NotAMember, &[unpause], &who);

    // Nobody else pauses; a pause ends by itself, and the next one waits as long again.
    for other in ["stranger", "anna"] {
        let pause = w.pause_ix(other);
        w.attack(E::NotGuardian, &[pause], &[other]);
    }
    let mut w = World::at(Stage::Ready);
    let (pause, execute) = (w.pause_ix("guardian"), w.execute_ix("dan"));
    w.passes(&[pause.clone()], &who);
    let until = w.chain.time() + MAX_PAUSE;
    assert_eq!(w.config().paused_until, until);
    w.attack(E::Paused, &[execute.clone()], &["dan"]);
    w.attack(E::Paused, &[pause.clone()], &who);
    let mut long = World::with_team(|r| r.execution_window = 30 * DAY);
    long.propose();
    long.approve_by(&DECIDING);
    long.chain.pass(i64::from(TIMELOCK));
    long.passes(&[pause.clone()], &who);
    let long_execute = long.execute_ix("dan");
    long.chain.pass(MAX_PAUSE - 1);
    long.attack(E::Paused, &[long_execute.clone()], &["dan"]);
    long.chain.pass(1);
    long.would_pass(&[long_execute.clone()], &["dan"]);
    long.attack(E::PauseTooSoon, &[pause.clone()], &who);
    long.chain.pass(MAX_PAUSE - 1);
    long.attack(E::PauseTooSoon, &[pause.clone()], &who);
    long.chain.pass(1);
    long.would_pass(&[pause.clone()], &who);
    long.passes(&[long_execute], &["dan"]);
    // Members lift it sooner; one member does not, not even twice.
    let unpause = w.unpause_ix("anna");
    w.passes(&[unpause.clone()], &["anna"]);
    w.attack(E::AlreadyVoted, &[unpause.clone()], &["anna"]);
    w.passes(&[w.unpause_ix("ben")], &["ben"]);
    w.attack(E::Paused, &[execute.clone()], &["dan"]);
    w.passes(&[w.unpause_ix("chloe")], &["chloe"]);
    w.attack(E::NotPaused, &[unpause], &["anna"]);
    w.attack(E::PauseTooSoon, &[pause.clone()], &who);
    w.passes(&[execute], &["dan"]);
    // Migration waits with it, the way back does not.
    let mut w = World::at(Stage::Executed);
    w.passes(&[pause.clone()], &who);
    let migrate = w.migrate_ix(&w.vaults.clone());
    w.attack(E::Paused, &[migrate.clone()], &["cranker"]);
    w.vote_rollback(&DECIDING, false);
    w.roll_back();
    World::at(Stage::Executed).would_pass(&[migrate], &["cranker"]);
    // While it is paused, members change the team and put another guardian there.
    let mut w = World::at(Stage::Registered);
    let heir = transfer(&address("heir"));
    let handing = decide(&mut w, Action::TransferAuthority(heir));
    let rules = TeamRules { guardian: Some(address("other")), ..w.config().rules() };
    let other = propose_by(&mut w, "anna", Action::ConfigChange(rules));
    approve(&mut w, other);
    w.chain.pass(i64::from(TIMELOCK) - 60);
    w.passes(&[pause.clone()], &who);
    let paused = w.execute_transfer_ix("dan", handing);
    let refused = w.refused(&[paused], &[&key("dan"), &key("heir")]);
    let named = [E::Paused, E::Expired].map(|e| Some(u32::from(e)));
    assert!(named.contains(&refused.code()), "{refused:?}");
    // It does not veto its own removal, and vetoes everything else.
    let veto = |w: &World, id| w.team_cancel_ix("guardian", id);
    let own = veto(&w, other);
    w.attack(E::GuardianCannotVeto, &[own], &who);
    w.would_pass(&[veto(&w, handing)], &who);
    w.chain.pass(60);
    let change = w.execute_change_ix("dan", other);
    w.passes(&[change], &["dan"]);
    for ix in [w.pause_ix("guardian"), w.team_cancel_ix("guardian", handing)] {
        let refused = w.refused(&[ix], &[&key("guardian")]);
        let named = [E::NotGuardian, E::NotAMember].map(|e| Some(u32::from(e)));
        assert!(named.contains(&refused.code()), "{refused:?}");
    }
    let mut w = World::at(Stage::Timelocked);
    let cancel = w.cancel_ix("guardian");
    w.passes(&[cancel.clone()], &who);
    assert_eq!(w.proposal().status, ProposalStatus::Cancelled);
    w.attack(E::NotVoting, &[cancel], &who);

    // One rollback an execution, in its window, of what was voted for, giving nothing up.
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
