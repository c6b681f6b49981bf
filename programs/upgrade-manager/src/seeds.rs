//! Seeds of every address that the manager derives. Each kind has a prefix of its own, and the
//! seeds behind a prefix have a fixed length, so no two kinds and no two ids share an address.
use anchor_lang::prelude::*;
use solana_sha256_hasher::hashv;

use crate::ID;

/// `[MULTISIG, create_key]`.
pub const MULTISIG: &[u8] = b"multisig";
/// `[PROGRAM, program id]`.
pub const PROGRAM: &[u8] = b"program";
/// `[AUTHORITY, program id]`: signs loader CPIs only, never passed to a target.
pub const AUTHORITY: &[u8] = b"authority";
/// `[MIGRATOR, program id]`: signs CPIs into the target only.
pub const MIGRATOR: &[u8] = migration_interface::MIGRATOR_SEED;
/// `[PROPOSAL, program id, multisig, id as u64 LE]`: every multisig counts its ids from 0.
pub const PROPOSAL: &[u8] = b"proposal";
/// `[GOVERNANCE, multisig, id as u64 LE]`.
pub const GOVERNANCE: &[u8] = b"governance";
/// `[VERSION, program id, account]`.
pub const VERSION: &[u8] = b"version";
/// `[BACKUP, program id, account]`.
pub const BACKUP: &[u8] = b"backup";
/// `[ATTESTATION, buffer]`.
pub const ATTESTATION: &[u8] = b"attestation";
/// `[EVENT_AUTHORITY]`: Anchor's signer of `emit_cpi!`.
pub const EVENT_AUTHORITY: &[u8] = b"__event_authority";

/// The program Squads v4.
pub const SQUADS: Pubkey = pubkey!("SQDS4ep65T869zMMBKyuUq6aD6EgTu8psMjkvj52pCf");

/// The text that the runtime hashes behind the seeds of an address.
const MARKER: &[u8] = b"ProgramDerivedAddress";

/// The address of up to four `seeds` and `bump`. Does not check that the address is off the curve,
/// which the runtime charges 1,500 compute units for: the bump was checked when the address was
/// first derived, and is stored.
#[must_use]
pub fn derive_address(seeds: &[&[u8]], bump: u8) -> Pubkey {
    let bump = [bump];
    let [a, b, c, d, bump] = signer_seeds(seeds, &bump);
    Pubkey::new_from_array(hashv(&[a, b, c, d, bump, ID.as_ref(), MARKER]).to_bytes())
}

/// Up to four `seeds` and a bump, in the form that `invoke_signed` takes. A missing seed is empty,
/// which changes no address.
#[must_use]
pub fn signer_seeds<'a>(seeds: &[&'a [u8]], bump: &'a [u8; 1]) -> [&'a [u8]; 5] {
    let seed = |at: usize| seeds.get(at).copied().unwrap_or_default();
    [seed(0), seed(1), seed(2), seed(3), bump]
}

/// Address and bump of the multisig made with `create_key`.
#[must_use]
pub fn multisig(create_key: &Pubkey) -> (Pubkey, u8) {
    Pubkey::find_program_address(&[MULTISIG, create_key.as_ref()], &ID)
}

/// Address and bump of the state of `program`.
#[must_use]
pub fn program_state(program: &Pubkey) -> (Pubkey, u8) {
    Pubkey::find_program_address(&[PROGRAM, program.as_ref()], &ID)
}

/// Address and bump that holds the upgrade authority of `program`.
#[must_use]
pub fn authority(program: &Pubkey) -> (Pubkey, u8) {
    Pubkey::find_program_address(&[AUTHORITY, program.as_ref()], &ID)
}

/// Address and bump that signs migrations into `program`.
#[must_use]
pub fn migrator(program: &Pubkey) -> (Pubkey, u8) {
    Pubkey::find_program_address(&[MIGRATOR, program.as_ref()], &ID)
}

/// Address and bump of proposal `id` of `multisig` to upgrade `program`.
#[must_use]
pub fn proposal(program: &Pubkey, multisig: &Pubkey, id: u64) -> (Pubkey, u8) {
    let id = id.to_le_bytes();
    Pubkey::find_program_address(&[PROPOSAL, program.as_ref(), multisig.as_ref(), &id], &ID)
}

/// Address and bump of proposal `id` of `multisig` about the multisig or who holds a program.
#[must_use]
pub fn governance(multisig: &Pubkey, id: u64) -> (Pubkey, u8) {
    Pubkey::find_program_address(&[GOVERNANCE, multisig.as_ref(), &id.to_le_bytes()], &ID)
}

/// Address and bump of the version record of `account` of `program`.
#[must_use]
pub fn account_version(program: &Pubkey, account: &Pubkey) -> (Pubkey, u8) {
    Pubkey::find_program_address(&[VERSION, program.as_ref(), account.as_ref()], &ID)
}

/// Address and bump of the backup of `account` of `program`.
#[must_use]
pub fn backup(program: &Pubkey, account: &Pubkey) -> (Pubkey, u8) {
    Pubkey::find_program_address(&[BACKUP, program.as_ref(), account.as_ref()], &ID)
}

/// Address and bump of the attestation of `buffer`.
#[must_use]
pub fn attestation(buffer: &Pubkey) -> (Pubkey, u8) {
    Pubkey::find_program_address(&[ATTESTATION, buffer.as_ref()], &ID)
}

/// The address of vault `index` of the Squads multisig `multisig`.
#[must_use]
pub fn squads_vault(multisig: &Pubkey, index: u8) -> Pubkey {
    let seeds = [&b"multisig"[..], multisig.as_ref(), b"vault", &[index]];
    Pubkey::find_program_address(&seeds, &SQUADS).0
}

/// Address that signs the manager's own event CPIs.
#[must_use]
pub fn event_authority() -> Pubkey {
    Pubkey::find_program_address(&[EVENT_AUTHORITY], &ID).0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn derived_addresses_equal_the_runtimes() {
        let (program, account) = (Pubkey::new_from_array([3; 32]), Pubkey::new_from_array([4; 32]));
        let (state, record) = (program_state(&program), account_version(&program, &account));
        assert_eq!(derive_address(&[PROGRAM, program.as_ref()], state.1), state.0);
        let seeds = [VERSION, program.as_ref(), account.as_ref()];
        assert_eq!(derive_address(&seeds, record.1), record.0);
        assert_ne!(derive_address(&seeds, record.1.wrapping_sub(1)), record.0);
        let (longest, bump) = proposal(&program, &account, 7);
        let seeds_of_it = [PROPOSAL, program.as_ref(), account.as_ref(), &7u64.to_le_bytes()];
        assert_eq!(derive_address(&seeds_of_it, bump), longest);
        let bump = [record.1];
        let signed = Pubkey::create_program_address(&signer_seeds(&seeds, &bump), &ID).unwrap();
        assert_eq!(signed, record.0);
    }

    #[test]
    fn squads_vaults_equal_the_official_sdks() {
        // squads create_key of 32 times 7: multisig and vault 0 as the TypeScript SDK 2.1.4 prints
        // them.
        let multisig = pubkey!("EL91oYPRjUKLnFif8X7mizqHbEMZjwV1CWm9z6aaj1pT");
        assert_eq!(
            squads_vault(&multisig, 0),
            pubkey!("7W2knopF17mjUkwXLHbeh9CTZnEAayggHcohdRgKHAAP")
        );
        assert_ne!(squads_vault(&multisig, 1), squads_vault(&multisig, 0));
    }
}
