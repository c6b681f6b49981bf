//! Attacks with accounts: another one, a lookalike, duplicates, too few, too many. Longer than 400
//! lines, because the list of accounts that may be replaced belongs beside the test that reads it.
use std::collections::BTreeMap;

use e2e::{
    attack::{
        NOT_DECODED, SIGNER_MISSING, UNKNOWN_INSTRUCTION,
        cases::{self, Case},
        keys,
        slots::{Attempt, attempts, names},
        swap,
    },
    chain::Refused,
    elf,
    keys::{address, key},
    loader,
    world::{Stage, World},
};
use solana_instruction::{AccountMeta, Instruction};
use solana_pubkey::Pubkey;
use solana_signer::Signer;
use upgrade_manager::{error::ManagerError, instructions::RestoreItem, seeds};

/// Why an instruction with an account that may be absent does not need the manager twice.
const ABSENT: &str = "an absent account is told by the manager's own address, which is there";
/// Accounts that may be replaced, and why that is no attack: instruction, account, reason.
const OPEN: [(&str, &str, &str); 30] = [
    (
        "create_multisig",
        "payer",
        "pays by signing; the multisig's address comes from the create key",
    ),
    ("register_program", "payer", "pays by signing; who hands the program over signs as well"),
    ("register_program", "multisig", "the signing authority hands over to whom it likes"),
    ("freeze_buffer", "payer", "pays by signing; who hands the buffer over signs as well"),
    ("propose_upgrade", "payer", "pays by signing; the proposer signs as well"),
    ("migrate_accounts", "cranker", "anyone may migrate, and pays by signing"),
    ("mark_closed", "cranker", "anyone may mark, and pays by signing"),
    ("quarantine", "payer", "pays by signing; the executor signs as well"),
    ("restore_accounts", "payer", "pays by signing; the executor signs as well"),
    ("close_buffer", "stranger", "anyone may close what has ended"),
    ("close_proposal", "stranger", "anyone may close what has ended"),
    ("close_account_version", "stranger", "anyone may close what has ended"),
    ("close_account_version", "record 0", "every record of the ended proposal may be closed"),
    ("close_multisig", "stranger", "anyone may close what has ended"),
    ("execute_upgrade", "self", ABSENT),
    ("propose_governance", "self", ABSENT),
    ("approve", "self", ABSENT),
    ("reject", "self", ABSENT),
    ("revoke", "self", ABSENT),
    ("cancel", "self", ABSENT),
    ("expire", "self", ABSENT),
    ("propose_governance", "payer", "pays by signing; the proposer signs as well"),
    ("pause", "multisig", "the guardian of two multisigs pauses the one it names"),
    ("unpause", "multisig", "a member of two multisigs votes in the one it names"),
    ("close_governance", "stranger", "anyone may close what has ended"),
    ("close_governance", "multisig proposal 0", "every ended proposal may be closed"),
    ("close_program_state", "stranger", "anyone may close what has ended"),
    ("close_program_state", "state", "every released program's state may be closed"),
    ("close_multisig", "multisig", "every dissolved multisig may be closed"),
    ("close_backup", "stranger", "anyone may close what has ended"),
];

fn is_open(case: &Case, slot: &str) -> bool {
    OPEN.iter().any(|(name, open, _)| *name == case.name && *open == slot)
}

/// Whether the error is about the replaced account, and not one that manager or target meet later.
fn refused_for_the_account(refused: &Refused, attempt: &Attempt) -> bool {
    use ManagerError as E;
    if attempt.what == "no signature" {
        return refused.code() == Some(SIGNER_MISSING);
    }
    let named = [
        E::WrongAccount,
        E::WrongProgram,
        E::NotALoaderAccount,
        E::NotAMember,
        E::NotUpgradeAuthority,
        E::NotBufferAuthority,
        E::BufferNotFrozen,
        E::BadBatch,
        E::NotEligible,
        E::AccountExists,
        E::BadProof,
        E::NotGuardian,
        E::NewAuthority,
        E::AddressTaken,
        E::BackupExists,
        E::BufferKnown,
    ];
    // Anchor's: a program where something is written, another event authority, twice, no type, another type, another program, not signed.
    let anchors = [2000, 2012, 2040, 3001, 3002, 3008, SIGNER_MISSING];
    match refused.code() {
        Some(code) => anchors.contains(&code) || named.iter().any(|e| u32::from(*e) == code),
        // The runtime's: the program to call is not among the accounts.
        None => format!("{:?}", refused.error).contains("MissingAccount"),
    }
}

