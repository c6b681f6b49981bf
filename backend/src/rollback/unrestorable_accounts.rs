//! Accounts that users created on the new layout after the upgrade. They have no version record, so a
//! rollback cannot restore them. The preflight warns of them and the receipt repeats the count.
use std::collections::BTreeSet;

use solana_pubkey::Pubkey;

use crate::preflight::check::Check;

/// Most addresses that one sentence names.
const MAX_NAMED: usize = 3;

fn count(accounts: &BTreeSet<Pubkey>) -> String {
    let all = accounts.len();
    let some: Vec<_> = accounts.iter().take(MAX_NAMED).map(ToString::to_string).collect();
    let more = match all.saturating_sub(some.len()) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let noun = if all == 1 { "account was" } else { "accounts were" };
    format!("{all} {noun} made on the new layout since the upgrade ({}{more})", some.join(", "))
}

/// The warning before a rollback, with what can still be done.
pub(super) fn warning(accounts: &BTreeSet<Pubkey>) -> Option<Check> {
    (!accounts.is_empty()).then(|| {
        Check::warn(format!(
            "{}: the rollback does not restore them and the old code cannot read them. Have \
             their owners close them, or migrate them down, before rolling back.",
            count(accounts)
        ))
    })
}

/// The part of the receipt's summary that counts them.
pub(super) fn afterwards(accounts: &BTreeSet<Pubkey>) -> String {
    if accounts.is_empty() {
        return String::new();
    }
    format!("; {}, not restored and unreadable for the old code", count(accounts))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::preflight::check::Verdict;

    fn accounts(n: u8) -> BTreeSet<Pubkey> {
        (0..n).map(|i| Pubkey::new_from_array([i; 32])).collect()
    }

    #[test]
    fn no_unrestorable_account_gives_no_warning() {
        assert!(warning(&accounts(0)).is_none());
        assert_eq!(afterwards(&accounts(0)), "");
    }

    #[test]
    fn warning_and_summary_name_the_count_and_the_first_addresses() {
        let one = warning(&accounts(1)).unwrap();
        assert_eq!(one.verdict, Verdict::Warn);
        assert!(one.sentence.starts_with("1 account was made"), "{}", one.sentence);
        assert!(!one.sentence.contains("more"), "{}", one.sentence);
        let five = warning(&accounts(5)).unwrap().sentence;
        for said in [five, afterwards(&accounts(5))] {
            assert!(said.contains("5 accounts were made") && said.contains("and 2 more"), "{said}");
            for i in 0..5 {
                let named = said.contains(&Pubkey::new_from_array([i; 32]).to_string());
                assert_eq!(named, i < 3, "{said}");
            }
        }
    }
}
