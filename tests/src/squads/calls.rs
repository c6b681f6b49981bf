//! Instructions of the Squads program. The acting member pays, and every memo is empty.
use sha2::{Digest, Sha256};
use solana_instruction::{AccountMeta, Instruction};
use solana_pubkey::Pubkey;

use super::{
    ConfigAction, ID, TREASURY, TransactionMessage, multisig, program_config, proposal,
    transaction, vault,
};

/// An absent optional value.
const NONE: u8 = 0;
/// A present one.
const SOME: u8 = 1;
/// The vault that these calls are about: multisigs here use one.
const VAULT: u8 = 0;

/// Members with their permissions.
pub type Members = Vec<(Pubkey, u8)>;

/// The settings of a new multisig.
#[derive(Clone, Debug)]
pub struct MultisigArgs {
    /// Who can change the multisig alone. `None` leaves that to the multisig.
    pub config_authority: Option<Pubkey>,
    /// The threshold.
    pub threshold: u16,
    /// The members.
    pub members: Members,
    /// The time lock: seconds from the approval that reaches the threshold to the earliest
    /// execution.
    pub time_lock: u32,
    /// Gets the rent of closed accounts.
    pub rent_collector: Option<Pubkey>,
}

/// Creates the multisig of `create_key`; it and `creator`, who pays, sign.
pub fn multisig_create_v2(
    create_key: &Pubkey,
    creator: &Pubkey,
    args: &MultisigArgs,
) -> Instruction {
    let accounts = vec![
        AccountMeta::new_readonly(program_config(), false),
        AccountMeta::new(TREASURY, false),
        AccountMeta::new(multisig(create_key), false),
        AccountMeta::new_readonly(*create_key, true),
        AccountMeta::new(*creator, true),
        system_program(),
    ];
    let mut data = optional(args.config_authority);
    data.extend(args.threshold.to_le_bytes());
    data.extend(count(args.members.len()));
    for (key, permissions) in &args.members {
        data.extend(key.as_ref());
        data.push(*permissions);
    }
    data.extend(args.time_lock.to_le_bytes());
    data.extend(optional(args.rent_collector));
    data.push(NONE);
    call("multisig_create_v2", accounts, &data)
}

/// Stores `message` as transaction `index` of `multisig`, which must be its next; `creator` signs.
pub fn vault_transaction_create(
    multisig: &Pubkey,
    index: u64,
    creator: &Pubkey,
    message: &TransactionMessage,
) -> Instruction {
    const EPHEMERAL_SIGNERS: u8 = 0;
    let message = message.encode();
    let data = [&[VAULT, EPHEMERAL_SIGNERS], &count(message.len())[..], &message, &[NONE]].concat();
    call("vault_transaction_create", create_accounts(multisig, index, creator), &data)
}

/// Opens the vote on transaction `index`; `creator` signs.
pub fn proposal_create(multisig: &Pubkey, index: u64, creator: &Pubkey) -> Instruction {
    const DRAFT: u8 = 0;
    let accounts = vec![
        AccountMeta::new_readonly(*multisig, false),
        AccountMeta::new(proposal(multisig, index), false),
        AccountMeta::new_readonly(*creator, true),
        AccountMeta::new(*creator, true),
        system_program(),
    ];
    let data = [&index.to_le_bytes()[..], &[DRAFT]].concat();
    call("proposal_create", accounts, &data)
}

/// The approval of `member`, who signs.
pub fn proposal_approve(multisig: &Pubkey, index: u64, member: &Pubkey) -> Instruction {
    let accounts = vec![
        AccountMeta::new_readonly(*multisig, false),
        AccountMeta::new(*member, true),
        AccountMeta::new(proposal(multisig, index), false),
    ];
    call("proposal_approve", accounts, &[NONE])
}

/// Executes transaction `index`, which holds `message`; `member` signs, and everyone but the vault
/// whose signature the message asks for.
pub fn vault_transaction_execute(
    multisig: &Pubkey,
    index: u64,
    member: &Pubkey,
    message: &TransactionMessage,
) -> Instruction {
    let mut accounts = vec![
        AccountMeta::new_readonly(*multisig, false),
        AccountMeta::new(proposal(multisig, index), false),
        AccountMeta::new_readonly(transaction(multisig, index), false),
        AccountMeta::new_readonly(*member, true),
    ];
    accounts.extend(message.accounts(&vault(multisig, VAULT)));
    call("vault_transaction_execute", accounts, &[])
}

/// Stores `actions` as transaction `index` of `multisig`, which must be its next; `creator` signs.
pub fn config_transaction_create(
    multisig: &Pubkey,
    index: u64,
    creator: &Pubkey,
    actions: &[ConfigAction],
) -> Instruction {
    let mut data = count(actions.len()).to_vec();
    actions.iter().for_each(|action| data.extend(action.encode()));
    data.push(NONE);
    call("config_transaction_create", create_accounts(multisig, index, creator), &data)
}

/// Executes the changes of transaction `index`; `member` signs.
pub fn config_transaction_execute(multisig: &Pubkey, index: u64, member: &Pubkey) -> Instruction {
    let accounts = vec![
        AccountMeta::new(*multisig, false),
        AccountMeta::new_readonly(*member, true),
        AccountMeta::new(proposal(multisig, index), false),
        AccountMeta::new_readonly(transaction(multisig, index), false),
        AccountMeta::new(*member, true),
        system_program(),
    ];
    call("config_transaction_execute", accounts, &[])
}

fn create_accounts(multisig: &Pubkey, index: u64, creator: &Pubkey) -> Vec<AccountMeta> {
    vec![
        AccountMeta::new(*multisig, false),
        AccountMeta::new(transaction(multisig, index), false),
        AccountMeta::new_readonly(*creator, true),
        AccountMeta::new(*creator, true),
        system_program(),
    ]
}

