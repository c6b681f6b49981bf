//! Calls the target program to migrate or restore one account. A hostile target must not profit
//! from these calls: this module builds the account metas itself, the upgrade authority is never
//! among them, and after each call it reads again everything that the target could have changed.
use anchor_lang::prelude::*;
use anchor_lang::solana_program::instruction::Instruction;
use anchor_lang::solana_program::program::{invoke, invoke_signed};
use anchor_lang::solana_program::system_program;
use migration_interface::{Header, MIGRATE, MIGRATE_DOWN, RESTORE};
use solana_sha256_hasher::hash;

use crate::error::{ManagerError, OrErr as _};
use crate::external::system;
use crate::runtime::require::require;
use crate::seeds;
use crate::state::{AccountVersion, Migration, Terms, TypeRule, rule_for};

/// A target program and what calling it needs.
pub(crate) struct Target<'a, 'info> {
    /// The terms that the members approved.
    pub terms: &'a Terms,
    /// The migrator address, which signs.
    pub migrator: &'a AccountInfo<'info>,
    /// Bump of the migrator address.
    pub migrator_bump: u8,
    /// The target.
    pub program: &'a AccountInfo<'info>,
    /// The system program.
    pub system_program: &'a AccountInfo<'info>,
    /// The cluster's rent.
    pub rent: &'a Rent,
}

/// An account of the target at one moment.
struct AccountSnapshot {
    hash: [u8; 32],
    len: usize,
    lamports: u64,
}

/// How an account is restored.
pub(crate) enum RestoreMethod<'a> {
    /// The target writes these exact old bytes.
    Bytes(&'a [u8]),
    /// The target computes the old layout from the new one.
    Down,
}

/// What a restore changed.
pub(crate) struct RestoreOutcome {
    /// sha256 before.
    pub before: [u8; 32],
    /// sha256 after.
    pub after: [u8; 32],
    /// Lamports that went back to the payer of the growth.
    pub freed: u64,
}

/// An account that may be migrated, as it is before its migration.
pub(crate) struct BeforeMigration {
    rule: TypeRule,
    version: u16,
    snapshot: AccountSnapshot,
}

impl BeforeMigration {
    /// sha256 of the account's bytes.
    pub(crate) fn hash(&self) -> [u8; 32] {
        self.snapshot.hash
    }
}

