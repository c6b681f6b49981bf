//! Transactions of the manager's history, and the audit log of a store.
use std::sync::Arc;

use anchor_lang::Event;
use indexer::{Store, audit::check_chain};
use solana_pubkey::Pubkey;
use solana_signature::Signature;
use upgrade_manager::{
    events::{ProposalExpired, VoteCast, VoteRevoked},
    state::{Choice, ProposalStatus},
};

use super::{
    fake::{Tx, emitted},
    fixtures::{PROGRAM_ID, key},
};

pub fn signature(n: u8) -> String {
    Signature::from([n; 64]).to_string()
}

pub fn vote(member: u8, approvals: u8) -> (Pubkey, Pubkey, Vec<u8>) {
    emitted(&VoteCast {
        proposal: key(60),
        program: key(50),
        member: key(member),
        choice: Choice::Approve,
        approvals,
        status: ProposalStatus::Active,
        eta: 0,
    })
}

pub fn revoked(member: u8) -> (Pubkey, Pubkey, Vec<u8>) {
    let (proposal, program) = (key(60), key(50));
    let status = ProposalStatus::Active;
    emitted(&VoteRevoked { proposal, program, member: key(member), approvals: 0, status })
}

pub fn tx(slot: u64, n: u8, inner: Vec<(Pubkey, Pubkey, Vec<u8>)>) -> Tx {
    Tx { slot, signature: signature(n), failed: false, version: 0, inner }
}

pub async fn read(store: &Arc<dyn Store>) -> Vec<(String, u64, u32, u32, String)> {
    let rows = store.audit(Some(0), 1_000).await.unwrap();
    let row = |r: indexer::AuditRow| (r.kind, r.slot, r.tx_index, r.inner_index, r.signature);
    rows.into_iter().map(row).collect()
}

pub async fn head(store: &Arc<dyn Store>) -> [u8; 32] {
    assert_eq!(check_chain(store.as_ref()).await.unwrap(), None);
    store.audit(None, 1).await.unwrap()[0].hash
}

/// A history with foreign, forged, failed and reordered transactions.
pub fn tricky() -> Vec<Tx> {
    let expired = ProposalExpired { proposal: key(60), program: key(50) };
    let real = emitted(&expired);
    // The same bytes from another program, without the event authority's signature, and truncated.
    let foreign = (key(66), real.1, real.2.clone());
    let unsigned = (PROGRAM_ID, key(67), real.2.clone());
    let logged = (PROGRAM_ID, real.1, expired.data());
    let cut = (PROGRAM_ID, real.1, real.2[..6].to_vec());
    vec![
        tx(10, 1, vec![(key(66), key(1), vec![1, 2, 3]), vote(1, 1), vote(2, 2)]),
        // Two transactions in one slot: approve, then revoke.
        tx(20, 2, vec![vote(3, 3)]),
        tx(20, 3, vec![revoked(3)]),
        Tx { failed: true, ..tx(21, 4, vec![vote(4, 4)]) },
        tx(22, 5, vec![foreign, unsigned, logged, cut]),
        tx(30, 6, vec![vote(3, 3)]),
    ]
}
