//! Figures of the program on its real ELF: every instruction, the largest batches, and the steps that
//! Squads v4 takes for the same, all on one chain in this process. Nothing here depends on the machine.
mod batches;
mod large;
mod meter;
mod multisig;
mod report;
mod squads;
mod upgrade;

pub use batches::Batch;
pub use meter::Figure;
pub use report::Report;

/// Takes every figure.
///
/// # Panics
/// When an ELF is missing, or when a transaction is refused that must go through.
#[must_use]
pub fn measure() -> Report {
    let mut meter = meter::Meter::default();
    upgrade::measure(&mut meter);
    multisig::measure(&mut meter);
    large::measure(&mut meter);
    Report::new(meter, squads::measure(), batches::measure())
}
