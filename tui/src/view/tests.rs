use std::time::{Duration, Instant};

use backend::{Check, Step, Verb};
use ratatui::{Terminal, backend::TestBackend, buffer::Buffer};
use upgrade_manager::state::Votable;

use super::*;
use crate::{
    action::{Action, command_id::CommandId},
    fixtures,
    model::{
        dialog::{Confirm, Dialog, Focus, Need},
        job::{Job, JobStep, Report},
    },
    theme::{Theme, ThemeName},
    update::update,
};

/// The second frame on a terminal of this size. The first one decides which keys work, which the footer shows.
fn paint(model: &Model, width: u16, height: u16) -> Buffer {
    let mut model = model.clone();
    fixtures::draw_on(&mut model, (width, height));
    let model = &model;
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal
        .draw(|frame| {
            draw(model, frame);
        })
        .unwrap();
    terminal.backend().buffer().clone()
}

fn text(buffer: &Buffer) -> String {
    let area = buffer.area;
    let row = |y| (0..area.width).map(|x| buffer[(x, y)].symbol()).collect::<String>();
    (0..area.height).map(|y| row(y).trim_end().to_owned() + "\n").collect()
}

pub(super) fn screen(model: &Model, width: u16, height: u16) -> String {
    text(&paint(model, width, height))
}

pub(super) fn go(model: &mut Model, id: CommandId) {
    let now = model.now;
    update(model, Action::Run(id), now);
    fixtures::draw_on(model, (160, 50));
}

pub(super) fn confirm(need: Need) -> Dialog {
    Dialog::Confirm(Box::new(Confirm::new(1, fixtures::preflight(Verb::Execute), need)))
}

/// The screens that are compared with snapshots, by name.
fn gallery() -> Vec<(&'static str, Model)> {
    let now = Instant::now();
    let at = |f: &fixtures::Fixture, id| {
        let mut model = fixtures::model(f, now);
        go(&mut model, CommandId::Show(id));
        model
    };
    let mut list = vec![
        ("programs", fixtures::model(&fixtures::active(2), now)),
        ("programs_timelocked", fixtures::model(&fixtures::timelocked(), now)),
        ("proposal", at(&fixtures::timelocked(), Screen::Proposal)),
        ("audit", at(&fixtures::active(1), Screen::Audit)),
        ("sent", at(&fixtures::active(1), Screen::Sent)),
        ("help", at(&fixtures::active(1), Screen::Help)),
    ];
    let mut model = at(&fixtures::migrating(120, 0), Screen::Migration);
    let mut job = Job::new(1, &Step::of(Verb::Migrate), fixtures::key(40), now);
    let step = |done| JobStep { label: "migrate".into(), done, total: 200, failed: 0 };
    job.advance(step(0), now - Duration::from_secs(6));
    job.advance(step(120), now);
    model.job = Some(job);
    list.push(("migration", model));
    let mut model = fixtures::model(&fixtures::timelocked(), now);
    model.dialog = Some(confirm(Need::Yes));
    list.push(("confirm", model));
    let mut model = fixtures::shared(&fixtures::timelocked(), now);
    model.dialog = Some(confirm(Need::Typed("demo-vault".into())));
    list.push(("confirm_typed", model));
    let mut model = fixtures::model(&fixtures::active(1), now);
    model.health.conn =
        indexer::Conn::Reconnecting { attempt: 3, retry_at: now + fixtures::SECOND * 5 };
    model.now = now + fixtures::SECOND * 42;
    model.health.conn =
        indexer::Conn::Reconnecting { attempt: 3, retry_at: model.now + fixtures::SECOND * 5 };
    go(&mut model, CommandId::Approve);
    list.push(("reconnecting", model));
    let empty = Model::new(
        crate::model::cluster::Cluster::identify("x", "http://localhost:8899", false),
        Theme::default(),
        now,
    );
    list.push(("empty", empty));
    list
}

#[test]
fn screens_match_their_snapshots_at_80x24_and_160x50() {
    for (name, model) in gallery() {
        for (width, height) in [(80, 24), (160, 50)] {
            insta::assert_snapshot!(
                format!("{name}_{width}x{height}"),
                screen(&model, width, height)
            );
        }
    }
}

