//! Looking at a program's accounts: which can migrate, which have moved, which are gone. Reads the
//! chain each time; the answer is never kept.
use std::{
    collections::{BTreeMap, BTreeSet},
    ops::RangeInclusive,
    time::{Duration, Instant},
};

use sha2::{Digest, Sha256};
use solana_pubkey::Pubkey;
use solana_sdk_ids::system_program;
use upgrade_manager::state::{AccountStatus, AccountVersion, Executed, Terms, TypeRule};

use crate::{
    archive::ManifestLeaf,
    backend::{Backend, Reporter},
    error::{BackendError, Result},
    gateway::{Filter, Gateway, RawAccount},
    instructions::Migrate,
    lookup,
};

const FINALITY_POLL: Duration = Duration::from_millis(500);

/// One account that can migrate.
#[derive(Clone, Debug)]
pub(crate) struct Eligible {
    pub address: Pubkey,
    pub hash: [u8; 32],
    pub lamports: u64,
    pub data: Vec<u8>,
    /// Whether its old bytes are kept on chain.
    pub critical: bool,
}

impl Eligible {
    pub(crate) fn target(&self) -> Migrate {
        Migrate { account: self.address, critical: self.critical }
    }
}

/// What a scan saw.
#[derive(Clone, Debug, Default)]
pub(crate) struct Scan {
    /// Accounts that can migrate, by address.
    pub eligible: Vec<Eligible>,
    /// Accounts of a listed type and version whose length no rule allows.
    pub misfits: usize,
}

/// A scan as a manifest pins it.
#[derive(Clone, Debug)]
pub(crate) struct Survey {
    pub leaves: Vec<ManifestLeaf>,
    pub misfits: usize,
}

impl Survey {
    pub(crate) fn count(&self) -> Result<u32> {
        u32::try_from(self.leaves.len()).map_err(|_| BackendError::Range("counting accounts"))
    }
}

pub(crate) fn sha256(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

/// Whether there is nothing at an address any more.
pub(crate) fn is_gone(account: Option<&RawAccount>) -> bool {
    account.is_none_or(|a| a.owner == system_program::ID && a.data.is_empty())
}

/// The node filters one version; of several it lists every account of the type.
fn filters(rule: &TypeRule, from: &RangeInclusive<u16>) -> Vec<Filter> {
    let mut filters = vec![Filter::Bytes { at: 0, bytes: rule.discriminator.to_vec() }];
    if from.start() == from.end() {
        let version = from.start().to_le_bytes();
        let width = usize::from(rule.version_width).min(version.len());
        let bytes = version.get(..width).unwrap_or_default().to_vec();
        filters.push(Filter::Bytes { at: usize::from(rule.version_offset), bytes });
    }
    filters
}

/// Every account of `program` that `rules` let migrate from one of the versions in `from`.
pub(crate) async fn scan(
    gateway: &Gateway,
    program: &Pubkey,
    rules: &[TypeRule],
    from: &RangeInclusive<u16>,
    finalized: bool,
) -> Result<Scan> {
    let mut found = BTreeMap::new();
    let mut misfits = 0usize;
    for rule in rules {
        let filters = filters(rule, from);
        let listed = if finalized {
            gateway.finalized_program_accounts(program, &filters).await?
        } else {
            gateway.program_accounts(program, &filters).await?
        };
        for (address, raw) in listed {
            if rule.eligible(&raw.data, from).is_some() {
                let (hash, lamports) = (sha256(&raw.data), raw.lamports);
                let critical = rule.is_critical();
                let data = raw.data;
                found.insert(address, Eligible { address, hash, lamports, data, critical });
            } else if rule.version(&raw.data).is_some_and(|held| from.contains(&held)) {
                misfits = misfits.saturating_add(1);
            }
        }
    }
    Ok(Scan { eligible: found.into_values().collect(), misfits })
}

/// The accounts of a listed type that hold the new version and that the proposal `by` has not moved there:
/// made on the new layout after execution, also where an account with a record was closed. The chain
/// does not restore them, and the old code cannot read them.
pub(crate) async fn born_new(
    gateway: &Gateway,
    terms: &Terms,
    by: &Executed,
) -> Result<BTreeSet<Pubkey>> {
    let mut there = BTreeSet::new();
    for rule in &terms.type_rules {
        let filters = filters(rule, &(terms.to_version..=terms.to_version));
        let listed = gateway.program_accounts(&terms.program, &filters).await?;
        let new = |raw: &RawAccount| rule.version(&raw.data) == Some(terms.to_version);
        there.extend(listed.iter().filter(|(_, raw)| new(raw)).map(|(at, _)| *at));
    }
    if !there.is_empty() {
        // Read after the accounts: one that is migrated meanwhile has its record by now.
        let known = records(gateway, &terms.program, by).await?;
        let comes_back = |r: &AccountVersion| {
            matches!(r.status, AccountStatus::Migrated | AccountStatus::Verified)
        };
        there.retain(|account| !known.get(account).is_some_and(comes_back));
    }
    Ok(there)
}

/// The accounts that `terms` let migrate and whose record does not forbid it.
pub(crate) async fn open_accounts(
    gateway: &Gateway,
    terms: &Terms,
    by: &Executed,
    finalized: bool,
) -> Result<Vec<Eligible>> {
    let rules = &terms.type_rules;
    let seen = scan(gateway, &terms.program, rules, &terms.migrates_from(), finalized).await?;
    let records = records(gateway, &terms.program, by).await?;
    let open = |e: &Eligible| {
        !matches!(
            records.get(&e.address).map(|r| r.status),
            Some(AccountStatus::Quarantined | AccountStatus::Closed)
        )
    };
    Ok(seen.eligible.into_iter().filter(open).collect())
}

/// The records that the proposal `by` has touched, by account.
pub(crate) async fn records(
    gateway: &Gateway,
    program: &Pubkey,
    by: &Executed,
) -> Result<BTreeMap<Pubkey, AccountVersion>> {
    let all = lookup::records(gateway, program).await?;
    let touched = |r: &AccountVersion| r.status_under(by) != AccountStatus::Pending;
    Ok(all.into_iter().filter(touched).map(|r| (r.account, r)).collect())
}

/// Waits until `slot` is finalized, so that a finalized scan sees everything up to it.
pub(crate) async fn wait_final(backend: &Backend, slot: u64, reporter: &Reporter) -> Result<u64> {
    let (started, longest) = (Instant::now(), backend.gateway().config().finality_timeout);
    loop {
        let finalized = backend.gateway().finalized_slot().await?;
        reporter.step("Waiting for finality", finalized.min(slot), slot, 0);
        if finalized >= slot {
            return Ok(finalized);
        }
        if started.elapsed() >= longest {
            return Err(BackendError::Stopped(format!(
                "slot {slot} is not finalized after {longest:?}: the node's last finalized slot is \
                 {finalized}. Run the same command again, or use another node."
            )));
        }
        tokio::time::sleep(FINALITY_POLL).await;
    }
}
