//! Code of the sizes that the bounds name: the demo vault with more bytes behind its section
//! headers, which the loader ignores and every hash covers.
use e2e::{
    elf,
    world::{APPROVERS, Stage, TIMELOCK, World},
};
use solana_loader_v3_interface::state::UpgradeableLoaderState as State;
use upgrade_manager::state::{BufferRole, elf::MAX_INLINE_LEN};

use crate::{meter::Meter, upgrade::kib};

/// Size of the ELF that the bound is about.
pub const BOUNDED_ELF_LEN: usize = 500 * 1024;

/// Every instruction of this file.
pub fn measure(m: &mut Meter) {
    whole(m, BOUNDED_ELF_LEN);
    whole(m, MAX_INLINE_LEN);
    chunks(m, MAX_INLINE_LEN + MAX_INLINE_LEN / 4);
}

/// The second layout's ELF with ones behind it, `len` bytes in all.
fn padded(len: usize) -> Vec<u8> {
    let mut elf = elf::v2().to_vec();
    elf.resize(len, 1);
    elf
}

/// Code of `len` bytes attested and executed in one transaction each.
fn whole(m: &mut Meter, len: usize) {
    let (code, mut w) = (padded(len), World::at(Stage::Registered));
    // Room, as the loader's `ExtendProgram` makes it, which needs no vote.
    let room = State::size_of_programdata_metadata() + len;
    let data = w.program_data();
    w.chain.tamper(&data, |data| data.resize(room, 0));
    w.upload("upgrade", &code);
    w.freeze("upgrade", BufferRole::Upgrade);
    let ix = w.attest_ix("upgrade");
    m.run(&mut w.chain, &kib(&code), ix, &[]);
    w.stage_rollback("rollback", elf::v1());
    w.propose();
    w.approve_by(&APPROVERS);
    w.chain.pass(i64::from(TIMELOCK));
    let ix = w.execute_ix("dan");
    m.run(&mut w.chain, &kib(&code), ix, &["dan"]);
    assert_eq!(w.live_code(), code, "the loader took it");
    // It is callable: a chain that refuses its ELF would not migrate.
    w.chain.next_slot();
    w.migrate_all();
}

/// Code that is too large for one transaction to hash.
fn chunks(m: &mut Meter, len: usize) {
    let (code, mut w) = (padded(len), World::at(Stage::Registered));
    w.upload("upgrade", &code);
    w.freeze("upgrade", BufferRole::Upgrade);
    for case in ["1 MiB", "1 MiB more", "last 512 KiB"] {
        let ix = w.attest_chunk_ix("upgrade");
        m.run(&mut w.chain, case, ix, &[]);
    }
}