/// What the test calls account `slot`.
fn slot_name(case: &Case, slot: usize, names: &BTreeMap<Pubkey, String>) -> String {
    let accounts = &case.instruction.accounts;
    let (own, before) = (accounts[slot].pubkey, slot.checked_sub(1).map(|i| accounts[i].pubkey));
    if own == upgrade_manager::ID && before == Some(seeds::event_authority()) {
        return "self".into();
    }
    names.get(&own).cloned().unwrap_or_else(|| own.to_string())
}

fn borrowed(names: &[String]) -> Vec<&str> {
    names.iter().map(String::as_str).collect()
}

#[test]
fn attack_01_another_account_in_every_place_of_every_instruction() {
    let (mut tried, mut through, mut by_chance) = (BTreeMap::new(), vec![], vec![]);
    for case in cases::all() {
        let names = names(&case.world);
        case.world.would_pass(&[case.instruction.clone()], &borrowed(&case.signers));
        let (mut world, attempts) = attempts(&case);
        let (fresh, before) = (world.clone(), world.chain.holdings());
        for attempt in attempts {
            let slot = slot_name(&case, attempt.slot, &names);
            let signers = keys(&borrowed(&attempt.signers));
            let signers: Vec<_> = signers.iter().collect();
            let outcome = world.chain.send(&[attempt.instruction.clone()], &signers);
            let what = format!("{}, {slot} ({}): {}", case.name, attempt.slot, attempt.what);
            *tried.entry(case.name).or_insert(0) += 1;
            match outcome {
                Ok(_) if is_open(&case, &slot) => {
                    println!("{what}: goes through, as it may");
                    world = fresh.clone();
                }
                Ok(_) => {
                    through.push(what);
                    world = fresh.clone();
                }
                Err(refused) => {
                    println!("{what}: {:?}", refused.error);
                    let changed = world.chain.changed(&before);
                    assert!(changed.is_empty(), "{what}: changed {changed:?}");
                    if !refused_for_the_account(&refused, &attempt) {
                        by_chance.push(format!("{what}: {:?}", refused.error));
                    }
                }
            }
        }
    }
    println!("{tried:#?}");
    assert!(through.is_empty(), "went through: {through:#?}");
    assert!(by_chance.is_empty(), "refused, but not for the account: {by_chance:#?}");
}

/// Addresses that the seeds and another bump than the highest lead to.
fn other_bumps(seeds: &[&[u8]]) -> Vec<Pubkey> {
    let canonical = Pubkey::find_program_address(seeds, &upgrade_manager::ID).1;
    let at = |bump: u8| {
        Pubkey::create_program_address(&[seeds, &[&[bump]]].concat(), &upgrade_manager::ID).ok()
    };
    (0..canonical).rev().filter_map(at).take(3).collect()
}

