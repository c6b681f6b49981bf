//! Which event of the manager is which announcement: the one place that says so. Pure; what an
//! event does not say, such as a proposal's number, is added when the announcement is sent.
mod kind;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use solana_pubkey::Pubkey;
use upgrade_manager::state::ProposalStatus;

use super::{Announcement, audit_log::AuditRow};

pub use kind::AnnouncementKind;

/// Domain of the ids of announcements that are not one event's.
const DOMAIN: &[u8] = b"upgrade-control-room/announcement/v1";

/// What an announcement knows beside its kind, slot, time and subject. Addresses and signatures are
/// in base58, hashes in hex.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Detail {
    /// Name of the event, where it comes from one.
    pub event: Option<String>,
    /// That event's number in the audit log.
    pub seq: Option<u64>,
    /// That event's hash in the audit log.
    pub hash: Option<String>,
    /// The transaction.
    pub signature: Option<String>,
    /// The program.
    pub program: Option<String>,
    /// The proposal.
    pub proposal: Option<String>,
    /// The multisig.
    pub multisig: Option<String>,
    /// The proposal's number.
    pub id: Option<u64>,
    /// What the proposal does: `Upgrade`, or an action's name.
    pub action: Option<String>,
    /// Who signed.
    pub actor: Option<String>,
    /// Version after the upgrade; after a rollback, the one that runs again.
    pub version: Option<u16>,
    /// Earliest execution, or the end of a pause: chain time, seconds since 1970.
    pub eta: Option<i64>,
    /// Who holds the program's upgrade authority from now on, where it is handed over.
    pub new_authority: Option<String>,
}

impl Detail {
    /// As it is kept in the outbox.
    #[must_use]
    pub fn json(&self) -> String {
        // Text, numbers and nothing else: it cannot fail.
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// The announcement of the event that `row` holds; `None` for what is not announced.
#[must_use]
pub fn of(row: &AuditRow) -> Option<Announcement> {
    let (kind, mut detail, key) = read(row)?;
    detail.event = Some(row.kind.clone());
    (detail.seq, detail.hash) = (Some(row.seq), Some(hex::encode(row.hash)));
    detail.signature = Some(row.signature.clone());
    detail.actor = row.actor.map(|k| k.to_string());
    Some(Announcement {
        event_id: match key {
            EventKey::Event => row.hash,
            EventKey::Once(number) => derived(kind, row.subject.as_ref(), number),
        },
        kind: kind.name().to_owned(),
        slot: row.slot,
        chain_time: row.time,
        subject: row.subject,
        detail: detail.json(),
    })
}

/// What makes an announcement one and the same.
enum EventKey {
    /// Its event.
    Event,
    /// Kind, subject and this number: several events tell of the same fact.
    Once(i64),
}

/// The id of the fact `kind` about `subject` that `number` tells from others of its kind.
#[must_use]
pub fn derived(kind: AnnouncementKind, subject: Option<&Pubkey>, number: i64) -> [u8; 32] {
    let mut h = Sha256::new();
    h.update(DOMAIN);
    h.update(kind.name().as_bytes());
    h.update([0]);
    h.update(subject.copied().unwrap_or_default().as_ref());
    h.update(number.to_le_bytes());
    h.finalize().into()
}

fn read(what: &AuditRow) -> Option<(AnnouncementKind, Detail, EventKey)> {
    let text = |name: &str| what.detail.get(name)?.as_str().map(str::to_owned);
    let number = |name: &str| what.detail.get(name).and_then(serde_json::Value::as_i64);
    let status = || ProposalStatus::from_name(what.detail.get("status")?.as_str()?);
    // All zero stands for "none" in events about a multisig.
    let nobody = Pubkey::default().to_string();
    let mut detail = Detail {
        program: text("program").filter(|key| *key != nobody),
        proposal: text("proposal"),
        multisig: text("multisig"),
        ..Detail::default()
    };
    let (kind, key) = match what.kind.as_str() {
        "ProposalCreated" => {
            detail.action = Some("Upgrade".to_owned());
            detail.version = version(number("to_version"));
            detail.id = number("id").and_then(|n| n.try_into().ok());
            (AnnouncementKind::Created, EventKey::Event)
        }
        "GovernanceProposed" => {
            detail.action = text("kind");
            detail.id = number("id").and_then(|n| n.try_into().ok());
            (AnnouncementKind::Created, EventKey::Event)
        }
        // Who approves after the threshold was reached tells of the same eta again.
        "VoteCast" => match status()? {
            ProposalStatus::Timelocked => {
                detail.eta = number("eta");
                (AnnouncementKind::Approved, EventKey::Once(number("eta")?))
            }
            ProposalStatus::Rejected => (AnnouncementKind::Rejected, EventKey::Event),
            _ => return None,
        },
        // A wish to cancel that does not suffice leaves the status as it was.
        "CancelRequested" if status()? == ProposalStatus::Cancelled => {
            (AnnouncementKind::Cancelled, EventKey::Event)
        }
        "ProposalExpired" => (AnnouncementKind::Expired, EventKey::Event),
        // Votes to give accounts up may follow the deciding one.
        "RollbackVoted" if what.detail.get("approved")?.as_bool()? => {
            (AnnouncementKind::RollbackApproved, EventKey::Once(0))
        }
        "UpgradeExecuted" => {
            detail.action = Some("Upgrade".to_owned());
            detail.version = version(number("version"));
            (AnnouncementKind::Executed, EventKey::Event)
        }
        "MigrationCompleted" => (AnnouncementKind::Completed, EventKey::Event),
        "ProgramRolledBack" => {
            detail.version = version(number("version"));
            (AnnouncementKind::RolledBack, EventKey::Event)
        }
        "ConfigChanged" => {
            detail.action = Some("ConfigChange".to_owned());
            (AnnouncementKind::Executed, EventKey::Event)
        }
        "AuthorityTransferred" => {
            detail.action = Some("TransferAuthority".to_owned());
            detail.new_authority = text("new_authority");
            (AnnouncementKind::Executed, EventKey::Event)
        }
        "MultisigDissolved" => {
            detail.action = Some("Dissolve".to_owned());
            (AnnouncementKind::Executed, EventKey::Event)
        }
        "PauseChanged" => match (number("paused_until")?, number("votes")?) {
            (0, _) => (AnnouncementKind::Unpaused, EventKey::Event),
            (until, 0) => {
                detail.eta = Some(until);
                (AnnouncementKind::Paused, EventKey::Event)
            }
            // A vote to lift the pause that does not suffice.
            _ => return None,
        },
        _ => return None,
    };
    Some((kind, detail, key))
}

fn version(number: Option<i64>) -> Option<u16> {
    number.and_then(|n| n.try_into().ok())
}

#[cfg(test)]
mod tests;
