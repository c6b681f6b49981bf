//! Attacks on the multisig itself: members, threshold, guardian, and the programs that it holds.
use backend::instructions::{self as ix, ProposalKeys};
use e2e::{
    attack::{SIGNER_MISSING, approve, decide, propose_by, swap},
    elf,
    keys::{address, key},
    loader,
    world::{APPROVERS, Stage, TIMELOCK, World},
};
use solana_pubkey::Pubkey;
use upgrade_manager::{
    error::ManagerError,
    seeds,
    state::{Action, Choice, MemberArgs, MultisigRules, Phase, ProposalStatus, SquadsVault, role},
};

const DAY: u32 = 24 * 3600;

/// Rules that differ from the usual by `change` neither make a multisig nor are proposed to one.
fn refused_rules(error: ManagerError, change: impl Fn(&mut MultisigRules)) {
    let mut w = World::at(Stage::Deployed);
    let mut rules = w.multisig_args();
    change(&mut rules);
    let create = w.create_multisig_ix(rules.clone());
    w.attack(error, &[create], &["create", "payer"]);
    let mut w = World::at(Stage::Multisig);
    let propose = w.propose_multisig_ix("anna", Action::ConfigChange(rules));
    w.attack(error, &[propose], &["anna", "payer"]);
}

/// Rules that differ from the usual by `change` make a multisig and change one.
fn allowed_rules(change: impl Fn(&mut MultisigRules)) {
    let w = World::at(Stage::Deployed);
    let mut rules = w.multisig_args();
    change(&mut rules);
    w.would_pass(&[w.create_multisig_ix(rules.clone())], &["create", "payer"]);
    let mut w = World::at(Stage::Multisig);
    w.change_multisig(|old| *old = rules);
}

fn crowd(n: u8) -> Vec<MemberArgs> {
    let mut keys: Vec<_> = (0..n).map(|i| address(&format!("member-{i}"))).collect();
    keys.sort();
    keys.into_iter().map(|key| MemberArgs { key, roles: role::ALL }).collect()
}

#[test]
fn attack_03_duplicate_zero_or_too_many_members() {
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
        let rules = MultisigRules { members: crowd(n), threshold: n / 2 + 1, ..w.multisig_args() };
        let create = w.create_multisig_ix(rules);
        if fits {
            w.would_pass(&[create], &["create", "payer"]);
        } else {
            w.attack(E::MemberCount, &[create], &["create", "payer"]);
        }
    }
}

