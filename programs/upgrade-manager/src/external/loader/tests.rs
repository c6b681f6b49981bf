//! What the loader's accounts look like, byte by byte.
use super::*;

fn account(tag: u8, gap: usize, option: u8, elf: &[u8]) -> Vec<u8> {
    let mut data = vec![tag, 0, 0, 0];
    data.extend(vec![9; gap]);
    data.push(option);
    data.extend([7; 32]);
    data.extend(elf);
    data
}

#[test]
fn headers_are_read_at_their_offsets() {
    let key = Some(Pubkey::new_from_array([7; 32]));
    let data = account(1, 0, 1, b"code");
    assert_eq!(buffer(&ID, &data).unwrap(), CodeAccount { authority: key, elf: b"code" });
    let data = account(3, 8, 1, b"code");
    assert_eq!(program_data(&ID, &data).unwrap(), CodeAccount { authority: key, elf: b"code" });
    let data = account(3, 8, 0, b"code");
    assert_eq!(program_data(&ID, &data).unwrap().authority, None, "stale key bytes");
}

#[test]
fn other_owners_kinds_and_lengths_are_refused() {
    let data = account(1, 0, 1, b"code");
    assert!(buffer(&crate::ID, &data).is_err(), "owner");
    assert!(program_data(&ID, &data).is_err(), "kind");
    assert!(buffer(&ID, &account(1, 0, 2, b"code")).is_err(), "option tag");
    for len in 0..BUFFER_HEADER {
        assert!(buffer(&ID, &data[..len]).is_err(), "{len}");
    }
    let mut program = vec![2, 0, 0, 0];
    program.extend([5; 32]);
    let address = program_data_address(&ID, &program).unwrap();
    assert_eq!(address, Pubkey::new_from_array([5; 32]));
    assert!(program_data_address(&ID, &program[..35]).is_err());
    assert!(program_data_address(&crate::ID, &program).is_err());
    assert!(program_data_address(&ID, &data).is_err());
}
