//! Attacks on lamports: another recipient, paying twice, taking foreign lamports, and rent that
//! nobody can recover.
use backend::instructions as ix;
use demo_vault::{v1, v2};
use e2e::{
    attack::swap,
    elf,
    keys::{address, key},
    world::{APPROVERS, ROLLBACK_WINDOW, SOL, Stage, World},
};
use sandbox::scenario::vaults::type_rule;
use solana_signer::Signer;
use solana_system_interface::instruction::transfer;
use upgrade_manager::{
    error::ManagerError,
    instructions::ProposeArgs,
    seeds,
    state::{LenRange, TypeRule},
};

#[test]
fn attack_12_another_spill_account() {
    for way_back in [false, true] {
        let mut w = World::at(if way_back { Stage::Executed } else { Stage::Ready });
        let (good, name) = if way_back {
            w.vote_rollback(&APPROVERS, false);
            (w.rollback_ix("dan"), "rollback")
        } else {
            (w.execute_ix("dan"), "upgrade")
        };
        let (data, buffer) = (w.state().program_data, w.buffer_key(name).pubkey());
        let own = [address("dan"), address("stranger"), data, buffer, demo_vault::ID];
        for pocket in own.into_iter().chain([w.multisig(), seeds::authority(&demo_vault::ID).0]) {
            let mut wrong = good.clone();
            let treasury = address("treasury");
            let at = wrong.accounts.iter().position(|m| m.pubkey == treasury).unwrap();
            wrong.accounts[at].pubkey = pocket;
            w.attack(ManagerError::WrongAccount, &[wrong], &["dan"]);
        }
        w.chain.fund(&data, SOL);
        let rent = w.chain.rent(w.chain.data(&data).len());
        let surplus = w.chain.lamports(&data) + w.chain.lamports(&buffer) - rent;
        let before = w.chain.lamports(&address("treasury"));
        w.passes(&[good], &["dan"]);
        assert_eq!(w.chain.lamports(&address("treasury")), before + surplus);
        assert_eq!(w.chain.lamports(&data), rent);
    }
}

#[test]
fn attack_21_rent_to_the_wrong_recipient_and_revived_accounts() {
    // A buffer nobody proposed: only whoever froze it.
    let mut w = World::at(Stage::Attested);
    for name in ["upgrade", "rollback"] {
        let theft = w.close_buffer_ix("stranger", name);
        w.attack(ManagerError::NotRefund, &[theft], &["stranger"]);
    }
    // After the end anyone may close the accounts; only the payer gets the rent.
    let mut w = World::at(Stage::Completed);
    w.chain.pass(i64::from(ROLLBACK_WINDOW) + 1);
    let vault = w.vaults[0];
    let (dev, payer, cranker) = (address("dev"), address("payer"), address("cranker"));
    let (stranger, gain) = (address("stranger"), w.chain.lamports(&address("stranger")));
    for (close, recipients) in [
        (w.close_buffer_ix("stranger", "upgrade"), vec![dev, payer]),
        (w.close_buffer_ix("stranger", "rollback"), vec![dev, payer]),
        (w.close_record_ix("stranger", &vault), vec![cranker]),
    ] {
        for to in &recipients {
            let theft = swap(&close, to, &stranger);
            w.attack(ManagerError::WrongAccount, &[theft], &["stranger"]);
        }
        let closed: Vec<_> = close.accounts.iter().map(|m| m.pubkey).collect();
        let total = |w: &World| closed.iter().map(|k| w.chain.lamports(k)).sum::<u64>();
        let before = total(&w);
        w.passes(&[close.clone()], &["stranger"]);
        assert_eq!(total(&w), before, "nothing but between these accounts");
        let again = w.refused(&[close], &[&key("stranger")]);
        assert_eq!(again.code(), Some(ManagerError::WrongAccount.into()), "{again:?}");
    }
    let close = w.close_proposal_ix("stranger");
    let theft = swap(&close, &payer, &stranger);
    w.attack(ManagerError::WrongAccount, &[theft], &["stranger"]);
    let (rent, had) = (w.chain.lamports(&w.proposal_address()), w.chain.lamports(&payer));
    w.passes(&[close], &["stranger"]);
    assert_eq!(w.chain.lamports(&payer), had + rent);
    assert_eq!(w.chain.lamports(&stranger), gain);

    // Closed and filled again in the same transaction: empty all the same.
    let mut w = World::at(Stage::Proposed);
    let cancel = w.cancel_ix("anna");
    w.passes(&[cancel], &["anna"]);
    let (ended, approve) = (w.proposal_address(), w.approve_ix("ben"));
    let attestation = seeds::attestation(&w.buffer_key("upgrade").pubkey()).0;
    let mut all: Vec<_> =
        ["upgrade", "rollback"].map(|name| w.close_buffer_ix("stranger", name)).to_vec();
    all.push(w.close_proposal_ix("stranger"));
    all.extend([attestation, ended].map(|at| transfer(&stranger, &at, SOL)));
    w.passes(&all, &["stranger"]);
    for at in [attestation, ended] {
        let left = w.chain.account(&at).unwrap();
        assert!(left.data.is_empty() && left.owner == solana_system_interface::program::ID);
    }
    w.attack(ManagerError::WrongAccount, &[approve], &["ben"]);
    let cancel = ix::cancel(&address("anna"), &w.keys());
    w.attack(ManagerError::WrongAccount, &[cancel], &["anna"]);
    // Foreign lamports at the address do not stop the next buffer there.
    w.stage_buffers(elf::v2(), elf::v1());
    w.propose();

    let mut w = World::at(Stage::Migrated);
    w.vote_rollback(&APPROVERS, false);
    w.restore_all();
    w.roll_back();
    let record = seeds::account_version(&demo_vault::ID, &vault).0;
    let close = w.close_record_ix("stranger", &vault);
    w.passes(&[close.clone(), transfer(&stranger, &record, SOL)], &["stranger"]);
    assert!(w.chain.account(&record).unwrap().data.is_empty());
    w.attack(ManagerError::WrongAccount, &[close], &["stranger"]);
}

