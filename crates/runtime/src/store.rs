//! The resource store: typed, versioned resources in memory, by type and namespace.
//!
//! Writers never wait for readers of events: a change is put into a ring that watches read at
//! their own pace. It must never hold a lock while it runs code of a caller.

mod collection;
mod error;
mod query;
mod typed;

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::{SystemTime, UNIX_EPOCH};

use resource::meta::{NAMESPACES, NamespaceSpec, ResourceDefinitionSpec};
use resource::{AnyResource, Definition, Metadata, Name, Phase, Spec, Timestamp};

pub use collection::{AnyEvent, EventKind, HISTORY, HISTORY_GAP, Interest};
pub(crate) use collection::{Collection, SharedCollection, bookmark, position};
pub use error::StoreError;
pub use query::{LabelOperation, LabelQuery, LabelTerm, Query, QueryError};
pub use typed::Draft;

/// The resource store. A clone is the same store.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

struct Inner {
    kinds: RwLock<HashMap<&'static str, Arc<Kind>>>,
    clock: fn() -> Timestamp,
    /// Tells bookmarks of this store from those of an earlier life of the process.
    birth: Timestamp,
    no_owner: Name,
}

pub(crate) struct Kind {
    pub(crate) definition: Definition,
    spaces: RwLock<Vec<Arc<Collection>>>,
}

impl Kind {
    fn find(&self, namespace: &str) -> Option<Arc<Collection>> {
        read(&self.spaces).iter().find(|c| &**c.namespace() == namespace).cloned()
    }

    fn space(&self, namespace: &str) -> Arc<Collection> {
        if let Some(found) = self.find(namespace) {
            return found;
        }
        let mut spaces = write(&self.spaces);
        if let Some(found) = spaces.iter().find(|c| &**c.namespace() == namespace) {
            return found.clone();
        }
        let made = Arc::new(Collection::new(Name::from(namespace)));
        spaces.push(made.clone());
        made
    }
}

impl Default for Store {
    fn default() -> Self {
        Self::new()
    }
}

impl Store {
    /// A store with every type of the contract, on the system's clock.
    #[must_use]
    pub fn new() -> Self {
        Self::with_clock(system_time)
    }

    /// A store on another clock.
    #[must_use]
    pub fn with_clock(clock: fn() -> Timestamp) -> Self {
        let inner =
            Inner { kinds: RwLock::default(), clock, birth: clock(), no_owner: Name::from("") };
        let store = Self { inner: Arc::new(inner) };
        for definition in resource::DEFINITIONS.iter().chain(resource::EXTENSIONS) {
            store.define(definition);
        }
        for (namespace, description) in NAMESPACES {
            store.announce(namespace, &NamespaceSpec { description: (*description).to_owned() });
        }
        store
    }

    /// Makes a type known: it gets a definition that the API shows.
    pub fn define(&self, definition: &Definition) {
        let kind = Kind { definition: *definition, spaces: RwLock::default() };
        write(&self.inner.kinds).entry(definition.type_name).or_insert_with(|| Arc::new(kind));
        self.announce(&definition.id(), &ResourceDefinitionSpec::from(definition));
    }

    fn announce<S: Spec>(&self, id: &str, spec: &S) {
        let metadata = self.new_metadata("", &self.collection::<S>("meta"), S::DEFINITION, id);
        // An id that exists already was announced before: that is what is wanted.
        let resource = resource::Resource::new(metadata, spec.clone()).erase();
        let _ = self.collection::<S>("meta").insert(resource);
    }

