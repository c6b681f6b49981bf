//! A new proposal. The terms are built here as the program will build them, so that the digest which the
//! members will vote on is shown before anything is signed.
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

use crate::{
    accounts::{self, decode},
    census::scan,
    chain::read::{ChainTime, RawAccount},
    code::{self, elf},
    error::{BackendError, Result},
    instructions::{self, ProposalKeys},
    pipeline::{
        archiving::check_archive,
        members,
        plan::{ArchivedFirst, Plan},
    },
    preflight::{
        check::{Check, Verdict},
        intent::{FrozenRequest, ProposalTask},
        manifest::manifest_root,
        operation::{Operation, ProposeRequest, Verb},
        rule_check,
        step::Step,
        text::span,
    },
    proposals::ProposalManager,
};

/// The accounts that a proposal's terms are made from, as they are now.
struct ProposalInputs {
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
    /// Scans the program's accounts for the manifest, then plans.
    pub(crate) async fn plan_propose(
        &self,
        request: ProposeRequest,
    ) -> Result<(Plan, ProposalTask)> {
        let state = accounts::program_state(self.context.chain(), &request.program).await?;
        let versions = request.oldest_version.unwrap_or(state.version)..=state.version;
        let seen =
            scan::survey(self.context.chain(), &request.program, &request.type_rules, &versions)
                .await?;
        let now = self.context.chain().chain_time().await?;
        let life = i64::try_from(request.expires_in.as_secs()).unwrap_or(i64::MAX);
        let frozen = FrozenRequest {
            expires_at: now.unix.saturating_add(life),
            manifest: Manifest { root: manifest_root(&seen.leaves), count: seen.count()? },
            leaves: seen.leaves.clone(),
            request,
        };
        let (mut plan, proposal) = self.plan_frozen(&frozen).await?;
        if seen.misfits > 0 {
            plan.check(Check::warn(format!(
                "{} accounts have a listed type and the old version, but a length outside their \
                 rule: they would not migrate.",
                seen.misfits
            )));
        }
        let operation = Operation { verb: Verb::Propose, proposal };
        Ok((plan, ProposalTask { operation, request: Some(Box::new(frozen)) }))
    }

    /// Plans the same proposal again. Manifest and expiry stay as they were shown.
    pub(crate) async fn replan_propose(&self, frozen: &FrozenRequest) -> Result<Plan> {
        Ok(self.plan_frozen(frozen).await?.0)
    }

    /// The plan, and the address of the proposal that it makes.
    async fn plan_frozen(&self, frozen: &FrozenRequest) -> Result<(Plan, Pubkey)> {
        let inputs = self.inputs(&frozen.request).await?;
        let multisig = inputs.state.multisig;
        let keys = ProposalKeys::new(multisig, inputs.state.program, inputs.multisig.next_proposal);
        let terms = terms(&inputs, frozen, self.context.chain().genesis_hash());
        let digest = terms.digest().map_err(|e| BackendError::Refused(rule_check::sentence(&e)))?;
        let subject = format!("upgrade {} of program {}", terms.id, terms.program);
        let mut plan = Plan::new(Step::of(Verb::Propose), subject);
        describe(&mut plan, &terms, &digest, inputs.now);
        let signer = self.context.signer();
        if signer.is_none() {
            plan.check(Check::fail("No key is loaded; start with --keypair to sign."));
        }
        for check in checks(&inputs, &terms, signer) {
            plan.check(check);
        }
        plan.check(check_archive(&self.context));
        plan.pinned.pin("the digest", hex::encode(digest));
        plan.pinned.pin("the multisig's epoch", inputs.multisig.config_epoch);
        plan.pinned.pin("the code that runs", hex::encode(inputs.state.elf_hash));
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
            plan.instructions = vec![instructions::with_squads(ix, &inputs.multisig)];
        }
        let (program, leaves) = (frozen.request.program, frozen.leaves.clone());
        plan.archived_first = ArchivedFirst::Manifest { program, leaves };
        Ok((plan, keys.proposal))
    }

    async fn inputs(&self, request: &ProposeRequest) -> Result<ProposalInputs> {
        let chain = self.context.chain();
        let state = accounts::program_state(chain, &request.program).await?;
        let (new, old) = (request.buffer, request.rollback_buffer);
        let keys =
            [state.multisig, seeds::attestation(&new).0, seeds::attestation(&old).0, new, old];
        let got = chain.accounts(&keys).await?;
        let [multisig, upgrade, rollback, upgrade_buffer, rollback_buffer] = got.as_slice() else {
            return Err(BackendError::Range("reading what a proposal is made from"));
        };
        let [multisig_key, upgrade_key, rollback_key, ..] = keys;
        Ok(ProposalInputs {
            multisig: decode("multisig", multisig_key, multisig.as_ref())?,
            upgrade: decode("attestation of the upgrade buffer", upgrade_key, upgrade.as_ref())?,
            rollback: decode(
                "attestation of the rollback buffer",
                rollback_key,
                rollback.as_ref(),
            )?,
            upgrade_buffer: upgrade_buffer.clone(),
            rollback_buffer: rollback_buffer.clone(),
            live: code::live_elf(chain, &state.program_data).await?,
            now: chain.chain_time().await?,
            state,
        })
    }
}

