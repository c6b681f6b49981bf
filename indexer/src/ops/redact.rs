//! Removes secrets from addresses of nodes, databases and webhooks, and from text that may quote them.
//! Only scheme and host of an address are shown. An ambiguous address is shown as its scheme alone and
//! never connected to: a part of the password could be taken for the host.
use reqwest::Url;

/// Known schemes. Any other text before `://` may be a secret.
const SCHEMES: [&str; 6] = ["http", "https", "ws", "wss", "postgres", "postgresql"];
/// Replaces a secret.
const HIDDEN: &str = "***";
/// Shortest password that is replaced on its own: replacing shorter ones would garble every text, and
/// would reveal them.
const MIN_PASSWORD_LEN: usize = 4;
/// Shortest path or query part that counts as a key: shorter ones are words like "v1".
const MIN_KEY_LEN: usize = 6;
/// Advice for reserved characters in a user name, password or path.
const ENCODE: &str = "in a user name, password or path write : as %3A, / as %2F, ? as %3F, # as %23, @ as %40 and % as %25";

/// The parts of an unambiguous address.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Parts<'a> {
    /// The part before `://`.
    pub scheme: &'a str,
    /// Host, and port where one is given. Empty in `postgres:///name`.
    pub host: &'a str,
    /// User and password.
    user: &'a str,
    /// Path, query and fragment.
    behind: &'a str,
}

impl<'a> Parts<'a> {
    /// Reads `url`.
    ///
    /// # Errors
    /// Why it cannot be read, as the rest of a sentence that quotes no part of it.
    pub fn read(url: &'a str) -> Result<Self, String> {
        let (scheme, rest) = url.split_once("://").ok_or("it has no ://")?;
        if !is_known(scheme) {
            return Err(format!("it does not begin with one of {}", SCHEMES.join("://, ") + "://"));
        }
        if url.chars().any(char::is_control) {
            return Err("it holds a line break, a tab or another control character".to_owned());
        }
        // Web clients treat a backslash as a slash.
        let ends: &[char] =
            if is_database(scheme) { &['/', '?', '#'] } else { &['/', '?', '#', '\\'] };
        let (authority, behind) = rest.split_at(rest.find(ends).unwrap_or(rest.len()));
        if behind.contains('@') {
            return Err(format!("there is an @ behind its first /, ? or #; {ENCODE}"));
        }
        let (user, host) = authority.rsplit_once('@').unwrap_or(("", authority));
        let by_socket = authority.is_empty() && is_database(scheme);
        if !is_host(host) && !by_socket {
            return Err(format!("its host or port cannot be read; {ENCODE}"));
        }
        Ok(Self { scheme, host, user, behind })
    }

    /// Whether it is the address of a database.
    #[must_use]
    pub fn is_database(&self) -> bool {
        is_database(self.scheme)
    }

    /// The parts that must not be shown.
    fn secrets(&self) -> Vec<&'a str> {
        let (name, password) = self.user.split_once(':').unwrap_or((self.user, ""));
        let mut out = vec![];
        if password.len() >= MIN_PASSWORD_LEN {
            out.push(password);
        }
        let query = self.behind.split_once('?').map_or("", |(_, query)| query);
        // The user and the name (path) of a database are no secrets.
        let behind = if self.is_database() { query } else { self.behind };
        if !self.is_database() && name.len() >= MIN_PASSWORD_LEN {
            out.push(name);
        }
        let parts = behind.split(['/', '?', '#', '&']);
        let values = parts.map(|part| part.split_once('=').map_or(part, |(_, value)| value));
        out.extend(values.filter(|value| value.len() >= MIN_KEY_LEN));
        out
    }
}

fn is_known(scheme: &str) -> bool {
    SCHEMES.iter().any(|known| scheme.eq_ignore_ascii_case(known))
}

fn is_database(scheme: &str) -> bool {
    scheme.get(..8).is_some_and(|begin| begin.eq_ignore_ascii_case("postgres"))
}

