//! `multisig create`: makes a multisig that decides about upgrades.
use anyhow::Result;
use upgrade_manager::state::{MemberArgs, MultisigRules};

use super::{confirm, open_setup};
use crate::{
    cli::setup::MultisigCreate,
    headless::{DAY_SECONDS, HOUR_SECONDS},
    session::Session,
};

/// Default of `--timelock-floor-hours`.
const DEFAULT_TIMELOCK_FLOOR_HOURS: u16 = 48;

pub(super) async fn run(session: &Session, args: &MultisigCreate) -> Result<u8> {
    let setup = open_setup(session).await?;
    let shown = setup.multisig(rules(args)).await.map_err(|e| session.clean(&e))?;
    confirm::run(session, &setup, shown, args.sign, "multisig").await
}

fn rules(args: &MultisigCreate) -> MultisigRules {
    let hours = |n: u16| u32::from(n).saturating_mul(HOUR_SECONDS);
    let floor = args.timelock_floor_hours.unwrap_or(DEFAULT_TIMELOCK_FLOOR_HOURS);
    MultisigRules {
        threshold: args.threshold,
        open_cap: args.open_cap,
        allow_durable_nonce: args.allow_durable_nonce,
        timelock_floor: hours(floor),
        timelock: hours(args.timelock_hours),
        execution_window: hours(args.window_hours),
        rollback_window: u32::from(args.rollback_window_days).saturating_mul(DAY_SECONDS),
        treasury: args.treasury,
        guardian: args.guardian,
        squads: None,
        members: args.members.iter().map(|m| MemberArgs { key: m.key, roles: m.roles }).collect(),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::{Cli, Command, setup::Multisig};

    #[test]
    fn hours_and_days_become_seconds_and_the_timelock_floor_defaults_to_48_hours() {
        let key = solana_pubkey::Pubkey::new_from_array([3; 32]).to_string();
        let read = |more: &[&str]| {
            let line =
                ["control-room", "multisig", "create", "--threshold", "1", "--treasury", &key];
            let line = [&line[..], &["--member", &key], more].concat();
            match Cli::try_parse_from(line).unwrap().command {
                Some(Command::Multisig(Multisig::Create(args))) => rules(&args),
                other => panic!("{other:?}"),
            }
        };
        let plain = read(&[]);
        assert_eq!((plain.timelock, plain.timelock_floor), (48 * 3_600, 48 * 3_600));
        assert_eq!((plain.execution_window, plain.rollback_window), (604_800, 604_800));
        let long = read(&["--timelock-hours", "96", "--timelock-floor-hours", "72"]);
        assert_eq!((long.timelock, long.timelock_floor), (96 * 3_600, 72 * 3_600));
        assert_eq!(read(&["--rollback-window-days", "1"]).rollback_window, 86_400);
        assert_eq!((plain.guardian, long.guardian), (None, None));
        assert_eq!(read(&["--guardian", &key]).guardian.unwrap().to_string(), key);
    }
}
