//! A team approved code that cheats: the manager notices each way, and no account or lamport moves.
use e2e::{
    elf,
    keys::{address, key},
    world::{DECIDING, SOL, Stage, World},
};
use hostile_target::{FIRST, Wrong};
use solana_pubkey::Pubkey;
use upgrade_manager::error::ManagerError;

/// What a wrong must come to.
enum Fate {
    /// The manager refuses by name.
    Named(ManagerError),
    /// The runtime refuses, saying this.
    Runtime(&'static str),
}

/// A world whose upgrade installs the hostile target, with one vault for every wrong.
fn world(balance: u64) -> (World, Vec<Pubkey>) {
    let mut w = World::at(Stage::Registered);
    let first = u32::try_from(Wrong::ALL.len()).unwrap();
    for i in 0..first {
        w.open_vault(FIRST + i, balance);
    }
    let owner = address("owner");
    let vaults = (0..first).map(|i| demo_vault::client::vault_address(&owner, FIRST + i)).collect();
    w.stage_buffers(elf::hostile(), elf::v1());
    w.propose();
    w.approve_by(&DECIDING);
    w.chain.pass(48 * 3600);
    w.execute();
    w.chain.next_slot();
    (w, vaults)
}

fn at_migration(wrong: Wrong) -> Option<Fate> {
    use Fate::{Named, Runtime};
    Some(match wrong {
        Wrong::DoNothing
        | Wrong::FlipVersion
        | Wrong::OtherType
        | Wrong::OtherVersion
        | Wrong::TooLong
        | Wrong::GiveAway
        | Wrong::Underfund => Named(ManagerError::TargetBroke),
        Wrong::Overcharge | Wrong::TakeFromUser | Wrong::TakePayer => {
            Named(ManagerError::LamportsMoved)
        }
        // Neither the manager nor the loader is among the accounts that a target gets.
        Wrong::CallManager | Wrong::MoveAuthority => Runtime("MissingAccount"),
        Wrong::RestoreOther | Wrong::RestoreNothing | Wrong::RestoreTooMuch => return None,
    })
}

fn at_restore(wrong: Wrong) -> Option<Fate> {
    match wrong {
        Wrong::RestoreOther | Wrong::RestoreNothing => Some(Fate::Named(ManagerError::TargetBroke)),
        Wrong::RestoreTooMuch => Some(Fate::Named(ManagerError::LamportsMoved)),
        _ => None,
    }
}

/// A vault without a balance shows who pays for growth, one with a balance who takes from it.
fn balance_for(wrong: Wrong) -> u64 {
    if wrong == Wrong::Underfund { 0 } else { SOL }
}

#[test]
fn no_wrong_at_migration_goes_unnoticed() {
    for balance in [0, SOL] {
        let (mut w, vaults) = world(balance);
        for (wrong, vault) in Wrong::ALL.into_iter().zip(vaults) {
            let Some(fate) = at_migration(wrong).filter(|_| balance_for(wrong) == balance) else {
                continue;
            };
            println!("{wrong:?}");
            let purse = w.chain.lamports(&address("cranker"));
            let migrate = w.migrate_ix(&[vault]);
            match fate {
                Fate::Named(error) => w.chain.refuse(error, &[migrate], &[&key("cranker")]),
                Fate::Runtime(text) => {
                    w.chain.refuse_saying(text, &[migrate], &[&key("cranker")]);
                }
            }
            assert_eq!(w.chain.account(&vault).as_ref(), Some(&w.before[&vault]));
            assert_eq!(w.chain.lamports(&address("cranker")), purse);
        }
        assert_eq!(w.state().counters.migrated, 0);
    }
}

#[test]
fn no_wrong_at_restore_goes_unnoticed() {
    let (mut w, vaults) = world(SOL);
    let honest: Vec<_> = Wrong::ALL
        .into_iter()
        .zip(vaults)
        .filter(|(wrong, _)| at_migration(*wrong).is_none())
        .collect();
    for (_, vault) in &honest {
        let migrate = w.migrate_ix(&[*vault]);
        w.chain.ok(&[migrate], &[&key("cranker")]);
    }
    w.vote_rollback(&DECIDING, false);
    for (wrong, vault) in honest {
        println!("{wrong:?}");
        let (account, purse) = (w.chain.account(&vault), w.chain.lamports(&address("cranker")));
        let restore = w.restore_ix("dan", &w.old_bytes(&[vault]));
        match at_restore(wrong) {
            Some(Fate::Named(error)) => {
                w.chain.refuse(error, &[restore], &[&key("dan"), &key("payer")]);
            }
            _ => panic!("{wrong:?} has no fate"),
        }
        assert_eq!(w.chain.account(&vault), account);
        assert_eq!(w.chain.lamports(&address("cranker")), purse);
    }
    assert_eq!(w.state().counters.restored, 0);
}

#[test]
fn a_team_that_was_cheated_goes_back_and_loses_nothing() {
    let (mut w, _) = world(SOL);
    let honest: Vec<_> = w.vaults.iter().copied().filter(|v| w.index_of(v) < FIRST).collect();
    let migrate = w.migrate_ix(&honest);
    w.chain.ok(&[migrate], &[&key("cranker")]);
    w.vote_rollback(&DECIDING, false);
    let restore = w.restore_ix("dan", &w.old_bytes(&honest));
    w.chain.ok(&[restore], &[&key("dan"), &key("payer")]);
    w.roll_back();
    w.chain.next_slot();
    assert_eq!(w.snapshot(), w.before);
    assert_eq!(w.live_code(), backend::elf::trimmed(elf::v1()));
}
