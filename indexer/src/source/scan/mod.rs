//! Splits the answer of `getProgramAccounts` into accounts while its bytes arrive, so that a million
//! accounts are never in memory at once. It only finds where each account begins and ends; serde_json
//! parses the account. A truncated or malformed answer is an error, never a short list.
use std::borrow::Cow;

use base64::{Engine, prelude::BASE64_STANDARD};
use serde::Deserialize;
use serde_json::Value;
use solana_pubkey::Pubkey;

use super::{answers::whole, fault::JsonRpcError, possible};
use crate::{account::decode::Raw, ops::redact::plain};

/// Longest account as JSON: the largest on chain has 10 MiB, and base64 adds a third.
const MAX_ACCOUNT_LEN: usize = 16 << 20;
/// Longest other part.
const MAX_PART_LEN: usize = 64 << 10;
/// A piece ends with this much account data, however few accounts it holds.
const PIECE_BYTES: usize = 4 << 20;
/// Capacity that the buffer keeps for parts that span two chunks of the body.
const SPARE_BYTES: usize = 64 << 10;

/// Scanner of one answer.
#[derive(Debug, Default)]
pub struct Scanner {
    at: At,
    /// The beginning of an incomplete part.
    held: Vec<u8>,
    context: Option<u64>,
    accounts: u64,
    listed: bool,
    cursor: Option<String>,
    error: Option<JsonRpcError>,
}

/// The current object: the answer, its `result`, or a page in `result.value`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum JsonPlace {
    Answer,
    Result,
    Page,
}

/// A key that matters in its object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum JsonKey {
    Result,
    Error,
    Context,
    Value,
    Accounts,
    Cursor,
    Unknown,
}

/// How to handle a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum JsonPart {
    Name(JsonPlace),
    Of(JsonPlace, JsonKey),
    Account(JsonPlace),
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum At {
    /// Before the answer.
    #[default]
    Start,
    /// Expects a key or the end of the object; `true`: only a key.
    Key(JsonPlace, bool),
    Colon(JsonPlace, JsonKey),
    Value(JsonPlace, JsonKey),
    /// After a value.
    Next(JsonPlace),
    /// Expects an account or the end of the list; `true`: only an account.
    Item(JsonPlace, bool),
    /// After an account.
    NextItem(JsonPlace),
    /// Inside a part.
    Inside(JsonPart, Span),
    /// After the answer.
    End,
}

/// The position inside a part.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Span {
    depth: u32,
    quoted: bool,
    escaped: bool,
    bare: bool,
}

impl Span {
    /// How many of `bytes` belong to the part, and whether the part ends with them.
    fn advance(&mut self, bytes: &[u8]) -> (usize, bool) {
        for (at, byte) in bytes.iter().enumerate() {
            let end = at.saturating_add(1);
            if self.escaped {
                self.escaped = false;
            } else if self.quoted {
                match byte {
                    b'"' => self.quoted = false,
                    b'\\' => self.escaped = true,
                    _ => {}
                }
                if !self.quoted && self.depth == 0 {
                    return (end, true);
                }
            } else {
                match byte {
                    b'"' => self.quoted = true,
                    b'{' | b'[' => self.depth = self.depth.saturating_add(1),
                    b'}' | b']' if self.bare || self.depth == 0 => return (at, true),
                    b'}' | b']' => {
                        self.depth = self.depth.saturating_sub(1);
                        if self.depth == 0 {
                            return (end, true);
                        }
                    }
                    b',' | b' ' | b'\n' | b'\r' | b'\t' if self.depth == 0 => return (at, true),
                    _ if self.depth == 0 => self.bare = true,
                    _ => {}
                }
            }
        }
        (bytes.len(), false)
    }
}

#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

#[derive(Deserialize)]
struct Keyed<'a> {
    #[serde(borrow)]
    pubkey: Cow<'a, str>,
    #[serde(borrow)]
    account: Account<'a>,
}

#[derive(Deserialize)]
struct Account<'a> {
    #[serde(borrow)]
    owner: Cow<'a, str>,
    #[serde(borrow)]
    data: (Text<'a>, Text<'a>),
    /// The account's length, a number on most nodes.
    #[serde(default)]
    space: Value,
}

#[derive(Deserialize)]
struct ScanContext {
    slot: u64,
}

impl Scanner {
    /// The slot of the answer, once known.
    #[must_use]
    pub fn slot(&self) -> Option<u64> {
        self.context
    }

    /// Number of accounts so far.
    #[must_use]
    pub fn accounts(&self) -> u64 {
        self.accounts
    }

