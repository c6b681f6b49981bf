//! Messages that an operator sends by command: tests and dead letters.
use std::{sync::Arc, time::SystemTime};

use super::{
    facts::{AddressNames, Fact},
    hook::Hook,
    message::WebhookMessage,
    send::{self, ReceiverAnswer},
};
use crate::store::{DeadLetter, Store};

/// Sends one signed test to `hook`, whatever kinds it wants; returns the HTTP status.
///
/// # Errors
/// Why the receiver did not accept it, as a sentence.
pub async fn test(hook: &Hook, names: &AddressNames) -> Result<u16, String> {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let fact = Fact::test(i64::try_from(now.as_millis()).unwrap_or(i64::MAX));
    hand_over(hook, &WebhookMessage::new(&fact, &hook.target, names, None)?).await
}

/// Sends `letter` to `hook` once more and deletes it when the receiver accepts it; returns the HTTP
/// status.
///
/// # Errors
/// Why the receiver did not accept it, or why it could not be deleted, as a sentence.
pub async fn retry(
    store: &Arc<dyn Store>,
    hook: &Hook,
    names: &AddressNames,
    letter: &DeadLetter,
) -> Result<u16, String> {
    let view = store.view().await.map_err(|e| e.to_string())?;
    let genesis = store.state().await.map_err(|e| e.to_string())?.genesis_hash;
    let fact = Fact::new(&letter.row, &view)?;
    let message = WebhookMessage::new(&fact, &hook.target, names, genesis.as_ref())?;
    let status = hand_over(hook, &message).await?;
    // The result is ignored: another process may have deleted it already.
    store.forget_dead(&letter.hook, letter.row.id).await.map_err(|e| e.to_string())?;
    Ok(status)
}

async fn hand_over(hook: &Hook, message: &WebhookMessage) -> Result<u16, String> {
    let client = send::client(&hook.target)?;
    match send::send(&client, hook, message, SystemTime::now()).await {
        ReceiverAnswer::Taken { status } => Ok(status),
        ReceiverAnswer::Again { error, .. } | ReceiverAnswer::Refused { error } => Err(error),
    }
}
