//! Rollback: votes first, then accounts, then code. Accounts are restored before the code, because only
//! the new code's `migrate_down` can write them. An account that no user changed since its migration gets
//! its exact old bytes back; the others go through the target's own `migrate_down`.
mod items;
mod refunds;
mod restore;
mod unrestorable_accounts;

use solana_instruction::Instruction;
use solana_pubkey::Pubkey;
use upgrade_manager::state::{Phase, role};

use crate::{
    accounts::proposal::ProposalContext,
    census::scan,
    chain::simulate::{MAX_TRANSACTION_LEN, MAX_UNITS, transaction_size, with_budget},
    code::install::{Direction, InstallAccounts},
    error::Result,
    instructions::{self, ProposalKeys, Restore},
    keys::signer::Signer,
    pipeline::{
        context::Context,
        pack::pack,
        plan::{self, Plan, Workload},
        reporter::Reporter,
    },
    preflight::{check::Check, operation::Verb, receipt::Receipt, rule_check, step::Step},
};

/// The next step of a rollback.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum RollbackStep {
    Vote,
    Restore,
}

/// Plans votes for rollbacks, and carries rollbacks out.
#[derive(Clone)]
pub struct RollbackHandler {
    context: Context,
}

impl RollbackHandler {
    /// Over the chain, the keys and the archive of `context`.
    #[must_use]
    pub fn new(context: &Context) -> Self {
        Self { context: context.clone() }
    }

    pub(crate) async fn plan(&self, proposal: Pubkey, give_up: bool) -> Result<Plan> {
        let current = ProposalContext::load(self.context.chain(), proposal).await?;
        let verb = Verb::RollBack { give_up };
        let mut plan = Plan::for_proposal(&self.context, verb, &current);
        plan::counters(&mut plan, &current);
        plan.fact("Give up what cannot be restored", if give_up { "yes" } else { "no" });
        // Before execution `require_last` would name a later upgrade that does not exist.
        if !current.proposal.status.is_voting() {
            let last = current.state.require_last(&proposal);
            plan.check(rule_check::check(&last, "No later upgrade has replaced this one."));
        }
        let votes = vote_list(&current);
        plan.fact("Votes for rollback", &votes);
        plan.pinned.pin("the list of votes for rollback", votes);
        let step = next_step(&current, self.context.signer(), give_up);
        plan.pinned.pin(
            "the next step",
            match step {
                RollbackStep::Vote => "a vote",
                RollbackStep::Restore => "the rollback itself",
            },
        );
        let terms = &current.proposal.terms;
        let new =
            scan::unrestorable_accounts(self.context.chain(), terms, &current.executed()).await?;
        plan.fact("Accounts made on the new layout, not restored", new.len());
        plan.checks.extend(unrestorable_accounts::warning(&new));
        match step {
            RollbackStep::Vote => {
                self.plan_vote(&mut plan, &current, give_up);
                Ok(plan)
            }
            RollbackStep::Restore => self.plan_restore(plan, &current, give_up).await,
        }
    }

    fn plan_vote(&self, plan: &mut Plan, current: &ProposalContext, give_up: bool) {
        let (proposal, config) = (&current.proposal, &current.multisig);
        let threshold = usize::from(config.threshold);
        plan.step = Step::rollback_vote(proposal.ballot.rollback.len(), threshold);
        plan.step.consequence.clear();
        plan.fact("Next step", "a vote for rollback");
        plan.check(rule_check::check(
            &proposal.require_rollback_vote(current.now.unix),
            "The rollback window is open.",
        ));
        let Some(signer) = self.context.signer() else { return };
        let mut after = proposal.clone();
        let guards = config.guardian == Some(signer);
        let outcome = if guards {
            plan.check(Check::pass("The signer is the guardian, who decides alone, once."));
            plan.step = Step::guardian_rollback();
            after.guardian_rollback(give_up, current.now.unix).map(|()| true)
        } else {
            plan.check_role(current, Some(signer), role::VOTE);
            after.cast_rollback(signer, give_up, config, current.now.unix)
        };
        plan.check_accepts(&outcome, "The chain's rules accept this vote from this signer.");
        if outcome.is_ok() && !guards && plan.failed().is_none() {
            let (votes, threshold) = (&after.ballot.rollback, usize::from(config.threshold));
            plan.step = if proposal.rollback_approved_at == 0 {
                Step::rollback_vote(votes.len(), threshold)
            } else {
                let agreed = votes.iter().filter(|v| v.give_up).count();
                Step::give_up_vote(agreed, threshold)
            };
        }
        let keys = ProposalKeys::from(proposal);
        let ix = instructions::approve_rollback(&signer, &keys, proposal.digest, give_up);
        plan.instructions = vec![instructions::with_squads(ix, config)];
    }

