//! Sequences of operations as a proptest strategy: made by the model alone, shrunk by leaving
//! operations out, stored as lines of JSON.
use std::sync::{Mutex, OnceLock, PoisonError};

use proptest::{
    arbitrary::any,
    strategy::{NewTree, Strategy, ValueTree},
    test_runner::TestRunner,
};
use serde::{Deserialize, Serialize};

use super::{
    Faults,
    drive::{Pair, readable},
    generate::{Dice, next},
    op::Op,
    stages::{self, START},
};

/// A sequence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sequence {
    /// The stage it starts from.
    pub start: String,
    /// The operations.
    pub ops: Vec<Op>,
}

impl Sequence {
    /// Applies `change` to the model, then does every operation on model and chain.
    ///
    /// # Errors
    /// The first difference, and the operations that led to it.
    pub fn run(&self, change: impl FnOnce(&mut Pair)) -> Result<Pair, String> {
        let mut pair = stages::at(&self.start);
        change(&mut pair);
        for (i, op) in self.ops.iter().enumerate() {
            if let Err(difference) = pair.step(op) {
                let done = readable(&self.ops[..=i], &pair.log);
                let start = &self.start;
                return Err(format!("from {start}:\n{done}\n  step {i}: {difference}"));
            }
        }
        Ok(pair)
    }
}

#[derive(Clone, Copy, Debug)]
pub struct Sequences {
    pub least: usize,
    pub most: usize,
}

impl Strategy for Sequences {
    type Tree = Tree;
    type Value = Sequence;

    fn new_tree(&self, runner: &mut TestRunner) -> NewTree<Self> {
        let mut dice = Dice(any::<u64>().new_tree(runner)?.current());
        let start = START[dice.below(START.len())];
        let mut model = stages::at(start).model;
        let length = self.least + dice.below(self.most - self.least + 1);
        let mut ops = vec![];
        while ops.len() < length {
            let op = next(&mut model, &ops, &mut dice);
            model.apply(&op, &mut Faults::default());
            ops.push(op);
        }
        let kept = vec![true; ops.len()];
        let width = ops.len().div_ceil(2).max(1);
        Ok(Tree { start: start.into(), ops, kept, at: 0, width, last: None })
    }
}

/// A sequence that proptest shrinks: first by halves, then by quarters, at last operation by
/// operation.
pub struct Tree {
    start: String,
    ops: Vec<Op>,
    kept: Vec<bool>,
    at: usize,
    width: usize,
    last: Option<Vec<bool>>,
}

impl ValueTree for Tree {
    type Value = Sequence;

    fn current(&self) -> Sequence {
        let kept = self.ops.iter().zip(&self.kept).filter(|(_, kept)| **kept);
        Sequence { start: self.start.clone(), ops: kept.map(|(op, _)| op.clone()).collect() }
    }

    fn simplify(&mut self) -> bool {
        loop {
            if self.at >= self.ops.len() {
                if self.width == 1 {
                    return false;
                }
                (self.at, self.width) = (0, self.width.div_ceil(2));
            }
            let end = (self.at + self.width).min(self.ops.len());
            let range = self.at..end;
            self.at = end;
            if self.kept[range.clone()].iter().any(|kept| *kept) {
                self.last = Some(self.kept.clone());
                self.kept[range].fill(false);
                return true;
            }
        }
    }

    /// Puts back the operations that were left out last, because the failure needs them, and leaves
    /// out the next.
    fn complicate(&mut self) -> bool {
        match self.last.take() {
            Some(before) => {
                self.kept = before;
                self.simplify()
            }
            None => false,
        }
    }
}

/// Counts of all calls in all sequences.
pub fn total() -> &'static Mutex<super::drive::Tally> {
    static TOTAL: OnceLock<Mutex<super::drive::Tally>> = OnceLock::new();
    TOTAL.get_or_init(Mutex::default)
}

/// Adds the counts of `pair`.
pub fn count(pair: &Pair) {
    let mut total = total().lock().unwrap_or_else(PoisonError::into_inner);
    for (name, (accepted, refused)) in &pair.tally {
        let sum = total.entry(name).or_default();
        (sum.0, sum.1) = (sum.0 + accepted, sum.1 + refused);
    }
}
