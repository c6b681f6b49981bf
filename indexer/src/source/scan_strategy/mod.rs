//! The methods to read all accounts of a program, from the simplest to the last resort, and which of
//! them a node has refused. Pure: chooses the next query, sends nothing.
use std::{
    collections::{BTreeSet, VecDeque},
    time::Duration,
};

use anchor_lang::Discriminator;
use serde_json::{Value, json};
use solana_pubkey::Pubkey;
use tokio::time::Instant;
use upgrade_manager::state::{
    AccountBackup, AccountVersion, BufferAttestation, GovernanceProposal, MultisigConfig,
    ProgramUpgradeState, UpgradeProposal,
};

use super::fault::RpcFault;

/// How long until the simplest method is tried again: nodes and plans change.
const RETRY_PLAIN_INTERVAL: Duration = Duration::from_secs(3_600);
/// Answers in a row that may break off before the method itself is blamed.
const MAX_CUTS: u32 = 2;
/// Most accounts of one page.
const PAGE_ACCOUNTS: u32 = 10_000;

/// How to read all accounts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum ScanMethod {
    /// One `getProgramAccounts`.
    #[default]
    Plain,
    /// Pages of `getProgramAccountsV2`.
    Pages,
    /// One `getProgramAccounts` per account type, or 256 where one answer cannot hold a type.
    Kinds,
    /// `getMultipleAccounts` of the accounts that the mirror knows already.
    Known,
}

impl ScanMethod {
    /// Its name in messages.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Plain => "getProgramAccounts",
            Self::Pages => "getProgramAccountsV2, page by page",
            Self::Kinds => "getProgramAccounts, part by part",
            Self::Known => "getMultipleAccounts of known accounts",
        }
    }

    /// Which accounts a complete reading by this method covers.
    #[must_use]
    pub fn coverage(self) -> Coverage {
        match self {
            Self::Plain | Self::Pages => Coverage::All,
            Self::Kinds => Coverage::KnownKinds,
            Self::Known => Coverage::Asked,
        }
    }
}

/// What a successful reading covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coverage {
    /// Every account. A missing one is closed.
    All,
    /// Every account of a type that this build knows; a missing one of these is closed. Accounts of
    /// other types, which go into quarantine, were not read.
    KnownKinds,
    /// Every account in the mirror; a missing one of these is closed. New accounts were not read, so
    /// the mirror may lack some.
    Asked,
}

impl Coverage {
    /// Whether it covers every account of the manager's own types.
    #[must_use]
    pub fn is_complete(self) -> bool {
        self != Self::Asked
    }
}

/// One request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Query {
    Plain,
    /// A page, starting at this key.
    Page(Option<String>),
    /// All accounts of one of [`KINDS`].
    Kind(usize),
    /// The accounts of a kind with this byte at [`KindFilter::offset`].
    Shard(usize, u8),
    /// The known accounts after this one.
    Known(Option<Pubkey>),
}

/// An account type, and the offset of a byte that splits its accounts evenly and never changes: the
/// first byte of an address that differs per account, or of a hash.
struct KindFilter {
    discriminator: &'static [u8],
    offset: usize,
}

const KINDS: [KindFilter; 7] = [
    // The multisig's `create_key`.
    KindFilter { discriminator: MultisigConfig::DISCRIMINATOR, offset: 10 },
    // `program`, behind three bumps and the multisig.
    KindFilter { discriminator: ProgramUpgradeState::DISCRIMINATOR, offset: 44 },
    // `digest`, behind status, proposer, payer and time.
    KindFilter { discriminator: UpgradeProposal::DISCRIMINATOR, offset: 83 },
    // `buffer`.
    KindFilter { discriminator: BufferAttestation::DISCRIMINATOR, offset: 10 },
    // `digest`, as above.
    KindFilter { discriminator: GovernanceProposal::DISCRIMINATOR, offset: 83 },
    // `account`, behind the program.
    KindFilter { discriminator: AccountVersion::DISCRIMINATOR, offset: 42 },
    // `account`, behind the program.
    KindFilter { discriminator: AccountBackup::DISCRIMINATOR, offset: 42 },
];

