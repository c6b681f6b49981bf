//! Lists of a program's accounts: filters, pages, and bodies that are generated while they are sent, so
//! that a list of hundreds of thousands takes no memory here.
use std::time::Duration;

use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::{Value, json};
use solana_pubkey::Pubkey;
use tokio::net::TcpStream;

use super::{
    FakeSolana, State, What, http,
    script::crowd,
    state::Form,
    wire::{self, Account},
};
use crate::common::fixtures::PROGRAM_ID;

/// Bytes of a body per write.
const PART: usize = 1 << 16;

/// A list being sent.
pub struct Listing {
    before: String,
    after: String,
    accounts: Vec<(Pubkey, Account)>,
    crowd: u32,
    filters: Vec<Filter>,
    slice: Option<(usize, usize)>,
    form: Form,
}

/// The list for `method`, if it is a listing method.
pub fn asked(fake: &FakeSolana, method: &str, params: &Value) -> Option<Result<Listing, What>> {
    let paged = match method {
        "getProgramAccounts" => false,
        "getProgramAccountsV2" if fake.state().v2 => true,
        _ => return None,
    };
    Some(list(&mut fake.state(), &params[1], paged))
}

fn list(state: &mut State, options: &Value, paged: bool) -> Result<Listing, What> {
    if state.not_reached > 0 {
        state.not_reached -= 1;
        return Err(What::NOT_REACHED);
    }
    let finalized = options["commitment"] == "finalized";
    let slot = if finalized { state.finalized } else { state.confirmed() };
    if options["minContextSlot"].as_u64().is_some_and(|min| min > slot) {
        return Err(What::NOT_REACHED);
    }
    let filters: Vec<Filter> = options["filters"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|f| Filter::read(f).expect("a filter that the node knows"))
        .collect();
    let kept = state.accounts.len().saturating_sub(state.cut);
    let fits = |data: &[u8]| filters.iter().all(|f| f.fits(data));
    let mut accounts: Vec<(Pubkey, Account)> = state
        .accounts
        .iter()
        .take(kept)
        .filter(|(_, (owner, data))| *owner == PROGRAM_ID && fits(data))
        .map(|(k, account)| (*k, account.clone()))
        .collect();
    if let (Some((most, what)), false) = (&state.most, paged) {
        let many = (0..state.crowd).filter(|n| fits(&crowd(*n).1)).count();
        if accounts.len() + many > *most {
            return Err(what.clone());
        }
    }
    state.snapshots += 1;
    let context = slot.saturating_sub(state.lie);
    let mut next = Value::Null;
    if paged {
        let limit = options["limit"].as_u64().map_or(1_000, |n| usize::try_from(n).unwrap());
        let limit = limit.min(state.page);
        if let Some(behind) = options["paginationKey"].as_str() {
            let behind: Pubkey = behind.parse().unwrap();
            accounts.retain(|(k, _)| *k > behind);
        }
        // The key continues after the limit, whatever the filters removed.
        if accounts.len() > limit {
            accounts.truncate(limit);
            next = json!(accounts.last().map(|(k, _)| k.to_string()));
            // A short page that is not the last.
            if options["paginationKey"].is_string() && accounts.len() > 1 {
                accounts.truncate(limit / 2);
                next = json!(accounts.last().map(|(k, _)| k.to_string()));
            }
        }
    }
    let (list, rest) = if paged {
        ("\"accounts\":[", format!("],\"paginationKey\":{next},\"count\":{}", accounts.len()))
    } else {
        ("[", "]".to_owned())
    };
    let with_context = options["withContext"] == true;
    let (before, after) = match (with_context, paged) {
        (true, false) => {
            (format!("{},\"value\":{list}", wire::context(context)), format!("{rest}}}"))
        }
        (true, true) => {
            (format!("{},\"value\":{{{list}", wire::context(context)), format!("{rest}}}}}"))
        }
        (false, false) => (list.to_owned(), rest),
        (false, true) => (format!("{{{list}"), format!("{rest}}}")),
    };
    let number = |v: &Value| v.as_u64().map(|n| usize::try_from(n).unwrap());
    let slice = &options["dataSlice"];
    let slice = number(&slice["offset"]).zip(number(&slice["length"]));
    let crowd = if paged { 0 } else { state.crowd };
    let form = state.form;
    Ok(Listing { before, after, accounts, crowd, filters, slice, form })
}

