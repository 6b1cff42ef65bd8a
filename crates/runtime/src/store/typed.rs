//! The store's operations on resources whose type is known.

use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use resource::{AnyResource, Labels, Metadata, Name, Phase, Resource, Spec};

use super::collection::Change;
use super::{Query, Store, StoreError, is_released, next_version};

/// A resource while it is being changed: the spec, and what people may attach to it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Draft<S> {
    /// The spec.
    pub spec: S,
    /// Labels, for queries.
    pub labels: Labels,
    /// Annotations, for people.
    pub annotations: Labels,
}

impl<S> Deref for Draft<S> {
    type Target = S;

    fn deref(&self) -> &S {
        &self.spec
    }
}

impl<S> DerefMut for Draft<S> {
    fn deref_mut(&mut self) -> &mut S {
        &mut self.spec
    }
}

/// A collection holds one type, so this is always something.
fn into_typed<S: Spec>(resource: AnyResource) -> Option<Resource<S>> {
    resource.into_typed()
}

fn missing<S: Spec>(namespace: &str, id: &str) -> StoreError {
    let resource = format!("{}({namespace}/{id})", S::DEFINITION.type_name);
    StoreError::NotFound { resource }
}

fn check_owner(metadata: &Metadata, writer: &str) -> Result<(), StoreError> {
    if &*metadata.owner == writer {
        return Ok(());
    }
    Err(StoreError::Owner {
        resource: metadata.to_string(),
        owner: metadata.owner.to_string(),
        writer: writer.to_owned(),
    })
}

fn check_running(metadata: &Metadata) -> Result<(), StoreError> {
    match metadata.phase {
        Phase::Running => Ok(()),
        Phase::TearingDown => Err(StoreError::TearingDown { resource: metadata.to_string() }),
    }
}

fn check_version(metadata: &Metadata, expected: u64) -> Result<(), StoreError> {
    if metadata.version == expected {
        return Ok(());
    }
    Err(StoreError::Conflict { resource: metadata.to_string(), expected })
}

impl Store {
    /// The resource, if it exists.
    #[must_use]
    pub fn get<S: Spec>(&self, namespace: &str, id: &str) -> Option<Resource<S>> {
        self.with::<S, _>(namespace, |all| all.fetch(id)).and_then(into_typed)
    }

    /// All resources of a type and namespace, sorted by id.
    #[must_use]
    pub fn list<S: Spec>(&self, namespace: &str) -> Vec<Resource<S>> {
        self.list_matching(namespace, &Query::everything())
    }

    /// The resources that match, sorted by id.
    #[must_use]
    pub fn list_matching<S: Spec>(&self, namespace: &str, query: &Query) -> Vec<Resource<S>> {
        let all = self.with::<S, _>(namespace, |all| all.list(query));
        all.into_iter().filter_map(into_typed).collect()
    }

    /// Makes a new resource.
    ///
    /// # Errors
    /// When there is one with this id.
    pub fn create<S: Spec>(
        &self,
        owner: &str,
        namespace: &str,
        id: &str,
        spec: S,
    ) -> Result<Resource<S>, StoreError> {
        self.create_draft(owner, namespace, id, Draft { spec, ..Draft::default() })
    }

    /// Makes a new resource with labels and annotations.
    ///
    /// # Errors
    /// When there is one with this id.
    pub fn create_draft<S: Spec>(
        &self,
        owner: &str,
        namespace: &str,
        id: &str,
        draft: Draft<S>,
    ) -> Result<Resource<S>, StoreError> {
        let resource = self.with::<S, _>(namespace, |collection| {
            let mut metadata = self.new_metadata(owner, collection, S::DEFINITION, id);
            metadata.labels = draft.labels;
            metadata.annotations = draft.annotations;
            let resource = Resource::new(metadata, draft.spec);
            collection.insert(resource.clone().erase())?;
            Ok::<_, StoreError>(resource)
        })?;
        Ok(resource)
    }

