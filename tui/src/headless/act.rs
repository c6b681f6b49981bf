//! Commands that sign something about one proposal: finds the proposal, prepares the intent, and signs only with
//! `--yes`.
use std::sync::Arc;

use anyhow::Result;
use backend::{Backend, FileSigner, Operation, Preflight, Signer, Verb};

use super::{
    failed,
    signing::{confirm, preflight_json},
    target,
};
use crate::{
    cli::{Act, Command, Execute},
    session::Session,
};

/// The verb of a command and its arguments; `None` for commands that do not sign.
pub(super) fn verb(command: Command) -> Option<(Verb, Act)> {
    Some(match command {
        Command::Approve(act) => (Verb::Approve, act),
        Command::Reject(act) => (Verb::Reject, act),
        Command::Revoke(act) => (Verb::Revoke, act),
        Command::Expire(act) => (Verb::Expire, act),
        Command::Migrate(act) => (Verb::Migrate, act),
        Command::Verify(act) => (Verb::Verify, act),
        Command::Quarantine(q) => (Verb::Quarantine { account: q.account }, q.act),
        Command::Rollback(r) => (Verb::RollBack { give_up: r.give_up }, r.act),
        _ => return None,
    })
}

pub(super) async fn run(session: &Session, verb: Verb, args: &Act) -> Result<u8> {
    prepare(session, verb, args, None).await?.finish(args).await
}

/// `veto` and `cancel` send the same instruction: signed by the guardian it is a veto, signed by a member a vote
/// to cancel. Each command refuses to sign the other's meaning.
pub(super) async fn cancel(session: &Session, args: &Act, veto: bool) -> Result<u8> {
    let prepared = prepare(session, Verb::Cancel, args, None).await?;
    let preflight = &prepared.preflight;
    if preflight.intent.is_some()
        && let Some(reason) = why_wrong_command(veto, preflight.step.name, &preflight.title)
    {
        let value = args.output.json.then(|| preflight_json(preflight, None, Some(&reason)));
        return failed(reason, value.as_ref());
    }
    prepared.finish(args).await
}

/// Why the step `name`, with the title `title`, must not be signed by `veto` (if `veto`) or by `cancel`.
fn why_wrong_command(veto: bool, name: &str, title: &str) -> Option<String> {
    match (veto, name == "veto") {
        (true, false) => Some(format!(
            "This key cannot veto: it would sign \"{title}\" instead. A veto takes the guardian's key; \
             `control-room cancel` signs the other. Nothing was signed."
        )),
        (false, true) => Some(
            "With this key `cancel` is the guardian's veto, which ends the proposal at once. Run \
             `control-room veto` if that is meant. Nothing was signed."
                .to_owned(),
        ),
        _ => None,
    }
}

/// `execute`, with the new authority's signature where a program is handed over.
pub(super) async fn execute(session: &Session, args: &Execute) -> Result<u8> {
    let cosigner = match &args.cosigner {
        Some(file) if !session.settings.read_only => {
            let key: Arc<dyn Signer> = Arc::new(FileSigner::open(&file.path()?)?);
            Some(key)
        }
        _ => None,
    };
    prepare(session, Verb::Execute, &args.act, cosigner).await?.finish(&args.act).await
}

/// A preflight, and what is needed to submit it.
struct Prepared {
    /// Has no mirror if the mirror is of another cluster.
    session: Session,
    backend: Backend,
    preflight: Preflight,
}

/// Finds the proposal and makes the preflight from the chain.
async fn prepare(
    session: &Session,
    verb: Verb,
    args: &Act,
    cosigner: Option<Arc<dyn Signer>>,
) -> Result<Prepared> {
    let signer = session.signer()?;
    let backend = session.backend(signer).await?;
    backend.set_cosigner(cosigner);
    let (session, proposal) = target::find(session, &backend, verb, args).await?;
    let operation = Operation { verb, proposal };
    let preflight = backend.prepare(operation).await.map_err(|e| session.clean(&e))?;
    Ok(Prepared { session, backend, preflight })
}

impl Prepared {
    async fn finish(self, args: &Act) -> Result<u8> {
        let Self { session, backend, preflight } = self;
        confirm(&session, &backend, preflight, args.yes, args.output.json).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_veto_is_never_signed_as_a_vote_and_a_vote_never_as_a_veto() {
        for (veto, name, refused) in [
            (true, "veto", false),
            (true, "vote to cancel", true),
            (true, "withdraw", true),
            (false, "veto", true),
            (false, "vote to cancel", false),
            (false, "cancel", false),
        ] {
            let reason = why_wrong_command(veto, name, "Vote to cancel proposal 0");
            assert_eq!(reason.is_some(), refused, "{veto} {name} {reason:?}");
        }
    }
}
