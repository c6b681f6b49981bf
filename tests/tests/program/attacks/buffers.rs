//! Attacks on the code: other bytes, another buffer, an unusable rollback buffer.
use backend::instructions as ix;
use e2e::{
    attack::{swap, twin::Twin},
    elf,
    keys::{address, key},
    world::{APPROVERS, ROLLBACK_WINDOW, Stage, World},
};
use solana_loader_v3_interface::instruction::{set_buffer_authority, upgrade, write};
use solana_pubkey::Pubkey;
use solana_signer::Signer;
use upgrade_manager::{error::ManagerError, seeds, state::BufferRole};

fn buffer(w: &World, name: &str) -> Pubkey {
    w.buffer_key(name).pubkey()
}

#[test]
fn attack_10_other_bytes_than_those_that_were_voted_for() {
    // Nobody writes into a frozen buffer, takes it back, or installs it past the manager.
    let mut w = World::at(Stage::Ready);
    let (dev, execute) = (address("dev"), w.execute_ix("dan"));
    for name in ["upgrade", "rollback"] {
        let at = buffer(&w, name);
        let patch = write(&at, &dev, 100, vec![0xcc; 8]);
        w.attack_saying("Incorrect buffer authority", &[patch], &["dev"]);
        let take = set_buffer_authority(&at, &dev, &dev);
        w.attack_saying("Incorrect authority provided", &[take], &["dev"]);
        let install = upgrade(&demo_vault::ID, &at, &dev, &dev);
        w.attack_saying("authority don't match", &[install], &["dev"]);
    }
    // Another buffer in its place: of the same bytes, of other ones, of the other role.
    w.stage_upgrade("other", elf::v2());
    w.stage_upgrade("worse", elf::hostile());
    for other in ["other", "worse", "rollback"] {
        let (from, to) = (buffer(&w, "upgrade"), buffer(&w, other));
        let one = swap(&execute, &from, &to);
        w.attack(ManagerError::WrongAccount, &[one.clone()], &["dan"]);
        let (from, to) = (seeds::attestation(&from).0, seeds::attestation(&to).0);
        if other != "rollback" {
            w.attack(ManagerError::WrongAccount, &[swap(&one, &from, &to)], &["dan"]);
        }
        w.attack(ManagerError::WrongAccount, &[swap(&execute, &from, &to)], &["dan"]);
    }
    // No instruction changes a frozen buffer. If a future loader had one, the manager must still
    // refuse: a changed byte in the middle, the first, the last, one byte more, one less.
    let (at, end) = (buffer(&w, "upgrade"), elf::v2().len());
    let last = backend::elf::trimmed(elf::v2()).len() + 37 - 1;
    type Change<'a> = (&'a str, ManagerError, &'a dyn Fn(&mut Vec<u8>));
    let changes: [Change<'_>; 6] = [
        ("middle", ManagerError::HashMismatch, &|d| d[5_000] ^= 1),
        ("last", ManagerError::HashMismatch, &|d| d[last] ^= 0x80),
        ("first", ManagerError::NotAnElf, &|d| d[37] ^= 1),
        ("tail", ManagerError::TrimmedLength, &|d| d[37 + end - 1] = 1),
        ("longer", ManagerError::HashMismatch, &|d| d.push(0)),
        ("shorter", ManagerError::HashMismatch, &|d| d.truncate(37 + end - 1)),
    ];
    for (what, error, change) in changes {
        println!("{what}");
        let mut w = w.clone();
        w.chain.tamper(&at, |data| change(data));
        w.attack(error, &[execute.clone()], &["dan"]);
    }
    w.passes(&[execute.clone()], &["dan"]);

    // The buffer is closed, made again at the same address with other bytes, frozen and attested:
    // the new attestation is pinned by no proposal.
    let mut w = World::at(Stage::Attested);
    let close = w.close_buffer_ix("dev", "upgrade");
    w.passes(&[close], &["dev"]);
    w.stage_upgrade("upgrade", elf::hostile());
    assert_ne!(w.attestation("upgrade").sha256, attest_hash(&World::at(Stage::Attested)));
    let mut w = World::at(Stage::Ready);
    let cancelled = {
        let mut w = w.clone();
        for member in APPROVERS {
            let cancel = w.cancel_ix(member);
            w.passes(&[cancel], &[member]);
        }
        w.close_buffers(&["upgrade"]);
        w.stage_upgrade("upgrade", elf::hostile());
        w
    };
    let (at, known) = (buffer(&w, "upgrade"), seeds::attestation(&buffer(&w, "upgrade")).0);
    let (other, what) = (cancelled.chain.account(&at), cancelled.chain.account(&known));
    w.chain.plant(&known, what.unwrap());
    w.attack(ManagerError::WrongAccount, &[execute.clone()], &["dan"]);
    let mut w = World::at(Stage::Ready);
    w.chain.plant(&at, other.unwrap());
    w.attack(ManagerError::HashMismatch, &[execute], &["dan"]);
}

