//! What one signature does. Some verbs are a vote until the threshold is reached, and the act itself
//! afterwards. Title, first sentence and report come from one [`Step`], so that a vote never reads like the
//! act.
use upgrade_manager::state::{Choice, MultisigConfig, ProposalStatus, Votable};

use crate::preflight::{
    operation::Verb,
    text::{capitalize, span},
};

/// What signing does now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// Its name, the same on screens, in the list of sent transactions and in JSON.
    pub name: &'static str,
    /// Whether it is a vote only.
    pub is_vote: bool,
    /// One sentence: what signing changes, and what it does not. Empty when a check failed before it
    /// could be decided.
    pub consequence: String,
    /// The words before the subject in the title.
    head: &'static str,
    /// The words before the subject in the report.
    done: &'static str,
    /// What the report adds: the tally after this vote.
    after: String,
}

impl Step {
    /// A step that takes effect at once, unlike a vote that only counts towards one.
    pub(crate) fn act(
        name: &'static str,
        head: &'static str,
        consequence: impl Into<String>,
    ) -> Self {
        let (consequence, after) = (consequence.into(), String::new());
        Self { name, is_vote: false, consequence, head, done: head, after }
    }

    /// A vote. `done` is the vote as a noun; `after` is the tally after it.
    fn vote(
        name: &'static str,
        head: &'static str,
        done: &'static str,
        consequence: impl Into<String>,
        after: impl Into<String>,
    ) -> Self {
        let (consequence, after) = (consequence.into(), after.into());
        Self { name, is_vote: true, consequence, head, done, after }
    }

    /// The step of a verb before the proposal is read.
    #[must_use]
    pub fn of(verb: Verb) -> Self {
        match verb {
            Verb::Propose => Self::act(
                "propose",
                "Propose",
                "Makes a proposal that the members vote on; nothing is executed.",
            ),
            Verb::Approve => Self::vote("approve", "Approve", "Your approval of", "", ""),
            Verb::Reject => {
                Self::vote("vote to reject", "Vote to reject", "Your vote to reject", "", "")
            }
            Verb::Revoke => Self::vote(
                "take back the vote",
                "Take back your vote on",
                "Taking back your vote on",
                "",
                "",
            ),
            Verb::Cancel => {
                Self::vote("vote to cancel", "Vote to cancel", "Your vote to cancel", "", "")
            }
            Verb::Expire => Self::act(
                "expire",
                "Expire",
                "Records that the proposal's time is over: it ends, and nothing is executed.",
            ),
            Verb::Execute => Self::act(
                "execute",
                "Execute",
                "Replaces the program's code now; its accounts migrate afterwards, as a step of \
                 their own.",
            ),
            Verb::Migrate => Self::act(
                "migrate",
                "Migrate",
                "Moves the program's accounts to the new layout; started again, it goes on where it \
                 stopped.",
            ),
            Verb::Verify => Self::act(
                "verify",
                "Verify",
                "Verifies every migrated account and, if none was forgotten, completes the upgrade.",
            ),
            Verb::Quarantine { .. } => Self::act(
                "quarantine",
                "Quarantine an account of",
                "Sets one account aside: it keeps its present bytes and does not migrate.",
            ),
            Verb::RollBack { .. } => Self::act("roll back", "Roll back", ""),
        }
    }

    /// The name with an upper-case first letter.
    #[must_use]
    pub fn label(&self) -> String {
        capitalize(self.name)
    }

    /// The title of the dialog.
    #[must_use]
    pub fn title(&self, subject: &str) -> String {
        format!("{} {subject}", self.head)
    }

    /// The report once the transaction is confirmed in `slot`.
    #[must_use]
    pub fn report(&self, subject: &str, slot: u64) -> String {
        let confirmed = format!("{} {subject} is confirmed in slot {slot}.", self.done);
        if self.after.is_empty() {
            confirmed
        } else if self.is_vote {
            // Another member's vote may have landed in between.
            format!("{confirmed} As counted before it was sent: {}", self.after)
        } else {
            format!("{confirmed} {}", capitalize(&self.after))
        }
    }

