//! Carries out effects in background tasks and answers with actions. Keeps the intents: the model only knows their
//! tickets, so that no screen can sign or change one.
use std::{
    collections::{BTreeMap, HashSet},
    future::Future,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};

use backend::{Backend, FileSigner, Intent, Operation, Progress, Signer};
use tokio::sync::{Notify, mpsc, watch};

use super::sandbox_clock;
use crate::{
    action::Action,
    effect::Effect,
    model::{Level, Ticket, job::PreflightView},
    notify::{self, Notice, TerminalEnv},
    session::Session,
    strings as s,
};

/// Carries out effects. Cheap to clone: each background task gets a clone.
#[derive(Clone)]
pub struct EffectRunner {
    pub session: Session,
    /// `None` until the node has answered.
    pub backend: watch::Receiver<Option<Backend>>,
    /// Key files of the sandbox's members.
    pub members: Vec<PathBuf>,
    /// To the event loop.
    pub actions: mpsc::Sender<Action>,
    /// Escape sequences, which the event loop writes between two frames.
    pub bytes: mpsc::Sender<Vec<u8>>,
    /// Makes the loader read again.
    pub reload: Arc<Notify>,
    intents: Arc<Mutex<BTreeMap<Ticket, Intent>>>,
}

impl EffectRunner {
    /// A runner that holds no intent yet.
    pub fn new(
        session: Session,
        backend: watch::Receiver<Option<Backend>>,
        members: Vec<PathBuf>,
        actions: mpsc::Sender<Action>,
        bytes: mpsc::Sender<Vec<u8>>,
    ) -> Self {
        let (reload, intents) = (Arc::default(), Arc::default());
        Self { session, backend, members, actions, bytes, reload, intents }
    }

    /// Starts `effect` in the background and returns at once.
    pub fn start(&self, effect: Effect) {
        let runner = self.clone();
        match effect {
            Effect::Prepare(ticket, operation) => {
                let on_panic =
                    Action::Prepared { ticket, result: Err(panic_message("The preparation")) };
                self.spawn(on_panic, async move { runner.prepare(ticket, operation).await });
            }
            Effect::Check(ticket, operation) => {
                let on_panic = Action::Checked { ticket, result: Err(panic_message("The check")) };
                self.spawn(on_panic, async move {
                    let result = runner.read(operation).await.map(|p| PreflightView::from(&p));
                    Action::Checked { ticket, result }
                });
            }
            Effect::Discard(ticket) => drop(self.intent(ticket)),
            Effect::Submit(ticket) => {
                let on_panic = Action::Finished { ticket, result: Err(panic_message("The job")) };
                self.spawn(on_panic, async move { runner.submit(ticket).await });
            }
            Effect::UseMember(n) => {
                let on_panic = Action::Say(Level::Error, panic_message("Changing the key"));
                self.spawn(on_panic, async move { runner.use_member(n) });
            }
            Effect::MoveClock(seconds) => {
                let on_panic = Action::Say(Level::Error, panic_message("Moving the clock"));
                self.spawn(on_panic, async move { runner.move_clock(seconds).await });
            }
            Effect::Notify(notices) => {
                let keys = notices.iter().map(|n| n.key.clone()).collect();
                self.spawn(
                    Action::NoticesFailed(keys),
                    async move { runner.deliver(notices).await },
                );
            }
            // The event loop, which owns the terminal, handles these two.
            Effect::Copy(_) | Effect::Suspend => {}
        }
    }

    /// Runs `work` and sends what it returns, or `on_panic` when it panics.
    fn spawn(&self, on_panic: Action, work: impl Future<Output = Action> + Send + 'static) {
        let actions = self.actions.clone();
        tokio::spawn(async move {
            let action = tokio::spawn(work).await.unwrap_or(on_panic);
            let _ = actions.send(action).await;
        });
    }

    fn intent(&self, ticket: Ticket) -> Option<Intent> {
        self.intents.lock().unwrap_or_else(PoisonError::into_inner).remove(&ticket)
    }

    fn backend(&self) -> Result<Backend, String> {
        self.backend.borrow().clone().ok_or_else(|| s::NOT_YET_CONNECTED.to_owned())
    }

    fn clean(&self, error: &impl std::fmt::Display) -> String {
        self.session.secrets.scrub(&error.to_string())
    }

    async fn read(&self, operation: Operation) -> Result<backend::Preflight, String> {
        self.backend()?.prepare(operation).await.map_err(|e| self.clean(&e))
    }

    async fn prepare(&self, ticket: Ticket, operation: Operation) -> Action {
        let result = self.read(operation).await.map(|mut preflight| {
            let shown = PreflightView::from(&preflight);
            if let Some(intent) = preflight.intent.take() {
                let mut intents = self.intents.lock().unwrap_or_else(PoisonError::into_inner);
                intents.insert(ticket, intent);
            }
            shown
        });
        Action::Prepared { ticket, result }
    }

