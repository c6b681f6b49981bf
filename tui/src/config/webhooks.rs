//! The `[[webhooks]]` of the configuration, as written and as checked. Secrets are read only before sending. URLs are
//! never shown whole, because chat services put keys into them.
use std::{collections::BTreeMap, fmt, path::PathBuf, sync::Arc};

use anyhow::{Result, anyhow, bail};
use indexer::webhooks::{Hook, Secret, Spec, Target};
use serde::Deserialize;

use super::{home, looks_like_a_key};

/// One webhook as it is written in the file.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WebhookKeys {
    pub name: String,
    pub url: String,
    /// The file with the secret; exclusive with `secret_env`.
    pub secret_file: Option<PathBuf>,
    /// The environment variable with the secret.
    pub secret_env: Option<String>,
    /// Kinds of announcements to send; [`None`] sends all.
    pub kinds: Option<Vec<String>>,
    /// Format of the messages.
    pub format: Option<String>,
    /// Texts by kind.
    #[serde(default)]
    pub templates: BTreeMap<String, String>,
}

impl fmt::Debug for WebhookKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WebhookKeys({})", self.name)
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum SecretSource {
    File(PathBuf),
    Env(String),
}

/// One checked webhook.
#[derive(Clone)]
pub struct Webhook {
    /// Host, kinds, format and templates.
    pub target: Target,
    url: String,
    secret: SecretSource,
}

impl fmt::Debug for Webhook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.target.fmt(f)
    }
}

impl Webhook {
    fn new(keys: WebhookKeys) -> Result<Self> {
        let WebhookKeys { name, url, secret_file, secret_env, kinds, format, templates } = keys;
        let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let variable = secret_env.as_deref();
        if variable.is_some_and(|v| looks_like_a_key(v) || !v.chars().all(is_name)) {
            bail!(
                "What the webhook {name:?} has as secret_env is not the name of an environment variable, and is not repeated here: it may be the secret itself."
            );
        }
        let file = secret_file.as_deref().filter(|path| !path.exists());
        if file.is_some_and(|path| looks_like_a_key(&path.to_string_lossy())) {
            bail!(
                "What the webhook {name:?} has as secret_file is not the path of a file, and is not repeated here: it may be the secret itself."
            );
        }
        let secret = match (secret_file, secret_env) {
            (Some(path), None) => SecretSource::File(home::expand(&path).map_err(|why| {
                anyhow!("The secret_file of the webhook {name:?} cannot be used: {why}")
            })?),
            (None, Some(variable)) => SecretSource::Env(variable),
            (Some(_), Some(_)) => {
                bail!("The webhook {name:?} has both secret_file and secret_env; keep one of them.")
            }
            (None, None) => bail!(
                "The webhook {name:?} has no secret. Write one to a file with `openssl rand -hex 32`, run `chmod 600` on it and name it as secret_file, or name an environment variable as secret_env."
            ),
        };
        let spec = Spec { name, url: url.clone(), kinds, format, templates };
        let target = Target::new(&spec).map_err(|e| anyhow!(e))?;
        Ok(Self { target, url, secret })
    }

    /// The name that commands use.
    pub fn name(&self) -> &str {
        &self.target.name
    }

    /// The whole URL. Only for removing it from logs and messages.
    pub fn address(&self) -> &str {
        &self.url
    }

    /// Reads the secret and returns what the sender needs.
    ///
    /// # Errors
    /// Where the secret was expected, and what is wrong with it.
    pub fn open(&self) -> Result<Arc<Hook>> {
        let (place, read) = match &self.secret {
            SecretSource::File(path) => {
                (format!("the file {}", path.display()), Secret::read(path))
            }
            SecretSource::Env(name) => {
                (format!("the environment variable {name}"), Secret::from_env(name))
            }
        };
        let secret =
            read.map_err(|e| anyhow!("The secret of the webhook {}, {place}, {e}.", self.name()))?;
        Ok(Arc::new(self.target.clone().with(secret)))
    }
}

