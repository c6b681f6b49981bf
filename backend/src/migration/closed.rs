//! Accounts of the manifest that were closed, or closed and created again on the new layout. The program
//! cannot read their old version any more, so `mark_closed` accounts for each with a Merkle proof from the
//! archived leaves.
use solana_pubkey::Pubkey;
use upgrade_manager::state::{AccountStatus, Terms, manifest, rule_for};

use crate::{
    accounts::proposal::ProposalContext,
    census::scan,
    chain::read::RawAccount,
    error::Result,
    instructions::{self, ProposalKeys},
    keys::signer::Signer,
    pipeline::{
        batches::{BatchLane, BatchOutcome, FailedItem},
        context::Context,
        reporter::Reporter,
    },
    preflight::manifest::manifest_hashes,
};

#[derive(Clone)]
struct ClosedAccount {
    account: Pubkey,
    index: u32,
    old_hash: [u8; 32],
    proof: Vec<[u8; 32]>,
}

/// Sends `mark_closed` for every manifest account that is closed and has no record.
pub(super) async fn mark_all(
    context: &Context,
    current: &ProposalContext,
    key: &dyn Signer,
    reporter: &Reporter,
) -> Result<BatchOutcome> {
    let (terms, chain) = (&current.proposal.terms, context.chain());
    if terms.manifest.count == 0 {
        return Ok(BatchOutcome::default());
    }
    let Some(leaves) = context.archive().get_manifest(&terms.program, &terms.manifest.root)? else {
        return Ok(without_leaves(context, current));
    };
    let known = scan::records(chain, &terms.program, &current.executed()).await?;
    let hashes = manifest_hashes(&leaves);
    let missing: Vec<_> = (0u32..)
        .zip(&leaves)
        .filter(|(_, leaf)| {
            known.get(&leaf.account).is_none_or(|r| r.status == AccountStatus::Restored)
        })
        .collect();
    let keys: Vec<Pubkey> = missing.iter().map(|(_, leaf)| leaf.account).collect();
    let accounts = chain.accounts(&keys).await?;
    let gone = missing.into_iter().zip(accounts).filter(|(_, account)| !is_old(account, terms));
    let gone = gone.map(|((index, leaf), _)| {
        let proof = manifest::proof(&hashes, index).unwrap_or_default();
        ClosedAccount { account: leaf.account, index, old_hash: leaf.old_hash, proof }
    });
    let gone: Vec<ClosedAccount> = gone.collect();
    let (payer, keys) = (key.pubkey(), ProposalKeys::of(terms));
    let lane = BatchLane {
        chain: context.chain(),
        key,
        reporter,
        what: "mark closed",
        label: "Accounting for closed accounts",
        before: 0,
        failed: 0,
    };
    let build = |items: &[ClosedAccount]| {
        let mark = |g: &ClosedAccount| {
            let proof = g.proof.clone();
            instructions::mark_closed(&payer, &keys, &g.account, g.index, g.old_hash, proof)
        };
        items.iter().map(mark).collect()
    };
    lane.run(gone, |g| g.account, build).await
}

/// Whether `account` can still migrate: owned by the program, of a pinned type, at an old version.
fn is_old(account: &Option<RawAccount>, terms: &Terms) -> bool {
    account.as_ref().is_some_and(|a| {
        let version = rule_for(&terms.type_rules, &a.data).and_then(|r| r.version(&a.data));
        a.owner == terms.program && version.is_some_and(|v| terms.migrates_from().contains(&v))
    })
}

/// The outcome when the archive lacks the leaves, so that nothing can be proved: a failure only while
/// accounts of the manifest are unaccounted for.
fn without_leaves(context: &Context, current: &ProposalContext) -> BatchOutcome {
    let counters = &current.state.counters;
    let seen = counters.settled().saturating_add(u64::from(counters.migrated));
    let missing = u64::from(counters.total).saturating_sub(seen);
    let failed = (missing > 0).then(|| FailedItem {
        account: current.address,
        reason: format!(
            "{missing} accounts of the manifest are not accounted for, and the manifest's leaves \
             are not in the archive {}: copy them from the machine that proposed.",
            context.archive().location()
        ),
        manager: None,
    });
    BatchOutcome { failed: failed.into_iter().collect(), ..BatchOutcome::default() }
}
