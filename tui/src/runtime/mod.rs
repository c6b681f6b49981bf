//! Runs the screens: one loop waits for signals, keys, actions and the next second, updates the model, and draws when
//! something changed. Slow work runs in background tasks.
mod connect;
mod effects;
pub mod loader;
mod sandbox_clock;
mod signals;
pub mod term;

use std::{
    future::pending,
    io::{self, BufWriter, Stdout, Write, stdout},
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use backend::Signer;
use crossterm::{
    clipboard::CopyToClipboard,
    event::{Event, EventStream, MouseEventKind},
    execute, queue,
    terminal::{BeginSynchronizedUpdate, EndSynchronizedUpdate, SetTitle},
};
use futures_util::StreamExt;
use ratatui::{Terminal, backend::CrosstermBackend};
use tokio::sync::{mpsc, watch};

use self::{
    effects::EffectRunner,
    signals::{SignalEvent, Signals},
    term::TerminalGuard,
};
use crate::{
    action::Action,
    effect::Effect,
    keymap,
    model::{Level, Model, SandboxMember, ui::Drawn},
    session::Session,
    theme::{Theme, ThemeName},
    update::{next_wake, update},
    view,
};

/// Least time between two frames.
const FRAME_INTERVAL: Duration = Duration::from_millis(16);

/// What only the sandbox and the tests set.
#[derive(Clone, Debug, Default)]
pub struct RunOptions {
    /// The sandbox's members, with their key files.
    pub members: Vec<(PathBuf, SandboxMember)>,
    /// For tests of the terminal's restoration.
    pub fail: Option<TestFailure>,
}

/// How to fail after the first frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TestFailure {
    Panic,
    Error,
}

type CrosstermTerminal = Terminal<CrosstermBackend<BufWriter<Stdout>>>;

/// Runs the screens; returns the exit code.
///
/// # Errors
/// When the terminal cannot be used.
pub async fn run(
    session: Session,
    signer: Option<Arc<dyn Signer>>,
    options: RunOptions,
) -> Result<u8> {
    term::require()?;
    term::install_panic_hook();
    let (send, actions) = mpsc::channel(1_024);
    let (send_bytes, bytes) = mpsc::channel(16);
    let (found, backend) = watch::channel(None);
    let indexer = session.mirror(session.source(), Arc::clone(&session.store))?.spawn();
    let members = options.members.iter().map(|(path, _)| path.clone()).collect();
    let runner = EffectRunner::new(session.clone(), backend, members, send.clone(), send_bytes);
    let mut model = model(&session, signer.as_deref(), &options);

    tokio::spawn(connect::connect_backend(session.clone(), signer, found, send.clone()));
    tokio::spawn(connect::watch_health(session.clone(), indexer.health.clone(), send.clone()));
    tokio::spawn(keep_loading(session.clone(), indexer.revision.clone(), runner.clone(), send));

    let signals = Signals::listen().context("The signals of the system cannot be received.")?;
    let guard = TerminalGuard::enter(session.settings.mouse)
        .context("The terminal cannot be taken over.")?;
    let event_loop = EventLoop {
        terminal: open().context("The terminal cannot be drawn on.")?,
        input: EventStream::new(),
        signals,
        actions,
        bytes,
        runner,
        guard,
        title: String::new(),
        stopped: false,
    };
    let result = event_loop.run(&mut model, options.fail).await;
    term::restore();
    // Stopping the indexer at any moment leaves the mirror intact, so a hanging node need not keep the shell waiting.
    let _ = tokio::time::timeout(Duration::from_millis(500), indexer.shutdown()).await;
    result
}

