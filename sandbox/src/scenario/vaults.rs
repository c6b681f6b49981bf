//! The end users of the demo vault and their deposits. Pure: plans instructions and sends nothing.
use std::sync::Arc;

use backend::Signer;
use solana_instruction::Instruction;
use solana_pubkey::Pubkey;
use upgrade_manager::state::{LenRange, TypeRule};

use crate::scenario::keys::new_key;

/// Vaults of one user: as many as one transaction opens and fills.
pub const VAULTS_PER_USER: u32 = 8;
/// Lamports a user gets beside the deposits, for rent and fees.
const SPARE_LAMPORTS: u64 = 100_000_000;

/// One user and the vaults to open.
pub struct User {
    /// Owns the vaults and pays for them.
    pub signer: Arc<dyn Signer>,
    /// The deposits into each vault, in lamports, by the vault's index.
    pub vaults: Vec<Vec<u64>>,
}

impl User {
    /// The user's address.
    #[must_use]
    pub fn address(&self) -> Pubkey {
        self.signer.pubkey()
    }

    /// Lamports the user needs.
    #[must_use]
    pub fn funds(&self) -> u64 {
        self.vaults
            .iter()
            .flatten()
            .fold(SPARE_LAMPORTS, |sum, deposit| sum.saturating_add(*deposit))
    }

    /// Opens every vault and fills it, in one transaction.
    #[must_use]
    pub fn instructions(&self) -> Vec<Instruction> {
        let owner = self.address();
        let mut out = Vec::new();
        for (index, deposits) in (0u32..).zip(&self.vaults) {
            out.push(demo_vault::client::open_ix(&owner, index));
            let fill = |amount: &u64| demo_vault::client::deposit_ix(&owner, index, *amount);
            out.extend(deposits.iter().map(fill));
        }
        out
    }
}

/// Users with `count` vaults between them. Every vault's balance differs from every other's, and
/// they hold one, two or three deposits.
#[must_use]
pub fn plan(count: u32) -> Vec<User> {
    let all: Vec<Vec<u64>> = (0..count)
        .map(|n| {
            let base = u64::from(n).saturating_add(1).saturating_mul(10_000);
            (0..=u64::from(n % 3)).map(|k| base.saturating_add(k)).collect()
        })
        .collect();
    all.chunks(VAULTS_PER_USER as usize)
        .map(|vaults| User { signer: new_key(), vaults: vaults.to_vec() })
        .collect()
}

/// The type rule that a proposal needs for vaults.
#[must_use]
pub fn type_rule() -> TypeRule {
    let rule = demo_vault::client::type_rule();
    let range = |(min, max)| LenRange { min, max };
    TypeRule {
        discriminator: rule.discriminator,
        version_offset: rule.version_offset,
        version_width: rule.version_width,
        old_len: range(rule.old_len),
        new_len: range(rule.new_len),
        flags: 0,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_vault_is_planned_once_with_a_balance_of_its_own() {
        for count in [0, 1, 7, 8, 9, 200] {
            let users = plan(count);
            let mut addresses = BTreeSet::new();
            let mut balances = BTreeSet::new();
            for user in &users {
                for (index, deposits) in (0..).zip(&user.vaults) {
                    addresses.insert(demo_vault::client::vault_address(&user.address(), index));
                    balances.insert(deposits.iter().sum::<u64>());
                }
            }
            assert_eq!((addresses.len(), balances.len()), (count as usize, count as usize));
        }
    }

    #[test]
    fn a_users_transaction_fits_into_one_packet() {
        for user in plan(200) {
            // Two signatures, five addresses beside the vaults, and a blockhash.
            let head = 2 * 64 + 6 * 32 + 16;
            let body: usize = user
                .instructions()
                .iter()
                .map(|ix| 3 + ix.accounts.len() + ix.data.len())
                .sum::<usize>()
                + 32 * user.vaults.len();
            assert!(head + body <= 1232, "{}", head + body);
        }
    }
}