    async fn submit(&self, ticket: Ticket) -> Action {
        let result = self.send(ticket).await;
        self.reload.notify_one();
        Action::Finished { ticket, result }
    }

    async fn send(&self, ticket: Ticket) -> Result<backend::Receipt, String> {
        // Checked again here, so that no mistake in a screen can sign in read-only mode.
        if self.session.settings.read_only {
            return Err(s::READ_ONLY.to_owned());
        }
        let intent = self.intent(ticket).ok_or("Nothing was prepared for this; try again.")?;
        let proposal = intent.proposal();
        let backend = self.backend()?;
        let (sender, mut receiver) = mpsc::channel::<Progress>(256);
        let runner = self.clone();
        let listener = tokio::spawn(async move {
            let (mut recorded, mut warned) = (HashSet::new(), false);
            while let Some(progress) = receiver.recv().await {
                // The screen gets the news first, because a locked store can delay recording it.
                let action = Action::Progress { ticket, progress: progress.clone() };
                let _ = runner.actions.send(action).await;
                let Progress::Sent(tx) = &progress else { continue };
                if let Err(e) = runner.session.record(proposal, tx).await {
                    // Warns once for each job, because a migration sends thousands of transactions.
                    if !std::mem::replace(&mut warned, true) {
                        runner.say_not_recorded(tx, &e).await;
                    }
                    tracing::warn!("{e:#}");
                }
                recorded.insert(tx.signature.clone());
                runner.reload.notify_one();
            }
            recorded
        });
        let result = backend.submit(intent, Some(sender)).await;
        let recorded = listener.await.unwrap_or_default();
        if let Ok(receipt) = &result {
            for tx in receipt.sent.iter().filter(|tx| !recorded.contains(&tx.signature)) {
                if let Err(e) = self.session.record(proposal, tx).await {
                    self.say_not_recorded(tx, &e).await;
                    tracing::warn!("{e:#}");
                }
            }
        }
        result.map_err(|e| self.clean(&e))
    }

    /// Warns that `tx` was sent but could not be recorded, so the screen Sent lacks it.
    async fn say_not_recorded(&self, tx: &backend::SentTx, error: &anyhow::Error) {
        let text = format!(
            "Transaction {} was sent but could not be recorded, so the screen Sent lacks it: {error:#}",
            tx.signature
        );
        let _ = self.actions.send(Action::Say(Level::Error, self.clean(&text))).await;
    }

    fn use_member(&self, n: usize) -> Action {
        let change = || -> Result<_, String> {
            let path = self.members.get(n).ok_or("There is no such member.")?;
            let signer: Arc<dyn Signer> =
                Arc::new(FileSigner::open(path).map_err(|e| self.clean(&e))?);
            let key = signer.pubkey();
            self.backend()?.set_signer(Some(signer));
            Ok(key)
        };
        match change() {
            Ok(key) => Action::SignerChanged(Some(key)),
            Err(e) => Action::Say(Level::Error, e),
        }
    }

    async fn move_clock(&self, seconds: u32) -> Action {
        match sandbox_clock::move_clock(self.session.settings.rpc_url.as_str(), seconds).await {
            Ok(unix) => {
                let text = format!("The chain's clock shows {}.", crate::text::utc(unix));
                Action::Say(Level::Info, text)
            }
            Err(e) => Action::Say(Level::Error, self.clean(&format!("{e:#}"))),
        }
    }

    /// Claims each notice in the store and delivers those that no other process has claimed, as one.
    async fn deliver(&self, notices: Vec<Notice>) -> Action {
        let mut claimed = vec![];
        let mut failed = vec![];
        for notice in notices {
            match self.session.store.claim_notice(&notice.key).await {
                Ok(true) => claimed.push(notice),
                Ok(false) => {}
                Err(e) => {
                    tracing::warn!("a notice could not be claimed: {e}");
                    failed.push(notice.key);
                }
            }
        }
        if !failed.is_empty() {
            let _ = self.actions.send(Action::NoticesFailed(failed)).await;
        }
        let Some(notice) = notify::summary(&claimed) else { return Action::None };
        let way = self.session.settings.notify;
        let outcome = notify::deliver(&notice, way, &TerminalEnv::read()).await;
        tracing::info!(how = outcome.how, "{}: {}", notice.title, notice.body);
        if !outcome.bytes.is_empty() {
            let _ = self.bytes.send(outcome.bytes).await;
        }
        Action::Noticed(format!("{}. {}", notice.title, notice.body))
    }
}

fn panic_message(what: &str) -> String {
    format!(
        "{what} failed inside the control room; the log has the details. Look at the proposal before trying again."
    )
}
