//! Rent goes back after the end of a proposal, not before, and only to its payer.
use e2e::{
    elf,
    keys::{address, key},
    world::{APPROVERS, ROLLBACK_WINDOW, Stage, World},
};
use solana_pubkey::Pubkey;
use solana_signer::Signer;
use upgrade_manager::{error::ManagerError, seeds, state::ProposalStatus};

/// Sends with the account at `from` replaced; must be refused with `WrongAccount`.
#[track_caller]
fn refuse_redirect(w: &mut World, mut ix: solana_instruction::Instruction, from: &Pubkey) {
    let at = ix.accounts.iter().rposition(|m| m.pubkey == *from).expect("the account to redirect");
    ix.accounts[at].pubkey = address("stranger");
    w.chain.refuse(ManagerError::WrongAccount, &[ix], &[&key("stranger")]);
}

#[test]
fn a_buffer_nobody_proposed_goes_back_only_to_who_froze_it() {
    let mut w = World::at(Stage::Attested);
    for name in ["upgrade", "rollback"] {
        let theft = w.close_buffer_ix("stranger", name);
        w.chain.refuse(ManagerError::NotRefund, &[theft], &[&key("stranger")]);
        let (buffer, close) = (w.buffer_key(name).pubkey(), w.close_buffer_ix("dev", name));
        let attestation = seeds::attestation(&buffer).0;
        let (rent, fee) = (w.chain.lamports(&buffer), w.chain.lamports(&attestation));
        let (dev, payer) = (w.chain.lamports(&address("dev")), w.chain.lamports(&address("payer")));
        w.run("close_buffer", close, &[&key("dev")]);
        assert_eq!(w.chain.lamports(&address("dev")), dev + rent);
        assert_eq!(w.chain.lamports(&address("payer")), payer + fee);
        assert!(w.chain.account(&buffer).is_none() && w.chain.account(&attestation).is_none());
    }
    w.stage_buffers(elf::v2(), elf::v1());
    w.propose();
}

#[test]
fn the_buffers_of_a_living_proposal_stay() {
    for stage in
        [Stage::Proposed, Stage::Timelocked, Stage::Ready, Stage::Executed, Stage::Migrated]
    {
        let mut w = World::at(stage);
        for name in ["upgrade", "rollback"] {
            for who in ["dev", "anna", "stranger"] {
                let close = w.close_buffer_ix(who, name);
                w.chain.refuse(ManagerError::NotEnded, &[close], &[&key(who)]);
            }
        }
        let close = w.close_proposal_ix("stranger");
        w.chain.refuse(ManagerError::NotEnded, &[close], &[&key("stranger")]);
    }
}

#[test]
fn the_rollback_buffer_stays_until_the_rollback_window_ends() {
    let mut w = World::at(Stage::Completed);
    let end = w.proposal().executed_at + i64::from(ROLLBACK_WINDOW);
    w.chain.pass_until(end);
    let close = w.close_buffer_ix("stranger", "rollback");
    w.chain.refuse(ManagerError::NotEnded, &[close.clone()], &[&key("stranger")]);
    let vault = w.vaults[0];
    let record = w.close_record_ix("stranger", &vault);
    w.chain.refuse(ManagerError::NotEnded, &[record.clone()], &[&key("stranger")]);
    w.chain.pass(1);
    w.chain.ok(&[close], &[&key("stranger")]);
    w.chain.ok(&[record], &[&key("stranger")]);
}

#[test]
fn an_approved_rollback_keeps_its_buffer_without_a_time_limit() {
    let mut w = World::at(Stage::Completed);
    w.vote_rollback(&APPROVERS, false);
    w.chain.pass(i64::from(ROLLBACK_WINDOW) * 10);
    let close = w.close_buffer_ix("dev", "rollback");
    w.chain.refuse(ManagerError::NotEnded, &[close], &[&key("dev")]);
    w.restore_all();
    w.roll_back();
    w.close_buffers(&["upgrade", "rollback"]);
}

