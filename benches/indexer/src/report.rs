//! The printed table: each figure, its goal, and whether the goal is met.
use std::fmt;

/// The goal of a figure.
#[derive(Clone, Copy, Debug)]
pub enum Goal {
    /// At least this.
    AtLeast(f64),
    /// At most this.
    AtMost(f64),
    /// None: printed for comparison.
    None,
}

/// One line of the table.
#[derive(Clone, Debug)]
pub struct Figure {
    /// The measured quantity.
    pub what: String,
    /// The goal.
    pub goal: Goal,
    /// The measured value.
    pub measured: f64,
    /// Its unit.
    pub unit: &'static str,
    /// How it was measured.
    pub how: String,
}

impl Figure {
    /// Whether the goal is met.
    #[must_use]
    pub fn holds(&self) -> bool {
        match self.goal {
            Goal::AtLeast(goal) => self.measured >= goal,
            Goal::AtMost(goal) => self.measured <= goal,
            Goal::None => true,
        }
    }
}

/// `number` with two decimals, or none from 100 on and for whole numbers.
fn short(number: f64) -> String {
    if number.abs() >= 100.0 {
        let whole = format!("{number:.0}");
        let digits: Vec<char> = whole.chars().collect();
        let groups: Vec<String> =
            digits.rchunks(3).rev().map(|group| group.iter().collect()).collect();
        groups.join(",")
    } else if number.fract() == 0.0 {
        format!("{number:.0}")
    } else {
        format!("{number:.2}")
    }
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (goal, verdict) = match (self.goal, self.holds()) {
            (Goal::None, _) => ("–".to_owned(), ""),
            (Goal::AtLeast(n), holds) => (format!("≥ {}", short(n)), verdict(holds)),
            (Goal::AtMost(n), holds) => (format!("≤ {}", short(n)), verdict(holds)),
        };
        let measured = format!("{} {}", short(self.measured), self.unit);
        write!(f, "  {:<48} {goal:>9}  {measured:>16}  {verdict:<6}  {}", self.what, self.how)
    }
}

fn verdict(holds: bool) -> &'static str {
    if holds { "met" } else { "MISSED" }
}
