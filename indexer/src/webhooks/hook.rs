//! The checked settings of one webhook: address, kinds, format, templates. Its address may hold an access
//! key, as Discord and Slack put it there, so it is never shown whole.
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    net::IpAddr,
};

use reqwest::Url;

use super::{Secret, template::Template};
use crate::{ops::redact::shown, store::announcement::AnnouncementKind};

/// Longest name.
const MAX_NAME_LEN: usize = 32;

/// Format of the message body.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WebhookFormat {
    /// Every field, for programs.
    #[default]
    Json,
    /// For Discord's incoming webhooks.
    Discord,
    /// For Slack's incoming webhooks and compatible ones.
    Slack,
}

impl WebhookFormat {
    /// Every format.
    pub const ALL: [Self; 3] = [Self::Json, Self::Discord, Self::Slack];

    /// Its name in settings.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Discord => "discord",
            Self::Slack => "slack",
        }
    }

    /// The format with this [`Self::name`].
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|f| f.name() == name)
    }
}

/// The unchecked settings of one webhook.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Spec {
    /// Its name. The store keeps the webhook's position under it, so a renamed webhook starts anew.
    pub name: String,
    /// Its address.
    pub url: String,
    /// The kinds it wants; [`None`] for all.
    pub kinds: Option<Vec<String>>,
    /// Body format; [`None`] for JSON.
    pub format: Option<String>,
    /// Templates by kind; other kinds use their default.
    pub templates: BTreeMap<String, String>,
}

impl fmt::Debug for Spec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Spec({} at {})", self.name, shown(&self.url))
    }
}

/// A webhook with checked settings, without its secret.
#[derive(Clone)]
pub struct Target {
    /// Its name.
    pub name: String,
    /// Body format.
    pub format: WebhookFormat,
    url: Url,
    kinds: BTreeSet<AnnouncementKind>,
    templates: BTreeMap<AnnouncementKind, Template>,
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Target({} at {})", self.name, self.shown())
    }
}

impl Target {
    /// Checks `spec`.
    ///
    /// # Errors
    /// A sentence that names the webhook and what is wrong with it.
    pub fn new(spec: &Spec) -> Result<Self, String> {
        let name = name(&spec.name)?;
        let wrong = |what: String| format!("The webhook {name} {what}.");
        let url = url(&spec.url).map_err(wrong)?;
        let kinds = match &spec.kinds {
            None => AnnouncementKind::ALL.into(),
            Some(names) if names.is_empty() => {
                return Err(wrong(
                    "has an empty list of kinds; leave the key out for all of them".to_owned(),
                ));
            }
            Some(names) => {
                names.iter().map(|n| kind(n)).collect::<Result<_, _>>().map_err(wrong)?
            }
        };
        let format = match &spec.format {
            None => WebhookFormat::default(),
            Some(name) => WebhookFormat::from_name(name).ok_or_else(|| {
                wrong(format!("has the format {name:?}; the formats are json, discord and slack"))
            })?,
        };
        let mut templates = BTreeMap::new();
        for (of, text) in &spec.templates {
            let of = kind(of).map_err(wrong)?;
            let template = Template::parse(text)
                .map_err(|what| wrong(format!("has a template for {} that {what}", of.name())))?;
            templates.insert(of, template);
        }
        Ok(Self { name, format, url, kinds, templates })
    }

    /// Whether it wants `kind`.
    #[must_use]
    pub fn wants(&self, kind: AnnouncementKind) -> bool {
        self.kinds.contains(&kind)
    }

    /// The kinds it wants, without [`AnnouncementKind::Test`].
    pub fn kinds(&self) -> impl Iterator<Item = AnnouncementKind> + '_ {
        self.kinds.iter().copied().filter(|kind| *kind != AnnouncementKind::Test)
    }

    /// The template for `kind`.
    ///
    /// # Errors
    /// Never: a test parses every default text.
    pub(super) fn template(&self, kind: AnnouncementKind) -> Result<Template, String> {
        self.templates
            .get(&kind)
            .map_or_else(|| Template::parse(kind.default_text()), |t| Ok(t.clone()))
    }

    /// Scheme and host, without parts that may be an access key.
    #[must_use]
    pub fn shown(&self) -> String {
        shown(self.url.as_str())
    }

    pub(super) fn url(&self) -> &Url {
        &self.url
    }

    /// Whether it is on this machine, where plain HTTP is allowed.
    pub(super) fn is_local(&self) -> bool {
        is_local(&self.url)
    }

    /// The webhook with its `secret`.
    #[must_use]
    pub fn with(self, secret: Secret) -> Hook {
        Hook { target: self, secret }
    }
}

