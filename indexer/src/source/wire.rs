//! Encodes and parses websocket messages. `source::reader` acts on them.
use std::borrow::Cow;

use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};
use solana_pubkey::Pubkey;

use super::{
    answers::{KeyedAccount, NodeAccount},
    fault::JsonRpcError,
    possible,
};

/// One message of the node, for the ingest task.
#[derive(Clone, Debug)]
pub enum Frame {
    /// The node processes `slot`; `root` is final.
    Slot {
        /// Newest slot.
        slot: u64,
        /// Newest finalised slot.
        root: u64,
    },
    /// This slot and all before it are final. Only from nodes that offer `rootSubscribe`.
    Root(u64),
    /// An account of the manager at a confirmed slot.
    Account {
        /// The slot.
        slot: u64,
        /// The account.
        keyed: Box<KeyedAccount>,
    },
    /// A watched account was closed: it has no lamports, or the System program owns it.
    Closed {
        /// The confirmed slot at which it was gone.
        slot: u64,
        /// The account.
        pubkey: Pubkey,
    },
}

/// One message of the node.
#[derive(Debug)]
pub(super) enum SocketMessage {
    /// Request `id` was accepted; `subscription` is the new subscription's id.
    Ack { id: u64, subscription: Option<u64> },
    /// Request `id` was refused.
    Refused { id: Option<u64>, error: JsonRpcError },
    /// A message for the ingest task.
    Frame(Frame),
    /// A change of the account behind `subscription`; the message itself carries no address.
    Watched { subscription: u64, slot: u64, account: Box<NodeAccount> },
    /// An unknown message.
    Other,
}

#[derive(Deserialize)]
struct Head<'a> {
    id: Option<Value>,
    result: Option<Value>,
    error: Option<JsonRpcError>,
    #[serde(borrow)]
    method: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct Notification<T> {
    params: Params<T>,
}

#[derive(Deserialize)]
struct Params<T> {
    result: T,
    /// Normally a number; any other value matches no subscription.
    #[serde(default)]
    subscription: Value,
}

#[derive(Deserialize)]
struct SlotInfo {
    slot: u64,
    root: u64,
}

#[derive(Deserialize)]
struct Stamped<T> {
    context: NotificationContext,
    value: T,
}

#[derive(Deserialize)]
struct NotificationContext {
    slot: u64,
}

/// Parses a message. The caller ends the connection on an error: the next snapshot fills the gap, while
/// a skipped message would leave the mirror wrong.
pub(super) fn parse(text: &str) -> Result<SocketMessage, String> {
    let head: Head<'_> = serde_json::from_str(text).map_err(unreadable)?;
    let id = head.id.as_ref().and_then(Value::as_u64);
    if let Some(error) = head.error {
        return Ok(SocketMessage::Refused { id, error });
    }
    Ok(match (head.method.as_deref(), id) {
        (Some("slotNotification"), _) => {
            let SlotInfo { slot, root } = params_of(text)?.result;
            SocketMessage::Frame(Frame::Slot { slot: possible(slot)?, root: possible(root)? })
        }
        (Some("rootNotification"), _) => {
            SocketMessage::Frame(Frame::Root(possible(params_of(text)?.result)?))
        }
        (Some("programNotification"), _) => {
            let stamped: Stamped<KeyedAccount> = params_of(text)?.result;
            let (slot, keyed) = (possible(stamped.context.slot)?, Box::new(stamped.value));
            SocketMessage::Frame(Frame::Account { slot, keyed })
        }
        (Some("accountNotification"), _) => {
            let Params::<Stamped<NodeAccount>> { result, subscription } = params_of(text)?;
            let slot = possible(result.context.slot)?;
            let subscription = subscription.as_u64().unwrap_or(u64::MAX);
            SocketMessage::Watched { subscription, slot, account: Box::new(result.value) }
        }
        (None, Some(id)) => {
            SocketMessage::Ack { id, subscription: head.result.as_ref().and_then(Value::as_u64) }
        }
        _ => SocketMessage::Other,
    })
}

fn params_of<T: DeserializeOwned>(text: &str) -> Result<Params<T>, String> {
    Ok(serde_json::from_str::<Notification<T>>(text).map_err(unreadable)?.params)
}

fn unreadable(e: serde_json::Error) -> String {
    format!("sent a message that cannot be read: {e}")
}

/// The frame for a change of a watched account.
pub(super) fn watched(pubkey: Pubkey, slot: u64, account: NodeAccount) -> Frame {
    let nobody = Pubkey::default().to_string();
    if account.lamports == 0 || account.owner == nobody {
        Frame::Closed { slot, pubkey }
    } else {
        let keyed = KeyedAccount { pubkey: pubkey.to_string(), account };
        Frame::Account { slot, keyed: Box::new(keyed) }
    }
}

/// Encodes one request. Never batched: servers accept at most 4,096 bytes per message.
pub(super) fn request(id: u64, method: &str, params: &Value) -> String {
    json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}).to_string()
}

/// The `accountSubscribe` request for `pubkey`.
pub(super) fn account_request(id: u64, pubkey: &Pubkey) -> String {
    let how = json!({"encoding": "base64", "commitment": "confirmed"});
    request(id, "accountSubscribe", &json!([pubkey.to_string(), how]))
}
