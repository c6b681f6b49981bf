//! The state and the faults of the scripted node. Tests set these fields; the node reads them with each
//! request.
use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use serde_json::Value;
use solana_pubkey::Pubkey;

use super::{
    socket::{Line, Push},
    wire::Tx,
};

/// A fault of the node's history.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Quirk {
    None,
    /// Every page of signatures is the first.
    Circle,
    /// Transactions of one slot are listed in the wrong order, and some of them twice.
    Shuffled,
    /// Blocks come without their signatures.
    NoBlock,
    /// Transactions come without their inner instructions.
    NoInner,
    /// Transactions of a newer version come in another shape.
    Garbage,
}

/// JSON form of accounts.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Like current nodes.
    Usual,
    /// With `rentEpoch` as a float, like some providers.
    Rewritten,
    /// The same, and without `space`.
    Old,
}

/// How a request fails.
#[derive(Clone, Debug)]
pub enum What {
    /// A JSON-RPC error.
    Code(i64, &'static str),
    /// An HTTP status, with Retry-After where there is one.
    Status(u16, Option<&'static str>),
    /// Accepted and never answered.
    Mute,
    /// The connection closes instead of an answer.
    HangUp,
    /// A list of accounts breaks off in the middle of the account after so many: with the connection
    /// or, if `whole`, as a complete HTTP body.
    Cut { after: usize, whole: bool },
}

impl What {
    /// "Minimum context slot has not been reached".
    pub const NOT_REACHED: Self = Self::Code(-32_016, "Minimum context slot has not been reached");
    /// The program is not in the node's index.
    pub const KEY_EXCLUDED: Self = Self::Code(
        -32_010,
        "Mgr111: excluded from account secondary indexes; this RPC method unavailable for key",
    );
    /// The node gave up scanning.
    pub const SCAN_LIMIT: Self =
        Self::Code(-32_012, "Accumulated scan results exceeded the limit of 500000000 bytes");
    /// A provider's refusal of a large program.
    pub const TOO_MANY: Self = Self::Code(
        -32_600,
        "Too many accounts requested (1200000 pubkeys), please use getProgramAccountsV2 with pagination",
    );
    /// The node does not offer the method.
    pub const MISSING: Self = Self::Code(-32_601, "Method not found");
}

/// A fault that occurs so many times.
pub struct Fault {
    /// A method; "websocket" for new connections, "*" for everything.
    pub method: &'static str,
    pub times: u32,
    pub what: What,
    /// Only requests with such parameters.
    pub only: fn(&Value) -> bool,
}

/// The state of an account since `slot`; none when it was closed.
#[derive(Clone)]
pub struct Change {
    pub slot: u64,
    pub pubkey: Pubkey,
    pub data: Option<Vec<u8>>,
}

/// State and faults of the node.
pub struct State {
    pub genesis: [u8; 32],
    pub slot: u64,
    pub finalized: u64,
    /// Slots between the newest slot and the root.
    pub depth: u64,
    /// Slots between the newest slot and the confirmed slot.
    pub unconfirmed: u64,
    pub unix: i64,
    /// Slots that pass after each `getMultipleAccounts` answer.
    pub leap: u64,
    /// Owner and data of each account.
    pub accounts: BTreeMap<Pubkey, (Pubkey, Vec<u8>)>,
    /// Additional version records, generated while they are sent, see `crowd`.
    pub crowd: u32,
    /// All changes so far.
    pub changes: Vec<Change>,
    /// Orphaned slots.
    pub skipped: BTreeSet<u64>,
    pub history: Vec<Tx>,
    /// Signatures per answer.
    pub signatures: usize,

    /// Whether slots advance on their own.
    pub ticks: bool,
    /// Whether slot and root notifications are sent.
    pub heartbeat: bool,
    /// Whether `rootSubscribe` is offered.
    pub roots: bool,
    /// Whether account notifications are sent; off for an acknowledged but dead subscription.
    pub notifies: bool,
    /// Half-open websockets: they stay open but neither read nor write.
    pub frozen: bool,
    /// The node is down: every connection closes at once.
    pub down: bool,
    /// Websockets do not read, so pings stay unanswered, but they still write.
    pub deaf: bool,
    /// Queued messages per client before its connection is cut.
    pub max_waiting: usize,
    /// Delay of the next snapshots, after their content was fixed.
    pub snapshot_delay: Duration,
    /// Lists of accounts pause after so many accounts until this is [`None`].
    pub snapshot_hold: Option<usize>,
    /// Number of currently paused lists.
    pub held: u32,
    /// Number of snapshot requests that fail with -32016 first.
    pub not_reached: u32,
    /// Number of accounts that a snapshot leaves out at the end.
    pub cut: usize,
    /// How many slots a list's context slot is older than its content.
    pub lie: u64,
    /// Most accounts of a list, and the refusal of longer ones.
    pub most: Option<(usize, What)>,
    /// Whether `getProgramAccountsV2` is offered.
    pub v2: bool,
    /// Most accounts of a page.
    pub page: usize,
    /// Behave like a surfnet, whose account notifications all carry this slot.
    pub surfnet: Option<u64>,
    /// Does not answer `getGenesisHash` while set, so no client can finish a new connection.
    pub hold: bool,
    /// JSON form of accounts, in answers and notifications.
    pub form: Form,
    /// Fault of the history.
    pub quirk: Quirk,
    /// A transaction that the node lists and no longer has.
    pub lost: Option<String>,
    /// What goes wrong; the first that fits, once for each request.
    pub faults: Vec<Fault>,

    /// Every request so far: method and parameters. "websocket" is a connection.
    pub log: Vec<(String, Value)>,
    /// When each request came.
    came: Vec<Instant>,
    /// Websocket connections so far.
    pub connections: u32,
    /// Snapshots answered so far.
    pub snapshots: u32,
    pub(super) lines: Vec<Line>,
}

impl Default for State {
    fn default() -> Self {
        Self {
            genesis: [1; 32],
            slot: 100,
            finalized: 68,
            depth: 32,
            unconfirmed: 0,
            unix: 1_700_000_000,
            leap: 0,
            accounts: BTreeMap::new(),
            crowd: 0,
            changes: vec![],
            skipped: BTreeSet::new(),
            history: vec![],
            signatures: 1_000,
            ticks: true,
            heartbeat: true,
            roots: true,
            notifies: true,
            frozen: false,
            down: false,
            deaf: false,
            max_waiting: 1 << 20,
            snapshot_delay: Duration::ZERO,
            snapshot_hold: None,
            held: 0,
            not_reached: 0,
            cut: 0,
            lie: 0,
            most: None,
            v2: false,
            page: 10_000,
            surfnet: None,
            hold: false,
            form: Form::Usual,
            quirk: Quirk::None,
            lost: None,
            faults: vec![],
            log: vec![],
            came: vec![],
            connections: 0,
            snapshots: 0,
            lines: vec![],
        }
    }
}

impl State {
    /// Notes a request; what goes wrong with it.
    pub(super) fn ask(&mut self, method: &str, params: &Value) -> Option<What> {
        self.log.push((method.to_owned(), params.clone()));
        self.came.push(Instant::now());
        if self.down {
            return Some(What::HangUp);
        }
        let fits =
            |f: &&mut Fault| [method, "*"].contains(&f.method) && f.times > 0 && (f.only)(params);
        let fault = self.faults.iter_mut().find(fits)?;
        // u32::MAX is always.
        if fault.times < u32::MAX {
            fault.times -= 1;
        }
        Some(fault.what.clone())
    }

    /// When the first request since `begin` came.
    pub fn first_since(&self, begin: Instant) -> Option<Instant> {
        self.came.iter().copied().find(|at| *at >= begin)
    }

    /// Requests that came in the time `length` from `begin` on.
    pub fn came_within(&self, begin: Instant, length: Duration) -> usize {
        self.came.iter().filter(|at| (begin..begin + length).contains(at)).count()
    }

    /// How often `method` was asked for.
    pub fn asked(&self, method: &str) -> usize {
        self.log.iter().filter(|(m, _)| m == method).count()
    }

    /// The newest confirmed slot.
    pub fn confirmed(&self) -> u64 {
        self.slot.saturating_sub(self.unconfirmed)
    }

    /// Tells every websocket that has asked for it.
    pub(super) fn push(&mut self, push: &Push) {
        let max_waiting = self.max_waiting;
        self.lines.retain(|line| line.push(push, max_waiting));
    }
}