/// The terms as the instruction `propose_upgrade` will write them.
fn terms(inputs: &ProposalInputs, frozen: &FrozenRequest, genesis_hash: [u8; 32]) -> Terms {
    let request = &frozen.request;
    Terms {
        kind: request.kind,
        id: inputs.multisig.next_proposal,
        genesis_hash,
        multisig: inputs.state.multisig,
        config_epoch: inputs.multisig.config_epoch,
        program: inputs.state.program,
        program_data: inputs.state.program_data,
        upgrade: inputs.upgrade.pin(),
        rollback: inputs.rollback.pin(),
        spill: inputs.multisig.treasury,
        from_version: inputs.state.version,
        oldest_version: request.oldest_version.unwrap_or(inputs.state.version),
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

fn checks(inputs: &ProposalInputs, terms: &Terms, signer: Option<Pubkey>) -> Vec<Check> {
    let (state, config) = (&inputs.state, &inputs.multisig);
    let mut out = vec![];
    if let Some(signer) = signer {
        out.push(members::check_role(config, &signer, role::PROPOSE));
        let opened = config.clone().open_proposal(&signer);
        out.push(rule_check::check(&opened, "The signer has fewer open proposals than the cap."));
    }
    let mut room = rule_check::check(
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
    out.push(rule_check::check(
        &free(&inputs.upgrade, BufferRole::Upgrade),
        "The upgrade buffer is attested and free.",
    ));
    out.push(rule_check::check(
        &free(&inputs.rollback, BufferRole::Rollback),
        "The rollback buffer is attested and free.",
    ));
    let authority = seeds::authority(&state.program).0;
    let upgrade = inputs.upgrade_buffer.as_ref();
    out.push(code::check_frozen(upgrade, &terms.upgrade, &authority, "new"));
    let rollback = inputs.rollback_buffer.as_ref();
    out.push(code::check_frozen(rollback, &terms.rollback, &authority, "old"));
    out.push(Check::when(
        inputs.rollback.sha256 == state.elf_hash
            && elf::verify_hash(&inputs.live) == state.elf_hash,
        "The rollback buffer and the code that runs, hashed here, are the registered code.",
        "The rollback buffer, the code that runs and the registered code are not the same: make \
         the rollback buffer from what runs now.",
    ));
    let elf = upgrade.and_then(|a| a.data.get(loader::BUFFER_HEADER..)).unwrap_or_default();
    out.push(code::check_elf(elf, "new"));
    let room = code::check_room(inputs.live.len(), terms.upgrade.len, &state.program);
    // The program can still be extended before execution.
    out.push(match room.verdict {
        Verdict::Fail => Check::warn(room.sentence),
        _ => room,
    });
    out.push(rule_check::check(
        &terms.invariant(inputs.now.unix, config.timelock),
        "Versions, type rules, manifest and expiry obey the chain's rules.",
    ));
    if terms.manifest.count == 0 {
        out.push(Check::warn("No account would migrate: the manifest is empty."));
    }
    out
}
