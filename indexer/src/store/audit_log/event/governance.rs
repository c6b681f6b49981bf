//! Events about a multisig itself: config changes, pauses, authority transfers, dissolution.
use serde_json::{Value, json};
use upgrade_manager::events::{
    AuthorityTransferred, ConfigChanged, GovernanceProposed, MultisigDissolved, PauseChanged,
};

use super::{Described, read};
use crate::account::describe::{hash, key, maybe};

pub(super) fn describe(payload: &[u8]) -> Option<Described> {
    if let Some(e) = read::<GovernanceProposed>(payload) {
        let GovernanceProposed { proposal, multisig, id, proposer, digest, kind, program } = e;
        let detail = json!({
            "proposal": key(&proposal), "multisig": key(&multisig), "id": id,
            "proposer": key(&proposer), "digest": hash(&digest), "kind": kind.name(),
            "program": maybe(program.as_ref()),
        });
        return Some(Described::new("GovernanceProposed", Some(proposer), proposal, detail));
    }
    if let Some(e) = read::<ConfigChanged>(payload) {
        let ConfigChanged {
            proposal,
            multisig,
            executor,
            config_epoch,
            threshold,
            timelock,
            members,
        } = e;
        let members: Vec<Value> = members.iter().map(key).collect();
        let detail = json!({
            "proposal": key(&proposal), "multisig": key(&multisig), "executor": key(&executor),
            "config_epoch": config_epoch, "threshold": threshold, "timelock": timelock,
            "members": members,
        });
        return Some(Described::new("ConfigChanged", Some(executor), proposal, detail));
    }
    if let Some(AuthorityTransferred { proposal, program, multisig, executor, new_authority }) =
        read(payload)
    {
        let detail = json!({
            "proposal": key(&proposal), "program": key(&program), "multisig": key(&multisig),
            "executor": key(&executor), "new_authority": key(&new_authority),
        });
        return Some(Described::new("AuthorityTransferred", Some(executor), proposal, detail));
    }
    if let Some(MultisigDissolved { proposal, multisig, executor }) = read(payload) {
        let detail = json!({
            "proposal": key(&proposal), "multisig": key(&multisig), "executor": key(&executor),
        });
        return Some(Described::new("MultisigDissolved", Some(executor), proposal, detail));
    }
    if let Some(PauseChanged { multisig, actor, paused_until, votes }) = read(payload) {
        let detail = json!({
            "multisig": key(&multisig), "actor": key(&actor), "paused_until": paused_until,
            "votes": votes,
        });
        return Some(Described::new("PauseChanged", Some(actor), multisig, detail));
    }
    None
}
