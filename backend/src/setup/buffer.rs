//! Buffers: reading one, freezing and attesting it so that a proposal can pin it, closing it.
use solana_loader_v3_interface::instruction as loader_instruction;
use solana_pubkey::Pubkey;
use upgrade_manager::{
    external::loader,
    seeds,
    state::{
        BufferAttestation, BufferRole,
        elf::{MAX_INLINE_LEN, require_same_code},
        role,
    },
};

use crate::{
    accounts,
    code::{
        self,
        elf::{self, ElfInfo, ElfProblem},
    },
    error::{BackendError, Result},
    instructions::{self, program_data_address},
    pipeline::{members, plan::Plan},
    preflight::{check::Check, rule_check},
    setup::manager::SetupManager,
};

/// A loader buffer and the manager's attestation of it.
#[derive(Clone, Debug)]
pub struct BufferView {
    /// The buffer.
    pub address: Pubkey,
    /// The buffer's authority; the manager's address of the program once it is frozen.
    pub authority: Option<Pubkey>,
    /// The ELF in it, or why it cannot be deployed.
    pub elf: std::result::Result<ElfInfo, ElfProblem>,
    /// sha256 without trailing zeros, computed here.
    pub sha256: [u8; 32],
    /// Its lamports.
    pub lamports: u64,
    /// The manager's attestation, if there is one.
    pub attestation: Option<BufferAttestation>,
    pub(super) bytes: Vec<u8>,
}

impl BufferView {
    /// Whether the buffer's authority is the manager's address, for which no key can sign a `Write`.
    #[must_use]
    pub fn frozen(&self) -> bool {
        let program = self.attestation.as_ref().map(|a| a.program);
        program.is_some_and(|p| self.authority == Some(seeds::authority(&p).0))
    }
}

impl SetupManager {
    /// Reads and hashes a buffer.
    ///
    /// # Errors
    /// The network's, or why it is not a buffer.
    pub async fn buffer(&self, address: &Pubkey) -> Result<BufferView> {
        let (what, key) = ("buffer", seeds::attestation(address).0);
        let got = self.context.chain().accounts(&[*address, key]).await?;
        let [Some(raw), known] = got.as_slice() else {
            return Err(BackendError::NoAccount { what, address: *address });
        };
        let held = loader::buffer(&raw.owner, &raw.data).map_err(|e| BackendError::BadAccount {
            what,
            address: *address,
            reason: rule_check::sentence(&e).trim_end_matches('.').to_owned(),
        })?;
        Ok(BufferView {
            address: *address,
            authority: held.authority,
            elf: elf::inspect(held.elf),
            sha256: elf::verify_hash(held.elf),
            lamports: raw.lamports,
            attestation: accounts::decode_optional("buffer attestation", key, known.as_ref())?,
            bytes: held.elf.to_vec(),
        })
    }

    /// Plans to freeze `buffer`, which the loaded key must hold, for `program` and to attest its hash, in
    /// one transaction. A buffer that is frozen already is only attested.
    pub(super) async fn plan_freeze(
        &self,
        buffer: &Pubkey,
        program: &Pubkey,
        role: BufferRole,
    ) -> Result<Plan> {
        self.registered(program).await?;
        let view = self.buffer(buffer).await?;
        let mut plan =
            self.start("buffer freeze", "Freeze and attest the buffer", buffer.to_string());
        plan.account = Some(*buffer);
        let what = match role {
            BufferRole::Upgrade => "new",
            BufferRole::Rollback => "old",
        };
        plan.fact("Buffer", buffer);
        plan.fact("Role", role.name());
        plan.fact("Program", program);
        plan.fact("Size", format!("{} bytes", view.bytes.len()));
        plan.fact("solana-verify hash, sha256", hex::encode(view.sha256));
        plan.fact("Authority now", view.authority.map_or("nobody".into(), |k| k.to_string()));
        plan.fact("Authority afterwards", seeds::authority(program).0);
        pin(&mut plan, &view);
        plan.check(code::check_elf(&view.bytes, what));
        let live = code::live_elf(self.context.chain(), &program_data_address(program)).await?;
        plan.pinned.pin("the code that runs", hex::encode(elf::verify_hash(&live)));
        plan.check(match role {
            BufferRole::Rollback => rule_check::check(
                &require_same_code(elf::trimmed(&view.bytes), &live),
                "The buffer, compared byte by byte here, equals the code that runs.",
            ),
            BufferRole::Upgrade if elf::verify_hash(&live) == view.sha256 => {
                Check::warn("The buffer holds the code that runs already.")
            }
            BufferRole::Upgrade => Check::pass("The buffer holds other code than what runs."),
        });
        plan.check(check_state(&view, program, role, self.context.signer()));
        let len = u32::try_from(elf::trimmed(&view.bytes).len())
            .map_err(|_| BackendError::Range("trimming an ELF"))?;
        let Some(signer) = self.context.signer() else { return Ok(plan) };
        if elf::trimmed(&view.bytes).len() > MAX_INLINE_LEN {
            return self.plan_chunks(plan, &view, program, role, len);
        }
        let mut instructions = vec![];
        if view.attestation.is_none() {
            let freeze = instructions::freeze_buffer(&signer, &signer, program, buffer, role);
            instructions.push(freeze);
        }
        instructions.push(match role {
            BufferRole::Upgrade => instructions::attest_buffer(program, buffer, len),
            BufferRole::Rollback => instructions::attest_rollback(program, buffer, len),
        });
        plan.instructions = instructions;
        Ok(plan)
    }

