//! The set-up commands: multisigs, registration, buffers, and closing accounts after a proposal has ended.
//! Each prints what would be signed first, and signs only with `--yes`.
mod buffer_freeze;
mod buffer_show;
mod buffer_upload;
mod close;
mod confirm;
mod governance;
mod multisig_create;
mod program_extend;
mod program_register;

use anyhow::Result;
use backend::SetupManager;

use crate::{
    cli::{
        Command,
        governance::MultisigArgs,
        setup::{Buffer, Close, Multisig, Program},
    },
    session::Session,
};

pub(super) async fn multisig(session: &Session, command: &Multisig) -> Result<u8> {
    match command {
        Multisig::Create(args) => multisig_create::run(session, args).await,
        Multisig::ProposeChange(args) => governance::change(session, args).await,
        Multisig::ProposeDissolve(args) => governance::dissolve(session, args).await,
    }
}

pub(super) async fn program(session: &Session, command: &Program) -> Result<u8> {
    match command {
        Program::Register(args) => program_register::run(session, args).await,
        Program::Extend(args) => program_extend::run(session, args).await,
        Program::ProposeTransfer(args) => governance::transfer(session, args).await,
    }
}

pub(super) async fn buffer(session: &Session, command: &Buffer) -> Result<u8> {
    match command {
        Buffer::Upload(args) => buffer_upload::run(session, args).await,
        Buffer::Freeze(args) => buffer_freeze::run(session, args).await,
        Buffer::Show(args) => buffer_show::run(session, args).await,
    }
}

pub(super) async fn pause(session: &Session, args: &MultisigArgs) -> Result<u8> {
    governance::pause(session, args).await
}

pub(super) async fn unpause(session: &Session, args: &MultisigArgs) -> Result<u8> {
    governance::unpause(session, args).await
}

pub(super) async fn close(session: &Session, args: &Close) -> Result<u8> {
    close::run(session, args).await
}

/// Whether a set-up command has `--json`.
pub(super) fn wants_json(command: &Command) -> bool {
    let output = match command {
        Command::Multisig(Multisig::Create(a)) => a.sign.output,
        Command::Multisig(Multisig::ProposeChange(a)) => a.sign.output,
        Command::Multisig(Multisig::ProposeDissolve(a)) => a.sign.output,
        Command::Program(Program::ProposeTransfer(a)) => a.sign.output,
        Command::Pause(a) | Command::Unpause(a) => a.sign.output,
        Command::Program(Program::Register(a)) => a.sign.output,
        Command::Program(Program::Extend(a)) => a.sign.output,
        Command::Buffer(Buffer::Upload(a)) => a.sign.output,
        Command::Buffer(Buffer::Freeze(a)) => a.sign.output,
        Command::Buffer(Buffer::Show(a)) => a.output,
        Command::Close(a) => a.sign.output,
        _ => return false,
    };
    output.json
}

/// The set-up manager with the loaded key. Refuses a node that is on another cluster than the mirror.
async fn open_setup(session: &Session) -> Result<SetupManager> {
    let signer = session.signer()?;
    let backend = session.backend(signer).await?;
    super::cluster::check_cluster(session, &backend).await?;
    Ok(SetupManager::new(&backend.context()))
}

/// The same for a command that names a proposal, multisig or buffer by its address, with the session to use.
/// A mirror of another cluster does not stop such a command; the returned session has no mirror then.
async fn open_setup_by_address(session: &Session) -> Result<(Session, SetupManager)> {
    let signer = session.signer()?;
    let backend = session.backend(signer).await?;
    let session = super::cluster::session_for_address(session, &backend).await?;
    Ok((session, SetupManager::new(&backend.context())))
}
