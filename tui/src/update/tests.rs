use std::time::{Duration, Instant};

use backend::{Progress, Receipt, Step, Verb};
use crossterm::event::KeyCode;
use upgrade_manager::state::ProposalStatus;

use super::{
    robot::{Robot, sandbox},
    *,
};
use crate::{
    fixtures::{self, key},
    model::{
        dialog::{Dialog, Focus},
        job::Job,
        ui::Pane,
    },
};

fn ready() -> fixtures::Fixture {
    fixtures::timelocked()
}

#[test]
fn enter_alone_never_confirms() {
    let mut r = sandbox(&fixtures::active(1));
    r.open('a').wait(600).press(KeyCode::Enter);
    assert!(!r.submitted() && r.model.dialog.is_none(), "Enter pressed Cancel");
    assert!(matches!(r.requested.first(), Some(Effect::Discard(_))), "and its intent is discarded");
}

#[test]
fn a_held_enter_confirms_nothing_wherever_the_focus_is() {
    let mut r = sandbox(&fixtures::active(1));
    r.open('a').wait(600).press(KeyCode::Tab);
    for _ in 0..20 {
        r.wait(30).hold(KeyCode::Enter);
        assert!(!r.submitted(), "reported as repeat");
    }
    let mut r = sandbox(&fixtures::active(1));
    r.open('a').press(KeyCode::Tab).press(KeyCode::Enter);
    assert!(!r.submitted(), "too early");
    for _ in 0..40 {
        r.wait(30).press(KeyCode::Enter);
        assert!(!r.submitted(), "held down on a terminal that reports presses");
    }
    r.wait(1_000).press(KeyCode::Enter);
    assert!(r.submitted(), "let go and pressed again");
}

#[test]
fn confirm_needs_the_focus_and_half_a_second() {
    let mut r = sandbox(&fixtures::active(1));
    r.open('a').press(KeyCode::Tab).wait(499).press(KeyCode::Enter);
    assert!(!r.submitted() && r.message().contains("just opened"));
    r.wait(1_000).press(KeyCode::Enter);
    assert!(r.submitted());
    assert_eq!(r.model.job.as_ref().map(|j| j.label.as_str()), Some("Approve"));
}

#[test]
fn the_key_that_opened_the_dialog_does_not_confirm_it() {
    for c in "axmRv".chars() {
        let f = if c == 'x' { ready() } else { fixtures::migrating(200, 0) };
        let f = if c == 'a' { fixtures::active(1) } else { f };
        let mut r = sandbox(&f);
        r.open(c).wait(600).keys(&c.to_string().repeat(5));
        assert!(!r.submitted() && r.model.dialog.is_some(), "{c}");
    }
}

#[test]
fn y_confirms_in_the_sandbox_but_not_while_held() {
    let mut r = sandbox(&ready());
    r.open('x').keys("y");
    assert!(!r.submitted(), "too early");
    r.wait(600).hold(KeyCode::Char('y'));
    assert!(!r.submitted(), "held");
    r.wait(1_000).keys("y");
    assert!(r.submitted());
}

#[test]
fn a_y_held_since_before_the_dialog_opened_confirms_nothing() {
    let mut r = sandbox(&ready());
    r.open('x');
    for _ in 0..100 {
        r.wait(30).keys("y");
        assert!(!r.submitted(), "held down on a terminal that reports presses");
    }
    r.wait(1_000).keys("y");
    assert!(r.submitted(), "let go, read, and pressed again");

    let mut r = sandbox(&ready());
    r.open('x').wait(100).keys("y").wait(660).keys("y");
    assert!(!r.submitted(), "the keyboard's pause before it repeats is no second press");
    assert!(r.message().contains("Read it"), "{}", r.message());
}

#[test]
fn on_a_shared_cluster_dangerous_verbs_need_the_programs_name() {
    for (c, f) in [
        ('x', ready()),
        ('m', fixtures::migrating(0, 0)),
        ('R', fixtures::migrating(120, 0)),
        ('W', fixtures::migrating(120, 0)),
    ] {
        let mut r = Robot::new(fixtures::shared(&f, Instant::now()));
        r.open(c).wait(600).keys("y").press(KeyCode::Tab).press(KeyCode::Enter);
        assert!(!r.submitted() && r.message().contains("type demo-vault"), "{c}: {}", r.message());
        r.press(KeyCode::Backspace).keys("demo-vaul").wait(600).press(KeyCode::Enter);
        assert!(!r.submitted(), "almost");
        r.keys("t").wait(600).press(KeyCode::Enter);
        assert!(r.submitted(), "{c}");
    }
    let mut r = Robot::new(fixtures::shared(&fixtures::active(1), Instant::now()));
    r.open('a').wait(600).keys("y");
    assert!(r.submitted(), "a vote takes a yes");
}