    /// The key of the next page; [`None`] on the last page.
    #[must_use]
    pub fn cursor(&self) -> Option<&str> {
        self.cursor.as_deref()
    }

    /// The error object that came instead of accounts.
    #[must_use]
    pub fn error(&self) -> Option<&JsonRpcError> {
        self.error.as_ref()
    }

    /// Scans `bytes` until they end, or `rows` holds `most` accounts or 4 MiB. Returns how many bytes
    /// were scanned; the caller passes the others again. Skips blank accounts.
    ///
    /// # Errors
    /// The rest of a sentence when the bytes are not such an answer.
    pub fn read(
        &mut self,
        bytes: &[u8],
        rows: &mut Vec<Raw>,
        most: usize,
    ) -> Result<usize, String> {
        let mut weight: usize = rows.iter().map(|raw| raw.data.len()).sum();
        let mut rest = bytes;
        while let Some((byte, behind)) = rest.split_first() {
            if rows.len() >= most || weight >= PIECE_BYTES {
                break;
            }
            if let At::Inside(part, mut span) = self.at {
                let (len, ends) = span.advance(rest);
                let (here, behind) = rest.split_at(len);
                rest = behind;
                if !ends {
                    self.at = At::Inside(part, span);
                    self.hold(part, here)?;
                    continue;
                }
                if let Some(raw) = self.part(part, here)? {
                    weight = weight.saturating_add(raw.data.len());
                    rows.push(raw);
                }
                continue;
            }
            if matches!(byte, b' ' | b'\n' | b'\r' | b'\t') {
                rest = behind;
                continue;
            }
            let (at, taken) = self.step(*byte)?;
            self.at = at;
            if taken {
                rest = behind;
            }
        }
        Ok(bytes.len().saturating_sub(rest.len()))
    }

    /// Whether the answer is complete.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.at == At::End
    }

    /// Checks that the answer is complete and held a list.
    ///
    /// # Errors
    /// The rest of a sentence when it is not.
    pub fn finish(&self) -> Result<(), String> {
        if self.at != At::End {
            return Err(format!("broke off after {} accounts", self.accounts));
        }
        if self.error.is_none() && !self.listed {
            return Err("holds no list of accounts".to_owned());
        }
        Ok(())
    }

    /// The next state after `byte`, which is no space, and whether it consumed the byte.
    fn step(&mut self, byte: u8) -> Result<(At, bool), String> {
        let inside = |part| At::Inside(part, Span::default());
        Ok(match (self.at, byte) {
            (At::Start, b'{') => (At::Key(JsonPlace::Answer, false), true),
            (At::Key(place, _), b'"') => (inside(JsonPart::Name(place)), false),
            (At::Key(place, false), b'}') | (At::Next(place), b'}') => (above(place), true),
            (At::Colon(place, key), b':') => (At::Value(place, key), true),
            (At::Value(JsonPlace::Answer, JsonKey::Result), b'{') => {
                (At::Key(JsonPlace::Result, false), true)
            }
            (At::Value(JsonPlace::Result, JsonKey::Value), b'{') => {
                (At::Key(JsonPlace::Page, false), true)
            }
            (At::Value(place, JsonKey::Value | JsonKey::Accounts), b'[') => {
                if self.listed {
                    return Err("holds two lists of accounts".to_owned());
                }
                if self.context.is_none() {
                    return Err("lists accounts before it names their slot".to_owned());
                }
                self.listed = true;
                (At::Item(place, false), true)
            }
            (At::Value(_, _), b',' | b':' | b'}' | b']') => return Err(self.stray(byte)),
            (At::Value(place, key), _) => (inside(JsonPart::Of(place, key)), false),
            (At::Next(place), b',') => (At::Key(place, true), true),
            (At::Item(place, _), b'{') => (inside(JsonPart::Account(place)), false),
            (At::Item(place, false), b']') | (At::NextItem(place), b']') => (At::Next(place), true),
            (At::NextItem(place), b',') => (At::Item(place, true), true),
            _ => return Err(self.stray(byte)),
        })
    }

    fn stray(&self, byte: u8) -> String {
        let byte = char::from(byte).escape_default();
        format!("is no list of accounts: \"{byte}\" stands after {} of them", self.accounts)
    }

    fn hold(&mut self, part: JsonPart, bytes: &[u8]) -> Result<(), String> {
        let most = match part {
            JsonPart::Of(_, JsonKey::Unknown) => return Ok(()),
            JsonPart::Account(_) => MAX_ACCOUNT_LEN,
            _ => MAX_PART_LEN,
        };
        if self.held.len().saturating_add(bytes.len()) > most {
            return Err(format!("holds a part longer than {most} bytes"));
        }
        self.held.extend_from_slice(bytes);
        Ok(())
    }

    /// Handles a complete part that ends with `last`.
    fn part(&mut self, part: JsonPart, last: &[u8]) -> Result<Option<Raw>, String> {
        let mut held = std::mem::take(&mut self.held);
        let bytes = if held.is_empty() {
            last
        } else {
            self.held = held;
            self.hold(part, last)?;
            held = std::mem::take(&mut self.held);
            &held
        };
        let raw = self.understand(part, bytes)?;
        held.clear();
        held.shrink_to(SPARE_BYTES);
        self.held = held;
        Ok(raw)
    }

    fn understand(&mut self, part: JsonPart, bytes: &[u8]) -> Result<Option<Raw>, String> {
        let unreadable = |what: &str| {
            let what = what.to_owned();
            move |e: serde_json::Error| format!("holds {what} that cannot be read: {e}")
        };
        match part {
            JsonPart::Name(place) => {
                self.at = At::Colon(place, key(place, bytes));
                return Ok(None);
            }
            JsonPart::Of(place, key) => {
                self.at = At::Next(place);
                match key {
                    JsonKey::Context => {
                        let read = serde_json::from_slice::<ScanContext>(bytes);
                        let slot = possible(read.map_err(unreadable("a slot"))?.slot)
                            .map_err(|why| format!("is of no use: the node {why}"))?;
                        if self.context.replace(slot).is_some() {
                            return Err("names its slot twice".to_owned());
                        }
                    }
                    JsonKey::Error => {
                        let read = serde_json::from_slice::<Option<JsonRpcError>>(bytes);
                        self.error = read.map_err(unreadable("an error"))?;
                    }
                    JsonKey::Cursor => {
                        let read = serde_json::from_slice::<Option<String>>(bytes);
                        self.cursor = read.map_err(unreadable("a page key"))?;
                    }
                    JsonKey::Result | JsonKey::Value | JsonKey::Accounts if bytes != b"null" => {
                        return Err("is no list of accounts".to_owned());
                    }
                    _ => {}
                }
                return Ok(None);
            }
            JsonPart::Account(place) => self.at = At::NextItem(place),
        }
        let keyed: Keyed<'_> = serde_json::from_slice(bytes).map_err(unreadable("an account"))?;
        self.accounts = self.accounts.saturating_add(1);
        let raw = raw(&keyed, self.context.unwrap_or_default())?;
        Ok(Some(raw).filter(|raw| !raw.is_blank()))
    }
}

