//! `program extend`: room for larger code.
use anyhow::Result;

use super::{confirm, desk};
use crate::{cli::setup::Extend, session::Session};

pub(super) async fn run(session: &Session, args: &Extend) -> Result<u8> {
    let desk = desk(session).await?;
    let shown = desk.extend(&args.program, args.bytes).await.map_err(|e| session.clean(&e))?;
    confirm::run(session, &desk, shown, args.go, "program").await
}