/// Whether `text` is a host name or IP address, with or without a port.
fn is_host(text: &str) -> bool {
    let (name, port) = match text.strip_prefix('[') {
        Some(rest) => match rest.split_once(']') {
            Some((name, port)) => (name, port),
            None => return false,
        },
        None => text.split_at(text.find(':').unwrap_or(text.len())),
    };
    let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | '%');
    let is_number = |c: char| c.is_ascii_hexdigit() || matches!(c, ':' | '.');
    let known = match text.starts_with('[') {
        true => name.chars().all(is_number),
        false => name.chars().all(is_name),
    };
    let port = match port.strip_prefix(':') {
        Some("") => true,
        Some(digits) => digits.bytes().all(|b| b.is_ascii_digit()) && digits.parse::<u16>().is_ok(),
        None => port.is_empty(),
    };
    !name.is_empty() && known && port
}

/// `url` without user, path and query, where providers put access keys.
#[must_use]
pub fn shown(url: &str) -> String {
    match Parts::read(url) {
        Ok(parts) => format!("{}://{}", parts.scheme, parts.host),
        Err(_) => match url.split_once("://").filter(|(scheme, _)| is_known(scheme)) {
            Some((scheme, _)) => format!("{scheme}://…"),
            None => "…".to_owned(),
        },
    }
}

/// Known secrets, and their replacements.
#[derive(Clone, Default)]
pub struct Secrets {
    pairs: Vec<(String, String)>,
}

impl std::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Secrets({})", self.pairs.len())
    }
}

impl Secrets {
    /// Collects the secrets in these addresses.
    pub fn new<'a>(urls: impl IntoIterator<Item = &'a str>) -> Self {
        let mut found = vec![];
        for url in urls {
            found.push((url.to_owned(), shown(url)));
            // Also as clients normalise it: lower case, some characters encoded.
            let parsed = Url::parse(url).ok();
            let parsed = parsed.as_ref().map(Url::as_str);
            found.extend(parsed.map(|text| (text.to_owned(), shown(url))));
            for text in [Some(url), parsed].into_iter().flatten() {
                found.extend(secrets(text).into_iter().map(|part| (part, HIDDEN.to_owned())));
            }
        }
        let mut pairs: Vec<_> = found
            .iter()
            .flat_map(|(text, shown)| forms(text).into_iter().map(|form| (form, shown.clone())))
            .filter(|(text, _)| !text.is_empty())
            .collect();
        // Longest first: replacing a shorter one inside a longer one would leave the rest of it.
        pairs.sort_by(|a, b| b.0.len().cmp(&a.0.len()).then_with(|| a.cmp(b)));
        pairs.dedup();
        Self { pairs }
    }

    /// `text` without them.
    #[must_use]
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

/// The secrets in `url`. Where it cannot be read that is every piece of it, because any of them may
/// belong to the password.
fn secrets(url: &str) -> Vec<String> {
    if let Ok(parts) = Parts::read(url) {
        return parts.secrets().into_iter().map(str::to_owned).collect();
    }
    let rest = match url.split_once("://") {
        Some((scheme, rest)) if is_known(scheme) => rest,
        _ => url,
    };
    let between =
        |c: char| c.is_whitespace() || c.is_control() || "/?#@:&=\\'\"`[]<>,;".contains(c);
    let pieces = rest.split(between).filter(|piece| piece.len() >= MIN_PASSWORD_LEN);
    [rest].into_iter().chain(pieces).map(str::to_owned).collect()
}

/// The forms in which other programs print `text`: percent-decoded, percent-encoded, and escaped in a
/// string or a string within a string.
fn forms(text: &str) -> Vec<String> {
    let plain = decoded(text);
    let lower = |byte: u8| format!("%{byte:02x}");
    let upper = |byte: u8| format!("%{byte:02X}");
    let mut out = vec![text.to_owned(), encoded(&plain, upper), encoded(&plain, lower)];
    for base in [text, &plain] {
        let json = quoted(base);
        let debug = format!("{base:?}");
        out.extend([quoted(&json), json, debug.trim_matches('"').to_owned(), base.to_owned()]);
    }
    out
}

/// `text` escaped as in a JSON string, without the quotes.
fn quoted(text: &str) -> String {
    let json = serde_json::Value::from(text).to_string();
    let inner = json.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
    inner.unwrap_or(text).to_owned()
}