#[test]
fn attack_02_non_canonical_bumps_and_colliding_seeds() {
    let (own, id) = (demo_vault::ID, 0u64.to_le_bytes());
    for case in cases::all() {
        let w = &case.world;
        let (create, buffer) = (address("create"), w.buffer_key("upgrade").pubkey());
        let (vault, multisig) = (w.vaults[0], w.multisig());
        let kinds: [(Pubkey, Vec<&[u8]>); 9] = [
            (multisig, vec![seeds::MULTISIG, create.as_ref()]),
            (seeds::program_state(&own).0, vec![seeds::PROGRAM, own.as_ref()]),
            (seeds::authority(&own).0, vec![seeds::AUTHORITY, own.as_ref()]),
            (seeds::migrator(&own).0, vec![seeds::MIGRATOR, own.as_ref()]),
            (
                seeds::proposal(&own, &multisig, 0).0,
                vec![seeds::PROPOSAL, own.as_ref(), multisig.as_ref(), &id],
            ),
            (seeds::governance(&multisig, 0).0, vec![seeds::GOVERNANCE, multisig.as_ref(), &id]),
            (seeds::attestation(&buffer).0, vec![seeds::ATTESTATION, buffer.as_ref()]),
            (
                seeds::account_version(&own, &vault).0,
                vec![seeds::VERSION, own.as_ref(), vault.as_ref()],
            ),
            (seeds::backup(&own, &vault).0, vec![seeds::BACKUP, own.as_ref(), vault.as_ref()]),
        ];
        let named = |(key, _): &&(Pubkey, Vec<&[u8]>)| {
            case.instruction.accounts.iter().any(|m| m.pubkey == *key)
        };
        for (key, seeds) in kinds.iter().filter(named) {
            for other in other_bumps(seeds) {
                println!("{}: {other} for {key}", case.name);
                let ix = swap(&case.instruction, key, &other);
                w.clone().attack(ManagerError::WrongAccount, &[ix], &borrowed(&case.signers));
            }
        }
        w.would_pass(&[case.instruction.clone()], &borrowed(&case.signers));
    }
    // Seeds are hashed one behind the other: kinds of the same length must differ in their prefix,
    // and no id may slide into its neighbour.
    let lengths = [
        (seeds::MULTISIG, 32),
        (seeds::PROGRAM, 32),
        (seeds::AUTHORITY, 32),
        (seeds::MIGRATOR, 32),
        (seeds::PROPOSAL, 72),
        (seeds::GOVERNANCE, 40),
        (seeds::VERSION, 64),
        (seeds::BACKUP, 64),
        (seeds::ATTESTATION, 32),
        (seeds::EVENT_AUTHORITY, 0),
    ];
    for (i, (a, after_a)) in lengths.iter().enumerate() {
        for (b, after_b) in &lengths[i + 1..] {
            // One byte more is the bump.
            let apart = (a.len() + after_a).abs_diff(b.len() + after_b) > 1;
            assert!(apart || a.iter().zip(*b).any(|(x, y)| x != y), "{a:?} and {b:?}");
        }
    }
    // 1 of a program whose last byte is 0 and 256 of one that reads the same when shifted.
    let (mut a, mut b) = ([5; 32], [5; 32]);
    (a[31], b[0]) = (0, 1);
    let (a, b) = (Pubkey::new_from_array(a), Pubkey::new_from_array(b));
    let pairs: Vec<_> =
        [a, b].into_iter().flat_map(|p| [0, 1, 256, u64::MAX].map(|id| (p, id))).collect();
    let addresses: std::collections::BTreeSet<_> =
        pairs.iter().map(|(p, id)| seeds::proposal(p, p, *id).0).collect();
    assert_eq!(addresses.len(), pairs.len());
}

#[test]
fn attack_17_another_program_in_place_of_loader_system_program_or_target() {
    let (loader, system) =
        (upgrade_manager::external::loader::ID, solana_system_interface::program::ID);
    let mut tried = 0;
    for case in cases::all() {
        let mut w = case.world.clone();
        // An attacker's program that does what its instruction data say.
        let impostor = key("impostor");
        loader::deploy(&mut w.chain, &impostor, &key("dev"), elf::hostile(), 100_000);
        let target = case.name.ends_with("_accounts").then_some(demo_vault::ID);
        for called in [Some(loader), Some(system), target].into_iter().flatten() {
            let named = |m: &&AccountMeta| m.pubkey == called;
            if case.instruction.accounts.iter().find(named).is_none() {
                continue;
            }
            for fake in [impostor.pubkey(), if called == loader { system } else { loader }] {
                tried += 1;
                println!("{}: {fake} for {called}", case.name);
                let ix = swap(&case.instruction, &called, &fake);
                let error = if called == system {
                    // Anchor's error: its account type checks the system program's address.
                    3008
                } else if called == loader {
                    ManagerError::WrongProgram.into()
                } else {
                    ManagerError::WrongAccount.into()
                };
                w.attack(error, &[ix], &borrowed(&case.signers));
            }
        }
        w.would_pass(&[case.instruction.clone()], &borrowed(&case.signers));
    }
    assert!(tried > 20, "{tried}");
    // An account with the bytes of a program of the loader, under another owner.
    let mut w = World::at(Stage::Multisig);
    let mut lookalike = w.chain.account(&demo_vault::ID).unwrap();
    (lookalike.owner, lookalike.executable) = (address("stranger"), false);
    let fake = address("fake-program");
    w.chain.plant(&fake, lookalike);
    let good = w.register_ix();
    let data = backend::instructions::program_data_address(&demo_vault::ID);
    let mut posing = good.clone();
    for (from, to) in [
        (demo_vault::ID, fake),
        (seeds::program_state(&demo_vault::ID).0, seeds::program_state(&fake).0),
        (seeds::authority(&demo_vault::ID).0, seeds::authority(&fake).0),
    ] {
        posing = swap(&posing, &from, &to);
    }
    w.attack(ManagerError::NotALoaderAccount, &[posing], &["dev", "payer"]);
    let manager = backend::instructions::program_data_address(&upgrade_manager::ID);
    let foreign = swap(&good, &data, &manager);
    w.attack(ManagerError::WrongAccount, &[foreign], &["dev", "payer"]);
    w.passes(&[good], &["dev", "payer"]);
}

