//! Formats addresses, hashes, times and amounts. Pure: reads no clock and no terminal.
use std::time::Duration;

use chrono::{DateTime, Utc};
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// The first and last four characters of a long key, with two dots between. For recognising a key only: whatever is
/// signed shows the full address.
pub fn short(key: &str) -> String {
    let n = key.chars().count();
    if n <= 11 {
        return key.to_owned();
    }
    let head: String = key.chars().take(4).collect();
    let tail: String = key.chars().skip(n.saturating_sub(4)).collect();
    format!("{head}..{tail}")
}

/// `text` with a space for each character that could control the terminal or mislead the reader: control characters,
/// marks that reorder text, and invisible ones.
pub fn clean(text: &str) -> String {
    let is_unsafe = |c: char| {
        c.is_control()
            || matches!(
                c,
                '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
                    | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
                    | '\u{e0000}'..='\u{e007f}'
            )
    };
    text.chars().map(|c| if is_unsafe(c) { ' ' } else { c }).collect()
}

/// `text` cut to `width` columns; two dots mark the cut.
pub fn fit(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let room = width.saturating_sub(2);
    let mut out = String::new();
    let mut used = 0usize;
    for c in text.chars() {
        let w = c.width().unwrap_or(0);
        if used.saturating_add(w) > room {
            break;
        }
        used = used.saturating_add(w);
        out.push(c);
    }
    out.push_str(&".".repeat(width.saturating_sub(used).min(2)));
    out
}

/// `text` broken into lines of at most `width` columns, at spaces if possible.
pub fn wrap(text: &str, width: usize) -> Vec<String> {
    let width = width.max(1);
    let mut lines = vec![];
    let mut line = String::new();
    for word in text.split_whitespace() {
        let mut word = word.to_owned();
        if !line.is_empty() && line.width().saturating_add(1).saturating_add(word.width()) <= width
        {
            line.push(' ');
            line.push_str(&word);
            continue;
        }
        if !line.is_empty() {
            lines.push(std::mem::take(&mut line));
        }
        while word.width() > width {
            let (mut head, mut used) = (String::new(), 0usize);
            for c in word.chars() {
                let w = c.width().unwrap_or(0);
                if used.saturating_add(w) > width && !head.is_empty() {
                    break;
                }
                used = used.saturating_add(w);
                head.push(c);
            }
            word = word.chars().skip(head.chars().count()).collect();
            lines.push(head);
        }
        line = word;
    }
    if !line.is_empty() {
        lines.push(line);
    }
    lines
}

/// Seconds as a countdown: `2d 01:02:03`, `47:59:58`, `00:12`.
pub fn countdown(seconds: i64) -> String {
    let s = seconds.max(0);
    let (days, h, m, s) = (s / 86_400, s % 86_400 / 3_600, s % 3_600 / 60, s % 60);
    match (days, h) {
        (0, 0) => format!("{m:02}:{s:02}"),
        (0, _) => format!("{h:02}:{m:02}:{s:02}"),
        _ => format!("{days}d {h:02}:{m:02}:{s:02}"),
    }
}

/// A multisig's time limit in its largest whole unit: `48 h`, `7 d`, `90 min`.
pub fn span(seconds: u32) -> String {
    match seconds {
        s if s >= 172_801 && s.is_multiple_of(86_400) => format!("{} d", s / 86_400),
        s if s >= 3_600 && s.is_multiple_of(3_600) => format!("{} h", s / 3_600),
        s if s >= 60 && s.is_multiple_of(60) => format!("{} min", s / 60),
        s => format!("{s} s"),
    }
}

/// An age or an elapsed time, rounded: `0.4 s`, `12 s`, `3 min`, `5 h`.
pub fn age(d: Duration) -> String {
    match d.as_secs() {
        0 => format!("{:.1} s", d.as_secs_f64()),
        s @ 1..120 => format!("{s} s"),
        s @ 120..7_200 => format!("{} min", s / 60),
        s => format!("{} h", s / 3_600),
    }
}

/// Chain time as a date in UTC.
pub fn utc(unix: i64) -> String {
    match DateTime::<Utc>::from_timestamp(unix, 0) {
        Some(t) => t.format("%Y-%m-%d %H:%M:%S UTC").to_string(),
        None => format!("{unix} s since 1970"),
    }
}

/// Wall-clock milliseconds as month, day and time in UTC.
pub fn time_of_day(ms: i64) -> String {
    match DateTime::<Utc>::from_timestamp_millis(ms) {
        Some(t) => t.format("%m-%d %H:%M:%S").to_string(),
        None => ms.to_string(),
    }
}

/// `word` with its first letter in upper case.
pub fn capitalize(word: &str) -> String {
    let mut chars = word.chars();
    chars.next().map(|c| c.to_uppercase().chain(chars).collect()).unwrap_or_default()
}

/// A number with groups of three digits: `1,234,567`.
pub fn grouped(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::with_capacity(digits.len().saturating_add(digits.len() / 3));
    for (i, c) in digits.chars().enumerate() {
        if i > 0 && digits.len().saturating_sub(i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(c);
    }
    out
}

/// `part` of `whole`, between 0 and 1; 0 when `whole` is 0.
pub fn ratio(part: u64, whole: u64) -> f64 {
    if whole == 0 {
        return 0.0;
    }
    let thousandths = u128::from(part.min(whole)).saturating_mul(10_000) / u128::from(whole);
    f64::from(u32::try_from(thousandths).unwrap_or(10_000)) / 10_000.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn values_are_formatted_as_documented() {
        assert_eq!(short("FAgtu5Zwcc36ufZQygkhYcE6MxUAHKvGagUmHBVRriGL"), "FAgt..riGL");
        assert_eq!(short("alice"), "alice");
        assert_eq!(countdown(-5), "00:00");
        assert_eq!(countdown(172_798), "1d 23:59:58");
        assert_eq!(countdown(7_323), "02:02:03");
        assert_eq!(span(172_800), "48 h");
        assert_eq!(span(604_800), "7 d");
        assert_eq!(span(90), "90 s");
        assert_eq!(grouped(1_234_567), "1,234,567");
        assert_eq!(grouped(999), "999");
        assert_eq!(utc(0), "1970-01-01 00:00:00 UTC");
        assert_eq!(fit("abcdef", 4), "ab..");
        assert_eq!(fit("abcdef", 1), ".");
        assert_eq!(wrap("one two three", 7), ["one two", "three"]);
        assert_eq!(wrap("abcdefgh", 3), ["abc", "def", "gh"]);
    }

    #[test]
    fn text_from_the_chain_cannot_control_the_terminal() {
        assert_eq!(clean("a\u{1b}[31mb\u{202e}c\n"), "a [31mb c ");
        assert_eq!(clean("x\u{9b}2Jy\u{7f}"), "x 2Jy ", "nor by the eight-bit forms");
    }

    #[test]
    fn a_hidden_character_shows_as_a_space() {
        for hidden in
            ['\u{200b}', '\u{200d}', '\u{2060}', '\u{feff}', '\u{ad}', '\u{61c}', '\u{e0061}']
        {
            assert_eq!(clean(&format!("release{hidden}-1")), "release -1", "{hidden:?}");
        }
    }

    proptest! {
        #[test]
        fn nothing_is_wider_than_asked(text in ".{0,60}", width in 1usize..40) {
            prop_assert!(fit(&clean(&text), width).width() <= width.max(1));
            for line in wrap(&clean(&text), width.max(2)) {
                prop_assert!(line.width() <= width.max(2));
            }
        }
    }
}
