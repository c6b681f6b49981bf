//! Set-up is planned again from the chain before it is signed, as verbs on proposals are.
use std::time::Duration;

use backend::{BackendError, MultisigProposalRequest, SetupManager};
use upgrade_manager::state::MultisigConfig;

use crate::{
    fake_chain::{FakeChain, NOW},
    fake_node::Reply,
};

fn set_up(chain: &FakeChain) -> SetupManager {
    SetupManager::new(&chain.backend.context())
}

fn pause(config: &mut MultisigConfig) {
    config.paused_until = NOW + 1_000;
}

#[tokio::test]
async fn another_members_vote_to_lift_a_pause_stops_the_one_that_was_shown() {
    let chain = FakeChain::start().await;
    chain.change_multisig(pause);
    let set_up = set_up(&chain);
    let shown = set_up.unpause(&chain.multisig()).await.unwrap();
    assert!(shown.failed().is_none() && shown.title.starts_with("Vote to lift"), "{}", shown.title);
    let other = chain.others[0];
    chain.change_multisig(|config| config.unpause(&other, NOW).unwrap());
    let error = set_up.submit(shown, None).await.unwrap_err();
    assert!(matches!(error, BackendError::Changed(_)), "{error}");
    let said = error.to_string();
    assert!(said.contains("votes to lift the pause was 0 and is 1 now"), "{said}");
    assert_eq!(chain.sent(), 0);
    let shown = set_up.unpause(&chain.multisig()).await.unwrap();
    let receipt = set_up.submit(shown, None).await.unwrap();
    assert!(receipt.summary.contains("2 of 3 votes are cast"), "{}", receipt.summary);
    assert_eq!((chain.sent(), receipt.sent[0].verb.as_str()), (1, "vote to lift the pause"));
}

#[tokio::test]
async fn a_check_that_fails_only_when_it_is_confirmed_stops_set_up() {
    let chain = FakeChain::start().await;
    let signer = chain.backend.signer();
    chain.change_multisig(|config| config.guardian = signer);
    let set_up = set_up(&chain);
    let shown = set_up.pause(&chain.multisig()).await.unwrap();
    assert!(shown.failed().is_none());
    chain.change_multisig(|config| config.guardian = None);
    let said = set_up.submit(shown, None).await.unwrap_err().to_string();
    assert!(said.contains("nothing was signed: a check fails now"), "{said}");
    assert_eq!(chain.sent(), 0);
}

#[tokio::test]
async fn a_node_that_fails_when_set_up_is_confirmed_is_reported_with_nothing_signed() {
    for (method, asked) in [("getGenesisHash", 1), ("simulateTransaction", 1)] {
        let chain = FakeChain::start_with(move |m, before| {
            (m == method && before >= asked).then_some(Reply::Error(-32_000, "the node is ill"))
        })
        .await;
        let signer = chain.backend.signer();
        chain.change_multisig(|config| config.guardian = signer);
        let set_up = set_up(&chain);
        let shown = set_up.pause(&chain.multisig()).await.unwrap();
        let said = set_up.submit(shown, None).await.unwrap_err().to_string();
        assert!(said.starts_with("Nothing was signed. "), "{method}: {said}");
        assert_eq!(chain.sent(), 0);
    }
}

#[tokio::test]
async fn a_new_multisig_and_a_new_proposal_stay_what_was_shown_when_they_are_planned_again() {
    let chain = FakeChain::start().await;
    let set_up = set_up(&chain);
    let rules = chain.change_multisig(|_| {}).rules();
    let shown = set_up.multisig(rules).await.unwrap();
    let address = shown.subject.unwrap();
    let receipt = set_up.submit(shown, None).await.unwrap();
    assert_eq!(receipt.subject, Some(address));
    let expected = format!("Create the multisig {address} is confirmed in slot");
    assert!(receipt.summary.starts_with(&expected), "{}", receipt.summary);
    assert_eq!(receipt.sent[0].verb, "multisig create");

    let request = MultisigProposalRequest {
        note: "the end".into(),
        expires_in: Duration::from_secs(30 * 86_400),
    };
    let shown = set_up.propose_dissolve(&chain.multisig(), request).await.unwrap();
    assert_eq!(shown.failed(), None);
    set_up.submit(shown, None).await.unwrap();
    assert_eq!(chain.sent(), 2);
}
