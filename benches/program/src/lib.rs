//! Figures of the manager on its real ELF, and the bounds that they must keep: `cargo xtask bench program`.
//! The chain runs in this process, so no figure depends on the machine or its load.
//!
//! | module | does |
//! |---|---|
//! | `meter` | sends one transaction and notes what it took |
//! | `upgrade`, `multisig`, `large` | every instruction of the manager, by subject |
//! | `batches` | how many accounts fit into one transaction |
//! | `squads` | the same steps in the real Squads v4 |
//! | [`report`], [`bound`], [`table`] | tables of figures, and the bounds |
//!
//! May not start a process or a server, nor measure time.
mod batches;
pub mod bound;
mod large;
mod meter;
mod multisig;
pub mod report;
mod squads;
pub mod table;
mod upgrade;

use report::Report;

/// Takes every figure.
///
/// # Panics
/// When an ELF is missing, or when a transaction that must succeed is refused.
#[must_use]
pub fn measure() -> Report {
    let mut meter = meter::Meter::default();
    upgrade::measure(&mut meter);
    multisig::measure(&mut meter);
    large::measure(&mut meter);
    Report::new(meter, squads::measure(), batches::measure())
}
