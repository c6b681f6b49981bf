//! One short value for all that a mirror says about the chain. Two mirrors of the same chain at the
//! same moment have the same one, whatever they were told in which order and how often they were
//! restarted: no run, arrival or slot goes into it.
use sha2::{Digest, Sha256};
use solana_pubkey::Pubkey;

use crate::store::{ProgressRow, Result, Store, audit_log::GENESIS};

/// Domain of the digest.
const DOMAIN: &[u8] = b"upgrade-control-room/mirror/v1";
/// Rows of one reading.
const PAGE_ROWS: u32 = 1_000;

/// What a mirror says about the chain, in short.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MirrorDigest {
    /// Live accounts.
    pub rows: u64,
    /// sha256 over the live accounts in the order of their addresses, each as its address and the
    /// sha256 of its bytes, and over the counters that are not zero.
    pub tables: [u8; 32],
    /// Number of the newest audit row, 0 without one.
    pub audit_seq: u64,
    /// Its hash.
    pub audit: [u8; 32],
}

/// Reads all of `store`, a page at a time. A store that is written meanwhile gives a digest of no
/// moment in particular.
///
/// ```
/// use indexer::{SqliteStore, digest};
///
/// # let run = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
/// # run.block_on(async {
/// // Two stores that say the same have one digest, whatever else they hold.
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
    // The number of rows ends them: a counter cannot be read as one more.
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
