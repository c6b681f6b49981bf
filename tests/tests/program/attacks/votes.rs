//! Attacks on votes: double votes, votes for other terms, replays.
use backend::instructions::{self as ix, ProposalKeys};
use e2e::{
    attack::{swap, twin::Twin},
    elf,
    keys::address,
    world::{APPROVERS, Stage, World},
};
use solana_pubkey::Pubkey;
use upgrade_manager::{
    error::ManagerError,
    seeds,
    state::{
        Choice, LenRange, Manifest, ProposalKind, ProposalStatus, Source, Terms, UpgradeProposal,
    },
};

#[test]
fn attack_05_one_member_votes_twice() {
    let mut w = World::at(Stage::Proposed);
    for vote in [World::approve_ix, World::reject_ix] {
        let (mut w, again) = (w.clone(), vote(&w, "anna"));
        w.passes(&[again.clone()], &["anna"]);
        let ballot = w.proposal().ballot;
        w.attack(ManagerError::AlreadyVoted, &[again], &["anna"]);
        assert_eq!((w.proposal().ballot, ballot.votes.len()), (ballot, 1));
        let another = vote(&w, "ben");
        w.passes(&[another], &["ben"]);
        assert_eq!(w.proposal().ballot.votes.len(), 2);
    }
    // Nor in one transaction, nor by changing one's mind back and forth.
    let (yes, no) = (w.approve_ix("anna"), w.reject_ix("anna"));
    w.attack(ManagerError::AlreadyVoted, &[yes.clone(), yes.clone()], &["anna"]);
    w.passes(&[yes.clone(), no.clone(), yes, no], &["anna"]);
    let ballot = w.proposal().ballot;
    assert_eq!((ballot.count(Choice::Approve), ballot.count(Choice::Reject)), (0, 1));
    // A member revokes only its own existing vote.
    let revoke = w.revoke_ix("ben");
    w.attack(ManagerError::NoVote, &[revoke], &["ben"]);
    let revoke = w.revoke_ix("anna");
    w.passes(&[revoke.clone()], &["anna"]);
    w.attack(ManagerError::NoVote, &[revoke], &["anna"]);

    let mut w = World::at(Stage::Timelocked);
    let cancel = w.cancel_ix("dan");
    w.passes(&[cancel.clone()], &["dan"]);
    w.attack(ManagerError::AlreadyVoted, &[cancel], &["dan"]);
    assert_eq!(w.proposal().ballot.cancel, [address("dan")]);

    let mut w = World::at(Stage::Migrated);
    for give_up in [false, true] {
        let vote = w.approve_rollback_ix("anna", give_up);
        w.passes(&[vote.clone()], &["anna"]);
        w.attack(ManagerError::AlreadyVoted, &[vote], &["anna"]);
        assert_eq!(w.proposal().ballot.rollback.len(), 1);
    }
    let less = w.approve_rollback_ix("anna", false);
    w.attack(ManagerError::AlreadyVoted, &[less], &["anna"]);
    w.vote_rollback(&["ben"], true);
    assert_eq!(w.proposal().rollback_approved_at, 0, "two of three");
}

#[test]
fn attack_07_replay_of_an_executed_or_closed_proposal() {
    let mut w = World::at(Stage::Ready);
    let execute = w.execute_ix("dan");
    w.attack(ManagerError::NotTimelocked, &[execute.clone(), execute.clone()], &["dan"]);
    w.passes(&[execute.clone()], &["dan"]);
    w.chain.next_slot();
    // The upgrade consumed the buffer. Even if somebody makes a buffer at its address again:
    w.upload("upgrade", elf::v2());
    w.attack(ManagerError::NotTimelocked, &[execute.clone()], &["dan"]);
    for (vote, who) in [(w.approve_ix("dan"), "dan"), (w.reject_ix("dan"), "dan")] {
        w.attack(ManagerError::NotVoting, &[vote], &[who]);
    }
    let cancel = w.cancel_ix("anna");
    w.attack(ManagerError::NotVoting, &[cancel], &["anna"]);
    w.vote_rollback(&APPROVERS, false);
    let back = w.rollback_ix("dan");
    w.passes(&[back.clone()], &["dan"]);
    w.chain.next_slot();
    w.upload("rollback", elf::v1());
    w.attack(ManagerError::NotExecuted, &[back], &["dan"]);
    w.attack(ManagerError::NotTimelocked, &[execute], &["dan"]);
    let vote = w.approve_rollback_ix("eve", false);
    w.attack(ManagerError::NotExecuted, &[vote], &["eve"]);
    assert_eq!(w.proposal().status, ProposalStatus::RolledBack);

    // A closed proposal's address is never a proposal's again: its id has been used.
    let mut w = World::at(Stage::Proposed);
    let (old, approve) = (w.proposal_address(), w.approve_ix("ben"));
    let cancel = w.cancel_ix("anna");
    w.passes(&[cancel], &["anna"]);
    w.close_buffers(&["upgrade", "rollback"]);
    let close = w.close_proposal_ix("stranger");
    w.passes(&[close.clone()], &["stranger"]);
    w.attack(ManagerError::WrongAccount, &[close], &["stranger"]);
    w.attack(ManagerError::WrongAccount, &[approve], &["ben"]);
    w.stage_buffers(elf::v2(), elf::v1());
    let (good, next) = (w.propose_ix("anna", w.propose_args()), w.config().next_proposal);
    assert_eq!(next, w.id + 1);
    let again = swap(&good, &seeds::proposal(&demo_vault::ID, &w.multisig(), next).0, &old);
    w.attack(ManagerError::WrongAccount, &[again], &["anna", "payer"]);
    w.passes(&[good], &["anna", "payer"]);
}

