//! What the mirror adds to an announcement: the proposal's number and multisig, what it does, and
//! who ended it. Events say only what changed.
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

/// An announcement with all that is known about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fact {
    /// What happened; a veto is told from other ways to cancel.
    pub kind: AnnouncementKind,
    /// The same for every indexer that reads the same chain, in hex.
    pub id: String,
    /// Slot in which it happened.
    pub slot: u64,
    /// Chain time of that, seconds since 1970, where it is known.
    pub chain_time: Option<i64>,
    /// The rest.
    pub detail: Detail,
    /// Version that the proposal leads to, also where [`Detail::version`] is another one.
    to_version: Option<u16>,
}

impl Fact {
    /// Reads `row` and completes it from `view`.
    ///
    /// # Errors
    /// What is wrong with the row, as a sentence; it can never be sent.
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

    /// A test, sent by hand at `now`, seconds since 1970.
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
            self.tell_a_veto(p.status, p.proposer, &p.ballot);
        } else if let Some(row) = find(&view.governance, &proposal) {
            let (p, d) = (&row.account, &mut self.detail);
            d.id = Some(p.terms.id);
            d.multisig = Some(p.terms.multisig.to_string());
            d.action = Some(p.terms.action.name().to_owned());
            d.program = p.terms.action.program().map(|k| k.to_string());
            if let Action::TransferAuthority(t) = &p.terms.action {
                d.new_authority = Some(t.new_authority.to_string());
            }
            self.tell_a_veto(p.status, p.proposer, &p.ballot);
        }
    }

    /// Whoever cancels is either the proposer before any vote, or a voter whose wish is on the
    /// ballot, or the guardian.
    fn tell_a_veto(&mut self, status: ProposalStatus, proposer: Pubkey, ballot: &Ballot) {
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

    /// The value of `field` for a text.
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

/// The operator's name for `key`, else the whole address: a part of one can be imitated.
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
