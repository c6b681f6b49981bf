//! Commands that sign: print what would be signed, and sign only with `--yes`.
use std::sync::Arc;

use anyhow::{Result, anyhow, bail};
use backend::{
    Backend, Check, Fact, FileSigner, Operation, Preflight, Progress, Receipt, Signer, Simulation,
    Step, Verb, Verdict, accounts,
};
use serde_json::{Value, json};
use solana_pubkey::Pubkey;
use tokio::sync::mpsc;
use upgrade_manager::{seeds, state::ProgramUpgradeState};

use super::{NOT_CONFIRMED, check_cluster, failed, fresh, print, print_json, warn};
use crate::{
    cli::{Act, Command, Execute},
    model::snapshot::Snapshot,
    session::Session,
    strings as s,
    text::{clean, grouped},
};

/// What is said when `--yes` is missing.
pub(super) const UNCONFIRMED: &str = "Nothing was signed. Add --yes to sign and send this.";

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
    let prepared = prepare(session, verb, args, None).await?;
    finish(session, prepared, args).await
}

/// `veto` and `cancel`: one instruction of the program, which is a veto where the guardian signs it and a
/// vote elsewhere. Each command signs only what it is called.
pub(super) async fn cancel(session: &Session, args: &Act, veto: bool) -> Result<u8> {
    let prepared = prepare(session, Verb::Cancel, args, None).await?;
    let preflight = &prepared.1;
    if preflight.intent.is_some()
        && let Some(reason) = another_step(veto, preflight.step.name, &preflight.title)
    {
        let value = args.output.json.then(|| described(preflight, None, Some(&reason)));
        return failed(reason, value.as_ref());
    }
    finish(session, prepared, args).await
}

/// Why the step called `name`, shown as `title`, is not what the command `veto`, or else `cancel`, may
/// sign.
fn another_step(veto: bool, name: &str, title: &str) -> Option<String> {
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
    let prepared = prepare(session, Verb::Execute, &args.act, cosigner).await?;
    finish(session, prepared, &args.act).await
}

/// Reads the chain and says what would be signed.
async fn prepare(
    session: &Session,
    verb: Verb,
    args: &Act,
    cosigner: Option<Arc<dyn Signer>>,
) -> Result<(Backend, Preflight)> {
    let signer = session.signer()?;
    let backend = session.backend(signer).await?;
    backend.set_cosigner(cosigner);
    let proposal = target(session, &backend, verb, args).await?;
    let operation = Operation { verb, proposal };
    let preflight = backend.prepare(operation).await.map_err(|e| session.clean(&e))?;
    Ok((backend, preflight))
}

async fn finish(
    session: &Session,
    (backend, preflight): (Backend, Preflight),
    args: &Act,
) -> Result<u8> {
    confirm(session, &backend, preflight, args.yes, args.output.json).await
}

/// The proposal that the arguments mean. One that is named by its address needs no mirror: a veto
/// must not wait for a list of accounts.
async fn target(session: &Session, backend: &Backend, verb: Verb, args: &Act) -> Result<Pubkey> {
    check_cluster(session, backend).await?;
    if let Some(address) = address(args.proposal.as_deref()) {
        return Ok(address);
    }
    let error = match fresh(session).await {
        Ok(known) => return choose(&known.snapshot, verb, args),
        Err(error) => error,
    };
    let Some(program) = args.program else {
        bail!("{error} Name the proposal with --proposal ADDRESS: that needs no list of accounts.");
    };
    warn(session, &format!("{error} Going on with the accounts of program {program} alone."));
    let gateway = backend.chain();
    let state = accounts::program_state(gateway, &program).await.map_err(|e| session.clean(&e))?;
    let Some(id) = wanted_id(args.proposal.as_deref())? else {
        return live(&state, verb);
    };
    // Proposals about the multisig are numbered in the same row.
    let places = [
        seeds::proposal(&program, &state.multisig, id).0,
        seeds::governance(&state.multisig, id).0,
    ];
    let found = gateway.accounts(&places).await.map_err(|e| session.clean(&e))?;
    // Anybody can send lamports to an address without an account: only the manager's account counts.
    let there = places.into_iter().zip(found).find_map(|(at, account)| {
        account.filter(|account| account.owner == upgrade_manager::ID).map(|_| at)
    });
    there.ok_or_else(|| anyhow!("The program {program} has no proposal {id}."))
}

/// The proposal that is named by its address.
pub(super) fn address(wanted: Option<&str>) -> Option<Pubkey> {
    wanted.and_then(|text| text.parse().ok())
}

