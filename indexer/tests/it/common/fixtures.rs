//! Accounts as on chain, made with the program's own types.
use anchor_lang::AccountSerialize;
use indexer::{Update, account::decode};
use solana_pubkey::Pubkey;
pub use upgrade_manager::fixtures::key;
use upgrade_manager::{
    fixtures,
    state::{
        AccountBackup, AccountStatus, AccountVersion, Action, Ballot, BufferAttestation,
        BufferRole, Choice, Counters, GovernanceProposal, GovernanceTerms, LenRange, Manifest,
        MultisigConfig, MultisigRules, PinnedElf, ProgramUpgradeState, ProposalStatus, Source,
        Terms, TypeRule, UpgradeProposal, Vote,
    },
};

/// The zero run, which may write before the first run of a store.
pub const RUN: indexer::Run = indexer::Run { id: 0, snapshot_slot: 0, root_slot: 0 };

pub const PROGRAM_ID: Pubkey = upgrade_manager::ID;

pub fn bytes(account: &impl AccountSerialize) -> Vec<u8> {
    let mut out = vec![];
    account.try_serialize(&mut out).unwrap();
    out
}

pub fn multisig() -> MultisigConfig {
    let rules =
        MultisigRules { threshold: 2, guardian: Some(key(7)), ..fixtures::rules((1..=3).map(key)) };
    MultisigConfig {
        next_proposal: 1,
        programs: 1,
        open_proposals: 1,
        ..MultisigConfig::new(rules, (key(9), 255), key(1), 3).unwrap()
    }
}

fn terms() -> Terms {
    let elf = |n| PinnedElf { len: 900, trimmed_len: 880, ..fixtures::elf(n) };
    let range = LenRange { min: 60, max: 90 };
    let rule = TypeRule {
        discriminator: [3; 8],
        old_len: range,
        new_len: range,
        ..fixtures::type_rule(60, 90)
    };
    Terms {
        multisig: key(40),
        config_epoch: 3,
        program: key(50),
        program_data: key(51),
        upgrade: elf(70),
        rollback: elf(71),
        type_rules: vec![rule],
        manifest: Manifest { root: [4; 32], count: 200 },
        source: Source { link: "https://example.org/r".into(), ..Source::default() },
        ..fixtures::terms(1_710_000_000)
    }
}

pub fn program(version: u16) -> ProgramUpgradeState {
    ProgramUpgradeState {
        bump: 254,
        authority_bump: 253,
        migrator_bump: 252,
        version,
        elf_hash: [7; 32],
        previous_elf_hash: [6; 32],
        executed_slot: 5,
        executed_at: 1_700_000_000,
        counters: Counters { total: 200, migrated: 3, ..Counters::default() },
        payer: key(1),
        ..fixtures::program_state(&terms(), key(60))
    }
}

pub fn proposal(status: ProposalStatus) -> UpgradeProposal {
    let by = (key(1), key(1));
    let made = UpgradeProposal::new(terms(), 251, by, &multisig(), 1_700_000_000).unwrap();
    let vote = Vote { member: key(2), choice: Choice::Approve, at: 1_700_000_100 };
    UpgradeProposal {
        status,
        digest: [5; 32],
        ballot: Ballot { votes: vec![vote], ..Ballot::default() },
        ..made
    }
}

pub fn attestation() -> BufferAttestation {
    BufferAttestation {
        layout: 1,
        bump: 250,
        buffer: key(70),
        program: key(50),
        role: BufferRole::Upgrade,
        len: 900,
        trimmed_len: 880,
        sha256: [70; 32],
        attested: true,
        attested_slot: 4,
        proposal: Some(key(60)),
        refund: key(1),
        payer: key(1),
        chunks: 0,
        accumulator: [0; 32],
        reserved: [0; 12],
    }
}

/// A proposal that raises the multisig's timelock.
pub fn governance(status: ProposalStatus) -> GovernanceProposal {
    let config = multisig();
    let mut rules = config.rules();
    rules.timelock += 3_600;
    let terms = GovernanceTerms {
        id: 1,
        genesis_hash: [1; 32],
        multisig: key(40),
        config_epoch: config.config_epoch,
        expires_at: 1_701_000_000,
        note: "longer".into(),
        action: Action::ConfigChange(rules),
    };
    let by = (key(1), key(2));
    let made = GovernanceProposal::new(terms, 200, by, &config, 1_700_000_000).unwrap();
    GovernanceProposal { status, ..made }
}

/// The backup of account `n`, made for the proposal at `key(60)`, of bytes `7`.
pub fn backup(n: u8) -> AccountBackup {
    let bytes = vec![7; 300];
    let of = (key(50), key(n), key(60));
    AccountBackup { bytes: bytes.clone(), ..AccountBackup::new(of, sha256(&bytes), key(1), 201) }
}

fn sha256(bytes: &[u8]) -> [u8; 32] {
    use sha2::{Digest, Sha256};
    Sha256::digest(bytes).into()
}

/// The version record of account `n` with `status`, of the proposal at `key(60)`.
pub fn record(n: u8, status: AccountStatus) -> AccountVersion {
    AccountVersion {
        layout: 1,
        bump: 249,
        program: key(50),
        account: key(n),
        status,
        version: 2,
        previous_version: 1,
        old_hash: [n; 32],
        new_hash: [n.wrapping_add(1); 32],
        old_len: 60,
        new_len: 90,
        touched: false,
        proposal: key(60),
        slot: 12,
        rent_paid: 208_800,
        rent_payer: key(1),
        payer: key(1),
    }
}

/// The decoded update for `data` at `address`.
pub fn update(address: Pubkey, slot: u64, write_version: u64, data: Vec<u8>) -> Update {
    let raw = decode::Raw { pubkey: address, owner: PROGRAM_ID, slot, write_version, data };
    decode::decode(&PROGRAM_ID, raw).unwrap()
}

/// The update for the record of account `n` at address `key(n)`.
pub fn record_update(n: u8, status: AccountStatus, slot: u64, write_version: u64) -> Update {
    update(key(n), slot, write_version, bytes(&record(n, status)))
}
