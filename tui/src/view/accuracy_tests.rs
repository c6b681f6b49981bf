//! Tests that the screens claim nothing false: about the data's age, what is not known yet, what a signature does, which
//! keys work, and which errors wait.
use std::time::Instant;

use backend::{Step, Verb};

use super::tests::{confirm, go, screen};
use crate::{
    action::{Action, command_id::CommandId},
    fixtures,
    model::{
        Model,
        dialog::{Confirm, Dialog, Need},
        ui::Screen,
    },
    theme::Theme,
    update::update,
};

/// A model with an empty mirror and the connection `conn`.
fn empty_mirror(conn: indexer::Conn, complete: bool) -> Model {
    let now = Instant::now();
    let cluster = crate::model::cluster::Cluster::identify("x", "http://localhost:8899", false);
    let mut model = Model::new(cluster, Theme::default(), now);
    // The node's clock was read, which says nothing about the mirror's content.
    model.health = indexer::Health { conn, ..fixtures::live(now, fixtures::START, 9) };
    let snapshot = crate::model::snapshot::Snapshot { complete, ..Default::default() };
    update(&mut model, Action::Loaded(snapshot.into()), now);
    model
}

#[test]
fn empty_tables_claim_nothing_before_a_complete_snapshot() {
    use indexer::{Conn, Reason};
    let none = "No program is registered";
    for conn in [Conn::Connecting, Conn::Live, Conn::Following { writer: "ops-1".into() }] {
        let text = screen(&empty_mirror(conn.clone(), false), 100, 24);
        assert!(!text.contains(none) && !text.contains("No proposal"), "{text}");
        assert!(text.contains("Reading the chain: waiting"), "{conn:?}: {text}");
    }
    let mut model = empty_mirror(Conn::Connecting, true);
    model.health.reasons = [Reason::Startup].into();
    model.health.error = Some("The node http://localhost:8899 does not answer.".into());
    let text = screen(&model, 100, 24);
    assert!(!text.contains(none), "what an earlier run read is old: {text}");
    assert!(text.contains("Reading the chain: The node http://localhost:8899"), "{text}");
    let text = screen(&empty_mirror(Conn::Live, true), 100, 24);
    assert!(text.contains(none), "{text}");
}

#[test]
fn the_header_shows_the_datas_age_and_not_that_of_the_nodes_clock() {
    let mut model = fixtures::model(&fixtures::active(1), Instant::now());
    let first = |model: &Model| screen(model, 100, 24).lines().next().unwrap_or("").to_owned();
    assert!(first(&model).contains("✓ Live  slot 409,000  0 s old"), "{}", first(&model));
    model.now += fixtures::SECOND * 7;
    // The node goes on, but the store gets nothing.
    let read_at = Some(model.now);
    let health =
        indexer::Health { read_at, last_frame: read_at, slot: 409_010, ..model.health.clone() };
    let now = model.now;
    update(&mut model, Action::Health(health), now);
    assert!(first(&model).contains("slot 409,000  7 s old"), "{}", first(&model));
    model.now += fixtures::SECOND * 5;
    assert!(first(&model).contains("! Live") && first(&model).contains("stale, 12 s old"));
}

#[test]
fn a_job_shows_sending_only_after_its_last_check() {
    let mut model = fixtures::model(&fixtures::active(1), Instant::now());
    let now = model.now;
    let proposal = fixtures::key(99);
    let job = crate::model::job::Job::new(7, &Step::of(Verb::Approve), proposal, now);
    model.job = Some(job);
    let text = screen(&model, 100, 30);
    assert!(text.contains("nothing is signed yet") && !text.contains("sending"), "{text}");
    let progress = backend::Progress::Sending;
    update(&mut model, Action::Progress { ticket: 7, progress }, now);
    let text = screen(&model, 100, 30);
    assert!(text.contains("signing, sending, waiting for the outcome"), "{text}");
}

