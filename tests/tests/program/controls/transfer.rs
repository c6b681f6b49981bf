//! Only the multisig that holds a program proposes its transfer, and the proposal names that
//! program's own ProgramData.
use backend::instructions as ix;
use e2e::{
    keys::{address, key},
    world::{PROPOSAL_LIFETIME, Stage, World},
};
use solana_pubkey::Pubkey;
use upgrade_manager::{
    error::ManagerError,
    instructions::GovernanceArgs,
    state::{Action, Transfer},
};

fn args(w: &World, transfer: Transfer) -> GovernanceArgs {
    GovernanceArgs {
        genesis_hash: [7; 32],
        expires_at: w.chain.time() + PROPOSAL_LIFETIME,
        note: String::new(),
        action: Action::TransferAuthority(transfer),
    }
}

fn transfer(w: &World) -> Transfer {
    match w.hand_over("dev") {
        Action::TransferAuthority(transfer) => transfer,
        other => panic!("{other:?} is no transfer"),
    }
}

#[test]
fn a_multisig_hands_over_no_program_of_another() {
    let mut w = World::at(Stage::Registered);
    let foreign = w.second_multisig();
    let signers = [&key("anna"), &key("payer")];
    let (who, payer, args) = (address("anna"), address("payer"), args(&w, transfer(&w)));
    let theft = ix::propose_governance(&who, &payer, &foreign, 0, args.clone());
    w.chain.refuse(ManagerError::WrongAccount, &[theft], &signers);
    assert_eq!(w.state().live_proposal, None, "its place is still free");
    let own = w.propose_multisig_with_ix("anna", args);
    w.chain.ok(&[own], &signers);
}

#[test]
fn a_transfer_names_the_program_and_its_own_program_data() {
    let mut w = World::at(Stage::Registered);
    let signers = [&key("anna"), &key("payer")];
    let good = transfer(&w);
    let state = upgrade_manager::seeds::program_state(&demo_vault::ID).0;
    let other = Pubkey::new_from_array([9; 32]);
    for wrong in [Transfer { program: other, ..good }, Transfer { program_data: other, ..good }] {
        let mut propose = w.propose_multisig_with_ix("anna", args(&w, wrong));
        // The builder derives the state from the program; here both cases use the vault program's
        // state.
        propose.accounts[3].pubkey = state;
        w.chain.refuse(ManagerError::WrongAccount, &[propose], &signers);
    }
    let propose = w.propose_multisig_with_ix("anna", args(&w, good));
    w.chain.ok(&[propose], &signers);
}
