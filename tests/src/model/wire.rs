//! Instructions as bytes and account lists, written from the specification and independent of the
//! backend's builders.
use sha2::{Digest, Sha256};
use solana_instruction::{AccountMeta, Instruction};
use solana_pubkey::Pubkey;

use super::keys::Keys;
use super::op::{Action, How, Plan, Role, Rules, Scope};

/// The upgradeable loader.
pub const LOADER: Pubkey = solana_pubkey::pubkey!("BPFLoaderUpgradeab1e11111111111111111111111");
/// The system program.
pub const SYSTEM: Pubkey = solana_pubkey::pubkey!("11111111111111111111111111111111");
/// The instructions sysvar.
pub const INSTRUCTIONS: Pubkey =
    solana_pubkey::pubkey!("Sysvar1nstructions1111111111111111111111111");
/// The rent sysvar.
pub const RENT: Pubkey = solana_pubkey::pubkey!("SysvarRent111111111111111111111111111111111");
/// The clock sysvar.
pub const CLOCK: Pubkey = solana_pubkey::pubkey!("SysvarC1ock11111111111111111111111111111111");

/// First eight bytes of sha256 over `namespace:name`.
pub fn discriminator(namespace: &str, name: &str) -> [u8; 8] {
    let hash: [u8; 32] = Sha256::digest(format!("{namespace}:{name}")).into();
    *hash.first_chunk().expect("32 bytes")
}

/// Borsh-encoded bytes.
#[derive(Clone, Debug, Default)]
pub struct Bytes(pub Vec<u8>);

impl Bytes {
    pub fn u8(mut self, value: u8) -> Self {
        self.0.push(value);
        self
    }

    pub fn u16(self, value: u16) -> Self {
        self.raw(&value.to_le_bytes())
    }

    pub fn u32(self, value: u32) -> Self {
        self.raw(&value.to_le_bytes())
    }

    pub fn i64(self, value: i64) -> Self {
        self.raw(&value.to_le_bytes())
    }

    /// Bytes without a length.
    pub fn raw(mut self, bytes: &[u8]) -> Self {
        self.0.extend_from_slice(bytes);
        self
    }

    /// Bytes with their length in front.
    pub fn vec(self, bytes: &[u8]) -> Self {
        self.u32(u32::try_from(bytes.len()).expect("short")).raw(bytes)
    }

    pub fn key(self, key: &Pubkey) -> Self {
        self.raw(key.as_ref())
    }

    /// `MultisigRules`.
    pub fn rules(self, rules: &Rules, keys: &Keys) -> Self {
        let mut members: Vec<_> =
            rules.members.iter().map(|(who, roles)| (keys.person(*who), *roles)).collect();
        members.sort();
        if rules.unsorted {
            members.reverse();
        }
        let mut out = self
            .u8(rules.threshold)
            .u8(rules.open_cap)
            .u8(rules.durable.into())
            .u32(rules.floor)
            .u32(rules.timelock)
            .u32(rules.window)
            .u32(rules.rollback_window)
            .key(&keys.person(rules.treasury));
        out = match rules.guardian {
            Some(guardian) => out.u8(1).key(&keys.person(guardian)),
            None => out.u8(0),
        };
        out = out.u8(0).u32(u32::try_from(members.len()).expect("few"));
        for (key, roles) in members {
            out = out.key(&key).u8(roles);
        }
        out
    }

    /// `GovernanceArgs`.
    pub fn multisig_args(self, expires_at: i64, note: &str, action: &Action, keys: &Keys) -> Self {
        let out = self.raw(&[7; 32]).i64(expires_at).vec(note.as_bytes());
        match action {
            Action::Change(rules) => out.u8(0).rules(rules, keys),
            Action::Transfer(program, to) => out
                .u8(1)
                .key(&keys.program(*program))
                .key(&keys.program_data(*program))
                .key(&keys.person(*to)),
            Action::Dissolve => out.u8(2),
        }
    }

    /// `ProposeArgs`.
    pub fn plan(self, plan: &Plan, (root, count): ([u8; 32], u32)) -> Self {
        let mut out = self.u8(plan.forward.into()).raw(&[7; 32]).u16(plan.oldest).u16(plan.to);
        let rule = demo_vault::client::type_rule();
        out = match plan.scope {
            Scope::Nothing => out.u32(0),
            scope => out
                .u32(1)
                .raw(&rule.discriminator)
                .u16(rule.version_offset)
                .u8(if scope == Scope::Unsound { 3 } else { rule.version_width })
                .u32(rule.old_len.0)
                .u32(rule.old_len.1)
                .u32(rule.new_len.0)
                .u32(rule.new_len.1)
                .u8((scope == Scope::Critical).into()),
        };
        out = out.raw(&root).u32(count).i64(plan.expires_at);
        out.vec(b"link").vec(b"commit").vec(b"image")
    }

    /// `RestoreItem`; the old bytes for those that need them.
    pub fn item(self, how: How, old: &[u8]) -> Self {
        match how {
            How::Bytes => self.u8(0).vec(old),
            How::WrongBytes => {
                let mut wrong = old.to_vec();
                if let Some(last) = wrong.last_mut() {
                    *last ^= 1;
                }
                self.u8(0).vec(&wrong)
            }
            How::Down => self.u8(1),
            How::Backup => self.u8(2),
        }
    }
}

/// An account list.
#[derive(Default)]
pub struct Metas(pub Vec<AccountMeta>);

impl Metas {
    /// A read-only account.
    pub fn r(mut self, key: Pubkey) -> Self {
        self.0.push(AccountMeta::new_readonly(key, false));
        self
    }

    /// A writable account.
    pub fn w(mut self, key: Pubkey) -> Self {
        self.0.push(AccountMeta::new(key, false));
        self
    }

    /// A signer.
    pub fn s(mut self, key: Pubkey) -> Self {
        self.0.push(AccountMeta::new_readonly(key, true));
        self
    }

    /// A writable signer.
    pub fn sw(mut self, key: Pubkey) -> Self {
        self.0.push(AccountMeta::new(key, true));
        self
    }

    /// A writable account, or the manager's id when absent.
    pub fn maybe_w(self, key: Option<Pubkey>) -> Self {
        match key {
            Some(key) => self.w(key),
            None => self.r(upgrade_manager::ID),
        }
    }

    /// A read-only account, or the manager's id when absent.
    pub fn maybe_r(self, key: Option<Pubkey>) -> Self {
        self.r(key.unwrap_or(upgrade_manager::ID))
    }

    /// The instruction `name`, followed by the accounts for its event and the remaining accounts.
    pub fn build(
        self,
        keys: &Keys,
        name: &str,
        args: Bytes,
        behind: Vec<AccountMeta>,
    ) -> Instruction {
        let mut accounts = self.r(keys.event_authority()).r(upgrade_manager::ID).0;
        accounts.extend(behind);
        let data = [&discriminator("global", name)[..], &args.0].concat();
        Instruction { program_id: upgrade_manager::ID, accounts, data }
    }
}

impl Role {
    /// Its number.
    pub fn number(self) -> u8 {
        match self {
            Self::Upgrade => 0,
            Self::Rollback => 1,
        }
    }
}
