//! Reads accounts. An account is complete or it is an error, so that bytes which a node cut short are
//! never hashed.
use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::{Value, json};
use solana_client::{
    rpc_filter::{Memcmp, RpcFilterType},
    rpc_request::RpcRequest,
};
use solana_commitment_config::CommitmentConfig;
use solana_pubkey::Pubkey;
use solana_sdk_ids::sysvar::{self, clock};

use crate::{
    chain::{
        answers::{ListedAccount, NodeAccount, RpcAnswer},
        client::ChainClient,
    },
    error::{BackendError, Result},
};

/// Most accounts of one `getMultipleAccounts`.
const MAX_ACCOUNTS_PER_REQUEST: usize = 100;
/// Bytes of the Clock sysvar: slot, epoch start, epoch, leader schedule epoch, time; 8 each.
const CLOCK_LEN: usize = 40;

/// What the chain's clock says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChainTime {
    /// Slot.
    pub slot: u64,
    /// Seconds since 1970.
    pub unix: i64,
}

/// One account as the node gave it, complete.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawAccount {
    /// The program that owns it.
    pub owner: Pubkey,
    /// Its balance.
    pub lamports: u64,
    /// Its bytes.
    pub data: Vec<u8>,
    /// Whether it is a program.
    pub executable: bool,
}

/// A condition that a listed account must meet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Filter {
    /// These bytes at this offset.
    Bytes {
        /// Offset from the start.
        at: usize,
        /// The bytes.
        bytes: Vec<u8>,
    },
}

impl Filter {
    fn to_rpc(&self) -> RpcFilterType {
        match self {
            Self::Bytes { at, bytes } => {
                RpcFilterType::Memcmp(Memcmp::new_base58_encoded(*at, bytes))
            }
        }
    }

    fn holds(&self, data: &[u8]) -> bool {
        match self {
            Self::Bytes { at, bytes } => data.get(*at..).is_some_and(|d| d.starts_with(bytes)),
        }
    }
}

/// The account at `address`, complete. Four things keep cut bytes out of a hash. No request has a
/// `dataSlice`. Where the node sends `space` (every node since Agave 1.15), the bytes must be that many.
/// The decoders of the manager's and the loader's accounts refuse cut bytes. Hashes of other accounts are
/// compared on chain, with the account itself, before anything is written.
fn decode(address: Pubkey, account: &NodeAccount) -> Result<RawAccount> {
    let bad = |reason: String| BackendError::BadAccount { what: "account", address, reason };
    let (data, encoding) = &account.data;
    let data = Some(data).filter(|_| encoding == "base64");
    let data = data.and_then(|data| BASE64_STANDARD.decode(data).ok());
    let data = data.ok_or_else(|| bad("its data is not base64".into()))?;
    if let Some(space) = account.space.as_u64()
        && u64::try_from(data.len()).ok() != Some(space)
    {
        return Err(bad(format!("the node sent {} of its {space} bytes", data.len())));
    }
    let owner = account.owner.parse().map_err(|_| bad("its owner is not an address".into()))?;
    let (lamports, executable) = (account.lamports, account.executable);
    Ok(RawAccount { owner, lamports, data, executable })
}

/// The options of every request for accounts.
fn options(commitment: CommitmentConfig) -> Value {
    json!({"encoding": "base64", "commitment": commitment.commitment})
}

impl ChainClient {
    /// One account, `None` where there is none.
    ///
    /// # Errors
    /// The network's, or [`BackendError::BadAccount`].
    pub async fn account(&self, address: &Pubkey) -> Result<Option<RawAccount>> {
        Ok(self.accounts(std::slice::from_ref(address)).await?.pop().flatten())
    }

    /// Accounts in the order asked for. Up to 100 are of one slot.
    ///
    /// # Errors
    /// The network's, or [`BackendError::BadAccount`].
    pub async fn accounts(&self, addresses: &[Pubkey]) -> Result<Vec<Option<RawAccount>>> {
        let mut out = Vec::with_capacity(addresses.len());
        for chunk in addresses.chunks(MAX_ACCOUNTS_PER_REQUEST) {
            let keys: Vec<String> = chunk.iter().map(ToString::to_string).collect();
            let params = json!([keys, options(self.config().commitment)]);
            let ask = || self.rpc().send(RpcRequest::GetMultipleAccounts, params.clone());
            let answer: RpcAnswer<Vec<Option<NodeAccount>>> =
                self.read("getMultipleAccounts", ask).await?;
            let got = answer.value;
            if got.len() != chunk.len() {
                let reason = format!("{} accounts instead of {}", got.len(), chunk.len());
                return Err(BackendError::BadAnswer {
                    method: "getMultipleAccounts".into(),
                    reason,
                });
            }
            for (address, account) in chunk.iter().zip(&got) {
                out.push(account.as_ref().map(|account| decode(*address, account)).transpose()?);
            }
        }
        Ok(out)
    }

    /// The accounts of `owner` that pass every filter, sorted by address, at the configured
    /// commitment.
    ///
    /// # Errors
    /// The network's, [`BackendError::BadAccount`], or [`BackendError::ForeignOwner`] when the node
    /// lists an account of another program.
    pub async fn program_accounts(
        &self,
        owner: &Pubkey,
        filters: &[Filter],
    ) -> Result<Vec<(Pubkey, RawAccount)>> {
        self.program_accounts_at(owner, filters, self.config().commitment).await
    }

