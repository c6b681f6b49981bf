//! Screen, selections, filters and scroll positions. A selection is an address or a signature, never a row number.
use std::collections::BTreeMap;

use solana_pubkey::Pubkey;

use super::{Model, cursor::Cursor, snapshot::Decision};
use crate::text::short;

/// The screens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Screen {
    /// Programs and proposals.
    #[default]
    Programs,
    /// One proposal in full.
    Proposal,
    /// Migration progress.
    Migration,
    /// The audit log.
    Audit,
    /// Transactions of this control room.
    Sent,
    /// Keys and statuses.
    Help,
}

impl Screen {
    /// Every screen, in the order of the tabs.
    pub const ALL: [Self; 6] =
        [Self::Programs, Self::Proposal, Self::Migration, Self::Audit, Self::Sent, Self::Help];

    /// Its name on the tab.
    pub fn name(self) -> &'static str {
        match self {
            Self::Programs => "Programs",
            Self::Proposal => "Proposal",
            Self::Migration => "Migration",
            Self::Audit => "Audit",
            Self::Sent => "Sent",
            Self::Help => "Help",
        }
    }
}

/// The two tables of the first screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Pane {
    /// Programs.
    Programs,
    /// Proposals of the selected program and of its multisig.
    #[default]
    Proposals,
}

/// What the last frame showed. A key acts only on what was on the screen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Drawn {
    /// Whether the terminal was too small for any screen.
    pub too_small: bool,
    /// Lines of a scrolling text that do not fit.
    pub overflow: u16,
    /// Rows of the focused table that fit.
    pub page: u16,
    /// The selected proposal, if the screen showed it.
    pub proposal: Option<Pubkey>,
    /// What was visible of a dialog with buttons.
    pub dialog: Option<DialogDrawn>,
}

/// What the last frame showed of a dialog. It decides whether the dialog may be confirmed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DialogDrawn {
    /// Whether the buttons and at least one line of text fit.
    pub buttons: bool,
    /// Lines that do not fit.
    pub overflow: u16,
    /// First visible line.
    pub from: u16,
    /// One past the last visible line.
    pub to: u16,
    /// One past the last line that must have been visible before confirming.
    pub must: u16,
    /// Width of the text in columns. Another width wraps differently, so line numbers start over.
    pub width: u16,
}

/// Screen, selections, filters and scroll positions.
#[derive(Clone, Debug, Default)]
pub struct Ui {
    pub screen: Screen,
    /// Screens that `Esc` goes back to.
    pub back: Vec<Screen>,
    /// The focused table of the first screen.
    pub pane: Pane,
    pub program: Cursor<Pubkey>,
    /// What every action is about.
    pub proposal: Cursor<Pubkey>,
    pub record: Cursor<Pubkey>,
    /// By sequence number.
    pub audit: Cursor<u64>,
    /// By signature.
    pub sent: Cursor<String>,
    /// First visible line of the screens that scroll.
    pub scroll: BTreeMap<Screen, u16>,
    pub drawn: Drawn,
    pub filter: BTreeMap<Screen, String>,
    /// Whether the filter is being typed.
    pub filtering: bool,
    /// The first key of a two-key chord, such as `gg`.
    pub pending: Option<char>,
    /// Whether the terminal has lost the focus.
    pub unfocused: bool,
}

impl Ui {
    /// The filter of the current screen in lower case; empty without one.
    pub fn needle(&self) -> String {
        self.filter.get(&self.screen).map(|f| f.to_lowercase()).unwrap_or_default()
    }
}

fn matches(needle: &str, fields: &[&str]) -> bool {
    needle
        .split_whitespace()
        .all(|word| fields.iter().any(|field| field.to_lowercase().contains(word)))
}

impl Model {
    fn needle_of(&self, screen: Screen) -> String {
        self.ui.filter.get(&screen).map(|f| f.to_lowercase()).unwrap_or_default()
    }

    /// Programs that pass the filter.
    pub fn program_ids(&self) -> Vec<Pubkey> {
        let needle = self.needle_of(Screen::Programs);
        let rows = self.snapshot.programs();
        rows.iter()
            .map(|r| (&r.account.program, r.account.phase.name()))
            .filter(|(program, phase)| {
                let proposals = self.snapshot.decisions(program);
                let status = proposals.iter().map(|p| p.status().name()).collect::<String>();
                let key = program.to_string();
                matches(&needle, &[&key, &self.name(program), phase, &status])
            })
            .map(|(program, _)| *program)
            .collect()
    }

    /// Proposals of the selected program and of its multisig.
    pub fn proposal_ids(&self) -> Vec<Pubkey> {
        match self.ui.program.selected() {
            Some(program) => {
                self.snapshot.decisions(program).iter().map(Decision::address).collect()
            }
            None => vec![],
        }
    }

    /// Version records of the selected proposal's program that pass the filter.
    pub fn record_ids(&self) -> Vec<Pubkey> {
        let needle = self.needle_of(Screen::Migration);
        let Some(program) = self.ui.program.selected() else { return vec![] };
        let rows = self.snapshot.records.get(program).map(Vec::as_slice).unwrap_or_default();
        rows.iter()
            .filter(|r| {
                let key = r.account.account.to_string();
                let touched = if r.account.touched { "touched" } else { "" };
                matches(&needle, &[&key, r.account.status.name(), touched])
            })
            .map(|r| r.pubkey)
            .collect()
    }

    /// Audit rows that pass the filter.
    pub fn audit_ids(&self) -> Vec<u64> {
        let needle = self.needle_of(Screen::Audit);
        let key = |k: Option<Pubkey>| {
            k.map(|k| format!("{k} {}", self.name_of_any(&k))).unwrap_or_default()
        };
        let rows = self.snapshot.audit.iter();
        rows.filter(|r| matches(&needle, &[&r.kind, &key(r.actor), &key(r.subject), &r.signature]))
            .map(|r| r.seq)
            .collect()
    }

    /// Transactions that pass the filter.
    pub fn sent_ids(&self) -> Vec<String> {
        let needle = self.needle_of(Screen::Sent);
        let rows = self.snapshot.sent.iter();
        rows.filter(|r| {
            let error = r.error.as_deref().unwrap_or("ok");
            matches(&needle, &[&r.verb, &r.signature, &short(&r.signature), error])
        })
        .map(|r| r.signature.clone())
        .collect()
    }

    /// After data or filters changed: each selection keeps its item, or moves to a neighbour if the item is gone.
    pub fn keep_selections(&mut self) {
        let ids = self.program_ids();
        self.ui.program.keep(&ids);
        let ids = self.proposal_ids();
        self.ui.proposal.keep(&ids);
        let ids = self.record_ids();
        self.ui.record.keep(&ids);
        let ids = self.audit_ids();
        self.ui.audit.keep_newest(&ids);
        let ids = self.sent_ids();
        self.ui.sent.keep_newest(&ids);
    }
}
