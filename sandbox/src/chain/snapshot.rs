//! All accounts of a program, read from the chain. A rollback must restore every byte and lamport of them.
//! Uses nothing of the migration code that it checks.
use std::collections::BTreeMap;

use anyhow::Result;
use backend::chain::{ChainClient, RawAccount};
use solana_pubkey::Pubkey;

/// Every account that a program owns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountSnapshot(pub BTreeMap<Pubkey, RawAccount>);

impl AccountSnapshot {
    /// Every account of `program` now.
    ///
    /// # Errors
    /// The chain does not answer.
    pub async fn take(client: &ChainClient, program: &Pubkey) -> Result<Self> {
        Ok(Self(client.program_accounts(program, &[]).await?.into_iter().collect()))
    }

    /// One sentence for each account that differs in `after`.
    #[must_use]
    pub fn differences(&self, after: &Self) -> Vec<String> {
        let mut out = Vec::new();
        for (address, old) in &self.0 {
            let Some(new) = after.0.get(address) else {
                out.push(format!("The account {address} is gone."));
                continue;
            };
            if old.data != new.data {
                let (a, b) = (old.data.len(), new.data.len());
                out.push(format!("The bytes of {address} differ ({a} before, {b} after)."));
            }
            if old.lamports != new.lamports {
                let (a, b) = (old.lamports, new.lamports);
                out.push(format!("{address} held {a} lamports and holds {b}."));
            }
            if (old.owner, old.executable) != (new.owner, new.executable) {
                out.push(format!("{address} was owned by {} and is by {}.", old.owner, new.owner));
            }
        }
        let new = after.0.keys().filter(|address| !self.0.contains_key(address));
        out.extend(new.map(|address| format!("The account {address} is new.")));
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(n: u8) -> Pubkey {
        Pubkey::new_from_array([n; 32])
    }

    fn account(lamports: u64, data: &[u8]) -> RawAccount {
        RawAccount { owner: key(9), lamports, data: data.to_vec(), executable: false }
    }

    #[test]
    fn every_kind_of_difference_is_seen() {
        let before =
            AccountSnapshot((1..=5).map(|n| (key(n), account(u64::from(n), &[n; 4]))).collect());
        assert_eq!(before.differences(&before), Vec::<String>::new());
        let mut after = before.clone();
        after.0.remove(&key(1));
        after.0.insert(key(2), account(2, &[2, 2, 2, 3]));
        after.0.insert(key(3), account(4, &[3; 4]));
        after.0.insert(key(4), RawAccount { owner: key(8), ..account(4, &[4; 4]) });
        after.0.insert(key(7), account(7, &[7; 4]));
        let said = before.differences(&after);
        assert_eq!(said.len(), 5, "{said:?}");
        for (sentence, n) in said.iter().zip([1, 2, 3, 4, 7]) {
            assert!(sentence.contains(&key(n).to_string()), "{sentence}");
        }
    }
}
