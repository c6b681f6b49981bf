//! The same steps in the real Squads v4: a multisig of five with a threshold of three replaces the
//! demo vault's code through its vault. The acting member pays the fee, as in Squads.
use e2e::{
    chain::Chain,
    elf,
    keys::{address, key},
    squads::{self, ALL, MultisigArgs, TransactionMessage},
    world::{APPROVERS, MEMBERS, SOL, Stage, World},
};
use solana_loader_v3_interface::instruction::{
    set_buffer_authority, set_upgrade_authority, upgrade,
};
use solana_pubkey::Pubkey;
use solana_signer::Signer;

use crate::{
    meter::{Figure, Meter},
    upgrade::{VOTES, kib},
};

/// Index of the multisig's first transaction.
const INDEX: u64 = 1;

/// Every step.
pub fn measure() -> Vec<Figure> {
    let mut m = Meter::default();
    let mut chain = World::at(Stage::Deployed).chain;
    squads::install(&mut chain);
    let multisig = create(&mut m, &mut chain);
    let vault = squads::vault(&multisig, 0);
    chain.fund(&vault, SOL);
    let message = hand_over(&mut chain, &vault);

    let (anna, dan) = (address("anna"), address("dan"));
    let ix = squads::vault_transaction_create(&multisig, INDEX, &anna, &message);
    m.named(&mut chain, ("vault_transaction_create", "an upgrade"), ix, &["anna"]);
    let ix = squads::proposal_create(&multisig, INDEX, &anna);
    m.named(&mut chain, ("proposal_create", ""), ix, &["anna"]);
    for (member, vote) in APPROVERS.into_iter().zip(VOTES) {
        let ix = squads::proposal_approve(&multisig, INDEX, &address(member));
        m.named(&mut chain, ("proposal_approve", vote), ix, &[member]);
    }
    let ix = squads::vault_transaction_execute(&multisig, INDEX, &dan, &message);
    m.named(&mut chain, ("vault_transaction_execute", &kib(elf::v2())), ix, &["dan"]);
    let live = e2e::loader::live(&chain, &demo_vault::ID);
    assert!(live.starts_with(elf::v2()), "the code was replaced");
    m.figures
}

fn create(m: &mut Meter, chain: &mut Chain) -> Pubkey {
    let create_key = address("squads-create");
    let args = MultisigArgs {
        config_authority: None,
        threshold: 3,
        members: MEMBERS.iter().map(|name| (address(name), ALL)).collect(),
        time_lock: 0,
        rent_collector: None,
    };
    let ix = squads::multisig_create_v2(&create_key, &address("payer"), &args);
    m.named(chain, ("multisig_create_v2", "five members"), ix, &["payer", "squads-create"]);
    squads::multisig(&create_key)
}

/// Gives the vault the program's authority and a buffer. Returns the instructions that the vault
/// signs.
fn hand_over(chain: &mut Chain, vault: &Pubkey) -> TransactionMessage {
    let (dev, buffer) = (key("dev"), key("squads-buffer"));
    e2e::loader::upload(chain, &buffer, &dev, elf::v2());
    let give = [
        set_upgrade_authority(&demo_vault::ID, &dev.pubkey(), Some(vault)),
        set_buffer_authority(&buffer.pubkey(), &dev.pubkey(), vault),
    ];
    chain.ok(&give, &[&dev]);
    let call = upgrade(&demo_vault::ID, &buffer.pubkey(), vault, &address("treasury"));
    TransactionMessage::new(vault, &[call])
}