fn system_program() -> AccountMeta {
    AccountMeta::new_readonly(solana_system_interface::program::ID, false)
}

fn call(name: &str, accounts: Vec<AccountMeta>, arguments: &[u8]) -> Instruction {
    let hash = Sha256::digest(format!("global:{name}"));
    Instruction { program_id: ID, accounts, data: [&hash[..8], arguments].concat() }
}

fn optional(key: Option<Pubkey>) -> Vec<u8> {
    key.map_or(vec![NONE], |key| [&[SOME], key.as_ref()].concat())
}

fn count(n: usize) -> [u8; 4] {
    u32::try_from(n).expect("a short list").to_le_bytes()
}

#[cfg(test)]
mod tests {
    use solana_loader_v3_interface::instruction::upgrade;

    use super::*;
    use crate::squads::ALL;

    const MULTISIG: &str = "EL91oYPRjUKLnFif8X7mizqHbEMZjwV1CWm9z6aaj1pT";
    const TRANSACTION: &str = "2dDHpwsCMvpqABozc5iSWD1W3yAewJDHpxZ1qHa3jLgS";
    const PROPOSAL: &str = "8k5BdWctgafg2BndMMfzz5PT6HsnXs1Svc7J2rhgSRdT";
    const MEMBER: &str = "GgBaCs3NCBuZN12kCJgAW63ydqohFkHEdfdEXBPzLHq";
    const SYSTEM: &str = "11111111111111111111111111111111";

    fn bytes(n: u8) -> Pubkey {
        Pubkey::new_from_array([n; 32])
    }

    fn address() -> Pubkey {
        multisig(&bytes(7))
    }

    /// `accounts`: address, whether writable, whether a signer; as the official client lists them.
    #[track_caller]
    fn check(instruction: &Instruction, accounts: &[(&str, &str)], data: &str) {
        let found: Vec<(String, String)> = instruction
            .accounts
            .iter()
            .map(|meta| {
                let writable = if meta.is_writable { "w" } else { "r" };
                let signer = if meta.is_signer { "s" } else { "-" };
                (meta.pubkey.to_string(), format!("{writable}{signer}"))
            })
            .collect();
        let expected: Vec<(String, String)> =
            accounts.iter().map(|(key, flags)| ((*key).to_owned(), (*flags).to_owned())).collect();
        assert_eq!(found, expected);
        assert_eq!(hex::encode(&instruction.data), data);
        assert_eq!(instruction.program_id, ID);
    }

    const CREATE: [(&str, &str); 5] =
        [(MULTISIG, "w-"), (TRANSACTION, "w-"), (MEMBER, "rs"), (MEMBER, "ws"), (SYSTEM, "r-")];

    #[test]
    fn a_new_multisig_is_the_official_clients() {
        let args = MultisigArgs {
            config_authority: None,
            threshold: 3,
            members: (10..15).map(|n| (bytes(n), ALL)).collect(),
            time_lock: 172_800,
            rent_collector: None,
        };
        let members: String = (10..15).map(|n| format!("{}07", hex::encode([n; 32]))).collect();
        check(
            &multisig_create_v2(&bytes(7), &bytes(4), &args),
            &[
                ("BSTq9w3kZwNwpBXJEvTZz2G9ZTNyKBvoSeXMvwb4cNZr", "r-"),
                ("5DH2e3cJmFpyi6mk65EGFediunm4ui6BiKNUNrhWtD1b", "w-"),
                (MULTISIG, "w-"),
                ("US517G5965aydkZ46HS38QLi7UQiSojurfbQfKCELFx", "rs"),
                (MEMBER, "ws"),
                (SYSTEM, "r-"),
            ],
            &format!("32ddc75d28f58be900030005000000{members}00a302000000"),
        );
    }

    #[test]
    fn a_stored_transaction_is_the_official_clients() {
        let vault = vault(&address(), VAULT);
        let call = upgrade(&bytes(1), &bytes(2), &vault, &bytes(3));
        let message = TransactionMessage::new(&vault, &[call]);
        check(
            &vault_transaction_create(&address(), 1, &bytes(4), &message),
            &CREATE,
            // The tests of `message` check the message itself.
            &format!("30fa4ea8d0e2dad3000015010000{}00", hex::encode(message.encode())),
        );
    }

    #[test]
    fn a_proposal_and_its_approval_are_the_official_clients() {
        check(
            &proposal_create(&address(), 1, &bytes(4)),
            &[(MULTISIG, "r-"), (PROPOSAL, "w-"), (MEMBER, "rs"), (MEMBER, "ws"), (SYSTEM, "r-")],
            "dc3c49e01e6c4f9f010000000000000000",
        );
        check(
            &proposal_approve(&address(), 1, &bytes(4)),
            &[(MULTISIG, "r-"), (MEMBER, "ws"), (PROPOSAL, "w-")],
            "9025a488bcd82af800",
        );
    }

    #[test]
    fn a_change_of_the_multisig_is_the_official_clients() {
        check(
            &config_transaction_create(
                &address(),
                1,
                &bytes(4),
                &[ConfigAction::SetTimeLock(172_800)],
            ),
            &CREATE,
            "9bec57e4894b5127010000000300a3020000",
        );
        check(
            &config_transaction_execute(&address(), 1, &bytes(4)),
            &[
                (MULTISIG, "w-"),
                (MEMBER, "rs"),
                (PROPOSAL, "w-"),
                (TRANSACTION, "r-"),
                (MEMBER, "ws"),
                (SYSTEM, "r-"),
            ],
            "7292f4bdfc8c2428",
        );
    }
}