#[test]
fn attack_18_unknown_instructions_and_actions() {
    for case in cases::all() {
        let mut w = case.world.clone();
        let signers = borrowed(&case.signers);
        for flipped in 0..8 {
            let mut ix = case.instruction.clone();
            ix.data[flipped] ^= 1;
            w.attack(UNKNOWN_INSTRUCTION, &[ix], &signers);
        }
        // Half a discriminator, and every length that leaves an argument out.
        let len = case.instruction.data.len();
        for len in (0..len).step_by(1 + len / 24) {
            let mut ix = case.instruction.clone();
            ix.data.truncate(len);
            let refused = w.refused(&[ix], &keys(&signers).iter().collect::<Vec<_>>());
            let code = refused.code().unwrap_or_else(|| panic!("{} {len}: {refused:?}", case.name));
            let named = [UNKNOWN_INSTRUCTION, NOT_DECODED, 3003];
            assert!(named.contains(&code), "{}, {len} bytes: {code}", case.name);
        }
        w.would_pass(&[case.instruction.clone()], &signers);
    }
    // The last byte or the first is the tag of an enum: all 256.
    let tag = |case: &Case| match case.name {
        "freeze_buffer" => Some((case.instruction.data.len() - 1, 2)),
        "restore_accounts" => Some((12, 3)),
        "propose_governance" => None,
        _ => None,
    };
    for case in cases::all() {
        let Some((at, known)) = tag(&case) else { continue };
        for value in known..=u8::MAX {
            let (mut w, mut ix) = (case.world.clone(), case.instruction.clone());
            ix.data[at] = value;
            w.attack(NOT_DECODED, &[ix], &borrowed(&case.signers));
        }
    }
}

/// Accounts in front of the batch, and accounts of one item.
fn batch(case: &Case) -> Option<(usize, usize)> {
    let backups: Vec<_> =
        case.world.vaults.iter().map(|v| seeds::backup(&demo_vault::ID, v).0).collect();
    let kept = case.instruction.accounts.iter().any(|m| backups.contains(&m.pubkey));
    let stride = match case.name {
        "migrate_accounts" | "verify_accounts" => 2,
        "restore_accounts" => 3,
        _ => return None,
    } + usize::from(kept);
    // Two items each.
    Some((case.instruction.accounts.len() - 2 * stride, stride))
}

