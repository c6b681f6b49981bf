//! From the chain to the receiver, with a writing mirror and a standby.
use std::sync::Arc;

use indexer::{Conn, Mirror, webhooks::Delivery};
use upgrade_manager::{
    events::{ProposalExpired, VoteCast},
    state::{Choice, MultisigConfig, ProposalStatus, UpgradeProposal},
};

use super::{Receiver, fast, hook, spec};
use crate::{
    common::{
        fake::{FakeSolana, emitted},
        fixtures::{bytes, key, multisig, proposal},
        mirror::{health, live},
        past::tx,
        until,
    },
    on_both_stores,
};

fn kinds(receiver: &Receiver) -> Vec<String> {
    let mut all: Vec<String> =
        receiver.got().iter().map(|r| r.json()["kind"].as_str().unwrap().to_owned()).collect();
    all.sort();
    all
}

on_both_stores! {
    async fn only_the_writing_mirror_announces_and_its_successor_continues(place) {
        let (fake, receiver) = (FakeSolana::start().await, Receiver::start([]).await);
        let eta = fake.state().unix + 40;
        let multisig = MultisigConfig { timelock: 0, ..multisig() };
        let locked = UpgradeProposal {
            eta,
            window_end: eta + 1_000_000,
            ..proposal(ProposalStatus::Timelocked)
        };
        fake.set(key(40), bytes(&multisig));
        fake.set(key(60), bytes(&locked));
        let (first_store, second_store) = (place.open().await, place.open().await);
        let start = |store: &Arc<dyn indexer::Store>| {
            let hooks = vec![Arc::new(hook(&spec("multisig", receiver.url())))];
            let delivery = Delivery { hooks, pace: fast(), ..Delivery::default() };
            Mirror::new(fake.config(), Arc::clone(store)).webhooks(delivery).spawn()
        };
        let first = start(&first_store);
        live(&first).await;
        until("it announces", || async { !first_store.hooks().await.unwrap().is_empty() }).await;
        let second = start(&second_store);
        health(&second, "following", |h| matches!(h.conn, Conn::Following { .. })).await;
        let vote = VoteCast {
            proposal: key(60),
            program: key(50),
            member: key(2),
            choice: Choice::Approve,
            approvals: 3,
            status: ProposalStatus::Timelocked,
            eta,
        };
        let slot = fake.state().finalized + 2;
        fake.state().history.push(tx(slot, 1, vec![emitted(&vote)]));
        until("vote and timelock are told", || async { receiver.count() >= 2 }).await;
        assert_eq!(kinds(&receiver), ["Approved", "Ready"]);
        let said = receiver.got();
        let approved = said.iter().find(|r| r.json()["kind"] == "Approved").unwrap().json();
        assert_eq!(approved["multisig"], key(40).to_string());
        assert_eq!((&approved["slot"], approved["audit"]["seq"].as_u64()), (&slot.into(), Some(1)));
        let ready = said.iter().find(|r| r.json()["kind"] == "Ready").unwrap().json();
        assert!(ready["chain_time"].as_i64().unwrap() >= eta && ready["audit"].is_null(), "{ready}");
        first.shutdown().await;
        health(&second, "the lease is taken", |h| h.conn == Conn::Live).await;
        let expired = ProposalExpired { proposal: key(60), program: key(50) };
        let slot = fake.state().finalized + 2;
        fake.state().history.push(tx(slot, 2, vec![emitted(&expired)]));
        until("the next one goes on", || async { receiver.count() >= 3 }).await;
        second.shutdown().await;
        assert_eq!(kinds(&receiver), ["Approved", "Expired", "Ready"], "each once");
    }
}
