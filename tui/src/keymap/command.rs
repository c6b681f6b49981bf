//! A command: its keys, where they work, and why it is refused now. Changes nothing.
use backend::Verb;
use upgrade_manager::state::{GovernanceProposal, Phase, ProposalStatus, UpgradeProposal, Votable};

use crate::{
    action::command_id::CommandId,
    model::{
        Model,
        dialog::{Dialog, Need},
        snapshot::Decision,
        ui::Screen,
    },
    strings as s,
};

/// Where a command's keys work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    Any,
    On(&'static [Screen]),
    /// On every screen, in the sandbox only.
    Sandbox,
    Dialog,
}

/// How the help screen groups commands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    Move,
    /// Commands that sign.
    Act,
    Look,
    Sandbox,
    Dialog,
}

impl Group {
    /// Every group, in the order of the help screen.
    pub const ALL: [Self; 5] = [Self::Act, Self::Move, Self::Look, Self::Dialog, Self::Sandbox];

    /// The heading on the help screen.
    pub fn title(self) -> &'static str {
        match self {
            Self::Act => "Act on the selected proposal",
            Self::Move => "Move",
            Self::Look => "Look",
            Self::Dialog => "In a dialog",
            Self::Sandbox => "Sandbox only",
        }
    }
}

/// A row of the table of commands.
#[derive(Debug)]
pub struct KeyCommand {
    pub id: CommandId,
    /// As [`super::chord`] parses them; the footer shows the first.
    pub keys: &'static [&'static str],
    pub scope: Scope,
    pub group: Group,
    /// The word in the footer.
    pub word: &'static str,
    /// The sentence on the help screen.
    pub help: &'static str,
    /// Position in the footer, lower first; `None` keeps it out.
    pub footer: Option<u8>,
}

impl KeyCommand {
    /// Whether the command works in the current dialog or screen.
    pub fn applies(&self, model: &Model) -> bool {
        match self.scope {
            Scope::Any => model.dialog.is_none(),
            Scope::On(screens) => model.dialog.is_none() && screens.contains(&model.ui.screen),
            Scope::Sandbox => model.dialog.is_none() && !model.members.is_empty(),
            Scope::Dialog => model.dialog.as_ref().is_some_and(|d| self.works_in(d)),
        }
    }

    /// Whether a command of dialogs does something in `dialog`.
    fn works_in(&self, dialog: &Dialog) -> bool {
        match (self.id, dialog) {
            (CommandId::DialogYes, Dialog::Confirm(c)) => c.need == Need::Yes && c.shown.sendable,
            (CommandId::DialogYes, _) => false,
            (CommandId::DialogNext, d) => matches!(d, Dialog::Confirm(_) | Dialog::Quit { .. }),
            (CommandId::DialogAccept, d) => !matches!(d, Dialog::Preparing { .. }),
            (CommandId::DialogUp | CommandId::DialogDown, d) => {
                !matches!(d, Dialog::Preparing { .. } | Dialog::Quit { .. })
            }
            _ => true,
        }
    }

    /// The word in the footer: what the command would do to the selected proposal now.
    pub fn word_for(&self, model: &Model) -> &'static str {
        let selected = model.ui.proposal.selected();
        let Some(decision) = selected.and_then(|p| model.snapshot.decision(p)) else {
            return self.word;
        };
        match (self.id, decision) {
            (CommandId::RollBack, Decision::Upgrade(row))
                if row.account.rollback_approved_at == 0 =>
            {
                "vote rollback"
            }
            (CommandId::GiveUp, Decision::Upgrade(row))
                if row.account.rollback_approved_at == 0 =>
            {
                "vote give up"
            }
            (CommandId::Cancel, Decision::Upgrade(row)) => cancel_word(model, &row.account),
            (CommandId::Cancel, Decision::Multisig(row)) => cancel_word(model, &row.account),
            _ => self.word,
        }
    }

    /// Checks whether the command can be used now.
    ///
    /// # Errors
    /// Why not, as a sentence.
    pub fn enabled(&self, model: &Model) -> Result<(), String> {
        match (self.id, &model.dialog) {
            (CommandId::DialogYes, Some(Dialog::Confirm(c))) if !c.read => {
                return Err(s::UNREAD.to_owned());
            }
            (CommandId::Check, _) if model.read_only => return Err(s::READ_ONLY.to_owned()),
            (CommandId::Check, _) if model.signer.is_none() => return Err(s::NO_KEY.to_owned()),
            (CommandId::Check, _) if model.ui.proposal.selected().is_none() => {
                return Err(s::NO_PROPOSAL.to_owned());
            }
            _ => {}
        }
        let Some(verb) = self.id.verb() else { return Ok(()) };
        if let Some(reason) = model.write_block() {
            return Err(reason);
        }
        let selected = model.ui.proposal.selected();
        let decision = selected.and_then(|p| model.snapshot.decision(p)).ok_or(s::NO_PROPOSAL)?;
        if !is_on_view(model, verb, decision) {
            return Err(s::not_on_view(decision.id()));
        }
        if decision.is_closed() {
            return Err(format!(
                "The account of proposal {} is closed; nothing can be done with it any more.",
                decision.id()
            ));
        }
        match decision {
            Decision::Upgrade(row) => {
                let state = model.snapshot.program(&row.account.terms.program);
                fits(verb, &row.account, state.map(|s| s.phase))
            }
            Decision::Multisig(row) => fits_multisig(verb, &row.account),
        }
    }
}

