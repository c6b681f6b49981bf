//! The chain's own refusals as sentences: rules run here on the account's own types, so a preflight
//! says exactly what the program would say.
use anchor_lang::error::Error;

use crate::preflight::check::Check;

/// What a rule of the manager's types says.
pub(crate) type RuleResult<T> = Result<T, Error>;

/// The sentence behind an error of the manager's types.
pub(crate) fn sentence(error: &Error) -> String {
    match error {
        Error::AnchorError(e) => e.error_msg.clone(),
        Error::ProgramError(e) => e.program_error.to_string(),
    }
}

/// A rule of the chain as a check.
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
