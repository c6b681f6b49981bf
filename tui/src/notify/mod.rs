//! Notices: which are due, and the ladder of ways to give them. What is due is pure and asks the
//! chain's rules with the chain's clock; each notice has a key that the store gives out once ever.
mod deliver;
mod desktop;
mod escape;

use indexer::can_be_executed;
use serde::{Deserialize, Serialize};
use solana_pubkey::Pubkey;
use upgrade_manager::state::Votable;

pub use self::deliver::{TerminalEnv, deliver};
use crate::{
    model::{Model, timing::ChainNow},
    text::{clean, utc},
};

/// How notices are given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum NotifyMethod {
    /// Desktop where a daemon runs, else the terminal's own way, else the bell.
    #[default]
    Auto,
    /// Desktop only.
    Desktop,
    /// The terminal's OSC 777.
    Osc777,
    /// The terminal's OSC 9.
    Osc9,
    /// The bell.
    Bell,
    /// Not at all.
    Off,
}

/// Something the operator should hear of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// Given out once ever.
    pub key: String,
    /// Head line.
    pub title: String,
    /// One sentence.
    pub body: String,
}

/// Every notice whose moment has come, whether or not it was given before. Uses the clock as it was
/// read from the chain, not carried on: the chain may stand still.
pub fn due(model: &Model) -> Vec<Notice> {
    // A clock of another chain than the mirror's says nothing about the mirror's proposals.
    let Some(unix) = model.health.chain_time.filter(|_| model.health.conn.is_live()) else {
        return vec![];
    };
    let now = ChainNow { unix, slot: model.health.slot };
    let view = &model.snapshot.view;
    let upgrades = view.proposals.iter().filter(|r| r.closed_slot.is_none()).filter_map(|row| {
        let (p, program) = (&row.account, clean(&model.name(&row.account.terms.program)));
        ready(model, row.pubkey, p, &format!("{} of {program}", p.terms.id), now)
    });
    let changes = view.governance.iter().filter(|r| r.closed_slot.is_none()).filter_map(|row| {
        let p = &row.account;
        ready(model, row.pubkey, p, &format!("{} ({})", p.terms.id, p.terms.action.name()), now)
    });
    upgrades.chain(changes).collect()
}

/// The notice that `proposal`, which `name` names, can be executed.
fn ready(
    model: &Model,
    address: Pubkey,
    proposal: &impl Votable,
    name: &str,
    now: ChainNow,
) -> Option<Notice> {
    let multisig = model.snapshot.multisig(&proposal.multisig())?;
    if !can_be_executed(proposal, multisig, now.unix, now.slot) {
        return None;
    }
    let stage = proposal.voting_state();
    Some(Notice {
        key: format!("ready:{address}:{}", stage.eta),
        title: "Timelock expired".to_owned(),
        body: format!("Proposal {name} is ready to execute until {}.", utc(stage.window_end)),
    })
}

/// Several notices as one: what was missed while nobody looked is one interruption, not ten.
pub fn summary(notices: &[Notice]) -> Option<Notice> {
    match notices {
        [] => None,
        [one] => Some(one.clone()),
        many => Some(Notice {
            key: String::new(),
            title: format!("{} timelocks expired", many.len()),
            body: many.iter().map(|n| n.body.as_str()).collect::<Vec<_>>().join(" "),
        }),
    }
}

#[cfg(test)]
mod tests;
