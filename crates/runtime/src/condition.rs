//! Typed waits: who waits, since when, for what. Each is a resource while it lasts.

use std::fmt;
use std::sync::Arc;

use resource::ichor::ConditionSpec;
use resource::{Name, Spec};

use crate::store::Store;

/// The namespace that conditions are kept in.
pub const NAMESPACE: &str = "runtime";

/// What is waited for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Condition {
    /// A resource that does not exist yet, or is not as it must be.
    Resource {
        /// Its type.
        type_name: &'static str,
        /// Its namespace.
        namespace: Name,
        /// Its id; empty for any.
        id: Name,
        /// How it must be.
        state: String,
    },
    /// A service in a state.
    Service {
        /// The service.
        id: Name,
        /// The state, like `healthy`.
        state: String,
    },
    /// A file or directory.
    File {
        /// Where.
        path: String,
    },
    /// An address that must answer.
    Address {
        /// Where.
        address: String,
        /// How it must answer.
        state: String,
    },
    /// Anything else that happens.
    Event {
        /// What.
        what: String,
    },
}

impl Condition {
    /// A resource that must exist.
    #[must_use]
    pub fn resource<S: Spec>(namespace: &str, id: &str) -> Self {
        Self::resource_state::<S>(namespace, id, "exists")
    }

    /// A resource that must be in a state.
    #[must_use]
    pub fn resource_state<S: Spec>(namespace: &str, id: &str, state: &str) -> Self {
        Self::Resource {
            type_name: S::DEFINITION.type_name,
            namespace: namespace.into(),
            id: id.into(),
            state: state.to_owned(),
        }
    }

    /// The kind of thing, in one word.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Resource { .. } => "resource",
            Self::Service { .. } => "service",
            Self::File { .. } => "file",
            Self::Address { .. } => "address",
            Self::Event { .. } => "event",
        }
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Resource { type_name, namespace, id, state } if id.is_empty() => {
                write!(f, "any {type_name} in {namespace} {state}")
            }
            Self::Resource { type_name, namespace, id, state } => {
                write!(f, "{type_name} {namespace}/{id} {state}")
            }
            Self::Service { id, state } => write!(f, "service {id} {state}"),
            Self::File { path } => write!(f, "file {path}"),
            Self::Address { address, state } => write!(f, "{address} {state}"),
            Self::Event { what } => f.write_str(what),
        }
    }
}

/// A wait that lasts as long as this value.
#[must_use = "the wait is over when this is dropped"]
pub struct Waiting {
    store: Store,
    owner: Name,
    id: Arc<str>,
}

impl Drop for Waiting {
    fn drop(&mut self) {
        clear(&self.store, &self.owner, &self.id);
    }
}

impl Store {
    /// Says that `owner` waits for `condition`. Saying it again while it lasts keeps its
    /// beginning.
    pub fn waiting(&self, owner: &str, condition: &Condition) -> Waiting {
        let id = state(self, owner, condition);
        Waiting { store: self.clone(), owner: owner.into(), id }
    }
}

/// Publishes the wait and returns its id.
pub(crate) fn state(store: &Store, owner: &str, condition: &Condition) -> Arc<str> {
    let waits_for = condition.to_string();
    let id: Arc<str> = format!("{owner}/{waits_for}").into();
    let now = store.now();
    let result = store.modify::<ConditionSpec>(owner, NAMESPACE, &id, |spec| {
        if spec.waits_for != waits_for {
            spec.since = now;
        }
        owner.clone_into(&mut spec.owner);
        condition.kind().clone_into(&mut spec.kind);
        waits_for.clone_into(&mut spec.waits_for);
    });
    if let Err(error) = result {
        tracing::warn!(owner, %error, "cannot publish a wait");
    }
    id
}

/// Takes a wait back.
pub(crate) fn clear(store: &Store, owner: &str, id: &str) {
    if let Err(error) = store.remove::<ConditionSpec>(owner, NAMESPACE, id) {
        tracing::warn!(owner, %error, "cannot take back a wait");
    }
}