    async fn plan_restore(
        &self,
        mut plan: Plan,
        current: &ProposalContext,
        give_up: bool,
    ) -> Result<Plan> {
        let (proposal, terms) = (&current.proposal, &current.proposal.terms);
        plan.workload = Workload::Job;
        plan.fact("Next step", "restore the accounts, then the old code");
        plan.check(rule_check::check(
            &proposal.require_rolling_back(),
            "The members have voted for rollback.",
        ));
        plan.check(Check::when(
            current.state.phase == Phase::RollingBack,
            "The program is rolling back.",
            "The program is not rolling back.",
        ));
        if let Some(signer) = self.context.signer() {
            let may = current.multisig.require_restorer(&signer);
            plan.check(rule_check::check(&may, "The signer may carry the rollback out."));
        }
        plan.check(plan::check_callable(current));
        let code = InstallAccounts::load(self.context.chain(), terms, Direction::Back).await?;
        plan.checks.extend(code.checks(terms, Direction::Back, current.now.slot));
        let items = items::plan_items(&self.context, current).await?;
        items::describe(&mut plan, &items);
        let may = proposal.ballot.may_give_up(&current.multisig);
        if give_up && !may {
            plan.check(Check::warn(
                "Fewer members than the threshold agreed to give accounts up: if one cannot be \
                 restored, the old code stays out.",
            ));
        }
        let Some(payer) = self.context.signer() else { return Ok(plan) };
        let price = self.context.chain().config().unit_price;
        let build = |t: &[Restore]| instructions::restore_accounts(&payer, &payer, terms, t);
        let fits = |message: &[Instruction]| {
            transaction_size(&with_budget(message, MAX_UNITS, price), &payer) <= MAX_TRANSACTION_LEN
        };
        let accounts = items.restores.len();
        let order = items.order();
        let funded = pack(order.first, |t| fits(&refunds::fund_and_restore(&payer, terms, t)));
        let others: Vec<Restore> = order.free.into_iter().chain(order.waiting).collect();
        let batches = pack(others, |t| fits(&[build(t)]));
        plan.transactions = funded.len().saturating_add(batches.len()).saturating_add(1);
        plan.step = Step::rollback(accounts, plan.transactions);
        plan.instructions = match (funded.first(), batches.first()) {
            (Some(first), _) => refunds::fund_and_restore(&payer, terms, first),
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

/// A vote while the threshold is not reached. Also a vote while `give_up` is undecided and the signer can
/// still vote for it.
fn next_step(current: &ProposalContext, signer: Option<Pubkey>, give_up: bool) -> RollbackStep {
    let (proposal, config) = (&current.proposal, &current.multisig);
    if proposal.rollback_approved_at == 0 {
        return RollbackStep::Vote;
    }
    let can_add = signer.is_some_and(|signer| {
        config.require_role(&signer, role::VOTE).is_ok()
            && !proposal.ballot.rollback.iter().any(|v| v.member == signer && v.give_up)
            && proposal.require_rollback_vote(current.now.unix).is_ok()
    });
    let decided = proposal.ballot.may_give_up(config);
    if give_up && !decided && can_add { RollbackStep::Vote } else { RollbackStep::Restore }
}

fn vote_list(current: &ProposalContext) -> String {
    let votes: Vec<_> = current
        .proposal
        .ballot
        .rollback
        .iter()
        .map(|v| format!("{}{}", v.member, if v.give_up { " (may give up)" } else { "" }))
        .collect();
    if votes.is_empty() { "none".into() } else { votes.join(", ") }
}
