use std::collections::BTreeSet;

use anchor_lang::Event;
use serde_json::Value;
use solana_signature::Signature;
use upgrade_manager::{
    events::*,
    state::{AccountStatus, ActionKind, BufferRole, Choice, Counters},
};

use super::*;
use crate::store::audit_log::{AuditEntry, event::describe};

const PROPOSAL: Pubkey = Pubkey::new_from_array([6; 32]);
const PROGRAM: Pubkey = Pubkey::new_from_array([5; 32]);
const MULTISIG: Pubkey = Pubkey::new_from_array([7; 32]);
const MEMBER: Pubkey = Pubkey::new_from_array([8; 32]);

fn announced(payload: &[u8]) -> Option<(Announcement, Detail)> {
    let entry = AuditEntry {
        slot: 42,
        tx_index: 1,
        ix_index: 0,
        inner_index: 2,
        signature: Signature::from([3; 64]),
        time: Some(1_700_000_000),
        payload: payload.to_vec(),
    };
    let row = AuditRow::next(12, &[9; 32], &entry);
    let said = of(&row)?;
    let detail: Detail = serde_json::from_str(&said.detail).unwrap();
    assert_eq!((said.slot, said.chain_time), (42, Some(1_700_000_000)));
    assert_eq!((detail.seq, detail.hash.clone()), (Some(12), Some(hex::encode(row.hash))));
    assert_eq!(detail.signature, Some(Signature::from([3; 64]).to_string()));
    Some((said, detail))
}

fn vote(choice: Choice, status: ProposalStatus, eta: i64) -> VoteCast {
    VoteCast {
        proposal: PROPOSAL,
        program: PROGRAM,
        member: MEMBER,
        choice,
        approvals: 3,
        status,
        eta,
    }
}

fn revoked(status: ProposalStatus) -> VoteRevoked {
    VoteRevoked { proposal: PROPOSAL, program: PROGRAM, member: MEMBER, approvals: 2, status }
}

fn cancel(status: ProposalStatus) -> CancelRequested {
    CancelRequested { proposal: PROPOSAL, program: PROGRAM, member: MEMBER, status }
}

fn rollback(approved: bool, votes: u8) -> RollbackVoted {
    RollbackVoted {
        proposal: PROPOSAL,
        program: PROGRAM,
        member: MEMBER,
        give_up: false,
        votes,
        approved,
    }
}

fn pause(paused_until: i64, votes: u8) -> PauseChanged {
    PauseChanged { multisig: MULTISIG, actor: MEMBER, paused_until, votes }
}

/// Every event of the manager, with its name and what it is announced as.
fn every_event() -> Vec<(&'static str, Vec<u8>, Option<AnnouncementKind>)> {
    let (buffer, role) = (Pubkey::new_from_array([1; 32]), BufferRole::Upgrade);
    let (proposal, program, multisig, executor) = (PROPOSAL, PROGRAM, MULTISIG, MEMBER);
    let counters = Counters::default();
    let gov = GovernanceProposed {
        proposal,
        multisig,
        id: 4,
        proposer: MEMBER,
        digest: [0; 32],
        kind: ActionKind::Dissolve,
        program: None,
    };
    let created = ProposalCreated {
        proposal,
        program,
        id: 3,
        proposer: MEMBER,
        digest: [0; 32],
        elf_hash: [0; 32],
        from_version: 1,
        to_version: 2,
        accounts: 5,
    };
    let created_multisig =
        MultisigCreated { multisig, members: vec![MEMBER], threshold: 1, timelock: 60 };
    let registered = ProgramRegistered {
        program,
        multisig,
        previous_authority: MEMBER,
        version: 1,
        elf_hash: [0; 32],
    };
    let done = UpgradeExecuted {
        proposal,
        program,
        executor,
        elf_hash: [1; 32],
        previous_elf_hash: [0; 32],
        version: 2,
    };
    let moved = AccountsMoved {
        proposal,
        program,
        actor: MEMBER,
        status: AccountStatus::Migrated,
        accounts: vec![],
        counters,
    };
    let back = ProgramRolledBack {
        proposal,
        program,
        executor,
        elf_hash: [0; 32],
        version: 1,
        given_up: 0,
    };
    let changed = ConfigChanged {
        proposal,
        multisig,
        executor,
        config_epoch: 2,
        threshold: 2,
        timelock: 60,
        members: vec![MEMBER],
    };
    let transferred =
        AuthorityTransferred { proposal, program, multisig, executor, new_authority: buffer };
    let closed =
        AccountClosed { kind: ClosedKind::Proposal, account: proposal, program, refund: MEMBER };
    let frozen = BufferFrozen { buffer, program, role, len: 1, refund: MEMBER };
    let reclaimed = BufferReclaimed { buffer, program, executor, treasury: MEMBER };
    let completed = MigrationCompleted { proposal, program, executor, counters, slot: 40 };
    use ProposalStatus::{Active, Cancelled, Rejected, Timelocked};
    vec![
        ("MultisigCreated", created_multisig.data(), None),
        ("ProgramRegistered", registered.data(), None),
        ("BufferFrozen", frozen.data(), None),
        ("BufferAttested", BufferAttested { buffer, program, role, sha256: [0; 32] }.data(), None),
        (
            "ChunkAttested",
            ChunkAttested { buffer, program, chunk: 0, accumulator: [0; 32] }.data(),
            None,
        ),
        ("BufferReclaimed", reclaimed.data(), None),
        ("AccountClosed", closed.data(), None),
        ("AccountsMoved", moved.data(), None),
        ("ProposalCreated", created.data(), Some(AnnouncementKind::Created)),
        ("GovernanceProposed", gov.data(), Some(AnnouncementKind::Created)),
        ("VoteCast", vote(Choice::Approve, Active, 0).data(), None),
        (
            "VoteCast",
            vote(Choice::Approve, Timelocked, 99).data(),
            Some(AnnouncementKind::Approved),
        ),
        ("VoteCast", vote(Choice::Reject, Rejected, 0).data(), Some(AnnouncementKind::Rejected)),
        ("VoteRevoked", revoked(Active).data(), None),
        ("VoteRevoked", revoked(Timelocked).data(), None),
        ("CancelRequested", cancel(Active).data(), None),
        ("CancelRequested", cancel(Timelocked).data(), None),
        ("CancelRequested", cancel(Cancelled).data(), Some(AnnouncementKind::Cancelled)),
        (
            "ProposalExpired",
            ProposalExpired { proposal, program }.data(),
            Some(AnnouncementKind::Expired),
        ),
        ("RollbackVoted", rollback(false, 1).data(), None),
        ("RollbackVoted", rollback(true, 3).data(), Some(AnnouncementKind::RollbackApproved)),
        ("UpgradeExecuted", done.data(), Some(AnnouncementKind::Executed)),
        ("MigrationCompleted", completed.data(), Some(AnnouncementKind::Completed)),
        ("ProgramRolledBack", back.data(), Some(AnnouncementKind::RolledBack)),
        ("ConfigChanged", changed.data(), Some(AnnouncementKind::Executed)),
        ("AuthorityTransferred", transferred.data(), Some(AnnouncementKind::Executed)),
        (
            "MultisigDissolved",
            MultisigDissolved { proposal, multisig, executor }.data(),
            Some(AnnouncementKind::Executed),
        ),
        ("PauseChanged", pause(500, 0).data(), Some(AnnouncementKind::Paused)),
        ("PauseChanged", pause(500, 1).data(), None),
        ("PauseChanged", pause(0, 0).data(), Some(AnnouncementKind::Unpaused)),
    ]
}

