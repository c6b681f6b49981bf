//! Reads from the chain what a confirmed transaction used and logged.
use anyhow::{Context, Result};
use backend::ChainClient;
use solana_message::VersionedMessage;
use solana_rpc_client::api::config::RpcTransactionConfig;
use solana_signature::Signature;
use solana_transaction_status_client_types::{
    UiTransactionEncoding, option_serializer::OptionSerializer,
};

use crate::chain::local_rpc::rpc_client;

/// Compute units and log of a confirmed transaction.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TxMeta {
    /// Compute units it used.
    pub units: Option<u64>,
    /// Its log.
    pub logs: Vec<String>,
    /// Micro-lamports per compute unit, where it sets a price.
    pub unit_price: Option<u64>,
    /// Lamports that its payer was charged as a fee.
    pub fee: u64,
}

/// Looks up `signature`.
///
/// # Errors
/// The chain does not know it.
pub async fn tx_meta(client: &ChainClient, signature: &Signature) -> Result<TxMeta> {
    let rpc = rpc_client(client);
    let config = RpcTransactionConfig {
        encoding: Some(UiTransactionEncoding::Base64),
        commitment: Some(rpc.commitment()),
        max_supported_transaction_version: Some(1),
    };
    let found = rpc
        .get_transaction_with_config(signature, config)
        .await
        .with_context(|| format!("The chain does not show the transaction {signature}."))?;
    let unit_price = found.transaction.transaction.decode().and_then(|t| price(&t.message));
    let Some(meta) = found.transaction.meta else { return Ok(TxMeta::default()) };
    let logs = match meta.log_messages {
        OptionSerializer::Some(logs) => logs,
        _ => vec![],
    };
    Ok(TxMeta { units: meta.compute_units_consumed.into(), logs, unit_price, fee: meta.fee })
}

/// The price that `message` sets: the compute budget's instruction 3, with a little-endian u64.
fn price(message: &VersionedMessage) -> Option<u64> {
    let keys = message.static_account_keys();
    message.instructions().iter().find_map(|ix| {
        let program = keys.get(usize::from(ix.program_id_index))?;
        let (tag, rest) = ix.data.split_first()?;
        let sets = *program == solana_sdk_ids::compute_budget::ID && *tag == 3;
        sets.then(|| rest.first_chunk().map(|b| u64::from_le_bytes(*b))).flatten()
    })
}
