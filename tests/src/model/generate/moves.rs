//! Batches of accounts: all that a kind of step applies to, some of them, and one to which it may
//! not apply.
use super::{
    super::{
        Model,
        op::{Call, GUARD, How, PAYER, Pid, STRANGER, VAULT_COUNT},
        program::Standing,
    },
    Dice, Kind,
    instances::executor,
};

pub(super) fn moves(model: &Model, kind: Kind, dice: &mut Dice) -> Vec<Call> {
    let mut all = vec![];
    let live = model.programs.iter().filter_map(|p| p.state.as_ref()?.last);
    for on in live {
        let Some(upgrade) = model.upgrade(on) else { continue };
        let by = executor(model, upgrade.voting.multisig, dice.clone());
        let by = if kind == Kind::Restore && dice.chance(20) { GUARD } else { by };
        let Pid::Upgrade(program, ..) = on else { continue };
        let slot = upgrade.voting.executed.1;
        let standing = |vault| {
            let record = model.records.get(&(program, vault));
            record.map_or(Standing::Pending, |r| r.under(on, slot))
        };
        let fits = |vault: &u8| match (kind, standing(*vault)) {
            (Kind::Migrate, Standing::Pending | Standing::Restored) => {
                model.vaults.get(vault).is_some_and(|c| upgrade.takes(c.layout))
            }
            (Kind::Verify, Standing::Migrated) => true,
            (Kind::Verify, Standing::Verified) => !model.vaults.contains_key(vault),
            (Kind::Restore, Standing::Migrated | Standing::Verified) => {
                model.vaults.get(vault).is_some_and(|c| c.layout == 2)
            }
            _ => false,
        };
        let fitting: Vec<u8> = (0..VAULT_COUNT).filter(fits).collect();
        let some: Vec<u8> = fitting.iter().copied().filter(|_| dice.chance(60)).collect();
        let vault = dice.below(usize::from(VAULT_COUNT)) as u8;
        match kind {
            Kind::Migrate => {
                let by = [STRANGER, PAYER, by][dice.below(3)];
                let call = |vaults| Call::Migrate { on, by, vaults };
                all.extend([call(fitting), call(some), call(vec![vault])]);
            }
            Kind::Verify => {
                let call = |vaults| Call::Verify { on, vaults };
                all.extend([call(fitting), call(some), call(vec![vault])]);
            }
            Kind::MarkClosed => all.extend((0..VAULT_COUNT).map(|vault| Call::MarkClosed {
                on,
                by: STRANGER,
                vault,
                proof: vault,
            })),
            Kind::Quarantine => {
                all.extend((0..VAULT_COUNT).map(|vault| Call::Quarantine { on, by, vault }));
            }
            _ => {
                let how = |vault: &u8| {
                    let record = model.records.get(&(program, *vault));
                    let same = record.is_some_and(|r| r.new == model.vaults.get(vault).copied());
                    let kept = model.backups.contains_key(&(program, *vault));
                    let how = match (same, kept) {
                        (true, true) => How::Backup,
                        (true, false) => How::Bytes,
                        _ => How::Down,
                    };
                    (*vault, how)
                };
                let call = |vaults: &[u8]| {
                    let vaults = vaults.iter().map(how).collect();
                    Call::Restore { on, by, vaults }
                };
                let down = some.iter().map(|v| (*v, How::Down)).collect();
                let ones = [call(&fitting), call(&some), Call::Restore { on, by, vaults: down }];
                all.extend(ones);
            }
        }
    }
    all
}