#[test]
fn attack_22_growth_beyond_the_limit_and_old_bytes_after_growth() {
    // Terms under which an account could grow by more than one instruction may add.
    let mut w = World::at(Stage::Attested);
    let (rule, len) = (type_rule(), u32::try_from(v1::LEN).unwrap());
    for (new_len, fits) in [
        (LenRange { min: rule.new_len.min, max: len + 10_240 }, true),
        (LenRange { min: rule.new_len.min, max: len + 10_241 }, false),
    ] {
        let type_rules = vec![TypeRule { new_len, ..rule }];
        let args = ProposeArgs { type_rules, ..w.propose_args() };
        let propose = w.propose_ix("anna", args);
        if fits {
            w.would_pass(&[propose], &["anna", "payer"]);
        } else {
            w.attack(ManagerError::TypeRule, &[propose], &["anna", "payer"]);
        }
    }
    // Grown, shrunk and grown again: the new bytes are zero, not an earlier user's.
    let mut w = World::at(Stage::Migrated);
    let (first, growth) = (w.snapshot(), w.chain.rent(v2::LEN) - w.chain.rent(v1::LEN));
    w.vote_rollback(&APPROVERS, false);
    let (vaults, stranger) = (w.vaults.clone(), address("stranger"));
    let (paid, cranker) = (w.chain.lamports(&address("cranker")), address("cranker"));
    // The rent that shrinking frees goes to the key that paid for the growth.
    let good = w.restore_ix("dan", &w.old_bytes(&vaults[..1]));
    for thief in [stranger, address("dan"), address("payer")] {
        let mut theft = good.clone();
        let at = theft.accounts.iter().rposition(|m| m.pubkey == cranker).unwrap();
        theft.accounts[at].pubkey = thief;
        w.attack(ManagerError::WrongAccount, &[theft], &["dan", "payer"]);
    }
    w.restore_all();
    let all = growth * u64::try_from(vaults.len()).unwrap();
    assert_eq!(w.chain.lamports(&cranker), paid + all);
    w.roll_back();
    w.chain.next_slot();
    w.close_buffers(&["upgrade", "rollback"]);
    w.stage_buffers(elf::v2(), elf::v1());
    w.propose();
    w.approve_by(&APPROVERS);
    w.chain.pass(48 * 3600);
    w.execute();
    w.chain.next_slot();
    w.migrate_all();
    assert_eq!(w.snapshot(), first);
}

