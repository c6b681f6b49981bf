//! The manager's accounts: read from the chain, decoded with the program's own types, and accepted only at
//! the address that their content derives.
pub mod governance;
pub mod proposal;

use anchor_lang::{AccountDeserialize, Discriminator};
use solana_pubkey::Pubkey;
use upgrade_manager::{
    seeds,
    state::{
        AccountBackup, AccountVersion, BufferAttestation, GovernanceProposal, MultisigConfig,
        ProgramUpgradeState, UpgradeProposal,
    },
};

use crate::{
    chain::{
        client::ChainClient,
        read::{Filter, RawAccount},
    },
    error::{BackendError, Result},
};

/// Where an [`AccountVersion`] and an [`AccountBackup`] hold their program: behind discriminator, layout and bump.
const RECORD_PROGRAM_AT: usize = 8 + 2;

/// An account of the manager whose content derives its only valid address.
pub trait CanonicalAddress {
    /// The canonical address.
    fn canonical_address(&self) -> Pubkey;
}

impl CanonicalAddress for UpgradeProposal {
    fn canonical_address(&self) -> Pubkey {
        seeds::proposal(&self.terms.program, &self.terms.multisig, self.terms.id).0
    }
}

impl CanonicalAddress for GovernanceProposal {
    fn canonical_address(&self) -> Pubkey {
        seeds::governance(&self.terms.multisig, self.terms.id).0
    }
}

impl CanonicalAddress for AccountBackup {
    fn canonical_address(&self) -> Pubkey {
        seeds::backup(&self.program, &self.account).0
    }
}

impl CanonicalAddress for MultisigConfig {
    fn canonical_address(&self) -> Pubkey {
        seeds::multisig(&self.create_key).0
    }
}

impl CanonicalAddress for ProgramUpgradeState {
    fn canonical_address(&self) -> Pubkey {
        seeds::program_state(&self.program).0
    }
}

impl CanonicalAddress for BufferAttestation {
    fn canonical_address(&self) -> Pubkey {
        seeds::attestation(&self.buffer).0
    }
}

impl CanonicalAddress for AccountVersion {
    fn canonical_address(&self) -> Pubkey {
        seeds::account_version(&self.program, &self.account).0
    }
}

/// The kind of the manager's account that holds `data`, by its discriminator.
fn kind(data: &[u8]) -> Option<&'static str> {
    let kinds = [
        (UpgradeProposal::DISCRIMINATOR, "proposal to upgrade a program"),
        (GovernanceProposal::DISCRIMINATOR, "proposal to change a multisig"),
        (MultisigConfig::DISCRIMINATOR, "multisig"),
        (ProgramUpgradeState::DISCRIMINATOR, "record of a registered program"),
        (BufferAttestation::DISCRIMINATOR, "buffer attestation"),
        (AccountVersion::DISCRIMINATOR, "record of an account's version"),
        (AccountBackup::DISCRIMINATOR, "backup of an account"),
    ];
    kinds.iter().find(|(first, _)| data.starts_with(first)).map(|(_, name)| *name)
}

/// Decodes one account of the manager. Transactions are built from the content, so an account that a node
/// shows at the address of another one is refused.
///
/// # Errors
/// [`BackendError::NoAccount`], [`BackendError::ForeignOwner`], [`BackendError::OtherKind`],
/// [`BackendError::BadAccount`] or [`BackendError::Misplaced`].
pub fn decode<T: AccountDeserialize + Discriminator + CanonicalAddress>(
    what: &'static str,
    address: Pubkey,
    raw: Option<&RawAccount>,
) -> Result<T> {
    let raw = raw.ok_or(BackendError::NoAccount { what, address })?;
    if raw.owner != upgrade_manager::ID {
        let expected = upgrade_manager::ID;
        return Err(BackendError::ForeignOwner { what, address, found: raw.owner, expected });
    }
    if let Some(found) = kind(&raw.data)
        && !raw.data.starts_with(T::DISCRIMINATOR)
    {
        let needed = kind(T::DISCRIMINATOR).unwrap_or(what);
        return Err(BackendError::OtherKind { needed, address, found });
    }
    let account = T::try_deserialize(&mut raw.data.as_slice())
        .map_err(|e| BackendError::BadAccount { what, address, reason: e.to_string() })?;
    let own = account.canonical_address();
    if own == address { Ok(account) } else { Err(BackendError::Misplaced { what, address, own }) }
}

