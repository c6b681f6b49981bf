//! The body of a message, in its receiver's format. Pure.
use serde_json::{Value, json};

use super::{
    facts::{AddressNames, Fact},
    hook::{Target, WebhookFormat},
};
use crate::store::announcement::AnnouncementKind;

/// A message to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebhookMessage {
    /// Kind of the announcement.
    pub kind: AnnouncementKind,
    /// The announcement's id in hex: the same for every attempt, so that a receiver can deduplicate.
    pub id: String,
    /// The body.
    pub body: Vec<u8>,
}

impl WebhookMessage {
    /// The message about `fact` for `target`, on the cluster with this genesis hash.
    ///
    /// # Errors
    /// Never for default templates, see [`Target`].
    pub fn new(
        fact: &Fact,
        target: &Target,
        names: &AddressNames,
        genesis_hash: Option<&[u8; 32]>,
    ) -> Result<Self, String> {
        let text = target.template(fact.kind)?.fill(|field| fact.value(field, names));
        let body = match target.format {
            WebhookFormat::Json => full(fact, &text, genesis_hash),
            // Discord must not resolve mentions, whatever the text contains.
            WebhookFormat::Discord => json!({"content": text, "allowed_mentions": {"parse": []}}),
            WebhookFormat::Slack => json!({"text": text}),
        };
        Ok(Self { kind: fact.kind, id: fact.id.clone(), body: body.to_string().into_bytes() })
    }
}

fn full(fact: &Fact, text: &str, genesis_hash: Option<&[u8; 32]>) -> Value {
    let d = &fact.detail;
    json!({
        "id": fact.id,
        "kind": fact.kind.name(),
        "genesis_hash": genesis_hash.map(|hash| bs58::encode(hash).into_string()),
        "program": d.program,
        "proposal": d.proposal,
        "proposal_id": d.id,
        "action": d.action,
        "multisig": d.multisig,
        "actor": d.actor,
        "version": d.version,
        "eta": d.eta,
        "new_authority": d.new_authority,
        "slot": (fact.kind != AnnouncementKind::Test).then_some(fact.slot),
        "chain_time": fact.chain_time,
        "signature": d.signature,
        "text": text,
        "audit": d.seq.map(|seq| json!({"event": d.event, "seq": seq, "hash": d.hash})),
    })
}
