//! Rules of multisigs: the usual ones, and changes of them.
use super::{
    super::op::{Call, GUARD, MultisigId, POOL, Person, Rules, SECOND_GUARD, TREASURY, ZERO},
    DAY, Dice, HOUR,
};

/// The usual multisig of five: four vote, the threshold is three, not all propose or execute.
pub fn usual(multisig: MultisigId) -> Rules {
    let (first, roles) = if multisig == 0 { (0, [7, 3, 7, 6, 4]) } else { (2, [7, 6, 7, 2, 5]) };
    Rules {
        threshold: 3,
        open_cap: 2,
        durable: false,
        floor: 48 * HOUR,
        timelock: 48 * HOUR,
        window: DAY,
        rollback_window: 7 * DAY,
        treasury: TREASURY,
        guardian: Some(GUARD),
        members: (first..).zip(roles).collect(),
        unsorted: false,
    }
}

pub(super) fn create_multisig(multisig: MultisigId, dice: &mut Dice) -> Call {
    let mut rules = usual(multisig);
    if dice.chance(60) {
        vary(&mut rules, dice);
    }
    Call::CreateMultisig { multisig, rules }
}

/// A change of `rules`: mostly valid, sometimes not.
pub(super) fn vary(rules: &mut Rules, dice: &mut Dice) {
    let who = dice.below(usize::from(POOL)) as Person;
    let roles = [7, 7, 6, 3, 2, 1, 5, 4][dice.below(8)];
    match dice.below(22) {
        0..4 => {
            rules.members.retain(|(m, _)| *m != who);
            rules.members.push((who, roles));
        }
        4..7 => {
            rules.members.retain(|(m, _)| *m != who);
        }
        7 => rules.threshold = dice.below(6) as u8,
        8 => rules.threshold = rules.voters() as u8,
        9 => rules.timelock = [48, 60, 72, 47, 3000][dice.below(5)] * HOUR,
        10 => {
            rules.floor = [48, 49, 72, 47, 24][dice.below(5)] * HOUR;
            rules.timelock = rules.timelock.max(rules.floor);
        }
        11 | 12 => {
            rules.guardian = [None, Some(GUARD), Some(SECOND_GUARD), Some(who)][dice.below(4)];
        }
        13 => rules.durable ^= true,
        14 => rules.treasury = [TREASURY, TREASURY + 1, ZERO][dice.below(3)],
        15 => rules.window = [DAY, HOUR, HOUR - 1][dice.below(3)],
        16 => rules.rollback_window = [DAY, 7 * DAY, 91 * DAY][dice.below(3)],
        17 => rules.open_cap = [1, 2, 3, 0][dice.below(4)],
        18 => rules.unsorted = true,
        19 => rules.members.push((ZERO, 7)),
        20 => rules.members.push((who, 7)),
        _ => rules.members.push((who, 8)),
    }
    let unique = |rules: &mut Rules| {
        rules.members.sort_unstable();
        let voters = rules.voters() as u8;
        if 2 * rules.threshold <= voters || rules.threshold > voters {
            rules.threshold = voters / 2 + 1;
        }
    };
    if dice.chance(85) {
        unique(rules);
    }
}
