//! A URL that may contain a password or an access key. Its `Debug` form shows neither.
use std::fmt;

use indexer::ops::redact::shown;
use serde::Deserialize;

/// The URL of a node or a database.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(from = "String")]
pub struct Address(String);

impl Address {
    /// The whole URL. Only for connecting, and for removing it from messages.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<String> for Address {
    fn from(text: String) -> Self {
        Self(text.trim().to_owned())
    }
}

impl From<&str> for Address {
    fn from(text: &str) -> Self {
        Self(text.trim().to_owned())
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&shown(&self.0))
    }
}
