//! Proposals that change a multisig: the same verbs as on upgrades, their own facts, the guardian's veto.
use std::sync::Arc;

use anchor_lang::AccountSerialize;
use backend::{Fact, KeypairSigner, Operation, Preflight, Signer, Verb, instructions::Voted};
use solana_keypair::Keypair;
use solana_pubkey::Pubkey;
use upgrade_manager::state::{Action, GovernanceProposal, GovernanceTerms};

use crate::fake_chain::{FakeChain, NOW};

/// The chain with a second proposal, which doubles the timelock; `guardian` is the multisig's guardian.
async fn chain(guardian: Option<Pubkey>) -> (FakeChain, Pubkey) {
    let chain = FakeChain::start().await;
    let config = chain.change_multisig(|config| config.guardian = guardian);
    let mut rules = config.rules();
    rules.timelock *= 2;
    let terms = GovernanceTerms {
        id: 1,
        genesis_hash: [7; 32],
        multisig: chain.multisig(),
        config_epoch: config.config_epoch,
        expires_at: NOW + 30 * 86_400,
        note: "longer".into(),
        action: Action::ConfigChange(rules),
    };
    let by = (chain.others[0], chain.others[0]);
    let proposal = GovernanceProposal::new(terms, 0, by, &config, NOW).unwrap();
    let at = proposal.voted().proposal;
    let mut data = vec![];
    proposal.try_serialize(&mut data).unwrap();
    chain.put(at, upgrade_manager::ID, data);
    (chain, at)
}

async fn prepare(chain: &FakeChain, verb: Verb, proposal: Pubkey) -> Preflight {
    chain.backend.prepare(Operation { verb, proposal }).await.unwrap()
}

fn value<'a>(facts: &'a [Fact], label: &str) -> &'a str {
    &facts.iter().find(|f| f.label == label).unwrap_or_else(|| panic!("{label}: {facts:?}")).value
}

#[tokio::test]
async fn a_members_vote_on_new_rules_shows_every_change_and_can_be_signed() {
    let (chain, proposal) = chain(None).await;
    let p = prepare(&chain, Verb::Approve, proposal).await;
    assert_eq!(p.failures().map(|c| &c.sentence).collect::<Vec<_>>(), Vec::<&String>::new());
    assert_eq!(value(&p.facts, "What it does"), "ConfigChange");
    assert!(value(&p.facts, "Timelock").contains("BECOMES"), "{}", value(&p.facts, "Timelock"));
    assert_eq!(value(&p.facts, "Note"), "longer");
    assert!(p.intent.is_some());
}

#[tokio::test]
async fn a_change_cannot_be_executed_before_its_timelock() {
    let (chain, proposal) = chain(None).await;
    let p = prepare(&chain, Verb::Execute, proposal).await;
    assert!(p.intent.is_none());
    assert!(p.failures().any(|c| c.sentence.contains("not Timelocked")));
}

#[tokio::test]
async fn the_guardian_vetoes_and_can_do_nothing_else() {
    let guardian = KeypairSigner::new(Keypair::new());
    let key = guardian.pubkey();
    let (chain, proposal) = chain(Some(key)).await;
    chain.put(key, solana_sdk_ids::system_program::ID, vec![]);
    chain.backend.set_signer(Some(Arc::new(guardian)));
    let veto = prepare(&chain, Verb::Cancel, proposal).await;
    assert_eq!(veto.failures().count(), 0);
    assert_eq!(veto.step.consequence, "The guardian vetoes the proposal: it ends for good.");
    assert!(veto.title.starts_with("Veto multisig proposal"), "{}", veto.title);
    for verb in [Verb::Approve, Verb::Reject, Verb::Execute] {
        assert!(prepare(&chain, verb, proposal).await.intent.is_none(), "{verb:?}");
    }
}