/// The same for an account that need not exist. Anyone can send lamports to its address before it is made,
/// so an account of another owner counts as none. An account of the manager that cannot be read is an error.
///
/// # Errors
/// As [`decode`].
pub fn decode_optional<T: AccountDeserialize + Discriminator + CanonicalAddress>(
    what: &'static str,
    address: Pubkey,
    raw: Option<&RawAccount>,
) -> Result<Option<T>> {
    let ours = raw.filter(|raw| raw.owner == upgrade_manager::ID);
    ours.map(|raw| decode(what, address, Some(raw))).transpose()
}

/// The state of `program`.
///
/// # Errors
/// The network's, or what is wrong with the account.
pub async fn program_state(chain: &ChainClient, program: &Pubkey) -> Result<ProgramUpgradeState> {
    let address = seeds::program_state(program).0;
    decode("program state", address, chain.account(&address).await?.as_ref())
}

/// The multisig at `address`.
///
/// # Errors
/// The network's, or what is wrong with the account.
pub async fn multisig(chain: &ChainClient, address: &Pubkey) -> Result<MultisigConfig> {
    decode("multisig", *address, chain.account(address).await?.as_ref())
}

/// Every backup of accounts of `program`, sorted by the account it is of.
///
/// # Errors
/// The network's, or what is wrong with an account.
pub async fn backups(chain: &ChainClient, program: &Pubkey) -> Result<Vec<AccountBackup>> {
    use anchor_lang::Discriminator;
    let filters = [
        Filter::Bytes { at: 0, bytes: AccountBackup::DISCRIMINATOR.to_vec() },
        Filter::Bytes { at: RECORD_PROGRAM_AT, bytes: program.to_bytes().to_vec() },
    ];
    let found = chain.program_accounts(&upgrade_manager::ID, &filters).await?;
    let mut out = vec![];
    for (address, raw) in found {
        out.push(decode::<AccountBackup>("backup", address, Some(&raw))?);
    }
    out.sort_by_key(|b| b.account);
    Ok(out)
}

/// The attestation of `buffer`.
///
/// # Errors
/// The network's, or what is wrong with the account.
pub async fn attestation(chain: &ChainClient, buffer: &Pubkey) -> Result<BufferAttestation> {
    let address = seeds::attestation(buffer).0;
    decode("buffer attestation", address, chain.account(&address).await?.as_ref())
}

/// Every version record of `program`, sorted by the account it is about.
///
/// # Errors
/// The network's, or what is wrong with an account.
pub async fn records(chain: &ChainClient, program: &Pubkey) -> Result<Vec<AccountVersion>> {
    use anchor_lang::Discriminator;
    let filters = [
        Filter::Bytes { at: 0, bytes: AccountVersion::DISCRIMINATOR.to_vec() },
        Filter::Bytes { at: RECORD_PROGRAM_AT, bytes: program.to_bytes().to_vec() },
    ];
    let listed = chain.program_accounts(&upgrade_manager::ID, &filters).await?;
    let mut records = listed
        .iter()
        .map(|(address, raw)| decode("version record", *address, Some(raw)))
        .collect::<Result<Vec<AccountVersion>>>()?;
    records.sort_by_key(|r| r.account);
    Ok(records)
}

#[cfg(test)]
mod tests {
    use super::*;
    use anchor_lang::AccountSerialize;

    #[test]
    fn the_filter_offset_is_that_of_the_program_in_a_record() {
        let record = AccountVersion::new(
            Pubkey::new_from_array([5; 32]),
            Pubkey::new_from_array([6; 32]),
            1,
            255,
            Pubkey::new_from_array([7; 32]),
        );
        let mut bytes = vec![];
        record.try_serialize(&mut bytes).unwrap();
        assert_eq!(bytes[RECORD_PROGRAM_AT..RECORD_PROGRAM_AT + 32], [5; 32]);
    }

