//! Every set-up command as a value from which it can be planned again. What depends on the moment of the
//! first plan, such as an expiry or a new key, is fixed here and stays as it was shown.
use std::sync::Arc;

use solana_keypair::Keypair;
use solana_pubkey::Pubkey;
use upgrade_manager::state::{BufferRole, MultisigRules};

use crate::{
    error::{BackendError, Result},
    keys::signer::{KeypairSigner, Signer},
    multisig::changes::MultisigChange,
    pipeline::{context::Context, plan::Plan, reporter::Reporter, task::Task},
    preflight::receipt::Receipt,
    setup::{governance::MultisigProposalRequest, manager::SetupManager, upload::UploadRequest},
};

/// Note and expiry of a new proposal by a multisig.
pub(crate) struct FrozenNote {
    pub(super) note: String,
    /// Seconds from the first plan until it expires.
    pub(super) lifetime: i64,
    /// When that is, by the chain's clock.
    pub(super) expires_at: i64,
}

impl FrozenNote {
    /// `request`, made at the chain's time `now`.
    pub(super) fn at(now: i64, request: MultisigProposalRequest) -> Self {
        let lifetime = i64::try_from(request.expires_in.as_secs()).unwrap_or(i64::MAX);
        Self { note: request.note, lifetime, expires_at: now.saturating_add(lifetime) }
    }
}

/// One set-up command.
pub(crate) enum SetupTask {
    CreateMultisig { rules: MultisigRules, create_key: Arc<dyn Signer> },
    ProposeChange { multisig: Pubkey, change: MultisigChange, note: FrozenNote },
    ProposeDissolve { multisig: Pubkey, note: FrozenNote },
    ProposeTransfer { program: Pubkey, new_authority: Pubkey, note: FrozenNote },
    Pause { multisig: Pubkey },
    Unpause { multisig: Pubkey },
    Register { program: Pubkey, multisig: Pubkey, version: u16 },
    Extend { program: Pubkey, bytes: u32 },
    Upload(Box<UploadRequest>),
    Freeze { buffer: Pubkey, program: Pubkey, role: BufferRole },
    CloseUnused { buffer: Pubkey },
    Reclaim { buffer: Pubkey, program: Pubkey },
    Close { proposal: Pubkey },
    CloseMultisig { multisig: Pubkey },
    CloseState { program: Pubkey },
}

impl SetupTask {
    /// A multisig with a new create key. The multisig's address derives from the key, which signs once.
    /// Members are sorted here.
    pub(super) fn create_multisig(mut rules: MultisigRules) -> Self {
        rules.members.sort_by_key(|m| m.key);
        Self::CreateMultisig { rules, create_key: Arc::new(KeypairSigner::new(Keypair::new())) }
    }
}

impl Task for SetupTask {
    async fn plan(&self, context: &Context) -> Result<Plan> {
        let manager = SetupManager::new(context);
        match self {
            Self::CreateMultisig { rules, create_key } => {
                manager.plan_create_multisig(rules, create_key).await
            }
            Self::ProposeChange { multisig, change, note } => {
                manager.plan_propose_change(multisig, change, note).await
            }
            Self::ProposeDissolve { multisig, note } => {
                manager.plan_propose_dissolve(multisig, note).await
            }
            Self::ProposeTransfer { program, new_authority, note } => {
                manager.plan_propose_transfer(program, new_authority, note).await
            }
            Self::Pause { multisig } => manager.plan_pause(multisig).await,
            Self::Unpause { multisig } => manager.plan_unpause(multisig).await,
            Self::Register { program, multisig, version } => {
                manager.plan_register(program, multisig, *version).await
            }
            Self::Extend { program, bytes } => manager.plan_extend(program, *bytes).await,
            Self::Upload(request) => manager.plan_upload(request).await,
            Self::Freeze { buffer, program, role } => {
                manager.plan_freeze(buffer, program, *role).await
            }
            Self::CloseUnused { buffer } => manager.plan_close_unused(buffer).await,
            Self::Reclaim { buffer, program } => manager.plan_reclaim(buffer, program).await,
            Self::Close { proposal } => manager.plan_close(proposal).await,
            Self::CloseMultisig { multisig } => manager.plan_close_multisig(multisig).await,
            Self::CloseState { program } => manager.plan_close_state(program).await,
        }
    }

    async fn run(
        &self,
        context: &Context,
        plan: &Plan,
        key: &dyn Signer,
        reporter: &Reporter,
    ) -> Result<Receipt> {
        let manager = SetupManager::new(context);
        match self {
            Self::Upload(request) => manager.run_upload(request, plan.account, key, reporter).await,
            Self::Freeze { buffer, program, role } => {
                manager.run_attest(program, buffer, *role, key, reporter).await
            }
            Self::Close { proposal } => manager.run_close(proposal, key, reporter).await,
            _ => Err(BackendError::Refused("there is nothing to send.".into())),
        }
    }
}