#[test]
fn a_mirror_that_another_process_writes_is_live_until_its_data_ages() {
    let now = Instant::now();
    let mut model = fixtures::model(&fixtures::active(1), now);
    let writer = "ops-1\u{1b}[31m".to_owned();
    model.health.conn = indexer::Conn::Following { writer };
    let fresh = screen(&model, 100, 24);
    assert!(fresh.contains("✓ Following ops-1") && !fresh.contains('\u{1b}'), "{fresh}");
    assert_eq!(model.write_block(), None, "what is signed is read from the chain");
    model.now = now + fixtures::SECOND * 42;
    assert!(screen(&model, 100, 24).contains("stale"), "old data is called stale");
}

#[test]
fn the_dialogs_styles_match_their_snapshots_in_every_theme() {
    for name in [ThemeName::Default, ThemeName::ColourBlind, ThemeName::Mono] {
        let mut model = fixtures::model(&fixtures::timelocked(), Instant::now());
        model.theme = Theme::new(name, false);
        model.dialog = Some(confirm(Need::Yes));
        insta::assert_snapshot!(
            format!("confirm_styles_{name:?}"),
            format!("{:?}", paint(&model, 80, 24))
        );
    }
}

#[test]
fn votes_terms_and_timing_are_shown_in_words() {
    let now = Instant::now();
    let model = fixtures::model(&fixtures::active(2), now);
    let seen = screen(&model, 80, 24);
    for word in
        ["Approvals 2/5 (3 needed)", "approved by member-1, member-2", "missing", "member-5"]
    {
        assert!(seen.contains(word), "{word} in\n{seen}");
    }
    let f = fixtures::timelocked();
    let mut model = fixtures::model(&f, now);
    assert!(screen(&model, 80, 24).contains("Timelocked: executable in 1d 23:00:00"));
    let floor = f.proposal.slot_floor(f.multisig.timelock);
    model.health = fixtures::live(now, f.proposal.eta, floor);
    assert!(screen(&model, 80, 24).contains("ready to execute"));
    let mut model = fixtures::model(&fixtures::migrating(0, 200), now);
    go(&mut model, CommandId::Show(Screen::Migration));
    let seen = screen(&model, 80, 24);
    assert!(seen.contains("200/200 migrated") && seen.contains("200/200 verified"), "{seen}");
    let mut f = fixtures::migrating(0, 0);
    f.proposal.status = upgrade_manager::state::ProposalStatus::RolledBack;
    assert!(screen(&fixtures::model(&f, now), 80, 24).contains("RolledBack"));
}

#[test]
fn connection_and_age_are_on_every_screen() {
    for (name, mut model) in gallery() {
        let seen = screen(&model, 80, 24);
        let head = seen.lines().next().unwrap();
        assert!(
            ["Live", "Reconnecting", "Connecting"].iter().any(|w| head.contains(w)),
            "{name}: {head}"
        );
        if model.health.read_at.is_some() {
            assert!(head.contains(" old"), "{name}: {head}");
            model.now += fixtures::SECOND * 30;
            let later = screen(&model, 80, 24);
            assert!(later.lines().next().unwrap().contains("stale"), "{name}");
        }
    }
}

#[test]
fn old_data_stays_readable_while_reconnecting_and_signing_is_refused() {
    let (_, model) = gallery().into_iter().find(|(name, _)| *name == "reconnecting").unwrap();
    let seen = screen(&model, 80, 24);
    assert!(seen.contains("Approvals 1/5 (3 needed)"));
    assert!(seen.contains("Reconnecting in 5 s (attempt 3)"), "{seen}");
    assert!(seen.contains("Approve refused. Not connected to the chain"), "{seen}");
}

#[test]
fn a_terminal_that_is_too_small_says_so() {
    let model = fixtures::model(&fixtures::active(1), Instant::now());
    for (w, h) in [(20, 5), (59, 24), (80, 14)] {
        let seen = screen(&model, w, h).replace('\n', " ");
        assert!(seen.contains("terminal too small"), "{seen}");
    }
    assert!(!screen(&model, 60, 15).contains("too small"));
    for (w, h) in [(0, 0), (1, 1), (3, 1)] {
        paint(&model, w, h);
    }
}

