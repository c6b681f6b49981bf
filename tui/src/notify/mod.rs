//! Notices about timelocks that expired. `due` is pure: it calls the program's rules with the chain's clock. Each notice
//! has a key. A process claims the key in the store before delivery, so that each notice is delivered once.
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

/// How notices are delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum NotifyMethod {
    /// The desktop if a notification daemon runs, else the terminal's own notification, else the bell.
    #[default]
    Auto,
    /// The desktop, else the bell.
    Desktop,
    /// The terminal's OSC 777.
    Osc777,
    /// The terminal's OSC 9.
    Osc9,
    /// The bell.
    Bell,
    /// No notices.
    Off,
}

/// A notification for the operator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// Identifies the event; claimed in the store before delivery.
    pub key: String,
    pub title: String,
    pub body: String,
}

/// Every notice that is due, delivered or not. Uses the chain's clock as it was last read, without adding the time since:
/// the chain may have stopped.
pub fn due(model: &Model) -> Vec<Notice> {
    // Without a live connection the clock may be old, or of another chain than the mirror's.
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

/// The notice that `proposal`, called `name`, can be executed, if it can.
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

/// Several notices as one, so that timelocks that expired while the control room was closed interrupt once.
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
