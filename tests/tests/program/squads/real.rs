//! The real Squads v4 program on a chain in this process, with the client in `e2e::squads`: a vault
//! pays and signs calls of other programs only after its multisig approved. Compute units are
//! printed; run with `--nocapture` to see them.
use demo_vault::{client, v1};
use e2e::{
    chain::{Chain, SendResult},
    elf,
    keys::{address, key, program_key},
    loader,
    squads::{self, ConfigAction, Pending, SquadsMultisig},
    world::{MEMBERS, SOL},
};
use solana_instruction::Instruction;
use solana_system_interface::instruction::transfer;

/// Errors of the Squads program.
const INVALID_PROPOSAL_STATUS: u32 = 6008;
const TIME_LOCK_NOT_RELEASED: u32 = 6021;
const INVALID_ACCOUNT: u32 = 6014;

const TIME_LOCK: u32 = 3_600;

fn multisig(chain: &mut Chain, time_lock: u32) -> SquadsMultisig {
    SquadsMultisig::create(chain, &MEMBERS, 3, time_lock)
}

fn pay(multisig: &SquadsMultisig, lamports: u64) -> Instruction {
    transfer(&multisig.vault(), &address("friend"), lamports)
}

fn execute(chain: &mut Chain, multisig: &SquadsMultisig, pending: &Pending) -> SendResult {
    chain.send(&[multisig.execute_ix(pending)], &[&multisig.executor()])
}

#[test]
fn three_of_five_move_the_vaults_money() {
    let mut chain = Chain::new();
    let multisig = multisig(&mut chain, 0);
    let before = chain.lamports(&multisig.vault());
    let units = multisig.run(&mut chain, &[pay(&multisig, SOL)]);
    assert_eq!(chain.lamports(&address("friend")), SOL);
    assert_eq!(chain.lamports(&multisig.vault()), before - SOL);

    println!("units multisig_create_v2: {}", multisig.created);
    println!("units vault_transaction_create (one transfer): {}", units.create);
    println!("units proposal_create: {}", units.propose);
    for (number, approve) in (1..).zip(&units.approve) {
        println!("units proposal_approve, number {number}: {approve}");
    }
    println!("units vault_transaction_execute (one transfer): {}", units.execute);
    assert_eq!(units.approve.len(), 3);
}

#[test]
fn two_of_five_move_nothing() {
    let mut chain = Chain::new();
    let multisig = multisig(&mut chain, 0);
    let hasty = SquadsMultisig { threshold: 2, ..multisig.clone() };
    let pending = hasty.agree(&mut chain, &[pay(&multisig, SOL)]);
    let refused = execute(&mut chain, &multisig, &pending).expect_err("two are too few");
    assert_eq!(refused.code(), Some(INVALID_PROPOSAL_STATUS));
    assert_eq!(chain.lamports(&address("friend")), 0);
}

#[test]
fn the_time_lock_holds_to_the_second() {
    let mut chain = Chain::new();
    let multisig = multisig(&mut chain, TIME_LOCK);
    let pending = multisig.agree(&mut chain, &[pay(&multisig, SOL)]);
    chain.pass(i64::from(TIME_LOCK) - 1);
    let refused = execute(&mut chain, &multisig, &pending).expect_err("a second too early");
    assert_eq!(refused.code(), Some(TIME_LOCK_NOT_RELEASED));
    chain.pass(1);
    execute(&mut chain, &multisig, &pending).expect("on time");
    assert_eq!(chain.lamports(&address("friend")), SOL);
}

#[test]
fn a_vault_signs_the_calls_of_another_program() {
    let mut chain = Chain::new();
    let multisig = multisig(&mut chain, 0);
    let dev = key("dev");
    chain.fund(&address("dev"), 1_000 * SOL);
    loader::deploy(&mut chain, &program_key("demo-vault"), &dev, elf::v1(), elf::v1().len());

    // The demo program lets nobody but the signing owner open, fill or empty an account.
    let owner = multisig.vault();
    let calls = [
        client::open_ix(&owner, 7),
        client::deposit_ix(&owner, 7, 3 * SOL),
        client::withdraw_ix(&owner, 7, SOL),
    ];
    let units = multisig.run(&mut chain, &calls);
    println!("units vault_transaction_execute (three calls of the demo vault): {}", units.execute);
    let account: v1::Vault = chain.read(&client::vault_address(&owner, 7));
    assert_eq!((account.owner, account.balance), (owner, 2 * SOL));
}

#[test]
fn a_member_who_pays_inside_the_vaults_transaction_must_sign_its_execution() {
    let mut chain = Chain::new();
    let multisig = multisig(&mut chain, 0);
    let both = [pay(&multisig, SOL), transfer(&address("eve"), &address("friend"), 2 * SOL)];
    let pending = multisig.agree(&mut chain, &both);
    let mut unsigned = multisig.execute_ix(&pending);
    for meta in &mut unsigned.accounts {
        meta.is_signer &= meta.pubkey != address("eve");
    }
    chain.refuse(INVALID_ACCOUNT, &[unsigned], &[&multisig.executor()]);
    chain.ok(&[multisig.execute_ix(&pending)], &[&multisig.executor(), &key("eve")]);
    assert_eq!(chain.lamports(&address("friend")), 3 * SOL);
}

#[test]
fn a_multisig_changes_itself_and_what_it_agreed_on_before_stays_executable() {
    let mut chain = Chain::new();
    let multisig = multisig(&mut chain, 0);
    let agreed = multisig.agree(&mut chain, &[pay(&multisig, SOL)]);
    let actions = [
        ConfigAction::AddMember(address("fay"), squads::VOTE),
        ConfigAction::RemoveMember(address("eve")),
        ConfigAction::ChangeThreshold(4),
        ConfigAction::SetTimeLock(TIME_LOCK),
    ];
    multisig.reconfigure(&mut chain, &actions);

    let data = chain.data(&multisig.multisig);
    assert_eq!((&data[72..74], &data[74..78]), (&[4, 0][..], &TIME_LOCK.to_le_bytes()[..]));
    let is_member = |name| {
        let wanted = address(name);
        data.windows(32).any(|key| key == wanted.as_ref())
    };
    assert!(is_member("fay") && !is_member("eve"));

    // Its three approvals stay valid; the time lock is the new one.
    let refused = execute(&mut chain, &multisig, &agreed).expect_err("the new time lock holds it");
    assert_eq!(refused.code(), Some(TIME_LOCK_NOT_RELEASED));
    chain.pass(i64::from(TIME_LOCK));
    execute(&mut chain, &multisig, &agreed).expect("what was agreed on stays agreed on");
    assert_eq!(chain.lamports(&address("friend")), SOL);
}
