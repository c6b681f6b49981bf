//! The kinds of announcements. Configuration, outbox and webhook body share their names, and receivers
//! match on them, so a name never changes.

/// Kind of an announcement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AnnouncementKind {
    /// A proposal was created.
    Created,
    /// The threshold was reached; the timelock runs.
    Approved,
    /// A vote was revoked or changed, and the threshold is no longer reached.
    ApprovalLost,
    /// The timelock is over; the proposal can be executed.
    Ready,
    /// The proposal was executed.
    Executed,
    /// Every account is accounted for.
    Completed,
    /// Enough members, or the guardian, approved the rollback.
    RollbackApproved,
    /// The old code runs again.
    RolledBack,
    /// Cancelled by its proposer or by enough members.
    Cancelled,
    /// Cancelled by the guardian.
    Vetoed,
    /// Approval became impossible.
    Rejected,
    /// Not executed in time, or the multisig has changed since.
    Expired,
    /// The guardian stopped a multisig's executions.
    Paused,
    /// The pause was lifted.
    Unpaused,
    /// Sent by an operator to test a webhook.
    Test,
}

impl AnnouncementKind {
    /// Every kind, in the order of a proposal's life.
    pub const ALL: [Self; 15] = [
        Self::Created,
        Self::Approved,
        Self::ApprovalLost,
        Self::Ready,
        Self::Executed,
        Self::Completed,
        Self::RollbackApproved,
        Self::RolledBack,
        Self::Cancelled,
        Self::Vetoed,
        Self::Rejected,
        Self::Expired,
        Self::Paused,
        Self::Unpaused,
        Self::Test,
    ];

    /// Its name. Where it is a proposal status, the same name as on chain.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Created => "Created",
            Self::Approved => "Approved",
            Self::ApprovalLost => "ApprovalLost",
            Self::Ready => "Ready",
            Self::Executed => "Executed",
            Self::Completed => "Completed",
            Self::RollbackApproved => "RollbackApproved",
            Self::RolledBack => "RolledBack",
            Self::Cancelled => "Cancelled",
            Self::Vetoed => "Vetoed",
            Self::Rejected => "Rejected",
            Self::Expired => "Expired",
            Self::Paused => "Paused",
            Self::Unpaused => "Unpaused",
            Self::Test => "Test",
        }
    }

    /// The kind with this [`Self::name`].
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// The message template that the configuration can override.
    #[must_use]
    pub fn default_text(self) -> &'static str {
        match self {
            Self::Created => {
                "Proposal {id}: {what} was proposed by {actor}. Members vote on {proposal}."
            }
            Self::Approved => {
                "Proposal {id}: {what} is approved. It can be executed from {eta}. {proposal}"
            }
            Self::ApprovalLost => {
                "Proposal {id}: {what} is no longer approved. Members vote again on {proposal}."
            }
            Self::Ready => {
                "Proposal {id}: the timelock of {what} is over since {eta}. It can be executed now. {proposal}"
            }
            Self::Executed => {
                "Proposal {id}: {what} was executed by {actor}. Transaction {signature}."
            }
            Self::Completed => {
                "Proposal {id}: every account is accounted for after {what}. Transaction {signature}."
            }
            Self::RollbackApproved => {
                "Proposal {id}: {what} is to be rolled back. The old code returns once the accounts are restored. {proposal}"
            }
            Self::RolledBack => {
                "Proposal {id}: {what} was rolled back; version {version} runs again. Transaction {signature}."
            }
            Self::Cancelled => "Proposal {id}: {what} was cancelled. Transaction {signature}.",
            Self::Vetoed => {
                "Proposal {id}: {what} was vetoed by the guardian {actor}. Transaction {signature}."
            }
            Self::Rejected => "Proposal {id}: {what} was rejected. Transaction {signature}.",
            Self::Expired => "Proposal {id}: {what} expired. Transaction {signature}.",
            Self::Paused => {
                "The multisig {multisig} is paused by its guardian {actor} until {eta}. Transaction {signature}."
            }
            Self::Unpaused => {
                "The pause of the multisig {multisig} was lifted. Transaction {signature}."
            }
            Self::Test => {
                "This is a test of the control room's announcements. Nothing has happened."
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::webhooks::template::Template;

    #[test]
    fn every_name_is_read_back_and_every_default_text_is_a_template() {
        for kind in AnnouncementKind::ALL {
            assert_eq!(AnnouncementKind::from_name(kind.name()), Some(kind));
            Template::parse(kind.default_text()).unwrap();
        }
        assert_eq!(AnnouncementKind::from_name("created"), None);
    }
}
