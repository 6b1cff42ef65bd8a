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

use arc_swap::ArcSwap;
use foldhash::fast::RandomState;
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
    /// Replaced as a whole when a type becomes known, which is rare; read without a lock.
    kinds: ArcSwap<HashMap<&'static str, Arc<Kind>, RandomState>>,
    clock: fn() -> Timestamp,
    /// Tells bookmarks of this store from those of an earlier life of the process.
    birth: Timestamp,
    no_owner: Name,
}

pub(crate) struct Kind {
    pub(crate) definition: Definition,
    /// Replaced as a whole when a namespace is used for the first time; read without a lock.
    spaces: ArcSwap<Vec<Arc<Collection>>>,
}

impl Kind {
    fn new(definition: Definition) -> Arc<Self> {
        Arc::new(Self { definition, spaces: ArcSwap::default() })
    }

    /// Calls `use_it` with the namespace's collection, which is made if it is not there yet.
    fn with<T>(&self, namespace: &str, use_it: impl FnOnce(&Arc<Collection>) -> T) -> T {
        let is_it = |collection: &&Arc<Collection>| &**collection.namespace() == namespace;
        loop {
            if let Some(found) = self.spaces.load().iter().find(is_it) {
                return use_it(found);
            }
            let made = Arc::new(Collection::new(Name::from(namespace)));
            self.spaces.rcu(|spaces| {
                let mut spaces = Vec::clone(spaces);
                if !spaces.iter().any(|collection| is_it(&collection)) {
                    spaces.push(made.clone());
                }
                spaces
            });
        }
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
        let known = || resource::DEFINITIONS.iter().chain(resource::EXTENSIONS);
        let kinds: HashMap<_, _, _> =
            known().map(|found| (found.type_name, Kind::new(*found))).collect();
        let inner = Inner {
            kinds: ArcSwap::from_pointee(kinds),
            clock,
            birth: clock(),
            no_owner: Name::from(""),
        };
        let store = Self { inner: Arc::new(inner) };
        for definition in known() {
            store.announce(&definition.id(), &ResourceDefinitionSpec::from(definition));
        }
        for (namespace, description) in NAMESPACES {
            store.announce(namespace, &NamespaceSpec { description: (*description).to_owned() });
        }
        store
    }

    /// Makes a type known: it gets a definition that the API shows.
    pub fn define(&self, definition: &Definition) {
        self.add_kind(*definition);
        self.announce(&definition.id(), &ResourceDefinitionSpec::from(definition));
    }

    fn add_kind(&self, definition: Definition) {
        let kind = Kind::new(definition);
        self.inner.kinds.rcu(|kinds| {
            let mut kinds = HashMap::clone(kinds);
            kinds.entry(definition.type_name).or_insert_with(|| kind.clone());
            kinds
        });
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
            self.inner.kinds.load().values().map(|kind| kind.definition).collect();
        all.sort_by_key(|definition| definition.type_name);
        all
    }

    /// The definition of a type, if it is known.
    #[must_use]
    pub fn definition(&self, type_name: &str) -> Option<Definition> {
        self.inner.kinds.load().get(type_name).map(|kind| kind.definition)
    }

    /// Calls `use_it` with the collection of a type and namespace.
    pub(crate) fn with<S: Spec, T>(
        &self,
        namespace: &str,
        use_it: impl FnOnce(&Arc<Collection>) -> T,
    ) -> T {
        if let Some(kind) = self.inner.kinds.load().get(S::DEFINITION.type_name) {
            return kind.with(namespace, use_it);
        }
        self.add_kind(S::DEFINITION);
        self.define(&S::DEFINITION);
        self.with::<S, T>(namespace, use_it)
    }

    pub(crate) fn collection<S: Spec>(&self, namespace: &str) -> Arc<Collection> {
        self.with::<S, _>(namespace, Arc::clone)
    }

    pub(crate) fn any_collection(
        &self,
        type_name: &str,
        namespace: &str,
    ) -> Result<Arc<Collection>, StoreError> {
        let kinds = self.inner.kinds.load();
        let kind = kinds
            .get(type_name)
            .ok_or_else(|| StoreError::UnknownType { type_name: type_name.to_owned() })?;
        Ok(kind.with(namespace, Arc::clone))
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
        self.inner.kinds.load().get(type_name).map_or_else(Vec::new, |kind| {
            kind.spaces.load().iter().map(|space| space.namespace().clone()).collect()
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