    /// A vote on `before`, which the chain's rules turn into `after`.
    pub(crate) fn on_ballot<P: Votable>(
        verb: Verb,
        (before, after): (&P, &P),
        config: &MultisigConfig,
        vetoes: bool,
    ) -> Self {
        let mut step = match verb {
            Verb::Approve => approval(before, after, config),
            Verb::Reject => rejection(after, config),
            Verb::Revoke => revocation(),
            Verb::Cancel => cancelling(before, after, config, vetoes),
            other => return Self::of(other),
        };
        let statuses = (before.voting_state().status, after.voting_state().status);
        if statuses == (ProposalStatus::Timelocked, ProposalStatus::Active) {
            let reset = "The approval falls below the threshold, and the timelock is reset.";
            step.consequence = format!("{} {reset}", step.consequence);
            step.after = format!("{} {reset}", step.after).trim_start().to_owned();
        }
        step
    }

    /// A vote for rollback, number `votes` of `threshold`.
    #[must_use]
    pub fn rollback_vote(votes: usize, threshold: usize) -> Self {
        let separate = "the rollback itself is a separate step";
        let more = missing(votes, threshold);
        Self::vote(
            "vote to roll back",
            "Vote to roll back",
            "Your vote to roll back",
            if more == 0 {
                format!(
                    "This is your vote {votes} of {threshold} to roll back, and it decides: \
                     migration ends now; {separate}. This vote cannot be taken back."
                )
            } else {
                format!(
                    "This is your vote {votes} of {threshold} to roll back: {} needed, and {separate}. \
                     No account and no code changes. This vote cannot be taken back.",
                    more_votes(more)
                )
            },
            if more == 0 {
                format!(
                    "{votes} of {threshold} votes are cast: the rollback is decided and has not \
                     been carried out. {HOW_TO_CARRY_OUT}"
                )
            } else {
                format!(
                    "{votes} of {threshold} votes are cast, {} needed; nothing is rolled back yet.",
                    more_votes(more)
                )
            },
        )
    }

    /// The guardian's decision for a rollback, which takes no vote.
    pub(crate) fn guardian_rollback() -> Self {
        Self::vote(
            "decide to roll back",
            "Decide as guardian to roll back",
            "Your decision to roll back",
            "You decide for rollback alone, as the guardian: migration ends now; the rollback itself \
             is a separate step.",
            format!("The rollback is decided and has not been carried out. {HOW_TO_CARRY_OUT}"),
        )
    }

    /// A vote, after the rollback was decided, that accounts may be given up: number `votes` of
    /// `threshold`.
    pub(crate) fn give_up_vote(votes: usize, threshold: usize) -> Self {
        let more = missing(votes, threshold);
        let stands = if more == 0 {
            format!(
                "{votes} of {threshold} votes: accounts that cannot be restored may be given up"
            )
        } else {
            format!("{votes} of {threshold} votes to give accounts up, {} needed", more_votes(more))
        };
        Self::vote(
            "vote to give accounts up",
            "Vote to give accounts up in the rollback of",
            "Your vote to give accounts up in the rollback of",
            format!("{stands}. Nothing is restored by this vote; the rollback is a separate step."),
            format!("{stands}; the rollback itself is a separate step."),
        )
    }

    /// The rollback itself.
    #[must_use]
    pub fn rollback(accounts: usize, transactions: usize) -> Self {
        Self::act(
            "roll back",
            "Roll back",
            format!(
                "Carries the rollback out, now: restores {accounts} accounts and puts the old code \
                 back, in about {transactions} transactions."
            ),
        )
    }

    /// A vote to lift a pause, number `votes` of `threshold`; the one that decides lifts it.
    pub(crate) fn unpause(votes: usize, threshold: usize) -> Self {
        let more = missing(votes, threshold);
        if more == 0 {
            let consequence = format!(
                "Your vote is {votes} of {threshold} and decides: the pause ends now, and what is \
                 ready can be executed at once."
            );
            let after = format!("{votes} of {threshold} votes are cast: the pause is lifted.");
            let done = "Lifting the pause of";
            return Self {
                after,
                done,
                ..Self::act("lift the pause", "Lift the pause of", consequence)
            };
        }
        Self::vote(
            "vote to lift the pause",
            "Vote to lift the pause of",
            "Your vote to lift the pause of",
            format!(
                "This is your vote {votes} of {threshold} to lift the pause: {} needed, and until \
                 then the pause stays. This vote cannot be taken back.",
                more_votes(more)
            ),
            format!(
                "{votes} of {threshold} votes are cast, {} needed; the pause stays.",
                more_votes(more)
            ),
        )
    }
}

