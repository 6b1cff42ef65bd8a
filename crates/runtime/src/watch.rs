//! Watches: the changes of a type and namespace as a stream that never holds up a writer.
//!
//! A watch reads the collection's history at its own pace. One that falls behind the history is
//! told so, once, and ends.

use std::collections::VecDeque;
use std::marker::PhantomData;

use resource::{AnyResource, Resource, Spec};
use thiserror::Error;

use crate::store::{AnyEvent, EventKind, Query, Store, StoreError};
use crate::store::{SharedCollection, bookmark, position};

/// How a watch begins.
#[derive(Clone, Debug, Default)]
pub struct WatchOptions {
    /// Only these resources.
    pub query: Query,
    /// First the present contents as created, then [`Event::Bootstrapped`].
    pub bootstrap: bool,
    /// First that many of the last events.
    pub tail: usize,
    /// Go on after this bookmark.
    pub from: Option<Vec<u8>>,
}

impl WatchOptions {
    /// First the present contents.
    #[must_use]
    pub fn bootstrapped() -> Self {
        Self { bootstrap: true, ..Self::default() }
    }
}

/// Why a watch cannot begin.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum WatchError {
    /// The events after the bookmark are gone, or it was made by another store.
    #[error("bookmark is too old or not of this store: list again and watch from there")]
    Bookmark,
    /// Contents, last events and bookmarks exclude each other.
    #[error("a watch begins with its contents, its last events or a bookmark, not several")]
    Start,
    /// No such type.
    #[error("watch of {type_name}")]
    Type {
        /// The type asked for.
        type_name: String,
        /// Why not.
        #[source]
        source: StoreError,
    },
}

/// What a watch tells.
#[derive(Clone, Debug)]
pub enum Event<S> {
    /// It appeared.
    Created(Resource<S>),
    /// It changed.
    Updated {
        /// After the change.
        new: Resource<S>,
        /// Before the change.
        old: Resource<S>,
    },
    /// It is gone; this is how it was last.
    Destroyed(Resource<S>),
    /// The present contents have all been told.
    Bootstrapped,
    /// Events were lost: the watch is over.
    Errored(Lagged),
}

/// What a watch of a type that is known at run time only tells.
#[derive(Clone, Debug)]
pub enum AnyWatchEvent {
    /// A change, with the bookmark after it.
    Change {
        /// What happened to what.
        event: AnyEvent,
        /// Where to go on later.
        bookmark: Vec<u8>,
    },
    /// The present contents have all been told.
    Bootstrapped {
        /// Where to go on later.
        bookmark: Vec<u8>,
    },
    /// Events were lost: the watch is over.
    Errored(Lagged),
}

/// The watch was too slow: events between the last one told and now are lost.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("buffer overrun: the watch fell behind the history of events")]
pub struct Lagged;

/// A watch of a type that is known at run time only.
pub struct AnyWatch {
    store: Store,
    collection: SharedCollection,
    query: Query,
    position: u64,
    ready: VecDeque<AnyWatchEvent>,
    lagged: bool,
}

/// How many events are taken from the history at once.
const BATCH: usize = 64;

impl AnyWatch {
    fn new(
        store: &Store,
        collection: SharedCollection,
        options: WatchOptions,
    ) -> Result<Self, WatchError> {
        let starts = [options.bootstrap, options.tail > 0, options.from.is_some()];
        if starts.into_iter().filter(|start| *start).count() > 1 {
            return Err(WatchError::Start);
        }
        let snapshot = collection.snapshot(&options.query, options.bootstrap);
        let mut watch = Self {
            store: store.clone(),
            collection,
            query: options.query,
            position: snapshot.position,
            ready: VecDeque::new(),
            lagged: false,
        };
        if options.bootstrap {
            let mark = watch.bookmark(snapshot.position);
            for resource in snapshot.resources {
                let event = AnyEvent {
                    kind: EventKind::Created,
                    resource,
                    old: None,
                    position: snapshot.position,
                };
                watch.ready.push_back(AnyWatchEvent::Change { event, bookmark: mark.clone() });
            }
            watch.ready.push_back(AnyWatchEvent::Bootstrapped { bookmark: mark });
        } else if options.tail > 0 {
            watch.position = watch.collection.tail(options.tail);
        } else if let Some(from) = options.from {
            watch.position = position(store.birth(), &from)
                .filter(|position| watch.collection.reaches(*position))
                .ok_or(WatchError::Bookmark)?;
        }
        Ok(watch)
    }

    fn bookmark(&self, position: u64) -> Vec<u8> {
        bookmark(self.store.birth(), position)
    }

    /// The bookmark after everything told so far.
    #[must_use]
    pub fn position(&self) -> Vec<u8> {
        self.bookmark(self.position)
    }