fn wanted_id(wanted: Option<&str>) -> Result<Option<u64>> {
    let neither = |text| anyhow!("{} is neither an address nor an id of a proposal.", clean(text));
    wanted.map(|text| text.parse().map_err(|_| neither(text))).transpose()
}

/// The proposal that `verb` means when none is named.
fn live(state: &ProgramUpgradeState, verb: Verb) -> Result<Pubkey> {
    let after = matches!(verb, Verb::RollBack { .. }).then_some(state.last_executed).flatten();
    state.live_proposal.or(after).ok_or_else(|| {
        anyhow!(
            "The program {} has no live proposal; name one with --proposal. `control-room status` lists them.",
            state.program
        )
    })
}

/// The proposal that the arguments mean among those in `snapshot`.
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
        // Proposals about the multisig are numbered in the same row.
        let multisig = snapshot.multisig_proposals(&state.multisig);
        let other = multisig.iter().find(|r| r.account.terms.id == id).map(|r| r.pubkey);
        return row.map(|r| r.pubkey).or(other).ok_or_else(none);
    }
    live(state, verb)
}

/// Prints the preflight and, with `yes`, signs it.
pub(super) async fn confirm(
    session: &Session,
    backend: &Backend,
    mut preflight: Preflight,
    yes: bool,
    json: bool,
) -> Result<u8> {
    let intent = preflight.intent.take();
    if !json {
        let p = &preflight;
        describe(&p.title, Some(&p.step), &p.facts, &p.checks, p.simulation.as_ref())?;
    }
    let verb = preflight.step.label();
    let described = |error: &str| json.then(|| described(&preflight, None, Some(error)));
    if yes && session.settings.read_only {
        return failed(s::READ_ONLY.to_owned(), described(s::READ_ONLY).as_ref());
    }
    let Some(intent) = intent else {
        let reason = preflight.failures().next().map(|c| c.sentence.clone());
        let reason = unsignable(session.settings.read_only, &verb, reason.as_deref());
        return failed(reason.clone(), described(&reason).as_ref());
    };
    if !yes {
        if let Some(value) = described(UNCONFIRMED) {
            print_json(&value)?;
        }
        eprintln!("{UNCONFIRMED}");
        return Ok(NOT_CONFIRMED);
    }
    let proposal = preflight.proposal;
    let (news, heard) = mpsc::channel(256);
    let listener = tokio::spawn(follow(session.clone(), proposal, heard, json));
    let result = backend.submit(intent, Some(news)).await;
    let written = listener.await.unwrap_or_default();
    let receipt = result.map_err(|e| session.clean(&e))?;
    for tx in receipt.sent.iter().filter(|tx| !written.contains(&tx.signature)) {
        write_down(session, proposal, tx).await;
        if !json {
            print(&sent(tx))?;
        }
    }
    report(&preflight, &receipt, json)
}

/// Why there is nothing to sign. In read-only mode no key was loaded, whatever the checks say of it.
fn unsignable(read_only: bool, verb: &str, failure: Option<&str>) -> String {
    match read_only {
        true => s::READ_ONLY.to_owned(),
        false => format!("{verb} cannot be signed. {}", failure.unwrap_or(s::NO_KEY)),
    }
}

fn report(preflight: &Preflight, receipt: &Receipt, json: bool) -> Result<u8> {
    let error = receipt
        .failures
        .first()
        .map(|first| format!("{} of the steps failed; the first: {first}", receipt.failures.len()));
    if !json {
        print(&clean(&receipt.summary))?;
        for failure in &receipt.failures {
            print(&format!("failed: {}", clean(failure)))?;
        }
    }
    let value = json.then(|| described(preflight, Some(receipt), error.as_deref()));
    match error {
        Some(error) => failed(error, value.as_ref()),
        None => {
            value.as_ref().map_or(Ok(()), print_json)?;
            Ok(0)
        }
    }
}

/// Writes down what was sent. It is on the chain whether that can be written down or not.
pub(super) async fn write_down(
    session: &Session,
    proposal: impl Into<Option<Pubkey>>,
    tx: &backend::SentTx,
) {
    if let Err(e) = session.record(proposal, tx).await {
        warn(session, &format!("{e:#}"));
    }
}

/// Writes down and prints what is sent, as it is sent; returns the signatures.
async fn follow(
    session: Session,
    proposal: Pubkey,
    mut heard: mpsc::Receiver<Progress>,
    json: bool,
) -> std::collections::HashSet<String> {
    let mut written = std::collections::HashSet::new();
    while let Some(progress) = heard.recv().await {
        match progress {
            Progress::Sent(tx) => {
                write_down(&session, proposal, &tx).await;
                if !json {
                    let _ = print(&sent(&tx));
                }
                written.insert(tx.signature);
            }
            Progress::Step { label, done, total, failed } if !json => {
                let failed = if failed > 0 { format!(", {failed} failed") } else { String::new() };
                eprintln!("{} {done}/{total}{failed}", clean(&label));
            }
            Progress::Step { .. } | Progress::Sending => {}
        }
    }
    written
}

