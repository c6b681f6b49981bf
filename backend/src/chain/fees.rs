//! Base fee and priority fee of a transaction. Rent is not included. Pure.
use solana_instruction::Instruction;
use solana_message::Message;
use solana_pubkey::Pubkey;

use crate::{chain::simulate::MAX_UNITS, preflight::fact::Fact};

/// Lamports for each signature, on every cluster: Agave's base fee.
const BASE_FEE_PER_SIGNATURE: u64 = 5_000;
/// Micro-lamports of a lamport.
const MICRO_LAMPORTS_PER_LAMPORT: u64 = 1_000_000;
/// Highest priority fee that is accepted, in micro-lamports per compute unit: 0.07 SOL for a
/// transaction of 1,400,000 units. A higher one is most likely lamports or SOL typed by mistake.
pub const MAX_UNIT_PRICE: u64 = 50_000_000;

/// Reads a priority fee as an operator writes it.
///
/// # Errors
/// A sentence with the unit and the highest value.
pub fn parse_unit_price(text: &str) -> Result<u64, String> {
    let price = text.trim().parse().map_err(|_| {
        format!(
            "{text:?} is not a whole number; a priority fee is in micro-lamports per compute unit, \
             0 to {MAX_UNIT_PRICE}"
        )
    })?;
    check_unit_price(price)
}

/// Refuses a priority fee above [`MAX_UNIT_PRICE`].
///
/// # Errors
/// A sentence with the unit and the highest value.
pub fn check_unit_price(price: u64) -> Result<u64, String> {
    if price <= MAX_UNIT_PRICE {
        return Ok(price);
    }
    let most = Fee { signatures: 1, limit: MAX_UNITS, price };
    Err(format!(
        "a priority fee of {price} micro-lamports per compute unit can cost {} for one transaction; \
         at most {MAX_UNIT_PRICE} is accepted",
        sol(most.lamports())
    ))
}

/// The fee of one transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fee {
    pub signatures: u64,
    /// The unit limit. The priority fee is paid for the limit, not for the units used.
    pub limit: u32,
    /// Micro-lamports per compute unit.
    pub price: u64,
}

impl Fee {
    /// The fee of the transaction over `instructions`, with a budget of `limit` units at `price`.
    pub(crate) fn of(instructions: &[Instruction], payer: &Pubkey, limit: u32, price: u64) -> Self {
        let message = Message::new(instructions, Some(payer));
        Self { signatures: message.header.num_required_signatures.into(), limit, price }
    }

    fn base(self) -> u64 {
        self.signatures.saturating_mul(BASE_FEE_PER_SIGNATURE)
    }

    /// Price times limit, rounded up to a lamport: "Prioritization fee" in solana.com/docs/core/fees,
    /// `get_prioritization_fee` in Agave's `compute-budget`.
    fn priority(self) -> u64 {
        let micro = u128::from(self.price).saturating_mul(self.limit.into());
        u64::try_from(micro.div_ceil(MICRO_LAMPORTS_PER_LAMPORT.into())).unwrap_or(u64::MAX)
    }

    pub(crate) fn lamports(self) -> u64 {
        self.base().saturating_add(self.priority())
    }

    /// Price and fee of one transaction, shown before signing.
    pub(crate) fn facts(self) -> Vec<Fact> {
        let signatures = match self.signatures {
            1 => "1 signature".into(),
            n => format!("{n} signatures"),
        };
        let mut value =
            format!("{}: {} lamports for {signatures}", sol(self.lamports()), self.base());
        if self.price > 0 {
            let (priority, limit) = (self.priority(), self.limit);
            value.push_str(&format!(
                ", {priority} lamports of priority fee for the limit of {limit} compute units"
            ));
        }
        vec![self.price_fact(), Fact { label: "Fee".into(), value }]
    }

    /// Price and highest fee for a job of about `transactions`. Each of them sets its own unit limit, at
    /// most this one.
    pub(crate) fn job_facts(self, transactions: usize) -> Vec<Fact> {
        let each = self.lamports();
        let all = u64::try_from(transactions).unwrap_or(u64::MAX).saturating_mul(each);
        let mut value = format!("at most {} for each transaction", sol(each));
        if transactions > 1 {
            value.push_str(&format!(", {} for {transactions}", sol(all)));
        }
        vec![self.price_fact(), Fact { label: "Fee".into(), value }]
    }

    fn price_fact(self) -> Fact {
        let value = match self.price {
            0 => "none; --priority-fee sets one".into(),
            price => format!("{price} micro-lamports per compute unit"),
        };
        Fact { label: "Priority fee".into(), value }
    }
}

/// `lamports` as SOL, without trailing zeros.
pub(crate) fn sol(lamports: u64) -> String {
    const SOL: u64 = 1_000_000_000;
    let text = format!("{}.{:09}", lamports / SOL, lamports % SOL);
    format!("{} SOL", text.trim_end_matches('0').trim_end_matches('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fee_is_the_base_and_the_price_of_the_limit_rounded_up() {
        let fee = |signatures, limit, price| Fee { signatures, limit, price }.lamports();
        assert_eq!(fee(1, 1_400_000, 0), 5_000);
        assert_eq!(fee(2, 200_000, 1), 10_001, "a part of a lamport is a lamport");
        assert_eq!(fee(1, 1_000_000, 3), 5_003);
        assert_eq!(fee(1, 1_000_001, 3), 5_004);
        assert_eq!(fee(1, 1_400_000, MAX_UNIT_PRICE), 70_005_000);
        assert_eq!(fee(u64::MAX, u32::MAX, u64::MAX), u64::MAX);
    }

    #[test]
    fn price_and_fee_are_shown_in_sol_and_lamports() {
        let shown = |fee: Fee| fee.facts().iter().map(|f| f.value.clone()).collect::<Vec<_>>();
        let dear = Fee { signatures: 1, limit: 200_000, price: 1_000_000 };
        assert_eq!(
            shown(dear),
            [
                "1000000 micro-lamports per compute unit",
                "0.000205 SOL: 5000 lamports for 1 signature, 200000 lamports of priority fee for \
                 the limit of 200000 compute units"
            ]
        );
        let plain = Fee { signatures: 2, price: 0, ..dear };
        assert_eq!(
            shown(plain),
            ["none; --priority-fee sets one", "0.00001 SOL: 10000 lamports for 2 signatures"]
        );
        let job = dear.job_facts(40);
        assert_eq!(job[1].value, "at most 0.000205 SOL for each transaction, 0.0082 SOL for 40");
        assert_eq!([sol(0), sol(2_000_000_000)], ["0 SOL", "2 SOL"]);
    }

    #[test]
    fn an_absurd_priority_fee_is_refused_with_what_it_would_cost() {
        assert_eq!(parse_unit_price(" 1000 "), Ok(1_000));
        assert_eq!(parse_unit_price("50000000"), Ok(MAX_UNIT_PRICE));
        let much = parse_unit_price("1000000000").unwrap_err();
        assert!(much.contains("1.400005 SOL") && much.contains("50000000"), "{much}");
        for text in ["", "-1", "0.5", "1e3", "18446744073709551616"] {
            let error = parse_unit_price(text).unwrap_err();
            assert!(error.contains("micro-lamports per compute unit"), "{error}");
        }
    }
}
