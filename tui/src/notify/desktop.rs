//! Delivers notices through the desktop's notification daemon. Asks D-Bus first whether a daemon runs: a call would start
//! one, and a broken one answers only after 25 s.
use std::time::Duration;

use notify_rust::{Notification, Timeout, Urgency};

use super::Notice;

/// Timeout of the whole delivery.
const DELIVERY_TIMEOUT: Duration = Duration::from_secs(2);
/// The daemon's name on D-Bus.
const DAEMON: &str = "org.freedesktop.Notifications";

/// Shows the notice.
///
/// # Errors
/// Why it could not be shown, as a phrase.
pub async fn show(notice: &Notice) -> Result<(), String> {
    match tokio::time::timeout(DELIVERY_TIMEOUT, show_without_timeout(notice)).await {
        Ok(result) => result,
        Err(_) => Err("the notification daemon does not answer".to_owned()),
    }
}

async fn show_without_timeout(notice: &Notice) -> Result<(), String> {
    if !daemon_runs().await? {
        return Err("no notification daemon runs".to_owned());
    }
    Notification::new()
        .appname("control-room")
        .summary(&crate::text::clean(&notice.title))
        .body(&crate::text::clean(&notice.body))
        .urgency(Urgency::Critical)
        .timeout(Timeout::Default)
        .show_async()
        .await
        .map(drop)
        .map_err(|e| e.to_string())
}

async fn daemon_runs() -> Result<bool, String> {
    let bus = zbus::Connection::session().await.map_err(|e| e.to_string())?;
    let answer = bus
        .call_method(
            Some("org.freedesktop.DBus"),
            "/org/freedesktop/DBus",
            Some("org.freedesktop.DBus"),
            "NameHasOwner",
            &DAEMON,
        )
        .await
        .map_err(|e| e.to_string())?;
    answer.body().deserialize().map_err(|e| e.to_string())
}
