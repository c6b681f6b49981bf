//! The message that a vault signs, in Squads' own encoding: lists have lengths of one byte,
//! instruction data of two. As in Solana's messages, an account's position says whether it signs
//! and is writable.
use solana_instruction::{AccountMeta, Instruction};
use solana_pubkey::Pubkey;

/// Instructions for a vault, with the accounts they name once each.
#[derive(Clone, Debug)]
pub struct TransactionMessage {
    /// In the order of the message: writable signers, signers, writable accounts, others.
    accounts: Vec<AccountMeta>,
    instructions: Vec<Instruction>,
}

impl TransactionMessage {
    /// The message of `instructions`, which `vault` pays for and signs.
    pub fn new(vault: &Pubkey, instructions: &[Instruction]) -> Self {
        let mut accounts = vec![AccountMeta::new(*vault, true)];
        for instruction in instructions {
            add(&mut accounts, &AccountMeta::new_readonly(instruction.program_id, false));
            instruction.accounts.iter().for_each(|meta| add(&mut accounts, meta));
        }
        // A stable sort: accounts of one kind keep the order of their first use.
        accounts.sort_by_key(|meta| (!meta.is_signer, !meta.is_writable));
        Self { accounts, instructions: instructions.to_vec() }
    }

    /// The bytes that `vault_transaction_create` takes.
    pub fn encode(&self) -> Vec<u8> {
        let count = |signer: Option<bool>, writable: Option<bool>| {
            let counts = |meta: &&AccountMeta| {
                signer.is_none_or(|s| s == meta.is_signer)
                    && writable.is_none_or(|w| w == meta.is_writable)
            };
            short(self.accounts.iter().filter(counts).count())
        };
        let mut out = vec![
            count(Some(true), None),
            count(Some(true), Some(true)),
            count(Some(false), Some(true)),
            short(self.accounts.len()),
        ];
        self.accounts.iter().for_each(|meta| out.extend(meta.pubkey.as_ref()));
        out.push(short(self.instructions.len()));
        for instruction in &self.instructions {
            out.push(self.index(&instruction.program_id));
            out.push(short(instruction.accounts.len()));
            out.extend(instruction.accounts.iter().map(|meta| self.index(&meta.pubkey)));
            let len = u16::try_from(instruction.data.len()).expect("data of at most 64 KiB");
            out.extend(len.to_le_bytes());
            out.extend(&instruction.data);
        }
        const LOOKUP_TABLES: u8 = 0;
        out.push(LOOKUP_TABLES);
        out
    }

    /// The accounts that execution takes after its own. The vault signs inside the program, so it is
    /// no signer of the transaction.
    pub fn accounts(&self, vault: &Pubkey) -> Vec<AccountMeta> {
        let outside = |meta: &AccountMeta| AccountMeta {
            is_signer: meta.is_signer && meta.pubkey != *vault,
            ..meta.clone()
        };
        self.accounts.iter().map(outside).collect()
    }

    fn index(&self, key: &Pubkey) -> u8 {
        let at = self.accounts.iter().position(|meta| meta.pubkey == *key);
        short(at.expect("every account was added"))
    }
}

/// Adds an account. An account that is already listed keeps its position and gets the wider rights.
fn add(accounts: &mut Vec<AccountMeta>, meta: &AccountMeta) {
    match accounts.iter_mut().find(|known| known.pubkey == meta.pubkey) {
        Some(known) => {
            known.is_signer |= meta.is_signer;
            known.is_writable |= meta.is_writable;
        }
        None => accounts.push(meta.clone()),
    }
}

fn short(n: usize) -> u8 {
    u8::try_from(n).expect("a list of at most 255")
}

#[cfg(test)]
mod tests {
    use solana_loader_v3_interface::instruction::upgrade;
    use solana_system_interface::instruction::transfer;

    use super::*;

    fn bytes(n: u8) -> Pubkey {
        Pubkey::new_from_array([n; 32])
    }

    #[test]
    fn a_loader_upgrade_has_the_bytes_of_the_official_client() {
        let vault = crate::squads::vault(&crate::squads::multisig(&bytes(7)), 0);
        let call = upgrade(&bytes(1), &bytes(2), &vault, &bytes(3));
        let message = TransactionMessage::new(&vault, &[call]).encode();
        let golden = [
            "01010408",
            "6095f30bff02d3329d9690489734c711bd51ccfeb47e83a860ee37c8b18c5164",
            "17d6300b8533ab530e11fa088817faa8d7d90e2cca9b8b615710a222de76e8b1",
            "0101010101010101010101010101010101010101010101010101010101010101",
            "0202020202020202020202020202020202020202020202020202020202020202",
            "0303030303030303030303030303030303030303030303030303030303030303",
            "02a8f6914e88a1b0e210153ef763ae2b00c2b93d16c124d2c0537a1004800000",
            "06a7d517192c5c51218cc94c3d4af17f58daee089ba1fd44e3dbd98a00000000",
            "06a7d51718c774c928566398691d5eb68b5eb8a39b4b6d5c73555b2100000000",
            "0105070102030406070004000300000000",
        ];
        assert_eq!(hex::encode(message), golden.concat());
    }

    #[test]
    fn the_vault_signs_nothing_outside_and_other_signers_do() {
        let (vault, other) = (bytes(1), bytes(2));
        let both = [transfer(&vault, &other, 1), transfer(&other, &vault, 1)];
        let message = TransactionMessage::new(&vault, &both);
        assert_eq!(message.encode()[..4], [2, 2, 0, 3]);
        let outside = message.accounts(&vault);
        let expected = [
            AccountMeta::new(vault, false),
            AccountMeta::new(other, true),
            AccountMeta::new_readonly(solana_system_interface::program::ID, false),
        ];
        assert_eq!(outside, expected);
    }
}
