//! The demo vault's own rules, on its real ELFs: balances are conserved in both layouts, and only
//! the pinned manager changes a layout.
use demo_vault::{
    client::{close_ix, deposit_ix, open_ix, set_limit_ix, vault_address, withdraw_ix},
    error::VaultError,
    interface::MIGRATOR,
    v1, v2,
};
use e2e::{
    chain::Chain,
    elf,
    keys::{key, program_key},
    loader,
};
use migration_interface::{Header, MIGRATE, MIGRATE_DOWN, RESTORE};
use sha2::{Digest, Sha256};
use solana_instruction::{AccountMeta, Instruction};
use solana_pubkey::Pubkey;
use solana_signer::Signer;

const SOL: u64 = 1_000_000_000;
/// Anchor's own codes.
const CONSTRAINT_HAS_ONE: u32 = 2001;
const CONSTRAINT_SEEDS: u32 = 2006;
const SIGNER_MISSING: u32 = 3010;
const UNKNOWN_INSTRUCTION: u32 = 101;

fn chain(code: &[u8]) -> Chain {
    let mut chain = Chain::new();
    for name in ["dev", "owner", "thief"] {
        chain.fund(&key(name).pubkey(), 100 * SOL);
    }
    loader::deploy(&mut chain, &program_key("demo-vault"), &key("dev"), code, code.len() + 100_000);
    chain
}

/// Replaces the running code by a plain loader upgrade, as an authority without a manager would.
fn replace(chain: &mut Chain, elf: &[u8]) {
    let (dev, buffer) = (key("dev"), key("replacement"));
    loader::upload(chain, &buffer, &dev, elf);
    let upgrade = solana_loader_v3_interface::instruction::upgrade(
        &demo_vault::ID,
        &buffer.pubkey(),
        &dev.pubkey(),
        &dev.pubkey(),
    );
    chain.ok(&[upgrade], &[&dev]);
    chain.next_slot();
}

fn call(
    disc: [u8; 8],
    header: Header,
    tail: &[u8],
    migrator: Pubkey,
    vault: Pubkey,
) -> Instruction {
    let accounts = vec![
        AccountMeta::new_readonly(migrator, migrator != MIGRATOR),
        AccountMeta::new(vault, false),
        AccountMeta::new(key("thief").pubkey(), true),
        AccountMeta::new_readonly(Pubkey::default(), false),
    ];
    let data = [&header.encode(disc)[..], tail].concat();
    Instruction { program_id: demo_vault::ID, accounts, data }
}

#[test]
fn deposits_and_withdrawals_add_up_and_closing_returns_all() {
    for code in [elf::v1(), elf::v2()] {
        let mut chain = chain(code);
        let owner = key("owner");
        let who = owner.pubkey();
        let vault = vault_address(&who, 7);
        let before = chain.lamports(&who);
        chain.ok(&[open_ix(&who, 7)], &[&owner]);
        let rent = chain.lamports(&vault);
        chain.ok(&[deposit_ix(&who, 7, 5 * SOL), deposit_ix(&who, 7, SOL)], &[&owner]);
        chain.ok(&[withdraw_ix(&who, 7, 2 * SOL)], &[&owner]);
        assert_eq!(chain.lamports(&vault), rent + 4 * SOL);
        chain.refuse(VaultError::BalanceTooSmall, &[withdraw_ix(&who, 7, 4 * SOL + 1)], &[&owner]);
        chain.refuse(VaultError::ZeroAmount, &[withdraw_ix(&who, 7, 0)], &[&owner]);
        chain.refuse(VaultError::ZeroAmount, &[deposit_ix(&who, 7, 0)], &[&owner]);
        chain.ok(&[withdraw_ix(&who, 7, 4 * SOL)], &[&owner]);
        assert_eq!(chain.lamports(&vault), rent, "the rent stays");
        chain.ok(&[deposit_ix(&who, 7, SOL), close_ix(&who, 7)], &[&owner]);
        assert!(chain.account(&vault).is_none());
        assert_eq!(chain.lamports(&who), before);
    }
}