    /// Plans to close a buffer that no proposal has pinned; its rent goes to the former authority.
    pub(super) async fn plan_close_unused(&self, buffer: &Pubkey) -> Result<Plan> {
        let view = self.buffer(buffer).await?;
        let mut plan = self.start("close", "Close the buffer", buffer.to_string());
        plan.account = Some(*buffer);
        plan.fact("Buffer", buffer);
        plan.fact("solana-verify hash, sha256", hex::encode(view.sha256));
        plan.fact("Lamports", view.lamports);
        pin(&mut plan, &view);
        let holder = view.attestation.as_ref().map_or(view.authority, |a| Some(a.refund));
        plan.fact("Rent back to", holder.map_or("nobody".into(), |k| k.to_string()));
        let pinned = view.attestation.as_ref().and_then(|a| a.proposal);
        plan.check(match pinned {
            None => Check::pass("No proposal has pinned the buffer."),
            Some(proposal) => Check::fail(format!(
                "The proposal {proposal} has pinned the buffer: close that one, once it has ended."
            )),
        });
        plan.check(check_refund(holder, self.context.signer()));
        let Some(signer) = self.context.signer() else { return Ok(plan) };
        let ix = match &view.attestation {
            Some(known) => instructions::close_buffer(&signer, known),
            None => loader_instruction::close(buffer, &signer, &signer),
        };
        plan.instructions = vec![ix];
        Ok(plan)
    }

    /// Plans to close a buffer whose authority was set to the manager's address of
    /// `program` without freezing it; its rent goes to the multisig's treasury.
    pub(super) async fn plan_reclaim(&self, buffer: &Pubkey, program: &Pubkey) -> Result<Plan> {
        let state = self.registered(program).await?;
        let config = accounts::multisig(self.context.chain(), &state.multisig).await?;
        let view = self.buffer(buffer).await?;
        let mut plan = self.start("close", "Reclaim the buffer", buffer.to_string());
        plan.account = Some(*buffer);
        plan.fact("Buffer", buffer);
        plan.fact("Program", program);
        plan.fact("Lamports", view.lamports);
        plan.fact("Rent to the multisig's treasury", config.treasury);
        pin(&mut plan, &view);
        plan.pinned.pin("the multisig's treasury", config.treasury);
        plan.check(Check::when(
            view.attestation.is_none() && view.authority == Some(seeds::authority(program).0),
            "The manager's address holds the buffer, which was never frozen.",
            "The buffer was frozen, or the manager's address of this program does not hold it.",
        ));
        let Some(signer) = self.context.signer() else { return Ok(plan) };
        plan.check(members::check_role(&config, &signer, role::EXECUTE));
        let multisig = (&state.multisig, &config.treasury);
        let ix = instructions::reclaim_buffer(&signer, multisig, program, buffer);
        plan.instructions = vec![ix];
        Ok(plan)
    }
}

/// Pins what a buffer holds and who holds it. Not its lamports: anyone can send it some.
fn pin(plan: &mut Plan, view: &BufferView) {
    let named = |key: Option<Pubkey>| key.map_or("nobody".into(), |k| k.to_string());
    plan.pinned.pin("the buffer's code", hex::encode(view.sha256));
    plan.pinned.pin("the buffer's authority", named(view.authority));
    let refund = view.attestation.as_ref().map_or(view.authority, |a| Some(a.refund));
    plan.pinned.pin("who gets the buffer's rent", named(refund));
}

fn check_state(
    view: &BufferView,
    program: &Pubkey,
    role: BufferRole,
    signer: Option<Pubkey>,
) -> Check {
    if let Some(known) = &view.attestation {
        if known.attested {
            return Check::fail(format!("The buffer {} is attested already.", view.address));
        }
        return Check::when(
            known.program == *program && known.role == role && view.frozen(),
            "The buffer is frozen already; only its hash is taken.",
            format!(
                "The buffer {} was frozen for program {} as {}.",
                view.address,
                known.program,
                known.role.name()
            ),
        );
    }
    match (view.authority, signer) {
        (Some(held), Some(signer)) => Check::when(
            held == signer,
            "The signer holds the buffer.",
            format!("The buffer's authority is {held}, not the signer {signer}."),
        ),
        (Some(held), None) => Check::fail(format!("The key of {held} must sign.")),
        (None, _) => Check::fail("The buffer has no authority: it cannot be frozen."),
    }
}

fn check_refund(holder: Option<Pubkey>, signer: Option<Pubkey>) -> Check {
    match (holder, signer) {
        (None, _) => Check::fail("The buffer has no authority: nobody can close it."),
        (Some(held), Some(signer)) => Check::when(
            held == signer,
            "The signer gets the rent back.",
            format!("Only {held} can close the buffer, not the signer {signer}."),
        ),
        (Some(held), None) => Check::fail(format!("The key of {held} must sign.")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::preflight::check::Verdict;

    #[test]
    fn only_the_former_authority_of_a_buffer_can_close_it() {
        let (a, b) = (Pubkey::new_from_array([1; 32]), Pubkey::new_from_array([2; 32]));
        assert_eq!(check_refund(Some(a), Some(a)).verdict, Verdict::Pass);
        for (holder, signer) in [(Some(a), Some(b)), (None, Some(a)), (Some(a), None)] {
            assert_eq!(check_refund(holder, signer).verdict, Verdict::Fail);
        }
    }
}