/// Checks all webhooks of the file.
///
/// # Errors
/// A sentence that names the webhook and what is wrong with it.
pub fn validated(all: Vec<WebhookKeys>) -> Result<Vec<Webhook>> {
    let mut out: Vec<Webhook> = Vec::with_capacity(all.len());
    for keys in all {
        let webhook = Webhook::new(keys)?;
        if out.iter().any(|w| w.name() == webhook.name()) {
            bail!("Two webhooks are called {}; the name tells them apart.", webhook.name());
        }
        out.push(webhook);
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Deserialize)]
    struct Part {
        webhooks: Vec<WebhookKeys>,
    }

    fn read(text: &str) -> Result<Vec<Webhook>> {
        validated(toml::from_str::<Part>(text)?.webhooks)
    }

    const ONE: &str =
        "[[webhooks]]\nname = 'multisig'\nurl = 'https://hooks.example/k3y-k3y-k3y'\n";

    #[test]
    fn several_webhooks_keep_their_own_kinds_and_templates() {
        let text = format!(
            "{ONE}secret_env = 'MULTISIG'\nkinds = ['Executed', 'RolledBack']\nformat = 'slack'\n\
             [webhooks.templates]\nExecuted = 'v{{version}} of {{name}} runs'\n\
             [[webhooks]]\nname = 'other'\nurl = 'http://127.0.0.1:9'\nsecret_file = '/x'\n"
        );
        let all = read(&text).unwrap();
        let names: Vec<_> = all.iter().map(Webhook::name).collect();
        assert_eq!(names, ["multisig", "other"]);
        assert_eq!(
            all[0].target.kinds().map(|k| k.name()).collect::<Vec<_>>(),
            ["Executed", "RolledBack"]
        );
        assert!(!format!("{all:?}").contains("k3y"), "{all:?}");
    }

    #[test]
    fn a_mistake_names_the_webhook_and_not_its_url() {
        let env = "secret_env = 'X'\n";
        for (text, said) in [
            (ONE.to_owned(), "no secret"),
            (format!("{ONE}{env}secret_file = '/x'\n"), "both"),
            (format!("{ONE}{env}{ONE}{env}"), "Two webhooks"),
            (format!("{ONE}{env}kinds = ['Boom']\n"), "Boom"),
            (format!("{ONE}{env}confirmed = false\n"), "confirmed"),
            (format!("{ONE}{env}[webhooks.templates]\nReady = '{{who}}'\n"), "{who}"),
            (format!("{ONE}{env}[webhooks.templates]\nReady = 'a }} b'\n"), "character 3"),
            (ONE.replace("https:", "http:") + env, "https"),
        ] {
            let error = format!("{:#}", read(&text).unwrap_err());
            assert!(error.contains(said), "{error}");
            assert!(!error.contains("k3y"), "{error}");
        }
    }

    #[test]
    fn a_secret_in_place_of_its_variable_or_file_is_not_repeated() {
        let secret = "0f1e2d3c4b5a69788796a5b4c3d2e1f00f1e2d3c4b5a69788796a5b4c3d2e1f0";
        for text in [
            format!("{ONE}secret_env = '{secret}'\n"),
            format!("{ONE}secret_file = '{secret}'\n"),
            format!("{ONE}secret_env = 'pass{} word'\n", &secret[..9]),
        ] {
            let error = format!("{:#}", read(&text).unwrap_err());
            assert!(error.contains("multisig") && !error.contains(&secret[..4]), "{error}");
        }
        let home = read(&format!("{ONE}secret_file = '~other/x'\n")).unwrap_err();
        assert!(format!("{home:#}").contains("another user"), "{home:#}");
    }

    #[test]
    fn a_missing_secret_is_reported_with_its_expected_place() {
        let all = read(&format!("{ONE}secret_env = 'CONTROL_ROOM_NO_SUCH_SECRET'\n")).unwrap();
        let error = all[0].open().unwrap_err().to_string();
        assert!(
            error.contains("multisig") && error.contains("CONTROL_ROOM_NO_SUCH_SECRET"),
            "{error}"
        );
        let all = read(&format!("{ONE}secret_file = '/nowhere/secret'\n")).unwrap();
        assert!(all[0].open().unwrap_err().to_string().contains("/nowhere/secret"));
    }
}
