//! Which cluster this is, from the genesis hash first and the node's address second. Decides how carefully a signature
//! must be confirmed. Pure.
use backend::{Danger, Verb};

/// Who else uses the chain; it decides how carefully a signature is confirmed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClusterKind {
    /// The chain that `control-room sandbox` started.
    Sandbox,
    /// A test validator on this machine.
    Local,
    /// Any other chain, such as mainnet: other people use it.
    Shared,
}

/// The cluster of the mirror.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cluster {
    pub kind: ClusterKind,
    /// The name on screen.
    pub name: String,
    /// Scheme and host of the node, without secrets.
    pub node: String,
}

/// Genesis hashes of the public clusters, base58.
const KNOWN_CLUSTERS: [(&str, &str); 3] = [
    ("5eykt4UsFv8P8NJdTREpY1vzqKqZKvdpKuc147dw2N9d", "mainnet"),
    ("EtWTRABZaYq6iMfeYKouRu166VU2xqa1wcaWoxPkrZBG", "devnet"),
    ("4uhcVJyU9pJkvQyS88uRDiswHXSCkY3zQawwpjk2NsNY", "testnet"),
];

impl Cluster {
    /// The cluster with the genesis hash `genesis` (base58). `node` is the node's address without secrets. A public
    /// cluster is recognised even behind a proxy on this machine.
    pub fn identify(genesis: &str, node: &str, sandbox: bool) -> Self {
        let known = KNOWN_CLUSTERS.iter().find(|(hash, _)| *hash == genesis).map(|(_, name)| *name);
        let host = node.split("://").nth(1).unwrap_or(node);
        let loopback = ["127.0.0.1", "localhost", "[::1]"].iter().any(|h| {
            host.strip_prefix(h).is_some_and(|rest| rest.is_empty() || rest.starts_with([':', '/']))
        });
        let (kind, name) = match known {
            Some(name) => (ClusterKind::Shared, name),
            None if sandbox => (ClusterKind::Sandbox, "sandbox"),
            None if loopback => (ClusterKind::Local, "local"),
            None => (ClusterKind::Shared, "custom"),
        };
        Self { kind, name: name.to_owned(), node: node.to_owned() }
    }

    /// How carefully `verb` must be confirmed here. On a shared cluster, verbs that replace code or rewrite users'
    /// accounts need a typed word.
    pub fn danger(&self, verb: Verb) -> Danger {
        let dangerous = verb.danger() == Danger::TypeToConfirm || verb == Verb::Migrate;
        match (self.kind, dangerous) {
            (ClusterKind::Shared, true) => Danger::TypeToConfirm,
            _ => Danger::Confirm,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_public_cluster_is_never_taken_for_a_local_one() {
        for (genesis, name) in KNOWN_CLUSTERS {
            let c = Cluster::identify(genesis, "http://127.0.0.1:8899", true);
            assert_eq!(
                (c.kind, c.name.as_str()),
                (ClusterKind::Shared, name),
                "behind a local proxy"
            );
        }
        let kind = |node, sandbox| Cluster::identify("x", node, sandbox).kind;
        assert_eq!(kind("http://127.0.0.1:8899", false), ClusterKind::Local);
        assert_eq!(kind("http://127.0.0.1:8899", true), ClusterKind::Sandbox);
        assert_eq!(kind("http://localhost.example.com", false), ClusterKind::Shared);
        assert_eq!(kind("https://rpc.example.com", false), ClusterKind::Shared);
    }

    #[test]
    fn only_shared_clusters_need_a_typed_word() {
        let shared = Cluster::identify("x", "https://rpc.example.com", false);
        let local = Cluster::identify("x", "http://localhost:8899", false);
        let give_up = Verb::RollBack { give_up: true };
        for verb in [Verb::Execute, Verb::Migrate, Verb::RollBack { give_up: false }, give_up] {
            assert_eq!(shared.danger(verb), Danger::TypeToConfirm, "{verb:?}");
            assert_eq!(local.danger(verb), Danger::Confirm, "{verb:?}");
        }
        for verb in [Verb::Approve, Verb::Revoke, Verb::Verify, Verb::Expire] {
            assert_eq!(shared.danger(verb), Danger::Confirm, "nothing is signed without a yes");
        }
    }
}
