//! Compares proposals, buffers and accounts on the chain with those of the model.
use std::collections::BTreeMap;

use upgrade_manager::state::{
    AccountStatus, AccountVersion, Ballot, BufferAttestation, BufferRole, Choice,
    GovernanceProposal, ProposalStatus, UpgradeProposal,
};

use super::{
    check::{Differences, key_at, read},
    drive::Pair,
    op::{BUFFERS, PROGRAMS, Role, VAULT_COUNT},
    program::{Attestation, Content, Holder, Record, Standing},
    voting::{Proposal, Status, Upgrade, VotingModel},
    wire::LOADER,
};

fn status(status: Status) -> ProposalStatus {
    match status {
        Status::Active => ProposalStatus::Active,
        Status::Timelocked => ProposalStatus::Timelocked,
        Status::Executed => ProposalStatus::Executed,
        Status::Migrating => ProposalStatus::Migrating,
        Status::Completed => ProposalStatus::Completed,
        Status::Rejected => ProposalStatus::Rejected,
        Status::Cancelled => ProposalStatus::Cancelled,
        Status::Expired => ProposalStatus::Expired,
        Status::RolledBack => ProposalStatus::RolledBack,
        Status::Superseded => ProposalStatus::Superseded,
    }
}

pub(super) fn compare_proposals(d: &mut Differences, pair: &Pair) {
    for (id, model) in &pair.model.proposals {
        let (at, key) = (format!("{id:?}"), pair.keys.proposal(*id));
        match model {
            Proposal::Upgrade(model) => match read::<UpgradeProposal>(&pair.chain, &key) {
                Some(chain) => compare_upgrade(d, &at, &chain, model),
                None => d.found.push(format!("{at} is not there")),
            },
            Proposal::Multisig(model) => match read::<GovernanceProposal>(&pair.chain, &key) {
                Some(chain) => {
                    let epoch = chain.terms.config_epoch;
                    let head = (chain.status, chain.proposed_at, chain.terms.expires_at, epoch);
                    let approved = (chain.approved_at, chain.approved_slot);
                    let times = (approved, chain.eta, chain.window_end);
                    let executed = (chain.executed_at, chain.executed_slot);
                    let voting = &model.voting;
                    compare_course(d, &at, head, times, executed, voting);
                    compare_ballot(d, &at, &chain.ballot, voting);
                    d.same(&at, d.person(&chain.proposer), voting.proposer);
                }
                None => d.found.push(format!("{at} is not there")),
            },
        }
    }
    // A closed proposal has no account.
    for id in pair.archive.digests.keys().filter(|id| !pair.model.proposals.contains_key(id)) {
        let there = pair.chain.lamports(&pair.keys.proposal(*id)) > 0;
        d.same(&format!("{id:?} is there"), there, false);
    }
}

fn compare_course(
    d: &mut Differences,
    at: &str,
    head: (ProposalStatus, i64, i64, u64),
    times: ((i64, u64), i64, i64),
    executed: (i64, u64),
    model: &VotingModel,
) {
    let expected = (status(model.status), model.proposed_at, model.expires_at, model.epoch);
    d.same(&format!("{at} status, proposed, expires, epoch"), head, expected);
    let expected = (model.approved, model.eta, model.window_end);
    d.same(&format!("{at} approved, eta, window"), times, expected);
    d.same(&format!("{at} executed"), executed, model.executed);
}

fn compare_ballot(d: &mut Differences, at: &str, chain: &Ballot, model: &VotingModel) {
    let votes: BTreeMap<_, _> = chain
        .votes
        .iter()
        .map(|v| (d.person(&v.member), (v.choice == Choice::Approve, v.at)))
        .collect();
    d.same(&format!("{at} votes"), &votes, &model.votes);
    d.same(&format!("{at} number of votes"), chain.votes.len(), votes.len());
    let mut cancel: Vec<_> = chain.cancel.iter().map(|key| d.person(key)).collect();
    cancel.sort_unstable();
    d.same(&format!("{at} cancel"), cancel, model.cancel.iter().copied().collect());
}

fn compare_upgrade(d: &mut Differences, at: &str, chain: &UpgradeProposal, model: &Upgrade) {
    let terms = &chain.terms;
    let head = (chain.status, chain.proposed_at, terms.expires_at, terms.config_epoch);
    let approved = (chain.approved_at, chain.approved_slot);
    let executed = (chain.executed_at, chain.executed_slot);
    let times = (approved, chain.eta, chain.window_end);
    compare_course(d, at, head, times, executed, &model.voting);
    compare_ballot(d, at, &chain.ballot, &model.voting);
    d.same(&format!("{at} proposer"), d.person(&chain.proposer), model.voting.proposer);
    let back: BTreeMap<_, _> =
        chain.ballot.rollback.iter().map(|v| (d.person(&v.member), v.give_up)).collect();
    d.same(&format!("{at} rollback votes"), &back, &model.back);
    let rollback = (chain.rollback_until, chain.rollback_approved_at);
    d.same(&format!("{at} rollback"), rollback, (model.rollback_until, model.rollback_at));
    let versions = (terms.from_version, terms.to_version, terms.manifest.count as usize);
    d.same(&format!("{at} terms"), versions, (model.from, model.to, model.manifest.len()));
    let buffers = (terms.upgrade.buffer, terms.rollback.buffer);
    let expected = (d.keys.buffer(model.upgrade.buffer), d.keys.buffer(model.rollback.buffer));
    d.same(&format!("{at} buffers"), buffers, expected);
    d.same(&format!("{at} spill"), d.person(&terms.spill), model.spill);
}

