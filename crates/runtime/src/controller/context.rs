//! What a controller has at hand while it runs.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use resource::{Name, Resource, Spec};

use super::Waker;
use crate::condition::{self, Condition};
use crate::store::{Draft, Store, StoreError};

/// What a controller has at hand while it runs.
pub struct Context {
    store: Store,
    owner: &'static str,
    outputs: BTreeSet<&'static str>,
    waker: Waker,
    /// The waits published in this run, and those of the run before.
    waits: Mutex<Waits>,
}

#[derive(Default)]
struct Waits {
    present: BTreeSet<Arc<str>>,
    before: BTreeSet<Arc<str>>,
}

impl Context {
    pub(crate) fn new(
        store: Store,
        owner: &'static str,
        outputs: BTreeSet<&'static str>,
        waker: Waker,
    ) -> Self {
        Self { store, owner, outputs, waker, waits: Mutex::default() }
    }

    /// The resource store.
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// The controller's name: the owner of what it writes.
    #[must_use]
    pub fn owner(&self) -> &'static str {
        self.owner
    }

    /// Wakes this controller from a task of its own or from a source of events.
    #[must_use]
    pub fn waker(&self) -> Waker {
        self.waker.clone()
    }

    fn check<S: Spec>(&self) -> Result<(), StoreError> {
        if self.outputs.contains(S::DEFINITION.type_name) {
            return Ok(());
        }
        Err(StoreError::Undeclared {
            controller: self.owner.to_owned(),
            type_name: S::DEFINITION.type_name,
        })
    }

    /// The resource, if it exists.
    #[must_use]
    pub fn get<S: Spec>(&self, namespace: &str, id: &str) -> Option<Resource<S>> {
        self.store.get(namespace, id)
    }

    /// All resources of a type and namespace, sorted by id.
    #[must_use]
    pub fn list<S: Spec>(&self, namespace: &str) -> Vec<Resource<S>> {
        self.store.list(namespace)
    }

    /// Creates an output or changes its spec; no new version when nothing changes.
    ///
    /// # Errors
    /// When the type is no declared output, or the resource is another owner's or being torn
    /// down.
    pub fn modify<S: Spec>(
        &self,
        namespace: &str,
        id: &str,
        change: impl FnMut(&mut S),
    ) -> Result<Resource<S>, StoreError> {
        self.check::<S>()?;
        self.store.modify(self.owner, namespace, id, change)
    }

    /// Like [`Context::modify`], with labels and annotations.
    ///
    /// # Errors
    /// When the type is no declared output, or the resource is another owner's or being torn
    /// down.
    pub fn modify_draft<S: Spec>(
        &self,
        namespace: &str,
        id: &str,
        change: impl FnMut(&mut Draft<S>),
    ) -> Result<Resource<S>, StoreError> {
        self.check::<S>()?;
        self.store.modify_draft(self.owner, namespace, id, change)
    }

    /// Tears an output down and removes it if nothing holds it; `true` when it is gone.
    ///
    /// # Errors
    /// When the type is no declared output, or the resource is another owner's.
    pub fn remove<S: Spec>(&self, namespace: &str, id: &str) -> Result<bool, StoreError> {
        self.check::<S>()?;
        self.store.remove::<S>(self.owner, namespace, id)
    }

    /// Removes the controller's own outputs in a namespace that are not to be kept. Those that
    /// somebody holds are torn down and go when they are let go of and this is called again:
    /// declare a destroy-ready input on the type.
    ///
    /// # Errors
    /// When the type is no declared output.
    pub fn cleanup<S: Spec>(
        &self,
        namespace: &str,
        mut keep: impl FnMut(&Resource<S>) -> bool,
    ) -> Result<(), StoreError> {
        self.check::<S>()?;
        for resource in self.store.list::<S>(namespace) {
            if &*resource.metadata.owner == self.owner && !keep(&resource) {
                self.store.remove::<S>(self.owner, namespace, resource.id())?;
            }
        }
        Ok(())
    }

    /// Says what this controller waits for. The wait is over when a later run does not say it
    /// again.
    pub fn waiting(&self, condition: &Condition) {
        let id = condition::state(&self.store, self.owner, condition);
        self.lock().present.insert(id);
    }

    /// Says that what this run waited for has come, before the run is over.
    pub fn over(&self) {
        let over = {
            let mut waits = self.lock();
            let over = std::mem::take(&mut waits.present);
            waits.before.retain(|id| !over.contains(id));
            over
        };
        for id in over {
            condition::clear(&self.store, self.owner, &id);
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Waits> {
        self.waits.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn begin(&self) {
        let mut waits = self.lock();
        let present = std::mem::take(&mut waits.present);
        waits.before.extend(present);
    }

    pub(crate) fn end(&self) {
        let over: Vec<Arc<str>> = {
            let mut waits = self.lock();
            let before = std::mem::take(&mut waits.before);
            before.into_iter().filter(|id| !waits.present.contains(id)).collect()
        };
        for id in over {
            condition::clear(&self.store, self.owner, &id);
        }
    }

    /// The owner as resources carry it.
    #[must_use]
    pub fn owner_name(&self) -> Name {
        self.owner.into()
    }
}
