//! The resources of one type in one namespace, with the ring of their last changes.

use std::collections::VecDeque;
use std::hash::{Hash, Hasher};
use std::sync::{Arc, RwLock};

use foldhash::fast::RandomState;
use indexmap::{Equivalent, IndexSet};
use resource::{AnyResource, Name, Timestamp};
use tokio::sync::Notify;

use super::query::Query;
use super::{StoreError, is_released, read, write};
use crate::controller::Waker;

/// How many changes are kept for watches.
pub const HISTORY: usize = 1024;
/// How far before the end of the history a watch counts as lost.
pub const HISTORY_GAP: usize = 4;

/// What happened to a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventKind {
    /// It appeared.
    Created,
    /// It changed.
    Updated,
    /// It is gone.
    Destroyed,
}

/// A change of a resource of unknown type.
#[derive(Clone, Debug)]
pub struct AnyEvent {
    /// What happened.
    pub kind: EventKind,
    /// The resource after the change; after its end, as it was last.
    pub resource: AnyResource,
    /// The resource before an update.
    pub old: Option<AnyResource>,
    /// Where the event stands in the collection's history.
    pub position: u64,
}

/// When a subscriber is woken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interest {
    /// On every change.
    Any,
    /// When the resource may be destroyed: torn down, without finalizers.
    DestroyReady,
}

struct Subscription {
    id: Option<Name>,
    interest: Interest,
    waker: Waker,
}

/// The new state of a resource.
pub(crate) enum Change {
    /// Replace it.
    Put(AnyResource),
    /// Remove it.
    Remove,
    /// Leave it as it is.
    Keep,
}

/// A resource that is known by its id, which is in its metadata already: a key besides would cost every resource two words.
struct ById(AnyResource);

impl ById {
    fn id(&self) -> &str {
        &self.0.metadata().id
    }
}

impl Hash for ById {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.id().hash(state);
    }
}

impl PartialEq for ById {
    fn eq(&self, other: &Self) -> bool {
        self.id() == other.id()
    }
}

impl Eq for ById {}

impl Equivalent<ById> for str {
    fn equivalent(&self, resource: &ById) -> bool {
        self == resource.id()
    }
}

/// Resources by id: found by hash, listed in order.
///
/// The order is made when somebody asks for it. Ids mostly arrive in order, so there is mostly
/// nothing to do.
#[derive(Default)]
struct Resources {
    set: IndexSet<ById, RandomState>,
    unordered: bool,
}

impl Resources {
    fn find(&self, id: &str) -> Option<&AnyResource> {
        self.set.get(id).map(|found| &found.0)
    }

    fn all(&self) -> impl Iterator<Item = &AnyResource> {
        self.set.iter().map(|found| &found.0)
    }

    /// Puts in the resource, in the place of the one with its id, which is returned.
    fn put(&mut self, resource: AnyResource) -> Option<AnyResource> {
        let resource = ById(resource);
        let last = self.set.last().is_none_or(|last| last.id() < resource.id());
        let (_, old) = self.set.replace_full(resource);
        self.unordered |= !last && old.is_none();
        old.map(|old| old.0)
    }

    fn remove(&mut self, id: &str) {
        if let Some((index, _)) = self.set.get_full(id) {
            // The last one takes the place of the one that goes.
            self.unordered |= index + 1 != self.set.len();
            self.set.swap_remove_index(index);
        }
    }

    fn order(&mut self) {
        if std::mem::take(&mut self.unordered) {
            self.set.sort_unstable_by(|a, b| a.id().cmp(b.id()));
        }
    }
}

#[derive(Default)]
struct State {
    resources: Resources,
    history: VecDeque<AnyEvent>,
    /// The position that the next event gets.
    next: u64,
    owners: Vec<Name>,
}

/// The resources of one type in one namespace.
pub(crate) struct Collection {
    namespace: Name,
    state: RwLock<State>,
    subscriptions: RwLock<Vec<Subscription>>,
    changed: Notify,
}

/// What a watch starts from.
pub(crate) struct Snapshot {
    /// The resources at `position`, if they were asked for.
    pub(crate) resources: Vec<AnyResource>,
    /// The position of the next event.
    pub(crate) position: u64,
}

impl Collection {
    pub(crate) fn new(namespace: Name) -> Self {
        Self {
            namespace,
            state: RwLock::default(),
            subscriptions: RwLock::default(),
            changed: Notify::new(),
        }
    }

    pub(crate) fn namespace(&self) -> &Name {
        &self.namespace
    }

    /// One shared copy of an owner's name: many resources of a collection have the same owner.
    pub(crate) fn intern(&self, owner: &str) -> Name {
        if let Some(name) = read(&self.state).owners.iter().find(|name| &***name == owner) {
            return name.clone();
        }
        let name = Name::from(owner);
        write(&self.state).owners.push(name.clone());
        name
    }

    pub(crate) fn fetch(&self, id: &str) -> Option<AnyResource> {
        read(&self.state).resources.find(id).cloned()
    }

    pub(crate) fn list(&self, query: &Query) -> Vec<AnyResource> {
        self.ordered(|state| matching(state, query))
    }

    /// Calls `use_it` with the resources in order.
    fn ordered<T>(&self, use_it: impl FnOnce(&State) -> T) -> T {
        let state = read(&self.state);
        if !state.resources.unordered {
            return use_it(&state);
        }
        drop(state);
        let mut state = write(&self.state);
        state.resources.order();
        use_it(&state)
    }

