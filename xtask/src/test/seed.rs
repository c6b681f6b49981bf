//! The seed that every property test of a run starts from. It is fixed, so that a change is judged by
//! the same cases as the one before; only the long tests look for new ones. Each run says its seed.

use std::{env, ffi::OsStr, fmt};

use anyhow::{Result, bail};

use crate::{cli::Test, system};

/// Proptest's own variable: it works with `cargo test` as well.
pub const VARIABLE: &str = "PROPTEST_RNG_SEED";

/// The seed of every run that asks for no other one. `.cargo/config.toml` gives the same one to a plain
/// `cargo test`, and to this program.
pub const DEFAULT: Seed = Seed(20_261_201);

/// What the property tests' random numbers are made from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seed(u64);

impl Seed {
    /// The seed for a run with `options`.
    pub fn choose(options: &Test) -> Result<Self> {
        match Self::named(env::var_os(VARIABLE).as_deref())? {
            Some(seed) => Ok(seed),
            None if options.long => Ok(Self(u32::from_ne_bytes(system::random()?).into())),
            None => Ok(DEFAULT),
        }
    }

    /// The seed in the environment's `value`. `.cargo/config.toml` puts the default there, so the default
    /// counts as not set.
    fn named(value: Option<&OsStr>) -> Result<Option<Self>> {
        let Some(value) = value.filter(|value| !value.is_empty()) else { return Ok(None) };
        let number = value.to_str().and_then(|text| text.parse().ok());
        let Some(number) = number else {
            bail!(
                "{VARIABLE} is {}: set it to a whole number from 0 to {}, or unset it",
                value.display(),
                u64::MAX
            );
        };
        Ok(Some(Self(number)).filter(|seed| *seed != DEFAULT))
    }

    /// The command that runs the same cases again.
    pub fn again(self, options: &Test) -> String {
        let mut words = vec![format!("{VARIABLE}={self} cargo xtask test")];
        if options.long {
            words.push("--long".to_owned());
        }
        words.extend(options.filters.iter().cloned());
        words.join(" ")
    }
}

impl fmt::Display for Seed {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(long: bool, filters: &[&str]) -> Test {
        Test { long, filters: filters.iter().map(|&filter| filter.to_owned()).collect() }
    }

    #[test]
    fn a_plain_cargo_test_has_the_seed_of_a_run() {
        let config = include_str!("../../../.cargo/config.toml");
        assert!(config.contains(&format!("{VARIABLE} = \"{DEFAULT}\"")), "{config}");
    }

    #[test]
    fn a_seed_is_taken_from_the_environment_and_anything_else_there_is_an_error() {
        let named = |text: &str| Seed::named(Some(OsStr::new(text)));
        assert_eq!(named("7").unwrap(), Some(Seed(7)));
        assert_eq!(named(&u64::MAX.to_string()).unwrap(), Some(Seed(u64::MAX)));
        assert_eq!(
            named(&DEFAULT.to_string()).unwrap(),
            None,
            "the default from .cargo/config.toml counts as not set"
        );
        assert_eq!((named("").unwrap(), Seed::named(None).unwrap()), (None, None));
        for wrong in ["x", "-1", "1.5", " 7", "18446744073709551616"] {
            let error = named(wrong).unwrap_err().to_string();
            assert!(error.contains(VARIABLE) && error.contains(wrong), "{error}");
        }
    }

    #[test]
    fn the_repeat_command_has_the_seed_and_the_arguments() {
        let again = Seed(7).again(&options(false, &[]));
        assert_eq!(again, "PROPTEST_RNG_SEED=7 cargo xtask test");
        let again = Seed(7).again(&options(true, &["order", "storm"]));
        assert_eq!(again, "PROPTEST_RNG_SEED=7 cargo xtask test --long order storm");
    }
}
