//! Keeps access keys out of logs and messages: providers put them into the path, the query or the
//! user part of an address.
use indexer::source::shown;

/// Addresses that may carry secrets, and how they may be shown.
#[derive(Clone, Debug, Default)]
pub struct Secrets {
    pairs: Vec<(String, String)>,
}

impl Secrets {
    /// Knows the secrets in these addresses.
    pub fn new<'a>(urls: impl IntoIterator<Item = &'a str>) -> Self {
        let mut pairs = vec![];
        for url in urls {
            pairs.push((url.to_owned(), shown(url)));
            let rest = url.split_once("://").map_or("", |(_, rest)| rest);
            let (authority, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
            if let Some((user, _)) = authority.rsplit_once('@') {
                let password = user.split_once(':').map_or(user, |(_, password)| password);
                pairs.push((password.to_owned(), "***".to_owned()));
            }
            let parts = path.split(['/', '?', '&', '=']).filter(|p| p.len() >= 12);
            pairs.extend(parts.map(|p| (p.to_owned(), "***".to_owned())));
        }
        pairs.retain(|(secret, _)| !secret.is_empty());
        Self { pairs }
    }

    /// `text` without them.
    pub fn scrub(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for (secret, shown) in &self.pairs {
            if text.contains(secret) {
                text = text.replace(secret, shown);
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_in_addresses_are_not_repeated() {
        let secrets = Secrets::new([
            "https://rpc.example.com/v2/0123456789abcdef?api-key=fedcba9876543210",
            "postgres://bob:hunter22hunter@db.example.com/x",
        ]);
        let said = secrets.scrub(
            "GET https://rpc.example.com/v2/0123456789abcdef?api-key=fedcba9876543210 failed; \
             key fedcba9876543210; password hunter22hunter",
        );
        assert_eq!(said, "GET https://rpc.example.com failed; key ***; password ***");
    }
}
