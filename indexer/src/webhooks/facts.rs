//! Completes announcements from the mirror: the proposal's number, multisig and action, and whether a
//! cancellation was a veto. Events carry only the change itself.
use std::collections::BTreeMap;

use solana_pubkey::Pubkey;
use upgrade_manager::state::{Action, Ballot, ProposalStatus};

use super::template::Field;
use crate::store::{
    OutboxRow, Row, View,
    announcement::{AnnouncementKind, Detail},
};

/// The operator's names for addresses.
pub type AddressNames = BTreeMap<Pubkey, String>;

/// An announcement completed from the mirror.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fact {
    /// Its kind; a cancellation by the guardian is [`AnnouncementKind::Vetoed`].
    pub kind: AnnouncementKind,
    /// The announcement's id in hex, the same for every indexer of one chain.
    pub id: String,
    /// Slot in which it happened.
    pub slot: u64,
    /// Chain time of that slot, seconds since 1970, where known.
    pub chain_time: Option<i64>,
    /// Further fields.
    pub detail: Detail,
    /// Version after the proposed upgrade; [`Detail::version`] can be another one after a rollback.
    to_version: Option<u16>,
}

impl Fact {
    /// Parses `row` and completes it from `view`.
    ///
    /// # Errors
    /// What is wrong with the row, as a sentence. Such a row can never be sent.
    pub fn new(row: &OutboxRow, view: &View) -> Result<Self, String> {
        let said = &row.announcement;
        let wrong = |what: String| {
            format!(
                "The announcement {} cannot be told: {what}. A newer control room may know it.",
                row.id
            )
        };
        let kind = AnnouncementKind::from_name(&said.kind)
            .ok_or_else(|| wrong(format!("its kind is {:?}", said.kind)))?;
        let detail: Detail =
            serde_json::from_str(&said.detail).map_err(|e| wrong(format!("its detail: {e}")))?;
        let mut fact = Self {
            kind,
            id: hex::encode(said.event_id),
            slot: said.slot,
            chain_time: said.chain_time,
            detail,
            to_version: None,
        };
        fact.complete(view);
        Ok(fact)
    }

    /// A test message; `now` makes its id unique.
    #[must_use]
    pub fn test(now: i64) -> Self {
        Self {
            kind: AnnouncementKind::Test,
            id: hex::encode(crate::store::announcement::derived(AnnouncementKind::Test, None, now)),
            slot: 0,
            chain_time: None,
            detail: Detail::default(),
            to_version: None,
        }
    }

    fn complete(&mut self, view: &View) {
        let Some(proposal) = self.detail.proposal.as_ref().and_then(|k| k.parse().ok()) else {
            return;
        };
        if let Some(row) = find(&view.proposals, &proposal) {
            let (p, d) = (&row.account, &mut self.detail);
            d.id = Some(p.terms.id);
            d.multisig = Some(p.terms.multisig.to_string());
            d.program = Some(p.terms.program.to_string());
            d.action = Some("Upgrade".to_owned());
            self.to_version = Some(p.terms.to_version);
            if d.version.is_none() && self.kind != AnnouncementKind::RolledBack {
                d.version = self.to_version;
            }
            self.detect_veto(p.status, p.proposer, &p.ballot);
        } else if let Some(row) = find(&view.governance, &proposal) {
            let (p, d) = (&row.account, &mut self.detail);
            d.id = Some(p.terms.id);
            d.multisig = Some(p.terms.multisig.to_string());
            d.action = Some(p.terms.action.name().to_owned());
            d.program = p.terms.action.program().map(|k| k.to_string());
            if let Action::TransferAuthority(t) = &p.terms.action {
                d.new_authority = Some(t.new_authority.to_string());
            }
            self.detect_veto(p.status, p.proposer, &p.ballot);
        }
    }

    /// Three parties can cancel: the proposer before any vote, voters (recorded on the ballot), and the
    /// guardian. The event does not say which; neither of the first two means a veto.
    fn detect_veto(&mut self, status: ProposalStatus, proposer: Pubkey, ballot: &Ballot) {
        if self.kind != AnnouncementKind::Cancelled || status != ProposalStatus::Cancelled {
            return;
        }
        let Some(actor) = self.detail.actor.as_ref().and_then(|k| k.parse::<Pubkey>().ok()) else {
            return;
        };
        let withdrawn = actor == proposer && ballot.votes.is_empty();
        if !withdrawn && !ballot.cancel.contains(&actor) {
            self.kind = AnnouncementKind::Vetoed;
        }
    }

    /// The value of `field` for a template.
    #[must_use]
    pub fn value(&self, field: Field, names: &AddressNames) -> Option<String> {
        let d = &self.detail;
        match field {
            Field::Program => d.program.clone(),
            Field::Name => self.name(names),
            Field::Proposal => d.proposal.clone(),
            Field::Id => d.id.map(|n| n.to_string()),
            Field::Eta => d.eta.map(utc),
            Field::Version => d.version.map(|n| n.to_string()),
            Field::Actor => d.actor.as_ref().map(|key| named(key, names)),
            Field::Signature => d.signature.clone(),
            Field::Slot => (self.kind != AnnouncementKind::Test).then(|| self.slot.to_string()),
            Field::Multisig => d.multisig.as_ref().map(|key| named(key, names)),
            Field::What => Some(self.what(names)),
        }
    }

    fn name(&self, names: &AddressNames) -> Option<String> {
        self.detail.program.as_ref().or(self.detail.multisig.as_ref()).map(|k| named(k, names))
    }

    fn what(&self, names: &AddressNames) -> String {
        let d = &self.detail;
        let name = self.name(names).unwrap_or_else(|| "an unknown program".to_owned());
        let version =
            self.to_version.or(d.version.filter(|_| self.kind != AnnouncementKind::RolledBack));
        match (d.action.as_deref(), version, &d.new_authority) {
            (Some("Upgrade"), Some(v), _) => format!("the upgrade of {name} to version {v}"),
            (Some("Upgrade"), None, _) => format!("the upgrade of {name}"),
            (Some("ConfigChange"), ..) => format!("the change of the rules of multisig {name}"),
            (Some("TransferAuthority"), _, Some(to)) => {
                format!("the transfer of {name} to {}", named(to, names))
            }
            (Some("TransferAuthority"), ..) => format!("the transfer of {name}"),
            (Some("Dissolve"), ..) => format!("the end of multisig {name}"),
            _ => format!("what it proposes for {name}"),
        }
    }
}

fn find<'a, T>(rows: &'a [Row<T>], key: &Pubkey) -> Option<&'a Row<T>> {
    rows.iter().find(|row| row.pubkey == *key)
}

/// The operator's name for `key`, else the whole address: a shortened one can be imitated.
fn named(key: &str, names: &AddressNames) -> String {
    let known = key.parse().ok().and_then(|k: Pubkey| names.get(&k));
    known.cloned().unwrap_or_else(|| key.to_owned())
}

/// Chain time as a date in UTC.
fn utc(unix: i64) -> String {
    match chrono::DateTime::from_timestamp(unix, 0) {
        Some(t) => t.format("%Y-%m-%d %H:%M:%S UTC").to_string(),
        None => format!("{unix} s since 1970"),
    }
}
