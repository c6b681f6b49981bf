//! Reads the signature and the priority fee of a transaction from the parameters of
//! `sendTransaction`.
use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::Value;
use solana_compute_budget_interface as compute_budget;

/// First byte of the instruction that sets a price for compute units.
const SET_COMPUTE_UNIT_PRICE: u8 = 3;
/// Bit of a message's first byte that says that a version follows.
const VERSIONED: u8 = 0x80;

/// The signature of the transaction in the parameters of `sendTransaction`.
pub(super) fn signature(params: &Value) -> Option<String> {
    let bytes = bytes(params)?;
    let mut rest = bytes.as_slice();
    let count = length(&mut rest)?;
    let first = rest.get(..64).filter(|_| count > 0)?;
    Some(bs58::encode(first).into_string())
}

/// Whether it pays a priority fee.
pub(super) fn sets_unit_price(params: &Value) -> bool {
    bytes(params).and_then(|bytes| find_unit_price(&bytes)).is_some()
}

fn bytes(params: &Value) -> Option<Vec<u8>> {
    let text = params[0].as_str()?;
    if params[1]["encoding"] == "base64" {
        BASE64_STANDARD.decode(text).ok()
    } else {
        bs58::decode(text).into_vec().ok()
    }
}

fn find_unit_price(transaction: &[u8]) -> Option<()> {
    let mut rest = transaction;
    let signatures = length(&mut rest)?;
    take(&mut rest, signatures * 64)?;
    if rest.first()? & VERSIONED != 0 {
        take(&mut rest, 1)?;
    }
    take(&mut rest, 3)?;
    let count = length(&mut rest)?;
    let keys = take(&mut rest, count * 32)?;
    take(&mut rest, 32)?;
    for _ in 0..length(&mut rest)? {
        let program = usize::from(*take(&mut rest, 1)?.first()?);
        let accounts = length(&mut rest)?;
        take(&mut rest, accounts)?;
        let len = length(&mut rest)?;
        let data = take(&mut rest, len)?;
        if keys.chunks(32).nth(program) == Some(compute_budget::ID.as_ref())
            && data.first() == Some(&SET_COMPUTE_UNIT_PRICE)
        {
            return Some(());
        }
    }
    None
}

fn take<'a>(rest: &mut &'a [u8], count: usize) -> Option<&'a [u8]> {
    let (taken, left) = rest.split_at_checked(count)?;
    *rest = left;
    Some(taken)
}

/// A length in one to three bytes of seven bits, the lowest first.
fn length(rest: &mut &[u8]) -> Option<usize> {
    let mut out = 0;
    for shift in [0, 7, 14] {
        let byte = *take(rest, 1)?.first()?;
        out |= usize::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(out);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use compute_budget::ComputeBudgetInstruction;
    use serde_json::json;
    use solana_keypair::Keypair;
    use solana_message::Message;
    use solana_signer::Signer;

    use super::*;

    /// Parameters of `sendTransaction`, with any bytes as the signature.
    fn sent(instructions: &[solana_instruction::Instruction]) -> Value {
        let payer = Keypair::new();
        let message = Message::new(instructions, Some(&payer.pubkey()));
        let bytes = [&[1], &[7; 64][..], &message.serialize()].concat();
        json!([BASE64_STANDARD.encode(bytes), {"encoding": "base64"}])
    }

    #[test]
    fn a_price_for_compute_units_is_found_and_a_limit_is_none() {
        let limit = ComputeBudgetInstruction::set_compute_unit_limit(1_000);
        let price = ComputeBudgetInstruction::set_compute_unit_price(5);
        assert!(!sets_unit_price(&sent(&[limit.clone()])));
        let both = sent(&[limit, price]);
        assert!(sets_unit_price(&both));
        assert_eq!(signature(&both), Some(bs58::encode([7; 64]).into_string()));
    }
}
