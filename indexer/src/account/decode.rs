//! Decodes account bytes into one of the manager's types, or quarantines them with a reason. Drops
//! nothing except blank accounts, see [`Raw::is_blank`].
use anchor_lang::{AccountDeserialize, AnchorDeserialize, Discriminator};
use sha2::{Digest, Sha256};
use solana_pubkey::Pubkey;
use upgrade_manager::state::{
    AccountBackup, AccountVersion, BufferAttestation, GovernanceProposal, LAYOUT, MultisigConfig,
    ProgramUpgradeState, UpgradeProposal,
};

use super::{AccountKind, BackupHead, ManagerAccount, Quarantined, Update};

/// An undecoded account state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Raw {
    /// The account.
    pub pubkey: Pubkey,
    /// Its owner.
    pub owner: Pubkey,
    /// Slot of the state.
    pub slot: u64,
    /// Order within the slot, see [`Update::write_version`].
    pub write_version: u64,
    /// Its bytes.
    pub data: Vec<u8>,
}

impl Raw {
    /// Whether all bytes are zero. Anyone can create such accounts with the System program and assign
    /// them to the manager, but only the manager can write into them. They are not its accounts, and a
    /// stranger must not be able to fill quarantine with them.
    #[must_use]
    pub fn is_blank(&self) -> bool {
        self.data.iter().all(|byte| *byte == 0)
    }
}

/// Decodes an account that should belong to `program_id`.
///
/// # Errors
/// The account for quarantine.
pub fn decode(program_id: &Pubkey, raw: Raw) -> Result<Update, Box<Quarantined>> {
    let read = if raw.owner == *program_id {
        manager_account(&raw.data).and_then(|account| whole(account, &raw.data))
    } else {
        Err(format!("it belongs to {}, not to the manager program {program_id}", raw.owner))
    };
    match read {
        Ok(account) => {
            let kept = mirrored(&raw.data).to_vec();
            Ok(Update::new(raw.pubkey, raw.slot, raw.write_version, &account, kept))
        }
        Err(why) => Err(Box::new(Quarantined {
            error: format!("Account {} cannot be mirrored: {why}.", raw.pubkey),
            pubkey: raw.pubkey,
            slot: raw.slot,
            owner: raw.owner,
            raw: raw.data,
        })),
    }
}

/// The part of an account's bytes that the mirror keeps: everything except a backup's saved bytes.
#[must_use]
pub fn mirrored(data: &[u8]) -> &[u8] {
    if data.starts_with(AccountBackup::DISCRIMINATOR) {
        data.get(..BackupHead::SIZE).unwrap_or(data)
    } else {
        data
    }
}

/// Checks that a backup's saved bytes match its length and hash, because the mirror keeps only those
/// two.
fn whole(account: ManagerAccount, data: &[u8]) -> Result<ManagerAccount, String> {
    let ManagerAccount::Backup(head) = &account else { return Ok(account) };
    let bytes = data.get(BackupHead::SIZE..).unwrap_or_default();
    if u32::try_from(bytes.len()) != Ok(head.len) {
        return Err(format!("it keeps {} bytes and speaks of {}", bytes.len(), head.len));
    }
    let hash: [u8; 32] = Sha256::digest(bytes).into();
    if hash != head.sha256 {
        return Err("the bytes it keeps do not have the sha256 it names".to_owned());
    }
    Ok(account)
}

/// Decodes `data`, an account's whole or [`mirrored`] bytes, by its discriminator.
///
/// # Errors
/// What is wrong with the bytes, as the rest of a sentence.
pub fn manager_account(data: &[u8]) -> Result<ManagerAccount, String> {
    let Some((disc, body)) = data.split_first_chunk::<8>() else {
        return Err(format!("it has {} bytes, too few for a discriminator", data.len()));
    };
    let disc: &[u8] = disc;
    let kind = if disc == MultisigConfig::DISCRIMINATOR {
        AccountKind::Multisig
    } else if disc == ProgramUpgradeState::DISCRIMINATOR {
        AccountKind::Program
    } else if disc == UpgradeProposal::DISCRIMINATOR {
        AccountKind::Proposal
    } else if disc == BufferAttestation::DISCRIMINATOR {
        AccountKind::Attestation
    } else if disc == AccountVersion::DISCRIMINATOR {
        AccountKind::AccountVersion
    } else if disc == GovernanceProposal::DISCRIMINATOR {
        AccountKind::Governance
    } else if disc == AccountBackup::DISCRIMINATOR {
        AccountKind::Backup
    } else {
        return Err(format!("its type {} is unknown to this build", hex::encode(disc)));
    };
    match body.first() {
        Some(layout) if *layout != LAYOUT => {
            return Err(format!(
                "its layout {layout} of {} is unknown to this build, which knows {LAYOUT}",
                kind.name()
            ));
        }
        _ => {}
    }
    Ok(match kind {
        AccountKind::Multisig => ManagerAccount::Multisig(read(kind, data)?),
        AccountKind::Program => ManagerAccount::Program(read(kind, data)?),
        AccountKind::Proposal => ManagerAccount::Proposal(read(kind, data)?),
        AccountKind::Attestation => ManagerAccount::Attestation(read(kind, data)?),
        AccountKind::AccountVersion => ManagerAccount::AccountVersion(read(kind, data)?),
        AccountKind::Governance => ManagerAccount::Governance(read(kind, data)?),
        AccountKind::Backup => ManagerAccount::Backup(Box::new(
            BackupHead::deserialize(&mut &*body).map_err(|_| cut_short(kind, data))?,
        )),
    })
}

fn cut_short(kind: AccountKind, data: &[u8]) -> String {
    format!("its {} bytes are cut short or are not a {}", data.len(), kind.name())
}

fn read<T: AccountDeserialize>(kind: AccountKind, data: &[u8]) -> Result<Box<T>, String> {
    let mut bytes = data;
    T::try_deserialize(&mut bytes).map(Box::new).map_err(|_| cut_short(kind, data))
}
