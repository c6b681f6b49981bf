//! The labels of the metrics, and their possible values.
use prometheus_client::encoding::EncodeLabelSet;

/// Where an update came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The websocket, or another stream.
    Stream,
    /// A reading of all accounts.
    Snapshot,
}

impl Source {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Stream => "stream",
            Self::Snapshot => "snapshot",
        }
    }
}

/// How one attempt to deliver a webhook ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeliveryOutcome {
    /// The receiver accepted it.
    Delivered,
    /// It failed and is tried again.
    Failed,
    /// It became a dead letter.
    Dead,
}

impl DeliveryOutcome {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Failed => "failed",
            Self::Dead => "dead",
        }
    }
}

/// The label of a JSON-RPC error code. All undocumented codes share one label, so that a node cannot
/// create any number of series.
#[must_use]
pub fn code_label(code: i64) -> &'static str {
    match code {
        -32700 => "-32700",
        -32600 => "-32600",
        -32601 => "-32601",
        -32602 => "-32602",
        -32603 => "-32603",
        -32001 => "-32001",
        -32002 => "-32002",
        -32003 => "-32003",
        -32004 => "-32004",
        -32005 => "-32005",
        -32006 => "-32006",
        -32007 => "-32007",
        -32008 => "-32008",
        -32009 => "-32009",
        -32010 => "-32010",
        -32011 => "-32011",
        -32012 => "-32012",
        -32013 => "-32013",
        -32014 => "-32014",
        -32015 => "-32015",
        -32016 => "-32016",
        413 => "413",
        429 => "429",
        500..=599 => "5xx",
        _ => "other",
    }
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub(super) struct UpdateLabels {
    pub kind: &'static str,
    pub source: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub(super) struct ReasonLabels {
    pub reason: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub(super) struct RpcLabels {
    pub method: &'static str,
    pub code: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub(super) struct HookLabels {
    pub hook: String,
    pub outcome: &'static str,
}
