//! The log: goes to the file that the operator names, or to stderr for `index`, or nowhere. Never to the terminal of the
//! screens.
use std::{
    fs::OpenOptions,
    io::{self, Write},
    sync::{Arc, Mutex, PoisonError},
};

use anyhow::{Context, Result};
use indexer::ops::redact::Secrets;
use tracing::Subscriber;
use tracing_subscriber::{EnvFilter, fmt::MakeWriter};

use crate::config::{LogFormat, LogLevel, Settings};

/// Starts logging to the configured file, or to stderr if the command is `index` (`mirror`) and a format is set. Returns
/// whether the log goes to stderr.
///
/// # Errors
/// When the file cannot be written.
pub fn start(settings: &Settings, secrets: &Secrets, mirror: bool) -> Result<bool> {
    let format = settings.index.log_format;
    let (out, stderr): (Box<dyn Write + Send>, bool) = match &settings.log_file {
        Some(path) => {
            let file =
                OpenOptions::new().create(true).append(true).open(path).with_context(|| {
                    format!(
                        "The log file {} cannot be written. Choose another one.",
                        path.display()
                    )
                })?;
            (Box::new(file), false)
        }
        None if mirror && format.is_some() => (Box::new(io::stderr()), true),
        None => return Ok(false),
    };
    let log = log(out, secrets, format.unwrap_or_default(), settings.log_level);
    // Fails only if a log was started before; that one goes on.
    let _ = tracing::subscriber::set_global_default(log);
    Ok(stderr)
}

fn log(
    out: Box<dyn Write + Send>,
    secrets: &Secrets,
    format: LogFormat,
    level: LogLevel,
) -> Box<dyn Subscriber + Send + Sync> {
    let level = level.name();
    // sqlx logs unknown URL parameters with their values, which may be secrets.
    let filter = format!(
        "warn,sqlx_postgres::options=off,control_room={level},backend={level},indexer={level}"
    );
    let scrubbed = Scrubbed { out: Arc::new(Mutex::new(out)), secrets: Arc::new(secrets.clone()) };
    let log = tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new(filter))
        .with_ansi(false)
        .with_writer(scrubbed);
    match format {
        LogFormat::Text => Box::new(log.finish()),
        LogFormat::Json => Box::new(log.json().flatten_event(true).finish()),
    }
}

/// Writes whole lines and replaces the secrets in them.
#[derive(Clone)]
struct Scrubbed {
    out: Arc<Mutex<Box<dyn Write + Send>>>,
    secrets: Arc<Secrets>,
}

impl Write for Scrubbed {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let text = self.secrets.scrub(&String::from_utf8_lossy(line));
        let mut out = self.out.lock().unwrap_or_else(PoisonError::into_inner);
        out.write_all(text.as_bytes())?;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.lock().unwrap_or_else(PoisonError::into_inner).flush()
    }
}

impl<'a> MakeWriter<'a> for Scrubbed {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<u8>>>);

    impl Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// The log of a warning that contains URLs with their keys.
    fn written(format: LogFormat) -> String {
        let rpc = "https://rpc.example.com/v2/0123456789abcdef?api-key=fed\"cba98";
        let ws = "wss://user:hunter2@ws.example.com/";
        let secrets = Secrets::new([rpc, ws]);
        let kept = Kept::default();
        let log = log(Box::new(kept.clone()), &secrets, format, LogLevel::Info);
        tracing::subscriber::with_default(log, || {
            let error = io::Error::other(format!("error sending request for url ({rpc})"));
            let span = tracing::info_span!("connect", url = ws);
            let _in = span.enter();
            tracing::warn!(slot = 7, cause = ?error, key = "fed\"cba98", "{ws} said hunter2: {error}");
        });
        let bytes = kept.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn no_secret_of_a_url_gets_into_the_log() {
        for format in [LogFormat::Text, LogFormat::Json] {
            let text = written(format);
            for secret in ["0123456789abcdef", "cba98", "hunter2"] {
                assert!(!text.contains(secret), "{text}");
            }
            assert!(text.contains("rpc.example.com") && text.contains("***"), "{text}");
        }
    }

    #[test]
    fn a_json_line_stays_valid_after_secrets_are_replaced() {
        let text = written(LogFormat::Json);
        let value: serde_json::Value = serde_json::from_str(text.trim_end()).unwrap();
        assert_eq!((&value["level"], &value["slot"]), (&"WARN".into(), &7.into()));
        assert_eq!(value["span"]["name"], "connect");
    }
}
