//! Closes an ended proposal: backups, version records, buffers, the proposal itself. Rent goes back to the
//! payers that the accounts name; the signer cannot choose.
use std::collections::BTreeMap;

use solana_pubkey::Pubkey;
use upgrade_manager::{
    seeds,
    state::{
        AccountBackup, AccountVersion, BufferAttestation, ProgramUpgradeState, ProposalStatus,
        UpgradeProposal,
    },
};

use crate::{
    accounts::{self, governance::is_governance},
    chain::read::RawAccount,
    error::Result,
    instructions,
    keys::signer::Signer,
    pipeline::{
        batches::BatchLane,
        plan::{Plan, Workload},
        reporter::Reporter,
    },
    preflight::{
        check::{Check, Verdict},
        receipt::Receipt,
        rule_check,
        text::span,
    },
    setup::manager::SetupManager,
};

/// The accounts of an ended proposal that can be closed.
struct ClosableAccounts {
    address: Pubkey,
    proposal: UpgradeProposal,
    /// `None` when the program was handed over and its state is closed.
    state: Option<ProgramUpgradeState>,
    now: i64,
    records: Vec<AccountVersion>,
    backups: Vec<AccountBackup>,
    buffers: Vec<BufferAttestation>,
}

impl ClosableAccounts {
    /// Whether the proposal can no longer change anything.
    fn over(&self) -> std::result::Result<(), anchor_lang::error::Error> {
        self.proposal.require_closable(&self.address, self.state.as_ref(), self.now)
    }

    /// Whether no rollback can need its records and backups.
    fn spent(&self) -> std::result::Result<(), anchor_lang::error::Error> {
        let (state, proposal) = (self.state.as_ref(), Some(&self.proposal));
        for record in &self.records {
            record.require_closable(state, proposal, self.now)?;
        }
        for backup in &self.backups {
            let record = self.records.iter().find(|r| r.account == backup.account);
            backup.require_closable(state, record, proposal, self.now)?;
        }
        Ok(())
    }
}

impl SetupManager {
    /// Plans to close everything of a proposal that has ended. Anyone may.
    pub(super) async fn plan_close(&self, proposal: &Pubkey) -> Result<Plan> {
        let raw = self.context.chain().account(proposal).await?;
        if is_governance(raw.as_ref()) {
            return self.plan_close_multisig_proposal(proposal, raw.as_ref());
        }
        let left = self.closable_accounts(proposal, raw.as_ref()).await?;
        let (known, now) = (&left.proposal, left.now);
        let subject = format!("proposal {} of {}", known.terms.id, known.terms.program);
        let mut plan = self.start("close", "Close", subject);
        plan.workload = Workload::Job;
        plan.pinned.pin("the digest", hex::encode(known.digest));
        plan.pinned.pin("the proposal's status", known.status.name());
        plan.account = Some(*proposal);
        plan.fact("Proposal", proposal);
        plan.fact("Status", known.status.name());
        plan.fact("Program", known.terms.program);
        plan.fact("Version records", left.records.len());
        plan.fact("Backups", left.backups.len());
        for buffer in &left.buffers {
            plan.fact(&format!("{} buffer", buffer.role.name()), buffer.buffer);
        }
        for (payer, lamports) in self.refunds(&left).await? {
            plan.fact("Rent back to", format!("{payer}: {lamports} lamports"));
        }
        let mut ended = rule_check::check(&left.over(), "The proposal has ended.");
        let wait = known.rollback_until.saturating_sub(now);
        if ended.verdict == Verdict::Fail && known.status == ProposalStatus::Completed && wait >= 0
        {
            ended.sentence = format!(
                "The proposal can still be rolled back: it can be closed in {}.",
                span(wait.saturating_add(1))
            );
        }
        plan.check(ended);
        let live = left.state.as_ref().is_some_and(|state| {
            [state.live_proposal, state.roll_forward].contains(&Some(*proposal))
        });
        plan.check(Check::when(
            !live,
            "The program is done with the proposal.",
            "The proposal is the program's live one.",
        ));
        if !left.records.is_empty() || !left.backups.is_empty() {
            plan.check(rule_check::check(
                &left.spent(),
                "No migration is under way that could need the records and backups.",
            ));
        }
        // Several records share a transaction; the exact number is known only once they are packed.
        plan.transactions = (left.records.len().saturating_add(left.backups.len()))
            .div_ceil(4)
            .saturating_add(left.buffers.len())
            .saturating_add(1);
        Ok(plan)
    }