impl Listing {
    /// Sends the answer, pausing or breaking off as the node's state says.
    pub async fn send(
        self,
        fake: &FakeSolana,
        stream: &mut TcpStream,
        id: &Value,
        fault: Option<What>,
    ) -> std::io::Result<()> {
        let cut = match fault {
            Some(What::Cut { after, whole }) => Some((after, whole)),
            _ => None,
        };
        http::begin(stream).await?;
        let mut part = format!("{{\"jsonrpc\":\"2.0\",\"result\":{}", self.before);
        let few = self.accounts.iter().map(|(k, a)| (*k, a.1.clone()));
        let many = (0..self.crowd).map(crowd);
        let fits = |data: &[u8]| self.filters.iter().all(|f| f.fits(data));
        for (sent, (pubkey, data)) in few.chain(many.filter(|(_, d)| fits(d))).enumerate() {
            if fake.state().snapshot_hold == Some(sent) {
                http::chunk(stream, &mut part).await?;
                held(fake).await;
            }
            let from = part.len();
            if sent > 0 {
                part.push(',');
            }
            let data = match self.slice {
                Some((offset, len)) => {
                    data.get(offset..).map_or(&[][..], |d| &d[..len.min(d.len())])
                }
                None => &data,
            };
            write(&mut part, self.form, &pubkey, data);
            if let Some((after, whole)) = cut
                && sent >= after
            {
                part.truncate(from + (part.len() - from) / 2);
                http::chunk(stream, &mut part).await?;
                if whole {
                    return http::end(stream).await;
                }
                return Err(std::io::ErrorKind::ConnectionAborted.into());
            }
            if part.len() >= PART {
                http::chunk(stream, &mut part).await?;
            }
        }
        part.push_str(&format!("{},\"id\":{id}}}", self.after));
        http::chunk(stream, &mut part).await?;
        http::end(stream).await
    }
}

async fn held(fake: &FakeSolana) {
    fake.state().held += 1;
    while fake.state().snapshot_hold.is_some() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    fake.state().held -= 1;
}

fn write(out: &mut String, form: Form, pubkey: &Pubkey, data: &[u8]) {
    out.push_str("{\"account\":{\"data\":[\"");
    BASE64_STANDARD.encode_string(data, out);
    out.push_str("\",\"base64\"],\"executable\":false,\"lamports\":1,\"owner\":\"");
    out.push_str(&PROGRAM_ID.to_string());
    out.push_str(match form {
        Form::Usual => "\",\"rentEpoch\":18446744073709551615",
        Form::Rewritten | Form::Old => "\",\"rentEpoch\":18446744073709552000",
    });
    if form != Form::Old {
        out.push_str(&format!(",\"space\":{}", data.len()));
    }
    out.push_str("},\"pubkey\":\"");
    out.push_str(&pubkey.to_string());
    out.push_str("\"}");
}

/// A filter of a list.
#[derive(Debug)]
pub enum Filter {
    Size(usize),
    Bytes(usize, Vec<u8>),
}

impl Filter {
    fn read(filter: &Value) -> Option<Self> {
        if let Some(size) = filter["dataSize"].as_u64() {
            return Some(Self::Size(usize::try_from(size).ok()?));
        }
        let memcmp = &filter["memcmp"];
        let offset = usize::try_from(memcmp["offset"].as_u64()?).ok()?;
        let bytes = match (memcmp["encoding"].as_str(), &memcmp["bytes"]) {
            (Some("base64"), Value::String(text)) => BASE64_STANDARD.decode(text).ok()?,
            (None | Some("base58"), Value::String(text)) => bs58::decode(text).into_vec().ok()?,
            (_, list) => serde_json::from_value(list.clone()).ok()?,
        };
        Some(Self::Bytes(offset, bytes))
    }

    fn fits(&self, data: &[u8]) -> bool {
        match self {
            Self::Size(size) => data.len() == *size,
            Self::Bytes(offset, bytes) => data.get(*offset..).is_some_and(|d| d.starts_with(bytes)),
        }
    }
}
