//! Finds the proposal that a command acts on: by its address, by its id, or the live one.
use anyhow::{Result, anyhow, bail};
use backend::{Backend, Verb, accounts};
use solana_pubkey::Pubkey;
use upgrade_manager::{seeds, state::ProgramUpgradeState};

use super::{
    cluster::{check_cluster, session_for_address},
    current::read_current,
    warn,
};
use crate::{cli::Act, model::snapshot::Snapshot, session::Session, text::clean};

/// The proposal that the arguments name, and the session to use. An address needs no mirror, because a veto must
/// not wait for a list of accounts, nor for the mirror of the right cluster.
pub(super) async fn find(
    session: &Session,
    backend: &Backend,
    verb: Verb,
    args: &Act,
) -> Result<(Session, Pubkey)> {
    if let Some(address) = address(args.proposal.as_deref()) {
        return Ok((session_for_address(session, backend).await?, address));
    }
    check_cluster(session, backend).await?;
    Ok((session.clone(), by_mirror(session, backend, verb, args).await?))
}

/// The proposal when the arguments give an id or nothing. Looks it up in the mirror or, if the mirror cannot be
/// brought up to date and `--program` is given, in that program's accounts on chain.
async fn by_mirror(session: &Session, backend: &Backend, verb: Verb, args: &Act) -> Result<Pubkey> {
    let error = match read_current(session).await {
        Ok(known) => return choose(&known.snapshot, verb, args),
        Err(error) => error,
    };
    let Some(program) = args.program else {
        bail!("{error} Name the proposal with --proposal ADDRESS: that needs no list of accounts.");
    };
    warn(session, &format!("{error} Continuing with the accounts of program {program} alone."));
    let chain = backend.chain();
    let state = accounts::program_state(chain, &program).await.map_err(|e| session.clean(&e))?;
    let Some(id) = wanted_id(args.proposal.as_deref())? else {
        return live_proposal(&state, verb);
    };
    // Upgrade proposals and proposals about the multisig share one sequence of ids.
    let places = [
        seeds::proposal(&program, &state.multisig, id).0,
        seeds::governance(&state.multisig, id).0,
    ];
    let found = chain.accounts(&places).await.map_err(|e| session.clean(&e))?;
    // Anybody can send lamports to an address that holds no account yet, so the owner must be the manager.
    let there = places.into_iter().zip(found).find_map(|(at, account)| {
        account.filter(|account| account.owner == upgrade_manager::ID).map(|_| at)
    });
    there.ok_or_else(|| anyhow!("The program {program} has no proposal {id}."))
}

/// `wanted` as an address, if it is one.
pub(super) fn address(wanted: Option<&str>) -> Option<Pubkey> {
    wanted.and_then(|text| text.parse().ok())
}

fn wanted_id(wanted: Option<&str>) -> Result<Option<u64>> {
    let neither = |text| anyhow!("{} is neither an address nor an id of a proposal.", clean(text));
    wanted.map(|text| text.parse().map_err(|_| neither(text))).transpose()
}

/// The proposal that `verb` acts on when none is named.
fn live_proposal(state: &ProgramUpgradeState, verb: Verb) -> Result<Pubkey> {
    let after = matches!(verb, Verb::RollBack { .. }).then_some(state.last_executed).flatten();
    state.live_proposal.or(after).ok_or_else(|| {
        anyhow!(
            "The program {} has no live proposal; name one with --proposal. `control-room status` lists them.",
            state.program
        )
    })
}

/// The proposal that the arguments name, looked up in `snapshot`.
pub(super) fn choose(snapshot: &Snapshot, verb: Verb, args: &Act) -> Result<Pubkey> {
    let wanted = args.proposal.as_deref();
    if let Some(address) = address(wanted) {
        return Ok(address);
    }
    let programs: Vec<_> = snapshot
        .programs()
        .into_iter()
        .map(|r| &r.account)
        .filter(|s| args.program.is_none_or(|p| p == s.program))
        .collect();
    let state = match programs.as_slice() {
        [one] => *one,
        [] => bail!("No such program is registered with the manager on this chain."),
        _ => bail!("Several programs are registered; say which one with --program ADDRESS."),
    };
    if let Some(id) = wanted_id(wanted)? {
        let rows = snapshot.proposals(&state.program);
        let row = rows.iter().find(|r| r.account.terms.id == id);
        let none = || anyhow!("The program {} has no proposal {id}.", state.program);
        // Upgrade proposals and proposals about the multisig share one sequence of ids.
        let multisig = snapshot.multisig_proposals(&state.multisig);
        let other = multisig.iter().find(|r| r.account.terms.id == id).map(|r| r.pubkey);
        return row.map(|r| r.pubkey).or(other).ok_or_else(none);
    }
    live_proposal(state, verb)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::{self, key};

    fn act(proposal: Option<&str>, program: Option<Pubkey>) -> Act {
        let output = crate::cli::Output::default();
        Act { proposal: proposal.map(str::to_owned), program, yes: false, output }
    }

    #[test]
    fn a_proposal_is_named_by_address_by_id_or_not_at_all() {
        let snapshot = fixtures::snapshot(&fixtures::active(1));
        let pick = |p, program| choose(&snapshot, Verb::Approve, &act(p, program));
        assert_eq!(pick(None, None).unwrap(), key(40));
        assert_eq!(pick(Some("0"), None).unwrap(), key(40));
        let address = key(77).to_string();
        assert_eq!(pick(Some(&address), None).unwrap(), key(77));
        assert!(pick(Some("1"), None).unwrap_err().to_string().contains("no proposal 1"));
        assert!(pick(Some("x"), None).unwrap_err().to_string().contains("neither"));
        assert!(pick(None, Some(key(1))).unwrap_err().to_string().contains("No such program"));
    }

    #[test]
    fn with_several_programs_the_flag_is_required() {
        let mut snapshot = (*fixtures::snapshot(&fixtures::active(1))).clone();
        let mut other = snapshot.view.programs[0].clone();
        other.account.program = key(99);
        snapshot.view.programs.push(other);
        let picked = choose(&snapshot, Verb::Approve, &act(None, None));
        assert!(picked.unwrap_err().to_string().contains("--program"));
        assert!(choose(&snapshot, Verb::Approve, &act(None, Some(key(30)))).is_ok());
    }

    #[test]
    fn only_rollback_falls_back_to_the_last_executed_proposal() {
        let mut f = fixtures::migrating(0, 200);
        f.state.live_proposal = None;
        let snapshot = fixtures::snapshot(&f);
        let none = act(None, None);
        let back = Verb::RollBack { give_up: false };
        assert_eq!(choose(&snapshot, back, &none).unwrap(), key(40));
        assert!(choose(&snapshot, Verb::Approve, &none).is_err());
    }
}
