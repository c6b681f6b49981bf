//! Parses the priority fee: one rule and one error text for the flag, the environment variable and the file.
use backend::chain::{MAX_UNIT_PRICE, check_unit_price};
use serde::{Deserialize, Deserializer, de::Error};

/// The error text, which says what a priority fee can be.
fn allowed() -> String {
    format!(
        "a priority fee is a whole number of micro-lamports per compute unit, from 0 to {MAX_UNIT_PRICE}; 0 pays the base fee alone"
    )
}

/// Parses the flag or the environment variable.
///
/// # Errors
/// What a priority fee can be.
pub fn parse(text: &str) -> Result<u64, String> {
    let price: u64 = text.trim().parse().map_err(|_| allowed())?;
    check_unit_price(price)
}

/// Parses the value in the file.
pub(super) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Option<u64>, D::Error> {
    let wrong = || D::Error::custom(allowed());
    let number = i64::deserialize(d).map_err(|_| wrong())?;
    let price = u64::try_from(number).map_err(|_| wrong())?;
    check_unit_price(price).map(Some).map_err(D::Error::custom)
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::{cli::Cli, config::File};

    #[test]
    fn flag_and_file_refuse_a_wrong_priority_fee_with_the_same_text() {
        for wrong in ["-1", "0.5"] {
            let line = ["control-room", "status", "--priority-fee", wrong];
            let flag = Cli::try_parse_from(line).unwrap_err().to_string();
            let file = toml::from_str::<File>(&format!("priority_fee = {wrong}")).unwrap_err();
            for said in [flag, file.message().to_owned()] {
                assert!(said.contains(&allowed()), "{said}");
            }
        }
        let line = ["control-room", "status", "--priority-fee", "7"];
        assert_eq!(Cli::try_parse_from(line).unwrap().common.priority_fee, Some(7));
    }
}