    /// Replaces the spec of a resource that is still as `present` says. An equal spec makes no
    /// new version.
    ///
    /// # Errors
    /// When the resource changed since, belongs to another owner or is being torn down.
    pub fn update<S: Spec>(
        &self,
        owner: &str,
        present: &Resource<S>,
        spec: S,
    ) -> Result<Resource<S>, StoreError> {
        let metadata = &present.metadata;
        let draft = Draft {
            spec,
            labels: metadata.labels.clone(),
            annotations: metadata.annotations.clone(),
        };
        self.replace(owner, present, draft)
    }

    fn replace<S: Spec>(
        &self,
        owner: &str,
        present: &Resource<S>,
        draft: Draft<S>,
    ) -> Result<Resource<S>, StoreError> {
        let old = &present.metadata;
        let same_metadata = draft.labels == old.labels && draft.annotations == old.annotations;
        let unchanged = same_metadata && draft.spec == **present.spec;
        let mut metadata = next_version(old, self.now());
        metadata.labels = draft.labels;
        metadata.annotations = draft.annotations;
        let next = Resource::new(metadata, draft.spec);
        let collection = self.collection::<S>(&old.namespace);
        collection.change(&old.id, |found| {
            let found = found.ok_or_else(|| missing::<S>(&old.namespace, &old.id))?.metadata();
            check_owner(found, owner)?;
            check_running(found)?;
            check_version(found, old.version)?;
            if unchanged {
                return Ok((Change::Keep, present.clone()));
            }
            Ok((Change::Put(next.clone().erase()), next))
        })
    }

    /// Creates the resource or changes its spec. When `change` leaves everything as it was, there
    /// is no new version. `change` may be called again when somebody else writes in between.
    ///
    /// # Errors
    /// When the resource belongs to another owner or is being torn down.
    pub fn modify<S: Spec>(
        &self,
        owner: &str,
        namespace: &str,
        id: &str,
        mut change: impl FnMut(&mut S),
    ) -> Result<Resource<S>, StoreError> {
        self.modify_draft(owner, namespace, id, |draft| change(&mut draft.spec))
    }

    /// Like [`Store::modify`], with labels and annotations.
    ///
    /// # Errors
    /// When the resource belongs to another owner or is being torn down.
    pub fn modify_draft<S: Spec>(
        &self,
        owner: &str,
        namespace: &str,
        id: &str,
        mut change: impl FnMut(&mut Draft<S>),
    ) -> Result<Resource<S>, StoreError> {
        loop {
            let result = match self.get::<S>(namespace, id) {
                None => {
                    let mut draft = Draft::default();
                    change(&mut draft);
                    self.create_draft(owner, namespace, id, draft)
                }
                Some(present) => {
                    check_owner(&present.metadata, owner)?;
                    check_running(&present.metadata)?;
                    let mut draft = Draft {
                        spec: (**present.spec).clone(),
                        labels: present.metadata.labels.clone(),
                        annotations: present.metadata.annotations.clone(),
                    };
                    change(&mut draft);
                    self.replace(owner, &present, draft)
                }
            };
            match result {
                Err(error) if error.is_conflict() || error.is_not_found() => {}
                other => return other,
            }
        }
    }

    /// Changes metadata only; the spec and its encodings stay shared.
    fn remark<S: Spec, T>(
        &self,
        namespace: &str,
        id: &str,
        decide: impl FnOnce(&Metadata) -> Result<(Option<Metadata>, T), StoreError>,
    ) -> Result<T, StoreError> {
        self.collection::<S>(namespace).change(id, |found| {
            let found = found.ok_or_else(|| missing::<S>(namespace, id))?;
            let (next, answer) = decide(found.metadata())?;
            let change = next.map_or(Change::Keep, |next| {
                Change::Put(AnyResource::new(Arc::new(next), found.spec().clone()))
            });
            Ok((change, answer))
        })
    }

