//! Why a websocket connection ended.

/// Why a connection ended or did not come about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CloseReason {
    /// No data for too long.
    Silent,
    /// No data, and pings stayed unanswered.
    PongMissed,
    /// The node closed it, with this code; 1006 stands for none.
    Closed(u16),
    /// The transport broke.
    Broken,
    /// It could not be opened.
    Connect,
    /// The node refused the connection or a required subscription.
    Refused,
    /// A message could not be read.
    Garbled,
    /// Too many calls or connections (429).
    Limited,
}

impl CloseReason {
    /// Its label in metrics.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Silent => "silent",
            Self::PongMissed => "pong_missed",
            Self::Closed(_) => "closed",
            Self::Broken => "broken",
            Self::Connect => "connect",
            Self::Refused => "refused",
            Self::Garbled => "garbled",
            Self::Limited => "limited",
        }
    }
}

/// A reason, and its description as the rest of a sentence.
pub(super) type ConnectionEnd = (CloseReason, String);
