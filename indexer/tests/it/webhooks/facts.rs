//! Completion of announcements from the mirror, and detection of a veto.
use std::collections::BTreeMap;

use indexer::{
    Announcement, OutboxRow, Row, View,
    store::announcement::{AnnouncementKind, Detail},
    webhooks::{Fact, template::Field},
};
use upgrade_manager::state::{ProposalStatus, UpgradeProposal};

use crate::common::fixtures::{governance, key, proposal};

fn row<T>(account: T) -> Row<T> {
    Row { pubkey: key(60), account, slot: 12, closed_slot: None }
}

fn cancelled(by: u8) -> OutboxRow {
    said("Cancelled", Detail { actor: Some(key(by).to_string()), ..Detail::default() })
}

fn said(kind: &str, detail: Detail) -> OutboxRow {
    let detail = Detail { proposal: Some(key(60).to_string()), ..detail };
    let announcement = Announcement {
        event_id: [1; 32],
        kind: kind.to_owned(),
        slot: 12,
        chain_time: None,
        subject: Some(key(60)),
        detail: detail.json(),
    };
    OutboxRow { id: 1, announcement }
}

/// The announcement kind when `key(by)` cancels `p`.
fn kind(p: UpgradeProposal, by: u8) -> AnnouncementKind {
    let view = View { proposals: vec![row(p)], ..View::default() };
    Fact::new(&cancelled(by), &view).unwrap().kind
}

#[test]
fn a_veto_is_distinguished_from_a_withdrawal_and_a_vote() {
    // Proposed by 1, with one vote by 2.
    let p = || proposal(ProposalStatus::Cancelled);
    assert_eq!(kind(p(), 9), AnnouncementKind::Vetoed);
    assert_eq!(
        kind(p(), 1),
        AnnouncementKind::Vetoed,
        "a proposer after a vote can only be the guardian"
    );
    let mut voted = p();
    voted.ballot.cancel = vec![key(2), key(3)];
    assert_eq!(kind(voted.clone(), 3), AnnouncementKind::Cancelled);
    assert_eq!(kind(voted, 9), AnnouncementKind::Vetoed);
    let mut early = p();
    early.ballot.votes.clear();
    assert_eq!(kind(early.clone(), 1), AnnouncementKind::Cancelled);
    assert_eq!(kind(early, 9), AnnouncementKind::Vetoed);
    assert_eq!(
        kind(proposal(ProposalStatus::Active), 9),
        AnnouncementKind::Cancelled,
        "an older state of it"
    );
    let unknown = Fact::new(&cancelled(9), &View::default()).unwrap();
    assert_eq!(unknown.kind, AnnouncementKind::Cancelled, "no mirror, no claim");
    let multisig =
        View { governance: vec![row(governance(ProposalStatus::Cancelled))], ..View::default() };
    assert_eq!(Fact::new(&cancelled(9), &multisig).unwrap().kind, AnnouncementKind::Vetoed);
}

#[test]
fn facts_are_completed_from_the_mirror() {
    let names = BTreeMap::from([(key(50), "vault".to_owned())]);
    let view = View { proposals: vec![row(proposal(ProposalStatus::Executed))], ..View::default() };
    let value =
        |row: &OutboxRow, view: &View, field| Fact::new(row, view).unwrap().value(field, &names);
    let approved = said("Approved", Detail { eta: Some(0), ..Detail::default() });
    let of = |field| value(&approved, &view, field).unwrap();
    assert_eq!((of(Field::Id), of(Field::Version)), ("0".to_owned(), "2".to_owned()));
    assert_eq!(of(Field::Eta), "1970-01-01 00:00:00 UTC");
    assert_eq!((of(Field::Multisig), of(Field::Name)), (key(40).to_string(), "vault".to_owned()));
    assert_eq!(of(Field::What), "the upgrade of vault to version 2");
    assert_eq!(of(Field::Program), key(50).to_string());
    let back = said("RolledBack", Detail { version: Some(1), ..Detail::default() });
    assert_eq!(value(&back, &view, Field::Version).unwrap(), "1");
    assert_eq!(value(&back, &view, Field::What).unwrap(), "the upgrade of vault to version 2");
    let multisig =
        View { governance: vec![row(governance(ProposalStatus::Active))], ..View::default() };
    assert_eq!(value(&approved, &multisig, Field::Program), None);
    let what = value(&approved, &multisig, Field::What).unwrap();
    assert_eq!(what, format!("the change of the rules of multisig {}", key(40)));
}
