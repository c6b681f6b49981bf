//! The parts of a node's answers that are used here. Node software and providers add fields, write numbers
//! in other forms and name errors that this build does not know. A field that is not declared here is
//! never a reason to refuse an answer.
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use solana_client::rpc_response::TransactionError;
use solana_commitment_config::CommitmentConfig;
use solana_transaction_status_client_types::UiTransactionError;

/// An answer and the slot that it is about.
#[derive(Deserialize)]
pub(super) struct RpcAnswer<T> {
    pub(super) context: AnswerContext,
    pub(super) value: T,
}

/// The context of an answer; only the slot is read.
#[derive(Deserialize)]
pub(super) struct AnswerContext {
    pub(super) slot: u64,
}

/// An account. `rentEpoch` is left out on purpose: providers write `u64::MAX` as a float.
#[derive(Deserialize)]
pub(super) struct NodeAccount {
    pub(super) lamports: u64,
    pub(super) owner: String,
    /// The bytes and the name of their encoding.
    pub(super) data: (String, String),
    #[serde(default)]
    pub(super) executable: bool,
    /// The length of the account. Null from a node that does not send it.
    #[serde(default)]
    pub(super) space: Value,
}

/// One account of a list.
#[derive(Deserialize)]
pub(super) struct ListedAccount {
    pub(super) pubkey: String,
    pub(super) account: NodeAccount,
}

/// What a simulation found.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SimulationAnswer {
    #[serde(default)]
    pub(super) err: Option<TxError>,
    #[serde(default)]
    pub(super) logs: Option<Vec<String>>,
    #[serde(default)]
    pub(super) units_consumed: Option<u64>,
}

/// What a node knows of a signature.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct StatusAnswer {
    pub(super) slot: u64,
    /// Null once the transaction is final.
    #[serde(default)]
    confirmations: Option<u64>,
    #[serde(default)]
    pub(super) err: Option<TxError>,
    #[serde(default)]
    confirmation_status: Option<String>,
}

impl StatusAnswer {
    /// Whether the transaction has reached `commitment`.
    pub(super) fn satisfies(&self, commitment: CommitmentConfig) -> bool {
        let named = self.confirmation_status.as_deref();
        if commitment.is_finalized() {
            return named == Some("finalized") || self.confirmations.is_none();
        }
        if !commitment.is_confirmed() {
            return true;
        }
        match named {
            Some("processed") => false,
            Some("confirmed" | "finalized") => true,
            // A node that names no status, or a new one, counts the blocks above the transaction.
            _ => self.confirmations.is_none_or(|blocks| blocks > 1),
        }
    }
}

/// A transaction of the past; only its log is read. Its message may be of any version.
#[derive(Deserialize)]
pub(super) struct TransactionAnswer {
    pub(super) meta: Option<TransactionMeta>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct TransactionMeta {
    #[serde(default)]
    pub(super) log_messages: Option<Vec<String>>,
}

/// Why a transaction failed, in the node's form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TxError {
    /// An error that this build knows.
    Known(TransactionError),
    /// An error that this build does not know, as the node wrote it.
    Unknown(String),
}

impl From<TransactionError> for TxError {
    fn from(error: TransactionError) -> Self {
        Self::Known(error)
    }
}

impl<'de> Deserialize<'de> for TxError {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        let known = UiTransactionError::deserialize(&value);
        Ok(known.map_or_else(|_| Self::Unknown(value.to_string()), |e| Self::Known(e.into())))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use solana_instruction::error::InstructionError;

    use super::*;

    #[test]
    fn an_error_of_a_newer_node_is_kept_as_text_and_a_known_one_is_known() {
        let read = |value: Value| serde_json::from_value::<Option<TxError>>(value).unwrap();
        assert_eq!(read(Value::Null), None);
        let known = TransactionError::InstructionError(1, InstructionError::Custom(7));
        let json = json!({"InstructionError": [1, {"Custom": 7}]});
        assert_eq!(read(json), Some(TxError::Known(known)));
        assert_eq!(read(json!("AccountInUse")), Some(TransactionError::AccountInUse.into()));
        for future in [
            json!({"InstructionError": [0, {"FutureVariant": 1}]}),
            json!({"InstructionError": [900, "Future"]}),
            json!({"InstructionError": []}),
            json!("FutureVariant"),
            json!({"Future": {"a": [1]}}),
            json!(7),
        ] {
            assert_eq!(read(future.clone()), Some(TxError::Unknown(future.to_string())));
        }
    }

    #[test]
    fn a_status_is_read_from_its_name_and_without_one_from_its_count() {
        let read = |value: Value| {
            let status: StatusAnswer = serde_json::from_value(value).unwrap();
            let [confirmed, finalized] =
                [CommitmentConfig::confirmed(), CommitmentConfig::finalized()];
            (status.satisfies(confirmed), status.satisfies(finalized))
        };
        let named =
            |name: &str| read(json!({"slot": 1, "confirmations": 1, "confirmationStatus": name}));
        assert_eq!(named("processed"), (false, false));
        assert_eq!(named("confirmed"), (true, false));
        assert_eq!(named("finalized"), (true, true));
        assert_eq!(named("future"), (false, false));
        assert_eq!(read(json!({"slot": 1, "confirmations": 0})), (false, false));
        assert_eq!(read(json!({"slot": 1, "confirmations": 9})), (true, false));
        assert_eq!(read(json!({"slot": 1, "confirmations": null})), (true, true));
        let old =
            json!({"slot": 1, "err": "Future", "status": {"Err": "Future"}, "confirmations": 2});
        assert_eq!(read(old), (true, false));
    }
}
