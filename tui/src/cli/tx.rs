//! Arguments of `tx`.
use backend::Signature;
use clap::Args;

use super::Output;

/// Arguments of `tx`.
#[derive(Args, Debug)]
pub struct Tx {
    /// Its signature, in base58
    #[arg(value_name = "SIGNATURE", value_parser = signature)]
    pub signature: Signature,
    /// How to print.
    #[command(flatten)]
    pub output: Output,
}

fn signature(text: &str) -> Result<Signature, String> {
    text.trim().parse().map_err(|_| {
        "it is not a transaction signature, which is 64 bytes in base58, about 88 characters. Copy all of \
         it from what was printed when the transaction was sent, or from an explorer"
            .to_owned()
    })
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use crate::cli::Cli;

    #[test]
    fn a_wrong_signature_is_refused_with_what_one_looks_like() {
        let read = |text: &str| Cli::try_parse_from(["control-room", "tx", text]);
        // An address is 32 bytes.
        for wrong in ["abc", "11111111111111111111111111111111", "0OIl"] {
            let said = read(wrong).unwrap_err().to_string();
            for part in [wrong, "not a transaction signature", "88 characters", "Copy all of it"] {
                assert!(said.contains(part), "{said}");
            }
            assert!(!said.contains("decode"), "{said}");
        }
        assert!(read(&"1".repeat(64)).is_ok());
    }
}
