//! Size, compute budget and simulation of a transaction, before it is signed.
use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::json;
use solana_client::rpc_request::RpcRequest;
use solana_compute_budget_interface::ComputeBudgetInstruction;
use solana_hash::Hash;
use solana_instruction::Instruction;
use solana_message::Message;
use solana_pubkey::Pubkey;

use crate::{
    chain::{
        answers::{RpcAnswer, SimulationAnswer},
        client::ChainClient,
        explain::explain_answer,
    },
    error::{BackendError, Result},
    failure::Failure,
};

/// Most compute units of one transaction.
pub const MAX_UNITS: u32 = 1_400_000;
/// Most bytes of one serialised legacy transaction.
pub const MAX_TRANSACTION_LEN: usize = 1232;

/// What the node said a transaction would do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Simulated {
    /// Compute units used.
    pub units: u64,
    /// Why it would fail.
    pub failure: Option<Failure>,
    /// Its log.
    pub logs: Vec<String>,
}

impl Simulated {
    /// A limit with a tenth to spare: bumps and account sizes move a little from slot to slot.
    #[must_use]
    pub fn unit_limit(&self) -> u32 {
        let wanted = self.units.saturating_add(self.units / 10).saturating_add(2_000);
        u32::try_from(wanted).unwrap_or(MAX_UNITS).min(MAX_UNITS)
    }
}

/// `instructions` behind their compute budget.
#[must_use]
pub fn with_budget(instructions: &[Instruction], limit: u32, price: u64) -> Vec<Instruction> {
    let mut out = vec![ComputeBudgetInstruction::set_compute_unit_limit(limit)];
    if price > 0 {
        out.push(ComputeBudgetInstruction::set_compute_unit_price(price));
    }
    out.extend_from_slice(instructions);
    out
}

/// Bytes of the signed legacy transaction over `instructions`.
#[must_use]
pub fn transaction_size(instructions: &[Instruction], payer: &Pubkey) -> usize {
    size_of(&Message::new(instructions, Some(payer)))
}

/// Bytes of the signed transaction over `message`.
pub(super) fn size_of(message: &Message) -> usize {
    let signatures = usize::from(message.header.num_required_signatures);
    // One byte counts up to 127 signatures; a packet holds far fewer.
    message.serialize().len().saturating_add(1).saturating_add(signatures.saturating_mul(64))
}

/// The transaction over `message` with an empty signature of each signer. One byte counts them, as
/// in [`size_of`].
fn unsigned(message: &Message) -> Vec<u8> {
    let count = message.header.num_required_signatures;
    let mut bytes = vec![count];
    bytes.resize(usize::from(count).saturating_mul(64).saturating_add(1), 0);
    bytes.extend(message.serialize());
    bytes
}

/// The programs that `instructions` call, in order.
pub(super) fn programs(instructions: &[Instruction]) -> Vec<Pubkey> {
    instructions.iter().map(|ix| ix.program_id).collect()
}

impl ChainClient {
    /// Asks the node what `instructions`, paid by `payer`, would do. Nothing is signed.
    ///
    /// # Errors
    /// The network's, or [`BackendError::TooLarge`]. A failing simulation is an answer, not an error.
    pub async fn simulate(
        &self,
        instructions: &[Instruction],
        payer: &Pubkey,
    ) -> Result<Simulated> {
        let bytes = transaction_size(instructions, payer);
        if bytes > MAX_TRANSACTION_LEN {
            let what = "The transaction".into();
            return Err(BackendError::TooLarge { what, bytes, limit: MAX_TRANSACTION_LEN });
        }
        let message = Message::new_with_blockhash(instructions, Some(payer), &Hash::default());
        let options = json!({
            "encoding": "base64",
            "sigVerify": false,
            "replaceRecentBlockhash": true,
            "commitment": self.config().commitment.commitment,
        });
        let params = json!([BASE64_STANDARD.encode(unsigned(&message)), options]);
        let ask = || self.rpc().send(RpcRequest::SimulateTransaction, params.clone());
        let answer: RpcAnswer<SimulationAnswer> = self.read("simulateTransaction", ask).await?;
        let result = answer.value;
        let logs = result.logs.unwrap_or_default();
        let failure = result.err.map(|e| explain_answer(&e, &logs, &programs(instructions)));
        Ok(Simulated { units: result.units_consumed.unwrap_or_default(), failure, logs })
    }
}
