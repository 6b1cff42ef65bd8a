//! What every resource has besides its spec.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::{Deref, DerefMut};
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

/// Texts by key. Most resources have none, so an empty set takes one word.
#[derive(Clone, Debug, Default)]
#[expect(
    clippy::box_collection,
    reason = "every resource has this word; a map of its own takes three"
)]
pub struct Labels(Option<Box<BTreeMap<Name, Name>>>);

static NO_LABELS: BTreeMap<Name, Name> = BTreeMap::new();

impl Deref for Labels {
    type Target = BTreeMap<Name, Name>;

    fn deref(&self) -> &Self::Target {
        self.0.as_deref().unwrap_or(&NO_LABELS)
    }
}

impl DerefMut for Labels {
    fn deref_mut(&mut self) -> &mut Self::Target {
        self.0.get_or_insert_default()
    }
}

impl PartialEq for Labels {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl FromIterator<(Name, Name)> for Labels {
    fn from_iter<I: IntoIterator<Item = (Name, Name)>>(entries: I) -> Self {
        let map: BTreeMap<Name, Name> = entries.into_iter().collect();
        Self((!map.is_empty()).then(|| Box::new(map)))
    }
}

/// Names in order of arrival. Most resources have none, so an empty list takes one word.
#[derive(Clone, Debug, Default)]
#[expect(
    clippy::box_collection,
    reason = "every resource has this word; a list of its own takes three"
)]
pub struct Finalizers(Option<Box<Vec<Name>>>);

static NO_FINALIZERS: Vec<Name> = Vec::new();

impl Deref for Finalizers {
    type Target = Vec<Name>;

    fn deref(&self) -> &Self::Target {
        self.0.as_deref().unwrap_or(&NO_FINALIZERS)
    }
}

impl DerefMut for Finalizers {
    fn deref_mut(&mut self) -> &mut Self::Target {
        self.0.get_or_insert_default()
    }
}

impl PartialEq for Finalizers {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
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
    pub finalizers: Finalizers,
    /// Labels, for queries.
    pub labels: Labels,
    /// Annotations, for people.
    pub annotations: Labels,
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
            finalizers: Finalizers::default(),
            labels: Labels::default(),
            annotations: Labels::default(),
        }
    }
}

impl fmt::Display for Metadata {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}({}/{}@{})", self.type_name, self.namespace, self.id, self.version)
    }
}