#[test]
fn a_preflight_with_a_failed_check_cannot_be_signed() {
    let mut r = sandbox(&fixtures::active(1));
    r.press(KeyCode::Char('a'));
    let Some(Effect::Prepare(ticket, _)) = r.requested.first().cloned() else { panic!() };
    let shown =
        crate::model::job::PreflightView { sendable: false, ..fixtures::preflight(Verb::Approve) };
    r.act(Action::Prepared { ticket, result: Ok(shown) });
    r.wait(600).keys("y");
    assert!(!r.submitted());
    r.press(KeyCode::Tab).wait(600).press(KeyCode::Enter);
    assert!(!r.submitted() && r.message().contains("check failed"));
}

#[test]
fn the_dialog_keeps_its_target_while_the_mirror_changes() {
    let mut r = sandbox(&fixtures::active(1));
    r.open('a');
    let mut f = fixtures::active(2);
    f.proposal.status = ProposalStatus::Cancelled;
    r.act(Action::Loaded(fixtures::snapshot(&f)));
    let Some(Dialog::Confirm(c)) = &r.model.dialog else { panic!("the dialog went") };
    assert_eq!((c.shown.proposal, c.focus), (key(40), Focus::Cancel));
}

#[test]
fn an_answer_for_a_closed_dialog_opens_nothing() {
    let mut r = sandbox(&fixtures::active(1));
    r.press(KeyCode::Char('a'));
    let Some(Effect::Prepare(ticket, _)) = r.requested.first().cloned() else { panic!() };
    r.press(KeyCode::Esc);
    r.act(Action::Prepared { ticket, result: Ok(fixtures::preflight(Verb::Approve)) });
    assert!(r.model.dialog.is_none());
    assert_eq!(r.requested, [Effect::Discard(ticket)]);
}

#[test]
fn a_refusal_of_the_backend_is_shown_until_it_is_dismissed() {
    let mut r = sandbox(&fixtures::active(1));
    r.open('a').wait(600).keys("y");
    let ticket = r.model.job.as_ref().map(|j| j.ticket).unwrap();
    let refused = "Refused, nothing was signed: the status was Active and is Cancelled now.";
    r.act(Action::Finished { ticket, result: Err(refused.into()) });
    assert!(r.model.job.is_none() && r.message().contains("the status was Active"));
    r.wait(60_000);
    assert!(r.message().contains("nothing was signed"), "an error waits to be read");
    r.press(KeyCode::Esc);
    assert_eq!(r.message(), "");
}

#[test]
fn the_report_of_a_vote_does_not_name_it_twice() {
    let mut r = sandbox(&fixtures::active(1));
    r.open('a').wait(600).keys("y");
    let ticket = r.model.job.as_ref().map(|j| j.ticket).unwrap();
    let summary = "Approve proposal 0 is confirmed in slot 9.".to_owned();
    let receipt =
        Receipt { sent: vec![], summary: summary.clone(), failures: vec![], subject: None };
    r.act(Action::Finished { ticket, result: Ok(receipt) });
    assert_eq!(r.message(), summary);
}

#[test]
fn a_second_action_waits_for_the_first() {
    let mut r = sandbox(&fixtures::migrating(10, 0));
    r.model.job = Some(Job::new(99, &Step::of(Verb::Migrate), key(40), r.now));
    r.press(KeyCode::Char('R'));
    assert!(
        r.requested.is_empty() && r.message().contains("Migrate is running"),
        "{}",
        r.message()
    );
    r.press(KeyCode::F(3));
    assert!(r.requested.is_empty(), "nor does the key change under it");
    r.press(KeyCode::Char('q'));
    assert!(!r.model.quit && matches!(r.model.dialog, Some(Dialog::Quit { .. })));
}

#[test]
fn signing_without_key_or_connection_is_refused_with_the_reason() {
    use indexer::Conn;
    type Spoil = fn(&mut Model);
    let cases: [(Spoil, &str); 4] = [
        (|m| m.read_only = true, "read-only"),
        (|m| m.signer = None, "--keypair"),
        (|m| m.health.conn = Conn::Connecting, "Not connected"),
        (|m| m.health.conn = Conn::Stopped { reason: "Wrong cluster.".into() }, "Wrong cluster"),
    ];
    for (spoil, reason) in cases {
        let mut r = sandbox(&fixtures::active(1));
        spoil(&mut r.model);
        r.press(KeyCode::Char('a'));
        assert!(r.requested.is_empty() && r.message().contains(reason), "{}", r.message());
    }
}

#[test]
fn a_verb_that_does_not_fit_the_status_is_refused_and_names_the_status() {
    for (c, f, word) in [
        ('x', fixtures::active(1), "Active"),
        ('m', fixtures::active(1), "Active"),
        ('R', ready(), "Timelocked"),
        ('a', fixtures::migrating(1, 0), "Migrating"),
    ] {
        let mut r = sandbox(&f);
        r.press(KeyCode::Char(c));
        assert!(r.requested.is_empty() && r.message().contains(word), "{c}: {}", r.message());
    }
}

#[test]
fn a_connection_lost_while_the_dialog_is_open_stops_the_signature() {
    let mut r = sandbox(&fixtures::active(1));
    r.open('a').wait(600);
    r.model.health.conn = indexer::Conn::Reconnecting { attempt: 1, retry_at: r.now };
    r.keys("y");
    assert!(!r.submitted() && r.message().contains("Not connected"));
}