fn above(place: JsonPlace) -> At {
    match place {
        JsonPlace::Answer => At::End,
        JsonPlace::Result => At::Next(JsonPlace::Answer),
        JsonPlace::Page => At::Next(JsonPlace::Result),
    }
}

fn key(place: JsonPlace, name: &[u8]) -> JsonKey {
    match (place, name) {
        (JsonPlace::Answer, b"\"result\"") => JsonKey::Result,
        (JsonPlace::Answer, b"\"error\"") => JsonKey::Error,
        (JsonPlace::Result, b"\"context\"") => JsonKey::Context,
        (JsonPlace::Result, b"\"value\"") => JsonKey::Value,
        (JsonPlace::Result | JsonPlace::Page, b"\"accounts\"") => JsonKey::Accounts,
        (JsonPlace::Result | JsonPlace::Page, b"\"paginationKey\"") => JsonKey::Cursor,
        _ => JsonKey::Unknown,
    }
}

fn raw(keyed: &Keyed<'_>, slot: u64) -> Result<Raw, String> {
    let address = |text: &str| -> Result<Pubkey, String> {
        text.parse().map_err(|_| format!("names {:?}, which is no address", plain(text)))
    };
    let pubkey = address(&keyed.pubkey)?;
    let owner = address(&keyed.account.owner)?;
    let (Text(data), Text(encoding)) = &keyed.account.data;
    let data = Some(data.as_bytes()).filter(|_| encoding == "base64");
    let data = data.and_then(|data| BASE64_STANDARD.decode(data).ok());
    let data = data.ok_or_else(|| format!("holds the data of {pubkey} in an unknown encoding"))?;
    whole(&data, keyed.account.space.as_u64())
        .map_err(|how| format!("holds the data of {pubkey} {how}"))?;
    Ok(Raw { pubkey, owner, slot, write_version: 0, data })
}

#[cfg(test)]
mod tests;
