//! The toolchain that compiles the programs gives the host's results. Runs the ELF of
//! `tools/sbf/elf-selftest` in LiteSVM; its functions are compiled into this test as well, so each
//! expected result comes from the same source.

use std::{env, path::PathBuf};

use litesvm::{LiteSVM, types::TransactionMetadata};
use sha2::{Digest, Sha256};
use solana_clock::Clock;
use solana_compute_budget_interface::ComputeBudgetInstruction;
use solana_instruction::{AccountMeta, Instruction};
use solana_keypair::Keypair;
use solana_message::{Message, VersionedMessage};
use solana_pubkey::Pubkey;
use solana_signer::Signer;
use solana_transaction::versioned::VersionedTransaction;

#[path = "../../../tools/sbf/elf-selftest/src/arithmetic.rs"]
mod arithmetic;
#[path = "../../../tools/sbf/elf-selftest/src/calls.rs"]
mod calls;
#[path = "../../../tools/sbf/elf-selftest/src/collections.rs"]
mod collections;

const PROGRAM: Pubkey = Pubkey::from_str_const("E1fSe1fTest11111111111111111111111111111111");
const SYSTEM: Pubkey = Pubkey::from_str_const("11111111111111111111111111111111");
/// Chain time in these tests.
const NOW: i64 = 1_792_065_600;

/// A chain with the program and a payer.
struct Machine {
    svm: LiteSVM,
    payer: Keypair,
}

/// An instruction's result, with the logs of a failed one.
type SendResult = Result<TransactionMetadata, Vec<String>>;

impl Machine {
    fn new() -> Self {
        let elf = elf();
        let mut svm = LiteSVM::new();
        svm.add_program_from_file(PROGRAM, &elf).unwrap_or_else(|error| {
            panic!("{} cannot be deployed: {error:?}", elf.display());
        });
        let payer = Keypair::new();
        svm.airdrop(&payer.pubkey(), 100_000_000_000).unwrap();
        svm.set_sysvar(&Clock { unix_timestamp: NOW, ..svm.get_sysvar() });
        Self { svm, payer }
    }

    fn call(&mut self, name: &str, accounts: &[AccountMeta], arguments: &[&[u8]]) -> SendResult {
        let mut metas = vec![AccountMeta::new(self.payer.pubkey(), true)];
        metas.extend_from_slice(accounts);
        let data = [&discriminator("global", name)[..], &arguments.concat()].concat();
        let instructions = [
            ComputeBudgetInstruction::set_compute_unit_limit(1_400_000),
            Instruction { program_id: PROGRAM, accounts: metas, data },
        ];
        self.svm.expire_blockhash();
        let hash = self.svm.latest_blockhash();
        let payer = self.payer.pubkey();
        let message = Message::new_with_blockhash(&instructions, Some(&payer), &hash);
        let message = VersionedMessage::Legacy(message);
        let transaction = VersionedTransaction::try_new(message, &[&self.payer]).unwrap();
        self.svm.send_transaction(transaction).map_err(|failed| failed.meta.logs)
    }

    /// What an instruction without accounts returns, filled up with zeros: the runtime cuts them off.
    fn returned<const N: usize>(&mut self, name: &str, arguments: &[&[u8]]) -> [u8; N] {
        let meta =
            self.call(name, &[], arguments).unwrap_or_else(|logs| panic!("{name}: {logs:#?}"));
        let mut bytes = [0; N];
        bytes[..meta.return_data.data.len()].copy_from_slice(&meta.return_data.data);
        bytes
    }

    fn data(&self, address: &Pubkey) -> Vec<u8> {
        self.svm.get_account(address).unwrap().data
    }

    #[track_caller]
    fn assert_rent_exempt(&self, address: &Pubkey) {
        let account = self.svm.get_account(address).unwrap();
        let rent = self.svm.minimum_balance_for_rent_exemption(account.data.len());
        assert_eq!(account.lamports, rent);
    }
}

