//! The table of transactions that a headless run prints: one aligned line each, as it is confirmed.
use std::{
    io::{self, Write},
    time::Duration,
};

use backend::SentTx;

/// Counts and prints transactions.
pub struct TxTable<W> {
    out: W,
    sent: usize,
    refused: usize,
    units: u64,
}

impl<W: Write> TxTable<W> {
    /// A table with its head.
    ///
    /// # Errors
    /// The output is closed.
    pub fn start(mut out: W) -> io::Result<Self> {
        writeln!(out, "{:<22} {:>13} {:>9}  signature", "transaction", "compute units", "time")?;
        Ok(Self { out, sent: 0, refused: 0, units: 0 })
    }

    /// One transaction, and under it why the chain refused it, if it did.
    ///
    /// # Errors
    /// The output is closed.
    pub fn row(&mut self, tx: &SentTx) -> io::Result<()> {
        self.sent = self.sent.saturating_add(1);
        self.units = self.units.saturating_add(tx.units.unwrap_or(0));
        let units = tx.units.map_or_else(|| "–".into(), grouped);
        let time = milliseconds(tx.elapsed);
        writeln!(self.out, "{:<22} {units:>13} {time:>9}  {}", tx.verb, tx.signature)?;
        if let Some(error) = &tx.error {
            self.refused = self.refused.saturating_add(1);
            writeln!(self.out, "{:<22} refused by the chain: {error}", "")?;
        }
        self.out.flush()
    }

    /// A line between the transactions.
    ///
    /// # Errors
    /// The output is closed.
    pub fn note(&mut self, text: &str) -> io::Result<()> {
        writeln!(self.out, "– {text}")?;
        self.out.flush()
    }

    /// What was sent, in one sentence.
    #[must_use]
    pub fn summary(&self) -> String {
        format!(
            "{} transactions, {} of them refused by the chain as it had to be, {} compute units",
            self.sent,
            self.refused,
            grouped(self.units)
        )
    }
}

/// `1234567` as `1,234,567`.
#[must_use]
pub fn grouped(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::with_capacity(digits.len().saturating_mul(2));
    for (i, digit) in digits.chars().enumerate() {
        let left = digits.len().saturating_sub(i);
        if i > 0 && left % 3 == 0 {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

fn milliseconds(time: Duration) -> String {
    format!("{} ms", grouped(u64::try_from(time.as_millis()).unwrap_or(u64::MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tx(verb: &str, units: Option<u64>, error: Option<&str>) -> SentTx {
        SentTx {
            verb: verb.into(),
            signature: "5sig".into(),
            slot: 9,
            units,
            bytes: 300,
            elapsed: Duration::from_millis(1052),
            error: error.map(Into::into),
        }
    }

    #[test]
    fn rows_line_up_and_a_refusal_shows_its_reason() {
        let mut table = TxTable::start(Vec::new()).unwrap();
        table.row(&tx("approve", Some(8_123), None)).unwrap();
        table.row(&tx("execute", None, Some("The timelock is not over."))).unwrap();
        let text = String::from_utf8(table.out.clone()).unwrap();
        let lines: Vec<_> = text.lines().collect();
        let column = lines[0].find("signature").unwrap();
        assert_eq!(lines[1].find("5sig"), Some(column), "{text}");
        assert!(lines[1].contains("8,123") && lines[1].contains("1,052 ms"), "{text}");
        assert!(lines[3].contains("refused by the chain: The timelock is not over."), "{text}");
        assert!(table.summary().starts_with("2 transactions, 1 of them refused by the chain"));
    }

    #[test]
    fn thousands_are_grouped() {
        let cases = [(0, "0"), (999, "999"), (1_000, "1,000"), (1_234_567, "1,234,567")];
        for (n, text) in cases {
            assert_eq!(grouped(n), text);
        }
    }
}
