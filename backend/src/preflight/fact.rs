//! One line of what will be signed: a label and a value that is never shortened.

/// One line of what will be signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fact {
    /// What the value is.
    pub label: String,
    /// The full value, never shortened.
    pub value: String,
}