impl Query {
    pub(super) fn method(&self) -> &'static str {
        match self {
            Self::Page(_) => "getProgramAccountsV2",
            Self::Known(_) => "getMultipleAccounts",
            _ => "getProgramAccounts",
        }
    }

    pub(super) fn params(&self, program_id: &Pubkey, min_slot: u64) -> Value {
        let mut options = json!({
            "encoding": "base64", "commitment": "confirmed", "withContext": true,
            "minContextSlot": min_slot,
        });
        if let Some(options) = options.as_object_mut() {
            let filters = self.filters();
            if !filters.is_empty() {
                options.insert("filters".to_owned(), Value::Array(filters));
            }
            if let Self::Page(from) = self {
                options.insert("limit".to_owned(), json!(PAGE_ACCOUNTS));
                if let Some(from) = from {
                    options.insert("paginationKey".to_owned(), json!(from));
                }
            }
        }
        json!([program_id.to_string(), options])
    }

    fn filters(&self) -> Vec<Value> {
        let (kind, byte) = match self {
            Self::Kind(kind) => (*kind, None),
            Self::Shard(kind, byte) => (*kind, Some(*byte)),
            _ => return vec![],
        };
        let Some(kind) = KINDS.get(kind) else { return vec![] };
        let equal = |offset: usize, bytes: &[u8]| {
            let bytes = bs58::encode(bytes).into_string();
            json!({"memcmp": {"offset": offset, "bytes": bytes, "encoding": "base58"}})
        };
        let mut out = vec![equal(0, kind.discriminator)];
        out.extend(byte.map(|byte| equal(kind.offset, &[byte])));
        out
    }
}

/// What is known about one node.
#[derive(Debug, Default)]
pub(super) struct ScanStrategy {
    scan_method: ScanMethod,
    /// Kinds that are too large for one answer.
    sharded: BTreeSet<usize>,
    /// Why the simplest method was given up.
    cause: Option<RpcFault>,
    left_at: Option<Instant>,
    cuts: u32,
}

/// The method and queries to use instead of a refused query.
pub(super) type Instead = (ScanMethod, VecDeque<Query>);

impl ScanStrategy {
    /// The method and queries to begin with.
    pub(super) fn start(&mut self) -> Instead {
        if self.left_at.is_some_and(|at| at.elapsed() >= RETRY_PLAIN_INTERVAL) {
            *self = Self::default();
        }
        if self.cuts >= MAX_CUTS && self.scan_method == ScanMethod::Plain {
            return self.fall(ScanMethod::Pages, RpcFault::Cut);
        }
        (self.scan_method, self.queries())
    }

    fn queries(&self) -> VecDeque<Query> {
        match self.scan_method {
            ScanMethod::Plain => [Query::Plain].into(),
            ScanMethod::Pages => [Query::Page(None)].into(),
            ScanMethod::Kinds => (0..KINDS.len()).flat_map(|kind| self.kind(kind)).collect(),
            ScanMethod::Known => [Query::Known(None)].into(),
        }
    }

    fn kind(&self, kind: usize) -> Vec<Query> {
        if self.sharded.contains(&kind) {
            (0..=u8::MAX).map(|byte| Query::Shard(kind, byte)).collect()
        } else {
            vec![Query::Kind(kind)]
        }
    }

    fn fall(&mut self, scan_method: ScanMethod, fault: RpcFault) -> Instead {
        self.scan_method = scan_method;
        self.cuts = 0;
        self.cause.get_or_insert(fault);
        self.left_at.get_or_insert_with(Instant::now);
        (self.scan_method, self.queries())
    }

    /// The method and queries to use after the first of `open` was refused with `fault`; [`None`] when
    /// the fault says nothing about the method.
    pub(super) fn refused(&mut self, open: &VecDeque<Query>, fault: RpcFault) -> Option<Instead> {
        let less = fault.is_size() || fault == RpcFault::Timeout;
        // Codes with which nodes refuse expensive methods.
        let barred = matches!(fault, RpcFault::MethodMissing)
            || matches!(fault, RpcFault::Other { code: 403 | 405 | 410 | 501 | -32_600 });
        match open.front()? {
            Query::Plain if less || barred => Some(self.fall(ScanMethod::Pages, fault)),
            Query::Page(None) if less || !fault.is_passing() => {
                // A node without an index for this program refuses filtered queries too.
                let excluded = self.cause == Some(RpcFault::KeyExcluded);
                Some(self.fall(if excluded { ScanMethod::Known } else { ScanMethod::Kinds }, fault))
            }
            Query::Kind(kind) if less && fault != RpcFault::KeyExcluded => {
                self.sharded.insert(*kind);
                let mut instead: VecDeque<Query> = self.kind(*kind).into();
                instead.extend(open.iter().skip(1).cloned());
                Some((self.scan_method, instead))
            }
            Query::Kind(_) | Query::Shard(..) if less || barred => {
                Some(self.fall(ScanMethod::Known, fault))
            }
            _ => None,
        }
    }

    /// An answer broke off.
    pub(super) fn cut(&mut self) {
        self.cuts = self.cuts.saturating_add(1);
    }

    /// A reading ended well.
    pub(super) fn complete(&mut self) {
        self.cuts = 0;
    }
}

#[cfg(test)]
pub(super) mod tests;
