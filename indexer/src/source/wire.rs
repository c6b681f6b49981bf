//! The messages of the websocket, both ways. Only their form: what follows from one is decided by
//! [`super::websocket`].
use std::borrow::Cow;

use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};
use solana_pubkey::Pubkey;

use super::{
    answers::{KeyedAccount, NodeAccount},
    fault::JsonRpcError,
    possible,
};

/// One message of the node, as the join gets it.
#[derive(Clone, Debug)]
pub enum Frame {
    /// The node works on `slot`; `root` is final.
    Slot {
        /// Newest slot.
        slot: u64,
        /// Newest finalised slot.
        root: u64,
    },
    /// This slot and all before it are final. Only where the node offers the subscription.
    Root(u64),
    /// An account of the manager at a confirmed slot.
    Account {
        /// The slot.
        slot: u64,
        /// The account.
        keyed: Box<KeyedAccount>,
    },
    /// A watched account is gone: it holds nothing, or belongs to nobody.
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
    /// Request `id` was accepted; `subscription` names what it began.
    Ack { id: u64, subscription: Option<u64> },
    /// Request `id` was not accepted.
    Refused { id: Option<u64>, error: JsonRpcError },
    /// A message for the join.
    Frame(Frame),
    /// The account that `subscription` watches, which names no address.
    Watched { subscription: u64, slot: u64, account: Box<NodeAccount> },
    /// Something nobody asked for.
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
    /// A number; what is none names nothing that we began.
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

/// A message that cannot be read ends the connection: after the next snapshot nothing is missing,
/// while a message that was skipped would be.
pub(super) fn parse(text: &str) -> Result<SocketMessage, String> {
    let head: Head<'_> = serde_json::from_str(text).map_err(unreadable)?;
    let id = head.id.as_ref().and_then(Value::as_u64);
    if let Some(error) = head.error {
        return Ok(SocketMessage::Refused { id, error });
    }
    Ok(match (head.method.as_deref(), id) {
        (Some("slotNotification"), _) => {
            let SlotInfo { slot, root } = told(text)?.result;
            SocketMessage::Frame(Frame::Slot { slot: possible(slot)?, root: possible(root)? })
        }
        (Some("rootNotification"), _) => {
            SocketMessage::Frame(Frame::Root(possible(told(text)?.result)?))
        }
        (Some("programNotification"), _) => {
            let told: Stamped<KeyedAccount> = told(text)?.result;
            let (slot, keyed) = (possible(told.context.slot)?, Box::new(told.value));
            SocketMessage::Frame(Frame::Account { slot, keyed })
        }
        (Some("accountNotification"), _) => {
            let Params::<Stamped<NodeAccount>> { result, subscription } = told(text)?;
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

fn told<T: DeserializeOwned>(text: &str) -> Result<Params<T>, String> {
    Ok(serde_json::from_str::<Notification<T>>(text).map_err(unreadable)?.params)
}

fn unreadable(e: serde_json::Error) -> String {
    format!("sent a message that cannot be read: {e}")
}

/// What a watched account's message means.
pub(super) fn watched(pubkey: Pubkey, slot: u64, account: NodeAccount) -> Frame {
    let nobody = Pubkey::default().to_string();
    if account.lamports == 0 || account.owner == nobody {
        Frame::Closed { slot, pubkey }
    } else {
        let keyed = KeyedAccount { pubkey: pubkey.to_string(), account };
        Frame::Account { slot, keyed: Box::new(keyed) }
    }
}

/// A request; servers take at most 4,096 bytes at a time, so each is about one thing.
pub(super) fn request(id: u64, method: &str, params: &Value) -> String {
    json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}).to_string()
}

/// The request for `pubkey`'s changes.
pub(super) fn account_request(id: u64, pubkey: &Pubkey) -> String {
    let how = json!({"encoding": "base64", "commitment": "confirmed"});
    request(id, "accountSubscribe", &json!([pubkey.to_string(), how]))
}
