//! The rules about closing accounts and returning their rent: only what has ended can be closed.
use super::{
    Events, Faults, Model,
    op::{BufferId, Call, Pid, ProgramId, VaultId},
    program::{Holder, Phase, Standing},
    voting::{Proposal, Status},
};

impl Model {
    pub(crate) fn closing_call(&mut self, call: &Call, f: &mut Faults) -> Events {
        match call {
            Call::CloseBuffer { buffer, by } => self.close_buffer(*buffer, *by, f),
            Call::CloseProposal { on, .. } => self.close_proposal(*on, f),
            Call::CloseRecord { program, vault, .. } => {
                let record = self.records.get(&(*program, *vault));
                f.refuse_unless(record.is_some());
                self.demand_steady(*program, f);
                if let Some((id, _)) = record.and_then(|r| r.by) {
                    f.unless(self.over(id), "NotEnded");
                }
                if !f.stop() {
                    self.records.remove(&(*program, *vault));
                }
            }
            Call::CloseBackup { program, vault, .. } => self.close_backup(*program, *vault, f),
            Call::CloseState { program, .. } => {
                let Some(program) = self.programs.get_mut(usize::from(*program)) else {
                    f.refuse();
                    return vec![];
                };
                f.refuse_unless(program.state.is_some());
                let released = program.state.as_ref().is_none_or(|s| s.phase == Phase::Released);
                f.unless(released, "NotReleased");
                if !f.stop() {
                    program.state = None;
                }
            }
            Call::CloseMultisig { multisig, .. } => {
                match self.multisigs.get(multisig) {
                    None => f.refuse(),
                    Some(multisig) => f.refuse_unless(multisig.dissolved),
                }
                if !f.stop() {
                    self.multisigs.remove(multisig);
                }
            }
            _ => {}
        }
        if f.stop() { vec![] } else { vec!["AccountClosed"] }
    }

    /// The rule that no migration or rollback of `program` is running.
    fn demand_steady(&self, program: ProgramId, f: &mut Faults) {
        let phase = self.state(program).map(|s| s.phase);
        f.unless(!matches!(phase, Some(Phase::Migrating | Phase::RollingBack)), "NotSteady");
    }

    /// The rule that the upgrade `id` is over and no rollback can need its accounts: it has ended,
    /// a later upgrade was executed, or the program was released.
    fn over(&self, id: Pid) -> bool {
        let Pid::Upgrade(program, ..) = id else { return false };
        let last = self.state(program).is_some_and(|s| s.last == Some(id));
        self.upgrade(id).is_none_or(|upgrade| {
            upgrade.ended(self.now) || (upgrade.voting.status.executed() && !last)
        })
    }

    fn close_buffer(&mut self, id: BufferId, by: u8, f: &mut Faults) {
        let Some(attestation) = self.attestations.get(&id).copied() else { return f.refuse() };
        match attestation.proposal {
            None => f.unless(by == attestation.refund, "NotRefund"),
            Some(pid) => match self.upgrade(pid) {
                None => f.refuse(),
                Some(_) => f.unless(self.over(pid), "NotEnded"),
            },
        }
        if f.stop() {
            return;
        }
        let ours = Holder::Manager(attestation.program);
        if self.buffers.get(&id).is_some_and(|b| b.holder == ours) {
            self.buffers.remove(&id);
        }
        self.attestations.remove(&id);
    }

    fn close_proposal(&mut self, id: Pid, f: &mut Faults) {
        let ended = match self.proposals.get(&id) {
            None => return f.refuse(),
            Some(Proposal::Upgrade(upgrade)) => {
                for pinned in [upgrade.upgrade, upgrade.rollback] {
                    let kept = self.attestations.get(&pinned.buffer);
                    f.unless(kept.is_none_or(|a| a.proposal != Some(id)), "BuffersOpen");
                }
                self.over(id)
            }
            Some(Proposal::Multisig(change)) => {
                let status = change.voting.status;
                !status.is_voting() || status == Status::Executed
            }
        };
        f.unless(ended, "NotEnded");
        if !f.stop() {
            self.proposals.remove(&id);
        }
    }

    fn close_backup(&mut self, program: ProgramId, vault: VaultId, f: &mut Faults) {
        let key = (program, vault);
        let Some(backup) = self.backups.get(&key) else { return f.refuse() };
        let id = backup.by;
        let slot = self.upgrade(id).map_or(0, |u| u.voting.executed.1);
        let record = self.records.get(&key);
        let standing = record.map_or(Standing::Pending, |r| r.under(id, slot));
        let back = matches!(standing, Standing::Pending | Standing::Restored);
        f.unless(back || self.over(id), "NotEnded");
        if !f.stop() {
            self.backups.remove(&key);
        }
    }
}
