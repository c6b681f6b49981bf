//! One thread that owns one SQLite connection. Callers send it jobs and await the answer; nothing else
//! touches the connection, so no lock is held across an await.
use std::{
    sync::mpsc::{Sender, channel},
    thread::JoinHandle,
};

use rusqlite::{Connection, ErrorCode};
use tokio::sync::oneshot;

use crate::store::{Result, StoreError};

type Job = Box<dyn FnOnce(&mut Connection) + Send>;

/// Result of the functions that talk to SQLite.
pub type SqliteResult<T> = std::result::Result<T, SqliteFault>;

/// Why a job failed.
#[derive(Debug)]
pub enum SqliteFault {
    /// An error of SQLite.
    Sql(rusqlite::Error),
    /// An error that already names the store.
    Store(StoreError),
    /// The file holds something that this program never writes.
    Corrupt(String),
}

impl From<rusqlite::Error> for SqliteFault {
    fn from(e: rusqlite::Error) -> Self {
        Self::Sql(e)
    }
}

impl From<StoreError> for SqliteFault {
    fn from(e: StoreError) -> Self {
        Self::Store(e)
    }
}

impl SqliteFault {
    /// The store's error, naming `place`.
    pub fn at(self, place: &str) -> StoreError {
        let place = place.to_owned();
        match self {
            Self::Store(e) => e,
            Self::Corrupt(detail) => StoreError::Corrupt { place, detail },
            Self::Sql(e) => {
                let detail = e.to_string();
                match e.sqlite_error_code() {
                    Some(ErrorCode::DiskFull) => {
                        let detail = format!(
                            "no space left on the device of {place}; it goes on once there is some"
                        );
                        StoreError::Unavailable { place, detail }
                    }
                    Some(ErrorCode::NotADatabase) => StoreError::NotAStore { place, detail },
                    Some(ErrorCode::DatabaseCorrupt | ErrorCode::ConstraintViolation) | None => {
                        StoreError::Corrupt { place, detail }
                    }
                    Some(_) => StoreError::Unavailable { place, detail },
                }
            }
        }
    }
}

/// The thread and the channel to it.
pub struct Worker {
    jobs: Option<Sender<Job>>,
    thread: Option<JoinHandle<()>>,
    place: String,
}

impl Worker {
    /// Starts a thread called `name` that owns `connection`.
    pub fn start(name: &str, connection: Connection, place: &str) -> Result<Self> {
        let (jobs, inbox) = channel::<Job>();
        let mut connection = connection;
        let thread = std::thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || {
                for job in inbox {
                    job(&mut connection);
                }
            })
            .map_err(|e| StoreError::Unavailable {
                place: place.to_owned(),
                detail: format!("no thread could be started: {e}"),
            })?;
        Ok(Self { jobs: Some(jobs), thread: Some(thread), place: place.to_owned() })
    }

    /// Sends `job` to the thread without waiting for it.
    pub fn post(&self, job: impl FnOnce(&mut Connection) + Send + 'static) {
        if let Some(jobs) = &self.jobs {
            // A thread that has stopped has closed its connection; there is nothing left to do.
            let _ = jobs.send(Box::new(job));
        }
    }

    /// Runs `job` on the thread and returns its result.
    pub async fn call<T: Send + 'static>(
        &self,
        job: impl FnOnce(&mut Connection) -> Result<T, SqliteFault> + Send + 'static,
    ) -> Result<T> {
        let gone = || StoreError::Unavailable {
            place: self.place.clone(),
            detail: "its thread has stopped".to_owned(),
        };
        let (reply, answer) = oneshot::channel();
        let boxed: Job = Box::new(move |connection| {
            // A cancelled call has dropped the receiver; the job itself has run completely.
            let _ = reply.send(job(connection));
        });
        self.jobs.as_ref().ok_or_else(gone)?.send(boxed).map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?.map_err(|fault| fault.at(&self.place))
    }
}

impl Drop for Worker {
    /// Waits for the queued jobs, so that the file is closed when the store is gone.
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take() {
            // An error means that the thread panicked; the store is going away either way.
            let _ = thread.join();
        }
    }
}