/// A webhook with its secret.
#[derive(Debug)]
pub struct Hook {
    /// Its settings.
    pub target: Target,
    pub(super) secret: Secret,
}

fn name(name: &str) -> Result<String, String> {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_');
    if name.is_empty() || name.len() > MAX_NAME_LEN || !name.chars().all(plain) {
        return Err(format!(
            "{name:?} cannot be a webhook's name: 1 to {MAX_NAME_LEN} of a-z, 0-9, - and _."
        ));
    }
    Ok(name.to_owned())
}

fn kind(name: &str) -> Result<AnnouncementKind, String> {
    AnnouncementKind::from_name(name).filter(|kind| *kind != AnnouncementKind::Test).ok_or_else(
        || {
            let known: Vec<_> = AnnouncementKind::ALL
                .iter()
                .filter(|k| **k != AnnouncementKind::Test)
                .map(|k| k.name())
                .collect();
            format!("names the kind {name:?}; the kinds are {}", known.join(", "))
        },
    )
}

fn url(text: &str) -> Result<Url, String> {
    // The parser's error does not quote the address, which may hold a key.
    let url = Url::parse(text).map_err(|e| format!("has a url that cannot be read: {e}"))?;
    if url.host_str().is_none_or(str::is_empty) {
        return Err("has a url without a host".to_owned());
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("has a url with a user; receivers know the sender by its signature".to_owned());
    }
    match url.scheme() {
        "https" => Ok(url),
        "http" if is_local(&url) => Ok(url),
        "http" => Err(format!(
            "is at {}, where anyone on the way could read what is sent. Use https",
            shown(text)
        )),
        // Does not quote the scheme: without `://` it may be a key.
        _ => Err("has a url that does not start with https:".to_owned()),
    }
}

fn is_local(url: &Url) -> bool {
    let Some(host) = url.host_str() else { return false };
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    bare == "localhost" || bare.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(url: &str) -> Spec {
        Spec { name: "multisig".to_owned(), url: url.to_owned(), ..Spec::default() }
    }

    #[test]
    fn plain_http_is_allowed_only_to_this_machine() {
        for url in
            ["https://a.example/x", "http://127.0.0.1:1/x", "http://[::1]/", "http://localhost/"]
        {
            Target::new(&spec(url)).unwrap();
        }
        for url in [
            "http://a.example/k3y",
            "http://127.0.0.1.a.example/k3y",
            "http://localhost.a.example/k3y",
            "ftp://a.example/k3y",
            "file:///etc/k3y",
            "k3y",
            "k3y:a.example",
            "https://u:k3y@a.example/",
            "http://10.0.0.1/k3y",
        ] {
            let error = Target::new(&spec(url)).unwrap_err();
            assert!(error.contains("multisig") && !error.contains("k3y"), "{url}: {error}");
        }
    }

    #[test]
    fn errors_name_the_webhook() {
        let kinds = |names: &[&str]| Spec {
            kinds: Some(names.iter().map(|n| (*n).to_owned()).collect()),
            ..spec("https://a.example")
        };
        let template = |kind: &str, text: &str| Spec {
            templates: [(kind.to_owned(), text.to_owned())].into(),
            ..spec("https://a.example")
        };
        for (spec, said) in [
            (kinds(&["Executed", "executed"]), "\"executed\""),
            (kinds(&["Test"]), "\"Test\""),
            (kinds(&[]), "empty list"),
            (Spec { format: Some("xml".into()), ..spec("https://a.example") }, "\"xml\""),
            (template("Executed", "to {vresion}"), "template for Executed that names {vresion}"),
            (template("Exec", "x"), "\"Exec\""),
        ] {
            let error = Target::new(&spec).unwrap_err();
            assert!(error.contains("webhook multisig") && error.contains(said), "{error}");
        }
        for name in ["", "Multisig", "a b", "../x", &"x".repeat(33)] {
            let spec = Spec { name: name.to_owned(), ..spec("https://a.example") };
            assert!(Target::new(&spec).is_err(), "{name:?}");
        }
    }

    #[test]
    fn debug_shows_neither_address_nor_secret() {
        let target = Target::new(&spec("https://hooks.example/services/k3y")).unwrap();
        let secret =
            Secret::new(zeroize::Zeroizing::new(b"s3cret-s3cret-s3cret".to_vec())).unwrap();
        let said = format!("{:?}", target.with(secret));
        assert!(said.contains("https://hooks.example"), "{said}");
        assert!(!said.contains("k3y") && !said.contains("s3cret"), "{said}");
    }
}
