//! Controls on code, buffers and roll-forwards that no test in `attacks` reaches.
use e2e::{
    attack::swap,
    elf,
    keys::{address, key},
    world::{APPROVERS, Stage, TIMELOCK, World},
};
use solana_loader_v3_interface::instruction::set_buffer_authority;
use solana_pubkey::Pubkey;
use solana_signer::Signer;
use upgrade_manager::{
    error::ManagerError,
    instructions::ProposeArgs,
    seeds,
    state::{BufferRole, ProposalKind, ProposalStatus},
};

/// Length of a buffer that is hashed in three chunks.
const CHUNKED_LEN: usize = 2 * 1024 * 1024 + 4_096;

/// A frozen buffer, too large for one transaction to hash.
fn large(role: BufferRole) -> World {
    let mut w = World::at(Stage::Registered);
    w.upload("large", elf::v2());
    let buffer = w.buffer_key("large").pubkey();
    w.chain.tamper(&buffer, |data| data.resize(37 + CHUNKED_LEN, 7));
    w.freeze("large", role);
    w
}

#[test]
fn a_large_buffer_is_attested_chunk_by_chunk_in_order_and_once() {
    let mut w = large(BufferRole::Upgrade);
    let (whole, chunk) = (w.attest_ix("large"), w.attest_chunk_ix("large"));
    w.attack(ManagerError::NeedsChunks, &[whole.clone()], &[]);
    w.passes(&[chunk.clone()], &[]);
    // A length that differs from the first chunk's.
    let buffer = w.buffer_key("large").pubkey();
    let mut other = w.clone();
    other.chain.tamper(&buffer, |data| data[37 + CHUNKED_LEN - 1] = 0);
    let shorter = other.attest_chunk_ix("large");
    other.attack(ManagerError::TrimmedLength, &[shorter], &[]);
    w.passes(&[chunk.clone()], &[]);
    assert!(!w.attestation("large").attested);
    w.passes(&[chunk.clone()], &[]);
    let known = w.attestation("large");
    let code = &w.chain.data(&buffer)[37..];
    assert_eq!(
        (known.attested, known.sha256),
        (true, upgrade_manager::state::elf::code_hash(code).unwrap())
    );
    w.attack(ManagerError::AlreadyAttested, &[chunk], &[]);
    w.attack(ManagerError::AlreadyAttested, &[whole], &[]);

    let mut w = large(BufferRole::Rollback);
    let chunk = w.attest_chunk_ix("large");
    for _ in 0..3 {
        w.passes(&[chunk.clone()], &[]);
    }
    w.attack(ManagerError::ChunkOutOfOrder, &[chunk], &[]);
    // Hashed chunks alone do not prove that it is the running code.
    let back = w.attest_rollback_ix("large");
    w.attack(ManagerError::RollbackNotLive, &[back], &[]);

    let mut w = World::at(Stage::Registered);
    w.upload("small", elf::v2());
    w.freeze("small", BufferRole::Upgrade);
    let chunk = w.attest_chunk_ix("small");
    w.attack(ManagerError::NotChunked, &[chunk], &[]);
    w.attest("small");
}

#[test]
fn surplus_lamports_do_not_go_to_an_account_of_the_upgrade() {
    let program_data = backend::instructions::program_data_address(&demo_vault::ID);
    let own = World::at(Stage::Deployed);
    let buffer = |name: &str| own.buffer_key(name).pubkey();
    let authority = seeds::authority(&demo_vault::ID).0;
    let lost = [demo_vault::ID, program_data, buffer("upgrade"), buffer("rollback"), authority];
    for treasury in lost {
        let mut w = World::with_multisig(|rules| rules.treasury = treasury);
        let propose = w.propose_ix("anna", w.propose_args());
        w.attack(ManagerError::SpillTarget, &[propose], &["anna", "payer"]);
    }
    World::with_multisig(|rules| rules.treasury = address("other-treasury")).propose();
}