/// `text` with every byte percent-encoded except letters and digits.
fn encoded(text: &str, escaped: impl Fn(u8) -> String) -> String {
    let one = |byte: u8| match byte.is_ascii_alphanumeric() {
        true => char::from(byte).to_string(),
        false => escaped(byte),
    };
    text.bytes().map(one).collect()
}

/// `text` percent-decoded; unchanged if that is not UTF-8.
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

/// A node's `text` without the secrets of `url`, made [`plain`].
pub(crate) fn scrubbed(text: &str, url: &str) -> String {
    plain(&Secrets::new([url]).scrub(text))
}

/// Foreign `text` on one line of bounded length, without control characters.
pub(crate) fn plain(text: &str) -> String {
    const MAX_TEXT_LEN: usize = 400;
    let mut out: String =
        text.chars().take(MAX_TEXT_LEN).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if text.chars().nth(MAX_TEXT_LEN).is_some() {
        out.push('…');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ambiguous_address_shows_only_its_scheme() {
        for (url, right) in [
            ("postgres://bob:12/tail@db.example:5432/x", "postgres://…"),
            ("postgres://bob:pa?tail@db.example/x", "postgres://…"),
            ("postgres://bob:pa#tail@db.example/x", "postgres://…"),
            ("postgres://bob:a@tail/rest@db.example/x", "postgres://…"),
            ("postgres://bob:tail:db.example/x", "postgres://…"),
            ("postgres://bob:tail@:db.example/x", "postgres://…"),
            ("postgres://:tail:db.example:5432/x", "postgres://…"),
            ("postgres://bob@ta'il/x", "postgres://…"),
            ("postgres://bob:x@db.example\n/x", "postgres://…"),
            ("https://bob:12\\tail@rpc.example/x", "https://…"),
            ("https://rpc.example:99999/x", "https://…"),
            ("tail://rpc.example", "…"),
            ("postgres:bob:tail@db.example", "…"),
            ("bob:tail@db.example", "…"),
            ("", "…"),
            ("postgres://bob:pa'il@db.example:5432/x", "postgres://db.example:5432"),
            ("postgres://bob:a@b@db.example/x", "postgres://db.example"),
            ("postgres:///x?host=/run/postgresql", "postgres://"),
            ("WSS://[::1]:8900/key", "WSS://[::1]:8900"),
        ] {
            assert_eq!(shown(url), right, "{url}");
        }
    }

    #[test]
    fn keys_of_addresses_are_replaced() {
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
    fn a_password_is_replaced_in_either_case_of_its_escapes() {
        let secrets = Secrets::new(["postgres://bob:Pa%2FSsWord@db.example/x"]);
        for text in ["Pa/SsWord", "Pa%2FSsWord", "Pa%2fSsWord"] {
            assert_eq!(secrets.scrub(text), "***", "{text}");
        }
    }

    #[test]
    fn a_key_is_replaced_escaped_decoded_and_with_another_as_prefix() {
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

    #[test]
    fn a_password_is_replaced_encoded_decoded_and_normalised() {
        let url = "postgres://bob:p%2fs s'w\"rd%25@DB.example.com/x";
        let secrets = Secrets::new([url]);
        for text in
            ["p%2fs s'w\"rd%25", "p/s s'w\"rd%", "p%2Fs%20s%27w%22rd%25", "p%2fs%20s'w%22rd%25"]
        {
            assert_eq!(secrets.scrub(text), "***", "{text}");
        }
        let parsed = Url::parse(url).unwrap();
        assert!(!secrets.scrub(parsed.as_str()).contains("rd"), "{parsed}");
    }

    #[test]
    fn every_piece_of_an_unreadable_address_is_replaced() {
        let secrets = Secrets::new(["postgres://bob:corr/hors'batt@db.example/x"]);
        let said = secrets.scrub("invalid port: corr, database hors'batt@db.example, or batt");
        assert!(!["corr", "hors", "batt"].iter().any(|s| said.contains(s)), "{said}");
        assert_eq!(format!("{secrets:?}").find("corr"), None);
    }
}
