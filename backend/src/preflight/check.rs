//! A check: a verdict and the sentence that an operator reads.

/// How a check ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Holds.
    Pass,
    /// Holds, but the operator should look at it.
    Warn,
    /// Does not hold; nothing can be signed.
    Fail,
}

/// One check and the sentence that the operator reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// How it ended.
    pub verdict: Verdict,
    /// What was checked, and what to do when it failed.
    pub sentence: String,
}

impl Check {
    /// A check that holds.
    #[must_use]
    pub fn pass(sentence: impl Into<String>) -> Self {
        Self { verdict: Verdict::Pass, sentence: sentence.into() }
    }

    /// A check that holds with a reservation.
    #[must_use]
    pub fn warn(sentence: impl Into<String>) -> Self {
        Self { verdict: Verdict::Warn, sentence: sentence.into() }
    }

    /// A check that does not hold.
    #[must_use]
    pub fn fail(sentence: impl Into<String>) -> Self {
        Self { verdict: Verdict::Fail, sentence: sentence.into() }
    }

    /// `pass` when `holds`, else `fail`.
    #[must_use]
    pub fn when(holds: bool, pass: impl Into<String>, fail: impl Into<String>) -> Self {
        if holds { Self::pass(pass) } else { Self::fail(fail) }
    }
}
