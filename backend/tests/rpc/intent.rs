//! What was shown is signed, or nothing is signed.
use std::sync::Arc;

use backend::{BackendError, KeypairSigner, Operation, Preflight, Verb};
use solana_keypair::Keypair;
use upgrade_manager::state::{Choice, Manifest, Votable};

use crate::{
    fake_chain::{FakeChain, NOW, SLOT},
    fake_node::Reply,
};

async fn prepare(chain: &FakeChain, verb: Verb) -> Preflight {
    let operation = Operation { verb, proposal: chain.proposal };
    chain.backend.prepare(operation).await.unwrap()
}

fn failed(shown: &Preflight) -> String {
    shown.failures().map(|c| c.sentence.clone()).collect::<Vec<_>>().join(" | ")
}

#[tokio::test]
async fn what_was_shown_is_signed_once() {
    let chain = FakeChain::start().await;
    let shown = prepare(&chain, Verb::Approve).await;
    assert_eq!(failed(&shown), "");
    let digest = shown.facts.iter().find(|f| f.label == "Digest").unwrap();
    assert_eq!(digest.value.len(), 64, "never shortened");
    let receipt = chain.backend.submit(shown.intent.unwrap(), None).await.unwrap();
    assert_eq!(receipt.sent.len(), 1);
    assert!(receipt.failures.is_empty() && receipt.summary.contains("1001"), "{}", receipt.summary);
    assert_eq!(chain.sent(), 1);
}

#[tokio::test]
async fn another_members_vote_after_the_preflight_is_named_and_nothing_is_signed() {
    let chain = FakeChain::start().await;
    let intent = prepare(&chain, Verb::Approve).await.intent.unwrap();
    let other = chain.others[1];
    chain.change(|p, config| p.cast(other, Choice::Reject, config, (NOW, SLOT)).unwrap());
    let error = chain.backend.submit(intent, None).await.unwrap_err();
    assert!(matches!(error, BackendError::Changed(_)), "{error}");
    let said = error.to_string();
    assert!(said.contains("list of votes") && said.contains(&other.to_string()), "{said}");
    assert_eq!(chain.sent(), 0);
}

#[tokio::test]
async fn a_node_that_fails_before_the_first_signature_is_reported_with_nothing_signed() {
    // Reached once to connect and once per look; it fails when the intent is confirmed.
    for (method, asked) in [("getGenesisHash", 1), ("simulateTransaction", 1)] {
        let chain = FakeChain::start_with(move |m, before| {
            (m == method && before >= asked).then_some(Reply::Error(-32_000, "the node is ill"))
        })
        .await;
        let intent = prepare(&chain, Verb::Approve).await.intent.unwrap();
        let said = chain.backend.submit(intent, None).await.unwrap_err().to_string();
        assert!(said.starts_with("Nothing was signed. "), "{method}: {said}");
        assert!(said.contains("the node is ill"), "{method}: {said}");
        assert_eq!(chain.sent(), 0);
    }
}

#[tokio::test]
async fn other_terms_at_the_same_address_are_refused_before_and_after_the_look() {
    let chain = FakeChain::start().await;
    let intent = prepare(&chain, Verb::Approve).await.intent.unwrap();
    // A node that shows other terms under the old digest.
    chain.change(|p, _| p.terms.manifest = Manifest { root: [1; 32], count: 9 });
    let error = chain.backend.submit(intent, None).await.unwrap_err();
    assert!(error.to_string().contains("digest"), "{error}");
    let shown = prepare(&chain, Verb::Approve).await;
    assert!(shown.intent.is_none() && failed(&shown).contains("digest"), "{}", failed(&shown));
    // A node that shows other terms and their own digest.
    let chain = FakeChain::start().await;
    let intent = prepare(&chain, Verb::Approve).await.intent.unwrap();
    chain.change(|p, _| {
        p.terms.to_version = 9;
        p.digest = p.terms.digest().unwrap();
    });
    let error = chain.backend.submit(intent, None).await.unwrap_err();
    assert!(error.to_string().contains("the digest was"), "{error}");
    assert_eq!(chain.sent(), 0);
}

