//! Calls into a migrating program. The metas are built here and never copied from a caller, the
//! authority address is never among them, and everything the target could have broken is read again
//! after the call.
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

/// A target program and what it takes to call it.
pub(crate) struct Target<'a, 'info> {
    /// What the members agreed to.
    pub terms: &'a Terms,
    /// The address that signs.
    pub migrator: &'a AccountInfo<'info>,
    /// Its bump.
    pub migrator_bump: u8,
    /// The target.
    pub program: &'a AccountInfo<'info>,
    /// The system program.
    pub system_program: &'a AccountInfo<'info>,
    /// The cluster's rent.
    pub rent: &'a Rent,
}

/// What an account of the target looked like.
struct AccountSnapshot {
    hash: [u8; 32],
    len: usize,
    lamports: u64,
}

/// How an account comes back, and the bytes it then gets.
pub(crate) enum RestoreMethod<'a> {
    /// The account's exact old bytes.
    Bytes(&'a [u8]),
    /// The target computes the old layout from the new one.
    Down,
}

/// What came of a restore.
pub(crate) struct RestoreOutcome {
    /// sha256 before.
    pub before: [u8; 32],
    /// sha256 after.
    pub after: [u8; 32],
    /// Lamports that went back to who paid for the growth.
    pub freed: u64,
}

/// What an account that is about to migrate looks like.
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
    /// Looks at `account` before its migration: it must be of the type of `rule`, at a version that
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

    /// Migrates `account`, which was looked at as `old`; `payer` pays for its growth and for
    /// nothing else.
    pub(crate) fn migrate(
        &self,
        old: BeforeMigration,
        account: &AccountInfo<'info>,
        payer: &AccountInfo<'info>,
    ) -> Result<Migration> {
        require!(*account.key != *payer.key, ManagerError::WrongAccount);
        let (BeforeMigration { rule, version, snapshot: before }, to) =
            (old, self.terms.to_version);
        let purse = payer.lamports();

        let header = Header { from: version, to, expected_sha256: before.hash };
        self.call(header.encode(MIGRATE).to_vec(), account, payer, true)?;

        let after = self.inspect_after_call(account)?;
        require!(rule.is_migrated(&account.try_borrow_data()?, to), ManagerError::TargetBroke);
        let spent = purse.saturating_sub(payer.lamports());
        // What the account holds beyond its old rent may be a user's: growth is not paid from it.
        let rented = self.rent.minimum_balance(before.len).min(before.lamports);
        let growth = self.rent.minimum_balance(after.len).saturating_sub(rented);
        require!(spent <= growth, ManagerError::LamportsMoved);
        require!(after.lamports >= before.lamports, ManagerError::LamportsMoved);
        // The payer signs for the target, which could assign its account to itself and empty it
        // later.
        let kept = *payer.owner == system_program::ID && payer.data_is_empty();
        require!(kept, ManagerError::LamportsMoved);
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

    /// Brings the account of `record` back; what it then no longer needs goes to `refund`.
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
        let (purse, untouched) = (refund.lamports(), before.hash == record.new_hash);

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
        let back = rule.eligible(&account.try_borrow_data()?, &(to..=to)).is_some();
        require!(back, ManagerError::TargetBroke);
        let freed = before.lamports.checked_sub(after.lamports);
        let freed = freed.filter(|freed| *freed <= record.rent_paid);
        let freed = freed.or_err(ManagerError::LamportsMoved)?;
        require!(refund.lamports().checked_sub(purse) == Some(freed), ManagerError::LamportsMoved);
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

    /// What holds after every call: still the target's, and exempt from rent.
    fn inspect_after_call(&self, account: &AccountInfo) -> Result<AccountSnapshot> {
        let after = AccountSnapshot::of(account)?;
        let kept = *account.owner == self.terms.program && !account.executable;
        require!(kept, ManagerError::TargetBroke);
        let exempt = after.lamports >= self.rent.minimum_balance(after.len);
        require!(exempt, ManagerError::TargetBroke);
        Ok(after)
    }

    /// Adds from `payer` what `account` lacks to hold its old length.
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

/// The version of `account` when it is of a pinned type and `terms` migrate from that version.
pub(crate) fn old_version(account: &AccountInfo, terms: &Terms) -> Result<Option<u16>> {
    if *account.owner != terms.program {
        return Ok(None);
    }
    let data = account.try_borrow_data()?;
    let version = rule_for(&terms.type_rules, &data).and_then(|rule| rule.version(&data));
    Ok(version.filter(|version| terms.migrates_from().contains(version)))
}

/// Whether an account has ceased to exist.
pub(crate) fn is_closed(account: &AccountInfo) -> bool {
    *account.owner == system_program::ID && account.data_is_empty()
}
