//! The end of a proposal: version records, buffers, the proposal itself. All rent goes back to the
//! payers that the accounts name; nobody chooses.
use std::collections::BTreeMap;

use solana_pubkey::Pubkey;
use tokio::sync::mpsc;
use upgrade_manager::{
    seeds,
    state::{AccountVersion, BufferAttestation, ProposalStatus, UpgradeProposal},
};

use super::{SetupManager, SetupPreflight, Work};
use crate::{
    backend::Reporter,
    error::Result,
    instructions,
    lookup::{self, Scene},
    migration::Lane,
    preflight::{Check, Verdict},
    receipt::{Progress, Receipt},
    timelock::span,
    words,
};

/// What is left of a proposal.
struct Remains {
    scene: Scene,
    records: Vec<AccountVersion>,
    buffers: Vec<BufferAttestation>,
}

impl SetupManager {
    /// Prepares to close everything of a proposal that has ended. Anyone may.
    ///
    /// # Errors
    /// The network's, or what is wrong with an account.
    pub async fn close(&self, proposal: &Pubkey) -> Result<SetupPreflight> {
        let left = self.remains(proposal).await?;
        let (known, now) = (&left.scene.proposal, left.scene.now.unix);
        let title = format!("Close proposal {} of {}", known.terms.id, known.terms.program);
        let mut shown = self.start("close", title);
        shown.subject = Some(*proposal);
        shown.fact("Proposal", proposal);
        shown.fact("Status", known.status.name());
        shown.fact("Program", known.terms.program);
        shown.fact("Version records", left.records.len());
        for buffer in &left.buffers {
            shown.fact(&format!("{} buffer", buffer.role.name()), buffer.buffer);
        }
        for (payer, lamports) in self.refunds(&left).await? {
            shown.fact("Rent back to", format!("{payer}: {lamports} lamports"));
        }
        let mut ended = words::rule(&known.require_ended(now), "The proposal has ended.");
        let wait = known.rollback_until.saturating_sub(now);
        if ended.verdict == Verdict::Fail && known.status == ProposalStatus::Completed && wait >= 0
        {
            ended.sentence = format!(
                "The proposal can still be rolled back: it can be closed in {}.",
                span(wait.saturating_add(1))
            );
        }
        shown.check(ended);
        shown.check(Check::when(
            left.scene.state.live_proposal != Some(*proposal),
            "The program is done with the proposal.",
            "The proposal is the program's live one.",
        ));
        if !left.records.is_empty() {
            shown.check(words::rule(
                &left.scene.state.require_steady(),
                "No migration is under way that could need the records.",
            ));
        }
        // Records share transactions; how many do is known only once they are packed.
        shown.transactions =
            left.records.len().div_ceil(4).saturating_add(left.buffers.len()).saturating_add(1);
        if shown.signer.is_some() {
            shown.work = Work::Close { proposal: *proposal };
        }
        Ok(shown)
    }

    async fn remains(&self, proposal: &Pubkey) -> Result<Remains> {
        let gateway = self.backend.gateway();
        let scene = Scene::load(gateway, *proposal).await?;
        let mut records = lookup::records(gateway, &scene.program()).await?;
        records.retain(|r| r.proposal == *proposal);
        let terms = &scene.proposal.terms;
        let keys = [terms.upgrade.buffer, terms.rollback.buffer].map(|b| seeds::attestation(&b).0);
        let found = gateway.accounts(&keys).await?;
        let mut buffers = vec![];
        for (key, raw) in keys.iter().zip(&found) {
            let known: Option<BufferAttestation> =
                lookup::decode_if_made("buffer attestation", *key, raw.as_ref())?;
            buffers.extend(known.filter(|known| known.proposal == Some(*proposal)));
        }
        Ok(Remains { scene, records, buffers })
    }

    /// Who gets how many lamports, read from the accounts that will close.
    async fn refunds(&self, left: &Remains) -> Result<BTreeMap<Pubkey, u64>> {
        let program = left.scene.program();
        let mut from = vec![(left.scene.address, left.scene.proposal.payer)];
        for known in &left.buffers {
            from.push((known.buffer, known.refund));
            from.push((seeds::attestation(&known.buffer).0, known.payer));
        }
        let record = |r: &AccountVersion| (seeds::account_version(&program, &r.account).0, r.payer);
        from.extend(left.records.iter().map(record));
        let keys: Vec<Pubkey> = from.iter().map(|(account, _)| *account).collect();
        let mut out = BTreeMap::<Pubkey, u64>::new();
        for ((_, to), raw) in from.iter().zip(self.backend.gateway().accounts(&keys).await?) {
            let sum = out.entry(*to).or_default();
            *sum = sum.saturating_add(raw.map_or(0, |a| a.lamports));
        }
        Ok(out)
    }

    /// Records first: while one of them stands, the proposal that explains it stays.
    pub(super) async fn run_close(
        &self,
        proposal: &Pubkey,
        progress: Option<mpsc::Sender<Progress>>,
    ) -> Result<Receipt> {
        let left = self.remains(proposal).await?;
        let key = self.backend.require_key()?;
        let (closer, gateway) = (key.pubkey(), self.backend.gateway());
        let reporter = Reporter::new(progress);
        let lane = Lane {
            backend: &self.backend,
            key: &*key,
            reporter: &reporter,
            what: "close records",
            label: "Closing records",
            before: 0,
            failed: 0,
        };
        let records = left.records.len();
        let build = |t: &[AccountVersion]| {
            t.iter().map(|r| instructions::close_account_version(&closer, r)).collect()
        };
        let outcome = lane.run(left.records, |r| r.account, build).await?;
        let mut sent = outcome.sent;
        let failures: Vec<String> = outcome.failed.iter().map(ToString::to_string).collect();
        if !failures.is_empty() {
            let summary = "Some records could not be closed; the proposal stays open.".into();
            return Ok(Receipt { sent, summary, failures });
        }
        for known in &left.buffers {
            let ix = instructions::close_buffer(&closer, known);
            let tx = gateway.send_and_confirm("close buffer", &[ix], &[&*key]).await?;
            reporter.sent(&tx).await;
            sent.push(tx);
        }
        let known: &UpgradeProposal = &left.scene.proposal;
        let ix = instructions::close_proposal(&closer, known);
        let tx = gateway.send_and_confirm("close proposal", &[ix], &[&*key]).await?;
        reporter.sent(&tx).await;
        sent.push(tx);
        let summary = format!(
            "Proposal {} is closed, with {records} records and {} buffers; the rent is back.",
            known.terms.id,
            left.buffers.len()
        );
        Ok(Receipt { sent, summary, failures })
    }
}
