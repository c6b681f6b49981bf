//! A new proposal: the terms are built here as the chain will build them, so the digest that will
//! be voted on is known, shown and checked before anything is signed.
use solana_pubkey::Pubkey;
use upgrade_manager::{
    external::loader,
    instructions::ProposeArgs,
    seeds,
    state::{
        BufferAttestation, BufferRole, Manifest, MultisigConfig, ProgramUpgradeState, ProposalKind,
        Terms, role,
    },
};

use super::{ProposalManager, execute::check_archive};
use crate::{
    archive::manifest_root,
    code,
    error::{BackendError, Result},
    gateway::{ChainTime, RawAccount},
    instructions::{self, ProposalKeys},
    intent::FrozenRequest,
    lookup::{self, decode},
    migration::MigrationManager,
    multisig::MultisigCoordinator,
    operation::{ProposeRequest, Verb},
    plan::Plan,
    preflight::{Check, Verdict},
    timelock::span,
    words,
};

/// Everything a proposal is made from, as it is now.
struct Basis {
    state: ProgramUpgradeState,
    multisig: MultisigConfig,
    upgrade: BufferAttestation,
    rollback: BufferAttestation,
    upgrade_buffer: Option<RawAccount>,
    rollback_buffer: Option<RawAccount>,
    live: Vec<u8>,
    now: ChainTime,
}

impl ProposalManager {
    /// Scans the accounts for the manifest, keeps its leaves, then plans.
    pub(crate) async fn plan_propose(&self, request: ProposeRequest) -> Result<Plan> {
        let state = lookup::program_state(self.backend.gateway(), &request.program).await?;
        let versions = request.oldest_version.unwrap_or(state.version)..=state.version;
        let seen = MigrationManager::new(&self.backend)
            .survey(&request.program, &request.type_rules, &versions)
            .await?;
        let now = self.backend.gateway().chain_time().await?;
        let life = i64::try_from(request.expires_in.as_secs()).unwrap_or(i64::MAX);
        let frozen = FrozenRequest {
            expires_at: now.unix.saturating_add(life),
            manifest: Manifest { root: manifest_root(&seen.leaves), count: seen.count()? },
            leaves: seen.leaves.clone(),
            request,
        };
        let mut plan = self.replan_propose(&frozen).await?;
        if seen.misfits > 0 {
            plan.check(Check::warn(format!(
                "{} accounts have a listed type and the old version, but a length outside their \
                 rule: they would not migrate.",
                seen.misfits
            )));
        }
        plan.request = Some(Box::new(frozen));
        Ok(plan)
    }

    /// Plans the same proposal again: what was scanned and the expiry stay as they were shown.
    pub(crate) async fn replan_propose(&self, frozen: &FrozenRequest) -> Result<Plan> {
        let basis = self.basis(&frozen.request).await?;
        let multisig = basis.state.multisig;
        let keys = ProposalKeys::new(multisig, basis.state.program, basis.multisig.next_proposal);
        let terms = terms(&basis, frozen, self.backend.gateway().genesis_hash());
        let digest = terms.digest().map_err(|e| BackendError::Refused(words::sentence(&e)))?;
        let subject = format!("upgrade {} of program {}", terms.id, terms.program);
        let mut plan = Plan::new(Verb::Propose, keys.proposal, subject);
        describe(&mut plan, &terms, &digest, basis.now);
        let signer = self.backend.signer();
        if signer.is_none() {
            plan.check(Check::fail("No key is loaded; start with --keypair to sign."));
        }
        for check in checks(&basis, &terms, signer) {
            plan.check(check);
        }
        plan.check(check_archive(&self.backend));
        plan.shown.pin("the digest", hex::encode(digest));
        plan.shown.pin("the multisig's epoch", basis.multisig.config_epoch);
        plan.shown.pin("the code that runs", hex::encode(basis.state.elf_hash));
        if let Some(signer) = signer {
            plan.fact("Signer", signer);
            let args = ProposeArgs {
                kind: terms.kind,
                oldest_version: terms.oldest_version,
                genesis_hash: terms.genesis_hash,
                to_version: terms.to_version,
                type_rules: terms.type_rules.clone(),
                manifest: terms.manifest,
                expires_at: terms.expires_at,
                source: terms.source.clone(),
            };
            let (new, old) = (terms.upgrade.buffer, terms.rollback.buffer);
            let ix = instructions::propose_upgrade(&signer, &signer, &keys, &new, &old, args);
            plan.instructions = vec![instructions::with_squads(ix, &basis.multisig)];
        }
        Ok(plan)
    }

    async fn basis(&self, request: &ProposeRequest) -> Result<Basis> {
        let gateway = self.backend.gateway();
        let state = lookup::program_state(gateway, &request.program).await?;
        let (new, old) = (request.buffer, request.rollback_buffer);
        let keys =
            [state.multisig, seeds::attestation(&new).0, seeds::attestation(&old).0, new, old];
        let got = gateway.accounts(&keys).await?;
        let [multisig, upgrade, rollback, upgrade_buffer, rollback_buffer] = got.as_slice() else {
            return Err(BackendError::Range("reading what a proposal is made from"));
        };
        let [multisig_key, upgrade_key, rollback_key, ..] = keys;
        Ok(Basis {
            multisig: decode("multisig", multisig_key, multisig.as_ref())?,
            upgrade: decode("attestation of the upgrade buffer", upgrade_key, upgrade.as_ref())?,
            rollback: decode(
                "attestation of the rollback buffer",
                rollback_key,
                rollback.as_ref(),
            )?,
            upgrade_buffer: upgrade_buffer.clone(),
            rollback_buffer: rollback_buffer.clone(),
            live: code::live_elf(gateway, &state.program_data).await?,
            now: gateway.chain_time().await?,
            state,
        })
    }
}