pub(super) fn sent(tx: &backend::SentTx) -> String {
    let units = tx.units.map(|u| format!(", {} units", grouped(u))).unwrap_or_default();
    let how = match &tx.error {
        None => String::new(),
        Some(e) => format!(", FAILED: {}", clean(e)),
    };
    format!(
        "sent {} {} slot {}{units}, {} bytes, {} ms{how}",
        clean(&tx.verb),
        tx.signature,
        tx.slot,
        tx.bytes,
        tx.elapsed.as_millis()
    )
}

pub(super) fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Pass => "pass",
        Verdict::Warn => "warn",
        Verdict::Fail => "FAIL",
    }
}

/// Prints what would be signed.
pub(super) fn describe(
    title: &str,
    step: Option<&Step>,
    facts: &[Fact],
    checks: &[Check],
    simulation: Option<&Simulation>,
) -> Result<()> {
    print(&clean(title))?;
    if let Some(step) = step.filter(|s| !s.consequence.is_empty()) {
        print(&clean(&step.consequence))?;
    }
    for fact in facts {
        print(&format!("  {:<28} {}", clean(&fact.label), clean(&fact.value)))?;
    }
    for check in checks {
        print(&format!("  {:<4}  {}", word(check.verdict), clean(&check.sentence)))?;
    }
    if let Some(sim) = simulation {
        let text = match &sim.error {
            None => format!("succeeds with {} compute units", grouped(sim.units)),
            Some(error) => format!("fails: {}", clean(error)),
        };
        print(&format!("  simulation {text}"))?;
    }
    Ok(())
}

fn described(p: &Preflight, receipt: Option<&Receipt>, error: Option<&str>) -> Value {
    json!({
        "verb": p.verb.name(),
        "proposal": p.proposal.to_string(),
        "step": p.step.name,
        "is_vote": p.step.is_vote,
        "consequence": p.step.consequence,
        "title": p.title,
        "facts": p.facts.iter().map(|f| json!({"label": f.label, "value": f.value})).collect::<Vec<_>>(),
        "checks": p.checks.iter()
            .map(|c| json!({"verdict": word(c.verdict).to_lowercase(), "sentence": c.sentence}))
            .collect::<Vec<_>>(),
        "simulation": p.simulation.as_ref()
            .map(|s| json!({"units": s.units, "error": s.error, "logs": s.logs})),
        "transactions": p.transactions,
        "signed": receipt.is_some(),
        "receipt": receipt,
        "error": error,
    })
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
    fn a_veto_is_never_signed_as_a_vote_and_a_vote_never_as_a_veto() {
        for (veto, name, refused) in [
            (true, "veto", false),
            (true, "vote to cancel", true),
            (true, "withdraw", true),
            (false, "veto", true),
            (false, "vote to cancel", false),
            (false, "cancel", false),
        ] {
            let reason = another_step(veto, name, "Vote to cancel proposal 0");
            assert_eq!(reason.is_some(), refused, "{veto} {name} {reason:?}");
        }
    }

    #[test]
    fn read_only_mode_does_not_send_the_operator_after_a_key() {
        assert_eq!(unsignable(true, "Approve", Some(s::NO_KEY)), s::READ_ONLY);
        let failed = unsignable(false, "Approve", Some("The vote is cast already."));
        assert_eq!(failed, "Approve cannot be signed. The vote is cast already.");
    }

    #[test]
    fn with_several_programs_nothing_is_guessed() {
        let mut snapshot = (*fixtures::snapshot(&fixtures::active(1))).clone();
        let mut other = snapshot.view.programs[0].clone();
        other.account.program = key(99);
        snapshot.view.programs.push(other);
        let picked = choose(&snapshot, Verb::Approve, &act(None, None));
        assert!(picked.unwrap_err().to_string().contains("--program"));
        assert!(choose(&snapshot, Verb::Approve, &act(None, Some(key(30)))).is_ok());
    }

    #[test]
    fn rollback_alone_falls_back_to_what_was_executed_last() {
        let mut f = fixtures::migrating(0, 200);
        f.state.live_proposal = None;
        let snapshot = fixtures::snapshot(&f);
        let none = act(None, None);
        let back = Verb::RollBack { give_up: false };
        assert_eq!(choose(&snapshot, back, &none).unwrap(), key(40));
        assert!(choose(&snapshot, Verb::Approve, &none).is_err());
    }
}
