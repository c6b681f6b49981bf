//! Durations and words in the form that sentences need. Pure.

/// `seconds` as days, hours, minutes and seconds, never rounded.
#[must_use]
pub fn span(seconds: i64) -> String {
    let s = seconds.max(0);
    let part = |n: i64, unit: &str| (n > 0).then(|| format!("{n} {unit}"));
    let parts: Vec<String> = [
        part(s / 86_400, "d"),
        part(s % 86_400 / 3_600, "h"),
        part(s % 3_600 / 60, "min"),
        part(s % 60, "s"),
    ]
    .into_iter()
    .flatten()
    .collect();
    if parts.is_empty() { "0 s".into() } else { parts.join(" ") }
}

/// `word` with its first letter upper case.
#[must_use]
pub fn capitalize(word: &str) -> String {
    let mut chars = word.chars();
    chars.next().map(|c| c.to_uppercase().chain(chars).collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_exact() {
        assert_eq!(span(0), "0 s");
        assert_eq!(span(-5), "0 s");
        assert_eq!(span(61), "1 min 1 s");
        assert_eq!(span(2 * 86_400 + 3_600), "2 d 1 h");
    }
}