#[test]
fn attack_29_one_member_fills_the_proposal_slots() {
    let mut w = World::with_multisig(|args| args.open_cap = 1);
    let twin = second_program(&mut w);
    w.propose();
    // The member is at its limit with the other program, and nobody can open a second proposal for
    // the first.
    let over = propose_second(&w, &twin, "anna");
    w.attack(ManagerError::TooManyOpen, &[over], &["anna", "payer"]);
    w.stage_upgrade("upgrade-2", elf::v2());
    w.stage_rollback("rollback-2", elf::v1());
    let beside = w.propose_with_ix("ben", w.propose_args(), "upgrade-2", "rollback-2");
    w.attack(ManagerError::LiveProposal, &[beside.clone()], &["ben", "payer"]);
    let outside = propose_second(&w, &twin, "stranger");
    w.attack(ManagerError::NotAMember, &[outside], &["stranger", "payer"]);
    // Other members can still propose.
    let other = propose_second(&w, &twin, "ben");
    w.would_pass(&[other], &["ben", "payer"]);
    // The buffers of one proposal do not serve another, ended or not.
    let mut free = w.clone();
    let cancel = free.cancel_ix("anna");
    free.passes(&[cancel], &["anna"]);
    for (up, back) in [("upgrade", "rollback-2"), ("upgrade-2", "rollback")] {
        let reuse = free.propose_with_ix("anna", free.propose_args(), up, back);
        free.attack(ManagerError::BufferTaken, &[reuse], &["anna", "payer"]);
    }
    let again = propose_second(&free, &twin, "anna");
    free.passes(&[again], &["anna", "payer"]);
    // Anyone can expire a proposal after its time, and its member can propose again.
    w.chain.pass_until(w.proposal().terms.expires_at + 1);
    w.attack(ManagerError::LiveProposal, &[beside.clone()], &["ben", "payer"]);
    let expire = w.expire_ix();
    w.passes(&[expire], &[]);
    let args = w.propose_args();
    let next = w.propose_with_ix("ben", args, "upgrade-2", "rollback-2");
    w.passes(&[next], &["ben", "payer"]);
    let again = propose_second(&w, &twin, "anna");
    w.passes(&[again], &["anna", "payer"]);
}

/// A second program under the same multisig, with buffers of its own. Returns its address.
fn second_program(w: &mut World) -> solana_pubkey::Pubkey {
    use e2e::verbs::trimmed_len;
    use upgrade_manager::state::BufferRole;
    let (program, dev, payer) = (key("second-program"), address("dev"), address("payer"));
    let (id, code) = (program.pubkey(), elf::v1());
    e2e::loader::deploy(&mut w.chain, &program, &key("dev"), code, code.len());
    let (len, multisig) = (trimmed_len(code), w.multisig());
    let register = ix::register_program(&dev, &payer, &multisig, &id, 1, len);
    w.passes(&[register], &["dev", "payer"]);
    for (name, role) in [("second-up", BufferRole::Upgrade), ("second-back", BufferRole::Rollback)]
    {
        w.upload(name, code);
        let buffer = w.buffer_key(name).pubkey();
        let freeze = ix::freeze_buffer(&dev, &payer, &id, &buffer, role);
        let attest = match role {
            BufferRole::Upgrade => ix::attest_buffer(&id, &buffer, len),
            BufferRole::Rollback => ix::attest_rollback(&id, &buffer, len),
        };
        w.passes(&[freeze, attest], &["dev", "payer"]);
    }
    id
}

fn propose_second(
    w: &World,
    program: &solana_pubkey::Pubkey,
    who: &str,
) -> solana_instruction::Instruction {
    let args = w.propose_args();
    let args = ProposeArgs { type_rules: vec![], manifest: Default::default(), ..args };
    let keys = ix::ProposalKeys::new(w.multisig(), *program, w.config().next_proposal);
    let (up, back) = (w.buffer_key("second-up").pubkey(), w.buffer_key("second-back").pubkey());
    ix::propose_upgrade(&address(who), &address("payer"), &keys, &up, &back, args)
}
