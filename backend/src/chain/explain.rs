//! Turns a transaction's error and log into one sentence for the operator. Pure.
use solana_client::rpc_response::TransactionError;
use solana_instruction::error::InstructionError;
use solana_pubkey::Pubkey;
use solana_sdk_ids::{bpf_loader_upgradeable, system_program};
use upgrade_manager::error::ManagerError;

use crate::{
    chain::{answers::TxError, manager_errors::manager_error},
    failure::{Blame, Failure},
};

/// Reasons of the manager that no choice of accounts can change.
fn blame(reason: ManagerError) -> Blame {
    use ManagerError as E;
    match reason {
        E::SameSlot => Blame::Slot,
        E::AuthorityLost
        | E::CalledByProgram
        | E::DigestMismatch
        | E::Dissolved
        | E::DurableNonce
        | E::Expired
        | E::NotAMember
        | E::NotExecuted
        | E::NotGuardian
        | E::Paused
        | E::RoleMissing
        | E::RollbackNotApproved
        | E::RollbackWindowOver
        | E::RollingBack
        | E::SquadsAccount
        | E::SquadsControlled
        | E::SquadsPolicy
        | E::StaleProposal
        | E::Superseded => Blame::Everything,
        _ => Blame::Account,
    }
}

/// Log lines of the loader and the runtime, and what they mean for an operator.
const KNOWN_LINES: [(&str, &str, Blame); 8] = [
    (
        "Program was deployed in this block already",
        "The program was deployed or extended in this very slot; try again in the next one.",
        Blame::Slot,
    ),
    (
        "Program is not deployed",
        "The program's new code is not callable in the slot of its upgrade; try again in the next slot.",
        Blame::Slot,
    ),
    (
        "ProgramData account not large enough",
        "ProgramData is too small for the new code: extend the program first.",
        Blame::Account,
    ),
    (
        "Buffer and upgrade authority don't match",
        "The buffer's authority is not the program's upgrade authority: freeze the buffer for this program first.",
        Blame::Account,
    ),
    ("Buffer account too small", "The buffer holds no code.", Blame::Account),
    (
        "not supported by inner instructions",
        "The cluster does not let programs call this loader instruction.",
        Blame::Account,
    ),
    (
        "exceeded CUs meter at BPF instruction",
        "The transaction ran out of compute units.",
        Blame::Account,
    ),
    (
        "Access violation",
        "The program tried to use memory that is not its own: its code is broken.",
        Blame::Account,
    ),
];

/// `error` with its `logs`, in a transaction whose instructions call `programs`.
#[must_use]
pub fn explain(error: &TransactionError, logs: &[String], programs: &[Pubkey]) -> Failure {
    let plain = |sentence: String| Failure { sentence, manager: None, blame: Blame::Account };
    let TransactionError::InstructionError(index, inner) = error else {
        // Only the payer, always the first account, is in every transaction of a step.
        let blame = match error {
            TransactionError::InsufficientFundsForRent { account_index: 1.. } => Blame::Account,
            _ => Blame::Everything,
        };
        return Failure { blame, ..plain(explain_outer(error)) };
    };
    let program = failing_program(logs).or_else(|| programs.get(usize::from(*index)).copied());
    let known = known_line(logs);
    if let InstructionError::Custom(code) = inner {
        if program == Some(upgrade_manager::ID)
            && let Some(reason) = manager_error(*code)
        {
            return Failure {
                sentence: reason.to_string(),
                manager: Some(reason),
                blame: blame(reason),
            };
        }
        let funds = logs.iter().rev().find(|l| l.contains("insufficient lamports"));
        if let Some(line) = funds.filter(|_| program == Some(system_program::ID)) {
            let line = line.trim_start_matches("Transfer: ");
            let sentence = format!("The signer has too few lamports ({line}): fund it first.");
            return Failure { blame: Blame::Everything, ..plain(sentence) };
        }
        if known.is_none() {
            return plain(explain_custom(program, *code, logs));
        }
    }
    if let Some((_, sentence, blame)) = known {
        return Failure { sentence: (*sentence).into(), manager: None, blame: *blame };
    }
    if *inner == InstructionError::AccountDataTooSmall
        && program == Some(bpf_loader_upgradeable::ID)
    {
        return plain(
            "ProgramData is too small for the new code: extend the program first.".into(),
        );
    }
    let who = program.map_or_else(|| "A program".into(), |p| format!("Program {p}"));
    let said = last_message(logs).map(|m| format!(" It said: {m}")).unwrap_or_default();
    plain(format!("{who} refused: {inner}.{said}"))
}