#[test]
fn cancel_has_the_focus_and_a_failed_check_leaves_no_confirm() {
    let now = Instant::now();
    let mut model = fixtures::model(&fixtures::timelocked(), now);
    model.dialog = Some(confirm(Need::Yes));
    let seen = screen(&model, 80, 24);
    assert!(seen.contains("▶[ Go back ]") && seen.contains(" [ Confirm ]"), "{seen}");
    if let Some(Dialog::Confirm(c)) = model.dialog.as_mut() {
        c.focus = Focus::Confirm;
    }
    assert!(screen(&model, 80, 24).contains("▶[ Confirm ]"));
    if let Some(Dialog::Confirm(c)) = model.dialog.as_mut() {
        c.shown.sendable = false;
        c.shown.checks.push(Check::fail("The timelock is not over: 47:59:58 left."));
    }
    let seen = screen(&model, 80, 24);
    assert!(
        !seen.contains("Confirm ]") && seen.contains("FAIL") && seen.contains("STOP"),
        "{seen}"
    );
}

#[test]
fn a_long_dialog_keeps_its_buttons_and_scrolls() {
    let mut model = fixtures::model(&fixtures::timelocked(), Instant::now());
    let mut c = Confirm::new(1, fixtures::preflight(Verb::Execute), Need::Yes);
    c.shown.checks = (0..60).map(|i| Check::pass(format!("Check number {i} holds."))).collect();
    model.dialog = Some(Dialog::Confirm(Box::new(c)));
    let seen = screen(&model, 80, 24);
    assert!(seen.contains("[ Go back ]") && seen.contains("scroll"), "{seen}");
    assert!(!seen.contains("number 59"));
    if let Some(Dialog::Confirm(c)) = model.dialog.as_mut() {
        c.scroll = u16::MAX;
    }
    assert!(screen(&model, 80, 24).contains("number 59"));
}

#[test]
fn failures_are_listed_by_account() {
    let mut model = fixtures::model(&fixtures::migrating(199, 0), Instant::now());
    go(&mut model, CommandId::Show(Screen::Migration));
    model.report = Some(Report {
        label: "Migrate".into(),
        summary: "199 of 200 accounts migrated.".into(),
        failures: vec!["Account 7Np4 is not at the old version.".into()],
        took: fixtures::SECOND * 9,
    });
    let seen = screen(&model, 80, 24);
    assert!(seen.contains("1 failures") && seen.contains("Account 7Np4"), "{seen}");
}

#[test]
fn help_names_every_command_and_every_status() {
    let mut model = fixtures::model(&fixtures::active(1), Instant::now());
    go(&mut model, CommandId::Help);
    let seen = screen(&model, 160, 120);
    for c in crate::keymap::COMMANDS {
        assert!(seen.contains(c.help), "{}", c.help);
    }
    for status in upgrade_manager::state::ProposalStatus::ALL {
        assert!(seen.contains(status.name()), "{}", status.name());
    }
    model.members.clear();
    assert!(!screen(&model, 160, 120).contains("Sandbox only"));
}

#[test]
fn ascii_screens_are_ascii() {
    for (name, mut model) in gallery() {
        model.theme = Theme::new(ThemeName::Default, true);
        let seen = screen(&model, 100, 40);
        let odd: String = seen.chars().filter(|c| !c.is_ascii()).collect();
        assert!(odd.is_empty(), "{name}: {odd}");
    }
}

#[test]
fn the_word_to_type_and_the_typed_word_are_shown_however_long() {
    let word = "the-longest-name-that-a-file-has";
    for (width, height) in [(80, 24), (60, 15)] {
        let mut model = fixtures::shared(&fixtures::timelocked(), Instant::now());
        let Dialog::Confirm(mut c) = confirm(Need::Typed(word.into())) else { panic!() };
        (c.input, c.read) = (format!("{word}-x"), true);
        model.dialog = Some(Dialog::Confirm(c));
        let text = screen(&model, width, height);
        assert!(
            text.contains(&format!("{word} to")) || text.contains(&format!("Type {word}")),
            "{text}"
        );
        assert!(text.contains(&format!("{word}-x_")) && text.contains("Confirm ]"), "{text}");
    }
}

#[test]
fn the_footer_of_a_dialog_names_only_keys_that_do_something_there() {
    let mut model = fixtures::model(&fixtures::active(1), Instant::now());
    let last = |model: &Model| screen(model, 120, 30).lines().last().unwrap().to_owned();
    model.dialog = Some(Dialog::Clock { at: 0 });
    assert!(!last(&model).contains("Tab") && last(&model).contains("Enter"), "{}", last(&model));
    model.dialog = Some(Dialog::Preparing { ticket: 1, verb: Verb::Approve, since: model.now });
    assert!(!last(&model).contains("Enter") && last(&model).contains("Esc"), "{}", last(&model));
    let Dialog::Confirm(mut c) = confirm(Need::Yes) else { panic!() };
    c.shown.sendable = false;
    model.dialog = Some(Dialog::Confirm(c));
    assert!(!last(&model).contains("y confirm"), "{}", last(&model));
}