    /// The present time, on the store's clock.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        (self.inner.clock)()
    }

    pub(crate) fn birth(&self) -> Timestamp {
        self.inner.birth
    }

    /// The definitions of all types, sorted by type.
    #[must_use]
    pub fn definitions(&self) -> Vec<Definition> {
        let mut all: Vec<Definition> =
            read(&self.inner.kinds).values().map(|kind| kind.definition).collect();
        all.sort_by_key(|definition| definition.type_name);
        all
    }

    /// The definition of a type, if it is known.
    #[must_use]
    pub fn definition(&self, type_name: &str) -> Option<Definition> {
        read(&self.inner.kinds).get(type_name).map(|kind| kind.definition)
    }

    pub(crate) fn collection<S: Spec>(&self, namespace: &str) -> Arc<Collection> {
        let kind = read(&self.inner.kinds).get(S::DEFINITION.type_name).cloned();
        if let Some(kind) = kind {
            return kind.space(namespace);
        }
        let kind = Kind { definition: S::DEFINITION, spaces: RwLock::default() };
        let kind = write(&self.inner.kinds)
            .entry(S::DEFINITION.type_name)
            .or_insert_with(|| Arc::new(kind))
            .clone();
        self.define(&S::DEFINITION);
        kind.space(namespace)
    }

    pub(crate) fn any_collection(
        &self,
        type_name: &str,
        namespace: &str,
    ) -> Result<Arc<Collection>, StoreError> {
        let kinds = read(&self.inner.kinds);
        let kind = kinds
            .get(type_name)
            .ok_or_else(|| StoreError::UnknownType { type_name: type_name.to_owned() })?;
        Ok(kind.space(namespace))
    }

    fn new_metadata(
        &self,
        owner: &str,
        collection: &Collection,
        definition: Definition,
        id: &str,
    ) -> Metadata {
        let now = self.now();
        let namespace = collection.namespace().clone();
        let mut metadata = Metadata::new(namespace, definition.type_name, Name::from(id));
        metadata.version = 1;
        metadata.owner =
            if owner.is_empty() { self.inner.no_owner.clone() } else { collection.intern(owner) };
        metadata.created = now;
        metadata.updated = now;
        metadata
    }

    /// A resource whose type is known at run time only.
    ///
    /// # Errors
    /// When the type is unknown.
    pub fn get_any(
        &self,
        type_name: &str,
        namespace: &str,
        id: &str,
    ) -> Result<Option<AnyResource>, StoreError> {
        Ok(self.any_collection(type_name, namespace)?.fetch(id))
    }

    /// All resources of a type and namespace that match `query`, sorted by id.
    ///
    /// # Errors
    /// When the type is unknown.
    pub fn list_any(
        &self,
        type_name: &str,
        namespace: &str,
        query: &Query,
    ) -> Result<Vec<AnyResource>, StoreError> {
        Ok(self.any_collection(type_name, namespace)?.list(query))
    }

    /// Every namespace in which resources of a type were looked for or kept.
    #[must_use]
    pub fn namespaces_of(&self, type_name: &str) -> Vec<Name> {
        read(&self.inner.kinds).get(type_name).map_or_else(Vec::new, |kind| {
            read(&kind.spaces).iter().map(|space| space.namespace().clone()).collect()
        })
    }
}

fn system_time() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp {
        seconds: i64::try_from(since.as_secs()).unwrap_or(i64::MAX),
        nanos: since.subsec_nanos(),
    }
}

/// A lock whose holder panicked is still good: no code of a caller runs under our locks, and each
/// critical section leaves whole values.
pub(crate) fn read<T>(lock: &RwLock<T>) -> RwLockReadGuard<'_, T> {
    lock.read().unwrap_or_else(PoisonError::into_inner)
}

/// See [`read`].
pub(crate) fn write<T>(lock: &RwLock<T>) -> RwLockWriteGuard<'_, T> {
    lock.write().unwrap_or_else(PoisonError::into_inner)
}

/// A new version of `metadata`, changed at `now`.
fn next_version(metadata: &Metadata, now: Timestamp) -> Metadata {
    let mut next = metadata.clone();
    next.version += 1;
    next.updated = now;
    next
}

/// Whether a resource may be destroyed.
fn is_released(metadata: &Metadata) -> bool {
    metadata.phase == Phase::TearingDown && metadata.finalizers.is_empty()
}
