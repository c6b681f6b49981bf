//! Replays a recording into an empty store.
use std::{io::BufRead, sync::Arc};

use solana_pubkey::Pubkey;

use super::{Arrival, FORMAT, Header, VERSION};
use crate::{
    account::{Quarantined, Update, decode::manager_account},
    audit::{
        digest::{MirrorDigest, digest},
        line_file::{self, LineEnd},
    },
    source::error::{IndexerError, Result},
    store::{Batch, Close, Closing, Marks, PubkeySet, Run, Store, audit_log::AuditEntry},
};

/// The result of a replay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Replayed {
    /// Number of replayed arrivals.
    pub arrivals: u64,
    /// Whether the recording ends in the middle of a transaction; the incomplete part was left out.
    pub cut: bool,
    /// The store's digest afterwards.
    pub digest: MirrorDigest,
}

/// Replays the recording `from` into `store`, which must be new.
///
/// # Errors
/// [`IndexerError::Recording`] when a line cannot be replayed, or the store is not new;
/// [`IndexerError::File`] when the recording cannot be read; when the store does not answer.
pub async fn replay(from: &mut (dyn BufRead + Send), store: &dyn Store) -> Result<Replayed> {
    let mut from = from;
    let mut player = Player::new(store);
    if store.state().await?.run_id > 0 {
        return Err(player.wrong("the store already belongs to a run; use a new one"));
    }
    let mut text = String::new();
    let cut = loop {
        let read = line_file::next(&mut from, &mut text);
        player.line = player.line.saturating_add(1);
        let end = match read {
            Ok(end) => end,
            // A truncated compressed recording ends like this.
            Err(e) if e.kind() == std::io::ErrorKind::UnexpectedEof && player.line > 1 => {
                break true;
            }
            Err(e) => {
                let what = "Reading the recording".to_owned();
                return Err(IndexerError::File { what, detail: e.to_string() });
            }
        };
        match end {
            LineEnd::Over if player.line == 1 => return Err(player.wrong("the recording is empty")),
            LineEnd::Over => break player.is_in_the_middle(),
            LineEnd::Cut => break true,
            LineEnd::Line if player.line == 1 => player.header(&text)?,
            LineEnd::Line => {
                let arrival = serde_json::from_str(&text).map_err(|e| player.wrong(&e.to_string()));
                player.play(arrival?).await?;
            }
        }
    };
    let arrivals = player.played;
    if let Some(run) = player.run {
        store.end_run(&run).await?;
    }
    Ok(Replayed { arrivals, cut, digest: digest(store).await? })
}

/// Ends a snapshot and closes every row that `present` lacks, without proof of absence; returns how many.
/// Only for recorded snapshots, whose proof was made when they were recorded, never for a node's list.
///
/// # Errors
/// When the store does not answer.
pub async fn complete(
    store: &dyn Store,
    run: &Run,
    slot: u64,
    present: Arc<PubkeySet>,
) -> crate::store::Result<u64> {
    let mut gone = Arc::new(PubkeySet::default());
    loop {
        match store.tombstone_missing(run, slot, Arc::clone(&present), gone).await? {
            Closing::Closed(n) => return Ok(n),
            Closing::Unproved(lacking) => gone = Arc::new(lacking.into_iter().collect()),
        }
    }
}

struct Player<'a> {
    store: &'a dyn Store,
    run: Option<Run>,
    of: Option<(Pubkey, [u8; 32])>,
    line: u64,
    played: u64,
    /// Changes since the last [`Arrival::Apply`].
    batch: Batch,
    present: PubkeySet,
    entries: Vec<AuditEntry>,
}

impl<'a> Player<'a> {
    fn new(store: &'a dyn Store) -> Self {
        Self {
            store,
            run: None,
            of: None,
            line: 0,
            played: 0,
            batch: Batch::default(),
            present: PubkeySet::default(),
            entries: vec![],
        }
    }

    fn wrong(&self, detail: &str) -> IndexerError {
        IndexerError::Recording { line: self.line.max(1), detail: detail.to_owned() }
    }

    fn header(&self, text: &str) -> Result<()> {
        let header: Header = serde_json::from_str(text)
            .map_err(|_| self.wrong("it does not say that this is a recording"))?;
        if header.format != FORMAT {
            return Err(self.wrong("it names another format"));
        }
        if header.version != VERSION {
            let (found, known) = (header.version, VERSION);
            let detail = format!("the recording is of version {found}, this build plays {known}");
            return Err(self.wrong(&detail));
        }
        Ok(())
    }

    fn is_in_the_middle(&self) -> bool {
        let Batch { updates, closes, quarantined, .. } = &self.batch;
        let waits =
            [updates.is_empty(), closes.is_empty(), quarantined.is_empty()].contains(&false);
        waits || !self.entries.is_empty()
    }

    fn run(&self) -> Result<Run> {
        self.run.ok_or_else(|| self.wrong("nothing can arrive before a run begins"))
    }

    async fn play(&mut self, arrival: Arrival) -> Result<()> {
        match arrival {
            Arrival::Run { program, genesis } => self.begin(program, genesis).await?,
            Arrival::Account { slot, write_version, pubkey, data } => {
                match manager_account(&data) {
                    Ok(account) => {
                        self.batch.updates.push(Update::new(
                            pubkey,
                            slot,
                            write_version,
                            &account,
                            data,
                        ));
                    }
                    Err(why) => return Err(self.wrong(&format!("account {pubkey}: {why}"))),
                }
            }
            Arrival::Unreadable { slot, pubkey, owner, error, data } => {
                let bad = Quarantined { pubkey, slot, owner, error, raw: data };
                self.batch.quarantined.push(bad);
            }
            Arrival::Close { slot, write_version, pubkey } => {
                self.batch.closes.push(Close { pubkey, slot, write_version });
            }
            Arrival::Apply { frontier } => {
                let batch = Batch { frontier, ..std::mem::take(&mut self.batch) };
                self.store.apply(&self.run()?, batch).await?;
            }
            Arrival::PubkeySet { keys } => keys.iter().for_each(|key| self.present.insert(key)),
            Arrival::Complete { slot } => {
                let mut present = std::mem::take(&mut self.present);
                present.seal();
                complete(self.store, &self.run()?, slot, Arc::new(present)).await?;
            }
            Arrival::Marks { frontier, root, confirmed } => {
                let marks = Marks { frontier, root, confirmed };
                self.store.keep(&self.run()?, marks).await?;
            }
            Arrival::Undo { slots } => {
                self.store.undo(&self.run()?, &slots).await?;
            }
            Arrival::Event { slot, tx_index, ix_index, inner_index, signature, time, payload } => {
                let entry =
                    AuditEntry { slot, tx_index, ix_index, inner_index, signature, time, payload };
                self.entries.push(entry);
            }
            Arrival::Appended { upto } => {
                let entries = std::mem::take(&mut self.entries);
                self.store.append_audit(&self.run()?, entries, upto).await?;
            }
        }
        self.played = self.played.saturating_add(1);
        Ok(())
    }

    async fn begin(&mut self, program: Pubkey, genesis: [u8; 32]) -> Result<()> {
        match self.of {
            // The recorded process lost the lease and got it back.
            Some(of) if of == (program, genesis) => {}
            Some(_) => return Err(self.wrong("it is of another program or cluster")),
            None => {
                self.run = Some(self.store.begin_run(&program, &genesis, "a replay").await?);
                self.of = Some((program, genesis));
            }
        }
        Ok(())
    }
}
