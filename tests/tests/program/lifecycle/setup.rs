//! What is registered is what runs, to the last byte that is not zero.
use e2e::{
    keys::address,
    verbs::trimmed_len,
    world::{Stage, World},
};
use upgrade_manager::error::ManagerError;

#[test]
fn registration_takes_the_length_of_what_runs_and_no_other() {
    let mut w = World::at(Stage::Multisig);
    let len = trimmed_len(&w.live_code());
    let (dev, payer, multisig) = (address("dev"), address("payer"), w.multisig());
    let register = |len| {
        let id = demo_vault::ID;
        backend::instructions::register_program(&dev, &payer, &multisig, &id, 1, len)
    };
    for wrong in [0, len - 1, len + 1, u32::MAX] {
        w.attack(ManagerError::TrimmedLength, &[register(wrong)], &["dev", "payer"]);
    }
    w.passes(&[register(len)], &["dev", "payer"]);
}