/// Whether the last frame showed what `verb` would act on: only what was visible can be signed.
fn is_on_view(model: &Model, verb: Verb, decision: Decision<'_>) -> bool {
    // The migration screen shows the proposal's accounts, but not the terms that members vote on.
    let terms = !matches!(verb, Verb::Migrate | Verb::Verify | Verb::RollBack { .. });
    let hides = terms && model.ui.screen == Screen::Migration;
    !hides && model.ui.drawn.proposal == Some(decision.address())
}

/// What cancelling `proposal` means with the loaded key: withdraw, veto, or vote to cancel.
fn cancel_word(model: &Model, proposal: &impl Votable) -> &'static str {
    let Some(signer) = model.signer else { return "vote cancel" };
    let multisig = model.snapshot.multisig(&proposal.multisig());
    if proposal.proposer() == signer && proposal.ballot().votes.is_empty() {
        return "withdraw";
    }
    if multisig.is_some_and(|t| t.guardian == Some(signer)) { "veto" } else { "vote cancel" }
}

/// Whether `verb` fits the proposal's status. The backend checks everything else.
fn fits(verb: Verb, proposal: &UpgradeProposal, phase: Option<Phase>) -> Result<(), String> {
    let status = proposal.status;
    let rolling = phase == Some(Phase::RollingBack);
    let fits = match verb {
        Verb::Approve | Verb::Reject | Verb::Revoke | Verb::Cancel | Verb::Expire => {
            status.is_voting()
        }
        Verb::Execute => status == ProposalStatus::Timelocked,
        Verb::Migrate | Verb::Verify => {
            matches!(status, ProposalStatus::Executed | ProposalStatus::Migrating) && !rolling
        }
        Verb::RollBack { .. } => status.is_executed(),
        Verb::Propose | Verb::Quarantine { .. } => true,
    };
    if fits {
        return Ok(());
    }
    let now = if rolling { "being rolled back" } else { status.name() };
    let needs = match verb {
        Verb::Execute => "only a Timelocked proposal can be executed",
        Verb::Migrate | Verb::Verify => "accounts migrate after execution and before completion",
        Verb::RollBack { .. } => "only an executed upgrade can be rolled back",
        _ => "votes are open only while it is Active or Timelocked",
    };
    Err(format!("Proposal {} is {now}: {needs}.", proposal.terms.id))
}

/// Whether `verb` fits the status of a proposal about a multisig.
fn fits_multisig(verb: Verb, proposal: &GovernanceProposal) -> Result<(), String> {
    let (status, id) = (proposal.status, proposal.terms.id);
    let (fits, needs) = match verb {
        Verb::Approve | Verb::Reject | Verb::Revoke | Verb::Cancel | Verb::Expire => {
            (status.is_voting(), "votes are open only while it is Active or Timelocked")
        }
        Verb::Execute => {
            (status == ProposalStatus::Timelocked, "only a Timelocked proposal can be executed")
        }
        _ => (false, "it is about the multisig, so no accounts migrate or roll back"),
    };
    if fits { Ok(()) } else { Err(format!("Proposal {id} is {}: {needs}.", status.name())) }
}

/// The next step of a proposal about a multisig.
pub fn next_multisig_step(proposal: &GovernanceProposal) -> Option<Verb> {
    match proposal.status {
        ProposalStatus::Active => Some(Verb::Approve),
        ProposalStatus::Timelocked => Some(Verb::Execute),
        _ => None,
    }
}

/// The next step of an upgrade proposal. The proposal's screen shows the checks of this step.
pub fn next_step(
    proposal: &UpgradeProposal,
    phase: Option<Phase>,
    unmigrated: bool,
) -> Option<Verb> {
    match proposal.status {
        ProposalStatus::Active => Some(Verb::Approve),
        ProposalStatus::Timelocked => Some(Verb::Execute),
        s if s.is_executed() && phase == Some(Phase::RollingBack) => {
            Some(Verb::RollBack { give_up: false })
        }
        ProposalStatus::Executed | ProposalStatus::Migrating if unmigrated => Some(Verb::Migrate),
        ProposalStatus::Executed | ProposalStatus::Migrating => Some(Verb::Verify),
        _ => None,
    }
}
