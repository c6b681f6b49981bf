//! The rules of the instructions about accounts: migrate, verify, mark closed, quarantine, restore.
use super::{
    Events, Faults, Model,
    op::{Call, EXECUTE, How, PAYER, Person, Pid, ProgramId, Scope, VAULTS, VaultId},
    program::{Backup, Content, Phase, Record, Standing},
    voting::{Status, Upgrade},
};

impl Model {
    pub(crate) fn account_call(&mut self, call: &Call, f: &mut Faults) -> Events {
        let mut draft = self.clone();
        let events = match call {
            Call::Migrate { on, by, vaults } => draft.migrate_all(*on, *by, vaults, f),
            Call::Verify { on, vaults } => draft.verify_all(*on, vaults, f),
            Call::MarkClosed { on, by, vault, proof } => {
                draft.mark_closed(*on, *by, *vault, *proof, f)
            }
            Call::Quarantine { on, by, vault } => draft.quarantine(*on, *by, *vault, f),
            Call::Complete { on, by } => draft.complete(*on, *by, f),
            Call::Restore { on, by, vaults } => draft.restore_all(*on, *by, vaults, f),
            _ => vec![],
        };
        if f.stop() {
            return vec![];
        }
        *self = draft;
        events
    }

    fn batch(vaults: impl Iterator<Item = VaultId>, f: &mut Faults) {
        let vaults: Vec<_> = vaults.collect();
        let mut unique = vaults.clone();
        unique.sort_unstable();
        unique.dedup();
        f.unless(!vaults.is_empty() && unique.len() == vaults.len(), "BadBatch");
        // The second of two equal accounts may fail because of the first one's change.
        f.refuse_unless(unique.len() == vaults.len());
    }

    /// The rules that the upgrade `id` is executed and the program's last one.
    fn demand_last(&self, id: Pid, f: &mut Faults) -> Option<(Upgrade, ProgramId)> {
        let (Some(upgrade), Pid::Upgrade(program, ..)) = (self.upgrade(id), id) else {
            f.refuse();
            return None;
        };
        self.demand_governed(program, upgrade, f);
        f.unless(upgrade.voting.status.executed(), "NotExecuted");
        let last = self.state(program).is_some_and(|s| s.last == Some(id));
        f.unless(last, "Superseded");
        Some((upgrade.clone(), program))
    }

    fn demand_migrating(&self, program: ProgramId, f: &mut Faults) {
        let back = self.state(program).is_some_and(|s| s.phase == Phase::RollingBack);
        f.unless(!back, "RollingBack");
    }

    fn demand_callable(&self, program: ProgramId, f: &mut Faults) {
        let slot = self.state(program).map_or(0, |s| s.executed_slot);
        f.unless(self.now.slot > slot, "SameSlot");
    }

    /// The vault, if `program` owns it.
    fn owned(&self, program: ProgramId, vault: VaultId) -> Option<Content> {
        self.vaults.get(&vault).copied().filter(|_| program == VAULTS)
    }

    fn standing(&self, program: ProgramId, vault: VaultId, id: Pid, slot: u64) -> Standing {
        self.records.get(&(program, vault)).map_or(Standing::Pending, |r| r.under(id, slot))
    }

    /// The rules that the account has no record yet, or a restored one.
    fn untouched(standing: Standing, f: &mut Faults) {
        f.unless(!matches!(standing, Standing::Migrated | Standing::Verified), "AlreadyMigrated");
        f.unless(!matches!(standing, Standing::Quarantined | Standing::Closed), "RecordStatus");
    }

    fn start(&mut self, id: Pid) {
        if let Some(upgrade) = self.upgrade_mut(id)
            && upgrade.voting.status == Status::Executed
        {
            upgrade.voting.status = Status::Migrating;
        }
    }

    fn move_to(&mut self, program: ProgramId, from: Standing, to: Standing) {
        if let Some(state) = self.state_mut(program) {
            state.counters.shift(from, to);
        }
    }

