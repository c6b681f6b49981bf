//! `program register`: the upgrade authority moves to the manager.
use anyhow::Result;

use super::{confirm, desk};
use crate::{cli::setup::Register, session::Session};

pub(super) async fn run(session: &Session, args: &Register) -> Result<u8> {
    let desk = desk(session).await?;
    let shown = desk.register(&args.program, &args.multisig, args.number).await;
    confirm::run(session, &desk, shown.map_err(|e| session.clean(&e))?, args.go, "program").await
}
