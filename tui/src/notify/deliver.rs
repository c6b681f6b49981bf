//! Delivers a notice: over the desktop, else by the terminal's own notification, else by the bell. Returns the bytes for
//! the terminal instead of writing them, because only the event loop writes to the terminal.
use super::{Notice, NotifyMethod, desktop, escape};

/// How a notice was delivered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The method, for the log.
    pub how: &'static str,
    /// Bytes that the event loop must write to the terminal.
    pub bytes: Vec<u8>,
}

/// What the environment variables say about the terminal.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TerminalEnv {
    /// Over SSH: the desktop is on another machine.
    pub remote: bool,
    pub tmux: bool,
    /// The terminal's name, in lower case.
    pub terminal: String,
}

impl TerminalEnv {
    pub fn read() -> Self {
        let set = |name| std::env::var_os(name).is_some_and(|v| !v.is_empty());
        let text = |name| std::env::var(name).unwrap_or_default();
        let terminal = format!("{} {}", text("TERM_PROGRAM"), text("TERM")).to_lowercase();
        Self {
            remote: set("SSH_CONNECTION") || set("SSH_TTY"),
            tmux: set("TMUX"),
            terminal: if set("WT_SESSION") { "windows-terminal".to_owned() } else { terminal },
        }
    }

    /// The notification that the terminal understands.
    fn terminal_method(&self) -> NotifyMethod {
        let is = |names: &[&str]| names.iter().any(|n| self.terminal.contains(n));
        if is(&["ghostty", "wezterm", "foot", "konsole", "rxvt"]) {
            NotifyMethod::Osc777
        } else if is(&["iterm", "kitty", "windows-terminal"]) {
            NotifyMethod::Osc9
        } else {
            NotifyMethod::Bell
        }
    }
}

/// Delivers `notice` by `way`, or by the next simpler method that works.
pub async fn deliver(notice: &Notice, way: NotifyMethod, env: &TerminalEnv) -> Outcome {
    match way {
        NotifyMethod::Off => Outcome { how: "not at all", bytes: vec![] },
        NotifyMethod::Auto if env.remote => terminal(notice, env.terminal_method(), env),
        NotifyMethod::Auto | NotifyMethod::Desktop => match desktop::show(notice).await {
            Ok(()) => Outcome { how: "desktop", bytes: vec![] },
            Err(reason) => {
                tracing::info!(%reason, "desktop notice not given; using the terminal");
                let way = if way == NotifyMethod::Auto {
                    env.terminal_method()
                } else {
                    NotifyMethod::Bell
                };
                terminal(notice, way, env)
            }
        },
        own => terminal(notice, own, env),
    }
}

fn terminal(notice: &Notice, way: NotifyMethod, env: &TerminalEnv) -> Outcome {
    match way {
        NotifyMethod::Osc777 => Outcome { how: "osc777", bytes: escape::osc777(notice, env.tmux) },
        NotifyMethod::Osc9 => Outcome { how: "osc9", bytes: escape::osc9(notice, env.tmux) },
        _ => Outcome { how: "bell", bytes: escape::bell() },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn notice() -> Notice {
        Notice { key: "k".into(), title: "t".into(), body: "b".into() }
    }

    #[tokio::test]
    async fn a_remote_session_uses_the_terminal_and_not_the_desktop() {
        let env = TerminalEnv { remote: true, tmux: false, terminal: "xterm-kitty".to_owned() };
        let outcome = deliver(&notice(), NotifyMethod::Auto, &env).await;
        assert_eq!(outcome.how, "osc9");
        let plain = TerminalEnv { remote: true, ..TerminalEnv::default() };
        assert_eq!(deliver(&notice(), NotifyMethod::Auto, &plain).await.bytes, [7]);
        assert_eq!(deliver(&notice(), NotifyMethod::Off, &plain).await.bytes, [0u8; 0]);
    }
}
