//! Why a websocket connection ended.

/// Why a connection ended or did not come about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CloseReason {
    /// No data for too long.
    Silent,
    /// No data, and pings stayed unanswered.
    PongMissed,
    /// The node closed it, with this code; 1006 is none.
    Closed(u16),
    /// It broke on the way.
    Broken,
    /// It could not be opened.
    Connect,
    /// The node does not want us, or not what we need.
    Refused,
    /// A message could not be read.
    Garbled,
    /// Too many calls or connections (429).
    Limited,
}

impl CloseReason {
    /// A short word for counting.
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

/// A reason, and the same as the rest of a sentence.
pub(super) type ConnectionEnd = (CloseReason, String);
