//! What every resource has besides its spec.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// A namespace, an id or an owner: shared, since many resources carry the same one.
pub type Name = Arc<str>;

/// Where a resource is in its life.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Phase {
    /// In use.
    #[default]
    Running,
    /// To be destroyed as soon as the last finalizer is gone.
    TearingDown,
}

impl Phase {
    /// The contract's text.
    #[must_use]
    pub fn text(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::TearingDown => "tearingDown",
        }
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

/// A point in time: seconds and nanoseconds since 1970 in UTC. It is passed in, never read here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp {
    /// Whole seconds, negative before 1970.
    pub seconds: i64,
    /// Nanoseconds after `seconds`, below 1,000,000,000.
    pub nanos: u32,
}

/// Identity, version and life of a resource.
#[derive(Clone, Debug, PartialEq)]
pub struct Metadata {
    /// The namespace.
    pub namespace: Name,
    /// The type, like `LinkStatuses.net.talos.dev`.
    pub type_name: &'static str,
    /// The id, unique for its type and namespace.
    pub id: Name,
    /// Grows by one with every change; 1 after creation.
    pub version: u64,
    /// The controller that alone may change it; empty for the API and the boot sequence.
    pub owner: Name,
    /// Where it is in its life.
    pub phase: Phase,
    /// When it was created.
    pub created: Timestamp,
    /// When it last changed.
    pub updated: Timestamp,
    /// Who must let go before it may be destroyed, in order of arrival.
    pub finalizers: Vec<Name>,
    /// Labels, for queries.
    pub labels: BTreeMap<Name, Name>,
    /// Annotations, for people.
    pub annotations: BTreeMap<Name, Name>,
}

impl Metadata {
    /// Metadata of a resource that is about to be created.
    #[must_use]
    pub fn new(namespace: Name, type_name: &'static str, id: Name) -> Self {
        Self {
            namespace,
            type_name,
            id,
            version: 0,
            owner: Name::from(""),
            phase: Phase::Running,
            created: Timestamp::default(),
            updated: Timestamp::default(),
            finalizers: Vec::new(),
            labels: BTreeMap::new(),
            annotations: BTreeMap::new(),
        }
    }
}

impl fmt::Display for Metadata {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}({}/{}@{})", self.type_name, self.namespace, self.id, self.version)
    }
}
