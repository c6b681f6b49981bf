//! Sends a transaction that must fail, without any check on the way, so that it is the chain that
//! refuses it. An operator's tools never do this: they simulate first.
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use backend::{
    Gateway, SentTx, Signer,
    gateway::{MAX_UNITS, explain, transaction_size, with_budget},
};
use solana_instruction::Instruction;
use solana_message::Message;
use solana_rpc_client::api::config::{RpcSendTransactionConfig, RpcTransactionConfig};
use solana_signature::Signature;
use solana_transaction::Transaction;
use solana_transaction_status_client_types::{
    UiTransactionEncoding, option_serializer::OptionSerializer,
};

use crate::local::client;

/// How long the chain may take to say no.
const PATIENCE: Duration = Duration::from_secs(30);

/// Sends `instruction`, signed and paid by `signer`, and returns it with the chain's refusal.
///
/// # Errors
/// The chain took it after all, or lost it.
pub async fn send(
    gateway: &Gateway,
    verb: &str,
    instruction: Instruction,
    signer: &dyn Signer,
) -> Result<SentTx> {
    let (rpc, payer) = (client(gateway), signer.pubkey());
    let instructions = with_budget(&[instruction], MAX_UNITS, 0);
    let programs: Vec<_> = instructions.iter().map(|ix| ix.program_id).collect();
    let blockhash = rpc.get_latest_blockhash().await.context("The chain gives no blockhash.")?;
    let message = Message::new_with_blockhash(&instructions, Some(&payer), &blockhash);
    let signature = signer.sign(&message.serialize())?;
    let transaction = Transaction { signatures: vec![signature], message };
    let config =
        RpcSendTransactionConfig { skip_preflight: true, ..RpcSendTransactionConfig::default() };
    let started = Instant::now();
    rpc.send_transaction_with_config(&transaction, config)
        .await
        .with_context(|| format!("The chain did not even take the transaction ({verb})."))?;
    let (slot, error) = loop {
        let status = rpc.get_signature_statuses(&[signature]).await?.value.pop().flatten();
        match status.filter(|s| s.satisfies_commitment(rpc.commitment())) {
            Some(status) => break (status.slot, status.err),
            None if started.elapsed() > PATIENCE => {
                bail!("The chain lost the transaction {signature} ({verb}).")
            }
            None => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    };
    let elapsed = started.elapsed();
    let Some(error) = error else {
        bail!("The chain took the transaction {signature} ({verb}), which it had to refuse.")
    };
    let (units, logs) = outcome(gateway, &signature).await?;
    Ok(SentTx {
        verb: verb.into(),
        signature: signature.to_string(),
        slot,
        units,
        bytes: transaction_size(&instructions, &payer),
        elapsed,
        error: Some(explain(&error, &logs, &programs).sentence),
    })
}

/// Compute units and log of a confirmed transaction.
async fn outcome(gateway: &Gateway, signature: &Signature) -> Result<(Option<u64>, Vec<String>)> {
    let rpc = client(gateway);
    let config = RpcTransactionConfig {
        encoding: Some(UiTransactionEncoding::Base64),
        commitment: Some(rpc.commitment()),
        max_supported_transaction_version: Some(0),
    };
    let found = rpc
        .get_transaction_with_config(signature, config)
        .await
        .with_context(|| format!("The chain does not show the transaction {signature}."))?;
    let Some(meta) = found.transaction.meta else { return Ok((None, vec![])) };
    let logs = match meta.log_messages {
        OptionSerializer::Some(logs) => logs,
        _ => vec![],
    };
    Ok((meta.compute_units_consumed.into(), logs))
}