fn elf() -> PathBuf {
    let path = env::var_os("CONTROL_ROOM_ELF_SELFTEST").map_or_else(
        || {
            let cache = env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
            let home = || PathBuf::from(env::var_os("HOME").expect("HOME is set")).join(".cache");
            let cache = cache.unwrap_or_else(home);
            cache.join("program-upgrade-control-room/elf/elf_selftest.so")
        },
        PathBuf::from,
    );
    assert!(path.exists(), "{} is missing: run `cargo xtask build-sbf --selftest`", path.display());
    path
}

fn discriminator(kind: &str, name: &str) -> [u8; 8] {
    Sha256::digest(format!("{kind}:{name}"))[..8].try_into().unwrap()
}

fn pda(seed: &str) -> Pubkey {
    Pubkey::find_program_address(&[seed.as_bytes()], &PROGRAM).0
}

fn writable(address: Pubkey) -> AccountMeta {
    AccountMeta::new(address, false)
}

fn readonly(address: Pubkey) -> AccountMeta {
    AccountMeta::new_readonly(address, false)
}

fn bytes(content: &[u8]) -> Vec<u8> {
    [&(content.len() as u32).to_le_bytes(), content].concat()
}

fn keys(list: &[Pubkey]) -> Vec<u8> {
    let content: Vec<u8> = list.iter().flat_map(Pubkey::to_bytes).collect();
    [&(list.len() as u32).to_le_bytes()[..], &content].concat()
}

#[track_caller]
fn assert_refused(outcome: SendResult, reason: &str) {
    let logs = outcome.expect_err("the program should refuse");
    assert!(logs.iter().any(|log| log.contains(reason)), "no {reason:?} in {logs:#?}");
}

#[track_caller]
fn assert_logged(meta: &TransactionMetadata, text: &str) {
    let line = format!("Program log: {text}");
    assert!(meta.logs.contains(&line), "no {line:?} in {:#?}", meta.logs);
}

/// Numbers around every boundary of every width, then some without pattern.
fn samples() -> Vec<u128> {
    let mut out = vec![0, 1, 2, 3, 7, 10, 1_000_000_007, u128::MAX];
    for bits in [7, 8, 15, 31, 32, 33, 63, 64, 65, 96, 127] {
        let power = 1u128 << bits;
        out.extend([power - 1, power, power + 1, power.wrapping_neg(), (power - 1).wrapping_neg()]);
    }
    let mut state = 0x0123_4567_89ab_cdef_0f1e_2d3c_4b5a_6978u128;
    for shift in 0..30 {
        state = state.wrapping_mul(0xda94_2042_e4dd_58b5).wrapping_add(0x9e37_79b9_7f4a_7c15);
        out.push(state >> (shift * 4));
    }
    out
}

#[test]
fn every_operation_of_every_width_equals_the_hosts() {
    let mut machine = Machine::new();
    let samples = samples();
    for operation in 0..arithmetic::OPERATIONS {
        for (at, a) in samples.iter().enumerate() {
            // A partner that differs from operation to operation, and at times the number itself.
            let partner = (at * 7 + usize::from(operation) * 3) % samples.len();
            let b = if at % 9 == 0 { a } else { &samples[partner] };
            let arguments: [&[u8]; 3] = [&[operation], &a.to_le_bytes(), &b.to_le_bytes()];
            let outcome = machine.call("calculate", &[], &arguments);
            match (arithmetic::calculate(operation, *a, *b), outcome) {
                (None, outcome) => assert_refused(outcome, "Error Number: 6003"),
                (Some(_), Err(logs)) => panic!("operation {operation} on {a} and {b}: {logs:#?}"),
                (Some(expected), Ok(meta)) => {
                    let mut result = [0; 16];
                    let data = &meta.return_data.data;
                    result[..data.len()].copy_from_slice(data);
                    let result = u128::from_le_bytes(result);
                    assert_eq!(result, expected, "operation {operation} on {a} and {b}");
                }
            }
        }
    }
    let arguments: [&[u8]; 2] = [&[arithmetic::OPERATIONS], &[0; 32]];
    assert_refused(machine.call("calculate", &[], &arguments), "Error Code: NoSuchOperation");
}

