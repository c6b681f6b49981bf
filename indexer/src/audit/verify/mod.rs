//! Compares the mirror with the chain, field by field, and then with itself (hashes, counters, audit
//! chain). Changes nothing. Keeps only hashes of the mirror and differing accounts of the chain in
//! memory, so a million accounts fit.
mod fields;
mod mirror;

use std::{
    collections::{BTreeMap, HashSet},
    time::Duration,
};

use solana_pubkey::Pubkey;

pub use self::fields::Difference;
use self::{
    fields::{differences, unreadable},
    mirror::{Comparison, MirrorHashes, row},
};
use crate::{
    account::decode::{Raw, mirrored},
    audit::{StoreFault, check_store},
    source::{SourceConfig, endpoints::Endpoints, error::Result, rpc::Rpc},
    store::Store,
};

/// A difference counts only if it remains after this many readings: the chain moves on meanwhile.
const MAX_ROUNDS: u32 = 4;
/// Time between two readings.
const ROUND_INTERVAL: Duration = Duration::from_millis(1_500);
/// Most accounts with listed differences, and most listed faults of the mirror itself.
const MAX_LISTED: usize = 100;

/// The result of a comparison.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VerifyReport {
    /// Slot of the chain's side.
    pub slot: u64,
    /// Accounts on at least one side.
    pub compared: u64,
    /// Accounts without a difference.
    pub equal: u64,
    /// Every differing field of the first differing accounts, and the first faults of the mirror
    /// itself.
    pub differences: Vec<Difference>,
    /// Number of further accounts and faults.
    pub unlisted: u64,
    /// Accounts that exist although the node's list left them out. They were compared by address;
    /// accounts missing from both list and mirror could not be.
    pub left_out: u64,
    /// Scheme and host of the node.
    pub node: String,
}

impl VerifyReport {
    /// Whether nothing differs and every account of the chain was compared.
    #[must_use]
    pub fn is_equal(&self) -> bool {
        self.differences.is_empty() && self.unlisted == 0 && self.left_out == 0
    }
}

/// Compares every field of every manager account with the chain, and the mirror with itself.
///
/// # Errors
/// When node or store do not answer.
pub async fn verify(config: &SourceConfig, store: &dyn Store) -> Result<VerifyReport> {
    let nodes = Endpoints::new(config);
    nodes.answering().await?;
    let rpc = nodes.current();
    let mut round = 1;
    let mut report = loop {
        let report = compare(&rpc, store).await?;
        // Accounts that the list left out do not count here: another reading would not list them.
        let differs = !report.differences.is_empty() || report.unlisted > 0;
        if !differs || round == MAX_ROUNDS {
            break report;
        }
        round += 1;
        tokio::time::sleep(ROUND_INTERVAL).await;
    };
    let inside = check_store(store, MAX_LISTED).await?;
    report.unlisted = report.unlisted.saturating_add(inside.more);
    for fault in inside.faults {
        let difference = of_fault(config.program_id, fault);
        // A difference to the chain says more than the fault of the same row.
        let is_told = difference.pubkey != config.program_id
            && report.differences.iter().any(|d| d.pubkey == difference.pubkey);
        if !is_told {
            report.differences.push(difference);
        }
    }
    Ok(report)
}

fn of_fault(manager: Pubkey, fault: StoreFault) -> Difference {
    let StoreFault { table, row, field, what } = fault;
    let pubkey = row.parse().unwrap_or(manager);
    Difference {
        pubkey,
        field: format!("{table}.{row}.{field}"),
        mirror: what,
        chain: "not asked: the mirror contradicts itself".to_owned(),
    }
}

/// One comparison of all accounts.
async fn compare(rpc: &Rpc, store: &dyn Store) -> Result<VerifyReport> {
    let mut held = MirrorHashes::read(store).await?;
    let bad: BTreeMap<Pubkey, String> =
        store.quarantined().await?.into_iter().map(|q| (q.pubkey, q.error)).collect();
    let mut stream = rpc.snapshot(0).await?;
    let mut found = Found { store, bad, report: VerifyReport::default(), listed: 0 };
    // Accounts that the mirror lacks; `held` cannot notice that the node lists them twice.
    let mut missing = HashSet::new();
    while let Some(piece) = stream.next().await? {
        for raw in piece {
            let data = mirrored(&raw.data);
            let comparison = held.compare(&raw.pubkey, data);
            let again = comparison == Comparison::Again
                || (comparison == Comparison::Missing && !missing.insert(raw.pubkey));
            if !again {
                let equal = comparison == Comparison::Equal && !found.bad.contains_key(&raw.pubkey);
                found.account(raw.pubkey, equal, Some(data)).await?;
            }
        }
    }
    // Accounts missing from the list may be closed, or the list may be cut short: asks by address.
    let (slot, uncompared) = (stream.slot(), held.uncompared());
    let asked = uncompared.iter().map(|(pubkey, _)| *pubkey).collect::<Vec<_>>();
    let mut there: BTreeMap<Pubkey, Raw> = BTreeMap::new();
    for raw in rpc.by_address(&asked, slot).await?.accounts {
        there.insert(raw.pubkey, raw);
    }
    for (pubkey, at) in uncompared {
        let data = there.get(&pubkey).map(|raw| mirrored(&raw.data));
        let equal = data.is_some_and(|data| held.compare(&pubkey, data) == Comparison::Equal);
        // An account newer than the list cannot be in it.
        let left_out = data.is_some() && at <= slot;
        found.report.left_out = found.report.left_out.saturating_add(u64::from(left_out));
        found.account(pubkey, equal, data).await?;
    }
    (found.report.slot, found.report.node) = (slot, rpc.shown());
    found.report.differences.sort();
    Ok(found.report)
}

/// The findings so far.
struct Found<'a> {
    store: &'a dyn Store,
    /// Quarantined accounts, and why.
    bad: BTreeMap<Pubkey, String>,
    report: VerifyReport,
    listed: usize,
}

impl Found<'_> {
    /// Counts an account; lists the differing fields of one that is not `equal`.
    async fn account(&mut self, pubkey: Pubkey, equal: bool, chain: Option<&[u8]>) -> Result<()> {
        let report = &mut self.report;
        report.compared = report.compared.saturating_add(1);
        if !equal && self.listed >= MAX_LISTED {
            report.unlisted = report.unlisted.saturating_add(1);
            return Ok(());
        }
        let mut fields = vec![];
        if !equal {
            let chain = chain.map(<[u8]>::to_vec);
            fields = match self.bad.get(&pubkey) {
                Some(why) => vec![unreadable(pubkey, why.clone(), chain.as_ref())],
                // Reads the row again: the mirror may have caught up while the chain was read.
                None => {
                    differences(pubkey, row(self.store, &pubkey).await?.as_ref(), chain.as_ref())
                }
            };
        }
        if fields.is_empty() {
            report.equal = report.equal.saturating_add(1);
        } else {
            self.listed = self.listed.saturating_add(1);
            report.differences.append(&mut fields);
        }
        Ok(())
    }
}