/// Longest part of an unknown error that is repeated.
const MAX_UNKNOWN_LEN: usize = 200;

/// `error` as a node wrote it, which may be one that this build does not know.
pub(super) fn explain_answer(error: &TxError, logs: &[String], programs: &[Pubkey]) -> Failure {
    let text = match error {
        TxError::Known(error) => return explain(error, logs, programs),
        TxError::Unknown(text) => text,
    };
    if let Some((_, sentence, blame)) = known_line(logs) {
        return Failure { sentence: (*sentence).into(), manager: None, blame: *blame };
    }
    // As for known errors, a failing instruction may be the fault of one of its accounts.
    let blame = if text.contains("Instruction") { Blame::Account } else { Blame::Everything };
    let text: String = text.chars().take(MAX_UNKNOWN_LEN).collect();
    let who = failing_program(logs).map_or_else(String::new, |p| format!(" Program {p} refused."));
    let said = last_message(logs).map(|m| format!(" It said: {m}")).unwrap_or_default();
    let sentence = format!(
        "The transaction fails with an error that this build does not know: {text}.{who}{said}"
    );
    Failure { sentence, manager: None, blame }
}

fn known_line(logs: &[String]) -> Option<&'static (&'static str, &'static str, Blame)> {
    KNOWN_LINES.iter().find(|(line, ..)| logs.iter().any(|l| l.contains(line)))
}

fn explain_outer(error: &TransactionError) -> String {
    match error {
        TransactionError::AccountNotFound => {
            "The signer's account does not exist on this cluster: fund it first.".into()
        }
        TransactionError::InsufficientFundsForFee => {
            "The signer's balance does not cover the fee: fund it first.".into()
        }
        TransactionError::InsufficientFundsForRent { account_index } => format!(
            "Account number {account_index} of the transaction, counted from 0 for the signer, would \
             keep too few lamports for its rent: fund it first."
        ),
        TransactionError::ProgramAccountNotFound => {
            "A program that the transaction calls does not exist on this cluster.".into()
        }
        TransactionError::BlockhashNotFound => {
            "The node does not know the transaction's blockhash: it is behind, or the transaction \
             is too old. Try again."
                .into()
        }
        other => format!("The cluster refused: {other}."),
    }
}

fn explain_custom(program: Option<Pubkey>, code: u32, logs: &[String]) -> String {
    let who = program.map_or_else(|| "A program".into(), |p| format!("Program {p}"));
    match last_message(logs) {
        Some(message) => format!("{who} refused: {message} (error {code})"),
        None => format!("{who} refused with error {code}, which it did not explain."),
    }
}

/// The program of the first `Program X failed` line: the innermost one.
fn failing_program(logs: &[String]) -> Option<Pubkey> {
    let line = logs.iter().find(|l| l.starts_with("Program ") && l.contains(" failed: "))?;
    line.split(' ').nth(1)?.parse().ok()
}

