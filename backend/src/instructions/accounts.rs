//! Instructions that migrate a program's accounts and restore them. Lists must be in strictly ascending
//! order of the account: callers sort, and the program refuses an unsorted list.
use solana_instruction::{AccountMeta, Instruction};
use solana_pubkey::Pubkey;
use solana_sdk_ids::system_program;
use upgrade_manager::{
    accounts, instruction,
    instructions::RestoreItem,
    seeds,
    state::{Terms, TypeRule, rule_for},
};

use super::{ProposalKeys, build, manager};

/// One account to migrate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Migrate {
    /// The account.
    pub account: Pubkey,
    /// Whether its type is critical, so that its old bytes are kept on chain.
    pub critical: bool,
}

impl Migrate {
    /// `account`, which holds `data`, under the type rules of `terms`.
    #[must_use]
    pub fn of(account: Pubkey, data: &[u8], terms: &Terms) -> Self {
        let rule = rule_for(&terms.type_rules, data);
        Self { account, critical: rule.is_some_and(TypeRule::is_critical) }
    }

    /// An account of a type that is not critical.
    #[must_use]
    pub fn plain(account: Pubkey) -> Self {
        Self { account, critical: false }
    }
}

/// Migrates `targets`. `payer` signs and pays for rent; anyone may.
#[must_use]
pub fn migrate_accounts(payer: &Pubkey, terms: &Terms, targets: &[Migrate]) -> Instruction {
    let keys = ProposalKeys::of(terms);
    let accounts = accounts::MigrateAccounts {
        payer: *payer,
        multisig: keys.multisig,
        state: keys.state,
        proposal: keys.proposal,
        program_data: terms.program_data,
        migrator: seeds::migrator(&keys.program).0,
        target_program: keys.program,
        system_program: system_program::ID,
        event_authority: seeds::event_authority(),
        program: manager(),
    };
    let mut ix = build(accounts, instruction::MigrateAccounts {});
    for Migrate { account, critical } in targets {
        let record = seeds::account_version(&keys.program, account).0;
        ix.accounts.push(AccountMeta::new(*account, false));
        ix.accounts.push(AccountMeta::new(record, false));
        if *critical {
            let backup = seeds::backup(&keys.program, account).0;
            ix.accounts.push(AccountMeta::new(backup, false));
        }
    }
    ix
}

/// Verifies `targets` after their migration. Anyone pays.
#[must_use]
pub fn verify_accounts(keys: &ProposalKeys, targets: &[Pubkey]) -> Instruction {
    let accounts = accounts::VerifyAccounts {
        state: keys.state,
        proposal: keys.proposal,
        event_authority: seeds::event_authority(),
        program: manager(),
    };
    let mut ix = build(accounts, instruction::VerifyAccounts {});
    for target in targets {
        let record = seeds::account_version(&keys.program, target).0;
        ix.accounts.push(AccountMeta::new_readonly(*target, false));
        ix.accounts.push(AccountMeta::new(record, false));
    }
    ix
}

/// Accounts for `account`, leaf `index` of the manifest, which no longer exists. `payer` signs and
/// pays; anyone may.
#[must_use]
pub fn mark_closed(
    payer: &Pubkey,
    keys: &ProposalKeys,
    account: &Pubkey,
    index: u32,
    old_hash: [u8; 32],
    proof: Vec<[u8; 32]>,
) -> Instruction {
    let accounts = accounts::MarkClosed {
        payer: *payer,
        state: keys.state,
        proposal: keys.proposal,
        account: *account,
        record: seeds::account_version(&keys.program, account).0,
        system_program: system_program::ID,
        event_authority: seeds::event_authority(),
        program: manager(),
    };
    build(accounts, instruction::MarkClosed { index, old_hash, proof })
}

/// Quarantines `account`, which cannot migrate. `executor` and `payer` sign.
#[must_use]
pub fn quarantine(
    executor: &Pubkey,
    payer: &Pubkey,
    keys: &ProposalKeys,
    account: &Pubkey,
) -> Instruction {
    let accounts = accounts::Quarantine {
        executor: *executor,
        payer: *payer,
        multisig: keys.multisig,
        state: keys.state,
        proposal: keys.proposal,
        account: *account,
        record: seeds::account_version(&keys.program, account).0,
        system_program: system_program::ID,
        event_authority: seeds::event_authority(),
        program: manager(),
    };
    build(accounts, instruction::Quarantine {})
}

/// Ends the migration. `executor` signs.
#[must_use]
pub fn complete(executor: &Pubkey, keys: &ProposalKeys) -> Instruction {
    let accounts = accounts::Complete {
        executor: *executor,
        multisig: keys.multisig,
        state: keys.state,
        proposal: keys.proposal,
        event_authority: seeds::event_authority(),
        program: manager(),
    };
    build(accounts, instruction::Complete {})
}

/// One account to restore.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restore {
    /// The account.
    pub account: Pubkey,
    /// Who paid for its growth: `rent_payer` of its record.
    pub rent_refund: Pubkey,
    /// How the program restores it.
    pub item: RestoreItem,
}

/// Restores `targets`. `executor` and `payer` sign.
#[must_use]
pub fn restore_accounts(
    executor: &Pubkey,
    payer: &Pubkey,
    terms: &Terms,
    targets: &[Restore],
) -> Instruction {
    let keys = ProposalKeys::of(terms);
    let accounts = accounts::RestoreAccounts {
        executor: *executor,
        payer: *payer,
        multisig: keys.multisig,
        state: keys.state,
        proposal: keys.proposal,
        program_data: terms.program_data,
        migrator: seeds::migrator(&keys.program).0,
        target_program: keys.program,
        system_program: system_program::ID,
        event_authority: seeds::event_authority(),
        program: manager(),
    };
    let items = targets.iter().map(|t| t.item.clone()).collect();
    let mut ix = build(accounts, instruction::RestoreAccounts { items });
    for target in targets {
        let record = seeds::account_version(&keys.program, &target.account).0;
        ix.accounts.push(AccountMeta::new(target.account, false));
        ix.accounts.push(AccountMeta::new(record, false));
        ix.accounts.push(AccountMeta::new(target.rent_refund, false));
        if target.item == RestoreItem::Backup {
            let backup = seeds::backup(&keys.program, &target.account).0;
            ix.accounts.push(AccountMeta::new_readonly(backup, false));
        }
    }
    ix
}