#[test]
fn progress_and_end_of_a_job_reach_the_screen() {
    let mut r = sandbox(&fixtures::migrating(0, 0));
    r.open('m').wait(600).keys("y");
    let ticket = r.model.job.as_ref().map(|j| j.ticket).unwrap();
    let step = |done| Progress::Step { label: "migrate".into(), done, total: 200, failed: 1 };
    r.act(Action::Progress { ticket, progress: step(0) }).wait(1_000);
    r.act(Action::Progress { ticket, progress: step(50) });
    r.act(Action::Progress { ticket: ticket + 1, progress: step(7) });
    let job = r.model.job.as_ref().unwrap();
    assert_eq!(job.step.as_ref().map(|s| s.done), Some(50), "news of another job is not ours");
    assert_eq!(job.rate.per_second(), Some(50.0));
    let receipt = Receipt {
        sent: vec![],
        summary: "199 of 200 accounts migrated.".into(),
        failures: vec!["Account x is not eligible.".into()],
        subject: None,
    };
    r.act(Action::Finished { ticket, result: Ok(receipt) });
    assert!(
        r.message().contains("199 of 200") && r.message().contains("Account x"),
        "{}",
        r.message()
    );
    assert_eq!(r.model.report.as_ref().map(|r| r.failures.len()), Some(1));
}

#[test]
fn enter_opens_the_next_screen_and_esc_goes_back() {
    let mut r = sandbox(&fixtures::active(1));
    r.press(KeyCode::Enter);
    assert_eq!(r.model.ui.screen, Screen::Proposal);
    assert!(matches!(r.requested.first(), Some(Effect::Check(_, op)) if op.verb == Verb::Approve));
    r.press(KeyCode::Enter);
    assert_eq!(r.model.ui.screen, Screen::Migration);
    r.press(KeyCode::Esc).press(KeyCode::Esc);
    assert_eq!(r.model.ui.screen, Screen::Programs);
    r.keys("h");
    assert_eq!(r.model.ui.pane, Pane::Programs);
    r.keys("4").keys("?").press(KeyCode::Esc);
    assert_eq!(r.model.ui.screen, Screen::Audit, "help goes back to where it was called");
}

#[test]
fn a_filter_narrows_the_rows_and_esc_clears_it() {
    let mut r = sandbox(&fixtures::migrating(30, 0));
    r.keys("3/");
    assert!(r.model.ui.filtering);
    let one = r.model.snapshot.records[&key(30)][7].account.account.to_string();
    r.keys(&one);
    assert_eq!(r.model.record_ids().len(), 1);
    r.press(KeyCode::Enter).press(KeyCode::Esc);
    assert_eq!(r.model.record_ids().len(), 30);
    r.keys("G");
    assert_eq!(r.model.ui.record.index(&r.model.record_ids()), Some(29));
    r.keys("gg");
    assert_eq!(r.model.ui.record.index(&r.model.record_ids()), Some(0));
}

#[test]
fn the_sandbox_changes_keys_and_moves_the_clock() {
    let mut r = sandbox(&fixtures::active(1));
    r.press(KeyCode::F(4));
    assert_eq!(r.requested, [Effect::UseMember(3)]);
    r.keys("K").press(KeyCode::Down).press(KeyCode::Enter);
    assert_eq!(r.requested, [Effect::UseMember(2)], "one below the one that signs");
    r.keys("Tjj").press(KeyCode::Enter);
    assert_eq!(r.requested, [Effect::MoveClock(48 * 3_600)]);
}

#[test]
fn checks_are_made_again_when_the_proposal_changes() {
    let mut r = sandbox(&fixtures::active(1));
    r.press(KeyCode::Enter);
    let Some(Effect::Check(ticket, _)) = r.requested.first().cloned() else { panic!() };
    r.act(Action::Checked { ticket, result: Ok(fixtures::preflight(Verb::Approve)) });
    r.act(Action::Loaded(fixtures::snapshot(&fixtures::active(1))));
    assert!(r.requested.is_empty(), "nothing changed");
    let mut changed = (*fixtures::snapshot(&ready())).clone();
    changed.view.proposals[0].slot += 1;
    r.act(Action::Loaded(changed.into()));
    assert!(matches!(r.requested.first(), Some(Effect::Check(_, op)) if op.verb == Verb::Execute));
}

#[test]
fn the_screen_is_redrawn_when_the_chains_second_changes() {
    let mut model = fixtures::model(&fixtures::active(1), Instant::now());
    let read = model.health.read_at.unwrap();
    model.now = read + Duration::from_millis(300);
    assert_eq!(next_wake(&model), Some(read + Duration::from_secs(1)));
    model.health.conn = indexer::Conn::Reconnecting {
        attempt: 1,
        retry_at: model.now + Duration::from_millis(4_400),
    };
    assert_eq!(next_wake(&model), Some(model.now + Duration::from_millis(400)));
}
