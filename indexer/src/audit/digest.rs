//! A digest of a mirror's content. Two mirrors of one chain at one moment have the same digest, whatever
//! the order of arrival and the number of restarts: no run, arrival or slot goes into it.
use sha2::{Digest, Sha256};
use solana_pubkey::Pubkey;

use crate::store::{ProgressRow, Result, Store, audit_log::GENESIS};

/// Domain separator of the digest.
const DOMAIN: &[u8] = b"upgrade-control-room/mirror/v1";
/// Rows of one page.
const PAGE_ROWS: u32 = 1_000;

/// The digest of a mirror.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MirrorDigest {
    /// Live accounts.
    pub rows: u64,
    /// sha256 over the live accounts by address (each as address and sha256 of its bytes), and over the
    /// non-zero counters.
    pub tables: [u8; 32],
    /// Number of the newest audit row, 0 without one.
    pub audit_seq: u64,
    /// Its hash.
    pub audit: [u8; 32],
}

/// Computes the digest of `store`, a page at a time. Concurrent writes give a digest of no particular
/// moment.
///
/// ```
/// use indexer::{SqliteStore, digest};
///
/// # let run = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
/// # run.block_on(async {
/// // Two stores with the same content have the same digest.
/// let (one, other) = (SqliteStore::open_in_memory()?, SqliteStore::open_in_memory()?);
/// assert_eq!(digest(&one).await?, digest(&other).await?);
/// # Ok::<(), indexer::StoreError>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// When the store does not answer.
pub async fn digest(store: &dyn Store) -> Result<MirrorDigest> {
    let mut h = Sha256::new_with_prefix(DOMAIN);
    let (mut after, mut rows) = (None::<Pubkey>, 0u64);
    loop {
        let page = store.rows(after, PAGE_ROWS).await?;
        let Some(last) = page.last() else { break };
        after = Some(last.pubkey);
        for row in &page {
            h.update(row.pubkey);
            h.update(Sha256::digest(&row.raw));
            rows = rows.saturating_add(1);
        }
    }
    // The number of rows separates them from the counters, which could otherwise pass for a row.
    h.update(rows.to_le_bytes());
    for ((program, proposal), counts) in store.progress(false).await? {
        if counts != ProgressRow::default() {
            h.update(program);
            h.update(proposal);
            counts.counts().iter().for_each(|n| h.update(n.to_le_bytes()));
        }
    }
    let newest = store.audit(None, 1).await?;
    let (audit_seq, audit) = newest.last().map_or((0, GENESIS), |row| (row.seq, row.hash));
    Ok(MirrorDigest { rows, tables: h.finalize().into(), audit_seq, audit })
}
