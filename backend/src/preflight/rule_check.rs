//! The chain's rules as checks. The program's own functions run here on the program's own types, so a
//! preflight refuses with exactly the sentence that the program would refuse with.
use anchor_lang::error::Error;

use crate::preflight::check::Check;

/// The result of a rule of the manager's types.
pub(crate) type RuleResult<T> = Result<T, Error>;

/// The sentence behind an error of the manager's types.
pub(crate) fn sentence(error: &Error) -> String {
    match error {
        Error::AnchorError(e) => e.error_msg.clone(),
        Error::ProgramError(e) => e.program_error.to_string(),
    }
}

/// The result of a rule as a check; `pass` is the sentence for a rule that holds.
pub(crate) fn check<T>(outcome: &RuleResult<T>, pass: &str) -> Check {
    match outcome {
        Ok(_) => Check::pass(pass),
        Err(error) => Check::fail(sentence(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use upgrade_manager::error::ManagerError;

    #[test]
    fn a_rules_sentence_is_the_programs_sentence() {
        let error: Error = ManagerError::NotVoting.into();
        assert_eq!(sentence(&error), "The proposal is not open for votes.");
        assert_eq!(sentence(&error), ManagerError::NotVoting.to_string());
    }
}