fn attest_hash(w: &World) -> [u8; 32] {
    w.attestation("upgrade").sha256
}

#[test]
fn attack_11_a_buffer_that_its_uploader_can_still_change() {
    let mut w = World::at(Stage::Attested);
    let (who, dev) = (["anna", "payer"], address("dev"));
    // Never frozen: it has no attestation.
    w.upload("mine", elf::v2());
    for (up, back) in [("mine", "rollback"), ("upgrade", "mine")] {
        let propose = w.propose_with_ix("anna", w.propose_args(), up, back);
        w.attack(ManagerError::WrongAccount, &[propose], &who);
    }
    // Attested, but with its authority changed directly in its bytes: at attestation, proposal and
    // execution.
    let back_to_dev = |w: &mut World, name: &str| {
        let at = buffer(w, name);
        w.chain.tamper(&at, |data| data[5..37].copy_from_slice(dev.as_ref()));
    };
    for name in ["upgrade", "rollback"] {
        let (mut thawed, mut forever) = (w.clone(), w.clone());
        back_to_dev(&mut thawed, name);
        let propose = thawed.propose_ix("anna", thawed.propose_args());
        thawed.attack(ManagerError::BufferNotFrozen, &[propose.clone()], &who);
        let at = buffer(&w, name);
        forever.chain.tamper(&at, |data| data[4] = 0);
        forever.attack(ManagerError::BufferNotFrozen, &[propose], &who);
    }
    let mut frozen = World::at(Stage::Registered);
    for (name, code, role) in
        [("upgrade", elf::v2(), BufferRole::Upgrade), ("rollback", elf::v1(), BufferRole::Rollback)]
    {
        frozen.upload(name, code);
        frozen.freeze(name, role);
        let attest = match role {
            BufferRole::Upgrade => frozen.attest_ix(name),
            BufferRole::Rollback => frozen.attest_rollback_ix(name),
        };
        let mut thawed = frozen.clone();
        back_to_dev(&mut thawed, name);
        thawed.attack(ManagerError::BufferNotFrozen, &[attest.clone()], &[]);
        frozen.passes(&[attest], &[]);
    }
    let mut ready = World::at(Stage::Ready);
    for name in ["upgrade", "rollback"] {
        let (mut thawed, execute) = (ready.clone(), ready.execute_ix("dan"));
        back_to_dev(&mut thawed, name);
        thawed.attack(ManagerError::BufferNotFrozen, &[execute], &["dan"]);
    }
    ready.execute();
    // Frozen, but for another program.
    let twin = Twin::of(&w);
    twin.plant(&mut w);
    let good = w.propose_ix("anna", w.propose_args());
    for name in ["upgrade", "rollback"] {
        let own = buffer(&w, name);
        let theirs = twin.key(&own).unwrap();
        let (known, other) = (seeds::attestation(&own).0, seeds::attestation(&theirs).0);
        let both = swap(&swap(&good, &own, &theirs), &known, &other);
        for ix in [both, swap(&good, &own, &theirs), swap(&good, &known, &other)] {
            w.attack(ManagerError::WrongAccount, &[ix], &who);
        }
    }
    // A freeze by a key that is not the authority, or of an account that is no buffer.
    w.upload("second", elf::v2());
    let freeze = w.freeze_ix("second", BufferRole::Upgrade);
    let theft = swap(&freeze, &dev, &address("stranger"));
    w.attack(ManagerError::NotBufferAuthority, &[theft], &["stranger", "payer"]);
    let second = buffer(&w, "second");
    let data = ix::program_data_address(&demo_vault::ID);
    for no_buffer in [demo_vault::ID, data, w.vaults[0], address("nobody")] {
        let (from, to) = (seeds::attestation(&second).0, seeds::attestation(&no_buffer).0);
        let wrong = swap(&swap(&freeze, &second, &no_buffer), &from, &to);
        w.attack(ManagerError::NotALoaderAccount, &[wrong], &["dev", "payer"]);
    }
    w.passes(&[good], &who);
    w.passes(&[freeze], &["dev", "payer"]);
}

