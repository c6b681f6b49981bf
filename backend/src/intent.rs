//! What was shown, frozen: only a preflight without failures makes an intent, and only an intent
//! can be submitted. It holds no key and no transaction, only what the next one must equal.
use sha2::{Digest, Sha256};
use solana_pubkey::Pubkey;

use crate::operation::{ProposeRequest, Verb};

/// One value that was read from the chain, decided the preflight, and must still hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pinned {
    /// What it is, as a noun with its article: it starts a sentence when it changes.
    pub name: String,
    /// Its value in words.
    pub value: String,
}

/// Everything that was read and must still hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Shown(pub Vec<Pinned>);

impl Shown {
    pub(crate) fn pin(&mut self, name: impl Into<String>, value: impl ToString) {
        self.0.push(Pinned { name: name.into(), value: value.to_string() });
    }

    pub(crate) fn hash(&self) -> [u8; 32] {
        let mut sha = Sha256::new();
        for Pinned { name, value } in &self.0 {
            for text in [name, value] {
                sha.update(u64::try_from(text.len()).unwrap_or(u64::MAX).to_le_bytes());
                sha.update(text);
            }
        }
        sha.finalize().into()
    }

    /// The first thing that is no longer as shown, in words.
    pub(crate) fn difference(&self, now: &Self) -> Option<String> {
        for before in &self.0 {
            let Pinned { name, value } = before;
            match now.0.iter().find(|p| p.name == *name) {
                Some(after) if after.value != *value => {
                    return Some(format!("{name} was {value} and is {} now", after.value));
                }
                None => return Some(format!("{name} was {value} and cannot be told now")),
                Some(_) => {}
            }
        }
        (self.0.len() != now.0.len()).then(|| "more has to be looked at than was shown".into())
    }
}

/// A confirmed wish, made by a preflight without failures and used up by `Backend::submit`.
#[derive(Clone, Debug)]
pub struct Intent {
    pub(crate) verb: Verb,
    pub(crate) proposal: Pubkey,
    pub(crate) signer: Pubkey,
    pub(crate) shown: Shown,
    pub(crate) message_hash: [u8; 32],
    pub(crate) unit_limit: u32,
    /// Micro-lamports per compute unit, of every transaction that this leads to.
    pub(crate) unit_price: u64,
    pub(crate) request: Option<Box<FrozenRequest>>,
}

/// A new proposal's wish, with what depended on the moment of planning.
#[derive(Clone, Debug)]
pub(crate) struct FrozenRequest {
    pub request: ProposeRequest,
    pub expires_at: i64,
    pub manifest: upgrade_manager::state::Manifest,
    pub leaves: Vec<crate::archive::ManifestLeaf>,
}

impl Intent {
    /// What will be done.
    #[must_use]
    pub fn verb(&self) -> Verb {
        self.verb
    }

    /// To which proposal.
    #[must_use]
    pub fn proposal(&self) -> Pubkey {
        self.proposal
    }

    /// Whose signature it takes.
    #[must_use]
    pub fn signer(&self) -> Pubkey {
        self.signer
    }

    /// sha256 of the message with its blockhash left zero; of a long job, of its first message.
    #[must_use]
    pub fn message_hash(&self) -> [u8; 32] {
        self.message_hash
    }

    /// sha256 over every value from the chain that must still hold.
    #[must_use]
    pub fn state_hash(&self) -> [u8; 32] {
        self.shown.hash()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(pairs: &[(&str, &str)]) -> Shown {
        let mut shown = Shown::default();
        for (name, value) in pairs {
            shown.pin(*name, value);
        }
        shown
    }

    #[test]
    fn a_difference_is_named_with_both_values() {
        let before = shown(&[("the status", "Active"), ("the votes", "2")]);
        assert_eq!(before.difference(&before), None);
        let after = shown(&[("the status", "Timelocked"), ("the votes", "2")]);
        let said = before.difference(&after).unwrap();
        assert_eq!(said, "the status was Active and is Timelocked now");
        assert!(before.difference(&shown(&[("the status", "Active")])).is_some());
        assert!(shown(&[("the status", "Active")]).difference(&before).is_some());
        assert_ne!(before.hash(), after.hash());
    }

    #[test]
    fn the_hash_tells_names_from_values() {
        assert_ne!(shown(&[("ab", "c")]).hash(), shown(&[("a", "bc")]).hash());
    }
}