/// The terms as `propose_upgrade` will write them.
fn terms(basis: &Basis, frozen: &FrozenRequest, genesis_hash: [u8; 32]) -> Terms {
    let request = &frozen.request;
    Terms {
        kind: request.kind,
        id: basis.multisig.next_proposal,
        genesis_hash,
        multisig: basis.state.multisig,
        config_epoch: basis.multisig.config_epoch,
        program: basis.state.program,
        program_data: basis.state.program_data,
        upgrade: basis.upgrade.pin(),
        rollback: basis.rollback.pin(),
        spill: basis.multisig.treasury,
        from_version: basis.state.version,
        oldest_version: request.oldest_version.unwrap_or(basis.state.version),
        to_version: request.to_version,
        type_rules: request.type_rules.clone(),
        manifest: frozen.manifest,
        expires_at: frozen.expires_at,
        source: request.source.clone(),
    }
}

fn describe(plan: &mut Plan, terms: &Terms, digest: &[u8; 32], now: ChainTime) {
    plan.fact("Program", terms.program);
    plan.fact("Multisig", terms.multisig);
    plan.fact("Digest that votes will name", hex::encode(digest));
    plan.fact("Version", format!("{} to {}", terms.from_version, terms.to_version));
    plan.fact("New code, sha256", hex::encode(terms.upgrade.sha256));
    plan.fact("New code, buffer", terms.upgrade.buffer);
    plan.fact("Old code, sha256", hex::encode(terms.rollback.sha256));
    plan.fact("Old code, buffer", terms.rollback.buffer);
    plan.fact("Surplus lamports to", terms.spill);
    for rule in &terms.type_rules {
        plan.fact(
            "Accounts of type",
            format!(
                "{} with the version at byte {} ({} wide), {}–{} bytes before, {}–{} after",
                hex::encode(rule.discriminator),
                rule.version_offset,
                rule.version_width,
                rule.old_len.min,
                rule.old_len.max,
                rule.new_len.min,
                rule.new_len.max
            ),
        );
    }
    plan.fact("Accounts in manifest", terms.manifest.count);
    plan.fact("Manifest root", hex::encode(terms.manifest.root));
    plan.fact("Expires in", span(terms.expires_at.saturating_sub(now.unix)));
    plan.fact("Source", &terms.source.link);
    plan.fact("Commit", &terms.source.commit);
    plan.fact("Build image", &terms.source.image);
}

fn checks(basis: &Basis, terms: &Terms, signer: Option<Pubkey>) -> Vec<Check> {
    let (state, config) = (&basis.state, &basis.multisig);
    let mut out = vec![];
    if let Some(signer) = signer {
        out.push(MultisigCoordinator::check_role(config, &signer, role::PROPOSE));
        let opened = config.clone().open_proposal(&signer);
        out.push(words::rule(&opened, "The signer has fewer open proposals than the cap."));
    }
    let mut room = words::rule(
        &state.require_can_open(terms.kind),
        match terms.kind {
            ProposalKind::Upgrade => "No proposal and no migration of the program is under way.",
            ProposalKind::RollForward => "An upgrade is not complete, whose place this one takes.",
        },
    );
    if let (Verdict::Fail, Some(live)) = (room.verdict, state.live_proposal) {
        room.sentence = format!("{} The live one is {live}.", room.sentence);
    }
    out.push(room);
    let free = |a: &BufferAttestation, role| a.require_pinnable(&state.program, role);
    out.push(words::rule(
        &free(&basis.upgrade, BufferRole::Upgrade),
        "The upgrade buffer is attested and free.",
    ));
    out.push(words::rule(
        &free(&basis.rollback, BufferRole::Rollback),
        "The rollback buffer is attested and free.",
    ));
    let authority = seeds::authority(&state.program).0;
    let upgrade = basis.upgrade_buffer.as_ref();
    out.push(code::check_frozen(upgrade, &terms.upgrade, &authority, "new"));
    let rollback = basis.rollback_buffer.as_ref();
    out.push(code::check_frozen(rollback, &terms.rollback, &authority, "old"));
    out.push(Check::when(
        basis.rollback.sha256 == state.elf_hash
            && crate::elf::verify_hash(&basis.live) == state.elf_hash,
        "The rollback buffer and the code that runs, hashed here, are the registered code.",
        "The rollback buffer, the code that runs and the registered code are not the same: make \
         the rollback buffer from what runs now.",
    ));
    let elf = upgrade.and_then(|a| a.data.get(loader::BUFFER_HEADER..)).unwrap_or_default();
    out.push(code::check_elf(elf, "new"));
    let room = code::check_room(basis.live.len(), terms.upgrade.len, &state.program);
    // The program can still be extended before execution.
    out.push(match room.verdict {
        Verdict::Fail => Check::warn(room.sentence),
        _ => room,
    });
    out.push(words::rule(
        &terms.invariant(basis.now.unix, config.timelock),
        "Versions, type rules, manifest and expiry obey the chain's rules.",
    ));
    if terms.manifest.count == 0 {
        out.push(Check::warn("No account would migrate: the manifest is empty."));
    }
    out
}
