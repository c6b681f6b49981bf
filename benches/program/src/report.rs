//! The tables, and the bounds of the program.
use std::{collections::BTreeSet, fmt};

use e2e::elf;
use serde::Serialize;

use crate::{
    batches::Batch,
    bound::Bound,
    large,
    meter::{self, Figure, Meter},
    table::{Table, grouped},
    upgrade::{VOTES, kib},
};

/// All figures and bounds.
#[derive(Debug, Serialize)]
pub struct Report {
    /// Bytes of the manager's ELF.
    pub elf_bytes: usize,
    /// Every instruction of the manager.
    pub manager: Vec<Figure>,
    /// The same steps in Squads.
    pub squads: Vec<Figure>,
    /// The largest batches.
    pub batches: Vec<Batch>,
    /// The bounds.
    pub bounds: Vec<Bound>,
}

impl Report {
    /// The report over these figures.
    pub(crate) fn new(meter: Meter, squads: Vec<Figure>, batches: Vec<Batch>) -> Self {
        let elf_bytes = elf::manager().len();
        let bounds = bounds(elf_bytes, &meter, &batches);
        let mut manager = meter.figures;
        // As the program lists them; figures of one instruction stay in their order.
        manager.sort_by_key(|f| meter::names().position(|name| name == f.instruction));
        Self { elf_bytes, manager, squads, batches, bounds }
    }

    /// Whether every bound is kept.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.bounds.iter().all(Bound::holds)
    }

    /// The report as JSON.
    #[must_use]
    pub fn json(&self) -> String {
        serde_json::to_string_pretty(self).expect("plain fields")
    }

    fn instructions(&self) -> Table<7> {
        let columns = ["instruction", "", "units", "of the target", "bytes", "accounts", "calls"];
        let heading = format!(
            "Every instruction of the manager, whose ELF has {} bytes",
            grouped(self.elf_bytes as u64)
        );
        let mut table = Table::new(heading, columns, 2);
        for f in &self.manager {
            let target = if f.target_units > 0 { grouped(f.target_units) } else { String::new() };
            table.row([
                f.instruction.clone(),
                f.case.clone(),
                grouped(f.units),
                target,
                grouped(f.bytes as u64),
                f.accounts.to_string(),
                f.calls.to_string(),
            ]);
        }
        table
    }

    fn largest(&self) -> Table<8> {
        let columns = [
            "instruction",
            "message",
            "stopped by",
            "accounts",
            "room for",
            "units",
            "manager's each",
            "bytes",
        ];
        let mut table = Table::new(
            "The largest batches; \"manager's each\" is what is neither the target's nor the budget's, shared",
            columns,
            3,
        );
        for b in &self.batches {
            let message = if b.lookup_table { "lookup table" } else { "legacy" };
            table.row([
                b.instruction.clone(),
                message.to_owned(),
                b.stopped_by.clone(),
                b.accounts.to_string(),
                b.room.to_string(),
                grouped(b.figure.units),
                grouped(b.own_units_each()),
                grouped(b.figure.bytes as u64),
            ]);
        }
        table
    }

    fn beside_squads(&self) -> Table<6> {
        let columns = ["step", "in Squads v4", "units", "in Squads", "bytes", "in Squads"];
        let mut table = Table::new("Beside Squads v4 (which logs no events)", columns, 2);
        let code = kib(elf::v2());
        let mut step = |what: &str, ours: (&str, &str), theirs: &[(&str, &str)]| {
            let of = |list: &[Figure], (name, case): (&str, &str)| {
                list.iter().find(|f| f.instruction == name && f.case.starts_with(case)).cloned()
            };
            let theirs_found: Vec<_> =
                theirs.iter().filter_map(|wanted| of(&self.squads, *wanted)).collect();
            let Some(ours) = of(&self.manager, ours) else { return };
            let names: Vec<_> = theirs.iter().map(|(name, _)| *name).collect();
            let bytes: Vec<_> = theirs_found.iter().map(|f| f.bytes.to_string()).collect();
            table.row([
                format!("{}: {what}", ours.instruction),
                names.join(" + "),
                grouped(ours.units),
                grouped(theirs_found.iter().map(|f| f.units).sum()),
                grouped(ours.bytes as u64),
                bytes.join(" + "),
            ]);
        };
        step("five members", ("create_multisig", ""), &[("multisig_create_v2", "")]);
        let stored = [("vault_transaction_create", ""), ("proposal_create", "")];
        step("an upgrade", ("propose_upgrade", ""), &stored);
        for vote in VOTES {
            step(vote, ("approve", vote), &[("proposal_approve", vote)]);
        }
        let execute = [("vault_transaction_execute", code.as_str())];
        step(&code, ("execute_upgrade", &code), &execute);
        table
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.instructions())?;
        writeln!(f, "{}", self.largest())?;
        writeln!(f, "{}", self.beside_squads())?;
        write!(f, "{}", Bound::table(&self.bounds))
    }
}

