//! Builds the instruction of a call, with the account list of the specification.
use solana_instruction::{AccountMeta, Instruction};

use super::{
    Model,
    archive::Archive,
    keys::Keys,
    op::{Action, BufferId, Call, DEV, How, MultisigId, PAYER, Pid, ProgramId, Scope, VaultId},
    voting::{MultisigChange, Proposal},
    wire::{Bytes, CLOCK, INSTRUCTIONS, LOADER, Metas, RENT, SYSTEM},
};

/// The data from which instructions are built.
pub struct Writer<'a> {
    pub model: &'a Model,
    pub keys: &'a Keys,
    pub archive: &'a Archive,
}

impl Writer<'_> {
    fn multisig_of(&self, id: Pid) -> MultisigId {
        match (self.model.proposals.get(&id), id) {
            (Some(proposal), _) => proposal.voting().multisig,
            (None, Pid::Multisig(multisig, _)) => multisig,
            (None, Pid::Upgrade(_, multisig, _)) => multisig,
        }
    }

    fn multisig_of_program(&self, program: ProgramId) -> MultisigId {
        self.model.state(program).map_or(0, |s| s.multisig)
    }

    fn program_of(&self, id: Pid) -> Option<ProgramId> {
        match (id, self.model.proposals.get(&id)) {
            (Pid::Upgrade(program, ..), _) => Some(program),
            (
                _,
                Some(Proposal::Multisig(MultisigChange {
                    action: Action::Transfer(program, _),
                    ..
                })),
            ) => Some(*program),
            _ => None,
        }
    }

    fn digest(&self, id: Pid, right: bool) -> [u8; 32] {
        let mut digest = self.archive.digests.get(&id).copied().unwrap_or_default();
        digest[0] ^= u8::from(!right);
        digest
    }

    /// The buffers and the spill of an upgrade; arbitrary ones when there is no such upgrade.
    fn pinned(&self, id: Pid) -> (BufferId, BufferId, u8) {
        let upgrade = self.model.upgrade(id);
        upgrade.map_or((0, 1, PAYER), |u| (u.upgrade.buffer, u.rollback.buffer, u.spill))
    }

    fn sorted(&self, vaults: &[VaultId]) -> Vec<VaultId> {
        let mut vaults = vaults.to_vec();
        vaults.sort_by_key(|v| self.keys.vault(*v));
        vaults
    }

    /// The instruction for `call`.
    pub fn write(&self, call: &Call) -> Instruction {
        let (k, name) = (self.keys, call.name());
        let m = Metas::default;
        let b = Bytes::default;
        let payer = k.person(PAYER);
        let plain = |metas: Metas, args: Bytes| metas.build(k, name, args, vec![]);
        match call {
            Call::CreateMultisig { multisig, rules } => {
                let maker = solana_signer::Signer::pubkey(&k.makers[usize::from(*multisig)]);
                let metas = m().s(maker).sw(payer).w(k.multisig(*multisig)).r(SYSTEM);
                plain(metas, b().rules(rules, k))
            }
            Call::Register { program, multisig, by, version } => {
                let metas =
                    m().s(k.person(*by)).sw(payer).w(k.multisig(*multisig)).r(k.program(*program));
                let metas = metas.w(k.program_data(*program)).r(k.authority(*program));
                let metas = metas.w(k.state(*program)).r(LOADER).r(SYSTEM);
                let code = self.model.programs[usize::from(*program)].code;
                plain(metas, b().u16(*version).u32(code.trimmed_len()))
            }
            Call::Freeze { buffer, program, by, role } => {
                let metas = m().s(k.person(*by)).sw(payer).r(k.state(*program));
                let metas = metas.w(k.buffer(*buffer)).r(k.authority(*program));
                let metas = metas.w(k.attestation(*buffer)).r(LOADER).r(SYSTEM);
                plain(metas, b().u8(role.number()))
            }
            Call::Attest { buffer, program, exact }
            | Call::AttestChunk { buffer, program, exact } => {
                let metas = m().r(k.state(*program)).r(k.buffer(*buffer));
                plain(metas.w(k.attestation(*buffer)), b().u32(self.trimmed(*buffer, *exact)))
            }
            Call::AttestRollback { buffer, program, exact } => {
                let metas = m().w(k.state(*program)).r(k.program_data(*program));
                let metas = metas.r(k.buffer(*buffer)).w(k.attestation(*buffer));
                plain(metas, b().u32(self.trimmed(*buffer, *exact)))
            }
            Call::Reclaim { buffer, program, by } => {
                let multisig = self.multisig_of_program(*program);
                let treasury =
                    self.model.multisigs.get(&multisig).map_or(PAYER, |t| t.rules.treasury);
                let metas = m().s(k.person(*by)).r(k.multisig(multisig)).r(k.state(*program));
                let metas = metas.w(k.buffer(*buffer)).r(k.attestation(*buffer));
                plain(metas.w(k.person(treasury)).r(k.authority(*program)).r(LOADER), b())
            }
            Call::Propose { program, by, upgrade, rollback, plan } => {
                let multisig = self.multisig_of_program(*program);
                let next = self.model.multisigs.get(&multisig).map_or(0, |t| t.next);
                let metas =
                    m().s(k.person(*by)).sw(payer).w(k.multisig(multisig)).w(k.state(*program));
                let metas = metas.w(k.attestation(*upgrade)).w(k.attestation(*rollback));
                let metas = metas.r(k.buffer(*upgrade)).r(k.buffer(*rollback));
                let metas = metas.w(k.proposal(Pid::Upgrade(*program, multisig, next))).r(SYSTEM);
                let manifest = self.archive.planned(plan.manifest && *program == 0);
                plain(metas, b().plan(plan, manifest))
            }
            Call::ProposeMultisig { multisig, by, action, expires_at, long_note } => {
                let next = self.model.multisigs.get(multisig).map_or(0, |t| t.next);
                let state = match action {
                    Action::Transfer(program, _) => Some(k.state(*program)),
                    _ => None,
                };
                let metas = m().s(k.person(*by)).sw(payer).w(k.multisig(*multisig)).maybe_w(state);
                let metas = metas.w(k.proposal(Pid::Multisig(*multisig, next))).r(SYSTEM);
                let note = if *long_note { "n".repeat(129) } else { "why".into() };
                plain(metas, b().multisig_args(*expires_at, &note, action, k))
            }
            Call::Vote { on, by, digest, .. } => {
                plain(self.vote_metas(*on, *by), b().raw(&self.digest(*on, *digest)))
            }
            Call::Revoke { on, by, .. } | Call::Cancel { on, by, .. } => {
                plain(self.vote_metas(*on, *by), b())
            }
            Call::Expire { on } => {
                let state = self.program_of(*on).map(|p| k.state(p));
                let multisig = k.multisig(self.multisig_of(*on));
                plain(m().w(multisig).maybe_w(state).w(k.proposal(*on)), b())
            }
            Call::Execute { on, by } => self.execute(name, *on, *by),
            Call::ExecuteConfig { on, by } => {
                let multisig = k.multisig(self.multisig_of(*on));
                plain(m().s(k.person(*by)).w(multisig).w(k.proposal(*on)), b())
            }
            Call::ExecuteTransfer { on, by, to } => {
                let program = self.program_of(*on).unwrap_or(0);
                let metas =
                    m().s(k.person(*by)).s(k.person(*to)).w(k.multisig(self.multisig_of(*on)));
                let metas = metas.w(k.state(program)).w(k.proposal(*on));
                plain(metas.w(k.program_data(program)).r(k.authority(program)).r(LOADER), b())
            }
            Call::Pause { multisig, by } => {
                plain(m().s(k.person(*by)).w(k.multisig(*multisig)), b())
            }
            Call::Unpause { multisig, by, .. } => {
                plain(m().s(k.person(*by)).w(k.multisig(*multisig)).r(INSTRUCTIONS), b())
            }
            Call::VoteBack { on, by, give_up, digest, .. } => {
                let program = self.program_of(*on).unwrap_or(0);
                let metas = m().s(k.person(*by)).r(k.multisig(self.multisig_of(*on)));
                let metas = metas.w(k.state(program)).w(k.proposal(*on)).r(INSTRUCTIONS);
                plain(metas, b().raw(&self.digest(*on, *digest)).u8((*give_up).into()))
            }
            Call::RollBack { on, by } => {
                let program = self.program_of(*on).unwrap_or(0);
                let (_, buffer, spill) = self.pinned(*on);
                let metas =
                    m().s(k.person(*by)).r(k.multisig(self.multisig_of(*on))).w(k.state(program));
                let metas = metas.w(k.proposal(*on)).w(k.program(program));
                let metas = metas.w(k.program_data(program)).w(k.buffer(buffer));
                let metas = metas.w(k.attestation(buffer)).w(k.person(spill));
                plain(metas.r(k.authority(program)).r(RENT).r(CLOCK).r(LOADER), b())
            }
            _ => self.write_accounts(call),
        }
    }

    fn trimmed(&self, buffer: BufferId, exact: bool) -> u32 {
        let code = self.model.buffers.get(&buffer).map(|b| b.code);
        code.map_or(1, |code| code.trimmed_len()) - u32::from(!exact)
    }

    fn vote_metas(&self, on: Pid, by: u8) -> Metas {
        let (k, state) = (self.keys, self.program_of(on).map(|p| self.keys.state(p)));
        let metas = Metas::default().s(k.person(by)).w(k.multisig(self.multisig_of(on)));
        metas.maybe_w(state).w(k.proposal(on)).r(INSTRUCTIONS)
    }

    fn execute(&self, name: &str, on: Pid, by: u8) -> Instruction {
        let (k, program) = (self.keys, self.program_of(on).unwrap_or(0));
        let (upgrade, rollback, spill) = self.pinned(on);
        let state = self.model.state(program);
        let superseded = state
            .filter(|s| s.phase != super::program::Phase::Steady)
            .and_then(|s| s.last)
            .filter(|last| *last != on)
            .map(|last| k.proposal(last));
        let metas = Metas::default().s(k.person(by)).w(k.multisig(self.multisig_of(on)));
        let metas = metas.w(k.state(program)).w(k.proposal(on)).w(k.program(program));
        let metas = metas.w(k.program_data(program)).w(k.buffer(upgrade));
        let metas = metas.r(k.attestation(upgrade)).r(k.buffer(rollback));
        let metas = metas.r(k.attestation(rollback)).w(k.person(spill)).r(k.authority(program));
        let metas = metas.r(RENT).r(CLOCK).r(LOADER).maybe_w(superseded);
        metas.build(k, name, Bytes::default(), vec![])
    }

    fn write_accounts(&self, call: &Call) -> Instruction {
        let (k, name) = (self.keys, call.name());
        let m = Metas::default;
        let b = Bytes::default;
        let payer = k.person(PAYER);
        let plain = |metas: Metas, args: Bytes| metas.build(k, name, args, vec![]);
        match call {
            Call::Migrate { on, by, vaults } => {
                let program = self.program_of(*on).unwrap_or(0);
                let metas =
                    m().sw(k.person(*by)).r(k.multisig(self.multisig_of(*on))).w(k.state(program));
                let metas = metas.w(k.proposal(*on)).r(k.program_data(program));
                let metas = metas.r(k.migrator(program)).r(k.program(program)).r(SYSTEM);
                let critical = self.critical(*on);
                let mut behind = vec![];
                for vault in self.sorted(vaults) {
                    behind.push(AccountMeta::new(k.vault(vault), false));
                    behind.push(AccountMeta::new(k.record(program, vault), false));
                    if critical {
                        behind.push(AccountMeta::new(k.backup(program, vault), false));
                    }
                }
                metas.build(k, name, b(), behind)
            }
            Call::Verify { on, vaults } => {
                let program = self.program_of(*on).unwrap_or(0);
                let mut behind = vec![];
                for vault in self.sorted(vaults) {
                    behind.push(AccountMeta::new_readonly(k.vault(vault), false));
                    behind.push(AccountMeta::new(k.record(program, vault), false));
                }
                m().w(k.state(program)).r(k.proposal(*on)).build(k, name, b(), behind)
            }
            Call::MarkClosed { on, by, vault, proof } => {
                let program = self.program_of(*on).unwrap_or(0);
                let metas = m().sw(k.person(*by)).w(k.state(program)).w(k.proposal(*on));
                let metas = metas.r(k.vault(*vault)).w(k.record(program, *vault)).r(SYSTEM);
                let (index, hash, proof) = self.archive.proof(*on, *proof);
                let mut args = b().u32(index).raw(&hash);
                args = args.u32(u32::try_from(proof.len()).expect("short"));
                plain(metas, proof.iter().fold(args, |args, hash| args.raw(hash)))
            }
            Call::Quarantine { on, by, vault } => {
                let program = self.program_of(*on).unwrap_or(0);
                let metas = m().s(k.person(*by)).sw(payer).r(k.multisig(self.multisig_of(*on)));
                let metas = metas.w(k.state(program)).w(k.proposal(*on)).r(k.vault(*vault));
                plain(metas.w(k.record(program, *vault)).r(SYSTEM), b())
            }
            Call::Complete { on, by } => {
                let program = self.program_of(*on).unwrap_or(0);
                let metas = m().s(k.person(*by)).r(k.multisig(self.multisig_of(*on)));
                plain(metas.w(k.state(program)).w(k.proposal(*on)), b())
            }
            Call::Restore { on, by, vaults } => self.restore(name, *on, *by, vaults),
            _ => self.write_closing(call),
        }
    }

    fn critical(&self, on: Pid) -> bool {
        self.model.upgrade(on).is_some_and(|u| u.scope == Scope::Critical)
    }

    fn restore(&self, name: &str, on: Pid, by: u8, vaults: &[(VaultId, How)]) -> Instruction {
        let (k, program) = (self.keys, self.program_of(on).unwrap_or(0));
        let metas = Metas::default().s(k.person(by)).sw(k.person(PAYER));
        let metas = metas.r(k.multisig(self.multisig_of(on))).w(k.state(program)).r(k.proposal(on));
        let metas = metas.r(k.program_data(program)).r(k.migrator(program));
        let metas = metas.r(k.program(program)).r(SYSTEM);
        let mut sorted = vaults.to_vec();
        sorted.sort_by_key(|(v, _)| k.vault(*v));
        let mut args = Bytes::default().u32(u32::try_from(sorted.len()).expect("few"));
        let mut behind = vec![];
        for (vault, how) in sorted {
            let record = self.model.records.get(&(program, vault));
            let refund = record.and_then(|r| r.rent_payer).unwrap_or(PAYER);
            let old = self.archive.old.get(&vault).map_or(&[][..], |bytes| bytes);
            args = args.item(how, old);
            behind.push(AccountMeta::new(k.vault(vault), false));
            behind.push(AccountMeta::new(k.record(program, vault), false));
            behind.push(AccountMeta::new(k.person(refund), false));
            if how == How::Backup {
                behind.push(AccountMeta::new(k.backup(program, vault), false));
            }
        }
        metas.build(k, name, args, behind)
    }

    fn write_closing(&self, call: &Call) -> Instruction {
        let (k, name) = (self.keys, call.name());
        let m = Metas::default;
        let payer = k.person(PAYER);
        let plain = |metas: Metas| metas.build(k, name, Bytes::default(), vec![]);
        match call {
            Call::CloseBuffer { buffer, by } => {
                let attestation = self.model.attestations.get(buffer);
                let program = attestation.map_or(0, |a| a.program);
                let proposal = attestation.and_then(|a| a.proposal).map(|id| k.proposal(id));
                let refund = attestation.map_or(DEV, |a| a.refund);
                let metas = m().s(k.person(*by)).r(k.state(program)).w(k.buffer(*buffer));
                let metas = metas.w(k.attestation(*buffer)).maybe_r(proposal);
                let metas = metas.w(k.person(refund)).w(payer);
                plain(metas.r(k.authority(program)).r(LOADER))
            }
            Call::CloseProposal { on: on @ Pid::Upgrade(program, ..), by } => {
                let (upgrade, rollback, _) = self.pinned(*on);
                let metas = m().s(k.person(*by)).r(k.state(*program)).w(k.proposal(*on));
                plain(metas.r(k.attestation(upgrade)).r(k.attestation(rollback)).w(payer))
            }
            Call::CloseProposal { on, by } => {
                plain(m().s(k.person(*by)).w(k.proposal(*on)).w(payer))
            }
            Call::CloseRecord { program, vault, by } => {
                let record = self.model.records.get(&(*program, *vault));
                let proposal = record.and_then(|r| r.by).map(|(id, _)| k.proposal(id));
                let rent = record.map_or(payer, |r| k.person(r.payer));
                let metas = m().s(k.person(*by)).r(k.state(*program)).w(k.record(*program, *vault));
                plain(metas.r(proposal.unwrap_or_default()).w(rent))
            }
            Call::CloseBackup { program, vault, by } => {
                let backup = self.model.backups.get(&(*program, *vault));
                let proposal = backup.map(|b| k.proposal(b.by));
                let rent = backup.map_or(payer, |b| k.person(b.payer));
                let metas = m().s(k.person(*by)).r(k.state(*program)).w(k.backup(*program, *vault));
                let metas = metas.r(k.record(*program, *vault));
                plain(metas.r(proposal.unwrap_or_default()).w(rent))
            }
            Call::CloseState { program, by } => {
                plain(m().s(k.person(*by)).w(k.state(*program)).w(payer))
            }
            Call::CloseMultisig { multisig, by } => {
                plain(m().s(k.person(*by)).w(k.multisig(*multisig)).w(payer))
            }
            _ => plain(m()),
        }
    }
}
