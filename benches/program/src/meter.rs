//! One transaction, sent and measured as a client sends it: behind a compute limit, paid by its first
//! signer, as a legacy message.
use backend::chain::{MAX_UNITS, with_budget};
use e2e::{
    chain::{Chain, Refused},
    keys::key,
};
use litesvm::types::TransactionMetadata;
use serde::Serialize;
use sha2::{Digest, Sha256};
use solana_instruction::Instruction;
use solana_keypair::Keypair;
use solana_message::{AddressLookupTableAccount, Message, VersionedMessage, v0};
use solana_pubkey::Pubkey;
use solana_signer::Signer;

/// The manager's table of instructions, to name them by their discriminators.
const SOURCE: &str = include_str!("../../../programs/upgrade-manager/src/lib.rs");
/// Units that the compute-budget instruction itself costs.
pub const BUDGET_UNITS: u64 = 150;

/// The figures of one transaction.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Figure {
    /// Name of the measured instruction.
    pub instruction: String,
    /// What differs from other cases of this instruction.
    pub case: String,
    /// Compute units of the whole transaction.
    pub units: u64,
    /// Of these, units of the CPIs to the target program.
    pub target_units: u64,
    /// Bytes of the signed transaction.
    pub bytes: usize,
    /// Accounts it names, each once, with programs and payer.
    pub accounts: usize,
    pub signatures: usize,
    /// Number of CPIs.
    pub calls: usize,
}

impl Figure {
    /// Units without the target's and without the compute-budget instruction's.
    #[must_use]
    pub fn own_units(&self) -> u64 {
        self.units.saturating_sub(self.target_units).saturating_sub(BUDGET_UNITS)
    }
}

/// The figures so far.
#[derive(Debug, Default)]
pub struct Meter {
    /// In the order in which they were taken.
    pub figures: Vec<Figure>,
}

impl Meter {
    /// Sends an instruction of the manager, which must succeed, and records its figures.
    #[track_caller]
    pub fn run(&mut self, chain: &mut Chain, case: &str, ix: Instruction, signers: &[&str]) {
        let name =
            name(&ix.data).unwrap_or_else(|| panic!("an instruction of the manager: {ix:?}"));
        self.named(chain, (&name, case), ix, signers);
    }

    /// The same for an instruction of any program, recorded under `name`.
    #[track_caller]
    pub fn named(
        &mut self,
        chain: &mut Chain,
        (name, case): (&str, &str),
        ix: Instruction,
        signers: &[&str],
    ) {
        let figure = send(chain, &ix, signers, None)
            .unwrap_or_else(|r| panic!("{name} ({case}): {:?}\n{}", r.error, r.logs.join("\n")));
        self.figures.push(Figure { instruction: name.to_owned(), case: case.to_owned(), ..figure });
    }

    /// The figures of `instruction` whose case begins with `case`.
    pub fn of<'a>(&'a self, instruction: &str, case: &str) -> impl Iterator<Item = &'a Figure> {
        let wanted = move |f: &&Figure| f.instruction == instruction && f.case.starts_with(case);
        self.figures.iter().filter(wanted)
    }
}

/// Sends `ix`, with the lookup table `table` if there is one. Returns the figures without an
/// instruction name.
///
/// # Errors
/// The chain's error.
pub fn send(
    chain: &mut Chain,
    ix: &Instruction,
    signers: &[&str],
    table: Option<&AddressLookupTableAccount>,
) -> Result<Figure, Refused> {
    let keys: Vec<Keypair> = match signers {
        [] => vec![key("cranker")],
        names => names.iter().map(|name| key(name)).collect(),
    };
    chain.next_blockhash();
    let message = message(chain, ix, &keys[0].pubkey(), table);
    let (bytes, signatures) = (size(&message), message.header().num_required_signatures.into());
    let accounts = message.static_account_keys().len()
        + message.address_table_lookups().unwrap_or_default().iter().map(looked_up).sum::<usize>();
    let meta = chain.send_versioned(message, &keys.iter().collect::<Vec<_>>())?;
    Ok(Figure {
        instruction: String::new(),
        case: String::new(),
        units: meta.compute_units_consumed,
        target_units: spent_in(&meta, &demo_vault::ID),
        bytes,
        accounts,
        signatures,
        calls: meta.inner_instructions.iter().flatten().count(),
    })
}

/// Bytes of the signed transaction over the legacy message of `ix`, whether it fits or not.
pub fn legacy_size(chain: &Chain, ix: &Instruction, payer: &str) -> usize {
    size(&message(chain, ix, &key(payer).pubkey(), None))
}

fn message(
    chain: &Chain,
    ix: &Instruction,
    payer: &Pubkey,
    table: Option<&AddressLookupTableAccount>,
) -> VersionedMessage {
    let (all, hash) = (with_budget(std::slice::from_ref(ix), MAX_UNITS, 0), chain.blockhash());
    match table {
        None => VersionedMessage::Legacy(Message::new_with_blockhash(&all, Some(payer), &hash)),
        Some(table) => VersionedMessage::V0(
            v0::Message::try_compile(payer, &all, std::slice::from_ref(table), hash)
                .expect("a message"),
        ),
    }
}

fn looked_up(lookup: &v0::MessageAddressTableLookup) -> usize {
    lookup.writable_indexes.len() + lookup.readonly_indexes.len()
}

/// Bytes of the transaction over `message`: a count of one byte, 64 for every signature, the message.
fn size(message: &VersionedMessage) -> usize {
    1 + 64 * usize::from(message.header().num_required_signatures) + message.serialize().len()
}

/// Units of the CPIs to `program`, from the runtime's log.
fn spent_in(meta: &TransactionMetadata, program: &Pubkey) -> u64 {
    let line = format!("Program {program} consumed ");
    let taken = |log: &String| log.strip_prefix(&line)?.split(' ').next()?.parse::<u64>().ok();
    meta.logs.iter().filter_map(taken).sum()
}

/// Names of the manager's instructions.
pub fn names() -> impl Iterator<Item = &'static str> {
    let of = |line: &'static str| line.trim_start().strip_prefix("pub fn ")?.split('<').next();
    SOURCE.lines().filter_map(of)
}

/// The name of the manager's instruction that `data` begins.
fn name(data: &[u8]) -> Option<String> {
    let begins = |name: &&str| data.starts_with(&Sha256::digest(format!("global:{name}"))[..8]);
    names().find(begins).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use backend::{chain::transaction_size, instructions as ix};
    use e2e::keys::address;

    use super::*;

    #[test]
    fn instructions_are_named_by_their_discriminators() {
        let found: Vec<_> = names().collect();
        assert!(found.contains(&"create_multisig") && found.contains(&"reclaim_buffer"));
        let call = ix::pause(&address("guardian"), &address("multisig"));
        assert_eq!(name(&call.data).as_deref(), Some("pause"));
        assert_eq!(name(&[0; 8]), None);
    }

    #[test]
    fn the_size_is_the_one_that_the_product_reckons_with() {
        let chain = Chain::new();
        let call = ix::pause(&address("guardian"), &address("multisig"));
        let all = with_budget(std::slice::from_ref(&call), MAX_UNITS, 0);
        let wanted = transaction_size(&all, &address("payer"));
        assert_eq!(legacy_size(&chain, &call, "payer"), wanted);
    }
}
