//! Attacks on time: too early, too late, in the wrong slot, with a clock that lies.
use e2e::{
    attack::swap,
    elf,
    keys::{address, key},
    world::{APPROVERS, EXECUTION_WINDOW, Stage, TIMELOCK, World},
};
use solana_account::Account;
use solana_loader_v3_interface::instruction::extend_program;
use solana_signer::Signer;
use upgrade_manager::{
    error::ManagerError,
    instructions::ProposeArgs,
    state::{
        BufferRole, LenRange, Manifest, MultisigConfig, ProgramUpgradeState, ProposalStatus,
        TypeRule, Votable,
    },
};

#[test]
fn attack_08_execution_before_the_timelock_is_over() {
    let mut w = World::at(Stage::Timelocked);
    let (proposal, execute) = (w.proposal(), w.execute_ix("dan"));
    assert_eq!(proposal.eta, proposal.approved_at + i64::from(TIMELOCK));
    let floor = proposal.slot_floor(TIMELOCK);
    assert_eq!(floor, proposal.approved_slot + u64::from(TIMELOCK) * 5 / 4);
    // At once; one second early with enough slots; in time with one slot too few.
    w.attack(ManagerError::TimelockNotOver, &[execute.clone()], &["dan"]);
    w.chain.set_time(proposal.eta - 1);
    w.chain.set_slot(floor + 10_000);
    w.attack(ManagerError::TimelockNotOver, &[execute.clone()], &["dan"]);
    w.chain.set_time(proposal.eta);
    for slot in [proposal.approved_slot, proposal.approved_slot + 1, floor - 1] {
        w.chain.set_slot(slot);
        w.attack(ManagerError::TooFewSlots, &[execute.clone()], &["dan"]);
    }
    // A clock that goes backwards.
    w.chain.set_slot(floor);
    for time in [proposal.approved_at - 1, 0, -1, i64::MIN] {
        w.chain.set_time(time);
        w.attack(ManagerError::TimelockNotOver, &[execute.clone()], &["dan"]);
    }
    // A forged clock account: the manager reads the runtime's clock and passes only that to the
    // target.
    w.chain.set_time(proposal.eta - 1);
    let real = w.chain.data(&solana_clock_id());
    let mut ahead = real.clone();
    ahead[32..40].copy_from_slice(&(proposal.eta + 1).to_le_bytes());
    let fake = address("clock");
    let owner = address("stranger");
    let lamports = w.chain.rent(ahead.len());
    w.chain.plant(&fake, Account { lamports, data: ahead, owner, ..Account::default() });
    let faked = swap(&execute, &solana_clock_id(), &fake);
    w.attack(ManagerError::TimelockNotOver, &[faked.clone()], &["dan"]);
    w.chain.set_time(proposal.eta);
    w.attack(ManagerError::WrongProgram, &[faked], &["dan"]);
    w.passes(&[execute], &["dan"]);

    // The timelock runs from the approval that reaches the threshold: not from the proposal, a
    // revoked approval or the first approval.
    let mut w = World::at(Stage::Proposed);
    w.approve_by(&["anna", "ben"]);
    w.chain.pass(i64::from(TIMELOCK));
    let execute = w.execute_ix("dan");
    w.attack(ManagerError::NotTimelocked, &[execute.clone()], &["dan"]);
    w.approve_by(&["chloe"]);
    w.attack(ManagerError::TimelockNotOver, &[execute.clone()], &["dan"]);
    w.chain.pass(i64::from(TIMELOCK) - 1);
    let revoke = w.revoke_ix("ben");
    w.passes(&[revoke], &["ben"]);
    w.chain.pass(1);
    w.attack(ManagerError::NotTimelocked, &[execute.clone()], &["dan"]);
    w.approve_by(&["eve"]);
    w.attack(ManagerError::TimelockNotOver, &[execute.clone()], &["dan"]);
    w.chain.pass(i64::from(TIMELOCK));
    w.passes(&[execute], &["dan"]);
}

fn solana_clock_id() -> solana_pubkey::Pubkey {
    use anchor_lang::solana_program::sysvar::SysvarId;
    solana_clock::Clock::id()
}