#[test]
fn nobody_but_the_owner_moves_a_vaults_lamports() {
    for code in [elf::v1(), elf::v2()] {
        let mut chain = chain(code);
        let (owner, thief) = (key("owner"), key("thief"));
        let vault = vault_address(&owner.pubkey(), 0);
        chain.ok(&[open_ix(&owner.pubkey(), 0), deposit_ix(&owner.pubkey(), 0, SOL)], &[&owner]);
        for mut theft in [withdraw_ix(&thief.pubkey(), 0, SOL), close_ix(&thief.pubkey(), 0)] {
            theft.accounts[1].pubkey = vault;
            let refused = chain.send(&[theft.clone()], &[&thief]).unwrap_err();
            assert!(
                [CONSTRAINT_HAS_ONE, CONSTRAINT_SEEDS].contains(&refused.code().unwrap()),
                "{refused:?}"
            );
            theft.accounts[0].pubkey = owner.pubkey();
            theft.accounts[0].is_signer = false;
            chain.refuse(SIGNER_MISSING, &[theft], &[]);
        }
        assert_eq!(chain.lamports(&vault), chain.rent(chain.data(&vault).len()) + SOL);
    }
}

#[test]
fn new_code_refuses_an_old_vault_by_name_and_old_code_a_new_one() {
    let mut chain = chain(elf::v1());
    let owner = key("owner");
    let who = owner.pubkey();
    chain.ok(&[open_ix(&who, 0), deposit_ix(&who, 0, SOL)], &[&owner]);
    replace(&mut chain, elf::v2());
    let before = chain.account(&vault_address(&who, 0));
    for ix in [
        deposit_ix(&who, 0, 1),
        withdraw_ix(&who, 0, 1),
        close_ix(&who, 0),
        set_limit_ix(&who, 0, 1),
    ] {
        chain.refuse(VaultError::NeedsMigration, &[ix], &[&owner]);
    }
    assert_eq!(chain.account(&vault_address(&who, 0)), before);

    chain.ok(&[open_ix(&who, 1)], &[&owner]);
    assert_eq!(chain.read::<v2::Vault>(&vault_address(&who, 1)).version, 2);
    chain.next_slot();
    replace(&mut chain, elf::v1());
    chain.refuse(VaultError::NewerLayout, &[deposit_ix(&who, 1, 1)], &[&owner]);
    chain.ok(&[deposit_ix(&who, 0, 1)], &[&owner]);
}

#[test]
fn the_limit_of_the_second_layout_binds_and_the_first_has_none() {
    let mut chain = chain(elf::v2());
    let owner = key("owner");
    let who = owner.pubkey();
    chain.ok(&[open_ix(&who, 0), deposit_ix(&who, 0, SOL), set_limit_ix(&who, 0, 10)], &[&owner]);
    chain.refuse(VaultError::AboveLimit, &[withdraw_ix(&who, 0, 11)], &[&owner]);
    chain.ok(&[withdraw_ix(&who, 0, 10)], &[&owner]);
    let vault: v2::Vault = chain.read(&vault_address(&who, 0));
    assert_eq!((vault.limit, vault.last_change), (10, chain.time()));

    let mut chain = self::chain(elf::v1());
    chain.ok(&[open_ix(&who, 0)], &[&owner]);
    chain.refuse(UNKNOWN_INSTRUCTION, &[set_limit_ix(&who, 0, 10)], &[&owner]);
}

#[test]
fn nobody_but_the_manager_migrates_or_restores() {
    let mut chain = chain(elf::v2());
    let (owner, thief) = (key("owner"), key("thief"));
    let vault = vault_address(&owner.pubkey(), 0);
    let old = demo_vault::layout::encode(&v1::Vault::new(1, owner.pubkey(), 0)).unwrap();
    chain.ok(&[open_ix(&owner.pubkey(), 0)], &[&owner]);
    for disc in [MIGRATE, RESTORE, MIGRATE_DOWN] {
        let (from, to) = if disc == MIGRATE { (1, 2) } else { (2, 1) };
        let expected_sha256 = Sha256::digest(chain.data(&vault)).into();
        let header = Header { from, to, expected_sha256 };
        let tail = if disc == RESTORE { &old[..] } else { &[] };
        let as_thief = call(disc, header, tail, thief.pubkey(), vault);
        chain.refuse(VaultError::NotTheMigrator, &[as_thief], &[&thief]);
        let unsigned = call(disc, header, tail, MIGRATOR, vault);
        chain.refuse(SIGNER_MISSING, &[unsigned], &[&thief]);
    }
}
