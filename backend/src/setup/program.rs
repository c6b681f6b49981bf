//! Registers a program with the manager, and extends its ProgramData for larger code.
use solana_loader_v3_interface::instruction as loader_instruction;
use solana_pubkey::Pubkey;
use upgrade_manager::{external::loader::PROGRAM_DATA_HEADER, seeds, state::MultisigConfig};

use crate::{
    accounts::decode,
    chain::read::RawAccount,
    code::{self, MIN_EXTEND_LEN, elf},
    error::{BackendError, Result},
    instructions::{self, program_data_address},
    pipeline::plan::Plan,
    preflight::{check::Check, text::span},
    setup::manager::SetupManager,
};

/// Most bytes of any account: 10 MiB.
const MAX_ACCOUNT_LEN: usize = 10 * 1024 * 1024;

impl SetupManager {
    /// Plans to hand the upgrade authority of `program`, which the loaded key must hold, to the
    /// manager; `version` is what its accounts have now.
    pub(super) async fn plan_register(
        &self,
        program: &Pubkey,
        multisig: &Pubkey,
        version: u16,
    ) -> Result<Plan> {
        let chain = self.context.chain();
        let data = program_data_address(program);
        let raw = chain.account(multisig).await?;
        let config: MultisigConfig = decode("multisig", *multisig, raw.as_ref())?;
        let live = code::live_elf(chain, &data).await?;
        let holder = code::live_authority(chain, &data).await?;
        let taker = seeds::authority(program).0;
        let state = seeds::program_state(program).0;
        let mut plan = self.start("program register", "Register the program", program.to_string());
        plan.account = Some(*program);
        plan.fact("Program", program);
        plan.fact("ProgramData", data);
        plan.fact("Version", version);
        plan.fact("Code that runs, sha256", hex::encode(elf::verify_hash(&live)));
        plan.fact("Upgrade authority now", name(holder));
        plan.fact("Upgrade authority AFTERWARDS", taker);
        plan.fact("Multisig", multisig);
        plan.fact("Approvals needed", format!("{} of {}", config.threshold, config.voters()));
        plan.fact("Timelock", span(config.timelock.into()));
        plan.pinned.pin("the code that runs", hex::encode(elf::verify_hash(&live)));
        plan.pinned.pin("the upgrade authority", name(holder));
        plan.pinned.pin("the multisig's epoch", config.config_epoch);
        plan.check(check_free(chain.account(&state).await?.as_ref(), program, &state));
        plan.check(Check::warn(format!(
            "THE UPGRADE AUTHORITY MOVES from {} to the manager's address {taker}. From then on \
             only proposals of the multisig {multisig} can upgrade the program, and no command here gives \
             the authority back.",
            name(holder)
        )));
        plan.check(check_holder(holder, self.context.signer()));
        plan.check(match elf::inspect(live.get(..elf::file_len(&live)).unwrap_or(&live)) {
            Ok(info) => Check::pass(format!("The code that runs is sBPF v{}.", info.sbpf_version)),
            Err(problem) => Check::fail(format!("The code that runs cannot be pinned: {problem}.")),
        });
        let manager = program_data_address(&upgrade_manager::ID);
        let held = code::live_authority(chain, &manager).await?;
        plan.check(match held {
            None => Check::pass("The manager itself is final: nobody can change its rules."),
            Some(key) => Check::warn(format!(
                "The manager itself can be upgraded by {key}: whoever holds that key can change \
                 every rule."
            )),
        });
        let Some(signer) = self.context.signer() else { return Ok(plan) };
        let trimmed = u32::try_from(elf::trimmed(&live).len())
            .map_err(|_| BackendError::Range("trimming an ELF"))?;
        let ix =
            instructions::register_program(&signer, &signer, multisig, program, version, trimmed);
        let ix = instructions::with_squads(ix, &config);
        plan.instructions = vec![ix];
        Ok(plan)
    }

