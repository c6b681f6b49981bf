//! The values from the chain that a preflight depends on. Before signing they are read again and compared:
//! on a difference nothing is signed, and the error names both values.
use sha2::{Digest, Sha256};

/// One value from the chain that must not change before signing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PinnedValue {
    /// A noun with its article: an error sentence begins with it.
    pub name: String,
    /// The value as text.
    pub value: String,
}

/// All values from the chain that must not change before signing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct PinnedState {
    pub values: Vec<PinnedValue>,
}

impl PinnedState {
    pub(crate) fn pin(&mut self, name: impl Into<String>, value: impl ToString) {
        self.values.push(PinnedValue { name: name.into(), value: value.to_string() });
    }

    pub(crate) fn hash(&self) -> [u8; 32] {
        let mut sha = Sha256::new();
        for PinnedValue { name, value } in &self.values {
            for text in [name, value] {
                sha.update(u64::try_from(text.len()).unwrap_or(u64::MAX).to_le_bytes());
                sha.update(text);
            }
        }
        sha.finalize().into()
    }

    /// The first value that differs in `now`, as the middle of a sentence.
    pub(crate) fn difference(&self, now: &Self) -> Option<String> {
        for before in &self.values {
            let PinnedValue { name, value } = before;
            match now.values.iter().find(|p| p.name == *name) {
                Some(after) if after.value != *value => {
                    return Some(format!("{name} was {value} and is {} now", after.value));
                }
                None => return Some(format!("{name} was {value} and cannot be told now")),
                Some(_) => {}
            }
        }
        (self.values.len() != now.values.len())
            .then(|| "more has to be looked at than was shown".into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pinned(pairs: &[(&str, &str)]) -> PinnedState {
        let mut pinned = PinnedState::default();
        for (name, value) in pairs {
            pinned.pin(*name, value);
        }
        pinned
    }

    #[test]
    fn a_difference_is_named_with_both_values() {
        let before = pinned(&[("the status", "Active"), ("the votes", "2")]);
        assert_eq!(before.difference(&before), None);
        let after = pinned(&[("the status", "Timelocked"), ("the votes", "2")]);
        let said = before.difference(&after).unwrap();
        assert_eq!(said, "the status was Active and is Timelocked now");
        assert!(before.difference(&pinned(&[("the status", "Active")])).is_some());
        assert!(pinned(&[("the status", "Active")]).difference(&before).is_some());
        assert_ne!(before.hash(), after.hash());
    }

    #[test]
    fn names_and_values_are_hashed_apart() {
        assert_ne!(pinned(&[("ab", "c")]).hash(), pinned(&[("a", "bc")]).hash());
    }
}
