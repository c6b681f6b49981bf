//! Version records that no migration made, to put a mirror under load. Address and content of a record
//! depend on its number alone, so that a test knows what must be there.
use anchor_lang::AccountSerialize;
use solana_pubkey::Pubkey;
use upgrade_manager::state::{AccountStatus, AccountVersion, LAYOUT};

/// The largest number of records that the sandbox makes.
pub const MAX_RECORDS: u32 = 1_000_000;
/// Lamports of each: more than the rent of its bytes.
pub const LAMPORTS: u64 = 4_000_000;

/// Address of record `n`. Spread over all addresses, as derived ones are.
#[must_use]
pub fn address(n: u32) -> Pubkey {
    let mut bytes = [7; 32];
    let (first, _) = bytes.split_at_mut(4);
    // Multiplying by an odd factor gives every number another address.
    first.copy_from_slice(&n.wrapping_mul(2_654_435_761).to_be_bytes());
    Pubkey::new_from_array(bytes)
}

/// Bytes of the record with content `n`: a third each is pending, migrated and verified.
///
/// # Errors
/// Never: the type writes itself into memory.
pub fn bytes(n: u32) -> anchor_lang::Result<Vec<u8>> {
    let status = match n % 3 {
        0 => AccountStatus::Pending,
        1 => AccountStatus::Migrated,
        _ => AccountStatus::Verified,
    };
    let record = AccountVersion {
        layout: LAYOUT,
        bump: 255,
        program: demo_vault::ID,
        account: address(!n),
        status,
        version: 2,
        previous_version: 1,
        old_hash: [1; 32],
        new_hash: [2; 32],
        old_len: 80,
        new_len: 96,
        touched: false,
        proposal: demo_vault::ID,
        slot: u64::from(n),
        rent_paid: 0,
        rent_payer: demo_vault::ID,
        payer: demo_vault::ID,
    };
    let mut out = vec![];
    record.try_serialize(&mut out)?;
    Ok(out)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_record_has_an_address_of_its_own_and_reads_as_one() {
        use anchor_lang::AccountDeserialize;

        let all: BTreeSet<Pubkey> = (0..10_000).map(address).collect();
        assert_eq!(all.len(), 10_000);
        let read = AccountVersion::try_deserialize(&mut &*bytes(4).unwrap()).unwrap();
        assert_eq!((read.slot, read.status), (4, AccountStatus::Migrated));
    }
}
