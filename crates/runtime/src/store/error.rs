//! Why the store refuses.

use thiserror::Error;

/// Why the store refuses.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum StoreError {
    /// No such resource.
    #[error("resource {resource} does not exist")]
    NotFound {
        /// Type, namespace and id.
        resource: String,
    },
    /// There is one with this id already.
    #[error("resource {resource} already exists")]
    Exists {
        /// Type, namespace, id and version.
        resource: String,
    },
    /// Somebody else changed it in between.
    #[error("resource {resource} is not at version {expected} any more")]
    Conflict {
        /// Type, namespace, id and present version.
        resource: String,
        /// The version that was to be replaced.
        expected: u64,
    },
    /// It belongs to another controller.
    #[error("resource {resource} is owned by \"{owner}\", not by \"{writer}\"")]
    Owner {
        /// Type, namespace, id and version.
        resource: String,
        /// Whose it is.
        owner: String,
        /// Who tried.
        writer: String,
    },
    /// It is being torn down: only its finalizers may change.
    #[error("resource {resource} is being torn down")]
    TearingDown {
        /// Type, namespace, id and version.
        resource: String,
    },
    /// It is still in use.
    #[error("resource {resource} has finalizers: {finalizers}")]
    Finalizers {
        /// Type, namespace, id and version.
        resource: String,
        /// Who holds it.
        finalizers: String,
    },
    /// A controller wrote a type that it did not declare as an output.
    #[error("controller {controller} did not declare {type_name} as an output")]
    Undeclared {
        /// The controller.
        controller: String,
        /// The type.
        type_name: &'static str,
    },
    /// No such type.
    #[error("resource type \"{type_name}\" is not supported")]
    UnknownType {
        /// The type asked for.
        type_name: String,
    },
}

impl StoreError {
    /// Whether the same call may succeed after reading the resource again.
    #[must_use]
    pub fn is_conflict(&self) -> bool {
        matches!(self, Self::Conflict { .. } | Self::Exists { .. })
    }

    /// Whether the resource is missing.
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::NotFound { .. })
    }
}
