//! Writes a recording on its own thread. A recording with a hole would be worthless, so the first failed
//! write ends it. The mirror goes on, and the recorder reports the reason.
use std::{
    fs::{File, OpenOptions},
    io::{BufWriter, Write},
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    thread::JoinHandle,
    time::Duration,
};

use tokio::sync::mpsc::{Receiver, Sender, channel, error::SendTimeoutError};
use tracing::warn;

use super::{Arrival, FORMAT, Header, VERSION};
use crate::{
    audit::line_file::is_compressed,
    source::error::{IndexerError, Result},
};

/// Capacity of the queue to the thread, in groups of arrivals.
const MAX_QUEUED_GROUPS: usize = 64;
/// How long the mirror waits for a slow disk before the recording ends.
const DISK_TIMEOUT: Duration = Duration::from_secs(5);
/// Compression level: fast.
const ZSTD_LEVEL: i32 = 3;

/// A running recording.
#[derive(Debug)]
pub struct Recorder {
    arrivals: Option<Sender<Vec<Arrival>>>,
    trouble: Arc<Mutex<Option<String>>>,
    thread: Option<JoinHandle<()>>,
}

impl Recorder {
    /// Starts a recording in a new file at `path`, compressed when its name ends in `.zst`.
    ///
    /// # Errors
    /// [`IndexerError::File`], also when the file exists: a recording is never appended to.
    pub fn create(path: &Path) -> Result<Self> {
        let failed = |e: std::io::Error| IndexerError::File {
            what: format!("Beginning the recording {}", path.display()),
            detail: e.to_string(),
        };
        let file = OpenOptions::new().write(true).create_new(true).open(path).map_err(failed)?;
        let file = BufWriter::with_capacity(1 << 16, file);
        let out = if is_compressed(path) {
            Out::Compressed(zstd::stream::write::Encoder::new(file, ZSTD_LEVEL).map_err(failed)?)
        } else {
            Out::Plain(file)
        };
        Self::start(out, path.display().to_string())
    }

    /// Starts a recording to `out`; `place` is its display name.
    ///
    /// # Errors
    /// [`IndexerError::File`] when no thread can be started.
    pub fn to(out: impl Write + Send + 'static, place: &str) -> Result<Self> {
        Self::start(Out::Other(Box::new(out)), place.to_owned())
    }

    fn start(mut out: Out, place: String) -> Result<Self> {
        let (arrivals, inbox) = channel(MAX_QUEUED_GROUPS);
        let trouble = Arc::new(Mutex::new(None));
        let (noted, what) = (Arc::clone(&trouble), format!("Beginning the recording {place}"));
        let thread = std::thread::Builder::new()
            .name("recorder".to_owned())
            .spawn(move || {
                if let Err(e) = write_all(&mut out, inbox).and_then(|()| out.end()) {
                    give_up(&noted, &format!("The recording {place} ended early: {e}."));
                }
            })
            .map_err(|e| IndexerError::File { what, detail: e.to_string() })?;
        Ok(Self { arrivals: Some(arrivals), trouble, thread: Some(thread) })
    }

    /// Whether arrivals are still written.
    #[must_use]
    pub fn is_recording(&self) -> bool {
        self.trouble().is_none() && self.arrivals.as_ref().is_some_and(|a| !a.is_closed())
    }

    /// Why the recording ended early, as a sentence.
    #[must_use]
    pub fn trouble(&self) -> Option<String> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Records `arrivals` in order. Waits up to `DISK_TIMEOUT` for a slow disk, then ends the recording
    /// instead of delaying the mirror.
    pub async fn note(&self, arrivals: Vec<Arrival>) {
        let Some(writer) = self.arrivals.as_ref().filter(|_| self.is_recording()) else { return };
        match writer.send_timeout(arrivals, DISK_TIMEOUT).await {
            // A closed channel means that the thread has recorded its error.
            Ok(()) | Err(SendTimeoutError::Closed(_)) => {}
            Err(SendTimeoutError::Timeout(_)) => give_up(
                &self.trouble,
                "The recording ended early: the disk took nothing for 5 s. The mirror goes on without it.",
            ),
        }
    }

    /// Writes the queued arrivals and ends the recording.
    ///
    /// # Errors
    /// [`IndexerError::File`] when the recording ended early.
    pub fn finish(mut self) -> Result<()> {
        self.end();
        match self.trouble() {
            None => Ok(()),
            Some(detail) => {
                Err(IndexerError::File { what: "Recording what arrived".to_owned(), detail })
            }
        }
    }

    fn end(&mut self) {
        self.arrivals = None;
        if let Some(thread) = self.thread.take() {
            // An error means that the thread panicked; there is nothing left to write.
            let _ = thread.join();
        }
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.end();
    }
}

/// Records why the recording ended. Only the first reason counts; later ones follow from it.
fn give_up(trouble: &Mutex<Option<String>>, why: &str) {
    let mut trouble = trouble.lock().unwrap_or_else(PoisonError::into_inner);
    if trouble.is_none() {
        warn!("{why}");
        *trouble = Some(why.to_owned());
    }
}

enum Out {
    Plain(BufWriter<File>),
    Compressed(zstd::stream::write::Encoder<'static, BufWriter<File>>),
    Other(Box<dyn Write + Send>),
}

impl Out {
    fn line(&mut self, line: &impl serde::Serialize) -> std::io::Result<()> {
        let mut text = serde_json::to_vec(line)?;
        text.push(b'\n');
        self.writer().write_all(&text)
    }

    fn writer(&mut self) -> &mut dyn Write {
        match self {
            Self::Plain(out) => out,
            Self::Compressed(out) => out,
            Self::Other(out) => out,
        }
    }

    fn end(self) -> std::io::Result<()> {
        match self {
            Self::Plain(mut out) => out.flush(),
            Self::Compressed(out) => out.finish()?.flush(),
            Self::Other(mut out) => out.flush(),
        }
    }
}

fn write_all(out: &mut Out, mut inbox: Receiver<Vec<Arrival>>) -> std::io::Result<()> {
    out.line(&Header { format: FORMAT.to_owned(), version: VERSION })?;
    // The compressor keeps lines back until it is flushed. A recording that is cut off later must still
    // begin with its header, or it cannot be told from a file that is no recording.
    out.writer().flush()?;
    while let Some(arrivals) = inbox.blocking_recv() {
        for arrival in &arrivals {
            out.line(arrival)?;
        }
        // Flushes whenever the queue is empty, so that a killed process loses little.
        if inbox.is_empty() {
            out.writer().flush()?;
        }
    }
    Ok(())
}
