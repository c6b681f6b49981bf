//! `team create`: a team that decides about upgrades.
use anyhow::Result;
use upgrade_manager::instructions::{CreateMultisigArgs, MemberArgs};

use super::{confirm, desk};
use crate::{cli::setup::TeamCreate, session::Session};

const HOUR: u32 = 3_600;
const DAY: u32 = 24 * HOUR;
/// Least timelock where none is named, in hours.
const FLOOR: u16 = 24;

pub(super) async fn run(session: &Session, args: &TeamCreate) -> Result<u8> {
    let desk = desk(session).await?;
    let shown = desk.team(terms(args)).await.map_err(|e| session.clean(&e))?;
    confirm::run(session, &desk, shown, args.go, "team").await
}

fn terms(args: &TeamCreate) -> CreateMultisigArgs {
    let hours = |n: u16| u32::from(n).saturating_mul(HOUR);
    let floor = args.timelock_floor_hours.unwrap_or_else(|| args.timelock_hours.min(FLOOR));
    CreateMultisigArgs {
        threshold: args.threshold,
        open_cap: args.open_cap,
        allow_durable_nonce: args.allow_durable_nonce,
        timelock_floor: hours(floor),
        timelock: hours(args.timelock_hours),
        execution_window: hours(args.window_hours),
        rollback_window: u32::from(args.rollback_window_days).saturating_mul(DAY),
        treasury: args.treasury,
        members: args.members.iter().map(|m| MemberArgs { key: m.key, roles: m.roles }).collect(),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::{Cli, Command, setup::Team};

    #[test]
    fn hours_and_days_become_seconds_and_the_floor_never_exceeds_the_timelock() {
        let key = solana_pubkey::Pubkey::new_from_array([3; 32]).to_string();
        let read = |more: &[&str]| {
            let line = ["control-room", "team", "create", "--threshold", "1", "--treasury", &key];
            let line = [&line[..], &["--member", &key], more].concat();
            match Cli::try_parse_from(line).unwrap().command {
                Some(Command::Team(Team::Create(args))) => terms(&args),
                other => panic!("{other:?}"),
            }
        };
        let plain = read(&[]);
        assert_eq!((plain.timelock, plain.timelock_floor), (48 * 3_600, 24 * 3_600));
        assert_eq!((plain.execution_window, plain.rollback_window), (604_800, 604_800));
        let short = read(&["--timelock-hours", "2", "--rollback-window-days", "1"]);
        assert_eq!((short.timelock, short.timelock_floor), (7_200, 7_200));
        assert_eq!(short.rollback_window, 86_400);
    }
}
