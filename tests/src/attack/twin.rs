//! A second multisig and a second program in the same state as the first: every account of the
//! manager, the loader and the target is copied to the address derived from the second multisig's
//! keys, and every key in it is replaced by its counterpart. A copy therefore differs from its
//! original only in its keys.
use std::collections::HashMap;

use anchor_lang::AccountDeserialize;
use solana_account::{Account, ReadableAccount};
use solana_pubkey::Pubkey;
use upgrade_manager::{
    ID,
    external::loader,
    seeds,
    state::{BufferAttestation, UpgradeProposal},
};

use crate::{keys::address, world::World};

/// Bytes of an account in which keys are looked for: more than any account of the manager holds in
/// front of a backup's bytes.
const SEARCHED_LEN: usize = 6_000;
/// Header of a loader account: what follows is code.
const LOADER_HEADER_LEN: usize = 45;

/// Each key of the first multisig with its counterpart.
pub struct Twin(HashMap<Pubkey, (Pubkey, Option<u8>)>);

impl Twin {
    /// The second multisig beside the multisig of `w`, which must exist.
    pub fn of(w: &World) -> Self {
        let mut map = HashMap::new();
        let (multisig, program) = (address("second-create"), address("second-program"));
        let (old, own) = (w.multisig(), demo_vault::ID);
        let mut plain = |from, to| map.insert(from, (to, None));
        plain(address("create"), multisig);
        plain(own, program);
        let data = |p: &Pubkey| solana_loader_v3_interface::get_program_data_address(p);
        plain(data(&own), data(&program));
        let second = |key: &Pubkey| address(&format!("second-{key}"));
        let mut derived = vec![
            (old, seeds::multisig(&multisig)),
            (seeds::program_state(&own).0, seeds::program_state(&program)),
            (seeds::authority(&own).0, seeds::authority(&program)),
            (seeds::migrator(&own).0, seeds::migrator(&program)),
        ];
        let new = derived[0].1.0;
        for id in 0..8 {
            derived.push((seeds::proposal(&own, &old, id).0, seeds::proposal(&program, &new, id)));
            derived.push((seeds::governance(&old, id).0, seeds::governance(&new, id)));
        }
        for (key, account) in w.chain.holdings() {
            if *account.owner() == own {
                let other = second(&key);
                plain(key, other);
                let record = seeds::account_version(&own, &key).0;
                derived.push((record, seeds::account_version(&program, &other)));
                derived.push((seeds::backup(&own, &key).0, seeds::backup(&program, &other)));
            }
            if *account.owner() == loader::ID && account.data().first() == Some(&1) {
                let other = second(&key);
                plain(key, other);
                derived.push((seeds::attestation(&key).0, seeds::attestation(&other)));
            }
            // A consumed buffer has no account any more, but its attestation still exists.
            if let Some(known) = attestation(&account) {
                let other = second(&known.buffer);
                plain(known.buffer, other);
                derived.push((key, seeds::attestation(&other)));
            }
        }
        map.extend(derived.into_iter().map(|(from, (to, bump))| (from, (to, Some(bump)))));
        Self(map)
    }

    /// The counterpart of `key`.
    pub fn key(&self, key: &Pubkey) -> Option<Pubkey> {
        self.0.get(key).map(|(to, _)| *to)
    }

    /// Writes the second multisig's accounts into `w`.
    pub fn plant(&self, w: &mut World) {
        // LiteSVM loads a program when its account is set, so the ProgramData must be there first.
        let (programs, rest): (Vec<_>, Vec<_>) =
            w.chain.holdings().into_iter().partition(|(_, a)| a.executable());
        for (key, account) in rest.into_iter().chain(programs) {
            let Some((to, bump)) = self.0.get(&key) else { continue };
            let mut copy = Account::from(account);
            let head = if copy.owner == loader::ID { LOADER_HEADER_LEN } else { SEARCHED_LEN };
            self.translate(&mut copy.data, head);
            if copy.owner == ID {
                copy.data[9] = bump.expect("an address of the manager's");
                if key == seeds::program_state(&demo_vault::ID).0 {
                    let program = address("second-program");
                    copy.data[10] = seeds::authority(&program).1;
                    copy.data[11] = seeds::migrator(&program).1;
                }
            }
            copy.owner = self.key(&copy.owner).unwrap_or(copy.owner);
            w.chain.plant(to, copy);
            if let Ok(proposal) = UpgradeProposal::try_deserialize(&mut &w.chain.data(to)[..]) {
                let digest = proposal.terms.digest().expect("memory");
                w.chain.rewrite::<UpgradeProposal>(to, |p| p.digest = digest);
            }
        }
    }

    /// Replaces every key in the first `head` bytes of `data`.
    fn translate(&self, data: &mut [u8], head: usize) {
        let end = data.len().min(head);
        let mut at = 0;
        while at + 32 <= end {
            let window: [u8; 32] = data[at..at + 32].try_into().expect("32 bytes");
            if let Some((to, _)) = self.0.get(&Pubkey::new_from_array(window)) {
                data[at..at + 32].copy_from_slice(to.as_ref());
                at += 31;
            }
            at += 1;
        }
    }
}

fn attestation(account: &impl ReadableAccount) -> Option<BufferAttestation> {
    let ours = *account.owner() == ID;
    ours.then(|| BufferAttestation::try_deserialize(&mut account.data()).ok()).flatten()
}