    /// The same at finalized commitment: nothing in it can be undone.
    ///
    /// # Errors
    /// As [`ChainClient::program_accounts`].
    pub async fn finalized_program_accounts(
        &self,
        owner: &Pubkey,
        filters: &[Filter],
    ) -> Result<Vec<(Pubkey, RawAccount)>> {
        self.program_accounts_at(owner, filters, CommitmentConfig::finalized()).await
    }

    async fn program_accounts_at(
        &self,
        owner: &Pubkey,
        filters: &[Filter],
        commitment: CommitmentConfig,
    ) -> Result<Vec<(Pubkey, RawAccount)>> {
        let method = "getProgramAccounts";
        let mut options = options(commitment);
        if let Some(options) = options.as_object_mut() {
            let filters: Vec<_> = filters.iter().map(Filter::to_rpc).collect();
            options.insert("filters".to_owned(), json!(filters));
        }
        let params = json!([owner.to_string(), options]);
        let ask = || self.rpc().send(RpcRequest::GetProgramAccounts, params.clone());
        let listed: Vec<ListedAccount> = self.read(method, ask).await?;
        let mut out = Vec::with_capacity(listed.len());
        for ListedAccount { pubkey, account } in &listed {
            let address = pubkey.parse().map_err(|_| BackendError::BadAnswer {
                method: method.into(),
                reason: "it lists an account under what is no address".into(),
            })?;
            let raw = decode(address, account)?;
            if raw.owner != *owner {
                return Err(BackendError::ForeignOwner {
                    what: "listed account",
                    address,
                    found: raw.owner,
                    expected: *owner,
                });
            }
            if filters.iter().all(|f| f.holds(&raw.data)) {
                out.push((address, raw));
            }
        }
        out.sort_by_key(|(address, _)| *address);
        // A node may list an account twice; it must not be counted or sent twice.
        out.dedup_by_key(|(address, _)| *address);
        Ok(out)
    }

    /// The Clock sysvar.
    ///
    /// # Errors
    /// The network's, or [`BackendError::BadAccount`].
    pub async fn chain_time(&self) -> Result<ChainTime> {
        let account = self.account(&clock::ID).await?;
        account.ok_or(BackendError::NoAccount { what: "clock", address: clock::ID })?.chain_time()
    }

    /// Highest finalized slot.
    ///
    /// # Errors
    /// The network's.
    pub async fn finalized_slot(&self) -> Result<u64> {
        let finalized = CommitmentConfig::finalized();
        self.read("getSlot", || self.rpc().get_slot_with_commitment(finalized)).await
    }

    /// Lamports that make an account of `len` bytes rent exempt.
    ///
    /// # Errors
    /// The network's.
    pub async fn rent(&self, len: usize) -> Result<u64> {
        let ask = || self.rpc().get_minimum_balance_for_rent_exemption(len);
        self.read("getMinimumBalanceForRentExemption", ask).await
    }
}

impl RawAccount {
    /// Decodes the Clock sysvar. Timelocks and windows depend on it, so any other account is refused.
    ///
    /// # Errors
    /// [`BackendError::ForeignOwner`] or [`BackendError::BadAccount`].
    pub fn chain_time(&self) -> Result<ChainTime> {
        let (what, address) = ("clock", clock::ID);
        if self.owner != sysvar::ID {
            let (found, expected) = (self.owner, sysvar::ID);
            return Err(BackendError::ForeignOwner { what, address, found, expected });
        }
        let field = |at: usize| self.data.get(at..).and_then(<[u8]>::first_chunk::<8>).copied();
        match (self.data.len(), field(0), field(32)) {
            (CLOCK_LEN, Some(slot), Some(unix)) => {
                Ok(ChainTime { slot: u64::from_le_bytes(slot), unix: i64::from_le_bytes(unix) })
            }
            (len, ..) => {
                let reason = format!("it has {len} bytes instead of {CLOCK_LEN}");
                Err(BackendError::BadAccount { what, address, reason })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_clock_sysvar_is_decoded_as_chain_time() {
        let account = |owner, len: usize| {
            let mut data = vec![0; len];
            (data[0], data[32]) = (7, 9);
            RawAccount { owner, lamports: 1, data, executable: false }
        };
        let time = account(sysvar::ID, CLOCK_LEN).chain_time().unwrap();
        assert_eq!(time, ChainTime { slot: 7, unix: 9 });
        let foreign = account(Pubkey::new_from_array([3; 32]), CLOCK_LEN).chain_time().unwrap_err();
        assert!(matches!(foreign, BackendError::ForeignOwner { .. }), "{foreign}");
        for len in [CLOCK_LEN - 1, CLOCK_LEN + 1] {
            let error = account(sysvar::ID, len).chain_time().unwrap_err();
            assert!(matches!(error, BackendError::BadAccount { .. }), "{error}");
            assert!(error.to_string().contains(&clock::ID.to_string()), "{error}");
        }
    }
}