#[tokio::test]
async fn an_intent_belongs_to_the_key_it_was_made_with() {
    let chain = FakeChain::start().await;
    let intent = prepare(&chain, Verb::Approve).await.intent.unwrap();
    chain.backend.set_signer(Some(Arc::new(KeypairSigner::new(Keypair::new()))));
    let error = chain.backend.submit(intent.clone(), None).await.unwrap_err();
    assert!(error.to_string().contains("the key was"), "{error}");
    chain.backend.set_signer(None);
    let error = chain.backend.submit(intent, None).await.unwrap_err();
    assert!(matches!(error, BackendError::NoSigner), "{error}");
    assert_eq!(chain.sent(), 0);
}

#[tokio::test]
async fn another_priority_fee_than_the_one_shown_is_refused() {
    let chain = FakeChain::start().await;
    let dear = chain.at_price(2_000).await;
    let operation = Operation { verb: Verb::Approve, proposal: chain.proposal };
    let shown = dear.prepare(operation).await.unwrap();
    let value = |label: &str| {
        shown.facts.iter().find(|f| f.label == label).map(|f| f.value.clone()).unwrap()
    };
    assert_eq!(value("Priority fee"), "2000 micro-lamports per compute unit");
    // 5,000 units are simulated; with a tenth and 2,000 to spare the limit is 7,500.
    assert!(value("Fee").starts_with("0.000005015 SOL: "), "{}", value("Fee"));
    let error = chain.backend.submit(shown.intent.clone().unwrap(), None).await.unwrap_err();
    assert!(error.to_string().contains("the priority fee was 2000 and is 0"), "{error}");
    assert_eq!(chain.sent(), 0);
    dear.submit(shown.intent.unwrap(), None).await.unwrap();
    assert_eq!(chain.sent(), 1);
}

#[tokio::test]
async fn a_failed_check_is_a_sentence_and_leaves_no_intent() {
    let chain = FakeChain::start().await;
    let me = chain.backend.signer().unwrap();
    let revoke = prepare(&chain, Verb::Revoke).await;
    assert!(revoke.intent.is_none() && failed(&revoke).contains("no vote"), "{}", failed(&revoke));
    let expire = prepare(&chain, Verb::Expire).await;
    assert!(
        expire.intent.is_none() && failed(&expire).contains("not expired"),
        "{}",
        failed(&expire)
    );
    chain.change(|p, config| p.cast(me, Choice::Approve, config, (NOW, SLOT)).unwrap());
    let again = prepare(&chain, Verb::Approve).await;
    assert!(again.intent.is_none() && failed(&again).contains("already"), "{}", failed(&again));
    let reject = prepare(&chain, Verb::Reject).await;
    assert!(reject.intent.is_some(), "a change of mind: {}", failed(&reject));
    chain.backend.set_signer(Some(Arc::new(KeypairSigner::new(Keypair::new()))));
    let stranger = prepare(&chain, Verb::Approve).await;
    assert!(stranger.intent.is_none());
    assert!(failed(&stranger).contains("not a member"), "{}", failed(&stranger));
    let says = &stranger.step.consequence;
    assert!(says.is_empty(), "what a signature would do that cannot be given: {says}");
    let accepted = stranger.checks.iter().any(|c| c.sentence.contains("rules accept"));
    assert!(!accepted, "{:?}", stranger.checks);
    chain.backend.set_signer(None);
    let nobody = prepare(&chain, Verb::Approve).await;
    assert!(nobody.intent.is_none() && nobody.simulation.is_none());
    assert!(failed(&nobody).contains("No key is loaded"), "{}", failed(&nobody));
}

#[tokio::test]
async fn the_deciding_vote_is_announced_with_its_timelock() {
    let chain = FakeChain::start().await;
    for other in [chain.others[0], chain.others[1]] {
        chain.change(|p, config| p.cast(other, Choice::Approve, config, (NOW, SLOT)).unwrap());
    }
    let shown = prepare(&chain, Verb::Approve).await;
    let follows = shown.step.consequence;
    assert!(follows.contains("timelock of 2 d starts"), "{follows}");
    assert!(follows.contains("is 3 of 3 and decides"), "{follows}");
    assert!(follows.contains("Nothing is executed now"), "{follows}");
}