#[test]
fn attack_04_threshold_of_zero_of_a_minority_or_above_the_voters() {
    use ManagerError as E;
    for threshold in [0, 1, 2, 6, u8::MAX] {
        refused_rules(E::Threshold, |r| r.threshold = threshold);
    }
    for threshold in [3, 5] {
        allowed_rules(|r| r.threshold = threshold);
    }
    // Those without a vote do not count.
    let voters = |r: &mut MultisigRules, n: usize| {
        r.members.iter_mut().skip(n).for_each(|m| m.roles = role::PROPOSE | role::EXECUTE);
    };
    refused_rules(E::Threshold, |r| voters(r, 2));
    refused_rules(E::Threshold, |r| voters(r, 0));
    allowed_rules(|r| (voters(r, 2), r.threshold = 2).0);
    let without = |role: u8| {
        move |r: &mut MultisigRules| {
            r.members.iter_mut().for_each(|m| m.roles &= !role);
        }
    };
    refused_rules(E::NobodyProposes, without(role::PROPOSE));
    refused_rules(E::NobodyExecutes, without(role::EXECUTE));
    // Nor can anybody avoid the timelock that makes a change visible in time.
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
    let mut w = World::at(Stage::Multisig);
    w.change_multisig(|r| (r.timelock_floor, r.timelock) = (3 * DAY, 3 * DAY));
    let lower = MultisigRules { timelock_floor: 3 * DAY - 1, ..w.config().rules() };
    let propose = w.propose_multisig_ix("anna", Action::ConfigChange(lower));
    w.attack(E::TimelockFloor, &[propose], &["anna", "payer"]);
    // A Squads vault: the only voter, and a majority of at least two behind it.
    let vault = SquadsVault {
        multisig: address("squads"),
        vault_index: 0,
        min_threshold: 2,
        min_voters: 3,
    };
    let alone = |r: &mut MultisigRules, squads: SquadsVault| {
        r.members.iter_mut().for_each(|m| m.roles = role::PROPOSE | role::EXECUTE);
        r.members.push(MemberArgs { key: squads.vault(), roles: role::VOTE });
        r.members.sort_by_key(|m| m.key);
        (r.threshold, r.squads) = (1, Some(squads));
    };
    let squads_rules = |change: &dyn Fn(&mut MultisigRules)| {
        let mut w = World::at(Stage::Deployed);
        let mut rules = w.multisig_args();
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
fn attack_06_approvals_from_before_a_change_of_the_multisig() {
    let mut w = World::at(Stage::Timelocked);
    let frank = address("frank");
    let replace_eve = |r: &mut MultisigRules| {
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
    w.change_multisig(replace_eve);
    assert_eq!(w.config().config_epoch, epoch + 1);

    // Approved in time by enough members, who are all still members: stale all the same.
    let execute = w.execute_ix("dan");
    assert!(w.chain.time() <= w.proposal().window_end);
    w.attack(ManagerError::StaleProposal, &[execute.clone()], &["dan"]);
    let change = w.execute_change_ix("dan", other);
    w.attack(ManagerError::StaleProposal, &[change], &["dan"]);
    for (vote, who) in [
        (w.approve_ix("dan"), "dan"),
        (w.reject_ix("dan"), "dan"),
        (w.revoke_ix("anna"), "anna"),
        (w.multisig_vote_ix("dan", other, Choice::Approve), "dan"),
    ] {
        w.attack(ManagerError::StaleProposal, &[vote], &[who]);
    }
    // A removed member has no vote, on open or on new proposals.
    for (ix, signers) in [
        (w.approve_ix("eve"), vec!["eve"]),
        (w.cancel_ix("eve"), vec!["eve"]),
        (w.execute_ix("eve"), vec!["eve"]),
        (w.propose_multisig_ix("eve", Action::Dissolve), vec!["eve", "payer"]),
    ] {
        w.attack(ManagerError::NotAMember, &[ix], &signers);
    }
    // A stale proposal can be expired by anyone or cancelled by vote at once, and proposed again.
    let mut by_vote = w.clone();
    for member in APPROVERS {
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
    w.approve_by(&APPROVERS);
    w.chain.pass(i64::from(TIMELOCK));
    w.execute();
    // Votes for a rollback from before the change count only for those who are still members.
    w.chain.next_slot();
    let mut w = World::at(Stage::Migrated);
    w.vote_rollback(&["anna", "eve"], false);
    w.change_multisig(replace_eve);
    let vote = w.approve_rollback_ix("ben", false);
    w.passes(&[vote], &["ben"]);
    assert_eq!(w.proposal().rollback_approved_at, 0, "anna and ben of three");
    let vote = w.approve_rollback_ix("eve", true);
    w.attack(ManagerError::NotAMember, &[vote], &["eve"]);
    let vote = w.approve_rollback_ix("chloe", false);
    w.passes(&[vote], &["chloe"]);
    assert_eq!(w.state().phase, Phase::RollingBack);

    // A multisig made again at a dissolved one's address does not start in the old one's epoch.
    let mut w = World::at(Stage::Multisig);
    let (before, at) = (w.config().config_epoch, decide(&mut w, Action::Dissolve));
    let end = w.execute_change_ix("dan", at);
    w.passes(&[end], &["dan"]);
    let close = ix::close_multisig(&address("stranger"), &w.config());
    w.passes(&[close], &["stranger"]);
    let again = w.create_multisig_ix(w.multisig_args());
    w.passes(&[again], &["create", "payer"]);
    assert!(w.config().config_epoch > before + 1);
    let stale = w.execute_change_ix("dan", at);
    w.attack(ManagerError::NotTimelocked, &[stale], &["dan"]);
}

#[test]
fn attack_30_front_running_of_addresses() {
    use ManagerError as E;
    let mut w = World::at(Stage::Deployed);
    let create = w.create_multisig_ix(w.multisig_args());
    let mut unsigned = create.clone();
    unsigned.accounts[0].is_signer = false;
    w.attack(SIGNER_MISSING, &[unsigned], &["payer"]);
    let thief = swap(&create, &address("create"), &address("stranger"));
    w.attack(E::WrongAccount, &[thief], &["stranger", "payer"]);
    // Lamports at the address do not stop the creation, and a second multisig cannot replace the
    // first.
    w.chain.fund(&w.multisig(), 1_000_000);
    w.passes(&[create.clone()], &["create", "payer"]);
    w.attack(E::AddressTaken, &[create], &["create", "payer"]);

    let mut w = World::at(Stage::Multisig);
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
    let second = w.second_multisig();
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
