//! A row of the mirror with every column, for checking the mirror against itself.
use solana_pubkey::Pubkey;

/// One row of `accounts`, live or closed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FullRow {
    /// Address.
    pub pubkey: Pubkey,
    /// Name of the account type.
    pub kind: String,
    /// The target program, where there is one.
    pub program: Option<Pubkey>,
    /// The proposal it belongs to, where there is one.
    pub proposal: Option<Pubkey>,
    /// The account, buffer or multisig it is about, where there is one.
    pub account: Option<Pubkey>,
    /// Name of its status, phase or role.
    pub status: Option<String>,
    /// Version it holds, or leads to.
    pub version: Option<i64>,
    /// sha256 of the bytes.
    pub data_hash: [u8; 32],
    /// The bytes.
    pub raw: Vec<u8>,
    /// Slot of that state.
    pub slot: u64,
    /// Order within the slot.
    pub write_version: u64,
    /// Slot at which it was found closed.
    pub closed_slot: Option<u64>,
    /// Checksum over `slot`, `write_version` and `closed_slot`. A generated column: the database
    /// computes it whenever it writes the row.
    pub position_checksum: u64,
}

impl FullRow {
    /// The correct `position_checksum`: the same expression as in the migrations. Numbers are reduced
    /// modulo a prime, so a change of any single byte changes the sum.
    #[must_use]
    pub fn expected_position_checksum(&self) -> u64 {
        const PRIME: u64 = 65_521;
        const BASE: u64 = 65_537;
        let closed = self.closed_slot.map_or(0, |slot| (slot % PRIME).saturating_add(1));
        (self.slot % PRIME)
            .saturating_mul(BASE * BASE)
            .saturating_add((self.write_version % PRIME).saturating_mul(BASE))
            .saturating_add(closed)
    }
}
