//! Why a transaction failed, and what would have to change for it to succeed. Values only.
use upgrade_manager::error::ManagerError;

/// What would have to change for the transaction to succeed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blame {
    /// An account of the transaction is at fault: without that account it may succeed.
    Account,
    /// The signer or the proposal is at fault: no other transaction of the same step can succeed either.
    Everything,
    /// The slot is at fault: the same transaction can succeed in the next slot.
    Slot,
}

/// Why a transaction failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The reason as a sentence for the operator.
    pub sentence: String,
    /// The manager's error, when the manager refused.
    pub manager: Option<ManagerError>,
    /// What would have to change.
    pub blame: Blame,
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.sentence)
    }
}