#[tokio::test]
async fn a_vote_to_cancel_does_not_read_like_the_cancellation() {
    let chain = FakeChain::start().await;
    let vote = prepare(&chain, Verb::Cancel).await;
    assert!(
        vote.step.is_vote && vote.title.starts_with("Vote to cancel proposal"),
        "{}",
        vote.title
    );
    let follows = &vote.step.consequence;
    assert!(follows.contains("vote 1 of 3 to cancel: 2 more are needed"), "{follows}");
    // After a vote its proposer cannot withdraw it any more.
    let first = chain.others[0];
    chain.change(|p, config| p.cast(first, Choice::Approve, config, (NOW, SLOT)).unwrap());
    for other in [chain.others[0], chain.others[1]] {
        chain.change(|p, config| p.cancel(other, config).unwrap());
    }
    let act = prepare(&chain, Verb::Cancel).await;
    assert!(!act.step.is_vote && act.title.starts_with("Cancel proposal"), "{}", act.title);
    assert!(
        act.step.consequence.contains("3 of 3 to cancel and decides"),
        "{}",
        act.step.consequence
    );
}

#[tokio::test]
async fn a_vote_to_reject_does_not_read_like_the_rejection() {
    let chain = FakeChain::start().await;
    let vote = prepare(&chain, Verb::Reject).await;
    assert!(vote.title.starts_with("Vote to reject proposal"), "{}", vote.title);
    let follows = &vote.step.consequence;
    assert!(follows.contains("is 1 of the 3 that reject the proposal: 2 more"), "{follows}");
    for other in [chain.others[0], chain.others[1]] {
        chain.change(|p, config| p.cast(other, Choice::Reject, config, (NOW, SLOT)).unwrap());
    }
    let act = prepare(&chain, Verb::Reject).await;
    assert!(act.title.starts_with("Reject for good proposal"), "{}", act.title);
}

#[tokio::test]
async fn the_report_of_a_vote_names_the_missing_votes() {
    let chain = FakeChain::start().await;
    let intent = prepare(&chain, Verb::Cancel).await.intent.unwrap();
    let receipt = chain.backend.submit(intent, None).await.unwrap();
    let said = &receipt.summary;
    assert!(said.starts_with("Your vote to cancel proposal"), "{said}");
    assert!(
        said.contains("1 of 3 votes to cancel, 2 more are needed; the proposal goes on."),
        "{said}"
    );
    assert_eq!(receipt.sent[0].verb, "vote to cancel");
}

#[tokio::test]
async fn no_check_names_a_later_upgrade_before_execution() {
    let chain = FakeChain::start().await;
    for verb in [Verb::RollBack { give_up: false }, Verb::Verify] {
        let shown = prepare(&chain, verb).await;
        assert!(shown.intent.is_none(), "{verb:?}");
        let said = failed(&shown);
        assert!(!said.is_empty() && !said.contains("later upgrade"), "{verb:?} {said}");
    }
}

#[tokio::test]
async fn equal_preflights_have_equal_hashes_and_others_have_not() {
    let chain = FakeChain::start().await;
    let one = prepare(&chain, Verb::Approve).await.intent.unwrap();
    let two = prepare(&chain, Verb::Approve).await.intent.unwrap();
    let other = prepare(&chain, Verb::Reject).await.intent.unwrap();
    assert_eq!(one.message_hash(), two.message_hash());
    assert_eq!(one.state_hash(), two.state_hash());
    assert_ne!(one.message_hash(), other.message_hash());
    assert_eq!(one.signer(), chain.backend.signer().unwrap());
    assert_eq!((one.verb(), one.proposal()), (Verb::Approve, chain.proposal));
}

#[tokio::test]
async fn an_account_of_another_proposal_is_refused_before_the_preflight() {
    let chain = FakeChain::start().await;
    chain.change(|p, _| {
        p.terms.id = 5;
        p.digest = p.terms.digest().unwrap();
    });
    let operation = Operation { verb: Verb::Approve, proposal: chain.proposal };
    let error = chain.backend.prepare(operation).await.unwrap_err();
    assert!(matches!(error, BackendError::Misplaced { .. }), "{error}");
    assert!(error.to_string().contains(&chain.proposal.to_string()), "{error}");
}
