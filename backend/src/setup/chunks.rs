//! Buffers above 2 MiB. One transaction cannot hash them, so they are frozen first and then hashed chunk by
//! chunk. The attestation account counts the chunks: an interrupted run goes on where it stopped.
use solana_instruction::Instruction;
use solana_pubkey::Pubkey;
use upgrade_manager::state::{BufferAttestation, BufferRole, elf::CHUNK_LEN};

use crate::{
    accounts,
    chain::simulate::{MAX_UNITS, with_budget},
    code::elf,
    error::{BackendError, Result},
    instructions,
    keys::signer::Signer,
    pipeline::{
        plan::{Plan, Workload},
        reporter::Reporter,
    },
    preflight::receipt::Receipt,
    setup::{buffer::BufferView, manager::SetupManager},
};

/// The next transaction on the way to an attested buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ChunkStep {
    Freeze,
    Chunk(u32),
    Compare,
    Done,
}

/// The next step for a buffer of `chunks` chunks.
fn next_step(known: Option<&BufferAttestation>, role: BufferRole, chunks: u32) -> ChunkStep {
    match known {
        None => ChunkStep::Freeze,
        Some(known) if known.attested => ChunkStep::Done,
        Some(known) if known.chunks < chunks => ChunkStep::Chunk(known.chunks),
        Some(_) if role == BufferRole::Rollback => ChunkStep::Compare,
        Some(_) => ChunkStep::Done,
    }
}

fn chunks(len: u32) -> Result<u32> {
    let len = usize::try_from(len).map_err(|_| BackendError::Range("counting chunks"))?;
    u32::try_from(len.div_ceil(CHUNK_LEN)).map_err(|_| BackendError::Range("counting chunks"))
}

impl SetupManager {
    /// Plans the same as `plan_freeze` for a buffer whose `len` bytes no transaction can hash.
    pub(super) fn plan_chunks(
        &self,
        mut plan: Plan,
        view: &BufferView,
        program: &Pubkey,
        role: BufferRole,
        len: u32,
    ) -> Result<Plan> {
        let Some(signer) = self.context.signer() else { return Ok(plan) };
        let all = chunks(len)?;
        let done = view.attestation.as_ref().map_or(0, |known| known.chunks);
        plan.fact("Hashed in chunks of 1 MiB", format!("{done} of {all} so far"));
        let first = next_step(view.attestation.as_ref(), role, all);
        let Some(ix) = instruction(first, &signer, program, &view.address, role, len) else {
            return Ok(plan);
        };
        plan.instructions = vec![ix];
        plan.workload = Workload::Series;
        let ends = usize::from(first == ChunkStep::Freeze)
            .saturating_add(usize::from(role == BufferRole::Rollback));
        let left = usize::try_from(all.saturating_sub(done)).unwrap_or(usize::MAX);
        plan.transactions = left.saturating_add(ends);
        Ok(plan)
    }

    pub(super) async fn run_attest(
        &self,
        program: &Pubkey,
        buffer: &Pubkey,
        role: BufferRole,
        key: &dyn Signer,
        reporter: &Reporter,
    ) -> Result<Receipt> {
        let chain = self.context.chain();
        let view = self.buffer(buffer).await?;
        let len = u32::try_from(elf::trimmed(&view.bytes).len())
            .map_err(|_| BackendError::Range("trimming an ELF"))?;
        let all = chunks(len)?;
        let (mut known, mut sent) = (view.attestation, vec![]);
        loop {
            let step = next_step(known.as_ref(), role, all);
            let Some(ix) = instruction(step, &key.pubkey(), program, buffer, role, len) else {
                break;
            };
            // The instruction for each chunk has the same bytes; a different unit limit makes each transaction
            // a different one.
            let limit = match step {
                ChunkStep::Chunk(index) => MAX_UNITS.saturating_sub(index),
                _ => MAX_UNITS,
            };
            let message = with_budget(&[ix], limit, chain.config().unit_price);
            let what = name(step);
            let done = chain.send_exactly(what, &message, &[key], None).await?.succeeded()?;
            reporter.sent(&done).await;
            sent.push(done);
            let after = accounts::attestation(chain, buffer).await?;
            if known.as_ref() == Some(&after) {
                return Err(BackendError::Stopped(format!(
                    "the node does not show what {what} did; run the command again."
                )));
            }
            reporter.step("Hashing chunks", after.chunks.into(), all.into(), 0);
            known = Some(after);
        }
        let hash = known.map_or([0; 32], |known| known.sha256);
        let summary =
            format!("The buffer {buffer} is frozen and attested with hash {}.", hex::encode(hash));
        Ok(Receipt { sent, summary, failures: vec![], subject: Some(*buffer) })
    }
}

fn name(step: ChunkStep) -> &'static str {
    match step {
        ChunkStep::Freeze => "freeze buffer",
        ChunkStep::Chunk(_) => "attest chunk",
        ChunkStep::Compare | ChunkStep::Done => "attest rollback",
    }
}

fn instruction(
    step: ChunkStep,
    signer: &Pubkey,
    program: &Pubkey,
    buffer: &Pubkey,
    role: BufferRole,
    len: u32,
) -> Option<Instruction> {
    Some(match step {
        ChunkStep::Freeze => instructions::freeze_buffer(signer, signer, program, buffer, role),
        ChunkStep::Chunk(_) => instructions::attest_chunk(program, buffer, len),
        ChunkStep::Compare => instructions::attest_rollback(program, buffer, len),
        ChunkStep::Done => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use upgrade_manager::state::FrozenBuffer;

    #[test]
    fn a_large_buffer_is_frozen_then_hashed_in_order_and_a_rollback_buffer_compared_last() {
        let key = Pubkey::new_from_array([1; 32]);
        let of = |role| {
            let frozen = FrozenBuffer { buffer: key, program: key, role, len: 9, refund: key };
            BufferAttestation::new(&frozen, key, 0)
        };
        for role in [BufferRole::Upgrade, BufferRole::Rollback] {
            assert_eq!(next_step(None, role, 3), ChunkStep::Freeze);
            let mut known = of(role);
            for index in 0..3 {
                known.chunks = index;
                assert_eq!(next_step(Some(&known), role, 3), ChunkStep::Chunk(index));
            }
            known.chunks = 3;
            let last = next_step(Some(&known), role, 3);
            assert_eq!(last == ChunkStep::Compare, role == BufferRole::Rollback);
            known.attested = true;
            assert_eq!(next_step(Some(&known), role, 3), ChunkStep::Done);
        }
        assert_eq!(chunks(2 * 1024 * 1024 + 1).unwrap(), 3);
    }
}