    /// Puts in a resource that must not exist yet.
    pub(crate) fn insert(&self, resource: AnyResource) -> Result<(), StoreError> {
        let mut state = write(&self.state);
        if let Some(found) = state.resources.find(&resource.metadata().id) {
            return Err(StoreError::Exists { resource: found.metadata().to_string() });
        }
        state.resources.put(resource.clone());
        let event = AnyEvent { kind: EventKind::Created, resource, old: None, position: 0 };
        self.publish(state, event);
        Ok(())
    }

    /// Changes one resource. `decide` sees the present state and must be quick: it runs under the
    /// collection's lock, so it is never a caller's code.
    pub(crate) fn change<T>(
        &self,
        id: &str,
        decide: impl FnOnce(Option<&AnyResource>) -> Result<(Change, T), StoreError>,
    ) -> Result<T, StoreError> {
        let mut state = write(&self.state);
        let present = state.resources.find(id);
        let (change, answer) = decide(present)?;
        let event = match (change, present) {
            (Change::Keep, _) | (Change::Remove, None) => return Ok(answer),
            (Change::Remove, Some(old)) => {
                let resource = old.clone();
                state.resources.remove(id);
                AnyEvent { kind: EventKind::Destroyed, resource, old: None, position: 0 }
            }
            (Change::Put(resource), _) => {
                let old = state.resources.put(resource.clone());
                let kind = if old.is_some() { EventKind::Updated } else { EventKind::Created };
                AnyEvent { kind, resource, old, position: 0 }
            }
        };
        self.publish(state, event);
        Ok(answer)
    }

    fn publish(&self, mut state: std::sync::RwLockWriteGuard<'_, State>, mut event: AnyEvent) {
        event.position = state.next;
        state.next += 1;
        let metadata = event.resource.metadata().clone();
        let dropped = if state.history.len() == HISTORY { state.history.pop_front() } else { None };
        state.history.push_back(event);
        drop(state);
        // Whatever the oldest event kept alive is freed after the lock is.
        drop(dropped);
        self.changed.notify_waiters();
        for subscription in read(&self.subscriptions).iter() {
            let concerned = subscription.id.as_ref().is_none_or(|id| *id == metadata.id);
            let due = match subscription.interest {
                Interest::Any => true,
                Interest::DestroyReady => is_released(&metadata),
            };
            if concerned && due {
                subscription.waker.wake();
            }
        }
    }

    /// Wakes `waker` on changes, as long as the collection lives.
    pub(crate) fn subscribe(&self, id: Option<Name>, interest: Interest, waker: Waker) {
        write(&self.subscriptions).push(Subscription { id, interest, waker });
    }

    pub(crate) fn changed(&self) -> &Notify {
        &self.changed
    }

    /// The present contents that match, and where events go on from there.
    pub(crate) fn snapshot(&self, query: &Query, contents: bool) -> Snapshot {
        if !contents {
            return Snapshot { resources: Vec::new(), position: read(&self.state).next };
        }
        self.ordered(|state| Snapshot { resources: matching(state, query), position: state.next })
    }

    /// The position `count` events back, or the oldest that is kept.
    pub(crate) fn tail(&self, count: usize) -> u64 {
        let state = read(&self.state);
        let kept = state.history.len().min(count).min(HISTORY - HISTORY_GAP);
        state.next - kept as u64
    }

    /// Whether events can be read from `position` on.
    pub(crate) fn reaches(&self, position: u64) -> bool {
        let state = read(&self.state);
        position <= state.next && position >= oldest(&state)
    }

    /// Events from `position` on, at most `limit`; `None` when some of them are lost.
    pub(crate) fn events(&self, position: u64, limit: usize) -> Option<Vec<AnyEvent>> {
        let state = read(&self.state);
        if position >= state.next {
            return Some(Vec::new());
        }
        if position < oldest(&state) {
            return None;
        }
        let behind = usize::try_from(state.next - position).ok()?;
        let start = state.history.len().checked_sub(behind)?;
        Some(state.history.iter().skip(start).take(limit).cloned().collect())
    }
}

fn matching(state: &State, query: &Query) -> Vec<AnyResource> {
    let all = state.resources.all();
    if query.is_everything() {
        return all.cloned().collect();
    }
    all.filter(|resource| query.matches(resource.metadata())).cloned().collect()
}

/// The oldest position a watch may stand at. Once the ring is full, the last few entries before
/// its end count as lost already.
fn oldest(state: &State) -> u64 {
    let kept = state.history.len();
    let usable = if kept == HISTORY { HISTORY - HISTORY_GAP } else { kept };
    state.next - usable as u64
}

/// Bookmarks carry the birth of the store, so that one of an earlier life is refused.
pub(crate) fn bookmark(birth: Timestamp, position: u64) -> Vec<u8> {
    let mut out = Vec::with_capacity(20);
    out.extend_from_slice(&birth.seconds.to_be_bytes());
    out.extend_from_slice(&birth.nanos.to_be_bytes());
    out.extend_from_slice(&position.to_be_bytes());
    out
}

/// The position in a bookmark; `None` when it is not one of this store.
pub(crate) fn position(birth: Timestamp, bookmark: &[u8]) -> Option<u64> {
    let (head, tail) = bookmark.split_at_checked(12)?;
    if head != self::bookmark(birth, 0).get(..12)? {
        return None;
    }
    tail.try_into().ok().map(u64::from_be_bytes)
}

/// A collection behind an `Arc`, as watches hold it.
pub(crate) type SharedCollection = Arc<Collection>;