/// Who carries out a decided rollback, and how.
const HOW_TO_CARRY_OUT: &str = "A member who may execute, or the guardian, carries it out: R on the screen \
                         Proposal, or `control-room rollback --proposal ADDRESS`.";

fn missing(votes: usize, threshold: usize) -> usize {
    threshold.saturating_sub(votes)
}

fn more_votes(n: usize) -> String {
    if n == 1 { "1 more is".to_owned() } else { format!("{n} more are") }
}

fn approval(before: &impl Votable, after: &impl Votable, config: &MultisigConfig) -> Step {
    let (votes, threshold) = (after.ballot().count(Choice::Approve), usize::from(config.threshold));
    let step =
        |consequence: String, after: String| Step { consequence, after, ..Step::of(Verb::Approve) };
    match (before.voting_state().status, after.voting_state().status) {
        (ProposalStatus::Active, ProposalStatus::Timelocked) => {
            let lock = span(i64::from(config.timelock));
            step(
                format!(
                    "Your approval is {votes} of {threshold} and decides: the timelock of {lock} \
                     starts. Nothing is executed now."
                ),
                format!("{votes} of {threshold} approvals: the timelock of {lock} has started."),
            )
        }
        (ProposalStatus::Timelocked, ProposalStatus::Timelocked) => step(
            format!(
                "Your approval is {votes}, where {threshold} are needed: the timelock goes on as it \
                 is. Nothing is executed now."
            ),
            format!("{votes} approvals, {threshold} needed; the timelock goes on as it was."),
        ),
        _ => {
            let more = more_votes(missing(votes, threshold));
            step(
                format!(
                    "Your approval is {votes} of {threshold}: {more} needed before the timelock \
                     starts. Nothing is executed."
                ),
                format!("{votes} of {threshold} approvals, {more} needed."),
            )
        }
    }
}

fn rejection(after: &impl Votable, config: &MultisigConfig) -> Step {
    let votes = after.ballot().count(Choice::Reject);
    // With this many rejections, fewer voters are left than the threshold needs.
    let enough = config.voters().saturating_sub(usize::from(config.threshold)).saturating_add(1);
    if after.voting_state().status == ProposalStatus::Rejected {
        let consequence = "Your vote decides: the proposal is rejected for good.";
        let after = "The proposal is rejected for good.".to_owned();
        let done = "Your vote, which rejects";
        return Step { after, done, ..Step::act("reject", "Reject for good", consequence) };
    }
    let more = more_votes(missing(votes, enough));
    Step {
        consequence: format!(
            "Your vote is {votes} of the {enough} that reject the proposal: {more} needed, and until \
             then it goes on."
        ),
        after: format!("{votes} of {enough} votes to reject, {more} needed; the proposal goes on."),
        ..Step::of(Verb::Reject)
    }
}

fn revocation() -> Step {
    Step {
        consequence: "Your own vote is taken back; the proposal itself goes on.".to_owned(),
        ..Step::of(Verb::Revoke)
    }
}

fn cancelling(
    before: &impl Votable,
    after: &impl Votable,
    config: &MultisigConfig,
    vetoes: bool,
) -> Step {
    let (votes, threshold) = (after.ballot().cancel.len(), usize::from(config.threshold));
    let ended = after.voting_state().status == ProposalStatus::Cancelled;
    if !ended {
        let more = more_votes(missing(votes, threshold));
        return Step {
            consequence: format!(
                "This is your vote {votes} of {threshold} to cancel: {more} needed, and until then \
                 the proposal goes on. This vote cannot be taken back."
            ),
            after: format!(
                "{votes} of {threshold} votes to cancel, {more} needed; the proposal goes on."
            ),
            ..Step::of(Verb::Cancel)
        };
    }
    if vetoes {
        let consequence = "The guardian vetoes the proposal: it ends for good.";
        return Step::act("veto", "Veto", consequence);
    }
    if votes == before.ballot().cancel.len() {
        let consequence = "You withdraw your own proposal: it ends for good.";
        return Step::act("withdraw", "Withdraw", consequence);
    }
    let consequence = format!(
        "Your vote is {votes} of {threshold} to cancel and decides: the proposal ends for good."
    );
    Step::act("cancel", "Cancel", consequence)
}

#[cfg(test)]
mod tests;