    /// What is left of the proposal whose account is `raw`.
    async fn closable_accounts(
        &self,
        proposal: &Pubkey,
        raw: Option<&RawAccount>,
    ) -> Result<ClosableAccounts> {
        let chain = self.context.chain();
        let known: UpgradeProposal = accounts::decode("proposal", *proposal, raw)?;
        let terms = known.terms.clone();
        let state_key = seeds::program_state(&terms.program).0;
        let raw = chain.account(&state_key).await?;
        let mut records = accounts::records(chain, &terms.program).await?;
        records.retain(|r| r.proposal == *proposal);
        let mut backups = accounts::backups(chain, &terms.program).await?;
        backups.retain(|b| b.proposal == *proposal);
        let keys = [terms.upgrade.buffer, terms.rollback.buffer].map(|b| seeds::attestation(&b).0);
        let found = chain.accounts(&keys).await?;
        let mut buffers = vec![];
        for (key, raw) in keys.iter().zip(&found) {
            let known: Option<BufferAttestation> =
                accounts::decode_optional("buffer attestation", *key, raw.as_ref())?;
            buffers.extend(known.filter(|known| known.proposal == Some(*proposal)));
        }
        Ok(ClosableAccounts {
            address: *proposal,
            proposal: known,
            state: accounts::decode_optional("program state", state_key, raw.as_ref())?,
            now: chain.chain_time().await?.unix,
            records,
            backups,
            buffers,
        })
    }

    /// Who gets how many lamports, read from the accounts that will close.
    async fn refunds(&self, left: &ClosableAccounts) -> Result<BTreeMap<Pubkey, u64>> {
        let program = left.proposal.terms.program;
        let mut from = vec![(left.address, left.proposal.payer)];
        for known in &left.buffers {
            from.push((known.buffer, known.refund));
            from.push((seeds::attestation(&known.buffer).0, known.payer));
        }
        let record = |r: &AccountVersion| (seeds::account_version(&program, &r.account).0, r.payer);
        from.extend(left.records.iter().map(record));
        let backup = |b: &AccountBackup| (seeds::backup(&program, &b.account).0, b.payer);
        from.extend(left.backups.iter().map(backup));
        let keys: Vec<Pubkey> = from.iter().map(|(account, _)| *account).collect();
        let mut out = BTreeMap::<Pubkey, u64>::new();
        for ((_, to), raw) in from.iter().zip(self.context.chain().accounts(&keys).await?) {
            let sum = out.entry(*to).or_default();
            *sum = sum.saturating_add(raw.map_or(0, |a| a.lamports));
        }
        Ok(out)
    }

    /// Closes backups and records first: while one of them is open, the proposal must stay.
    pub(super) async fn run_close(
        &self,
        proposal: &Pubkey,
        key: &dyn Signer,
        reporter: &Reporter,
    ) -> Result<Receipt> {
        let (closer, chain) = (key.pubkey(), self.context.chain());
        let raw = chain.account(proposal).await?;
        let left = self.closable_accounts(proposal, raw.as_ref()).await?;
        let lane = BatchLane {
            chain,
            key,
            reporter,
            what: "close records",
            label: "Closing records",
            before: 0,
            failed: 0,
        };
        let backups = left.backups.len();
        let build = |t: &[AccountBackup]| {
            t.iter().map(|b| instructions::close_backup(&closer, b)).collect()
        };
        let first = BatchLane { what: "close backups", label: "Closing backups", ..lane };
        let outcome = first.run(left.backups, |b| b.account, build).await?;
        let mut sent = outcome.sent;
        let mut failures: Vec<String> = outcome.failed.iter().map(ToString::to_string).collect();
        let records = left.records.len();
        let build = |t: &[AccountVersion]| {
            t.iter().map(|r| instructions::close_account_version(&closer, r)).collect()
        };
        let outcome = lane.run(left.records, |r| r.account, build).await?;
        sent.extend(outcome.sent);
        failures.extend(outcome.failed.iter().map(ToString::to_string));
        if !failures.is_empty() {
            let summary =
                "Some records or backups could not be closed; the proposal stays open.".into();
            return Ok(Receipt { sent, summary, failures, subject: Some(*proposal) });
        }
        for known in &left.buffers {
            let ix = instructions::close_buffer(&closer, known);
            let tx = chain.send_and_confirm("close buffer", &[ix], &[key]).await?;
            reporter.sent(&tx).await;
            sent.push(tx);
        }
        let known: &UpgradeProposal = &left.proposal;
        let ix = instructions::close_proposal(&closer, known);
        let tx = chain.send_and_confirm("close proposal", &[ix], &[key]).await?;
        reporter.sent(&tx).await;
        sent.push(tx);
        let summary = format!(
            "Proposal {} is closed, with {records} records, {backups} backups and {} buffers; the rent \
             is back.",
            known.terms.id,
            left.buffers.len()
        );
        Ok(Receipt { sent, summary, failures, subject: Some(*proposal) })
    }
}