#[test]
fn attack_09_execution_after_the_execution_window() {
    let mut w = World::at(Stage::Timelocked);
    let (proposal, execute, expire) = (w.proposal(), w.execute_ix("dan"), w.expire_ix());
    assert_eq!(proposal.window_end, proposal.eta + i64::from(EXECUTION_WINDOW));
    w.chain.pass_until(proposal.window_end);
    w.attack(ManagerError::NotExpired, &[expire.clone()], &[]);
    w.would_pass(&[execute.clone()], &["dan"]);
    w.chain.pass(1);
    w.attack(ManagerError::Expired, &[execute.clone()], &["dan"]);
    // Neither votes nor revocations reopen it.
    for (vote, who) in
        [(w.approve_ix("eve"), "eve"), (w.reject_ix("eve"), "eve"), (w.revoke_ix("anna"), "anna")]
    {
        w.attack(ManagerError::Expired, &[vote], &[who]);
    }
    w.chain.pass(10 * 365 * 24 * 3600);
    w.attack(ManagerError::Expired, &[execute.clone()], &["dan"]);
    w.passes(&[expire.clone()], &[]);
    assert_eq!((w.proposal().status, w.state().live_proposal), (ProposalStatus::Expired, None));
    w.attack(ManagerError::NotTimelocked, &[execute], &["dan"]);
    w.attack(ManagerError::NotVoting, &[expire], &[]);

    // The approved expiry shortens the execution window and ends the voting.
    let mut w = World::at(Stage::Attested);
    w.id = w.config().next_proposal;
    let expires_at = w.chain.time() + i64::from(TIMELOCK) + 600;
    let propose = w.propose_ix("anna", ProposeArgs { expires_at, ..w.propose_args() });
    w.passes(&[propose], &["anna", "payer"]);
    let mut late = w.clone();
    w.approve_by(&APPROVERS);
    let execute = w.execute_ix("dan");
    assert_eq!(w.proposal().window_end, expires_at);
    w.chain.pass_until(expires_at);
    w.would_pass(&[execute.clone()], &["dan"]);
    w.chain.pass(1);
    w.attack(ManagerError::Expired, &[execute], &["dan"]);
    late.approve_by(&["anna", "ben"]);
    late.chain.pass_until(expires_at);
    late.would_pass(&[late.approve_ix("chloe")], &["chloe"]);
    late.chain.pass(1);
    let vote = late.approve_ix("chloe");
    late.attack(ManagerError::Expired, &[vote], &["chloe"]);
}

#[test]
fn attack_13_a_stranger_extends_the_program_in_the_slot_of_its_execution() {
    let mut w = World::at(Stage::Ready);
    let stranger = key("stranger");
    let execute = w.execute_ix("dan");
    for _ in 0..3 {
        let extend = extend_program(&demo_vault::ID, Some(&stranger.pubkey()), 10_240);
        w.passes(&[extend], &["stranger"]);
        w.attack_saying("deployed in this block already", &[execute.clone()], &["dan"]);
        w.chain.next_slot();
    }
    w.passes(&[execute], &["dan"]);
    assert_eq!(w.live_code(), backend::elf::trimmed(elf::v2()));
    // A rollback is as hard to block: each blocked slot costs the rent of ten kibibytes.
    w.chain.next_slot();
    w.vote_rollback(&APPROVERS, false);
    let back = w.rollback_ix("dan");
    let extend = extend_program(&demo_vault::ID, Some(&stranger.pubkey()), 10_240);
    w.passes(&[extend], &["stranger"]);
    w.attack_saying("deployed in this block already", &[back.clone()], &["dan"]);
    w.chain.next_slot();
    w.passes(&[back], &["dan"]);
    assert_eq!(w.live_code(), backend::elf::trimmed(elf::v1()));

    // An account too small for the new code costs a slot as well, and no new vote.
    let mut w = World::at(Stage::Registered);
    let mut large = elf::v2().to_vec();
    let room = e2e::loader::live(&w.chain, &demo_vault::ID).len();
    large.resize(room + 1, 0);
    w.stage_buffers(&large, elf::v1());
    w.propose();
    w.approve_by(&APPROVERS);
    w.chain.pass(i64::from(TIMELOCK));
    let execute = w.execute_ix("dan");
    w.attack_saying("ProgramData account not large enough", &[execute.clone()], &["dan"]);
    let extend = extend_program(&demo_vault::ID, Some(&stranger.pubkey()), 10_240);
    w.passes(&[extend], &["stranger"]);
    w.chain.next_slot();
    w.passes(&[execute], &["dan"]);
}

#[test]
fn attack_14_migration_in_the_slot_of_the_upgrade() {
    let mut w = World::at(Stage::Ready);
    let (vaults, execute) = (w.vaults.clone(), w.execute_ix("dan"));
    let migrate = w.migrate_ix(&vaults);
    w.attack(ManagerError::NotExecuted, &[migrate.clone()], &["cranker"]);
    w.attack(ManagerError::SameSlot, &[execute.clone(), migrate.clone()], &["dan", "cranker"]);
    w.passes(&[execute], &["dan"]);
    w.attack(ManagerError::SameSlot, &[migrate.clone()], &["cranker"]);
    w.chain.set_time(w.chain.time() + 3600);
    w.attack(ManagerError::SameSlot, &[migrate.clone()], &["cranker"]);
    w.vote_rollback(&APPROVERS, false);
    let back = w.rollback_ix("dan");
    w.attack(ManagerError::SameSlot, &[back], &["dan"]);
    let mut w = World::at(Stage::Ready);
    w.execute();
    w.chain.next_slot();
    w.passes(&[migrate], &["cranker"]);
    w.vote_rollback(&APPROVERS, false);
    let restore = w.restore_ix("dan", &w.old_bytes(&vaults));
    // The test sets the slot of the last execution to the present one.
    let state = upgrade_manager::seeds::program_state(&demo_vault::ID).0;
    let (mut same, slot) = (w.clone(), w.chain.slot());
    same.chain.rewrite::<ProgramUpgradeState>(&state, |s| s.executed_slot = slot);
    same.attack(ManagerError::SameSlot, &[restore.clone()], &["dan", "payer"]);
    w.passes(&[restore], &["dan", "payer"]);
}