/// Terms that differ from `terms` in one field each; a field that is missing here does not compile.
fn other_terms(terms: &Terms) -> Vec<(&'static str, Terms)> {
    let Terms {
        kind: _,
        oldest_version,
        id,
        genesis_hash,
        multisig: _,
        config_epoch,
        program: _,
        program_data: _,
        upgrade,
        rollback,
        spill: _,
        from_version,
        to_version,
        type_rules,
        manifest,
        expires_at,
        source,
    } = terms.clone();
    let mut genesis = genesis_hash;
    genesis[0] ^= 1;
    let key = Pubkey::new_from_array([9; 32]);
    let mut out = vec![];
    let mut add = |what, change: &dyn Fn(&mut Terms)| {
        let mut other = terms.clone();
        change(&mut other);
        out.push((what, other));
    };
    add("id", &|t| t.id = id + 1);
    add("genesis_hash", &|t| t.genesis_hash = genesis);
    add("multisig", &|t| t.multisig = key);
    add("config_epoch", &|t| t.config_epoch = config_epoch + 1);
    add("program", &|t| t.program = key);
    add("program_data", &|t| t.program_data = key);
    add("upgrade.buffer", &|t| t.upgrade.buffer = key);
    add("upgrade.len", &|t| t.upgrade.len = upgrade.len + 1);
    add("upgrade.trimmed_len", &|t| t.upgrade.trimmed_len = upgrade.trimmed_len - 1);
    add("upgrade.sha256", &|t| t.upgrade.sha256 = [1; 32]);
    add("rollback.buffer", &|t| t.rollback.buffer = key);
    add("rollback.len", &|t| t.rollback.len = rollback.len + 1);
    add("rollback.trimmed_len", &|t| t.rollback.trimmed_len = rollback.trimmed_len - 1);
    add("rollback.sha256", &|t| t.rollback.sha256 = [1; 32]);
    add("spill", &|t| t.spill = key);
    add("from_version", &|t| t.from_version = from_version + 7);
    add("kind", &|t| t.kind = ProposalKind::RollForward);
    add("oldest_version", &|t| t.oldest_version = oldest_version - 1);
    add("to_version", &|t| t.to_version = to_version + 7);
    add("no type rule", &|t| t.type_rules.clear());
    add("type rule", &|t| t.type_rules[0].new_len = LenRange { min: 10, max: 10_000 });
    add("one more type rule", &|t| t.type_rules.push(type_rules[0]));
    add("manifest.root", &|t| t.manifest = Manifest { root: [1; 32], ..manifest });
    add("manifest.count", &|t| t.manifest = Manifest { count: manifest.count + 1, ..manifest });
    add("expires_at", &|t| t.expires_at = expires_at + 1);
    add("source.link", &|t| t.source = Source { link: "x".into(), ..source.clone() });
    add("source.commit", &|t| t.source = Source { commit: "x".into(), ..source.clone() });
    add("source.image", &|t| t.source = Source { image: "x".into(), ..source.clone() });
    out
}

#[test]
fn attack_33_a_vote_for_other_terms_another_program_or_another_cluster() {
    let mut w = World::at(Stage::Proposed);
    let terms = w.proposal().terms;
    assert_eq!(terms.digest().unwrap(), w.proposal().digest);
    for (what, other) in other_terms(&terms) {
        let digest = other.digest().unwrap();
        println!("{what}");
        assert_ne!(digest, w.proposal().digest, "{what}");
        for choice in [Choice::Approve, Choice::Reject] {
            let vote = w.vote_ix("anna", choice, digest);
            w.attack(ManagerError::DigestMismatch, &[vote], &["anna"]);
        }
    }
    // Serialised terms followed by the same lengths elsewhere are not the same terms.
    let mut shifted = terms.clone();
    shifted.source.commit.push_str(&shifted.source.image);
    shifted.source.image.clear();
    assert_ne!(shifted.digest().unwrap(), terms.digest().unwrap());

    // The second multisig has the same members and the same proposal for its own program.
    let twin = Twin::of(&w);
    twin.plant(&mut w);
    let (own, program) = (w.keys(), address("second-program"));
    let other = ProposalKeys::new(twin.key(&w.multisig()).unwrap(), program, w.id);
    let theirs: UpgradeProposal = w.chain.read(&other.proposal);
    assert_ne!(theirs.digest, w.proposal().digest);
    let anna = address("anna");
    let crossed = ix::approve(&anna, &other, w.proposal().digest);
    w.attack(ManagerError::DigestMismatch, &[crossed], &["anna"]);
    let crossed = ix::approve(&anna, &own, theirs.digest);
    w.attack(ManagerError::DigestMismatch, &[crossed], &["anna"]);
    for keys in [
        ProposalKeys { state: other.state, ..own },
        ProposalKeys { proposal: other.proposal, ..own },
        ProposalKeys { multisig: other.multisig, ..own },
    ] {
        for digest in [w.proposal().digest, theirs.digest] {
            for vote in [ix::approve(&anna, &keys, digest), ix::reject(&anna, &keys, digest)] {
                w.attack(ManagerError::WrongAccount, &[vote], &["anna"]);
            }
        }
    }
    let (yes, theirs) = (w.approve_ix("anna"), ix::approve(&anna, &other, theirs.digest));
    w.passes(&[yes, theirs], &["anna"]);

    // A vote for rollback counts only for the terms that its voter signed.
    let mut w = World::at(Stage::Migrated);
    for (what, other) in other_terms(&w.proposal().terms) {
        println!("rollback: {what}");
        let vote = ix::approve_rollback(&anna, &w.keys(), other.digest().unwrap(), false);
        w.attack(ManagerError::DigestMismatch, &[vote], &["anna"]);
    }
    let vote = w.approve_rollback_ix("anna", false);
    w.passes(&[vote], &["anna"]);
}
