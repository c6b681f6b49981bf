//! Squads v4 as a client sees it, written from its documented layouts: addresses, instructions, the
//! message of a vault transaction, and a multisig that passes transactions. The program itself is the
//! published one, built for tests only. For tests and benches; the product reads Squads on its own.
mod actions;
mod calls;
pub mod governed;
mod message;
mod multisig;

use anchor_lang::solana_program::bpf_loader_upgradeable::ID as LOADER;
use solana_account::Account;
use solana_loader_v3_interface::get_program_data_address;
use solana_pubkey::Pubkey;

pub use actions::ConfigAction;
pub use calls::{
    Members, MultisigArgs, config_transaction_create, config_transaction_execute,
    multisig_create_v2, proposal_approve, proposal_create, vault_transaction_create,
    vault_transaction_execute,
};
pub use message::TransactionMessage;
pub use multisig::{Pending, SquadsMultisig, Units};

use crate::{chain::Chain, elf};

/// The program, on every cluster.
pub const ID: Pubkey = Pubkey::from_str_const("SQDS4ep65T869zMMBKyuUq6aD6EgTu8psMjkvj52pCf");
/// Who gets the fee of a new multisig on mainnet; the fee is 0 there and here.
pub const TREASURY: Pubkey = Pubkey::from_str_const("5DH2e3cJmFpyi6mk65EGFediunm4ui6BiKNUNrhWtD1b");
/// Permissions of a member: to create transactions, to vote, to execute.
pub const INITIATE: u8 = 1;
/// See [`INITIATE`].
pub const VOTE: u8 = 2;
/// See [`INITIATE`].
pub const EXECUTE: u8 = 4;
/// All three.
pub const ALL: u8 = INITIATE | VOTE | EXECUTE;

/// First bytes of the account with the program's settings.
const PROGRAM_CONFIG: [u8; 8] = [0xc4, 0xd2, 0x5a, 0xe7, 0x90, 0x95, 0x8c, 0x3f];
/// First bytes of a program account of the upgradeable loader, and of its data account.
const PROGRAM_TAG: u32 = 2;
const PROGRAM_DATA_TAG: u32 = 3;

fn derive(seeds: &[&[u8]]) -> Pubkey {
    let all: Vec<&[u8]> = [&[&b"multisig"[..]], seeds].concat();
    Pubkey::find_program_address(&all, &ID).0
}

/// The account with the program's settings.
pub fn program_config() -> Pubkey {
    derive(&[b"program_config"])
}

/// The multisig made with `create_key`.
pub fn multisig(create_key: &Pubkey) -> Pubkey {
    derive(&[b"multisig", create_key.as_ref()])
}

/// Vault `index` of `multisig`.
pub fn vault(multisig: &Pubkey, index: u8) -> Pubkey {
    derive(&[multisig.as_ref(), b"vault", &[index]])
}

/// Transaction `index` of `multisig`, of whatever kind.
pub fn transaction(multisig: &Pubkey, index: u64) -> Pubkey {
    derive(&[multisig.as_ref(), b"transaction", &index.to_le_bytes()])
}

/// The proposal of transaction `index`.
pub fn proposal(multisig: &Pubkey, index: u64) -> Pubkey {
    derive(&[multisig.as_ref(), b"transaction", &index.to_le_bytes(), b"proposal"])
}

/// Puts the program and its settings on the chain, by force: the settings can only be made with a key
/// of Squads' own, and for the program's address there is no key here.
pub fn install(chain: &mut Chain) {
    if chain.account(&ID).is_some() {
        return;
    }
    let data_address = get_program_data_address(&ID);
    // Deployed in slot 0, no upgrade authority.
    let header = [&PROGRAM_DATA_TAG.to_le_bytes()[..], &[0; 41]].concat();
    place(chain, &data_address, LOADER, [&header, elf::squads()].concat(), false);
    let program = [&PROGRAM_TAG.to_le_bytes()[..], data_address.as_ref()].concat();
    place(chain, &ID, LOADER, program, true);
    let settings = program_config_data(&Pubkey::default());
    place(chain, &program_config(), ID, settings, false);
    chain.next_slot();
}

fn place(chain: &mut Chain, at: &Pubkey, owner: Pubkey, data: Vec<u8>, executable: bool) {
    let lamports = chain.rent(data.len());
    chain.plant(at, Account { lamports, data, owner, executable, rent_epoch: u64::MAX });
}

/// The program's settings as on mainnet, under `authority`: no fee.
fn program_config_data(authority: &Pubkey) -> Vec<u8> {
    const FEE: u64 = 0;
    let reserved = [0; 64];
    let parts =
        [&PROGRAM_CONFIG[..], authority.as_ref(), &FEE.to_le_bytes(), TREASURY.as_ref(), &reserved];
    parts.concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the official TypeScript client derives for the create key of 32 sevens.
    #[test]
    fn addresses_are_those_of_the_official_client() {
        let multisig = multisig(&Pubkey::new_from_array([7; 32]));
        let derived = [
            program_config(),
            multisig,
            vault(&multisig, 0),
            transaction(&multisig, 1),
            proposal(&multisig, 1),
            get_program_data_address(&ID),
        ];
        assert_eq!(
            derived.map(|key| key.to_string()),
            [
                "BSTq9w3kZwNwpBXJEvTZz2G9ZTNyKBvoSeXMvwb4cNZr",
                "EL91oYPRjUKLnFif8X7mizqHbEMZjwV1CWm9z6aaj1pT",
                "7W2knopF17mjUkwXLHbeh9CTZnEAayggHcohdRgKHAAP",
                "2dDHpwsCMvpqABozc5iSWD1W3yAewJDHpxZ1qHa3jLgS",
                "8k5BdWctgafg2BndMMfzz5PT6HsnXs1Svc7J2rhgSRdT",
                "Fy3YMJCvwbAXUgUM5b91ucUVA3jYzwWLHL3MwBqKsh8n",
            ]
        );
    }
}
