//! `migrate-db`: brings the schema of a shared Postgres up to date, and makes the role with which control rooms
//! read it.
use anyhow::{Result, bail};
use indexer::store::postgres::admin::{grant_reader, migrate};
use serde_json::json;

use super::{print, print_json};
use crate::{cli::mirror::MigrateDb, config::Settings, text::clean};

/// Migrates the schema, then makes the role that `--read-only-role` names.
///
/// # Errors
/// When no database is named, or Postgres refuses.
pub async fn run(settings: &Settings, args: &MigrateDb) -> Result<u8> {
    let Some(url) = settings.database_url.as_ref().map(|url| url.as_str()) else {
        bail!(
            "No database is named; pass --database-url. A SQLite mirror is brought up to date when it is opened."
        );
    };
    let done = migrate(url).await?;
    let granted = match &args.read_only_role {
        Some(role) => Some((role, grant_reader(url, role).await?)),
        None => None,
    };
    if args.output.json {
        print_json(&json!({
            "from": done.from,
            "to": done.to,
            "read_only_role": granted.map(|(role, g)| json!({"name": role, "created": g.created})),
        }))?;
        return Ok(0);
    }
    if done.from == done.to {
        print(&format!("The schema has number {} already.", done.to))?;
    } else {
        print(&format!("The schema was brought from number {} to {}.", done.from, done.to))?;
    }
    if let Some((role, granted)) = granted {
        let role = clean(role);
        print(&format!("{role} may read the mirror and nothing else."))?;
        if granted.created {
            print(&format!(
                "It is new and has no password yet: ALTER ROLE {role} PASSWORD '...';"
            ))?;
        }
    }
    Ok(0)
}
