//! The way back: votes first, then accounts, then code. Accounts come back first because only the
//! new code can write them; exact old bytes where nobody has touched them since, the target's own
//! inverse where somebody has.
mod born;
mod items;
mod refunds;
mod restore;

use solana_instruction::Instruction;
use solana_pubkey::Pubkey;
use upgrade_manager::state::{Phase, role};

use crate::{
    backend::{Backend, Reporter},
    code::{Code, Direction},
    error::Result,
    gateway::{MAX_UNITS, PACKET, transaction_size, with_budget},
    instructions::{self, ProposalKeys, Restore},
    lookup::Scene,
    migration::{self, pack},
    operation::Verb,
    plan::{self, Plan, Work},
    preflight::Check,
    receipt::Receipt,
    signer::Signer,
    step::Step as Signing,
    words,
};

/// What the next step back is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Vote,
    Restore,
}

/// Votes for, and carries out, rollbacks.
#[derive(Clone)]
pub struct RollbackHandler {
    backend: Backend,
}

impl RollbackHandler {
    /// Over the gateway, the key and the archive of `backend`.
    #[must_use]
    pub fn new(backend: &Backend) -> Self {
        Self { backend: backend.clone() }
    }

    pub(crate) async fn plan(&self, proposal: Pubkey, give_up: bool) -> Result<Plan> {
        let scene = Scene::load(self.backend.gateway(), proposal).await?;
        let verb = Verb::RollBack { give_up };
        let mut plan = plan::on_scene(&self.backend, verb, &scene);
        migration::counters(&mut plan, &scene);
        plan.fact("Give up what cannot be restored", if give_up { "yes" } else { "no" });
        // Before execution the rule's error speaks of a later upgrade, and there is none.
        if !scene.proposal.status.is_voting() {
            let last = scene.state.require_last(&proposal);
            plan.check(words::rule(&last, "No later upgrade has replaced this one."));
        }
        let votes = vote_list(&scene);
        plan.fact("Votes for rollback", &votes);
        plan.shown.pin("the list of votes for rollback", votes);
        let step = next_step(&scene, self.backend.signer(), give_up);
        plan.shown.pin(
            "the next step",
            match step {
                Step::Vote => "a vote",
                Step::Restore => "the rollback itself",
            },
        );
        let terms = &scene.proposal.terms;
        let new = migration::born_new(self.backend.gateway(), terms, &scene.executed()).await?;
        plan.fact("Accounts made on the new layout, not restored", new.len());
        plan.checks.extend(born::warning(&new));
        match step {
            Step::Vote => {
                self.plan_vote(&mut plan, &scene, give_up);
                Ok(plan)
            }
            Step::Restore => self.plan_restore(plan, &scene, give_up).await,
        }
    }

    fn plan_vote(&self, plan: &mut Plan, scene: &Scene, give_up: bool) {
        let (proposal, config) = (&scene.proposal, &scene.multisig);
        let threshold = usize::from(config.threshold);
        plan.step = Signing::rollback_vote(proposal.ballot.rollback.len(), threshold);
        plan.step.consequence.clear();
        plan.fact("Next step", "a vote for rollback");
        plan.check(words::rule(
            &proposal.require_rollback_vote(scene.now.unix),
            "The rollback window is open.",
        ));
        let Some(signer) = self.backend.signer() else { return };
        let mut after = proposal.clone();
        let guards = config.guardian == Some(signer);
        let outcome = if guards {
            plan.check(Check::pass("The signer is the guardian, who decides alone, once."));
            plan.step = Signing::guardian_rollback();
            after.guardian_rollback(give_up, scene.now.unix).map(|()| true)
        } else {
            plan.check_role(scene, Some(signer), role::VOTE);
            after.cast_rollback(signer, give_up, config, scene.now.unix)
        };
        plan.check_accepts(&outcome, "The chain's rules accept this vote from this signer.");
        if outcome.is_ok() && !guards && plan.failed().is_none() {
            let (votes, threshold) = (&after.ballot.rollback, usize::from(config.threshold));
            plan.step = if proposal.rollback_approved_at == 0 {
                Signing::rollback_vote(votes.len(), threshold)
            } else {
                let agreed = votes.iter().filter(|v| v.give_up).count();
                Signing::give_up_vote(agreed, threshold)
            };
        }
        let keys = ProposalKeys::from(proposal);
        let ix = instructions::approve_rollback(&signer, &keys, proposal.digest, give_up);
        plan.instructions = vec![instructions::with_squads(ix, config)];
    }

