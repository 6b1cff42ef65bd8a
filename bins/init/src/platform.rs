//! Where this node runs.

use std::path::Path;

/// What lies below the node's PID 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Platform {
    /// Namespaces on another system's kernel: what belongs to that kernel as a whole is its
    /// owner's and stays as it is.
    Container,
    /// A kernel of its own.
    Machine,
}

/// Marks a root image that only runs in containers.
const IN_CONTAINER: &str = "/usr/etc/in-container";

impl Platform {
    pub(crate) fn detect() -> Self {
        Self::from(std::env::var("PLATFORM").ok().as_deref(), Path::new(IN_CONTAINER).exists())
    }

    fn from(variable: Option<&str>, marked: bool) -> Self {
        if marked || variable == Some("container") { Self::Container } else { Self::Machine }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_container_says_so_by_variable_or_by_file() {
        assert_eq!(Platform::from(Some("container"), false), Platform::Container);
        assert_eq!(Platform::from(None, true), Platform::Container);
        assert_eq!(Platform::from(Some("metal"), false), Platform::Machine);
        assert_eq!(Platform::from(None, false), Platform::Machine);
    }
}
