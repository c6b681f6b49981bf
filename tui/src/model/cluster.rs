//! Which chain this is, judged by its genesis hash first and its address second. Pure.
use backend::{Danger, Verb};

/// Kinds of chains, as far as caution goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClusterKind {
    /// The chain that `control-room sandbox` started.
    Sandbox,
    /// A test validator on this machine.
    Local,
    /// Everything that other people use.
    Shared,
}

/// The chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cluster {
    /// How careful to be.
    pub kind: ClusterKind,
    /// Its name on screen.
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
    /// Judges a chain by its genesis hash in base58 and its node's address without secrets.
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

    /// How carefully `verb` must be confirmed here. What users' accounts and code depend on is
    /// typed in full on every chain that other people use.
    pub fn danger(&self, verb: Verb) -> Danger {
        let grave = verb.danger() == Danger::TypeToConfirm || verb == Verb::Migrate;
        match (self.kind, grave) {
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
    fn grave_verbs_are_typed_on_shared_chains_only() {
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