#[test]
fn attack_32_a_wrong_or_missing_rollback_buffer() {
    // One byte differs; a byte more; a byte less; other code; a copy that could not be deployed.
    let live = elf::v1();
    let end = backend::elf::trimmed(live).len();
    let (mut first, mut last) = (live.to_vec(), live.to_vec());
    first[4096] ^= 1;
    last[end - 1] ^= 0x80;
    let room = e2e::loader::live(&World::at(Stage::Registered).chain, &demo_vault::ID).len();
    let mut long = live.to_vec();
    long.resize(room + 1, 0);
    let cases = [
        (first, ManagerError::RollbackNotLive),
        (last, ManagerError::RollbackNotLive),
        (live[..end - 1].to_vec(), ManagerError::RollbackNotLive),
        ([live, &[1]].concat(), ManagerError::RollbackNotLive),
        (elf::v2().to_vec(), ManagerError::RollbackNotLive),
        (long, ManagerError::RollbackNotLive),
        (live[..end].to_vec(), ManagerError::ElfCutShort),
    ];
    let base = World::at(Stage::Registered);
    for (i, (bytes, error)) in cases.into_iter().enumerate() {
        println!("copy {i}");
        let mut w = base.clone();
        w.upload("rollback", &bytes);
        w.freeze("rollback", BufferRole::Rollback);
        let attest = w.attest_rollback_ix("rollback");
        w.attack(error, &[attest], &[]);
    }
    let mut padded = live.to_vec();
    padded.resize(room, 0);
    let mut w = base.clone();
    w.stage_rollback("rollback", &padded);

    // A copy in the wrong role, or of code that no longer runs, is not proposed.
    let mut w = base.clone();
    w.stage_upgrade("upgrade", elf::v2());
    w.stage_upgrade("copy", live);
    w.upload("waiting", live);
    w.freeze("waiting", BufferRole::Rollback);
    w.stage_rollback("rollback", live);
    let who = ["anna", "payer"];
    for (up, back, error) in [
        ("upgrade", "copy", ManagerError::WrongBufferRole),
        ("rollback", "rollback", ManagerError::WrongBufferRole),
        ("upgrade", "waiting", ManagerError::NotAttested),
    ] {
        let propose = w.propose_with_ix("anna", w.propose_args(), up, back);
        w.attack(error, &[propose], &who);
    }
    w.would_pass(&[w.propose_ix("anna", w.propose_args())], &who);

    // Rollback buffer changed after the vote: the upgrade is not executed, so a rollback is always
    // possible.
    let mut w = World::at(Stage::Ready);
    let (at, execute) = (buffer(&w, "rollback"), w.execute_ix("dan"));
    for change in [37 + 4096, 37 + end - 1] {
        let mut poisoned = w.clone();
        poisoned.chain.tamper(&at, |data| data[change] ^= 0x80);
        poisoned.attack(ManagerError::RollbackNotLive, &[execute.clone()], &["dan"]);
    }
    let mut cut = w.clone();
    cut.chain.tamper(&at, |data| data.truncate(data.len() - 1));
    cut.attack(ManagerError::HashMismatch, &[execute.clone()], &["dan"]);
    let mut gone = w.clone();
    gone.chain.plant(&at, Default::default());
    gone.attack(ManagerError::NotALoaderAccount, &[execute.clone()], &["dan"]);
    let mut replaced = w.clone();
    let data = w.state().program_data;
    replaced.chain.tamper(&data, |data| data[45 + 4096] ^= 1);
    replaced.attack(ManagerError::RollbackNotLive, &[execute.clone()], &["dan"]);
    w.passes(&[execute], &["dan"]);

    // Nobody can close it before the rollback window ends.
    let close = |w: &World, who: &str| w.close_buffer_ix(who, "rollback");
    for stage in [Stage::Proposed, Stage::Ready, Stage::Executed, Stage::Completed] {
        let mut w = World::at(stage);
        if stage == Stage::Completed {
            w.chain.pass_until(w.proposal().executed_at + i64::from(ROLLBACK_WINDOW));
        }
        for who in ["dev", "anna", "stranger"] {
            let close = close(&w, who);
            w.attack(ManagerError::NotEnded, &[close], &[who]);
        }
    }
    let mut w = World::at(Stage::Completed);
    let back = w.clone();
    w.chain.pass(i64::from(ROLLBACK_WINDOW) + 1);
    w.would_pass(&[close(&w, "stranger")], &["stranger"]);
    // An approved rollback keeps its buffer without a time limit, and accepts no other buffer.
    let mut w = back;
    w.vote_rollback(&APPROVERS, false);
    w.restore_all();
    w.chain.pass(i64::from(ROLLBACK_WINDOW) * 10);
    let late = close(&w, "dev");
    w.attack(ManagerError::NotEnded, &[late], &["dev"]);
    w.upload("other", elf::hostile());
    w.freeze("other", BufferRole::Rollback);
    let (good, other) = (w.rollback_ix("dan"), buffer(&w, "other"));
    w.attack(ManagerError::WrongAccount, &[swap(&good, &at, &other)], &["dan"]);
    let both =
        swap(&swap(&good, &at, &other), &seeds::attestation(&at).0, &seeds::attestation(&other).0);
    w.attack(ManagerError::WrongAccount, &[both], &["dan"]);
    let mut forged = w.clone();
    forged.chain.tamper(&at, |data| data[9_000] ^= 1);
    forged.attack(ManagerError::HashMismatch, &[good.clone()], &["dan"]);
    w.passes(&[good], &["dan"]);
    assert_eq!(w.live_code(), backend::elf::trimmed(live));
}