    async fn plan_restore(&self, mut plan: Plan, scene: &Scene, give_up: bool) -> Result<Plan> {
        let (proposal, terms) = (&scene.proposal, &scene.proposal.terms);
        plan.work = Work::Job;
        plan.fact("Next step", "restore the accounts, then the old code");
        plan.check(words::rule(
            &proposal.require_rolling_back(),
            "The members have voted for rollback.",
        ));
        plan.check(Check::when(
            scene.state.phase == Phase::RollingBack,
            "The program is rolling back.",
            "The program is not rolling back.",
        ));
        if let Some(signer) = self.backend.signer() {
            let may = scene.multisig.require_restorer(&signer);
            plan.check(words::rule(&may, "The signer may carry the rollback out."));
        }
        plan.check(migration::check_callable(scene));
        let code = Code::load(self.backend.gateway(), terms, Direction::Back).await?;
        plan.checks.extend(code.checks(terms, Direction::Back, scene.now.slot));
        let items = items::plan_items(&self.backend, scene).await?;
        items::describe(&mut plan, &items);
        let may = proposal.ballot.may_give_up(&scene.multisig);
        if give_up && !may {
            plan.check(Check::warn(
                "Fewer members than the threshold agreed to give accounts up: if one cannot be \
                 restored, the old code stays out.",
            ));
        }
        let Some(payer) = self.backend.signer() else { return Ok(plan) };
        let price = self.backend.gateway().config().unit_price;
        let build = |t: &[Restore]| instructions::restore_accounts(&payer, &payer, terms, t);
        let fits = |message: &[Instruction]| {
            transaction_size(&with_budget(message, MAX_UNITS, price), &payer) <= PACKET
        };
        let accounts = items.restores.len();
        let order = items.order();
        let openings = pack(order.first, |t| fits(&refunds::open(&payer, terms, t)));
        let others: Vec<Restore> = order.free.into_iter().chain(order.waiting).collect();
        let batches = pack(others, |t| fits(&[build(t)]));
        plan.transactions = openings.len().saturating_add(batches.len()).saturating_add(1);
        plan.step = Signing::rollback(accounts, plan.transactions);
        plan.instructions = match (openings.first(), batches.first()) {
            (Some(first), _) => refunds::open(&payer, terms, first),
            (None, Some(first)) => vec![build(first)],
            (None, None) => vec![instructions::rollback_program(&payer, terms)],
        };
        Ok(plan)
    }

    pub(crate) async fn run(
        &self,
        verb: Verb,
        proposal: Pubkey,
        key: &dyn Signer,
        reporter: &Reporter,
    ) -> Result<Receipt> {
        let give_up = verb == Verb::RollBack { give_up: true };
        self.restore_all(proposal, give_up, key, reporter).await
    }
}

/// A vote while the threshold is not reached, or while the signer can still add that accounts may be
/// given up and that is not decided yet.
fn next_step(scene: &Scene, signer: Option<Pubkey>, give_up: bool) -> Step {
    let (proposal, config) = (&scene.proposal, &scene.multisig);
    if proposal.rollback_approved_at == 0 {
        return Step::Vote;
    }
    let can_add = signer.is_some_and(|signer| {
        config.require_role(&signer, role::VOTE).is_ok()
            && !proposal.ballot.rollback.iter().any(|v| v.member == signer && v.give_up)
            && proposal.require_rollback_vote(scene.now.unix).is_ok()
    });
    let decided = proposal.ballot.may_give_up(config);
    if give_up && !decided && can_add { Step::Vote } else { Step::Restore }
}

fn vote_list(scene: &Scene) -> String {
    let votes: Vec<_> = scene
        .proposal
        .ballot
        .rollback
        .iter()
        .map(|v| format!("{}{}", v.member, if v.give_up { " (may give up)" } else { "" }))
        .collect();
    if votes.is_empty() { "none".into() } else { votes.join(", ") }
}
