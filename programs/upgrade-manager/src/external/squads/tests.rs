//! What is read of a Squads multisig, against the published layout.
use proptest::prelude::*;

use super::*;

fn key(i: u8) -> Pubkey {
    Pubkey::new_from_array([i; 32])
}

/// A Squads multisig as Squads writes it, members with these permissions.
fn multisig(authority: Pubkey, threshold: u16, collector: Option<Pubkey>, masks: &[u8]) -> Vec<u8> {
    let mut data = MULTISIG.to_vec();
    data.extend(key(7).to_bytes());
    data.extend(authority.to_bytes());
    data.extend(threshold.to_le_bytes());
    data.extend(3600u32.to_le_bytes());
    data.extend(5u64.to_le_bytes());
    data.extend(2u64.to_le_bytes());
    match collector {
        Some(key) => data.extend([&[1][..], key.as_ref()].concat()),
        None => data.push(0),
    }
    data.push(254);
    data.extend(u32::try_from(masks.len()).unwrap().to_le_bytes());
    for (i, mask) in (1..).zip(masks) {
        data.extend(key(i).to_bytes());
        data.push(*mask);
    }
    data
}

const AGREED: SquadsVault = SquadsVault {
    multisig: Pubkey::new_from_array([60; 32]),
    vault_index: 0,
    min_threshold: 2,
    min_voters: 3,
};

#[test]
fn threshold_voters_and_config_authority_are_read() {
    for collector in [None, Some(key(9))] {
        let mut data = multisig(key(8), 2, collector, &[7, 2, 5, 3, 0]);
        data.extend([0; 32]);
        let policy = Policy::read(&SQUADS, &data).unwrap();
        assert_eq!(policy, Policy { config_authority: key(8), threshold: 2, voters: 3 });
    }
}

#[test]
fn accounts_of_others_and_of_other_kinds_are_not_read() {
    let data = multisig(Pubkey::default(), 2, None, &[7, 7, 7]);
    assert!(Policy::read(&SQUADS, &data).is_some());
    assert!(Policy::read(&crate::ID, &data).is_none(), "owner");
    let mut other = data;
    other[0] ^= 1;
    assert!(Policy::read(&SQUADS, &other).is_none(), "kind");
}

#[test]
fn a_policy_below_the_agreed_one_or_under_a_config_authority_is_refused() {
    let demand = |authority, threshold, masks: &[u8]| {
        Policy::read(&SQUADS, &multisig(authority, threshold, None, masks))
            .unwrap()
            .require(&AGREED)
    };
    let none = Pubkey::default();
    demand(none, 2, &[7, 7, 7]).unwrap();
    demand(none, 3, &[7, 7, 7, 7]).unwrap();
    let error = |result: Result<()>| result.unwrap_err();
    assert_eq!(error(demand(key(8), 2, &[7, 7, 7])), ManagerError::SquadsControlled.into());
    assert_eq!(error(demand(none, 1, &[7, 7, 7])), ManagerError::SquadsPolicy.into());
    assert_eq!(error(demand(none, 2, &[7, 7, 5])), ManagerError::SquadsPolicy.into());
}

proptest! {
    #[test]
    fn no_bytes_make_the_reader_fail_and_no_cut_account_is_read(
        masks in prop::collection::vec(any::<u8>(), 0..20),
        noise in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        let data = multisig(Pubkey::default(), 2, None, &masks);
        for len in 0..data.len() {
            prop_assert!(Policy::read(&SQUADS, &data[..len]).is_none());
        }
        let voters = masks.iter().filter(|mask| **mask & 2 != 0).count();
        prop_assert_eq!(Policy::read(&SQUADS, &data).unwrap().voters, voters);
        let noisy = [&MULTISIG[..], &noise].concat();
        let _ = Policy::read(&SQUADS, &noisy);
    }
}
