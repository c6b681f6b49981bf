//! Accounts of the manifest that no longer exist: the chain cannot see what they were, so each is
//! accounted for with a proof from the archived leaves.
use solana_pubkey::Pubkey;
use upgrade_manager::state::{AccountStatus, manifest, rule_for};

use super::{
    batches::{Failed, Lane, Outcome},
    survey::{is_gone, records},
};
use crate::{
    archive::manifest_hashes,
    backend::{Backend, Reporter},
    error::Result,
    instructions::{self, ProposalKeys},
    lookup::Scene,
    signer::Signer,
};

#[derive(Clone)]
struct Gone {
    account: Pubkey,
    index: u32,
    old_hash: [u8; 32],
    proof: Vec<[u8; 32]>,
}

/// Accounts for every manifest account that is gone and has no record.
pub(super) async fn mark_all(
    backend: &Backend,
    scene: &Scene,
    key: &dyn Signer,
    reporter: &Reporter,
) -> Result<Outcome> {
    let (terms, gateway) = (&scene.proposal.terms, backend.gateway());
    if terms.manifest.count == 0 {
        return Ok(Outcome::default());
    }
    let Some(leaves) = backend.archive().get_manifest(&terms.program, &terms.manifest.root)? else {
        return Ok(without_leaves(backend, scene));
    };
    let known = records(gateway, &terms.program, &scene.address).await?;
    let hashes = manifest_hashes(&leaves);
    let missing: Vec<_> = (0u32..)
        .zip(&leaves)
        .filter(|(_, leaf)| {
            known.get(&leaf.account).is_none_or(|r| r.status == AccountStatus::Restored)
        })
        .collect();
    let keys: Vec<Pubkey> = missing.iter().map(|(_, leaf)| leaf.account).collect();
    let accounts = gateway.accounts(&keys).await?;
    let (mut gone, mut odd) = (vec![], vec![]);
    for ((index, leaf), account) in missing.into_iter().zip(accounts) {
        if is_gone(account.as_ref()) {
            let proof = manifest::proof(&hashes, index).unwrap_or_default();
            gone.push(Gone { account: leaf.account, index, old_hash: leaf.old_hash, proof });
        } else if account.is_some_and(|a| {
            rule_for(&terms.type_rules, &a.data).and_then(|r| r.version(&a.data))
                != Some(terms.from_version)
        }) {
            odd.push(Failed {
                account: leaf.account,
                reason: "it is in the manifest and exists, but neither at the old version nor \
                         with a record: it was made anew after the upgrade."
                    .into(),
                manager: None,
            });
        }
    }
    let (payer, keys) = (key.pubkey(), ProposalKeys::of(terms));
    let lane = Lane {
        backend,
        key,
        reporter,
        what: "mark closed",
        label: "Accounting for closed accounts",
        before: 0,
        failed: 0,
    };
    let build = |items: &[Gone]| {
        let mark = |g: &Gone| {
            let proof = g.proof.clone();
            instructions::mark_closed(&payer, &keys, &g.account, g.index, g.old_hash, proof)
        };
        items.iter().map(mark).collect()
    };
    let mut outcome = lane.run(gone, |g| g.account, build).await?;
    outcome.failed.extend(odd);
    Ok(outcome)
}

/// Without the leaves nothing can be proved; that matters only while the counters are short.
fn without_leaves(backend: &Backend, scene: &Scene) -> Outcome {
    let counters = &scene.state.counters;
    let seen = counters.settled().saturating_add(u64::from(counters.migrated));
    let missing = u64::from(counters.total).saturating_sub(seen);
    let failed = (missing > 0).then(|| Failed {
        account: scene.address,
        reason: format!(
            "{missing} accounts of the manifest are not accounted for, and the manifest's leaves \
             are not in the archive {}: copy them from the machine that proposed.",
            backend.archive().location()
        ),
        manager: None,
    });
    Outcome { failed: failed.into_iter().collect(), ..Outcome::default() }
}
