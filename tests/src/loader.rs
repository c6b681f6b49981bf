//! Uploads buffers and deploys programs through the real upgradeable loader, as a deploy tool does.
use solana_instruction::Instruction;
use solana_keypair::Keypair;
use solana_loader_v3_interface::{
    get_program_data_address,
    instruction::{create_buffer, deploy_with_max_program_len, write},
    state::UpgradeableLoaderState as State,
};
use solana_pubkey::Pubkey;
use solana_signer::Signer;

use crate::chain::Chain;

/// Bytes of one `Write`: the loader reads instructions of at most one packet.
const MAX_WRITE_LEN: usize = 1_000;
/// `Write`s in one transaction: below the runtime's limit on instructions.
const MAX_WRITES_PER_TX: usize = 50;

/// Uploads `bytes` into a new buffer at `buffer` under `authority`, who pays.
pub fn upload(chain: &mut Chain, buffer: &Keypair, authority: &Keypair, bytes: &[u8]) -> Pubkey {
    let rent = chain.rent(State::size_of_buffer(bytes.len()));
    let (key, who) = (buffer.pubkey(), authority.pubkey());
    let create = create_buffer(&who, &key, &who, rent, bytes.len()).expect("a buffer");
    chain.ok(&create, &[authority, buffer]);
    let writes: Vec<Instruction> = bytes
        .chunks(MAX_WRITE_LEN)
        .enumerate()
        .map(|(i, chunk)| {
            let offset = u32::try_from(i * MAX_WRITE_LEN).expect("a buffer has at most 10 MiB");
            write(&key, &who, offset, chunk.to_vec())
        })
        .collect();
    for batch in writes.chunks(MAX_WRITES_PER_TX) {
        chain.ok(batch, &[authority]);
    }
    key
}

/// Deploys `elf` at `program`, with a maximum length of `room` bytes, in the previous slot.
pub fn deploy(chain: &mut Chain, program: &Keypair, authority: &Keypair, elf: &[u8], room: usize) {
    let buffer = crate::keys::key(&format!("deploy-{}", program.pubkey()));
    upload(chain, &buffer, authority, elf);
    let rent = chain.rent(State::size_of_program());
    let (payer, id) = (authority.pubkey(), program.pubkey());
    let deploy = deploy_with_max_program_len(&payer, &id, &buffer.pubkey(), &payer, rent, room);
    chain.ok(&deploy.expect("a deployment"), &[authority, program]);
    chain.next_slot();
}

/// The running code of `program`, with its trailing zeros.
pub fn live(chain: &Chain, program: &Pubkey) -> Vec<u8> {
    let data = chain.data(&get_program_data_address(program));
    data[State::size_of_programdata_metadata()..].to_vec()
}

/// The upgrade authority of `program`.
pub fn authority(chain: &Chain, program: &Pubkey) -> Option<Pubkey> {
    let data = chain.data(&get_program_data_address(program));
    (data[12] == 1).then(|| Pubkey::try_from(&data[13..45]).expect("32 bytes"))
}
