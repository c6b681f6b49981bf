//! Fills a buffer on the local chain, which drops no transaction: writes are sent in bulk and their
//! statuses are never polled. The backend's upload, which a real cluster needs, runs afterwards: it reads
//! the whole buffer back and writes what is missing.
use std::path::Path;

use anyhow::{Context, Result};
use backend::{ChainClient, FileSigner, Signer};
use futures_util::{StreamExt, TryStreamExt, stream};
use solana_loader_v3_interface::{instruction, state::UpgradeableLoaderState};
use solana_message::Message;
use solana_rpc_client::api::config::RpcSendTransactionConfig;
use solana_transaction::Transaction;

use crate::chain::local_rpc::rpc_client;

/// Bytes of one write: a packet of 1232 bytes less a signature, three addresses and the headers.
const CHUNK_LEN: usize = 960;
/// Requests that are sent before the first is answered.
const MAX_IN_FLIGHT: usize = 32;
/// Writes under one blockhash: with short slots it expires after a few seconds.
const MAX_WRITES_PER_BLOCKHASH: usize = 128;

/// Makes a buffer for `code`, owned by `payer`, under the key in the new file `key_file`, and sends
/// all its bytes.
///
/// # Errors
/// The key file cannot be written, or the chain does not answer.
pub async fn upload(
    client: &ChainClient,
    payer: &dyn Signer,
    key_file: &Path,
    code: &[u8],
) -> Result<()> {
    let buffer = FileSigner::create(key_file)?;
    let (from, at) = (payer.pubkey(), buffer.pubkey());
    let space = UpgradeableLoaderState::size_of_buffer(code.len());
    let rent = client.rent(space).await?;
    let make = instruction::create_buffer(&from, &at, &from, rent, code.len())
        .context("The buffer is too large.")?;
    client.send_and_confirm("create buffer", &make, &[payer, &buffer]).await?;

    let rpc = rpc_client(client);
    let config =
        RpcSendTransactionConfig { skip_preflight: true, ..RpcSendTransactionConfig::default() };
    let writes: Vec<_> = (0u32..).step_by(CHUNK_LEN).zip(code.chunks(CHUNK_LEN)).collect();
    for batch in writes.chunks(MAX_WRITES_PER_BLOCKHASH) {
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
        let sends = stream::iter(batch.iter().map(send)).buffer_unordered(MAX_IN_FLIGHT);
        sends.try_collect::<Vec<_>>().await?;
    }
    Ok(())
}
