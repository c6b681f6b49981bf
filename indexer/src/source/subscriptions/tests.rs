//! The numbers under which a node speaks of watched accounts.
use serde_json::Value;

use super::*;
use crate::source::testing::{account, address};

fn ui(lamports: u64) -> Box<NodeAccount> {
    let mut value = account(&upgrade_manager::ID, &[1]);
    value["lamports"] = json!(lamports);
    Box::new(serde_json::from_value(value).unwrap())
}

fn parsed(request: &str) -> (u64, String, String) {
    let value: Value = serde_json::from_str(request).unwrap();
    let param = match &value["params"][0] {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    (value["id"].as_u64().unwrap(), value["method"].as_str().unwrap().to_owned(), param)
}

#[test]
fn an_account_is_subscribed_once_however_often_it_is_listed() {
    let mut subscriptions = Subscriptions::default();
    let (a, b) = (address(1), address(2));
    assert_eq!(subscriptions.want(&[a, a, b]).len(), 2);
    assert!(subscriptions.want(&[b, a]).is_empty());
}

#[test]
fn the_number_of_watched_accounts_is_limited() {
    let many: Vec<Pubkey> = (0..1_000).map(address).collect();
    let requests = Subscriptions::default().want(&many);
    assert_eq!(requests.len(), MAX_WATCHED);
    assert!(requests.iter().all(|r| r.len() < 4_096));
}

#[test]
fn an_unwanted_account_is_unsubscribed_even_after_a_late_acknowledgement() {
    let mut subscriptions = Subscriptions::default();
    let (a, b) = (address(1), address(2));
    let ids: Vec<u64> = subscriptions.want(&[a, b]).iter().map(|r| parsed(r).0).collect();
    assert_eq!(subscriptions.acknowledged(ids[0], Some(70)).1, None);
    let requests = subscriptions.want(&[]);
    assert_eq!(requests.len(), 1, "b has no number yet");
    let (_, method, param) = parsed(&requests[0]);
    assert_eq!((method.as_str(), param.as_str()), ("accountUnsubscribe", "70"));
    let (_, late) = subscriptions.acknowledged(ids[1], Some(71));
    assert_eq!(parsed(&late.unwrap()).2, "71");
    assert!(subscriptions.notified(71, 5, ui(0)).is_none());
}

#[test]
fn a_notification_before_its_acknowledgement_is_kept() {
    let mut subscriptions = Subscriptions::default();
    let ids: Vec<u64> =
        subscriptions.want(&[address(1), address(2)]).iter().map(|r| parsed(r).0).collect();
    assert!(subscriptions.notified(9, 5, ui(0)).is_none());
    assert!(subscriptions.acknowledged(ids[1], Some(8)).0.is_empty());
    let (frames, _) = subscriptions.acknowledged(ids[0], Some(9));
    let [Frame::Closed { slot: 5, pubkey }] = frames[..] else { panic!("{frames:?}") };
    assert_eq!(pubkey, address(1));
}

#[test]
fn notifications_of_unknown_subscriptions_are_bounded() {
    let mut subscriptions = Subscriptions::default();
    subscriptions.want(&[address(1)]);
    for n in 0..1_000 {
        assert!(subscriptions.notified(n, 5, ui(1)).is_none());
    }
    assert!(subscriptions.early.len() <= MAX_EARLY_MESSAGES);
}

#[test]
fn a_refused_account_is_not_requested_again() {
    let mut subscriptions = Subscriptions::default();
    let (id, ..) = parsed(&subscriptions.want(&[address(1)])[0]);
    assert!(subscriptions.refuse(id));
    assert!(!subscriptions.is_waiting());
    assert!(subscriptions.want(&[address(1)]).is_empty());
    assert!(!subscriptions.refuse(3), "the program's subscription is not its business");
}

#[test]
fn only_accounts_without_lamports_or_owner_are_closed() {
    let mut subscriptions = Subscriptions::default();
    let (id, ..) = parsed(&subscriptions.want(&[address(1)])[0]);
    subscriptions.acknowledged(id, Some(7));
    let mut funded = ui(1);
    funded.owner = Pubkey::default().to_string();
    for (account, closed) in [(ui(0), true), (funded, true), (ui(1), false)] {
        let frame = subscriptions.notified(7, 5, account).unwrap();
        assert_eq!(matches!(frame, Frame::Closed { .. }), closed, "{frame:?}");
    }
}
