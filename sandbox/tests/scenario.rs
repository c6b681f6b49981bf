//! Rules out a ready line that does not match the chain, and a headless flow that passes although the chain
//! did something else. Needs the ELFs: `cargo xtask build-sbf`, or CONTROL_ROOM_ELF_DIR.
#![allow(clippy::unwrap_used, reason = "the helpers of a test may fail it")]
use std::{
    io::{BufRead, BufReader, Read},
    path::PathBuf,
    process::{Command, Stdio},
};

use backend::ProposalContext;
use demo_vault::v1;
use sandbox::{
    chain::{local_chain::ChainConfig, snapshot::AccountSnapshot},
    flow,
    scenario::{elf_paths::ElfPaths, ready::Ready, setup::Setup, world::World},
};
use upgrade_manager::state::{Choice, Phase, ProposalStatus};

const BIN: &str = env!("CARGO_BIN_EXE_control-room-sandbox");

fn elf_dir() -> PathBuf {
    std::env::var_os("CONTROL_ROOM_ELF_DIR")
        .map_or_else(|| ElfPaths::default_dir().unwrap(), PathBuf::from)
}

fn setup(dir: &std::path::Path, vaults: u32) -> Setup {
    Setup {
        elfs: ElfPaths::find(&elf_dir()).unwrap(),
        data_dir: dir.to_owned(),
        vaults,
        bare: false,
        unit_price: 0,
        chain: ChainConfig::with_slots_of(50),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_seeded_chain_holds_what_it_says() {
    use anchor_lang::AccountDeserialize;
    let dir = tempfile::tempdir().unwrap();
    let world = World::create(&setup(dir.path(), 9)).await.unwrap();
    let context = ProposalContext::load(&world.client, world.seeded.as_ref().unwrap().proposal)
        .await
        .unwrap();

    let multisig = &context.multisig;
    assert_eq!((multisig.threshold, multisig.timelock, multisig.members.len()), (3, 48 * 3600, 5));
    for (member, saved) in multisig.members.iter().zip(&world.keys.members) {
        assert_eq!(member.key, saved.signer.pubkey());
    }
    assert_eq!((context.state.version, context.state.phase), (1, Phase::Steady));
    let proposal = &context.proposal;
    assert_eq!(proposal.status, ProposalStatus::Active);
    assert_eq!(proposal.ballot.count(Choice::Approve), 1);
    assert_eq!(proposal.terms.manifest.count, 9);
    assert_eq!(proposal.terms.genesis_hash, world.client.genesis_hash());

    let vaults = AccountSnapshot::take(&world.client, &demo_vault::ID).await.unwrap();
    let mut balances: Vec<u64> = vaults
        .0
        .values()
        .map(|raw| v1::Vault::try_deserialize(&mut &raw.data[..]).unwrap().balance)
        .collect();
    balances.sort_unstable();
    balances.dedup();
    assert_eq!((vaults.0.len(), balances.len()), (9, 9));
    assert!(balances.iter().all(|b| *b > 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_flow_ends_with_every_account_as_it_began() {
    let dir = tempfile::tempdir().unwrap();
    let world = World::create(&setup(dir.path(), 11)).await.unwrap();
    let before = AccountSnapshot::take(&world.client, &demo_vault::ID).await.unwrap();
    let mut table = Vec::new();
    flow::run(&world, &mut table).await.unwrap();
    let table = String::from_utf8(table).unwrap();
    assert_eq!(table.lines().filter(|l| l.starts_with("approve ")).count(), 3, "{table}");
    for part in ["The timelock is not over", "48 h", "migrate", "verify", "complete", "restore"] {
        assert!(table.contains(part), "{part}: {table}");
    }
    assert!(table.contains("11 of 11 accounts are what they were before"), "{table}");
    let after = AccountSnapshot::take(&world.client, &demo_vault::ID).await.unwrap();
    assert_eq!(before, after);
    // A second run has nothing to approve any more: it must say so instead of passing.
    assert!(flow::run(&world, Vec::new()).await.is_err());
}

#[test]
fn the_child_prints_one_ready_line_and_ends_when_stdin_is_closed() {
    let dir = tempfile::tempdir().unwrap();
    let mut child = Command::new(BIN)
        .args(["--vaults", "3", "--slot-ms", "50", "--data-dir"])
        .arg(dir.path())
        .env("CONTROL_ROOM_ELF_DIR", elf_dir())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    stdout.read_line(&mut line).unwrap();
    let ready: Ready = serde_json::from_str(&line).unwrap();
    assert_eq!(ready.members.len(), 5);
    assert!(ready.members.iter().all(|m| backend::FileSigner::open(m).is_ok()));
    drop(child.stdin.take());
    assert!(child.wait().unwrap().success());
    let mut rest = String::new();
    stdout.read_to_string(&mut rest).unwrap();
    assert_eq!(rest, "", "stdout carries one line and nothing else");
}

#[test]
fn sigterm_ends_the_child_well_and_leaves_no_key_behind() {
    let temporary = tempfile::tempdir().unwrap();
    let mut child = Command::new(BIN)
        .args(["--vaults", "3", "--slot-ms", "50"])
        .env("CONTROL_ROOM_ELF_DIR", elf_dir())
        .env("TMPDIR", temporary.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let ready: Ready = serde_json::from_str(&line).unwrap();
    assert!(ready.members.iter().all(|m| m.starts_with(temporary.path()) && m.exists()));
    let asked = Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap();
    assert!(asked.success());
    assert!(child.wait().unwrap().success());
    assert_eq!(std::fs::read_dir(temporary.path()).unwrap().count(), 0);
}

#[test]
fn missing_elfs_are_reported_in_one_sentence() {
    let empty = tempfile::tempdir().unwrap();
    let out = Command::new(BIN)
        .args(["--until-ready", "--elf-dir"])
        .arg(empty.path())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert_eq!(out.status.code(), Some(1));
    let said = String::from_utf8(out.stderr).unwrap();
    assert!(said.contains("cargo xtask build-sbf") && said.lines().count() == 1, "{said}");
}