pub(super) fn compare_buffers(d: &mut Differences, pair: &Pair) {
    for id in 0..BUFFERS {
        let at = format!("buffer {id}");
        let (key, model) = (pair.keys.buffer(id), pair.model.buffers.get(&id));
        let there = pair.chain.account(&key).filter(|a| a.owner == LOADER);
        d.same(&format!("{at} is there"), there.is_some(), model.is_some());
        if let (Some(account), Some(model)) = (there, model) {
            let holder = match model.holder {
                Holder::Manager(program) => pair.keys.authority(program),
                Holder::Person(who) => pair.keys.person(who),
            };
            let authority = key_at(&account.data, 5);
            d.same(&format!("{at} authority"), authority, holder);
        }
        let there: Option<BufferAttestation> = read(&pair.chain, &pair.keys.attestation(id));
        match (there, pair.model.attestations.get(&id)) {
            (Some(chain), Some(model)) => compare_attestation(d, &at, &chain, model),
            (chain, model) => {
                d.same(&format!("attestation of {at}"), chain.is_some(), model.is_some());
            }
        }
    }
}

fn compare_attestation(
    d: &mut Differences,
    at: &str,
    chain: &BufferAttestation,
    model: &Attestation,
) {
    let role = match model.role {
        Role::Upgrade => BufferRole::Upgrade,
        Role::Rollback => BufferRole::Rollback,
    };
    d.same(&format!("{at} role"), chain.role, role);
    let program = d.keys.program(model.program);
    d.same(&format!("{at} program"), chain.program, program);
    d.same(&format!("{at} attested"), chain.attested, model.attested);
    d.same(&format!("{at} chunks"), chain.chunks, model.chunks);
    d.same(&format!("{at} proposal"), chain.proposal, d.proposal(model.proposal));
    d.same(&format!("{at} refund"), d.person(&chain.refund), model.refund);
}

pub(super) fn compare_vaults(d: &mut Differences, pair: &Pair) {
    for vault in 0..VAULT_COUNT {
        let at = format!("vault {vault}");
        let chain = pair.chain.account(&pair.keys.vault(vault)).filter(|a| !a.data.is_empty());
        let chain = chain.and_then(|account| content(&account.data));
        d.same(&at, chain, pair.model.vaults.get(&vault).copied());
        for program in 0..PROGRAMS {
            let at = format!("record of vault {vault} of program {program}");
            let there: Option<AccountVersion> =
                read(&pair.chain, &pair.keys.record(program, vault));
            match (there, pair.model.records.get(&(program, vault))) {
                (Some(chain), Some(model)) => compare_record(d, &at, &chain, model),
                (chain, model) => d.same(&at, chain.is_some(), model.is_some()),
            }
            let backup = pair.chain.lamports(&pair.keys.backup(program, vault)) > 0;
            let model = pair.model.backups.contains_key(&(program, vault));
            d.same(&format!("backup of vault {vault}"), backup, model);
        }
    }
}

/// A vault's content, from its bytes.
fn content(data: &[u8]) -> Option<Content> {
    // Discriminator, version, bump, owner, index, balance, deposits; then the fields of the second
    // layout.
    let layout = u16::from_le_bytes(*data.get(8..)?.first_chunk()?);
    Some(match layout {
        1 => {
            let deposits = u16::from_le_bytes(*data.get(55..)?.first_chunk()?);
            Content { layout, deposits: deposits.into(), changed_at: 0 }
        }
        _ => {
            let deposits = u64::from_le_bytes(*data.get(55..)?.first_chunk()?);
            let changed_at = i64::from_le_bytes(*data.get(63..)?.first_chunk()?);
            Content { layout, deposits, changed_at }
        }
    })
}

fn compare_record(d: &mut Differences, at: &str, chain: &AccountVersion, model: &Record) {
    let standing = match model.standing {
        Standing::Pending => AccountStatus::Pending,
        Standing::Migrated => AccountStatus::Migrated,
        Standing::Verified => AccountStatus::Verified,
        Standing::Restored => AccountStatus::Restored,
        Standing::Quarantined => AccountStatus::Quarantined,
        Standing::Closed => AccountStatus::Closed,
    };
    d.same(&format!("{at} status"), chain.status, standing);
    let versions = (chain.version, chain.previous_version);
    d.same(&format!("{at} versions"), versions, (model.version, model.previous_version));
    d.same(&format!("{at} touched"), chain.touched, model.touched);
    let by = model.by.map(|(id, _)| d.keys.proposal(id)).unwrap_or_default();
    d.same(&format!("{at} proposal"), chain.proposal, by);
    d.same(&format!("{at} payer"), d.person(&chain.payer), model.payer);
    let rent = model.rent_payer.map(|who| d.keys.person(who)).unwrap_or_default();
    d.same(&format!("{at} rent payer"), chain.rent_payer, rent);
}
