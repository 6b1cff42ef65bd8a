//! The power of a node, as a machine's.

use serde::{Deserialize, Serialize};

/// Whether a node runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Power {
    /// Its processes run.
    On,
    /// It was switched off, or switched itself off.
    Off,
    /// It ended in a way a machine does not, for this reason.
    Failed(String),
}

impl std::fmt::Display for Power {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::On => f.write_str("on"),
            Self::Off => f.write_str("off"),
            Self::Failed(reason) => write!(f, "failed: {reason}"),
        }
    }
}

/// What the supervisor does next.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// Start the node again.
    Start,
    /// Leave it like this.
    Stay(Power),
}
