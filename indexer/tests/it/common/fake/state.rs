//! What the scripted node knows, and everything that can be wrong with it. Tests set these fields;
//! the node reads them with each request.
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

/// What is wrong with the node's history.
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
    /// Transactions of a newer version come as something else.
    Garbage,
}

/// How accounts are written.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// As nodes of today do.
    Usual,
    /// `rentEpoch` as providers write it that parse it as a float.
    Rewritten,
    /// The same, and without `space`.
    Old,
}

/// How a request goes wrong.
#[derive(Clone, Debug)]
pub enum What {
    /// A JSON-RPC error.
    Code(i64, &'static str),
    /// An HTTP status, with Retry-After where there is one.
    Status(u16, Option<&'static str>),
    /// It is taken and never answered.
    Mute,
    /// The connection ends instead of an answer.
    HangUp,
    /// A list of accounts ends in the middle of the account behind so many; the connection with it,
    /// or, if `whole`, as if that were all.
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
    /// The method is not there.
    pub const MISSING: Self = Self::Code(-32_601, "Method not found");
}

/// One thing that goes wrong so many times.
pub struct Fault {
    /// "websocket" is a connection, "*" everything.
    pub method: &'static str,
    pub times: u32,
    pub what: What,
    /// Only requests with such parameters.
    pub only: fn(&Value) -> bool,
}

/// An account as it has been since `slot`; none when it was closed.
#[derive(Clone)]
pub struct Change {
    pub slot: u64,
    pub pubkey: Pubkey,
    pub data: Option<Vec<u8>>,
}

/// What the node knows and how it misbehaves.
pub struct State {
    pub genesis: [u8; 32],
    pub slot: u64,
    pub finalized: u64,
    /// How many slots finality trails the newest slot as slots pass.
    pub depth: u64,
    /// How many slots what is confirmed trails the newest slot.
    pub unconfirmed: u64,
    pub unix: i64,
    /// Slots that pass behind each answer about accounts that were asked for by address.
    pub leap: u64,
    /// Owner and data of each account.
    pub accounts: BTreeMap<Pubkey, (Pubkey, Vec<u8>)>,
    /// Version records beside these, made as they are sent, see `crowd`.
    pub crowd: u32,
    /// Everything that ever changed.
    pub changes: Vec<Change>,
    /// Slots that the chain has left behind.
    pub skipped: BTreeSet<u64>,
    pub history: Vec<Tx>,
    /// Signatures in one answer.
    pub signatures: usize,

    /// Whether slots pass on their own.
    pub ticks: bool,
    /// Whether slots and roots are told as they pass.
    pub heartbeat: bool,
    /// Whether roots are told at all.
    pub roots: bool,
    /// Whether account changes are told; an acknowledged, dead subscription tells none.
    pub tells: bool,
    /// A half-open socket: websockets stay open, take nothing in and say nothing.
    pub frozen: bool,
    /// The node cannot be reached: every connection ends as soon as it is made.
    pub down: bool,
    /// Websockets take nothing in, so no ping is answered; they go on speaking.
    pub deaf: bool,
    /// Messages that may wait for a client before its connection is cut.
    pub max_waiting: usize,
    /// Delay of the next snapshots; what they hold is taken before it.
    pub snapshot_delay: Duration,
    /// Lists of accounts stop behind so many and wait until this is none.
    pub snapshot_hold: Option<usize>,
    /// Lists of accounts that are stopped right now.
    pub held: u32,
    /// Snapshots that answer -32016 first.
    pub not_reached: u32,
    /// Accounts that a snapshot leaves out, from the end.
    pub cut: usize,
    /// How many slots a list's context is older than what it holds.
    pub lie: u64,
    /// Lists of more accounts are refused like this.
    pub most: Option<(usize, What)>,
    /// Whether getProgramAccountsV2 is there.
    pub v2: bool,
    /// Accounts of one page at most.
    pub page: usize,
    /// Be a surfnet, which stamps every account that it tells of with this slot.
    pub surfnet: Option<u64>,
    /// Answers nothing about its cluster until this is off, so nobody gets through a new
    /// connection.
    pub hold: bool,
    /// How accounts are written, in answers and in messages.
    pub form: Form,
    /// How history is answered.
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
            tells: true,
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