#[test]
fn arguments_on_the_stack_arrive_however_a_function_is_called() {
    let mut machine = Machine::new();
    for (at, c) in samples().into_iter().enumerate() {
        let (depth, kind) = (at as u64 % 12, at as u8 % 2);
        let (a, b) = ((c >> 30) as u64, (c >> 7) as i64);
        let arguments: [&[u8]; 5] =
            [&depth.to_le_bytes(), &a.to_le_bytes(), &b.to_le_bytes(), &c.to_le_bytes(), &[kind]];
        let results: [u8; 64] = machine.returned("call", &arguments);
        let expected = calls::run(depth, a, b, c, kind).map(u128::to_le_bytes).concat();
        assert_eq!(results[..], expected, "depth {depth}, {a}, {b}, {c}, kind {kind}");
    }
}

#[test]
fn collections_sorting_and_formatting_equal_the_hosts() {
    let mut machine = Machine::new();
    for count in [1, 20, 60, 150] {
        let meta = machine.call("collect", &[], &[&u32::to_le_bytes(count)]);
        let meta = meta.unwrap_or_else(|logs| panic!("{count}: {logs:#?}"));
        for line in collections::run(count) {
            assert_logged(&meta, &line);
        }
    }
}

#[test]
fn the_heap_holds_up_to_its_end_and_not_beyond() {
    let mut machine = Machine::new();
    for count in [5, 300, 2_000] {
        let sum: [u8; 8] = machine.returned("heap", &[&u32::to_le_bytes(count)]);
        assert_eq!(u64::from_le_bytes(sum), collections::shuffle(count), "{count}");
    }
    assert!(machine.call("heap", &[], &[&100_000u32.to_le_bytes()]).is_err());
}

#[test]
fn panics_end_the_transaction() {
    let mut machine = Machine::new();
    let index = |len: u64, at: u64| [len.to_le_bytes(), at.to_le_bytes()].concat();
    let value: [u8; 8] = machine.returned("index", &[&index(5, 3)]);
    assert_eq!(u64::from_le_bytes(value), 5);
    // Out of bounds; and within, with a sum that overflows.
    for (len, at) in [(5, 5), (5, u64::MAX), (0, 0)] {
        assert!(machine.call("index", &[], &[&index(len, at)]).is_err(), "{len}, {at}");
    }
}

#[test]
fn the_hash_system_call_hashes() {
    let mut machine = Machine::new();
    for len in [0, 1, 100, 600] {
        let data: Vec<u8> = (0..len).map(|at: u32| at as u8).collect();
        let hash: [u8; 32] = machine.returned("hash", &[&bytes(&data)]);
        assert_eq!(hash[..], Sha256::new().chain_update(data).chain_update("tail").finalize()[..]);
    }
}

#[test]
fn accounts_are_created_grown_and_guarded() {
    let mut machine = Machine::new();
    let roster = pda("roster");
    let accounts = [writable(roster), readonly(SYSTEM)];
    let mut names: Vec<Pubkey> = (0..3).map(|_| Keypair::new().pubkey()).collect();
    let create = |limit: u8| [vec![limit], keys(&names), bytes("wörld".as_bytes())].concat();

    let refused = machine.call("create", &accounts, &[&create(0)]);
    let reason =
        "Error Code: NoLimit. Error Number: 6000. Error Message: the limit must be positive.";
    assert_refused(refused, reason);
    assert_refused(machine.call("create", &accounts, &[&create(2)]), "Error Number: 6001");
    let elsewhere = [writable(Keypair::new().pubkey()), readonly(SYSTEM)];
    assert_refused(machine.call("create", &elsewhere, &[&create(5)]), "ConstraintSeeds");

    let meta = machine.call("create", &accounts, &[&create(5)]).unwrap();
    assert_logged(&meta, &format!("wörld: 3 of 5 for {NOW}"));
    let event =
        [&discriminator("event", "Created")[..], &[5], &machine.payer.pubkey().to_bytes()].concat();
    let event = format!("Program data: {}", base64(&event));
    assert!(meta.logs.contains(&event), "no {event:?} in {:#?}", meta.logs);
    let (_, bump) = Pubkey::find_program_address(&[b"roster"], &PROGRAM);
    let space = 8 + 1 + 1 + 8 + (4 + 12) + 4 + 32 * 3;
    let mut expected = [&discriminator("account", "Roster")[..], &[5, bump]].concat();
    expected.extend([&NOW.to_le_bytes()[..], &bytes("wörld".as_bytes()), &keys(&names)].concat());
    expected.resize(space, 0);
    assert_eq!(machine.data(&roster), expected);
    machine.assert_rent_exempt(&roster);

    for _ in 0..2 {
        let name = Keypair::new().pubkey();
        names.push(name);
        names.sort();
        let meta = machine.call("add", &accounts, &[&name.to_bytes()]).unwrap();
        let data = machine.data(&roster);
        assert!(data[18 + 4 + 6..].starts_with(&keys(&names)), "{data:?}");
        assert_logged(&meta, &format!("at {:?}", names.binary_search(&name)));
        machine.assert_rent_exempt(&roster);
    }
    let one_more = Keypair::new().pubkey().to_bytes();
    assert_refused(machine.call("add", &accounts, &[&one_more]), "the roster is full");
}

