//! Everything that a vote for an upgrade agrees to, and the digest over it.
use std::io::{self, Read};
use std::ops::RangeInclusive;

use anchor_lang::prelude::*;
use solana_sha256_hasher::hashv;

use super::type_rule::{MAX_TYPE_RULES, TypeRule};
use crate::error::{ManagerError, OrErr as _};
use crate::runtime::require::require;

/// Domain of the digest; changes with the layout of [`Terms`].
const DIGEST: &[u8] = b"upgrade-manager/proposal/v1";
/// Longest time from proposal to `expires_at`, seconds: 180 days.
pub const MAX_PROPOSAL_SECONDS: i64 = 180 * 24 * 3600;
/// Longest link, commit and image in bytes.
pub const MAX_SOURCE_LEN: usize = 160;

/// Longest text that is read, in bytes. A transaction is shorter, so no valid text is longer.
const MAX_TEXT_LEN: usize = 1 << 16;

/// What a proposal does. A closed list: a proposal stores no instructions.
#[derive(AnchorSerialize, AnchorDeserialize, InitSpace, Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProposalKind {
    /// Replace the program's code and migrate its accounts.
    Upgrade,
    /// The same, superseding an earlier upgrade that is not complete.
    RollForward,
}

impl ProposalKind {
    /// The kind's name, the same everywhere.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Upgrade => "Upgrade",
            Self::RollForward => "RollForward",
        }
    }
}

/// One ELF, frozen in one buffer.
#[derive(AnchorSerialize, AnchorDeserialize, InitSpace, Clone, Copy, Debug, PartialEq, Eq)]
pub struct PinnedElf {
    /// The buffer that holds it.
    pub buffer: Pubkey,
    /// Bytes in the buffer behind its header.
    pub len: u32,
    /// Bytes without the trailing zeros.
    pub trimmed_len: u32,
    /// sha256 of the trimmed bytes: solana-verify's hash.
    pub sha256: [u8; 32],
}

/// The accounts that existed when the upgrade was planned.
#[derive(
    AnchorSerialize, AnchorDeserialize, InitSpace, Clone, Copy, Debug, PartialEq, Eq, Default,
)]
pub struct Manifest {
    /// Merkle root, see [`super::manifest`].
    pub root: [u8; 32],
    /// Number of accounts.
    pub count: u32,
}

/// Where the code comes from, for people and rebuilds.
#[derive(AnchorSerialize, InitSpace, Clone, Debug, PartialEq, Eq, Default)]
pub struct Source {
    /// Link to the repository.
    #[max_len(MAX_SOURCE_LEN)]
    pub link: String,
    /// Commit.
    #[max_len(64)]
    pub commit: String,
    /// Image of the reproducible build.
    #[max_len(MAX_SOURCE_LEN)]
    pub image: String,
}

impl AnchorDeserialize for Source {
    fn deserialize_reader<R: Read>(reader: &mut R) -> io::Result<Self> {
        Ok(Self { link: text(reader)?, commit: text(reader)?, image: text(reader)? })
    }
}

/// Reads one text. The derived code reads in pieces and builds error messages that nothing logs;
/// every vote reads three texts and would pay for that.
#[inline(never)]
fn text<R: Read>(reader: &mut R) -> io::Result<String> {
    let len = u32::deserialize_reader(reader)?;
    let len = usize::try_from(len).ok().filter(|len| *len <= MAX_TEXT_LEN);
    let mut bytes = vec![0; len.ok_or(io::ErrorKind::InvalidData)?];
    reader.read_exact(&mut bytes)?;
    String::from_utf8(bytes).map_err(|_| io::ErrorKind::InvalidData.into())
}

