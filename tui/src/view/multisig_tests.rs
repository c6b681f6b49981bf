//! A multisig's own proposals stand among its programs' proposals, and its pause is on view.
use std::{sync::Arc, time::Instant};

use backend::Verb;
use upgrade_manager::state::{Action, GovernanceProposal, GovernanceTerms, ProposalStatus};

use super::tests::{go, screen};
use crate::{
    fixtures::{self, START, key},
    keymap::{Id, command},
    model::{Model, ui::Pane},
};

/// The usual model with proposal 1: a longer timelock, a new guardian and one member less.
fn model(status: ProposalStatus) -> Model {
    let f = fixtures::active(1);
    let mut model = fixtures::model(&f, Instant::now());
    let mut rules = f.multisig.rules();
    (rules.timelock, rules.guardian) = (72 * 3_600, Some(key(6)));
    rules.members.pop();
    let terms = GovernanceTerms {
        id: 1,
        genesis_hash: [7; 32],
        multisig: key(20),
        config_epoch: 0,
        expires_at: START + 20 * 86_400,
        note: "longer".into(),
        action: Action::ConfigChange(rules),
    };
    let by = (key(1), key(1));
    let made = GovernanceProposal::new(terms, 0, by, &f.multisig, START).unwrap();
    let account = GovernanceProposal { status, ..made };
    let mut snapshot = (*model.snapshot).clone();
    let row = indexer::Row { pubkey: key(45), account, slot: 1, closed_slot: None };
    snapshot.view.governance.push(row);
    model.snapshot = Arc::new(snapshot);
    model.keep_selections();
    model.ui.pane = Pane::Proposals;
    go(&mut model, Id::Top);
    assert_eq!(model.ui.proposal.selected(), Some(&key(45)));
    model
}

#[test]
fn a_change_of_the_multisig_is_listed_voted_on_and_shown_in_full() {
    let mut model = model(ProposalStatus::Active);
    let seen = screen(&model, 160, 50);
    assert!(seen.contains("#1") && seen.contains("new rules"), "{seen}");
    assert!(seen.contains("#0") && seen.contains("v1"), "the upgrade stays in the list");
    for id in [Id::Approve, Id::Reject, Id::Cancel] {
        assert_eq!(command(id).unwrap().enabled(&model), Ok(()), "{id:?}");
    }
    for id in [Id::Execute, Id::Migrate, Id::RollBack] {
        let reason = command(id).unwrap().enabled(&model).unwrap_err();
        assert!(reason.contains("Proposal 1 is Active"), "{reason}");
    }
    go(&mut model, Id::Open);
    let seen = screen(&model, 160, 50);
    assert!(seen.contains("NEW, was") && seen.contains("REMOVED"), "{seen}");
    assert!(seen.contains(&key(5).to_string()) && seen.contains("longer"), "{seen}");
    let asked = model.checked.as_ref().map(|c| c.proposal);
    assert_eq!(asked, Some(key(45)), "its checks are made without asking");
    go(&mut model, Id::Back);
}

#[test]
fn an_approved_change_waits_and_is_then_executed_by_the_same_key() {
    let mut model = model(ProposalStatus::Timelocked);
    assert_eq!(command(Id::Execute).unwrap().enabled(&model), Ok(()));
    assert_eq!(Id::Execute.verb(), Some(Verb::Execute));
    let mut due = |eta: i64| {
        let mut snapshot = (*model.snapshot).clone();
        let p = &mut snapshot.view.governance[0].account;
        (p.eta, p.window_end) = (eta, eta + 86_400);
        model.snapshot = Arc::new(snapshot);
        crate::notify::due(&model)
    };
    assert_eq!(due(START + 7_200), vec![], "the chain's clock is an hour behind");
    let notices = due(START + 3_600);
    assert_eq!(notices.len(), 1);
    assert!(notices[0].body.starts_with("Proposal 1 (ConfigChange) is ready to execute until"));
}

#[test]
fn a_pause_is_on_view_for_as_long_as_it_lasts() {
    let mut model = model(ProposalStatus::Active);
    assert!(screen(&model, 160, 50).contains("guardian"));
    let mut snapshot = (*model.snapshot).clone();
    snapshot.view.multisigs[0].account.paused_until = START + 7_200;
    model.snapshot = Arc::new(snapshot);
    assert!(screen(&model, 80, 24).contains("PAUSED for"), "{}", screen(&model, 80, 24));
    let now = model.chain_now().unwrap().unix;
    let mut snapshot = (*model.snapshot).clone();
    snapshot.view.multisigs[0].account.paused_until = now;
    model.snapshot = Arc::new(snapshot);
    assert!(!screen(&model, 80, 24).contains("PAUSED"));
}
