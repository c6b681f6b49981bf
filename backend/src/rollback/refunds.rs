//! Refunds of rent to the accounts that paid it. The runtime refuses a transaction that leaves an account
//! below the rent-exempt minimum, so a refund account that was emptied meanwhile cannot receive a small
//! refund. The first restore of such an account therefore goes first, behind a transfer of the missing
//! lamports; every later refund then finds the account rent exempt.
use std::collections::BTreeMap;

use solana_instruction::Instruction;
use solana_pubkey::Pubkey;
use solana_system_interface::instruction::transfer;
use upgrade_manager::state::{AccountVersion, Terms};

use crate::{
    chain::client::ChainClient,
    error::Result,
    instructions::{self, Restore},
};

/// An account that rent is refunded to: its lamports, and the rent-exempt minimum for its length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RefundAccount {
    pub lamports: u64,
    /// The rent-exempt minimum in lamports.
    pub rent_exempt: u64,
}

impl RefundAccount {
    /// Lamports to transfer first, so that the account is rent exempt after a refund of `refund`.
    fn missing(self, refund: u64) -> u64 {
        if self.lamports.saturating_add(refund) >= self.rent_exempt {
            return 0;
        }
        self.rent_exempt.saturating_sub(self.lamports)
    }
}

/// A restore, and the lamports that its refund account is sent before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct FundedRestore {
    pub restore: Restore,
    pub missing: u64,
}

/// The restores in the order in which the runtime accepts their refunds: `first` funds a refund account,
/// `free` depends on nothing, `waiting` needs a restore of `first` to be confirmed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct RestoreOrder {
    pub first: Vec<FundedRestore>,
    pub free: Vec<Restore>,
    pub waiting: Vec<Restore>,
}

/// The refund accounts of `records` that hold less than the rent-exempt minimum.
pub(super) async fn below_rent_exempt(
    chain: &ChainClient,
    records: &[AccountVersion],
    payer: Option<Pubkey>,
) -> Result<BTreeMap<Pubkey, RefundAccount>> {
    let due = records.iter().filter(|r| r.rent_paid > 0 && Some(r.rent_payer) != payer);
    let mut keys: Vec<Pubkey> = due.map(|r| r.rent_payer).collect();
    keys.sort();
    keys.dedup();
    let (mut out, mut minimums) = (BTreeMap::new(), BTreeMap::new());
    for (key, account) in keys.iter().zip(chain.accounts(&keys).await?) {
        let (lamports, len) = account.map_or((0, 0), |a| (a.lamports, a.data.len()));
        let rent_exempt = match minimums.get(&len) {
            Some(rent_exempt) => *rent_exempt,
            None => chain.rent(len).await?,
        };
        minimums.insert(len, rent_exempt);
        if lamports < rent_exempt {
            out.insert(*key, RefundAccount { lamports, rent_exempt });
        }
    }
    Ok(out)
}

/// Sorts `restores`: for each account in `below_rent_exempt`, the first restore with a refund funds the
/// account and the others wait.
pub(super) fn order(
    restores: Vec<Restore>,
    refunds: &BTreeMap<Pubkey, u64>,
    below_rent_exempt: &BTreeMap<Pubkey, RefundAccount>,
) -> RestoreOrder {
    let mut out = RestoreOrder::default();
    for restore in restores {
        let refund = refunds.get(&restore.account).copied().unwrap_or_default();
        let refund_account = below_rent_exempt.get(&restore.rent_refund).filter(|_| refund > 0);
        let funds_it = |o: &FundedRestore| o.restore.rent_refund == restore.rent_refund;
        match refund_account {
            None => out.free.push(restore),
            Some(_) if out.first.iter().any(funds_it) => out.waiting.push(restore),
            Some(refund_account) => {
                out.first.push(FundedRestore { restore, missing: refund_account.missing(refund) })
            }
        }
    }
    out
}

/// The transfers that make the refund accounts rent exempt, then one instruction with the restores.
pub(super) fn fund_and_restore(
    payer: &Pubkey,
    terms: &Terms,
    funded: &[FundedRestore],
) -> Vec<Instruction> {
    let unfunded = funded.iter().filter(|o| o.missing > 0);
    let mut out: Vec<_> =
        unfunded.map(|o| transfer(payer, &o.restore.rent_refund, o.missing)).collect();
    let restores: Vec<Restore> = funded.iter().map(|o| o.restore.clone()).collect();
    out.push(instructions::restore_accounts(payer, payer, terms, &restores));
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use upgrade_manager::instructions::RestoreItem;

    const FLOOR: u64 = 890_880;

    fn key(i: u8) -> Pubkey {
        Pubkey::new_from_array([i; 32])
    }

    fn restore(account: u8, refund: u8) -> Restore {
        Restore { account: key(account), rent_refund: key(refund), item: RestoreItem::Down }
    }

    fn below_rent_exempt(key: Pubkey, lamports: u64) -> BTreeMap<Pubkey, RefundAccount> {
        BTreeMap::from([(key, RefundAccount { lamports, rent_exempt: FLOOR })])
    }

    fn refunds(lamports: u64) -> BTreeMap<Pubkey, u64> {
        (0..20).map(|i| (key(i), lamports)).collect()
    }

    #[test]
    fn an_emptied_refund_account_is_funded_once_and_its_other_restores_wait() {
        let all = vec![restore(1, 50), restore(2, 60), restore(3, 50), restore(4, 50)];
        let order = order(all, &refunds(1_000), &below_rent_exempt(key(50), 0));
        assert_eq!(order.first, [FundedRestore { restore: restore(1, 50), missing: FLOOR }]);
        assert_eq!(order.free, [restore(2, 60)]);
        assert_eq!(order.waiting, [restore(3, 50), restore(4, 50)]);
    }

    #[test]
    fn no_transfer_when_the_refund_suffices_or_there_is_none() {
        let enough = order(vec![restore(1, 50)], &refunds(FLOOR), &below_rent_exempt(key(50), 0));
        assert_eq!(enough.first, [FundedRestore { restore: restore(1, 50), missing: 0 }]);
        let none = order(vec![restore(1, 50)], &refunds(0), &below_rent_exempt(key(50), 0));
        assert_eq!(none.free, [restore(1, 50)]);
        let rich = order(vec![restore(1, 50)], &refunds(5), &BTreeMap::new());
        assert_eq!(rich.free, [restore(1, 50)]);
    }

    #[test]
    fn transfer_and_balance_reach_the_rent_exempt_minimum() {
        for lamports in [0, 1, FLOOR - 2] {
            let refund_account = RefundAccount { lamports, rent_exempt: FLOOR };
            assert_eq!(lamports + refund_account.missing(1), FLOOR);
        }
        assert_eq!(RefundAccount { lamports: FLOOR - 1, rent_exempt: FLOOR }.missing(1), 0);
        assert_eq!(RefundAccount { lamports: 1, rent_exempt: u64::MAX }.missing(u64::MAX), 0);
    }
}
