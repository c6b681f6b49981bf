//! Proposals about multisigs, and about who holds a program: votes and execution by the same verbs as on
//! upgrades. How one is made is set-up, see `setup::governance`.
mod changes;
mod execute;

use anchor_lang::Discriminator;
use solana_pubkey::Pubkey;
use solana_sdk_ids::sysvar::clock;
use upgrade_manager::{
    seeds,
    state::{GovernanceProposal, MultisigConfig, ProgramUpgradeState},
};

pub use changes::MultisigChange;
pub(crate) use changes::action_facts;

use crate::{
    backend::Backend,
    error::{BackendError, Result},
    gateway::{ChainTime, Gateway},
    intent::Shown,
    lookup::{decode, decode_if_made},
    multisig::{self, MultisigCoordinator},
    operation::{Operation, Verb},
    plan::{self, Plan},
    proposals::votes,
};

/// Everything that decides about one proposal of a multisig, as of one slot.
pub(crate) struct MultisigScene {
    pub address: Pubkey,
    pub proposal: GovernanceProposal,
    pub multisig: MultisigConfig,
    /// The state of the program that would leave, while there is one.
    pub state: Option<ProgramUpgradeState>,
    pub now: ChainTime,
}

impl MultisigScene {
    pub(crate) async fn load(gateway: &Gateway, address: Pubkey) -> Result<Self> {
        let first = gateway.account(&address).await?;
        let known: GovernanceProposal = decode("multisig proposal", address, first.as_ref())?;
        let multisig_key = known.terms.multisig;
        let program = known.terms.action.program();
        // Without a program any account of the list will do: it is not looked at.
        let state_key = program.map_or(multisig_key, |p| seeds::program_state(&p).0);
        let got = gateway.accounts(&[address, multisig_key, state_key, clock::ID]).await?;
        let [proposal, multisig, state, clock] = got.as_slice() else {
            return Err(BackendError::Range("reading a proposal"));
        };
        let clock =
            clock.as_ref().ok_or(BackendError::NoAccount { what: "clock", address: clock::ID })?;
        let state = match program {
            Some(_) => decode_if_made("program state", state_key, state.as_ref())?,
            None => None,
        };
        Ok(Self {
            address,
            proposal: decode("multisig proposal", address, proposal.as_ref())?,
            multisig: decode("multisig", multisig_key, multisig.as_ref())?,
            state,
            now: clock.chain_time()?,
        })
    }
}

/// Whether `address` holds a proposal about a multisig.
pub(crate) async fn is_governance(gateway: &Gateway, address: &Pubkey) -> Result<bool> {
    let raw = gateway.account(address).await?;
    Ok(raw.is_some_and(|raw| {
        raw.owner == upgrade_manager::ID && raw.data.starts_with(GovernanceProposal::DISCRIMINATOR)
    }))
}

/// What `operation` would do to a proposal about a multisig.
pub(crate) async fn plan(backend: &Backend, operation: Operation) -> Result<Plan> {
    let scene = MultisigScene::load(backend.gateway(), operation.proposal).await?;
    match operation.verb {
        Verb::Execute => execute::plan(backend, &scene).await,
        verb => Ok(plan_vote(backend, verb, &scene)),
    }
}

fn plan_vote(backend: &Backend, verb: Verb, scene: &MultisigScene) -> Plan {
    let mut plan = on_scene(backend, verb, scene);
    votes::add(&mut plan, backend, &scene.proposal, &scene.multisig, scene.now);
    plan
}

/// A plan for a verb, with what every such verb shows, checks and pins.
fn on_scene(backend: &Backend, verb: Verb, scene: &MultisigScene) -> Plan {
    let (proposal, terms) = (&scene.proposal, &scene.proposal.terms);
    let subject = format!("multisig proposal {} of {}", terms.id, terms.multisig);
    let mut plan = Plan::new(verb, scene.address, subject);
    plan.fact("Proposal", scene.address);
    plan.fact("Status", proposal.status.name());
    plan.fact("Multisig", terms.multisig);
    plan.fact("Digest", hex::encode(proposal.digest));
    plan.facts.extend(action_facts(&terms.action, &scene.multisig));
    if !terms.note.is_empty() {
        plan.fact("Note", &terms.note);
    }
    plan.fact("Proposer", proposal.proposer);
    plan.facts.extend(multisig::vote_facts(&scene.multisig, proposal));
    plan::check_signer(&mut plan, backend, &scene.multisig, MultisigCoordinator::needs(verb));
    plan.check(plan::check_genesis(terms.genesis_hash, backend.gateway().genesis_hash()));
    plan.check(plan::check_digest(terms.digest().ok(), proposal.digest));
    plan.shown.pin("the digest", hex::encode(proposal.digest));
    plan.shown.pin("the proposal's status", proposal.status.name());
    pin_votes(scene, &mut plan.shown);
    plan
}

fn pin_votes(scene: &MultisigScene, shown: &mut Shown) {
    multisig::pin_votes(&scene.proposal, &scene.multisig, shown);
}
