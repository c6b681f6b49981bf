//! Finds the manager's error for a code that a transaction failed with.
use upgrade_manager::error::{ALL, ManagerError};

/// The manager's error with this code.
#[must_use]
pub fn manager_error(code: u32) -> Option<ManagerError> {
    ALL.iter().copied().find(|error| u32::from(*error) == code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_of_the_manager_has_its_error_and_no_other_code_has() {
        assert_eq!(manager_error(6000), Some(ManagerError::MemberCount));
        assert_eq!(manager_error(6104), Some(ManagerError::NotChunked));
        assert_eq!(manager_error(5999), None);
        assert_eq!(manager_error(6000 + u32::try_from(ALL.len()).unwrap()), None);
    }
}