#[test]
fn every_event_has_its_announcement_kind_or_none() {
    for (name, payload, kind) in every_event() {
        assert_eq!(describe(&payload).kind, name);
        let said = announced(&payload).map(|(a, d)| {
            assert_eq!(d.event.as_deref(), Some(name));
            AnnouncementKind::from_name(&a.kind).unwrap()
        });
        assert_eq!(said, kind, "{name}");
    }
    assert_eq!(announced(&[1, 2, 3]), None, "what this build cannot read");
}

#[test]
fn every_event_of_the_idl_is_covered() {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../idl/upgrade_manager.json");
    let idl: Value = serde_json::from_str(&std::fs::read_to_string(root).unwrap()).unwrap();
    let named = |v: &Value| v["name"].as_str().unwrap().to_owned();
    let all: BTreeSet<String> = idl["events"].as_array().unwrap().iter().map(named).collect();
    let here: BTreeSet<String> = every_event().into_iter().map(|(n, ..)| n.to_owned()).collect();
    assert_eq!(here, all);
}

#[test]
fn votes_after_the_threshold_are_not_announced_again() {
    use ProposalStatus::Timelocked;
    let said = |payload: Vec<u8>| announced(&payload).unwrap();
    let id = |payload: Vec<u8>| said(payload).0.event_id;
    let first = id(vote(Choice::Approve, Timelocked, 99).data());
    assert_eq!(
        id(VoteCast { approvals: 4, ..vote(Choice::Approve, Timelocked, 99) }.data()),
        first
    );
    assert_eq!(id(vote(Choice::Reject, Timelocked, 99).data()), first);
    assert_ne!(id(vote(Choice::Approve, Timelocked, 100).data()), first, "approved once more");
    assert_eq!(id(rollback(true, 3).data()), id(rollback(true, 4).data()));
    assert_ne!(id(pause(500, 0).data()), id(pause(501, 0).data()));
    let (paused, detail) = said(pause(500, 0).data());
    assert_eq!(Some(hex::encode(paused.event_id)), detail.hash, "an event of its own");
}

#[test]
fn details_come_from_the_event() {
    let by_kind = |kind: AnnouncementKind, event: &str| {
        let (_, payload, _) = every_event()
            .into_iter()
            .find(|(name, _, k)| *k == Some(kind) && *name == event)
            .unwrap();
        announced(&payload).unwrap().1
    };
    let d = by_kind(AnnouncementKind::Created, "ProposalCreated");
    assert_eq!((d.id, d.version, d.action.as_deref()), (Some(3), Some(2), Some("Upgrade")));
    assert_eq!((d.program, d.actor), (Some(PROGRAM.to_string()), Some(MEMBER.to_string())));
    let d = by_kind(AnnouncementKind::Created, "GovernanceProposed");
    assert_eq!((d.id, d.action.as_deref(), d.program), (Some(4), Some("Dissolve"), None));
    assert_eq!(by_kind(AnnouncementKind::Approved, "VoteCast").eta, Some(99));
    assert_eq!(by_kind(AnnouncementKind::Paused, "PauseChanged").eta, Some(500));
    assert_eq!(by_kind(AnnouncementKind::RolledBack, "ProgramRolledBack").version, Some(1));
    let multisig = VoteCast {
        program: Pubkey::default(),
        ..vote(Choice::Reject, ProposalStatus::Rejected, 0)
    };
    assert_eq!(announced(&multisig.data()).unwrap().1.program, None, "zero is no program");
}