    /// Begins the end of a resource; `true` when nothing holds it any more.
    ///
    /// # Errors
    /// When it does not exist or belongs to another owner.
    pub fn teardown<S: Spec>(
        &self,
        owner: &str,
        namespace: &str,
        id: &str,
    ) -> Result<bool, StoreError> {
        let now = self.now();
        self.remark::<S, _>(namespace, id, |metadata| {
            check_owner(metadata, owner)?;
            let free = metadata.finalizers.is_empty();
            if metadata.phase == Phase::TearingDown {
                return Ok((None, free));
            }
            let mut next = next_version(metadata, now);
            next.phase = Phase::TearingDown;
            Ok((Some(next), free))
        })
    }

    /// Removes a resource that nothing holds.
    ///
    /// # Errors
    /// When it does not exist, belongs to another owner or has finalizers.
    pub fn destroy<S: Spec>(
        &self,
        owner: &str,
        namespace: &str,
        id: &str,
    ) -> Result<(), StoreError> {
        self.collection::<S>(namespace).change(id, |found| {
            let found = found.ok_or_else(|| missing::<S>(namespace, id))?.metadata();
            check_owner(found, owner)?;
            if !found.finalizers.is_empty() {
                return Err(StoreError::Finalizers {
                    resource: found.to_string(),
                    finalizers: found.finalizers.join(", "),
                });
            }
            Ok((Change::Remove, ()))
        })
    }

    /// Tears a resource down and removes it if nothing holds it; `true` when it is gone.
    ///
    /// # Errors
    /// When it belongs to another owner.
    pub fn remove<S: Spec>(
        &self,
        owner: &str,
        namespace: &str,
        id: &str,
    ) -> Result<bool, StoreError> {
        let gone = |error: StoreError| {
            if error.is_not_found() { Ok(true) } else { Err(error) }
        };
        match self.teardown::<S>(owner, namespace, id) {
            Err(error) => gone(error),
            Ok(false) => Ok(false),
            Ok(true) => match self.destroy::<S>(owner, namespace, id) {
                Ok(()) => Ok(true),
                Err(StoreError::Finalizers { .. }) => Ok(false),
                Err(error) => gone(error),
            },
        }
    }

    /// Holds a resource: it is not destroyed before the finalizer is removed.
    ///
    /// # Errors
    /// When it does not exist or is being torn down.
    pub fn add_finalizer<S: Spec>(
        &self,
        namespace: &str,
        id: &str,
        finalizer: &str,
    ) -> Result<(), StoreError> {
        let now = self.now();
        self.remark::<S, _>(namespace, id, |metadata| {
            if metadata.finalizers.iter().any(|name| &**name == finalizer) {
                return Ok((None, ()));
            }
            check_running(metadata)?;
            let mut next = next_version(metadata, now);
            next.finalizers.push(Name::from(finalizer));
            Ok((Some(next), ()))
        })
    }

    /// Lets go of a resource. One that is gone already, or was never held, is fine.
    ///
    /// # Errors
    /// None at present.
    pub fn remove_finalizer<S: Spec>(
        &self,
        namespace: &str,
        id: &str,
        finalizer: &str,
    ) -> Result<(), StoreError> {
        let now = self.now();
        let result = self.remark::<S, _>(namespace, id, |metadata| {
            if metadata.finalizers.iter().all(|name| &**name != finalizer) {
                return Ok((None, ()));
            }
            let mut next = next_version(metadata, now);
            next.finalizers.retain(|name| &**name != finalizer);
            Ok((Some(next), ()))
        });
        match result {
            Err(error) if error.is_not_found() => Ok(()),
            other => other,
        }
    }

    /// Whether the resource is torn down and nothing holds it.
    #[must_use]
    pub fn is_destroy_ready<S: Spec>(&self, namespace: &str, id: &str) -> bool {
        self.get::<S>(namespace, id).is_some_and(|r| is_released(&r.metadata))
    }
}