/// Base64 as `Program data:` lines have it.
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let group = |group: &[u8]| {
        let bits = (0..3).fold(0, |bits, at| bits << 8 | usize::from(*group.get(at).unwrap_or(&0)));
        let digit = |at: usize| {
            if at > group.len() { '=' } else { DIGITS[bits >> (18 - 6 * at) & 63] as char }
        };
        [digit(0), digit(1), digit(2), digit(3)]
    };
    bytes.chunks(3).flat_map(group).collect()
}

#[test]
fn a_cpi_signs_for_the_payer_and_for_the_program() {
    let mut machine = Machine::new();
    let (vault, to) = (pda("vault"), Keypair::new().pubkey());
    let accounts = [writable(vault), writable(to), readonly(SYSTEM)];
    machine.call("pay", &accounts, &[&40_000_000u64.to_le_bytes()]).unwrap();
    assert_eq!(machine.svm.get_balance(&vault), Some(30_000_000));
    assert_eq!(machine.svm.get_balance(&to), Some(10_000_000));
    assert!(machine.call("pay", &accounts, &[&(1u64 << 63).to_le_bytes()]).is_err());
}

#[test]
fn an_event_goes_out_by_cpi() {
    let mut machine = Machine::new();
    let accounts = [readonly(pda("__event_authority")), readonly(PROGRAM)];
    let meta = machine.call("note", &accounts, &[&4242u64.to_le_bytes()]).unwrap();
    let inner: Vec<_> = meta.inner_instructions.iter().flatten().collect();
    // Anchor's tag of an event by CPI: the first 8 bytes of SHA-256("anchor:event"), reversed.
    let mut tag = discriminator("anchor", "event");
    tag.reverse();
    let content = [&4242u64.to_le_bytes()[..], &bytes(b"note 4242")].concat();
    let expected = [&tag[..], &discriminator("event", "Noted"), &content].concat();
    assert_eq!(inner.len(), 1);
    assert_eq!(inner[0].instruction.data, expected);
}

#[test]
fn a_zero_copy_account_is_written_in_place() {
    const ROW: usize = 40;
    let mut machine = Machine::new();
    let table = pda("table");
    machine.call("open_table", &[writable(table), readonly(SYSTEM)], &[]).unwrap();
    let data = machine.data(&table);
    assert_eq!(data.len(), 8 + 16 + 128 * ROW);
    assert_eq!(data[8..24], 5u128.to_le_bytes());
    assert_eq!(data[24 + 127 * ROW + 32..], 99u64.to_le_bytes());

    let key = Keypair::new().pubkey();
    let row = |at: u16, amount: u64| {
        [&at.to_le_bytes()[..], &amount.to_le_bytes(), &key.to_bytes()].concat()
    };
    let accounts = [writable(table)];
    machine.call("fill_row", &accounts, &[&row(7, u64::MAX)]).unwrap();
    let data = machine.data(&table);
    assert_eq!(data[8..24], (u128::from(u64::MAX) + 99).to_le_bytes());
    assert_eq!(data[24 + 7 * ROW..24 + 7 * ROW + 32], key.to_bytes());
    assert_refused(machine.call("fill_row", &accounts, &[&row(7, 1)]), "the result does not fit");
    assert_refused(machine.call("fill_row", &accounts, &[&row(128, 1)]), "no such operation");
}
