//! Compares the mirror with the chain, field by field, and then with itself: its own hashes, its
//! counters and the audit chain. Changes nothing. Of the mirror only hashes are held, of the chain
//! only what differs, so a million accounts fit.
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

/// A difference must outlive this many readings: the chain moves on while it is compared.
const MAX_ROUNDS: u32 = 4;
/// Time between two readings.
const ROUND_INTERVAL: Duration = Duration::from_millis(1_500);
/// Accounts whose differences are listed, and faults of the mirror in itself.
const MAX_LISTED: usize = 100;

/// What a comparison found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VerifyReport {
    /// Slot of the chain's side.
    pub slot: u64,
    /// Accounts on either side.
    pub compared: u64,
    /// Accounts without a difference.
    pub equal: u64,
    /// Every field that differs, of the first accounts that do, and the first faults of the mirror
    /// in itself.
    pub differences: Vec<Difference>,
    /// Accounts and faults beyond those.
    pub unlisted: u64,
    /// Accounts that the node's list left out although they exist. They were compared by address;
    /// what neither the list nor the mirror holds was not.
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
        // A list that is cut short stays so.
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
        // What the chain says of an account is more than that something is wrong with its row.
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
    // Not in the mirror, so only here can it be seen that they come twice.
    let mut missing = HashSet::new();
    while let Some(piece) = stream.next().await? {
        for raw in piece {
            let data = mirrored(&raw.data);
            let told = held.told(&raw.pubkey, data);
            let again = told == Comparison::Again
                || (told == Comparison::Missing && !missing.insert(raw.pubkey));
            if !again {
                let equal = told == Comparison::Equal && !found.bad.contains_key(&raw.pubkey);
                found.account(raw.pubkey, equal, Some(data)).await?;
            }
        }
    }
    // A list that was cut short looks like one of accounts that are gone.
    let (slot, untold) = (stream.slot(), held.untold());
    let asked = untold.iter().map(|(pubkey, _)| *pubkey).collect::<Vec<_>>();
    let mut there: BTreeMap<Pubkey, Raw> = BTreeMap::new();
    for raw in rpc.by_address(&asked, slot).await?.accounts {
        there.insert(raw.pubkey, raw);
    }
    for (pubkey, at) in untold {
        let data = there.get(&pubkey).map(|raw| mirrored(&raw.data));
        let equal = data.is_some_and(|data| held.told(&pubkey, data) == Comparison::Equal);
        // What is newer than the list cannot be in it.
        let left_out = data.is_some() && at <= slot;
        found.report.left_out = found.report.left_out.saturating_add(u64::from(left_out));
        found.account(pubkey, equal, data).await?;
    }
    (found.report.slot, found.report.node) = (slot, rpc.shown());
    found.report.differences.sort();
    Ok(found.report)
}

/// What was found so far.
struct Found<'a> {
    store: &'a dyn Store,
    /// Accounts that could not be mirrored, and why.
    bad: BTreeMap<Pubkey, String>,
    report: VerifyReport,
    listed: usize,
}

impl Found<'_> {
    /// Counts an account, of which the chain says `chain`; looks closer at one that is not `equal`.
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
                // As it is now: the mirror may have got there while the chain was read.
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
