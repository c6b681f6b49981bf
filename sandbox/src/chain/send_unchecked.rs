//! Sends a transaction that must fail, without a simulation, so that the program on the chain
//! refuses it and not the client. An operator's tools always simulate first.
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use backend::{
    ChainClient, SentTx, Signer,
    chain::{MAX_UNITS, explain, transaction_size, with_budget},
};
use solana_instruction::Instruction;
use solana_message::Message;
use solana_rpc_client::api::config::RpcSendTransactionConfig;
use solana_transaction::Transaction;

use crate::chain::{
    local_rpc::rpc_client,
    tx_meta::{TxMeta, tx_meta},
};

/// How long the transaction's status may take to appear.
const STATUS_TIMEOUT: Duration = Duration::from_secs(30);

/// Sends `instruction`, signed and paid by `signer`, and returns it with the chain's refusal.
///
/// # Errors
/// The chain executed it, or did not include it.
pub async fn send_unchecked(
    client: &ChainClient,
    verb: &str,
    instruction: Instruction,
    signer: &dyn Signer,
) -> Result<SentTx> {
    let (rpc, payer) = (rpc_client(client), signer.pubkey());
    let instructions = with_budget(&[instruction], MAX_UNITS, client.config().unit_price);
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
            None if started.elapsed() > STATUS_TIMEOUT => {
                bail!("The chain lost the transaction {signature} ({verb}).")
            }
            None => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    };
    let elapsed = started.elapsed();
    let Some(error) = error else {
        bail!("The chain took the transaction {signature} ({verb}), which it had to refuse.")
    };
    let TxMeta { units, logs, .. } = tx_meta(client, &signature).await?;
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
