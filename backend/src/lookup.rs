//! The manager's accounts, read from the chain and decoded with the chain's own types. Everything
//! about one proposal is read in one request, so it is of one slot.
use anchor_lang::AccountDeserialize;
use solana_pubkey::Pubkey;
use solana_sdk_ids::sysvar::clock;
use upgrade_manager::{
    seeds,
    state::{
        AccountVersion, BufferAttestation, MultisigConfig, ProgramUpgradeState, UpgradeProposal,
    },
};

use crate::{
    error::{BackendError, Result},
    gateway::{ChainTime, Filter, Gateway, RawAccount},
};

/// Where an [`AccountVersion`] holds its program: behind discriminator, layout and bump.
const RECORD_PROGRAM_AT: usize = 8 + 2;

/// Decodes one account of the manager.
///
/// # Errors
/// [`BackendError::NoAccount`], [`BackendError::ForeignOwner`] or [`BackendError::BadAccount`].
pub fn decode<T: AccountDeserialize>(
    what: &'static str,
    address: Pubkey,
    raw: Option<&RawAccount>,
) -> Result<T> {
    let raw = raw.ok_or(BackendError::NoAccount { what, address })?;
    if raw.owner != upgrade_manager::ID {
        let expected = upgrade_manager::ID;
        return Err(BackendError::ForeignOwner { what, address, found: raw.owner, expected });
    }
    T::try_deserialize(&mut raw.data.as_slice()).map_err(|e| BackendError::BadAccount {
        what,
        address,
        reason: e.to_string(),
    })
}

/// Everything that decides about one proposal, as of one slot.
#[derive(Clone, Debug)]
pub struct Scene {
    /// The proposal's address.
    pub address: Pubkey,
    /// The proposal.
    pub proposal: UpgradeProposal,
    /// The team.
    pub multisig: MultisigConfig,
    /// The program's state.
    pub state: ProgramUpgradeState,
    /// The chain's clock.
    pub now: ChainTime,
}

impl Scene {
    /// Reads everything about `address`.
    ///
    /// # Errors
    /// The network's, or what is wrong with an account.
    pub async fn load(gateway: &Gateway, address: Pubkey) -> Result<Self> {
        let first = gateway.account(&address).await?;
        let known: UpgradeProposal = decode("proposal", address, first.as_ref())?;
        require_own_address(address, &known)?;
        let (team, program) = (known.terms.multisig, known.terms.program);
        let state_key = seeds::program_state(&program).0;
        let got = gateway.accounts(&[address, team, state_key, clock::ID]).await?;
        let [proposal, multisig, state, clock] = got.as_slice() else {
            return Err(BackendError::Range("reading a proposal"));
        };
        let clock =
            clock.as_ref().ok_or(BackendError::NoAccount { what: "clock", address: clock::ID })?;
        let proposal = decode("proposal", address, proposal.as_ref())?;
        require_own_address(address, &proposal)?;
        Ok(Self {
            address,
            proposal,
            multisig: decode("multisig", team, multisig.as_ref())?,
            state: decode("program state", state_key, state.as_ref())?,
            now: clock.chain_time()?,
        })
    }

    /// The program that the proposal upgrades.
    #[must_use]
    pub fn program(&self) -> Pubkey {
        self.proposal.terms.program
    }
}

/// What is signed is built from the terms: a node that shows one proposal at the address of another
/// must not get a signature for it.
fn require_own_address(address: Pubkey, proposal: &UpgradeProposal) -> Result<()> {
    let terms = &proposal.terms;
    let own = seeds::proposal(&terms.program, terms.id).0;
    if own == address {
        return Ok(());
    }
    Err(BackendError::BadAccount {
        what: "proposal",
        address,
        reason: format!("its terms belong to {own}; the node lies, do not sign"),
    })
}

/// The state of `program`.
///
/// # Errors
/// The network's, or what is wrong with the account.
pub async fn program_state(gateway: &Gateway, program: &Pubkey) -> Result<ProgramUpgradeState> {
    let address = seeds::program_state(program).0;
    decode("program state", address, gateway.account(&address).await?.as_ref())
}

/// The attestation of `buffer`.
///
/// # Errors
/// The network's, or what is wrong with the account.
pub async fn attestation(gateway: &Gateway, buffer: &Pubkey) -> Result<BufferAttestation> {
    let address = seeds::attestation(buffer).0;
    decode("buffer attestation", address, gateway.account(&address).await?.as_ref())
}

/// Every version record of `program`, sorted by the account it is about.
///
/// # Errors
/// The network's, or what is wrong with an account.
pub async fn records(gateway: &Gateway, program: &Pubkey) -> Result<Vec<AccountVersion>> {
    use anchor_lang::Discriminator;
    let filters = [
        Filter::Bytes { at: 0, bytes: AccountVersion::DISCRIMINATOR.to_vec() },
        Filter::Bytes { at: RECORD_PROGRAM_AT, bytes: program.to_bytes().to_vec() },
    ];
    let listed = gateway.program_accounts(&upgrade_manager::ID, &filters).await?;
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
    fn the_records_program_is_where_the_filter_looks() {
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
}
