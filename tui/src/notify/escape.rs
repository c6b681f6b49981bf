//! Notices as escape sequences. Only makes the bytes; the event loop writes them between two frames.
use super::Notice;
use crate::text::clean;

fn field(text: &str) -> String {
    clean(text).replace(';', ",")
}

/// In tmux a sequence must be wrapped to reach the outer terminal. A bell is appended, because tmux drops wrapped
/// sequences unless `allow-passthrough` is on.
fn wrapped(sequence: &str, tmux: bool) -> Vec<u8> {
    if tmux {
        let doubled = sequence.replace('\u{1b}', "\u{1b}\u{1b}");
        format!("\u{1b}Ptmux;{doubled}\u{1b}\\\u{7}").into_bytes()
    } else {
        sequence.as_bytes().to_vec()
    }
}

/// OSC 777, as Ghostty, WezTerm, foot and Konsole understand it.
pub fn osc777(notice: &Notice, tmux: bool) -> Vec<u8> {
    let (title, body) = (field(&notice.title), field(&notice.body));
    wrapped(&format!("\u{1b}]777;notify;{title};{body}\u{7}"), tmux)
}

/// OSC 9, as iTerm2, kitty and Windows Terminal understand it.
pub fn osc9(notice: &Notice, tmux: bool) -> Vec<u8> {
    wrapped(&format!("\u{1b}]9;{}: {}\u{7}", field(&notice.title), field(&notice.body)), tmux)
}

pub fn bell() -> Vec<u8> {
    vec![7]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_cannot_end_a_sequence_early() {
        let notice =
            Notice { key: String::new(), title: "a;b\u{7}".into(), body: "c\u{1b}\\d".into() };
        let bytes = osc777(&notice, false);
        assert_eq!(bytes, b"\x1b]777;notify;a,b ;c \\d\x07");
        let wrapped = osc9(&notice, true);
        assert!(wrapped.starts_with(b"\x1bPtmux;\x1b\x1b]9;"));
        assert!(wrapped.ends_with(b"\x1b\\\x07"), "the bell follows");
    }
}