#[test]
fn reasons_to_distrust_the_mirror_are_in_the_header_and_the_footer() {
    let mut model = fixtures::model(&fixtures::active(1), Instant::now());
    model.health.reasons = [indexer::Reason::DbDown, indexer::Reason::Drift].into();
    let text = screen(&model, 100, 30);
    assert!(text.contains("! Live, store down +1") && !text.contains("✓ Live"), "{text}");
    assert!(text.contains("The store does not take what arrives"), "{text}");
    model.health.reasons.clear();
    model.health.slot += 40;
    let text = screen(&model, 100, 30);
    assert!(text.contains("! Live, 40 slots behind"), "{text}");
    assert!(text.contains("The mirror is 40 slots behind."), "{text}");
}

#[test]
fn the_footer_offers_no_key_that_would_be_refused() {
    let last = |model: &Model| screen(model, 160, 50).lines().last().unwrap_or("").to_owned();
    let mut model = fixtures::model(&fixtures::active(1), Instant::now());
    assert!(last(&model).contains("a approve") && !last(&model).contains("x execute"));
    assert!(last(&model).contains("c vote cancel"), "{}", last(&model));
    go(&mut model, CommandId::Show(Screen::Audit));
    assert!(!last(&model).contains("approve"), "{}", last(&model));
    let mut model = fixtures::model(&fixtures::active(1), Instant::now());
    (model.read_only, model.signer) = (true, None);
    go(&mut model, CommandId::Show(Screen::Proposal));
    assert!(!last(&model).contains("approve") && !last(&model).contains("p check"));
    let model = fixtures::model(&fixtures::migrating(10, 0), Instant::now());
    assert!(last(&model).contains("R vote rollback"), "{}", last(&model));
    let mut f = fixtures::migrating(10, 0);
    f.proposal.rollback_approved_at = 1;
    assert!(last(&fixtures::model(&f, Instant::now())).contains("R roll back"));
}

#[test]
fn a_vote_for_rollback_and_the_rollback_itself_have_different_dialogs() {
    let mut model = fixtures::model(&fixtures::migrating(120, 0), Instant::now());
    let shown = |step: Step| {
        let title = step.title("proposal 0 of demo-vault");
        crate::model::job::PreflightView {
            step,
            title,
            ..fixtures::preflight(Verb::RollBack { give_up: false })
        }
    };
    let lines = |model: &Model| {
        let text = screen(model, 80, 24);
        let at = text.lines().position(|l| l.contains("oll back proposal 0")).unwrap();
        text.lines().skip(at).take(2).map(str::to_owned).collect::<Vec<_>>()
    };
    let vote = Confirm::new(1, shown(Step::rollback_vote(2, 3)), Need::Yes);
    model.dialog = Some(Dialog::Confirm(Box::new(vote)));
    let [title, first] = &lines(&model)[..] else { panic!() };
    assert!(title.contains("Vote to roll back proposal 0"), "{title}");
    assert!(first.contains("This is your vote 2 of 3 to roll back"), "{first}");
    let act = Confirm::new(1, shown(Step::rollback(200, 41)), Need::Yes);
    model.dialog = Some(Dialog::Confirm(Box::new(act)));
    let [title, first] = &lines(&model)[..] else { panic!() };
    assert!(title.contains(" Roll back proposal 0"), "{title}");
    assert!(first.contains("Carries the rollback out, now"), "{first}");
}

#[test]
fn an_error_shows_how_to_dismiss_it_and_how_many_wait() {
    let mut model = fixtures::model(&fixtures::active(1), Instant::now());
    let now = model.now;
    for text in ["One failed.", "Two failed."] {
        update(&mut model, Action::Say(crate::model::Level::Error, text.into()), now);
    }
    update(&mut model, Action::Say(crate::model::Level::Info, "Something else.".into()), now);
    let text = screen(&model, 80, 24);
    assert!(text.contains("error: One failed.") && text.contains("Something else."), "{text}");
    assert!(text.contains("Esc dismisses this error. 1 more error waits."), "{text}");
    model.dialog = Some(confirm(Need::Yes));
    let text = screen(&model, 80, 24);
    assert!(text.contains("One failed.") && text.contains("once the dialog is closed"), "{text}");
}
