//! `close`: closes the accounts of a proposal that has ended, of a dissolved multisig, of a program that was
//! handed over, or a buffer that no proposal pinned. The rent goes back.
use anyhow::{Result, bail};
use backend::Verb;
use solana_pubkey::Pubkey;

use super::{confirm, open_setup, open_setup_by_address};
use crate::{
    cli::{Act, setup::Close},
    headless::{current::read_current, target},
    model::snapshot::Snapshot,
    session::Session,
};

pub(super) async fn run(session: &Session, args: &Close) -> Result<u8> {
    let proposal = target::address(args.proposal.as_deref());
    let by_address = args.multisig.or(args.buffer).or(proposal).is_some();
    let (session, setup) = if by_address {
        open_setup_by_address(session).await?
    } else {
        (session.clone(), open_setup(session).await?)
    };
    let session = &session;
    if let Some(multisig) = args.multisig {
        let shown = setup.close_multisig(&multisig).await.map_err(|e| session.clean(&e))?;
        return confirm::run(session, &setup, shown, args.sign, "multisig").await;
    }
    if let Some(program) = args.state {
        let shown = setup.close_state(&program).await.map_err(|e| session.clean(&e))?;
        return confirm::run(session, &setup, shown, args.sign, "program").await;
    }
    if let Some(buffer) = args.buffer {
        let shown = match args.program {
            None => setup.close_unused(&buffer).await,
            Some(program) => setup.reclaim(&buffer, &program).await,
        };
        let shown = shown.map_err(|e| session.clean(&e))?;
        return confirm::run(session, &setup, shown, args.sign, "buffer").await;
    }
    let proposal = match proposal {
        Some(address) => address,
        None => choose(&read_current(session).await?.snapshot, args)?,
    };
    let shown = setup.close(&proposal).await.map_err(|e| session.clean(&e))?;
    confirm::run(session, &setup, shown, args.sign, "proposal").await
}

/// The proposal that `--proposal` names, else the only one that has ended and is not closed yet.
fn choose(snapshot: &Snapshot, args: &Close) -> Result<Pubkey> {
    if args.proposal.is_some() {
        let (proposal, program) = (args.proposal.clone(), args.program);
        let act = Act { proposal, program, yes: args.sign.yes, output: args.sign.output };
        // The verb matters only where no proposal is named, so any will do.
        return target::choose(snapshot, Verb::Expire, &act);
    }
    let live: Vec<_> = snapshot.programs().iter().filter_map(|r| r.account.live_proposal).collect();
    let left: Vec<_> = snapshot
        .view
        .proposals
        .iter()
        .filter(|r| r.closed_slot.is_none() && !live.contains(&r.pubkey))
        .filter(|r| args.program.is_none_or(|p| p == r.account.terms.program))
        .collect();
    match left.as_slice() {
        [one] => Ok(one.pubkey),
        [] => bail!("No proposal has ended that is not closed yet."),
        _ => bail!(
            "Several proposals have ended; name one with --proposal. `control-room status` lists them."
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{cli::setup::SignArgs, fixtures};

    #[test]
    fn close_never_picks_a_live_proposal_nor_one_of_several() {
        let close = |proposal: Option<&str>| Close {
            proposal: proposal.map(str::to_owned),
            program: None,
            buffer: None,
            multisig: None,
            state: None,
            sign: SignArgs::default(),
        };
        let live = fixtures::snapshot(&fixtures::active(1));
        assert!(choose(&live, &close(None)).unwrap_err().to_string().contains("has ended"));
        let mut f = fixtures::migrating(0, 200);
        f.state.live_proposal = None;
        let mut ended = (*fixtures::snapshot(&f)).clone();
        assert_eq!(choose(&ended, &close(None)).unwrap(), fixtures::key(40));
        assert_eq!(choose(&ended, &close(Some("0"))).unwrap(), fixtures::key(40));
        let mut other = ended.view.proposals[0].clone();
        other.pubkey = fixtures::key(41);
        ended.view.proposals.push(other);
        assert!(choose(&ended, &close(None)).unwrap_err().to_string().contains("Several"));
    }
}