    fn migrate_all(&mut self, id: Pid, by: Person, vaults: &[VaultId], f: &mut Faults) -> Events {
        Self::batch(vaults.iter().copied(), f);
        let Some((upgrade, program)) = self.demand_last(id, f) else { return vec![] };
        self.demand_migrating(program, f);
        self.demand_callable(program, f);
        match self.multisigs.get(&upgrade.voting.multisig) {
            None => f.refuse(),
            Some(multisig) => f.unless(!multisig.paused(self.now.time), "Paused"),
        }
        let slot = upgrade.voting.executed.1;
        for vault in vaults {
            let key = (program, *vault);
            let from = self.standing(program, *vault, id, slot);
            Self::untouched(from, f);
            let old = self.owned(program, *vault).filter(|c| upgrade.takes(c.layout));
            let Some(old) = old else {
                f.unless(false, "NotEligible");
                continue;
            };
            // The target migrates only from layout 1 to 2.
            let served = (old.layout, upgrade.to, self.layout()) == (1, 2, 2);
            f.refuse_unless(served);
            if upgrade.scope == Scope::Critical {
                f.unless(!self.backups.contains_key(&key), "BackupExists");
            }
            if f.stop() {
                continue;
            }
            if upgrade.scope == Scope::Critical {
                self.backups.insert(key, Backup { by: id, content: old, payer: by });
            }
            let payer = self.records.get(&key).map_or(by, |r| r.payer);
            self.records.insert(
                key,
                Record {
                    standing: Standing::Migrated,
                    version: upgrade.to,
                    previous_version: old.layout,
                    by: Some((id, slot)),
                    old: Some(old),
                    new: Some(old.up()),
                    touched: false,
                    rent_payer: Some(by),
                    payer,
                },
            );
            self.vaults.insert(*vault, old.up());
            self.move_to(program, from, Standing::Migrated);
        }
        self.start(id);
        vec!["AccountsMoved"]
    }

    fn verify_all(&mut self, id: Pid, vaults: &[VaultId], f: &mut Faults) -> Events {
        Self::batch(vaults.iter().copied(), f);
        let Some((upgrade, program)) = self.demand_last(id, f) else { return vec![] };
        let slot = upgrade.voting.executed.1;
        let (mut verified, mut closed) = (false, false);
        for vault in vaults {
            let from = self.standing(program, *vault, id, slot);
            let now = self.owned(program, *vault);
            let there = now.is_some() || (program != VAULTS && self.vaults.contains_key(vault));
            let fits = match from {
                Standing::Migrated => true,
                Standing::Verified => !there,
                _ => false,
            };
            f.unless(fits, "RecordStatus");
            f.refuse_unless(self.records.contains_key(&(program, *vault)));
            f.unless(now.is_none_or(|c| c.layout == upgrade.to), "TargetBroke");
            if f.stop() {
                continue;
            }
            let Some(record) = self.records.get_mut(&(program, *vault)) else { continue };
            let to = if there { Standing::Verified } else { Standing::Closed };
            record.standing = to;
            if there {
                record.touched = record.new != now;
                verified = true;
            } else {
                closed = true;
            }
            self.move_to(program, from, to);
        }
        vec!["AccountsMoved"; usize::from(verified) + usize::from(closed)]
    }

    /// Takes the account out of the migration.
    fn set_aside(
        &mut self,
        (id, slot): (Pid, u64),
        (program, vault): (ProgramId, VaultId),
        to: Standing,
        (version, old): (u16, Option<Content>),
        payer: Person,
    ) {
        let from = self.standing(program, vault, id, slot);
        let known = self.records.get(&(program, vault)).cloned();
        let payer = known.as_ref().map_or(payer, |r| r.payer);
        let record = match known {
            Some(record) if from != Standing::Pending => Record { standing: to, ..record },
            _ => Record {
                standing: to,
                version,
                previous_version: version,
                by: Some((id, slot)),
                old,
                new: None,
                touched: false,
                rent_payer: None,
                payer,
            },
        };
        self.records.insert((program, vault), record);
        self.move_to(program, from, to);
        self.start(id);
    }

    fn mark_closed(
        &mut self,
        id: Pid,
        by: Person,
        vault: VaultId,
        proof: VaultId,
        f: &mut Faults,
    ) -> Events {
        let Some((upgrade, program)) = self.demand_last(id, f) else { return vec![] };
        self.demand_migrating(program, f);
        let old = self.owned(program, vault).is_some_and(|c| upgrade.takes(c.layout));
        f.unless(!old, "AccountExists");
        let seen = upgrade.manifest.iter().find(|(v, _)| *v == proof).map(|(_, c)| *c);
        f.unless(seen.is_some() && proof == vault, "BadProof");
        let slot = upgrade.voting.executed.1;
        Self::untouched(self.standing(program, vault, id, slot), f);
        if f.stop() {
            return vec![];
        }
        let known = (upgrade.from, seen);
        self.set_aside((id, slot), (program, vault), Standing::Closed, known, by);
        vec!["AccountsMoved"]
    }

