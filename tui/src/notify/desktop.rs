//! Notices through the desktop's daemon. Asks the bus whether a daemon runs before it calls one,
//! because calling would start it, and a broken one answers after 25 s. Never takes longer than two
//! seconds in all.
use std::time::Duration;

use notify_rust::{Notification, Timeout, Urgency};

use super::Notice;

/// Longest time for everything.
const DELIVERY_TIMEOUT: Duration = Duration::from_secs(2);
/// The daemon's name on the bus.
const DAEMON: &str = "org.freedesktop.Notifications";

/// Gives the notice.
///
/// # Errors
/// Why it could not be given, as a phrase.
pub async fn show(notice: &Notice) -> Result<(), String> {
    match tokio::time::timeout(DELIVERY_TIMEOUT, show_slowly(notice)).await {
        Ok(result) => result,
        Err(_) => Err("the notification daemon does not answer".to_owned()),
    }
}

async fn show_slowly(notice: &Notice) -> Result<(), String> {
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