    /// Plans to make ProgramData of `program` larger by at least `bytes`. The loaded key pays;
    /// no role is needed.
    pub(super) async fn plan_extend(&self, program: &Pubkey, bytes: u32) -> Result<Plan> {
        let chain = self.context.chain();
        let data = program_data_address(program);
        let room = code::live_elf(chain, &data).await?.len();
        let wanted = usize::try_from(bytes).unwrap_or(usize::MAX);
        let added = wanted.max(MIN_EXTEND_LEN);
        let after = room.saturating_add(added);
        let held = chain.account(&data).await?.map_or(0, |a| a.lamports);
        let size = after.saturating_add(PROGRAM_DATA_HEADER);
        let rent = chain.rent(size).await?;
        let mut plan = self.start("program extend", "Extend the program", program.to_string());
        plan.account = Some(*program);
        plan.fact("Program", program);
        plan.fact("ProgramData", data);
        plan.fact("Room for code now", format!("{room} bytes"));
        plan.fact("Room for code afterwards", format!("{after} bytes"));
        plan.fact("Rent, from the signer", format!("{} lamports", rent.saturating_sub(held)));
        plan.pinned.pin("the room for code", room);
        if added > wanted {
            plan.check(Check::warn(format!(
                "Clusters extend by at least {MIN_EXTEND_LEN} bytes; that many are added."
            )));
        }
        plan.check(Check::when(
            size <= MAX_ACCOUNT_LEN,
            "ProgramData stays within what an account may hold.",
            format!("ProgramData would have {size} bytes; an account holds {MAX_ACCOUNT_LEN}."),
        ));
        plan.check(Check::warn(
            "The program cannot be upgraded in the slot in which it is extended, and room is never \
             given back.",
        ));
        let Some(signer) = self.context.signer() else { return Ok(plan) };
        let added = u32::try_from(added).map_err(|_| BackendError::Range("extending a program"))?;
        let ix = loader_instruction::extend_program(program, Some(&signer), added);
        plan.instructions = vec![ix];
        Ok(plan)
    }
}

/// Checks that the program is not registered. Anyone can send lamports to the state's address before it is
/// made, so only an account of the manager there counts.
fn check_free(found: Option<&RawAccount>, program: &Pubkey, state: &Pubkey) -> Check {
    Check::when(
        found.is_none_or(|raw| raw.owner != upgrade_manager::ID),
        "The program is not registered yet.",
        format!("The program {program} is registered already; its state is {state}."),
    )
}

fn name(holder: Option<Pubkey>) -> String {
    holder.map_or("nobody: the program is final".into(), |k| k.to_string())
}

fn check_holder(holder: Option<Pubkey>, signer: Option<Pubkey>) -> Check {
    match (holder, signer) {
        (None, _) => Check::fail("The program is final: nobody can upgrade it any more."),
        (Some(key), Some(signer)) => Check::when(
            key == signer,
            "The signer holds the program's upgrade authority.",
            format!("The upgrade authority is {key}, not the signer {signer}: sign with its key."),
        ),
        (Some(key), None) => Check::fail(format!("The key of {key} must sign.")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::preflight::check::Verdict;

    #[test]
    fn lamports_sent_to_the_state_do_not_stop_a_registration() {
        let (program, state) = (Pubkey::new_from_array([1; 32]), Pubkey::new_from_array([2; 32]));
        let raw = |owner| RawAccount { owner, lamports: 1, data: vec![], executable: false };
        let dust = raw(Pubkey::default());
        assert_eq!(check_free(None, &program, &state).verdict, Verdict::Pass);
        assert_eq!(check_free(Some(&dust), &program, &state).verdict, Verdict::Pass);
        let taken = check_free(Some(&raw(upgrade_manager::ID)), &program, &state);
        assert_eq!(taken.verdict, Verdict::Fail);
    }

    #[test]
    fn only_the_holder_of_the_authority_can_register() {
        let (a, b) = (Pubkey::new_from_array([1; 32]), Pubkey::new_from_array([2; 32]));
        assert_eq!(check_holder(Some(a), Some(a)).verdict, Verdict::Pass);
        for (holder, signer) in [(Some(a), Some(b)), (None, Some(a)), (Some(a), None)] {
            assert_eq!(check_holder(holder, signer).verdict, Verdict::Fail);
        }
    }
}
