//! Scans a program's accounts: which can migrate, which have migrated, which are gone. Every scan reads
//! the chain again; nothing is cached.
use std::{
    collections::{BTreeMap, BTreeSet},
    ops::RangeInclusive,
};

use sha2::{Digest, Sha256};
use solana_pubkey::Pubkey;
use solana_sdk_ids::system_program;
use upgrade_manager::state::{AccountStatus, AccountVersion, Executed, Terms, TypeRule};

use crate::{
    accounts,
    chain::{
        client::ChainClient,
        read::{Filter, RawAccount},
    },
    error::{BackendError, Result},
    instructions::Migrate,
    preflight::manifest::ManifestLeaf,
};

/// One account that can migrate.
#[derive(Clone, Debug)]
pub(crate) struct EligibleAccount {
    pub address: Pubkey,
    pub hash: [u8; 32],
    pub lamports: u64,
    pub data: Vec<u8>,
    /// Whether its type is critical, so that a backup account on chain keeps its old bytes.
    pub critical: bool,
}

impl EligibleAccount {
    pub(crate) fn target(&self) -> Migrate {
        Migrate { account: self.address, critical: self.critical }
    }
}

/// The result of a scan.
#[derive(Clone, Debug, Default)]
pub(crate) struct Scan {
    /// Accounts that can migrate, by address.
    pub eligible: Vec<EligibleAccount>,
    /// Accounts of a listed type and version whose length no rule allows.
    pub misfits: usize,
}

/// The result of a scan in the form that a manifest pins.
#[derive(Clone, Debug)]
pub(crate) struct ManifestScan {
    pub leaves: Vec<ManifestLeaf>,
    pub misfits: usize,
}

impl ManifestScan {
    pub(crate) fn count(&self) -> Result<u32> {
        u32::try_from(self.leaves.len()).map_err(|_| BackendError::Range("counting accounts"))
    }
}

pub(crate) fn sha256(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

/// Whether an account is closed: no account, or an empty one of the system program.
pub(crate) fn is_gone(account: Option<&RawAccount>) -> bool {
    account.is_none_or(|a| a.owner == system_program::ID && a.data.is_empty())
}

/// The filters for `rule`. A node can filter by one version only; for several it lists every account of the
/// type, and the caller filters.
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
    chain: &ChainClient,
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
            chain.finalized_program_accounts(program, &filters).await?
        } else {
            chain.program_accounts(program, &filters).await?
        };
        for (address, raw) in listed {
            if rule.eligible(&raw.data, from).is_some() {
                let (hash, lamports) = (sha256(&raw.data), raw.lamports);
                let critical = rule.is_critical();
                let data = raw.data;
                found.insert(address, EligibleAccount { address, hash, lamports, data, critical });
            } else if rule.version(&raw.data).is_some_and(|held| from.contains(&held)) {
                misfits = misfits.saturating_add(1);
            }
        }
    }
    Ok(Scan { eligible: found.into_values().collect(), misfits })
}

/// The accounts that a rollback cannot restore: of a listed type and at the new version, but not migrated
/// there by the proposal `by`. Users created them after execution, possibly at the address of a closed
/// account that has a record. The old code cannot read them.
pub(crate) async fn unrestorable_accounts(
    chain: &ChainClient,
    terms: &Terms,
    by: &Executed,
) -> Result<BTreeSet<Pubkey>> {
    let mut there = BTreeSet::new();
    for rule in &terms.type_rules {
        let filters = filters(rule, &(terms.to_version..=terms.to_version));
        let listed = chain.program_accounts(&terms.program, &filters).await?;
        let new = |raw: &RawAccount| rule.version(&raw.data) == Some(terms.to_version);
        there.extend(listed.iter().filter(|(_, raw)| new(raw)).map(|(at, _)| *at));
    }
    if !there.is_empty() {
        // Records are read after the accounts, so an account that is migrated in between has its record.
        let known = records(chain, &terms.program, by).await?;
        let comes_back = |r: &AccountVersion| {
            matches!(r.status, AccountStatus::Migrated | AccountStatus::Verified)
        };
        there.retain(|account| !known.get(account).is_some_and(comes_back));
    }
    Ok(there)
}

/// The accounts that `terms` let migrate and that are neither quarantined nor recorded as closed.
pub(crate) async fn open_accounts(
    chain: &ChainClient,
    terms: &Terms,
    by: &Executed,
    finalized: bool,
) -> Result<Vec<EligibleAccount>> {
    let rules = &terms.type_rules;
    let seen = scan(chain, &terms.program, rules, &terms.migrates_from(), finalized).await?;
    let records = records(chain, &terms.program, by).await?;
    let open = |e: &EligibleAccount| {
        !matches!(
            records.get(&e.address).map(|r| r.status),
            Some(AccountStatus::Quarantined | AccountStatus::Closed)
        )
    };
    Ok(seen.eligible.into_iter().filter(open).collect())
}

/// The records that the proposal `by` has touched, by account.
pub(crate) async fn records(
    chain: &ChainClient,
    program: &Pubkey,
    by: &Executed,
) -> Result<BTreeMap<Pubkey, AccountVersion>> {
    let all = accounts::records(chain, program).await?;
    let touched = |r: &AccountVersion| r.status_under(by) != AccountStatus::Pending;
    Ok(all.into_iter().filter(touched).map(|r| (r.account, r)).collect())
}

/// The accounts of `program` that would migrate from `versions`, in the manifest's order.
pub(crate) async fn survey(
    chain: &ChainClient,
    program: &Pubkey,
    rules: &[TypeRule],
    versions: &RangeInclusive<u16>,
) -> Result<ManifestScan> {
    let seen = scan(chain, program, rules, versions, false).await?;
    let leaf = |e: &EligibleAccount| ManifestLeaf { account: e.address, old_hash: e.hash };
    Ok(ManifestScan { leaves: seen.eligible.iter().map(leaf).collect(), misfits: seen.misfits })
}