/// Runs the loader, and starts it again after a panic.
async fn keep_loading(
    session: Session,
    revision: watch::Receiver<u64>,
    runner: EffectRunner,
    actions: mpsc::Sender<Action>,
) {
    let mut pause = Duration::from_secs(1);
    loop {
        let work = loader::run(
            session.store.clone(),
            revision.clone(),
            runner.reload.clone(),
            actions.clone(),
        );
        if tokio::spawn(work).await.is_ok() {
            return;
        }
        let text = format!(
            "Reading the mirror failed inside the control room; trying again in {} s.",
            pause.as_secs()
        );
        let _ = actions.send(Action::Say(Level::Error, text)).await;
        tokio::time::sleep(pause).await;
        pause = pause.saturating_mul(2).min(Duration::from_secs(60));
    }
}

fn model(session: &Session, signer: Option<&dyn Signer>, options: &RunOptions) -> Model {
    let settings = &session.settings;
    let no_colour = std::env::var_os("NO_COLOR").is_some_and(|v| !v.is_empty());
    if no_colour {
        // crossterm 0.29 turns a reversed cell into a reset when NO_COLOR is set; the mono theme
        // names no colour, so letting it through is what NO_COLOR asks for.
        crossterm::style::force_color_output(true);
    }
    let name = if no_colour { ThemeName::Mono } else { settings.theme };
    let theme = Theme::new(name, settings.ascii);
    let mut model = Model::new(session.cluster(None), theme, Instant::now());
    model.read_only = settings.read_only;
    model.limits = session.limits();
    model.signer = signer.map(Signer::pubkey);
    model.names = settings.names.clone();
    for (_, member) in &options.members {
        model.names.entry(member.key).or_insert_with(|| member.name.clone());
        model.members.push(member.clone());
    }
    model
}

fn open() -> io::Result<CrosstermTerminal> {
    Terminal::new(CrosstermBackend::new(BufWriter::with_capacity(64 * 1_024, stdout())))
}

struct EventLoop {
    terminal: CrosstermTerminal,
    input: EventStream,
    signals: Signals,
    actions: mpsc::Receiver<Action>,
    bytes: mpsc::Receiver<Vec<u8>>,
    runner: EffectRunner,
    guard: TerminalGuard,
    title: String,
    /// Whether the next SIGCONT ends the stop of `suspend`, which has already redrawn the screen.
    stopped: bool,
}

impl EventLoop {
    async fn run(mut self, model: &mut Model, fail: Option<TestFailure>) -> Result<u8> {
        let mut dirty = true;
        let mut drawn: Option<Instant> = None;
        loop {
            let may_draw = drawn.is_none_or(|at| at.elapsed() >= FRAME_INTERVAL);
            if dirty && may_draw {
                model.now = Instant::now();
                // The frame changed what can be acted on, so the footer may be out of date: draw once more.
                (dirty, drawn) = (self.draw(model)?, Some(Instant::now()));
                fail_if_asked(fail)?;
            }
            if model.quit {
                return Ok(0);
            }
            let wake = match (dirty, drawn) {
                (true, Some(at)) => Some(at + FRAME_INTERVAL),
                _ => next_wake(model),
            };
            dirty |= tokio::select! {
                biased;
                asked = self.signals.next() => match asked {
                    SignalEvent::Leave(signal) => return Ok(u8::try_from(128 + signal).unwrap_or(1)),
                    SignalEvent::Stop => self.suspend()?,
                    // `suspend` has taken the terminal over already.
                    SignalEvent::Continue if std::mem::take(&mut self.stopped) => false,
                    SignalEvent::Continue => self.reenter_terminal()?,
                },
                event = self.input.next() => match event {
                    Some(event) => self.handle_event(model, event.context("The terminal is gone.")?)?,
                    None => bail!("The terminal is gone."),
                },
                Some(bytes) = self.bytes.recv() => {
                    self.write_raw(&bytes)?;
                    false
                }
                Some(action) = self.actions.recv() => {
                    self.apply(model, action)?;
                    while let Ok(action) = self.actions.try_recv() {
                        self.apply(model, action)?;
                    }
                    true
                }
                () = sleep_until(wake) => {
                    self.apply(model, Action::Tick)?;
                    true
                }
            };
        }
    }