#[test]
fn the_oldest_version_is_not_above_the_running_one() {
    let mut w = World::at(Stage::Attested);
    let args = |oldest_version| ProposeArgs { oldest_version, ..w.propose_args() };
    let (newer, same) = (args(2), args(1));
    let propose = w.propose_ix("anna", newer);
    w.attack(ManagerError::OldestVersion, &[propose], &["anna", "payer"]);
    let propose = w.propose_ix("anna", same);
    w.passes(&[propose], &["anna", "payer"]);
}

fn forward(w: &World) -> ProposeArgs {
    ProposeArgs { kind: ProposalKind::RollForward, to_version: 3, ..w.propose_args() }
}

#[test]
fn a_roll_forward_supersedes_only_the_unfinished_upgrade() {
    let who = ["anna", "payer"];
    let mut steady = World::at(Stage::Attested);
    let propose = steady.propose_ix("anna", forward(&steady));
    steady.attack(ManagerError::RollForward, &[propose], &who);

    let mut w = World::at(Stage::Migrated);
    let unfinished = w.proposal_address();
    w.stage_upgrade("upgrade-2", elf::v2());
    w.stage_rollback("rollback-2", elf::v2());
    let plain = ProposeArgs { kind: ProposalKind::Upgrade, ..forward(&w) };
    let propose = w.propose_with_ix("anna", plain, "upgrade-2", "rollback-2");
    w.attack(ManagerError::LiveProposal, &[propose], &who);
    let propose = w.propose_with_ix("anna", forward(&w), "upgrade-2", "rollback-2");
    let id = w.config().next_proposal;
    w.passes(&[propose], &who);
    w.stage_upgrade("upgrade-3", elf::v2());
    w.stage_rollback("rollback-3", elf::v2());
    let second = w.propose_with_ix("ben", forward(&w), "upgrade-3", "rollback-3");
    w.attack(ManagerError::RollForward, &[second], &["ben", "payer"]);
    w.id = id;
    w.approve_by(&APPROVERS[..2]);
    let execute = w.execute_ix("dan");
    w.attack(ManagerError::NotTimelocked, &[execute.clone()], &["dan"]);
    w.approve_by(&APPROVERS[2..]);
    w.attack(ManagerError::TimelockNotOver, &[execute.clone()], &["dan"]);
    w.chain.pass(i64::from(TIMELOCK));
    for wrong in [upgrade_manager::ID, w.proposal_address(), w.multisig(), address("nobody")] {
        let ix = swap(&execute, &unfinished, &wrong);
        w.attack(ManagerError::WrongAccount, &[ix], &["dan"]);
    }
    w.passes(&[execute], &["dan"]);
    assert_eq!(w.state().version, 3);
    w.id = id - 1;
    assert_eq!(w.proposal().status, ProposalStatus::Superseded);
    let vote = w.approve_rollback_ix("anna", false);
    w.attack(ManagerError::NotExecuted, &[vote], &["anna"]);
}

#[test]
fn a_buffer_handed_over_unasked_goes_to_the_treasury_by_an_executor() {
    let mut w = World::at(Stage::Registered);
    w.upload("stray", elf::v1());
    let (at, dev) = (w.buffer_key("stray").pubkey(), key("dev"));
    let early = w.reclaim_ix("dan", "stray");
    w.attack(ManagerError::BufferNotFrozen, &[early.clone()], &["dan"]);
    let holder = seeds::authority(&demo_vault::ID).0;
    w.passes(&[set_buffer_authority(&at, &dev.pubkey(), &holder)], &["dev"]);
    let outside = w.reclaim_ix("stranger", "stray");
    w.attack(ManagerError::NotAMember, &[outside], &["stranger"]);
    let pocket: Pubkey = address("stranger");
    let theft = swap(&early, &address("treasury"), &pocket);
    w.attack(ManagerError::WrongAccount, &[theft], &["dan"]);
    let (rent, had) = (w.chain.lamports(&at), w.chain.lamports(&address("treasury")));
    w.passes(&[early], &["dan"]);
    assert_eq!(w.chain.lamports(&address("treasury")), had + rent);
}
