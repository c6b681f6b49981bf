//! A file, a buffer and a program have one hash, the one of `solana-verify`.
use e2e::{
    elf,
    world::{Stage, World},
};
use sha2::{Digest, Sha256};

/// The hash as `solana-verify` computes it: drop trailing zero bytes, then hash.
fn solana_verify(bytes: &[u8]) -> String {
    let mut bytes = bytes.to_vec();
    while bytes.last() == Some(&0) {
        bytes.pop();
    }
    hex::encode(Sha256::digest(bytes))
}

#[test]
fn published_vectors_hold_with_and_without_zeros_behind_them() {
    // FIPS 180-2 and NESSIE vectors of SHA-256.
    let vectors: [(&[u8], &str); 4] = [
        (b"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        (b"a", "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb"),
        (b"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        (
            b"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1",
        ),
    ];
    for (bytes, expected) in vectors {
        for zeros in [0, 1, 7, 64, 10_240] {
            let padded = [bytes, &vec![0; zeros]].concat();
            let hash = hex::encode(backend::elf::verify_hash(&padded));
            assert_eq!(hash, expected, "{} bytes and {zeros} zeros", bytes.len());
        }
    }
}

#[test]
fn zeros_in_front_and_inside_count() {
    // sha256 of the bytes 00 61 and 61 00 62, from coreutils' sha256sum.
    let vectors: [(&[u8], &str); 2] = [
        (b"\0a\0\0", "022a6979e6dab7aa5ae4c3e5e45f7e977112a7e63593820dbec1ec738a24f93c"),
        (b"a\0b\0", "59b271ae1bbcb1d31d41929817f4b16fb439eb4f31520b5ad1d5ce98920a7138"),
    ];
    for (bytes, expected) in vectors {
        assert_eq!(hex::encode(backend::elf::verify_hash(bytes)), expected);
    }
}

#[test]
fn the_chain_and_solana_verify_agree_on_the_real_elfs() {
    let w = World::at(Stage::Attested);
    let upgrade = w.attestation("upgrade");
    assert_eq!(hex::encode(upgrade.sha256), solana_verify(elf::v2()));
    assert_eq!(hex::encode(w.attestation("rollback").sha256), solana_verify(elf::v1()));
    assert_eq!(hex::encode(w.state().elf_hash), solana_verify(elf::v1()));
    let data = w.chain.data(&w.state().program_data);
    assert_eq!(solana_verify(&data[45..]), solana_verify(elf::v1()), "padding changes nothing");
    let w = World::at(Stage::Executed);
    assert_eq!(hex::encode(w.state().elf_hash), solana_verify(elf::v2()));
    let data = w.chain.data(&w.state().program_data);
    assert_eq!(solana_verify(&data[45..]), solana_verify(elf::v2()));
    for code in [elf::manager(), elf::v1(), elf::v2()] {
        assert_eq!(hex::encode(backend::elf::verify_hash(code)), solana_verify(code));
    }
}
