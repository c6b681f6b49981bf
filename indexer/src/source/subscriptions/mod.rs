//! The `accountSubscribe` subscriptions of one websocket, and which id belongs to which account. Pure:
//! returns the requests to send, sends nothing.
use std::collections::{HashMap, HashSet};

use serde_json::json;
use solana_pubkey::Pubkey;

use super::{
    answers::NodeAccount,
    wire::{Frame, account_request, request, watched},
};

/// Most watched accounts. Servers drop a socket with about 250 subscriptions.
pub const MAX_WATCHED: usize = 100;
/// The first request id; the reader uses smaller ones itself.
const FIRST_REQUEST: u64 = 16;
/// Notifications kept until their subscription is acknowledged.
const MAX_EARLY_MESSAGES: usize = 64;

/// The watched accounts of one socket.
#[derive(Debug, Default)]
pub(super) struct Subscriptions {
    requests: u64,
    wanted: HashSet<Pubkey>,
    asked: HashMap<u64, Pubkey>,
    running: HashMap<u64, Pubkey>,
    refused: HashSet<Pubkey>,
    early: Vec<(u64, u64, Box<NodeAccount>)>,
}

impl Subscriptions {
    fn id(&mut self) -> u64 {
        self.requests = self.requests.saturating_add(1);
        FIRST_REQUEST.saturating_add(self.requests)
    }

    /// Whether a request has no answer yet.
    pub(super) fn is_waiting(&self) -> bool {
        !self.asked.is_empty()
    }

    /// Sets the watched accounts to the first [`MAX_WATCHED`] of `list`; returns the requests to send.
    pub(super) fn want(&mut self, list: &[Pubkey]) -> Vec<String> {
        self.wanted = list.iter().take(MAX_WATCHED).copied().collect();
        let mut out = vec![];
        let over: Vec<u64> = self
            .running
            .iter()
            .filter(|(_, key)| !self.wanted.contains(*key))
            .map(|(subscription, _)| *subscription)
            .collect();
        for subscription in over {
            out.push(self.end(subscription));
        }
        // Inserted when requested, because a list may name an account twice.
        let mut known: HashSet<Pubkey> = self
            .running
            .values()
            .chain(self.asked.values())
            .chain(&self.refused)
            .copied()
            .collect();
        for pubkey in list.iter().take(MAX_WATCHED).filter(|key| known.insert(**key)) {
            let id = self.id();
            self.asked.insert(id, *pubkey);
            out.push(account_request(id, pubkey));
        }
        out
    }

    fn end(&mut self, subscription: u64) -> String {
        self.running.remove(&subscription);
        request(self.id(), "accountUnsubscribe", &json!([subscription]))
    }

    /// Handles the acknowledgement of request `id`: returns the early notifications, or an unsubscribe
    /// request if the account is no longer wanted.
    pub(super) fn acknowledged(
        &mut self,
        id: u64,
        subscription: Option<u64>,
    ) -> (Vec<Frame>, Option<String>) {
        let Some(pubkey) = self.asked.remove(&id) else { return (vec![], None) };
        let Some(subscription) = subscription else { return (vec![], None) };
        self.running.insert(subscription, pubkey);
        if !self.wanted.contains(&pubkey) {
            return (vec![], Some(self.end(subscription)));
        }
        let (mine, others) =
            std::mem::take(&mut self.early).into_iter().partition(|(of, ..)| *of == subscription);
        self.early = others;
        let mine: Vec<(u64, u64, Box<NodeAccount>)> = mine;
        (mine.into_iter().map(|(_, slot, account)| watched(pubkey, slot, *account)).collect(), None)
    }

    /// Handles the refusal of request `id`; returns whether it was one of these requests. The other
    /// subscriptions go on.
    pub(super) fn refuse(&mut self, id: u64) -> bool {
        match self.asked.remove(&id) {
            Some(pubkey) => self.refused.insert(pubkey),
            // An unsubscribe request may be refused as well.
            None => (FIRST_REQUEST..=FIRST_REQUEST.saturating_add(self.requests)).contains(&id),
        }
    }

    /// The frame for a notification; [`None`] for a subscription that is not acknowledged (yet).
    pub(super) fn notified(
        &mut self,
        subscription: u64,
        slot: u64,
        account: Box<NodeAccount>,
    ) -> Option<Frame> {
        match self.running.get(&subscription) {
            Some(pubkey) => Some(watched(*pubkey, slot, *account)),
            None => {
                // Beyond the limit it is dropped; the next snapshot finds the change.
                if self.is_waiting() && self.early.len() < MAX_EARLY_MESSAGES {
                    self.early.push((subscription, slot, account));
                }
                None
            }
        }
    }
}

#[cfg(test)]
mod tests;
