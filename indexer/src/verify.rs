//! Compares the mirror with the chain: every field of every account, the counters with the rows,
//! and the audit chain with its own hashes. Changes nothing.
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use solana_pubkey::Pubkey;
use upgrade_manager::state::AccountStatus;

use crate::{
    ProgressRow, Result, SourceConfig, Store,
    audit::check_chain,
    decode::{manager_account, mirrored},
    describe::{account, leaves},
    source::rpc::Rpc,
};

/// A difference must outlive this many readings: the chain moves on while it is compared.
const ROUNDS: u32 = 4;
/// Time between two readings.
const PAUSE: Duration = Duration::from_millis(1_500);
/// Rows of one reading.
const PAGE: u32 = 1_000;

/// One field that differs.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Difference {
    /// The account; the program for a counter; the manager for the audit chain.
    pub pubkey: Pubkey,
    /// Path of the field, for example `terms.upgrade.sha256`.
    pub field: String,
    /// What the mirror says.
    pub mirror: String,
    /// What the chain says.
    pub chain: String,
}

/// What a comparison found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VerifyReport {
    /// Slot of the chain's side.
    pub slot: u64,
    /// Accounts on either side.
    pub compared: u64,
    /// Accounts without a difference.
    pub equal: u64,
    /// Every field that differs.
    pub differences: Vec<Difference>,
}

/// Compares every field of every manager account with the chain.
///
/// # Errors
/// When node or store do not answer.
pub async fn verify(config: &SourceConfig, store: &dyn Store) -> Result<VerifyReport> {
    let rpc = Rpc::new(config);
    let mut round = 1;
    loop {
        let mut report = compare(&rpc, store).await?;
        report.differences.extend(inside(config, store).await?);
        if report.differences.is_empty() || round == ROUNDS {
            return Ok(report);
        }
        round += 1;
        tokio::time::sleep(PAUSE).await;
    }
}

async fn compare(rpc: &Rpc, store: &dyn Store) -> Result<VerifyReport> {
    let snapshot = rpc.snapshot(0).await?.collect().await?;
    let chain: BTreeMap<Pubkey, Vec<u8>> =
        snapshot.accounts.into_iter().map(|a| (a.pubkey, mirrored(&a.data).to_vec())).collect();
    let mut mirror: BTreeMap<Pubkey, Vec<u8>> = BTreeMap::new();
    loop {
        let after = mirror.last_key_value().map(|(k, _)| *k);
        let page = store.rows(after, PAGE).await?;
        if page.is_empty() {
            break;
        }
        mirror.extend(page.into_iter().map(|row| (row.pubkey, row.raw)));
    }
    let bad: BTreeMap<Pubkey, String> =
        store.quarantined().await?.into_iter().map(|q| (q.pubkey, q.error)).collect();
    let keys: BTreeSet<Pubkey> = chain.keys().chain(mirror.keys()).copied().collect();
    let mut report = VerifyReport { slot: snapshot.slot, ..VerifyReport::default() };
    for pubkey in keys {
        let found = match bad.get(&pubkey) {
            Some(why) => vec![unreadable(pubkey, why.clone(), chain.get(&pubkey))],
            None => differences(pubkey, mirror.get(&pubkey), chain.get(&pubkey)),
        };
        report.compared = report.compared.saturating_add(1);
        if found.is_empty() {
            report.equal = report.equal.saturating_add(1);
        }
        report.differences.extend(found);
    }
    Ok(report)
}

fn unreadable(pubkey: Pubkey, mirror: String, chain: Option<&Vec<u8>>) -> Difference {
    let chain = chain.map_or_else(|| "missing".to_owned(), |b| format!("{} bytes", b.len()));
    Difference { pubkey, field: "account".to_owned(), mirror, chain }
}

/// Fields of one account that differ between two sets of bytes.
fn differences(
    pubkey: Pubkey,
    mirror: Option<&Vec<u8>>,
    chain: Option<&Vec<u8>>,
) -> Vec<Difference> {
    let one = |field: &str, mirror: String, chain: String| {
        vec![Difference { pubkey, field: field.to_owned(), mirror, chain }]
    };
    let (mirror, chain) = match (mirror, chain) {
        (Some(mirror), Some(chain)) => (mirror, chain),
        (mirror, chain) => {
            let said = |side: Option<&Vec<u8>>| match side {
                Some(bytes) => format!("{} bytes", bytes.len()),
                None => "missing".to_owned(),
            };
            return one("account", said(mirror), said(chain));
        }
    };
    if mirror == chain {
        return vec![];
    }
    let fields = |bytes: &[u8]| manager_account(bytes).map(|a| leaves(&account(&a)));
    let (ours, theirs) = match (fields(mirror), fields(chain)) {
        (Ok(ours), Ok(theirs)) => (ours, theirs),
        (ours, theirs) => {
            let said = |side: Result<Vec<_>, String>| match side {
                Ok(fields) => format!("{} fields", fields.len()),
                Err(why) => why,
            };
            return one("account", said(ours), said(theirs));
        }
    };
    let (ours, theirs): (BTreeMap<_, _>, BTreeMap<_, _>) =
        (ours.into_iter().collect(), theirs.into_iter().collect());
    let names: BTreeSet<&String> = ours.keys().chain(theirs.keys()).collect();
    let value = |side: &BTreeMap<String, String>, name: &String| {
        side.get(name).cloned().unwrap_or_else(|| "missing".to_owned())
    };
    let mut found: Vec<Difference> = names
        .into_iter()
        .map(|name| Difference {
            pubkey,
            field: name.clone(),
            mirror: value(&ours, name),
            chain: value(&theirs, name),
        })
        .filter(|d| d.mirror != d.chain)
        .collect();
    if found.is_empty() {
        // Every field is equal, so the bytes behind the last one differ.
        found = one("unused bytes", hex::encode(mirror), hex::encode(chain));
    }
    found
}

/// Differences between the parts of the mirror itself.
async fn inside(config: &SourceConfig, store: &dyn Store) -> Result<Vec<Difference>> {
    let mut out = vec![];
    if let Some(fault) = check_chain(store).await? {
        out.push(Difference {
            pubkey: config.program_id,
            field: format!("audit.{}", fault.seq),
            mirror: fault.what,
            chain: "an unbroken chain of hashes".to_owned(),
        });
    }
    let (kept, counted) = (store.progress(false).await?, store.progress(true).await?);
    let places: BTreeSet<_> = kept.keys().chain(counted.keys()).collect();
    for place in places {
        let counts =
            |rows: &BTreeMap<_, ProgressRow>| rows.get(place).copied().unwrap_or_default().counts();
        for (status, (kept, counted)) in
            AccountStatus::ALL.iter().zip(counts(&kept).into_iter().zip(counts(&counted)))
        {
            if kept != counted {
                out.push(Difference {
                    pubkey: place.0,
                    field: format!("progress.{}.{}", place.1, status.name()),
                    mirror: kept.to_string(),
                    chain: format!("{counted} rows"),
                });
            }
        }
    }
    Ok(out)
}
