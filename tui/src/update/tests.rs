use std::time::{Duration, Instant};

use backend::{Operation, Progress, Receipt, Step, Verb};
use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use upgrade_manager::state::ProposalStatus;

use super::*;
use crate::{
    fixtures::{self, key},
    keymap,
    model::{
        dialog::{Dialog, Focus},
        job::Job,
        ui::Pane,
    },
};

/// A person at the keyboard.
pub(super) struct Robot {
    pub model: Model,
    pub now: Instant,
    pub wished: Vec<Effect>,
    /// Columns and rows of the terminal.
    pub size: (u16, u16),
}

impl Robot {
    pub fn new(model: Model) -> Self {
        Self { now: model.now, model, wished: vec![], size: (160, 50) }
    }

    pub fn wait(&mut self, ms: u64) -> &mut Self {
        self.now += Duration::from_millis(ms);
        self.wished = update(&mut self.model, Action::Tick, self.now);
        self
    }

    pub fn act(&mut self, action: Action) -> &mut Self {
        self.wished = update(&mut self.model, action, self.now);
        fixtures::look(&mut self.model, self.size);
        self
    }

    pub fn event(&mut self, event: KeyEvent) -> &mut Self {
        let action = keymap::action(&self.model, &event);
        self.act(action)
    }

    pub fn press(&mut self, code: KeyCode) -> &mut Self {
        self.event(KeyEvent::new(code, KeyModifiers::NONE))
    }

    fn hold(&mut self, code: KeyCode) -> &mut Self {
        self.event(KeyEvent::new_with_kind(code, KeyModifiers::NONE, KeyEventKind::Repeat))
    }

    pub fn keys(&mut self, text: &str) -> &mut Self {
        for c in text.chars() {
            self.press(KeyCode::Char(c));
        }
        self
    }

    /// Presses the key of an action and lets the backend answer.
    pub fn open(&mut self, c: char) -> &mut Self {
        self.press(KeyCode::Char(c));
        let Some(Effect::Prepare(ticket, Operation { verb, .. })) = self.wished.first().cloned()
        else {
            panic!("{c} prepared nothing: {:?}", self.said());
        };
        let result = Ok(fixtures::shown(verb));
        self.act(Action::Prepared { ticket, result })
    }

    pub fn said(&self) -> String {
        let said = self.model.errors.first().or(self.model.message.as_ref());
        said.map(|m| m.text.clone()).unwrap_or_default()
    }

    pub fn submitted(&self) -> bool {
        self.wished.iter().any(|e| matches!(e, Effect::Submit(_)))
    }
}

pub(super) fn sandbox(f: &fixtures::Fixture) -> Robot {
    Robot::new(fixtures::model(f, Instant::now()))
}

fn ready() -> fixtures::Fixture {
    fixtures::timelocked()
}