#[test]
fn attack_27_numbers_at_the_ends_of_their_range() {
    let mut w = World::at(Stage::Attested);
    let who = ["anna", "payer"];
    let good = w.propose_args();
    let (wide, far) = (LenRange { min: 0, max: u32::MAX }, good.type_rules[0]);
    let rule = |rule| ProposeArgs { type_rules: vec![rule], ..good.clone() };
    for (error, args) in [
        (ManagerError::Overflow, ProposeArgs { expires_at: i64::MIN, ..good.clone() }),
        (ManagerError::ExpiryOutOfRange, ProposeArgs { expires_at: i64::MAX, ..good.clone() }),
        (ManagerError::ExpiryOutOfRange, ProposeArgs { expires_at: 0, ..good.clone() }),
        (ManagerError::TypeRule, rule(TypeRule { version_offset: u16::MAX, ..far })),
        (ManagerError::TypeRule, rule(TypeRule { version_width: u8::MAX, ..far })),
        (ManagerError::TypeRule, rule(TypeRule { old_len: wide, ..far })),
        (ManagerError::TypeRule, rule(TypeRule { new_len: wide, ..far })),
    ] {
        let propose = w.propose_ix("anna", args);
        w.attack(error, &[propose], &who);
    }
    let most = ProposeArgs {
        to_version: u16::MAX,
        manifest: Manifest { root: [1; 32], count: u32::MAX },
        ..good.clone()
    };
    w.would_pass(&[w.propose_ix("anna", most)], &who);

    // The highest id cannot be used, because the next one would overflow.
    let multisig = w.multisig();
    let mut last = w.clone();
    last.chain.rewrite::<MultisigConfig>(&multisig, |c| c.next_proposal = u64::MAX);
    let propose = last.propose_ix("anna", good.clone());
    last.attack(ManagerError::Overflow, &[propose], &who);
    last.chain.rewrite::<MultisigConfig>(&multisig, |c| c.next_proposal = u64::MAX - 1);
    let propose = last.propose_ix("anna", good);
    last.passes(&[propose], &who);

    // A chain whose time is about to end.
    let args = ProposeArgs { expires_at: i64::MAX, ..w.propose_args() };
    w.chain.set_time(i64::MAX - 2 * i64::from(TIMELOCK));
    let propose = w.propose_ix("anna", args);
    w.passes(&[propose], &who);
    w.chain.set_time(i64::MAX - 1);
    w.approve_by(&["anna", "ben"]);
    let decisive = w.approve_ix("chloe");
    w.attack(ManagerError::Overflow, &[decisive], &["chloe"]);
    assert_eq!((w.proposal().status, w.proposal().eta), (ProposalStatus::Active, 0));

    // Counters neither wrap at the top nor at the bottom.
    let state = upgrade_manager::seeds::program_state(&demo_vault::ID).0;
    let mut w = World::at(Stage::Executed);
    let (one, mut full) = (w.migrate_ix(&w.vaults[..1]), w.clone());
    full.chain.rewrite::<ProgramUpgradeState>(&state, |s| s.counters.migrated = u32::MAX);
    full.attack(ManagerError::Overflow, &[one.clone()], &["cranker"]);
    w.passes(&[one], &["cranker"]);
    let (verify, mut none) = (w.verify_ix(&w.vaults[..1]), w.clone());
    none.chain.rewrite::<ProgramUpgradeState>(&state, |s| s.counters.migrated = 0);
    none.attack(ManagerError::Overflow, &[verify.clone()], &[]);
    w.passes(&[verify], &[]);

    // Lengths that say more than there is, and buffers without a byte of code.
    let mut w = World::at(Stage::Registered);
    w.upload("upgrade", elf::v2());
    w.freeze("upgrade", BufferRole::Upgrade);
    let buffer = w.buffer_key("upgrade").pubkey();
    for len in [0, u32::MAX, i32::MAX as u32] {
        let attest = backend::instructions::attest_buffer(&demo_vault::ID, &buffer, len);
        w.attack(ManagerError::TrimmedLength, &[attest], &[]);
    }
    w.would_pass(&[w.attest_ix("upgrade")], &[]);
    w.upload("empty", &[]);
    w.freeze("empty", BufferRole::Upgrade);
    let attest = w.attest_ix("empty");
    w.attack(ManagerError::TrimmedLength, &[attest], &[]);
}