#[test]
fn failed_checks_show_their_age_and_the_key_to_retry() {
    let mut model = fixtures::model(&fixtures::active(1), Instant::now());
    let now = model.now;
    update(&mut model, Action::Run(CommandId::Show(Screen::Proposal)), now);
    let ticket = model.checked.as_ref().unwrap().ticket;
    let result = Err("The node does not answer.".to_owned());
    update(&mut model, Action::Checked { ticket, result }, now);
    model.now += Duration::from_secs(30);
    let text = screen(&model, 80, 24);
    assert!(text.contains("Preflight, 30 s ago (p runs it again)"), "{text}");
}

#[test]
fn a_filter_that_hides_every_row_says_so() {
    for id in [Screen::Programs, Screen::Migration, Screen::Audit, Screen::Sent] {
        let mut model = fixtures::model(&fixtures::migrating(9, 0), Instant::now());
        go(&mut model, CommandId::Show(id));
        model.ui.filter.insert(id, "no such thing".to_owned());
        model.keep_selections();
        let text = screen(&model, 100, 30);
        assert!(text.contains("No row passes the filter"), "{text}");
        for untrue in ["has been sent", "has been read", "been migrated", "is registered"] {
            assert!(!text.contains(untrue), "{text}");
        }
    }
}

#[test]
fn a_table_that_leaves_rows_out_says_so() {
    use crate::model::snapshot::MAX_HISTORY_ROWS;
    let mut model = fixtures::model(&fixtures::active(1), Instant::now());
    go(&mut model, CommandId::Show(Screen::Audit));
    assert!(!screen(&model, 120, 30).contains("newest"));
    let mut snapshot = (*model.snapshot).clone();
    let one = snapshot.audit[0].clone();
    snapshot.audit = (0..u64::from(MAX_HISTORY_ROWS))
        .map(|seq| indexer::AuditRow { seq, ..one.clone() })
        .collect();
    model.snapshot = std::sync::Arc::new(snapshot);
    assert!(screen(&model, 120, 30).contains("Audit log, the newest 2,000"));
}

#[test]
fn a_closed_proposal_says_so_and_takes_no_action() {
    let mut model = fixtures::model(&fixtures::active(1), Instant::now());
    let mut snapshot = (*model.snapshot).clone();
    snapshot.view.proposals[0].closed_slot = Some(9);
    model.snapshot = std::sync::Arc::new(snapshot);
    let now = model.now;
    let effects = update(&mut model, Action::Run(CommandId::Approve), now);
    let text = screen(&model, 120, 30);
    assert!(effects.is_empty() && text.contains("is closed"), "{text}");
    assert!(
        text.contains("account closed") && !text.contains("#0   v1 → v2    Active       1/5     ◷")
    );
}

#[test]
fn a_stalled_job_shows_no_time_left() {
    let now = Instant::now();
    let mut model = fixtures::model(&fixtures::migrating(120, 0), now);
    go(&mut model, CommandId::Show(Screen::Migration));
    let mut job = Job::new(1, &Step::of(Verb::Migrate), fixtures::key(40), now);
    let step = |done| JobStep { label: "migrate".into(), done, total: 200, failed: 0 };
    job.advance(step(0), now - Duration::from_secs(6));
    job.advance(step(120), now);
    model.job = Some(job);
    assert!(screen(&model, 120, 30).contains("about 00:04 left"));
    model.now = now + Duration::from_secs(40);
    let text = screen(&model, 120, 30);
    assert_eq!(text.matches("no progress for 40 s").count(), 2, "{text}");
    assert!(!text.contains("left") && !text.contains("/s,"), "{text}");
}

#[test]
fn no_number_of_the_running_job_is_cut_off() {
    let mut model = fixtures::model(&fixtures::migrating(0, 0), Instant::now());
    let mut job = Job::new(1, &Step::of(Verb::Verify), fixtures::key(40), model.now);
    let label = "Waiting for finality of everything that was sent so far".to_owned();
    job.advance(JobStep { label, done: 432_103, total: 432_129, failed: 0 }, model.now);
    model.job = Some(job);
    let text = screen(&model, 80, 24);
    let line = text.lines().find(|l| l.contains("Waiting for finality")).unwrap();
    assert!(line.ends_with(".."), "{line}");
}