    /// The next event that is there already.
    pub fn try_next(&mut self) -> Option<AnyWatchEvent> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Some(event);
            }
            if self.lagged {
                return None;
            }
            let Some(events) = self.collection.events(self.position, BATCH) else {
                self.lagged = true;
                return Some(AnyWatchEvent::Errored(Lagged));
            };
            if events.is_empty() {
                return None;
            }
            for event in events {
                self.position = event.position + 1;
                if let Some(event) = filter(&self.query, event) {
                    let bookmark = self.bookmark(self.position);
                    self.ready.push_back(AnyWatchEvent::Change { event, bookmark });
                }
            }
        }
    }

    /// The next event; after [`AnyWatchEvent::Errored`] it never returns.
    ///
    /// Dropping the future loses nothing.
    pub async fn next(&mut self) -> AnyWatchEvent {
        let collection = self.collection.clone();
        loop {
            let changed = collection.changed().notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            if let Some(event) = self.try_next() {
                return event;
            }
            changed.await;
        }
    }

    /// The next events, at least one and at most `limit`.
    pub async fn next_batch(&mut self, limit: usize) -> Vec<AnyWatchEvent> {
        let mut batch = vec![self.next().await];
        while batch.len() < limit {
            let Some(event) = self.try_next() else { break };
            batch.push(event);
        }
        batch
    }
}

/// What a change is for one who sees the matching resources only: a resource that begins to
/// match appears, one that ceases to match is gone.
fn filter(query: &Query, mut event: AnyEvent) -> Option<AnyEvent> {
    if query.is_everything() {
        return Some(event);
    }
    let now = query.matches(event.resource.metadata());
    let before = event.old.as_ref().is_some_and(|old| query.matches(old.metadata()));
    if event.kind != EventKind::Updated {
        return now.then_some(event);
    }
    match (before, now) {
        (true, true) => Some(event),
        (false, true) => Some(AnyEvent { kind: EventKind::Created, old: None, ..event }),
        (true, false) => {
            let resource = event.old.take()?;
            Some(AnyEvent { kind: EventKind::Destroyed, resource, old: None, ..event })
        }
        (false, false) => None,
    }
}

/// A watch of resources of one type.
pub struct Watch<S> {
    inner: AnyWatch,
    spec: PhantomData<fn() -> S>,
}

impl<S: Spec> Watch<S> {
    /// The next event; after [`Event::Errored`] it never returns.
    ///
    /// Dropping the future loses nothing.
    pub async fn next(&mut self) -> Event<S> {
        loop {
            if let Some(event) = typed(self.inner.next().await) {
                return event;
            }
        }
    }

    /// The next event that is there already.
    pub fn try_next(&mut self) -> Option<Event<S>> {
        self.inner.try_next().and_then(typed)
    }
}

fn typed<S: Spec>(event: AnyWatchEvent) -> Option<Event<S>> {
    let event = match event {
        AnyWatchEvent::Bootstrapped { .. } => return Some(Event::Bootstrapped),
        AnyWatchEvent::Errored(lagged) => return Some(Event::Errored(lagged)),
        AnyWatchEvent::Change { event, .. } => event,
    };
    let resource = event.resource.downcast::<S>()?;
    Some(match event.kind {
        EventKind::Created => Event::Created(resource),
        EventKind::Destroyed => Event::Destroyed(resource),
        EventKind::Updated => {
            let old = event.old.as_ref().and_then(AnyResource::downcast::<S>)?;
            Event::Updated { new: resource, old }
        }
    })
}

impl Store {
    /// Watches the resources of a type and namespace. A start that is impossible, such as a
    /// bookmark, is an error of [`Store::watch_any`]; here such options are left out.
    #[must_use]
    pub fn watch<S: Spec>(&self, namespace: &str, options: WatchOptions) -> Watch<S> {
        let query = options.query.clone();
        let collection = self.collection::<S>(namespace);
        let inner = AnyWatch::new(self, collection.clone(), options).unwrap_or_else(|_| {
            let position = collection.snapshot(&query, false).position;
            AnyWatch {
                store: self.clone(),
                collection,
                query,
                position,
                ready: VecDeque::from([AnyWatchEvent::Errored(Lagged)]),
                lagged: true,
            }
        });
        Watch { inner, spec: PhantomData }
    }

    /// Watches a type that is known at run time only.
    ///
    /// # Errors
    /// When the type is unknown, or the watch cannot begin where it was asked to.
    pub fn watch_any(
        &self,
        type_name: &str,
        namespace: &str,
        options: WatchOptions,
    ) -> Result<AnyWatch, WatchError> {
        let collection = self
            .any_collection(type_name, namespace)
            .map_err(|source| WatchError::Type { type_name: type_name.to_owned(), source })?;
        AnyWatch::new(self, collection, options)
    }

    /// Waits until the resource is as wanted, and returns it as it was then.
    pub async fn wait_for<S: Spec>(
        &self,
        namespace: &str,
        id: &str,
        mut wanted: impl FnMut(Option<&Resource<S>>) -> bool,
    ) -> Option<Resource<S>> {
        let collection = self.collection::<S>(namespace);
        loop {
            let changed = collection.changed().notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            let present = self.get::<S>(namespace, id);
            if wanted(present.as_ref()) {
                return present;
            }
            changed.await;
        }
    }
}