/// The bounds of the program.
fn bounds(elf_bytes: usize, meter: &Meter, batches: &[Batch]) -> Vec<Bound> {
    let units = |name: &str, case: &str| meter.of(name, case).map(|f| f.units).collect::<Vec<_>>();
    let votes = VOTES.iter().flat_map(|vote| units("approve", vote));
    let migrations = || batches.iter().filter(|b| b.instruction == "migrate_accounts");
    let large = large::BOUNDED_ELF_LEN / 1024;
    let measured: BTreeSet<_> = meter.figures.iter().map(|f| f.instruction.as_str()).collect();
    let mut bounds = vec![
        Bound::at_most("approve, units with its event, five members", 10_000, votes),
        Bound::at_most(
            "migrate_accounts, the manager's own units an account, largest batches",
            12_000,
            migrations().map(Batch::own_units_each),
        ),
        Bound::at_most(
            &format!("execute_upgrade, units, ELF of {large} KiB"),
            300_000,
            units("execute_upgrade", &format!("ELF of {large} KiB")),
        ),
        Bound::at_most("the manager's ELF, bytes", 450 * 1024, [elf_bytes as u64]),
        Bound::at_least(
            "instructions of the manager with a figure",
            meter::names().count() as u64,
            [measured.len() as u64],
        ),
    ];
    bounds.extend(migrations().map(|b| {
        let message = if b.lookup_table { "with a lookup table" } else { "legacy" };
        let what = format!("migrate_accounts, accounts of a full transaction, {message}");
        Bound::at_least(&what, b.room as u64, [b.accounts as u64])
    }));
    bounds
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figure(instruction: &str, case: &str, units: u64) -> Figure {
        Figure {
            instruction: instruction.to_owned(),
            case: case.to_owned(),
            units,
            target_units: 0,
            bytes: 500,
            accounts: 10,
            signatures: 1,
            calls: 1,
        }
    }

    fn batch(accounts: usize, room: usize, units: u64) -> Batch {
        Batch {
            instruction: "migrate_accounts".into(),
            lookup_table: false,
            accounts,
            room,
            stopped_by: "1232 bytes".into(),
            figure: figure("migrate_accounts", "", units),
        }
    }

    /// Every instruction with a figure, and a first vote of `vote` units.
    fn meter(vote: u64) -> Meter {
        let mut figures: Vec<_> = meter::names().map(|name| figure(name, "", 1)).collect();
        figures.push(figure("approve", VOTES[0], vote));
        figures.push(figure("execute_upgrade", "ELF of 500 KiB", 300_000));
        Meter { figures }
    }

    fn broken(elf_bytes: usize, meter: &Meter, batches: &[Batch]) -> Vec<String> {
        let broken = |b: &Bound| !b.holds();
        bounds(elf_bytes, meter, batches).into_iter().filter(broken).map(|b| b.what).collect()
    }

    #[test]
    fn figures_at_their_bounds_keep_them() {
        let full = batch(10, 10, 120_150);
        assert_eq!(broken(460_800, &meter(10_000), &[full]), Vec::<String>::new());
    }

    #[test]
    fn every_bound_can_be_broken() {
        let fine = || [batch(10, 10, 120_150)];
        let one = |what: &str, found: Vec<String>| {
            assert!(found.len() == 1 && found[0].contains(what), "{what}: {found:?}");
        };
        one("ELF", broken(460_801, &meter(10_000), &fine()));
        one("approve", broken(460_800, &meter(10_001), &fine()));
        one("own units", broken(460_800, &meter(1), &[batch(10, 10, 120_151)]));
        one("full transaction", broken(460_800, &meter(1), &[batch(9, 10, 1_000)]));
        let mut slow = meter(1);
        slow.figures.push(figure("execute_upgrade", "ELF of 500 KiB", 300_001));
        one("500 KiB", broken(460_800, &slow, &fine()));
        let mut without = meter(1);
        without.figures.retain(|f| f.instruction != "pause");
        one("with a figure", broken(460_800, &without, &fine()));
    }
}
