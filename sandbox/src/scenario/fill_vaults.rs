//! Opens the users' vaults. A chain with short slots forgets a blockhash after a few seconds, so only a
//! few transactions are under way at once, and one that was not included in time is signed again.
use anyhow::{Context, Result};
use backend::{BackendError, ChainClient};
use futures_util::{StreamExt, TryStreamExt, stream};

use crate::{chain::local_rpc, scenario::vaults::User};

/// Users whose transactions are under way at once: as many as the chain takes in well before their
/// blockhashes expire.
const MAX_IN_FLIGHT: usize = 32;
/// How often one transaction is signed, each time with a fresh blockhash.
const MAX_ATTEMPTS: u32 = 6;

/// Gives every user lamports, and opens and fills the user's vaults.
///
/// # Errors
/// The chain refuses a transaction, or includes none of several attempts.
pub async fn fill_vaults(client: &ChainClient, users: Vec<User>) -> Result<()> {
    let fills = stream::iter(users.iter().map(|user| fill_user(client, user)));
    fills.buffer_unordered(MAX_IN_FLIGHT).try_collect::<Vec<()>>().await?;
    Ok(())
}

async fn fill_user(client: &ChainClient, user: &User) -> Result<()> {
    local_rpc::airdrop(client, &user.address(), user.funds()).await?;
    let (instructions, signer) = (user.instructions(), &*user.signer);
    let send =
        async || client.send_and_confirm("open vaults", &instructions, &[signer]).await.map(|_| ());
    // One transaction opens all of a user's vaults, so the first one shows whether they exist.
    let first = demo_vault::client::vault_address(&user.address(), 0);
    let is_open = async || Ok(client.account(&first).await?.is_some());
    until_done(send, is_open).await.context("The vaults cannot be opened.")
}

/// Calls `send`, which signs with a fresh blockhash, until it succeeds or `is_done`. An earlier attempt
/// may still land after `is_done` said no; then the next one fails, because an open vault cannot be
/// opened again.
async fn until_done(
    send: impl AsyncFn() -> Result<(), BackendError>,
    is_done: impl AsyncFn() -> Result<bool, BackendError>,
) -> Result<(), BackendError> {
    let mut attempts = 1;
    loop {
        let Err(error) = send().await else { return Ok(()) };
        if is_done().await? {
            return Ok(());
        }
        let may_be_signed_again =
            matches!(error, BackendError::Dropped { .. } | BackendError::Unknown { .. });
        if !may_be_signed_again || attempts == MAX_ATTEMPTS {
            return Err(error);
        }
        attempts += 1;
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    fn expired() -> BackendError {
        BackendError::Dropped {
            what: "open vaults".into(),
            signature: "x".into(),
            hint: String::new(),
        }
    }

    #[tokio::test]
    async fn a_transaction_whose_blockhash_expired_is_signed_again() {
        let sent = Cell::new(0);
        let send = async || {
            sent.set(sent.get() + 1);
            if sent.get() < 3 { Err(expired()) } else { Ok(()) }
        };
        until_done(send, async || Ok(false)).await.unwrap();
        assert_eq!(sent.get(), 3);
    }

    #[tokio::test]
    async fn an_included_transaction_is_not_sent_again() {
        let sent = Cell::new(0);
        let send = async || {
            sent.set(sent.get() + 1);
            Err(expired())
        };
        until_done(send, async || Ok(true)).await.unwrap();
        assert_eq!(sent.get(), 1);
    }

    #[tokio::test]
    async fn a_rejection_ends_a_proposal_at_once_and_expiry_ends_it_later() {
        let sent = Cell::new(0);
        let count = || sent.set(sent.get() + 1);
        let refuse = async || {
            count();
            Err(BackendError::NoSigner)
        };
        assert!(until_done(refuse, async || Ok(false)).await.is_err());
        assert_eq!(sent.replace(0), 1);
        let expire = async || {
            count();
            Err(expired())
        };
        assert!(until_done(expire, async || Ok(false)).await.is_err());
        assert_eq!(sent.get(), MAX_ATTEMPTS);
    }
}