#[test]
fn enter_alone_never_confirms() {
    let mut r = sandbox(&fixtures::active(1));
    r.open('a').wait(600).press(KeyCode::Enter);
    assert!(!r.submitted() && r.model.dialog.is_none(), "Enter pressed Cancel");
    assert!(matches!(r.wished.first(), Some(Effect::Discard(_))), "and the intent is forgotten");
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
    assert!(!r.submitted() && r.said().contains("just opened"));
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
fn a_y_held_since_before_the_dialog_confirms_nothing() {
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
    assert!(r.said().contains("Read it"), "{}", r.said());
}

#[test]
fn on_a_shared_cluster_the_program_is_typed_for_grave_verbs() {
    for (c, f) in [
        ('x', ready()),
        ('m', fixtures::migrating(0, 0)),
        ('R', fixtures::migrating(120, 0)),
        ('W', fixtures::migrating(120, 0)),
    ] {
        let mut r = Robot::new(fixtures::shared(&f, Instant::now()));
        r.open(c).wait(600).keys("y").press(KeyCode::Tab).press(KeyCode::Enter);
        assert!(!r.submitted() && r.said().contains("type demo-vault"), "{c}: {}", r.said());
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
fn what_failed_its_checks_cannot_be_signed() {
    let mut r = sandbox(&fixtures::active(1));
    r.press(KeyCode::Char('a'));
    let Some(Effect::Prepare(ticket, _)) = r.wished.first().cloned() else { panic!() };
    let shown =
        crate::model::job::PreflightView { sendable: false, ..fixtures::shown(Verb::Approve) };
    r.act(Action::Prepared { ticket, result: Ok(shown) });
    r.wait(600).keys("y");
    assert!(!r.submitted());
    r.press(KeyCode::Tab).wait(600).press(KeyCode::Enter);
    assert!(!r.submitted() && r.said().contains("check failed"));
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
    let Some(Effect::Prepare(ticket, _)) = r.wished.first().cloned() else { panic!() };
    r.press(KeyCode::Esc);
    r.act(Action::Prepared { ticket, result: Ok(fixtures::shown(Verb::Approve)) });
    assert!(r.model.dialog.is_none());
    assert_eq!(r.wished, [Effect::Discard(ticket)]);
}

#[test]
fn a_refusal_of_the_backend_is_told_and_stays() {
    let mut r = sandbox(&fixtures::active(1));
    r.open('a').wait(600).keys("y");
    let ticket = r.model.job.as_ref().map(|j| j.ticket).unwrap();
    let refused = "Refused, nothing was signed: the status was Active and is Cancelled now.";
    r.act(Action::Finished { ticket, result: Err(refused.into()) });
    assert!(r.model.job.is_none() && r.said().contains("the status was Active"));
    r.wait(60_000);
    assert!(r.said().contains("nothing was signed"), "an error waits to be read");
    r.press(KeyCode::Esc);
    assert_eq!(r.said(), "");
}

#[test]
fn what_was_done_is_said_once() {
    let mut r = sandbox(&fixtures::active(1));
    r.open('a').wait(600).keys("y");
    let ticket = r.model.job.as_ref().map(|j| j.ticket).unwrap();
    let summary = "Approve proposal 0 is confirmed in slot 9.".to_owned();
    let receipt =
        Receipt { sent: vec![], summary: summary.clone(), failures: vec![], subject: None };
    r.act(Action::Finished { ticket, result: Ok(receipt) });
    assert_eq!(r.said(), summary);
}

#[test]
fn a_second_action_waits_for_the_first() {
    let mut r = sandbox(&fixtures::migrating(10, 0));
    r.model.job = Some(Job::new(99, &Step::of(Verb::Migrate), key(40), r.now));
    r.press(KeyCode::Char('R'));
    assert!(r.wished.is_empty() && r.said().contains("Migrate is running"), "{}", r.said());
    r.press(KeyCode::F(3));
    assert!(r.wished.is_empty(), "nor does the key change under it");
    r.press(KeyCode::Char('q'));
    assert!(!r.model.quit && matches!(r.model.dialog, Some(Dialog::Quit { .. })));
}

#[test]
fn writing_is_refused_with_a_reason() {
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
        assert!(r.wished.is_empty() && r.said().contains(reason), "{}", r.said());
    }
}

#[test]
fn what_makes_no_sense_for_the_status_is_refused_with_the_status() {
    for (c, f, word) in [
        ('x', fixtures::active(1), "Active"),
        ('m', fixtures::active(1), "Active"),
        ('R', ready(), "Timelocked"),
        ('a', fixtures::migrating(1, 0), "Migrating"),
    ] {
        let mut r = sandbox(&f);
        r.press(KeyCode::Char(c));
        assert!(r.wished.is_empty() && r.said().contains(word), "{c}: {}", r.said());
    }
}

#[test]
fn a_connection_that_breaks_under_the_dialog_stops_the_signature() {
    let mut r = sandbox(&fixtures::active(1));
    r.open('a').wait(600);
    r.model.health.conn = indexer::Conn::Reconnecting { attempt: 1, retry_at: r.now };
    r.keys("y");
    assert!(!r.submitted() && r.said().contains("Not connected"));
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
    assert!(r.said().contains("199 of 200") && r.said().contains("Account x"), "{}", r.said());
    assert_eq!(r.model.report.as_ref().map(|r| r.failures.len()), Some(1));
}

#[test]
fn enter_drills_down_and_esc_comes_back() {
    let mut r = sandbox(&fixtures::active(1));
    r.press(KeyCode::Enter);
    assert_eq!(r.model.ui.screen, Screen::Proposal);
    assert!(matches!(r.wished.first(), Some(Effect::Check(_, op)) if op.verb == Verb::Approve));
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
    assert_eq!(r.wished, [Effect::UseMember(3)]);
    r.keys("K").press(KeyCode::Down).press(KeyCode::Enter);
    assert_eq!(r.wished, [Effect::UseMember(2)], "one below the one that signs");
    r.keys("Tjj").press(KeyCode::Enter);
    assert_eq!(r.wished, [Effect::MoveClock(48 * 3_600)]);
}

#[test]
fn checks_of_the_open_proposal_follow_its_state() {
    let mut r = sandbox(&fixtures::active(1));
    r.press(KeyCode::Enter);
    let Some(Effect::Check(ticket, _)) = r.wished.first().cloned() else { panic!() };
    r.act(Action::Checked { ticket, result: Ok(fixtures::shown(Verb::Approve)) });
    r.act(Action::Loaded(fixtures::snapshot(&fixtures::active(1))));
    assert!(r.wished.is_empty(), "nothing changed");
    let mut changed = (*fixtures::snapshot(&ready())).clone();
    changed.view.proposals[0].slot += 1;
    r.act(Action::Loaded(changed.into()));
    assert!(matches!(r.wished.first(), Some(Effect::Check(_, op)) if op.verb == Verb::Execute));
}

#[test]
fn the_screen_wakes_in_step_with_the_chains_clock() {
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
