//! The power of a node, as a machine's: what its first process's end means.

use serde::{Deserialize, Serialize};
use sys::process::Exit;

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

const HANGUP: i32 = 1;
const INTERRUPT: i32 = 2;
const KILL: i32 = 9;

/// What the end of a node's first process means. The kernel turns `reboot(2)` inside a PID
/// namespace into such signals (pid_namespaces(7)).
pub(crate) fn after(exit: Exit) -> Next {
    match exit {
        Exit::Signal(HANGUP) => Next::Start,
        // Power off and halt; and a power cut, which whoever cuts must end.
        Exit::Signal(INTERRUPT | KILL) => Next::Stay(Power::Off),
        other => Next::Stay(Power::Failed(format!("its first process ended with {other}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nodes_end_means_what_a_machines_would() {
        assert_eq!(after(Exit::Signal(1)), Next::Start);
        assert_eq!(after(Exit::Signal(2)), Next::Stay(Power::Off));
        assert_eq!(after(Exit::Signal(9)), Next::Stay(Power::Off));
        assert!(matches!(after(Exit::Code(1)), Next::Stay(Power::Failed(_))));
        assert!(matches!(after(Exit::Signal(11)), Next::Stay(Power::Failed(_))));
    }
}
