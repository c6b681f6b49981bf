//! Fills a buffer on a chain that loses nothing: every write is sent at once and none is asked about.
//! A real cluster needs the backend's patient upload, which runs afterwards all the same: it reads
//! the whole buffer back and finds nothing left to write, or writes it.
use std::path::Path;

use anyhow::{Context, Result};
use backend::{ChainClient, FileSigner, Signer};
use futures_util::{StreamExt, TryStreamExt, stream};
use solana_loader_v3_interface::{instruction, state::UpgradeableLoaderState};
use solana_message::Message;
use solana_rpc_client::api::config::RpcSendTransactionConfig;
use solana_transaction::Transaction;

use crate::local::client;

/// Bytes of one write: a transaction's 1232 without one signature, three addresses and the rest.
const CHUNK: usize = 960;
/// Requests under way at once.
const IN_FLIGHT: usize = 32;
/// Writes under one blockhash: with short slots it expires after a few seconds.
const BATCH: usize = 128;

/// Makes a buffer for `code`, owned by `payer`, under the key in the new file `key_file`, and sends
/// all its bytes.
///
/// # Errors
/// The key file cannot be written, or the chain does not answer.
pub async fn fill(
    gateway: &ChainClient,
    payer: &dyn Signer,
    key_file: &Path,
    code: &[u8],
) -> Result<()> {
    let buffer = FileSigner::create(key_file)?;
    let (from, at) = (payer.pubkey(), buffer.pubkey());
    let space = UpgradeableLoaderState::size_of_buffer(code.len());
    let rent = gateway.rent(space).await?;
    let make = instruction::create_buffer(&from, &at, &from, rent, code.len())
        .context("The buffer is too large.")?;
    gateway.send_and_confirm("create buffer", &make, &[payer, &buffer]).await?;

    let rpc = client(gateway);
    let config =
        RpcSendTransactionConfig { skip_preflight: true, ..RpcSendTransactionConfig::default() };
    let writes: Vec<_> = (0u32..).step_by(CHUNK).zip(code.chunks(CHUNK)).collect();
    for batch in writes.chunks(BATCH) {
        let blockhash =
            rpc.get_latest_blockhash().await.context("The chain gives no blockhash.")?;
        let send = |(offset, bytes): &(u32, &[u8])| {
            let write = instruction::write(&at, &from, *offset, bytes.to_vec());
            let message = Message::new_with_blockhash(&[write], Some(&from), &blockhash);
            let rpc = &rpc;
            async move {
                let signatures = vec![payer.sign(&message.serialize())?];
                let transaction = Transaction { signatures, message };
                rpc.send_transaction_with_config(&transaction, config)
                    .await
                    .context("The local chain does not take the code.")
            }
        };
        let sends = stream::iter(batch.iter().map(send)).buffer_unordered(IN_FLIGHT);
        sends.try_collect::<Vec<_>>().await?;
    }
    Ok(())
}