#[test]
fn rent_of_everything_an_ended_proposal_left_goes_to_its_payers() {
    let mut w = World::at(Stage::Timelocked);
    for member in APPROVERS {
        let reject = w.reject_ix(member);
        w.chain.ok(&[reject], &[&key(member)]);
    }
    assert_eq!(w.proposal().status, ProposalStatus::Rejected);
    let stranger = key("stranger");
    let proposal = w.close_proposal_ix("stranger");
    w.chain.refuse(ManagerError::BuffersOpen, &[proposal.clone()], &[&stranger]);
    for name in ["upgrade", "rollback"] {
        let close = w.close_buffer_ix("stranger", name);
        for to in [address("dev"), address("payer")] {
            refuse_redirect(&mut w, close.clone(), &to);
        }
        let mut without = close.clone();
        let at = without.accounts.iter().position(|m| m.pubkey == w.proposal_address()).unwrap();
        without.accounts[at].pubkey = upgrade_manager::ID;
        w.chain.refuse(ManagerError::WrongAccount, &[without], &[&stranger]);
        let buffer = w.buffer_key(name).pubkey();
        let (rent, dev) = (w.chain.lamports(&buffer), w.chain.lamports(&address("dev")));
        w.chain.ok(&[close], &[&stranger]);
        assert_eq!(w.chain.lamports(&address("dev")), dev + rent);
    }
    refuse_redirect(&mut w, proposal.clone(), &address("payer"));
    let key = w.proposal_address();
    let (rent, payer) = (w.chain.lamports(&key), w.chain.lamports(&address("payer")));
    w.run("close_proposal", proposal, &[&stranger]);
    assert_eq!(w.chain.lamports(&address("payer")), payer + rent);
    assert!(w.chain.account(&key).is_none());
}

#[test]
fn the_end_of_one_proposal_does_not_free_the_buffers_of_another() {
    let mut w = World::at(Stage::Proposed);
    let ended = w.proposal_address();
    let cancel = w.cancel_ix("anna");
    w.chain.ok(&[cancel], &[&key("anna")]);
    w.stage_upgrade("upgrade-2", elf::v2());
    w.stage_rollback("rollback-2", elf::v1());
    let propose = w.propose_with_ix("anna", w.propose_args(), "upgrade-2", "rollback-2");
    w.chain.ok(&[propose], &[&key("anna"), &key("payer")]);
    w.id = 1;
    for name in ["upgrade-2", "rollback-2"] {
        let mut close = w.close_buffer_ix("stranger", name);
        let at = close.accounts.iter().position(|m| m.pubkey == w.proposal_address()).unwrap();
        close.accounts[at].pubkey = ended;
        w.chain.refuse(ManagerError::WrongAccount, &[close], &[&key("stranger")]);
    }
}

#[test]
fn records_stay_while_a_migration_is_running() {
    let mut w = World::at(Stage::Migrated);
    let vault = w.vaults[0];
    let close = w.close_record_ix("stranger", &vault);
    w.chain.refuse(ManagerError::NotSteady, &[close.clone()], &[&key("stranger")]);
    w.vote_rollback(&APPROVERS, false);
    w.chain.refuse(ManagerError::NotSteady, &[close], &[&key("stranger")]);
    w.restore_all();
    w.roll_back();
    for vault in w.vaults.clone() {
        let close = w.close_record_ix("stranger", &vault);
        refuse_redirect(&mut w, close.clone(), &address("cranker"));
        let record = seeds::account_version(&demo_vault::ID, &vault).0;
        let (rent, paid) = (w.chain.lamports(&record), w.chain.lamports(&address("cranker")));
        w.run("close_account_version", close, &[&key("stranger")]);
        assert_eq!(w.chain.lamports(&address("cranker")), paid + rent);
    }
}

#[test]
fn a_buffer_made_again_at_a_used_address_is_left_alone() {
    let mut w = World::at(Stage::Completed);
    w.chain.pass(i64::from(ROLLBACK_WINDOW) + 1);
    w.upload("upgrade", elf::v1());
    let buffer = w.buffer_key("upgrade").pubkey();
    let before = w.chain.account(&buffer);
    w.close_buffers(&["upgrade"]);
    assert_eq!(w.chain.account(&buffer), before, "the developer's again, not the manager's");
}
