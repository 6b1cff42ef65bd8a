//! The releases in whose form a configuration can be written.

use std::fmt;
use std::str::FromStr;

/// A release of the contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Contract {
    major: u32,
    minor: u32,
}

/// A text is not a release.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("error parsing version {0:?}: want vX.Y or vX.Y.Z, such as v1.14")]
pub struct ContractError(String);

impl Contract {
    /// The newest release.
    pub const CURRENT: Self = Self { major: 1, minor: 14 };

    /// Whether this is the given release or a later one.
    #[must_use]
    pub fn at_least(self, major: u32, minor: u32) -> bool {
        self >= Self { major, minor }
    }
}

impl Default for Contract {
    fn default() -> Self {
        Self::CURRENT
    }
}

impl FromStr for Contract {
    type Err = ContractError;

    fn from_str(text: &str) -> Result<Self, ContractError> {
        let error = || ContractError(text.to_owned());
        let mut parts = text.strip_prefix('v').ok_or_else(error)?.splitn(3, '.');
        let mut number = || {
            let part = parts.next()?;
            part.bytes().all(|b| b.is_ascii_digit()).then(|| part.parse().ok()).flatten()
        };
        match (number(), number()) {
            (Some(major), Some(minor)) => Ok(Self { major, minor }),
            _ => Err(error()),
        }
    }
}

impl fmt::Display for Contract {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "v{}.{}", self.major, self.minor)
    }
}

#[cfg(test)]
mod tests {
    use super::Contract;

    #[test]
    fn releases() {
        let parse = |text: &str| text.parse::<Contract>().map(|c| c.to_string()).ok();
        assert_eq!(parse("v1.8").as_deref(), Some("v1.8"));
        assert_eq!(parse("v1.8.3-alpha.1").as_deref(), Some("v1.8"));
        assert_eq!(parse("v1.14.0").as_deref(), Some("v1.14"));
        for text in ["1.8", "v1", "v", "v1.x", "v1.8-rc"] {
            assert_eq!(parse(text), None, "{text}");
        }
        assert!(Contract::CURRENT.at_least(1, 9) && !Contract::CURRENT.at_least(1, 15));
    }
}
