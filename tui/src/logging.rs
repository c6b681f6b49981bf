//! The log: a file that the operator names, or nothing. Never the terminal, which belongs to the
//! screens.
use std::{
    fs::{File, OpenOptions},
    io::{self, Write},
    sync::{Arc, Mutex, PoisonError},
};

use anyhow::{Context, Result};
use tracing_subscriber::{EnvFilter, fmt::MakeWriter};

use crate::{config::Settings, redact::Secrets};

/// Starts logging, where a file is named.
///
/// # Errors
/// When the file cannot be written.
pub fn start(settings: &Settings, secrets: &Secrets) -> Result<()> {
    let Some(path) = &settings.log_file else { return Ok(()) };
    let file = OpenOptions::new().create(true).append(true).open(path).with_context(|| {
        format!("The log file {} cannot be written. Choose another one.", path.display())
    })?;
    let level = settings.log_level.name();
    let filter = format!("warn,control_room={level},backend={level},indexer={level}");
    let scrubbed =
        Scrubbed { file: Arc::new(Mutex::new(file)), secrets: Arc::new(secrets.clone()) };
    tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new(filter))
        .with_ansi(false)
        .with_writer(scrubbed)
        .init();
    Ok(())
}

/// Writes whole lines, without secrets.
#[derive(Clone)]
struct Scrubbed {
    file: Arc<Mutex<File>>,
    secrets: Arc<Secrets>,
}

impl Write for Scrubbed {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let text = self.secrets.scrub(&String::from_utf8_lossy(line));
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        file.write_all(text.as_bytes())?;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.lock().unwrap_or_else(PoisonError::into_inner).flush()
    }
}

impl<'a> MakeWriter<'a> for Scrubbed {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}
