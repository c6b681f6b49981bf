//! The display name under which this mirror holds the lease.
use crate::ops::redact::plain;

/// Host, process id and a random part, so that two mirrors in one process differ.
#[must_use]
pub(crate) fn owner() -> String {
    let named = std::fs::read_to_string("/proc/sys/kernel/hostname").ok();
    let named = named.or_else(|| std::env::var("HOSTNAME").ok()).unwrap_or_default();
    let named = plain(named.trim());
    let host = if named.is_empty() { "a computer without a name" } else { named.as_str() };
    format!("{host} pid {} ({:04x})", std::process::id(), rand::random::<u16>())
}

#[cfg(test)]
mod tests {
    use super::owner;

    #[test]
    fn names_differ_within_a_process() {
        let names: std::collections::BTreeSet<String> = (0..64).map(|_| owner()).collect();
        assert!(names.len() > 1, "{names:?}");
        assert!(names.iter().all(|n| n.contains(&format!("pid {}", std::process::id()))));
    }
}
