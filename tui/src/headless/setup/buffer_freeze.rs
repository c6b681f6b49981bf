//! `buffer freeze`: makes the manager the buffer's authority and hashes its bytes on chain, in one transaction.
use anyhow::Result;

use super::{confirm, open_setup};
use crate::{cli::setup::Freeze, session::Session};

pub(super) async fn run(session: &Session, args: &Freeze) -> Result<u8> {
    let setup = open_setup(session).await?;
    let shown = setup.freeze(&args.buffer, &args.program, args.role.into()).await;
    confirm::run(session, &setup, shown.map_err(|e| session.clean(&e))?, args.sign, "buffer").await
}