impl<'info> Target<'_, 'info> {
    /// Reads `account` before its migration. It must be of the type of `rule`, at a version that
    /// the terms migrate from.
    pub(crate) fn inspect(
        &self,
        account: &AccountInfo<'info>,
        rule: TypeRule,
    ) -> Result<BeforeMigration> {
        let versions = self.terms.migrates_from();
        let version = rule.eligible(&account.try_borrow_data()?, &versions);
        let version = version.or_err(ManagerError::NotEligible)?;
        Ok(BeforeMigration { rule, version, snapshot: AccountSnapshot::of(account)? })
    }

    /// Migrates `account`, which [`Self::inspect`] read as `old`. `payer` pays for its growth and
    /// for nothing else.
    pub(crate) fn migrate(
        &self,
        old: BeforeMigration,
        account: &AccountInfo<'info>,
        payer: &AccountInfo<'info>,
    ) -> Result<Migration> {
        require!(*account.key != *payer.key, ManagerError::WrongAccount);
        let (BeforeMigration { rule, version, snapshot: before }, to) =
            (old, self.terms.to_version);
        let payer_before = payer.lamports();

        let header = Header { from: version, to, expected_sha256: before.hash };
        self.call(header.encode(MIGRATE).to_vec(), account, payer, true)?;

        let after = self.inspect_after_call(account)?;
        require!(rule.is_migrated(&account.try_borrow_data()?, to), ManagerError::TargetBroke);
        let spent = payer_before.saturating_sub(payer.lamports());
        // Lamports beyond the old rent may belong to a user, so they must not pay for the growth.
        let rented = self.rent.minimum_balance(before.len).min(before.lamports);
        let growth = self.rent.minimum_balance(after.len).saturating_sub(rented);
        require!(spent <= growth, ManagerError::LamportsMoved);
        require!(after.lamports >= before.lamports, ManagerError::LamportsMoved);
        // The payer's signature reaches the target, which could assign the payer's account to
        // itself and empty it later.
        let payer_is_wallet = *payer.owner == system_program::ID && payer.data_is_empty();
        require!(payer_is_wallet, ManagerError::LamportsMoved);
        let len = |bytes| u32::try_from(bytes).or_err(ManagerError::Overflow);
        Ok(Migration {
            from: version,
            to,
            old_hash: before.hash,
            new_hash: after.hash,
            old_len: len(before.len)?,
            new_len: len(after.len)?,
            rent_paid: spent,
        })
    }

    /// Restores the account of `record` to its old layout. The rent that it no longer needs goes to
    /// `refund`.
    pub(crate) fn restore(
        &self,
        record: &AccountVersion,
        method: &RestoreMethod<'_>,
        account: &AccountInfo<'info>,
        refund: &AccountInfo<'info>,
        payer: &AccountInfo<'info>,
    ) -> Result<RestoreOutcome> {
        require!(*account.key != *refund.key, ManagerError::WrongAccount);
        let (from, to) = (self.terms.to_version, record.previous_version);
        let rule = self.rule(account)?;
        let held = rule.version(&account.try_borrow_data()?);
        require!(held == Some(from), ManagerError::NotEligible);
        self.top_up(record.old_len, account, payer)?;
        let before = AccountSnapshot::of(account)?;
        let (refund_before, untouched) = (refund.lamports(), before.hash == record.new_hash);

        let header = Header { from, to, expected_sha256: before.hash };
        let data = match method {
            RestoreMethod::Bytes(bytes) => {
                require!(untouched, ManagerError::Touched);
                require!(hash(bytes).to_bytes() == record.old_hash, ManagerError::WrongBytes);
                [&header.encode(RESTORE)[..], bytes].concat()
            }
            RestoreMethod::Down => header.encode(MIGRATE_DOWN).to_vec(),
        };
        self.call(data, account, refund, false)?;

        let after = self.inspect_after_call(account)?;
        require!(!untouched || after.hash == record.old_hash, ManagerError::NotExact);
        let at_old_version = rule.eligible(&account.try_borrow_data()?, &(to..=to)).is_some();
        require!(at_old_version, ManagerError::TargetBroke);
        let freed = before.lamports.checked_sub(after.lamports);
        let freed = freed.filter(|freed| *freed <= record.rent_paid);
        let freed = freed.or_err(ManagerError::LamportsMoved)?;
        let received = refund.lamports().checked_sub(refund_before);
        require!(received == Some(freed), ManagerError::LamportsMoved);
        Ok(RestoreOutcome { before: before.hash, after: after.hash, freed })
    }

    /// The rule for `account`, which the target must own.
    pub(crate) fn rule(&self, account: &AccountInfo) -> Result<TypeRule> {
        require!(*account.owner == self.terms.program, ManagerError::NotEligible);
        require!(!account.executable, ManagerError::NotEligible);
        require!(*account.key != *self.migrator.key, ManagerError::NotEligible);
        let data = account.try_borrow_data()?;
        Ok(*rule_for(&self.terms.type_rules, &data).or_err(ManagerError::NotEligible)?)
    }

    /// Reads `account` after a call: it must still be the target's, and exempt from rent.
    fn inspect_after_call(&self, account: &AccountInfo) -> Result<AccountSnapshot> {
        let after = AccountSnapshot::of(account)?;
        let still_owned = *account.owner == self.terms.program && !account.executable;
        require!(still_owned, ManagerError::TargetBroke);
        let rent_exempt = after.lamports >= self.rent.minimum_balance(after.len);
        require!(rent_exempt, ManagerError::TargetBroke);
        Ok(after)
    }

    /// Transfers from `payer` what `account` lacks to be rent-exempt at its old length.
    fn top_up(
        &self,
        old_len: u32,
        account: &AccountInfo<'info>,
        payer: &AccountInfo<'info>,
    ) -> Result<()> {
        let len = usize::try_from(old_len).or_err(ManagerError::Overflow)?;
        let missing = self.rent.minimum_balance(len).saturating_sub(account.lamports());
        if missing == 0 {
            return Ok(());
        }
        let transfer = system::transfer(payer.key, account.key, missing);
        Ok(invoke(&transfer, &[payer.clone(), account.clone(), self.system_program.clone()])?)
    }

    fn call(
        &self,
        data: Vec<u8>,
        account: &AccountInfo<'info>,
        rent: &AccountInfo<'info>,
        rent_signs: bool,
    ) -> Result<()> {
        let accounts = vec![
            AccountMeta::new_readonly(*self.migrator.key, true),
            AccountMeta::new(*account.key, false),
            AccountMeta::new(*rent.key, rent_signs),
            AccountMeta::new_readonly(*self.system_program.key, false),
        ];
        let instruction = Instruction { program_id: self.terms.program, accounts, data };
        let infos = [
            self.migrator.clone(),
            account.clone(),
            rent.clone(),
            self.system_program.clone(),
            self.program.clone(),
        ];
        let signer: &[&[u8]] =
            &[seeds::MIGRATOR, self.terms.program.as_ref(), &[self.migrator_bump]];
        Ok(invoke_signed(&instruction, &infos, &[signer])?)
    }
}

impl AccountSnapshot {
    fn of(account: &AccountInfo) -> Result<Self> {
        let data = account.try_borrow_data()?;
        let hash = hash(&data).to_bytes();
        Ok(Self { hash, len: data.len(), lamports: account.lamports() })
    }
}

/// The version of `account`, when its type is pinned and `terms` migrate from that version.
pub(crate) fn old_version(account: &AccountInfo, terms: &Terms) -> Result<Option<u16>> {
    if *account.owner != terms.program {
        return Ok(None);
    }
    let data = account.try_borrow_data()?;
    let version = rule_for(&terms.type_rules, &data).and_then(|rule| rule.version(&data));
    Ok(version.filter(|version| terms.migrates_from().contains(version)))
}

/// Whether `account` is closed.
pub(crate) fn is_closed(account: &AccountInfo) -> bool {
    *account.owner == system_program::ID && account.data_is_empty()
}