    fn quarantine(&mut self, id: Pid, by: Person, vault: VaultId, f: &mut Faults) -> Events {
        let Some((upgrade, program)) = self.demand_last(id, f) else { return vec![] };
        self.demand_migrating(program, f);
        match self.multisigs.get(&upgrade.voting.multisig) {
            None => f.refuse(),
            Some(multisig) => multisig.demand(f, by, EXECUTE),
        }
        let slot = upgrade.voting.executed.1;
        let standing = self.standing(program, vault, id, slot);
        let now = self.owned(program, vault);
        if matches!(standing, Standing::Migrated | Standing::Verified) {
            let odd = now.is_some_and(|c| c.layout != upgrade.to);
            f.unless(odd, "RecordStatus");
        } else {
            f.unless(now.is_some_and(|c| upgrade.takes(c.layout)), "NotEligible");
            Self::untouched(standing, f);
        }
        if f.stop() {
            return vec![];
        }
        let known = (now.map_or(upgrade.from, |c| c.layout), now);
        self.set_aside((id, slot), (program, vault), Standing::Quarantined, known, PAYER);
        vec!["AccountsMoved"]
    }

    fn complete(&mut self, id: Pid, by: Person, f: &mut Faults) -> Events {
        let Some((upgrade, program)) = self.demand_last(id, f) else { return vec![] };
        self.demand_migrating(program, f);
        match self.multisigs.get(&upgrade.voting.multisig) {
            None => f.refuse(),
            Some(multisig) => multisig.demand(f, by, EXECUTE),
        }
        f.unless(upgrade.voting.status != Status::Completed, "NotExecuted");
        let done = self.state(program).is_some_and(|s| s.counters.complete());
        f.unless(done, "NotComplete");
        if f.stop() {
            return vec![];
        }
        if let Some(upgrade) = self.upgrade_mut(id) {
            upgrade.voting.status = Status::Completed;
        }
        if let Some(state) = self.state_mut(program) {
            state.phase = Phase::Steady;
            if state.live == Some(id) {
                state.live = None;
            }
        }
        vec!["MigrationCompleted"]
    }

    fn restore_all(
        &mut self,
        id: Pid,
        by: Person,
        vaults: &[(VaultId, How)],
        f: &mut Faults,
    ) -> Events {
        Self::batch(vaults.iter().map(|(v, _)| *v), f);
        let Some((upgrade, program)) = self.demand_last(id, f) else { return vec![] };
        self.demand_restorer(&upgrade, by, f);
        let phase = self.state(program).map(|s| s.phase);
        f.unless(phase == Some(Phase::RollingBack), "RollbackNotApproved");
        self.demand_callable(program, f);
        let slot = upgrade.voting.executed.1;
        for (vault, how) in vaults {
            let key = (program, *vault);
            let Some(record) = self.records.get(&key).cloned() else {
                f.refuse();
                continue;
            };
            let from = record.under(id, slot);
            f.unless(matches!(from, Standing::Migrated | Standing::Verified), "RecordStatus");
            let now = self.owned(program, *vault).filter(|c| c.layout == upgrade.to);
            f.unless(now.is_some(), "NotEligible");
            let untouched = now.is_some() && now == record.new;
            match how {
                How::Bytes => f.unless(untouched, "Touched"),
                How::WrongBytes => {
                    f.unless(untouched, "Touched");
                    f.unless(false, "WrongBytes");
                }
                How::Down => {}
                How::Backup => {
                    f.unless(untouched, "Touched");
                    let kept = self.backups.get(&key).is_some_and(|b| b.by == id);
                    f.refuse_unless(kept && upgrade.scope == Scope::Critical);
                }
            }
            let (Some(now), false) = (now, f.stop()) else { continue };
            let back = if *how == How::Down { Some(now.down()) } else { record.old };
            if let Some(back) = back {
                self.vaults.insert(*vault, back);
            }
            if let Some(record) = self.records.get_mut(&key) {
                record.standing = Standing::Restored;
                record.version = record.previous_version;
            }
            self.move_to(program, from, Standing::Restored);
        }
        vec!["AccountsMoved"]
    }
}