    fn apply(&mut self, model: &mut Model, action: Action) -> Result<()> {
        for effect in update(model, action, Instant::now()) {
            match effect {
                Effect::Suspend => drop(self.suspend()?),
                Effect::Copy(text) => {
                    execute!(
                        self.terminal.backend_mut(),
                        CopyToClipboard::to_clipboard_from(text)
                    )?;
                }
                other => self.runner.start(other),
            }
        }
        Ok(())
    }

    /// Applies an event of the terminal. Returns whether to draw.
    fn handle_event(&mut self, model: &mut Model, event: Event) -> Result<bool> {
        let action = match event {
            Event::Key(key) => keymap::action(model, &key),
            Event::Paste(text) => Action::Paste(text),
            Event::FocusGained => Action::Focus(true),
            Event::FocusLost => Action::Focus(false),
            Event::Mouse(mouse) => match mouse.kind {
                MouseEventKind::ScrollDown => Action::Wheel(1),
                MouseEventKind::ScrollUp => Action::Wheel(-1),
                _ => Action::None,
            },
            Event::Resize(width, height) => {
                Action::Resized { too_small: view::is_too_small(width, height) }
            }
        };
        if may_sign(model, &action) {
            // Draws first, so that the key acts on what the operator could see.
            self.draw(model)?;
        }
        self.apply(model, action)?;
        Ok(true)
    }

    /// Draws. Returns whether other things can be acted on than before.
    fn draw(&mut self, model: &mut Model) -> Result<bool> {
        self.set_title(model)?;
        let before = model.ui.drawn;
        let mut found = Drawn::default();
        queue!(self.terminal.backend_mut(), BeginSynchronizedUpdate)?;
        let result = self.terminal.draw(|frame| found = view::draw(model, frame)).map(drop);
        execute!(self.terminal.backend_mut(), EndSynchronizedUpdate)?;
        result.context("The terminal cannot be drawn on.")?;
        self.apply(model, Action::Drawn(found))?;
        Ok(model.ui.drawn != before)
    }

    fn set_title(&mut self, model: &Model) -> Result<()> {
        let title = match model.unseen {
            0 => format!("control-room {}", model.cluster.name),
            n => format!("({n}) control-room {}", model.cluster.name),
        };
        if title != self.title {
            queue!(self.terminal.backend_mut(), SetTitle(&title))?;
            self.title = title;
        }
        Ok(())
    }

    fn write_raw(&mut self, bytes: &[u8]) -> Result<()> {
        let out = self.terminal.backend_mut();
        out.write_all(bytes)?;
        Ok(Write::flush(out)?)
    }

    /// Restores the terminal and stops the process. Returns when the shell continues it.
    fn suspend(&mut self) -> Result<bool> {
        term::restore();
        self.stopped = true;
        signals::stop_here()?;
        self.reenter_terminal()
    }

    /// Takes the terminal over again, with an empty buffer so that everything is drawn anew.
    fn reenter_terminal(&mut self) -> Result<bool> {
        term::restore();
        self.guard.resume().context("The terminal is gone.")?;
        self.terminal = open().context("The terminal cannot be drawn on.")?;
        self.title.clear();
        Ok(true)
    }
}

/// Whether `action` can sign something or open a dialog that signs.
fn may_sign(model: &Model, action: &Action) -> bool {
    match action {
        Action::Run(id) => id.verb().is_some() || model.dialog.is_some(),
        Action::Accept { .. } | Action::Yes { .. } => true,
        _ => false,
    }
}

async fn sleep_until(wake: Option<Instant>) {
    match wake {
        Some(at) => tokio::time::sleep_until(at.into()).await,
        None => pending().await,
    }
}

#[allow(clippy::panic, reason = "a hidden switch for the tests of the terminal's restoration")]
fn fail_if_asked(fail: Option<TestFailure>) -> Result<()> {
    match fail {
        None => Ok(()),
        Some(TestFailure::Panic) => panic!("asked to panic by --debug-panic"),
        Some(TestFailure::Error) => bail!("Asked to fail by --debug-error."),
    }
}
