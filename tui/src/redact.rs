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
            // The path of a database is its name.
            let is_node = url.starts_with("http") || url.starts_with("ws");
            let path = if is_node { path } else { path.split_once('?').map_or("", |(_, q)| q) };
            // Shorter parts are words like "v1", and no key.
            let parts = path.split(['/', '?', '#', '&']);
            let parts = parts.map(|p| p.split_once('=').map_or(p, |(_, value)| value));
            pairs.extend(parts.filter(|p| p.len() >= 6).map(|p| (p.to_owned(), "***".to_owned())));
        }
        // As they stand inside a string, also one inside a JSON string, and in a decoded address.
        let bent: Vec<_> = pairs
            .iter()
            .flat_map(|(secret, shown)| {
                [quoted(secret), quoted(&quoted(secret)), decoded(secret)]
                    .map(|s| (s, shown.clone()))
            })
            .collect();
        pairs.extend(bent);
        pairs.retain(|(secret, _)| !secret.is_empty());
        // One that contains another is replaced first, so that no end of it is left over.
        pairs.sort_by_key(|(secret, _)| std::cmp::Reverse(secret.len()));
        pairs.dedup();
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

/// `text` as it stands between the quotes of a JSON string.
fn quoted(text: &str) -> String {
    let json = serde_json::Value::from(text).to_string();
    let inner = json.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
    inner.unwrap_or(text).to_owned()
}

/// `text` with `%xx` replaced by the byte it means; as it is where that makes no text.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, behind)) = rest.split_first() {
        let hex = behind.get(..2).and_then(|h| std::str::from_utf8(h).ok());
        match hex.and_then(|h| u8::from_str_radix(h, 16).ok()).filter(|_| *first == b'%') {
            Some(byte) => {
                bytes.push(byte);
                rest = behind.get(2..).unwrap_or_default();
            }
            None => {
                bytes.push(*first);
                rest = behind;
            }
        }
    }
    String::from_utf8(bytes).unwrap_or_else(|_| text.to_owned())
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
        let secrets = Secrets::new(["postgres://bob@db.example.com/control_room?sslkey=secret"]);
        assert_eq!(secrets.scrub("control_room: secret"), "control_room: ***", "a name is none");
    }

    #[test]
    fn a_key_is_not_repeated_in_json_nor_decoded_nor_behind_another_that_it_begins_with() {
        let secrets = Secrets::new([
            "https://a.example/?k=abc%22def%2Fghi",
            "postgres://bob:pa\"ss\\word@db.example.com/x",
            "https://b.example/0123456789",
            "https://b.example/0123456789abcdef",
        ]);
        for text in ["abc\"def/ghi", "abc%22def%2Fghi", r#"pa\"ss\\word"#, "0123456789abcdef"] {
            assert_eq!(secrets.scrub(text), "***", "{text}");
        }
    }
}
