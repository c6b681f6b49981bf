//! `program extend`: adds bytes to ProgramData, for larger code.
use anyhow::Result;

use super::{confirm, open_setup};
use crate::{cli::setup::Extend, session::Session};

pub(super) async fn run(session: &Session, args: &Extend) -> Result<u8> {
    let setup = open_setup(session).await?;
    let shown = setup.extend(&args.program, args.bytes).await.map_err(|e| session.clean(&e))?;
    confirm::run(session, &setup, shown, args.sign, "program").await
}