/// Everything the digest covers.
#[derive(AnchorSerialize, AnchorDeserialize, InitSpace, Clone, Debug, PartialEq, Eq)]
pub struct Terms {
    /// What the proposal does.
    pub kind: ProposalKind,
    /// Id, unique within the multisig.
    pub id: u64,
    /// Genesis hash of the cluster: clients refuse a vote on another one.
    pub genesis_hash: [u8; 32],
    /// The multisig.
    pub multisig: Pubkey,
    /// Its epoch at proposal.
    pub config_epoch: u64,
    /// The program.
    pub program: Pubkey,
    /// Its ProgramData account.
    pub program_data: Pubkey,
    /// The new code.
    pub upgrade: PinnedElf,
    /// The code to go back to: what runs now.
    pub rollback: PinnedElf,
    /// Where the upgrade's surplus lamports go: the multisig's treasury.
    pub spill: Pubkey,
    /// Version that runs now.
    pub from_version: u16,
    /// Oldest version of an account that may be migrated: what was left behind earlier can follow.
    pub oldest_version: u16,
    /// Version after the upgrade.
    pub to_version: u16,
    /// Which accounts may be migrated.
    #[max_len(MAX_TYPE_RULES)]
    pub type_rules: Vec<TypeRule>,
    /// The accounts that existed when the upgrade was planned.
    pub manifest: Manifest,
    /// Chain time after which nobody can execute, whatever the window says.
    pub expires_at: i64,
    /// Where the code comes from.
    pub source: Source,
}

impl Terms {
    /// What must hold at time `now` for a proposal under `timelock` seconds.
    ///
    /// # Errors
    /// The first rule that does not hold.
    pub fn invariant(&self, now: i64, timelock: u32) -> Result<()> {
        require!(self.to_version > self.from_version, ManagerError::VersionNotNewer);
        require!(self.oldest_version <= self.from_version, ManagerError::OldestVersion);
        require!(self.upgrade.buffer != self.rollback.buffer, ManagerError::SameBuffer);
        require!(self.type_rules.len() <= MAX_TYPE_RULES, ManagerError::TypeRule);
        for (i, rule) in self.type_rules.iter().enumerate() {
            rule.invariant()?;
            let twice =
                self.type_rules.iter().take(i).any(|r| r.discriminator == rule.discriminator);
            let fits = rule.version_width == 2 || self.to_version <= u16::from(u8::MAX);
            require!(!twice && fits, ManagerError::TypeRule);
        }
        let empty = self.manifest.count == 0;
        require!(empty == (self.manifest.root == [0; 32]), ManagerError::Manifest);
        require!(empty || !self.type_rules.is_empty(), ManagerError::Manifest);
        let life = self.expires_at.checked_sub(now).or_err(ManagerError::Overflow)?;
        require!(
            life > i64::from(timelock) && life <= MAX_PROPOSAL_SECONDS,
            ManagerError::ExpiryOutOfRange
        );
        let source = &self.source;
        require!(
            source.link.len() <= MAX_SOURCE_LEN
                && source.commit.len() <= 64
                && source.image.len() <= MAX_SOURCE_LEN,
            ManagerError::SourceTooLong
        );
        Ok(())
    }

    /// The versions that an account may be migrated from.
    #[must_use]
    pub fn migrates_from(&self) -> RangeInclusive<u16> {
        self.oldest_version..=self.from_version
    }

    /// The digest that votes carry: sha256 over domain, manager id and the serialised terms.
    ///
    /// # Errors
    /// Only when serialisation fails, which only a lack of memory can cause.
    pub fn digest(&self) -> Result<[u8; 32]> {
        let mut bytes = Vec::with_capacity(768);
        self.serialize(&mut bytes)?;
        Ok(hashv(&[DIGEST, crate::ID.as_ref(), &bytes]).to_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_reads_back_and_one_that_is_cut_short_or_no_text_does_not() {
        let source =
            Source { link: "https://a.b/c".into(), commit: String::new(), image: "ü".into() };
        let mut bytes = Vec::new();
        source.serialize(&mut bytes).unwrap();
        assert_eq!(Source::try_from_slice(&bytes).unwrap(), source);
        for len in 0..bytes.len() {
            assert!(Source::try_from_slice(&bytes[..len]).is_err(), "{len}");
        }
        let mut no_text = bytes.clone();
        *no_text.last_mut().unwrap() = b'a';
        assert!(Source::try_from_slice(&no_text).is_err());
        let endless = u32::MAX.to_le_bytes();
        assert!(Source::try_from_slice(&endless).is_err());
    }
}
