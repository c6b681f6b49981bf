//! `multisig propose-change`, `multisig propose-dissolve`, `program propose-transfer`, `pause`, `unpause`.
use std::time::Duration;

use anyhow::{Context, Result, bail};
use backend::{MultisigChange, SetupManager};
use solana_pubkey::Pubkey;
use upgrade_manager::state::MemberArgs;

use super::{confirm, open_setup, open_setup_by_address};
use crate::{
    cli::governance::{
        MultisigArgs, ProposalArgs, ProposeChange, ProposeDissolve, ProposeTransfer,
    },
    headless::{DAY_SECONDS, HOUR_SECONDS, current::read_current},
    model::snapshot::Snapshot,
    session::Session,
};

fn request(args: &ProposalArgs) -> backend::MultisigProposalRequest {
    let expires_in =
        Duration::from_secs(u64::from(args.expires_in).saturating_mul(DAY_SECONDS.into()));
    backend::MultisigProposalRequest { note: args.note.clone(), expires_in }
}

/// The multisig on this chain, if exactly one is not dissolved.
fn choose(snapshot: &Snapshot) -> Result<Pubkey> {
    let rows = &snapshot.view.multisigs;
    let alive: Vec<_> =
        rows.iter().filter(|r| r.closed_slot.is_none() && !r.account.dissolved).collect();
    match alive.as_slice() {
        [one] => Ok(one.pubkey),
        [] => bail!("There is no multisig on this chain."),
        _ => bail!("There are several multisigs; say which one with --multisig ADDRESS."),
    }
}

/// The session to use, the set-up manager, and the multisig that `--multisig` names or that is the only one.
async fn open_with_multisig(
    session: &Session,
    wanted: Option<Pubkey>,
) -> Result<(Session, SetupManager, Pubkey)> {
    // With --multisig no accounts are listed, because a pause must not wait for that.
    if let Some(multisig) = wanted {
        let (session, setup) = open_setup_by_address(session).await?;
        return Ok((session, setup, multisig));
    }
    let setup = open_setup(session).await?;
    let known = read_current(session).await.context(
        "The multisig could not be looked up: name it with --multisig ADDRESS, which needs no list of accounts.",
    )?;
    Ok((session.clone(), setup, choose(&known.snapshot)?))
}

pub(super) async fn change(session: &Session, args: &ProposeChange) -> Result<u8> {
    let (session, setup, multisig) = open_with_multisig(session, args.multisig).await?;
    let shown = setup
        .propose_change(&multisig, &requested_change(args), request(&args.proposal_args))
        .await;
    confirm::run(&session, &setup, shown.map_err(|e| session.clean(&e))?, args.sign, "proposal")
        .await
}

pub(super) async fn dissolve(session: &Session, args: &ProposeDissolve) -> Result<u8> {
    let (session, setup, multisig) = open_with_multisig(session, args.multisig).await?;
    let shown = setup.propose_dissolve(&multisig, request(&args.proposal_args)).await;
    confirm::run(&session, &setup, shown.map_err(|e| session.clean(&e))?, args.sign, "proposal")
        .await
}

pub(super) async fn transfer(session: &Session, args: &ProposeTransfer) -> Result<u8> {
    let setup = open_setup(session).await?;
    let request = request(&args.proposal_args);
    let shown = setup.propose_transfer(&args.program, &args.new_authority, request).await;
    confirm::run(session, &setup, shown.map_err(|e| session.clean(&e))?, args.sign, "proposal")
        .await
}

pub(super) async fn pause(session: &Session, args: &MultisigArgs) -> Result<u8> {
    let (session, setup, multisig) = open_with_multisig(session, args.multisig).await?;
    let shown = setup.pause(&multisig).await.map_err(|e| session.clean(&e))?;
    confirm::run(&session, &setup, shown, args.sign, "multisig").await
}

pub(super) async fn unpause(session: &Session, args: &MultisigArgs) -> Result<u8> {
    let (session, setup, multisig) = open_with_multisig(session, args.multisig).await?;
    let shown = setup.unpause(&multisig).await.map_err(|e| session.clean(&e))?;
    confirm::run(&session, &setup, shown, args.sign, "multisig").await
}

fn requested_change(args: &ProposeChange) -> MultisigChange {
    let times = |n: u16, unit: u32| u32::from(n).saturating_mul(unit);
    MultisigChange {
        add: args.add.iter().map(|m| MemberArgs { key: m.key, roles: m.roles }).collect(),
        remove: args.remove.clone(),
        threshold: args.threshold,
        timelock: args.timelock_hours.map(|n| times(n, HOUR_SECONDS)),
        timelock_floor: args.timelock_floor_hours.map(|n| times(n, HOUR_SECONDS)),
        execution_window: args.window_hours.map(|n| times(n, HOUR_SECONDS)),
        rollback_window: args.rollback_window_days.map(|n| times(n, DAY_SECONDS)),
        open_cap: args.open_cap,
        guardian: if args.no_guardian { Some(None) } else { args.guardian.map(Some) },
        treasury: args.treasury,
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::{
        cli::{Cli, Command, setup::Multisig},
        fixtures::{self, key},
    };

    fn read(more: &[&str]) -> MultisigChange {
        let line = [&["control-room", "multisig", "propose-change"], more].concat();
        match Cli::try_parse_from(line).unwrap().command {
            Some(Command::Multisig(Multisig::ProposeChange(args))) => requested_change(&args),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn only_what_the_flags_name_is_changed() {
        assert_eq!(read(&[]), MultisigChange::default());
        let (a, b) = (key(1).to_string(), key(2).to_string());
        let some = read(&["--add-member", &format!("{a}:vote"), "--remove-member", &b]);
        assert_eq!((some.add.len(), some.remove), (1, vec![key(2)]));
        let times = read(&["--timelock-hours", "72", "--rollback-window-days", "3"]);
        assert_eq!((times.timelock, times.rollback_window), (Some(259_200), Some(259_200)));
        assert_eq!(read(&["--guardian", &a]).guardian, Some(Some(key(1))));
        assert_eq!(read(&["--no-guardian"]).guardian, Some(None));
    }

    #[test]
    fn the_only_multisig_is_the_default_and_several_need_a_flag() {
        let one = fixtures::snapshot(&fixtures::active(1));
        assert_eq!(choose(&one).unwrap(), key(20));
        let mut two = (*one).clone();
        let mut other = two.view.multisigs[0].clone();
        other.pubkey = key(21);
        two.view.multisigs.push(other);
        assert!(choose(&two).unwrap_err().to_string().contains("--multisig"));
        two.view.multisigs[0].account.dissolved = true;
        assert_eq!(choose(&two).unwrap(), key(21));
    }
}
