//! The rows of every figure: version records of one program, the same in every run.
use anchor_lang::AccountSerialize as _;
use anyhow::Result;
use indexer::{Update, account::decode};
use solana_pubkey::Pubkey;
use upgrade_manager::state::{AccountStatus, AccountVersion};

/// The manager program.
pub const PROGRAM_ID: Pubkey = upgrade_manager::ID;
/// Slot of the snapshot.
pub const SLOT: u64 = 1_000;

/// A pseudo-random number, different for each `n` (SplitMix64).
pub fn scattered(n: u64) -> u64 {
    let mut z = n.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

fn key(of: u64) -> Pubkey {
    let mut bytes = [0; 32];
    for (part, n) in bytes.chunks_exact_mut(8).zip(0..) {
        part.copy_from_slice(&scattered(of.wrapping_mul(4).wrapping_add(n)).to_le_bytes());
    }
    Pubkey::new_from_array(bytes)
}

/// Address of record `n`.
pub fn address(n: u64) -> Pubkey {
    key(n)
}

/// Record `n` in its `round`th state, with a `stamp` that [`stamp`] reads back.
pub fn record(n: u64, round: u64, stamp: u64) -> Result<Vec<u8>> {
    let statuses = [AccountStatus::Pending, AccountStatus::Migrated, AccountStatus::Verified];
    let at = usize::try_from(round.wrapping_add(n) % 3).unwrap_or_default();
    let account = AccountVersion {
        layout: 1,
        bump: 255,
        program: key(u64::MAX / 8),
        account: key(n.wrapping_add(1 << 40)),
        status: statuses.get(at).copied().unwrap_or(AccountStatus::Pending),
        version: 2,
        previous_version: 1,
        old_hash: key(n.wrapping_add(1 << 41)).to_bytes(),
        new_hash: key(n.wrapping_add(round << 42)).to_bytes(),
        old_len: 165,
        new_len: 197,
        touched: false,
        proposal: key(u64::MAX / 16),
        slot: SLOT,
        rent_paid: stamp,
        rent_payer: key(7),
        payer: key(8),
    };
    let mut bytes = vec![];
    account.try_serialize(&mut bytes)?;
    Ok(bytes)
}

/// The stamp in a record's bytes, found from the end: the fields after it have a fixed length.
pub fn stamp(record: &[u8]) -> Option<u64> {
    let at = record.len().checked_sub(32 + 32 + 8)?;
    Some(u64::from_le_bytes(record.get(at..at.checked_add(8)?)?.try_into().ok()?))
}

/// The decoded update for `data` of record `n` at `(slot, write_version)`.
pub fn update(n: u64, data: Vec<u8>, slot: u64, write_version: u64) -> Result<Update> {
    let raw = decode::Raw { pubkey: address(n), owner: PROGRAM_ID, slot, write_version, data };
    decode::decode(&PROGRAM_ID, raw).map_err(|bad| anyhow::anyhow!("{}", bad.error))
}

/// The first `count` records as a snapshot returns them.
pub fn snapshot(count: u64) -> Result<Vec<Update>> {
    (0..count).map(|n| update(n, record(n, 0, 0)?, SLOT, 0)).collect()
}
