//! Maps events of the manager to announcements. Pure; facts that an event does not carry, such as a
//! proposal's number, are added when the announcement is sent.
mod kind;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use solana_pubkey::Pubkey;
use upgrade_manager::state::ProposalStatus;

use super::{Announcement, audit_log::AuditRow};

pub use kind::AnnouncementKind;

/// Domain separator of derived announcement ids.
const DOMAIN: &[u8] = b"upgrade-control-room/announcement/v1";

/// The fields of an announcement beside kind, slot, time and subject. Addresses and signatures are in
/// base58, hashes in hex.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Detail {
    /// Name of the event that caused it, if one did.
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
    /// `Upgrade`, or the name of the governance action.
    pub action: Option<String>,
    /// Who signed.
    pub actor: Option<String>,
    /// Version after the upgrade, or the restored version after a rollback.
    pub version: Option<u16>,
    /// Earliest execution, or the end of a pause: chain time, seconds since 1970.
    pub eta: Option<i64>,
    /// The new upgrade authority, when the action transfers it.
    pub new_authority: Option<String>,
}

impl Detail {
    /// The JSON that the outbox stores.
    #[must_use]
    pub fn json(&self) -> String {
        // Only strings and numbers, so serialising cannot fail.
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// The announcement for the event in `row`; [`None`] for events that are not announced.
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

/// What identifies an announcement, for deduplication.
enum EventKey {
    /// The event itself.
    Event,
    /// Kind, subject and this number, because several events can report the same fact.
    Once(i64),
}

/// The id of an announcement identified by `kind`, `subject` and `number`.
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
    // Events about a multisig carry the all-zero address for "no program".
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
        // Votes after the threshold repeat the same eta; they must not announce it again.
        "VoteCast" => match status()? {
            ProposalStatus::Timelocked => {
                detail.eta = number("eta");
                (AnnouncementKind::Approved, EventKey::Once(number("eta")?))
            }
            ProposalStatus::Rejected => (AnnouncementKind::Rejected, EventKey::Event),
            _ => return None,
        },
        // Too few cancel requests leave the status unchanged and are not announced.
        "CancelRequested" if status()? == ProposalStatus::Cancelled => {
            (AnnouncementKind::Cancelled, EventKey::Event)
        }
        "ProposalExpired" => (AnnouncementKind::Expired, EventKey::Event),
        // Votes to give accounts up can follow the deciding vote.
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
            // Not enough votes to lift the pause yet.
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