/// Anchor's error message, else the last thing a program logged.
fn last_message(logs: &[String]) -> Option<String> {
    let end = logs.iter().position(|l| l.contains(" failed: ")).unwrap_or(logs.len());
    let before = logs.get(..end).unwrap_or_default();
    let said = before.iter().rev().find_map(|l| l.strip_prefix("Program log: "))?;
    let message = said.split_once("Error Message: ").map_or(said, |(_, message)| message);
    Some(message.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &[&str]) -> Vec<String> {
        text.iter().map(|l| (*l).to_owned()).collect()
    }

    fn custom(code: u32) -> TransactionError {
        TransactionError::InstructionError(1, InstructionError::Custom(code))
    }

    const TARGET: Pubkey = Pubkey::new_from_array([7; 32]);

    #[test]
    fn an_error_code_of_the_manager_becomes_its_sentence_with_and_without_logs() {
        let programs = [system_program::ID, upgrade_manager::ID];
        let said = explain(&custom(6021), &[], &programs);
        assert_eq!(said.sentence, "The member has cast this vote already.");
        assert_eq!(said.manager, Some(ManagerError::AlreadyVoted));
        let log = format!("Program {} failed: custom program error: 0x1785", upgrade_manager::ID);
        assert_eq!(explain(&custom(6021), &lines(&[&log]), &programs), said);
        assert_eq!(explain(&custom(6050), &[], &programs).blame, Blame::Slot);
        assert_eq!(explain(&custom(6063), &[], &programs).blame, Blame::Everything);
    }

    #[test]
    fn an_error_code_of_a_target_is_not_taken_for_the_managers() {
        let logs = lines(&[
            &format!("Program {TARGET} invoke [2]"),
            "Program log: AnchorError occurred. Error Code: Full. Error Number: 6021. Error Message: The vault is full.",
            &format!("Program {TARGET} failed: custom program error: 0x1785"),
            &format!("Program {} failed: custom program error: 0x1785", upgrade_manager::ID),
        ]);
        let said = explain(&custom(6021), &logs, &[system_program::ID, upgrade_manager::ID]);
        assert_eq!(said.manager, None);
        assert!(said.sentence.contains("The vault is full."), "{}", said.sentence);
        assert!(said.sentence.contains(&TARGET.to_string()), "{}", said.sentence);
    }

    #[test]
    fn an_unknown_error_is_quoted_from_the_node() {
        let unknown = TxError::Unknown(r#"{"InstructionError":[0,{"FutureVariant":1}]}"#.into());
        let said = explain_answer(&unknown, &[], &[TARGET]);
        assert!(said.sentence.contains("FutureVariant"), "{said}");
        assert_eq!(said.blame, Blame::Account);
        let outer = explain_answer(&TxError::Unknown("\"Future\"".into()), &[], &[]);
        assert_eq!(outer.blame, Blame::Everything);
        let logs = lines(&["Program was deployed in this block already"]);
        assert_eq!(explain_answer(&unknown, &logs, &[]).blame, Blame::Slot);
        let known = TxError::Known(custom(6021));
        assert_eq!(
            explain_answer(&known, &[], &[system_program::ID, upgrade_manager::ID]).manager,
            Some(ManagerError::AlreadyVoted)
        );
    }

    #[test]
    fn the_loaders_log_lines_are_understood() {
        let loader = bpf_loader_upgradeable::ID;
        let error = TransactionError::InstructionError(0, InstructionError::InvalidArgument);
        let logs = lines(&["Program was deployed in this block already"]);
        let said = explain(&error, &logs, &[loader]);
        assert!(
            said.blame == Blame::Slot && said.sentence.contains("next one"),
            "{}",
            said.sentence
        );
        let error = TransactionError::InstructionError(0, InstructionError::AccountDataTooSmall);
        assert!(explain(&error, &[], &[loader]).sentence.contains("extend"));
        let logs = lines(&["Transfer: insufficient lamports 5, need 7"]);
        let said = explain(&custom(1), &logs, &[TARGET, system_program::ID]);
        assert!(said.sentence.contains("insufficient lamports 5, need 7"), "{said}");
        assert_eq!(said.blame, Blame::Everything);
        for (account_index, expected) in [(0, Blame::Everything), (4, Blame::Account)] {
            let error = TransactionError::InsufficientFundsForRent { account_index };
            assert_eq!(explain(&error, &[], &[]).blame, expected);
        }
        let said = explain(&TransactionError::AccountNotFound, &[], &[]).sentence;
        assert!(said.contains("fund"), "{said}");
    }
}