#[test]
fn attack_24_duplicate_account_in_a_batch() {
    let mut tried = 0;
    for case in cases::all() {
        let Some((head, stride)) = batch(&case) else { continue };
        let (mut w, signers) = (case.world.clone(), borrowed(&case.signers));
        assert_eq!(case.instruction.accounts.len(), head + 2 * stride);
        let (a, b) = (w.vaults[0], w.vaults[1]);
        for order in [[a, a], [b, b], [b, a]] {
            let ix = match case.name {
                "migrate_accounts" => w.migrate_ix(&order),
                "verify_accounts" => w.verify_ix(&order),
                _ if stride == 4 => {
                    let kept = order.map(|vault| (vault, RestoreItem::Backup));
                    w.restore_ix("dan", &kept)
                }
                _ => w.restore_ix("dan", &w.old_bytes(&order)),
            };
            w.attack(ManagerError::BadBatch, &[ix], &signers);
            tried += 1;
        }
        // Once in each of two instructions of the same transaction.
        let twice = [case.instruction.clone(), case.instruction.clone()];
        let refused = w.refused(&twice, &keys(&signers).iter().collect::<Vec<_>>());
        let spent = [ManagerError::AlreadyMigrated, ManagerError::RecordStatus].map(u32::from);
        assert!(format!("{:?}", refused.error).starts_with("InstructionError(1,"), "{refused:?}");
        assert!(refused.code().is_some_and(|code| spent.contains(&code)), "{refused:?}");
        w.passes(&[case.instruction.clone()], &signers);
    }
    assert_eq!(tried, 15);
}

#[test]
fn attack_25_account_lists_too_short_too_long_mixed_or_with_extra_signers() {
    for case in cases::all() {
        let (mut w, signers) = (case.world.clone(), borrowed(&case.signers));
        let len = case.instruction.accounts.len();
        for i in 0..len {
            let mut ix = case.instruction.clone();
            ix.accounts.remove(i);
            // The replaced account's key need not sign any more.
            let left: Vec<_> = signers.iter().copied().filter(|s| asks(&ix, s)).collect();
            println!("{}: without account {i}", case.name);
            w.refused(&[ix], &keys(&left).iter().collect::<Vec<_>>());
        }
        for i in 1..len {
            let mut ix = case.instruction.clone();
            ix.accounts.swap(i - 1, i);
            if ix.accounts[i] == ix.accounts[i - 1] {
                continue;
            }
            println!("{}: accounts {} and {i} swapped", case.name, i - 1);
            w.refused(&[ix], &keys(&signers).iter().collect::<Vec<_>>());
        }
        if let Some((head, stride)) = batch(&case) {
            let more = |extra: Vec<AccountMeta>| {
                let mut ix = case.instruction.clone();
                ix.accounts.extend(extra);
                ix
            };
            let stranger = AccountMeta::new_readonly(address("stranger"), true);
            let some = case.instruction.accounts[head].clone();
            let with = [&signers[..], &["stranger"]].concat();
            let mut wrong = vec![
                (more(vec![stranger]), with),
                (more(vec![some.clone()]), signers.clone()),
                (more(vec![some; stride]), signers.clone()),
            ];
            for short in 1..=2 * stride {
                let mut ix = case.instruction.clone();
                ix.accounts.truncate(len - short);
                // One whole item fewer is a smaller batch, unless the data tell how many there are.
                if short != stride || case.name == "restore_accounts" {
                    wrong.push((ix, signers.clone()));
                }
            }
            for (ix, signers) in wrong {
                let refused = w.refused(&[ix], &keys(&signers).iter().collect::<Vec<_>>());
                let named = [ManagerError::BadBatch, ManagerError::BackupMissing].map(u32::from);
                let code = refused.code().unwrap_or_else(|| panic!("{}: {refused:?}", case.name));
                assert!(named.contains(&code), "{}: {refused:?}", case.name);
            }
        }
        // The runtime stops a write to an account that is not passed as writable.
        for i in 0..len {
            let mut ix = case.instruction.clone();
            if ix.accounts[i].is_writable && batch(&case).is_some_and(|(head, _)| i >= head) {
                // An account that is passed twice is writable when one of its entries is.
                let key = ix.accounts[i].pubkey;
                let same = ix.accounts.iter_mut().filter(|m| m.pubkey == key);
                same.for_each(|m| m.is_writable = false);
                println!("{}: account {i} read-only", case.name);
                let refused = w.chain.send(&[ix], &keys(&signers).iter().collect::<Vec<_>>());
                assert!(refused.is_err(), "{}: account {i} read-only", case.name);
            }
        }
        w.passes(&[case.instruction.clone()], &signers);
    }
}

fn asks(ix: &Instruction, signer: &str) -> bool {
    ix.accounts.iter().any(|m| m.is_signer && m.pubkey == address(signer))
}
