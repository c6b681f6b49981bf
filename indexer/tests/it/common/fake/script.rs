//! Scripted changes of the chain: forks, lagging nodes, large programs.
use std::{sync::OnceLock, time::Duration};

use serde_json::json;
use sha2::{Digest, Sha256};
use solana_pubkey::Pubkey;
use upgrade_manager::state::AccountStatus;

use super::{
    FakeSolana,
    socket::{Push, Topic},
};
use crate::common::fixtures::{bytes, record};

/// Address and data of the `n`th record of a large program. Addresses are spread evenly, like real ones.
pub fn crowd(n: u32) -> (Pubkey, Vec<u8>) {
    static TEMPLATE: OnceLock<(Vec<u8>, usize)> = OnceLock::new();
    let (template, place) = TEMPLATE.get_or_init(|| {
        let data = bytes(&record(1, AccountStatus::Migrated));
        let place = data.windows(32).position(|w| w == [1; 32]).unwrap();
        (data, place)
    });
    let spread: [u8; 32] = Sha256::digest(n.to_le_bytes()).into();
    let mut data = template.clone();
    data[*place..place + 32].copy_from_slice(&Sha256::digest(spread));
    (Pubkey::new_from_array(spread), data)
}

impl FakeSolana {
    /// Orphans `slot`: reverts its writes without notifications.
    pub fn fork_away(&self, slot: u64) {
        let mut state = self.state();
        state.skipped.insert(slot);
        let undone: Vec<_> =
            state.changes.iter().filter(|c| c.slot == slot).map(|c| c.pubkey).collect();
        state.changes.retain(|c| c.slot != slot);
        for pubkey in undone {
            let before = state.changes.iter().rev().find(|c| c.pubkey == pubkey);
            match before.and_then(|c| c.data.clone()) {
                Some(data) => state.accounts.insert(pubkey, (super::PROGRAM_ID, data)),
                None => state.accounts.remove(&pubkey),
            };
        }
    }

    /// Finalises everything up to `slot` at once.
    pub fn root(&self, slot: u64) {
        let mut state = self.state();
        state.finalized = slot;
        if state.roots {
            state.push(&Push::told(Topic::Roots, &json!(slot)));
        }
        // Slot notifications carry the root too.
        if state.heartbeat {
            let newest = state.slot;
            let info = json!({"slot": newest, "parent": newest - 1, "root": slot});
            state.push(&Push::told(Topic::Slots, &info));
        }
    }

    /// Another node of this chain that stays `behind` slots behind.
    pub async fn follower(&self, behind: u64) -> Self {
        let (leader, other) = (self.clone(), Self::start().await);
        other.state().ticks = false;
        other.catch_up(&leader, &mut 0, behind);
        let follower = other.clone();
        tokio::spawn(async move {
            // Applying a change records it as one of its own.
            let mut taken = follower.state().changes.len();
            loop {
                follower.catch_up(&leader, &mut taken, behind);
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        });
        other
    }

    fn catch_up(&self, leader: &Self, taken: &mut usize, behind: u64) {
        let (upto, unix, changes) = {
            let state = leader.state();
            let upto = state.slot.saturating_sub(behind);
            let new = state.changes.iter().skip(*taken).take_while(|c| c.slot <= upto);
            (upto, state.unix, new.cloned().collect::<Vec<_>>())
        };
        if self.state().slot > upto {
            self.state().slot = upto;
            self.state().finalized = upto.saturating_sub(32);
        }
        *taken += changes.len();
        for change in changes {
            while self.state().slot < change.slot {
                self.tick();
            }
            match change.data {
                Some(data) => self.set(change.pubkey, data),
                None => self.close_account(&change.pubkey),
            }
        }
        while self.state().slot < upto {
            self.tick();
        }
        self.state().unix = unix;
    }
}
