//! `program register`: hands a program's upgrade authority to the manager.
use anyhow::Result;

use super::{confirm, open_setup};
use crate::{cli::setup::Register, session::Session};

pub(super) async fn run(session: &Session, args: &Register) -> Result<u8> {
    let setup = open_setup(session).await?;
    let shown = setup.register(&args.program, &args.multisig, args.number).await;
    confirm::run(session, &setup, shown.map_err(|e| session.clean(&e))?, args.sign, "program").await
}