    #[test]
    fn a_foreign_a_short_and_a_missing_account_are_told_apart() {
        let address = Pubkey::new_from_array([1; 32]);
        let raw = |owner, data| RawAccount { owner, lamports: 1, data, executable: false };
        let decode =
            |raw: Option<&RawAccount>| decode::<AccountVersion>("version record", address, raw);
        let foreign = decode(Some(&raw(address, vec![0; 400]))).unwrap_err();
        assert!(matches!(foreign, BackendError::ForeignOwner { .. }));
        let short = decode(Some(&raw(upgrade_manager::ID, vec![0; 4]))).unwrap_err();
        assert!(matches!(short, BackendError::BadAccount { .. }));
        assert!(matches!(decode(None).unwrap_err(), BackendError::NoAccount { .. }));
        assert!(foreign.to_string().contains(&address.to_string()));
    }

    #[test]
    fn an_account_of_the_manager_that_cannot_be_read_is_not_a_missing_one() {
        let address = Pubkey::new_from_array([1; 32]);
        let raw = |owner| RawAccount { owner, lamports: 1, data: vec![], executable: false };
        let look = |raw: Option<&RawAccount>| {
            decode_optional::<BufferAttestation>("buffer attestation", address, raw)
        };
        assert!(look(None).unwrap().is_none());
        assert!(look(Some(&raw(Pubkey::default()))).unwrap().is_none());
        let error = look(Some(&raw(upgrade_manager::ID))).unwrap_err();
        assert!(matches!(error, BackendError::BadAccount { .. }), "{error}");
    }

    #[test]
    fn an_account_of_another_kind_is_named() {
        let key = |i: u8| Pubkey::new_from_array([i; 32]);
        let (address, bump) = seeds::account_version(&key(5), &key(6));
        let mut data = vec![];
        AccountVersion::new(key(5), key(6), 1, bump, key(7)).try_serialize(&mut data).unwrap();
        let raw = RawAccount { owner: upgrade_manager::ID, lamports: 1, data, executable: false };
        let error = decode::<UpgradeProposal>("proposal", address, Some(&raw)).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!(
                "{address} is a record of an account's version; here the address of a proposal to \
                 upgrade a program is needed."
            )
        );
    }

    #[test]
    fn an_account_is_accepted_at_its_canonical_address_only() {
        let key = |i: u8| Pubkey::new_from_array([i; 32]);
        let (own, bump) = seeds::account_version(&key(5), &key(6));
        let mut data = vec![];
        let mut put = |record: &AccountVersion| {
            data.clear();
            record.try_serialize(&mut data).unwrap();
            RawAccount {
                owner: upgrade_manager::ID,
                lamports: 1,
                data: data.clone(),
                executable: false,
            }
        };
        let raw = put(&AccountVersion::new(key(5), key(6), 1, bump, key(7)));
        assert_eq!(
            decode::<AccountVersion>("version record", own, Some(&raw)).unwrap().account,
            key(6)
        );
        // Another derivable address of the same seeds: the one that the stored bump derives.
        let (second, low) = (0..bump)
            .rev()
            .find_map(|bump| {
                let seeds: [&[u8]; 4] = [seeds::VERSION, &[5; 32], &[6; 32], &[bump]];
                Some((Pubkey::create_program_address(&seeds, &upgrade_manager::ID).ok()?, bump))
            })
            .unwrap();
        let raw_low = put(&AccountVersion::new(key(5), key(6), 1, low, key(7)));
        for (at, raw) in [(key(9), &raw), (second, &raw_low)] {
            let error = decode::<AccountVersion>("version record", at, Some(raw)).unwrap_err();
            assert!(matches!(error, BackendError::Misplaced { .. }), "{error}");
            let said = error.to_string();
            assert!(said.contains(&at.to_string()) && said.contains(&own.to_string()), "{said}");
        }
    }
}