#[test]
fn attack_34_a_program_extended_to_ten_mebibytes() {
    const MAX_ACCOUNT_LEN: usize = 10 * 1024 * 1024;
    for stage in [Stage::Ready, Stage::Executed] {
        let mut w = World::at(stage);
        let data = w.state().program_data;
        w.chain.tamper(&data, |data| data.resize(MAX_ACCOUNT_LEN, 0));
        let (what, ix) = match stage {
            Stage::Ready => ("execute_upgrade (10 MiB)", w.execute_ix("dan")),
            _ => {
                w.vote_rollback(&APPROVERS, false);
                ("rollback_program (10 MiB)", w.rollback_ix("dan"))
            }
        };
        let meta = w.run(what, ix, &[&key("dan")]);
        assert!(meta.compute_units_consumed < 1_400_000);
    }
    // The other instructions that read the program's code.
    let mut w = World::at(Stage::Registered);
    w.upload("rollback", elf::v1());
    w.freeze("rollback", BufferRole::Rollback);
    let data = w.state().program_data;
    w.chain.tamper(&data, |data| data.resize(MAX_ACCOUNT_LEN, 0));
    w.attest_rollback("rollback");
    let mut w = World::at(Stage::Executed);
    w.chain.tamper(&data, |data| data.resize(MAX_ACCOUNT_LEN, 0));
    w.migrate_all();
}
