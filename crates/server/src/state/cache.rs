//! Whole lists as ready frames, kept until something in them changes.
//!
//! Clients list the definitions before nearly everything else they do. Must never: hand out a list that lacks a
//! change made before the call.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use runtime::{Store, WatchOptions, store::Query};
use tonic::Status;

use super::frames;

/// How many lists are kept.
const KEPT: usize = 8;
/// Larger lists are not kept.
const LARGEST: usize = 512 * 1024;

struct List {
    type_name: Arc<str>,
    namespace: Arc<str>,
    /// Where the history stood before the list was made: it holds at least everything up to there.
    position: Vec<u8>,
    frames: Bytes,
}

/// The kept lists, the most recently used last.
#[derive(Default)]
pub(super) struct Lists {
    kept: Mutex<Vec<List>>,
}

impl Lists {
    /// The frames of a whole list.
    pub(super) fn frames(
        &self,
        store: &Store,
        type_name: &str,
        namespace: &str,
    ) -> Result<Bytes, Status> {
        let position = store
            .watch_any(type_name, namespace, WatchOptions::default())
            .map_err(|error| Status::internal(error.to_string()))?
            .position();
        if let Some(frames) = self.find(type_name, namespace, &position) {
            return Ok(frames);
        }
        let frames = Bytes::from(frames(store, type_name, namespace, &Query::everything())?);
        if frames.len() <= LARGEST {
            self.keep(List {
                type_name: type_name.into(),
                namespace: namespace.into(),
                position,
                frames: frames.clone(),
            });
        }
        Ok(frames)
    }

    fn find(&self, type_name: &str, namespace: &str, position: &[u8]) -> Option<Bytes> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let place = kept
            .iter()
            .position(|list| *list.type_name == *type_name && *list.namespace == *namespace)?;
        let list = kept.remove(place);
        if list.position != position {
            return None;
        }
        let frames = list.frames.clone();
        kept.push(list);
        Some(frames)
    }

    fn keep(&self, list: List) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|other| other.type_name != list.type_name || other.namespace != list.namespace);
        if kept.len() == KEPT {
            kept.remove(0);
        }
        kept.push(list);
    }
}

#[cfg(test)]
mod tests {
    use resource::network::HostnameStatusSpec;

    use super::*;

    #[test]
    fn a_list_is_made_anew_after_a_change_and_only_then() {
        let store = Store::new();
        let lists = Lists::default();
        let list = || lists.frames(&store, "HostnameStatuses.net.talos.dev", "network").unwrap();
        assert!(list().is_empty());
        store.create("", "network", "a", HostnameStatusSpec::default()).unwrap();
        let one = list();
        assert!(!one.is_empty());
        assert_eq!(one.as_ptr(), list().as_ptr(), "unchanged: the same bytes");
        store.remove::<HostnameStatusSpec>("", "network", "a").unwrap();
        assert!(list().is_empty());
        for n in 0..2 * KEPT {
            lists.frames(&store, "HostnameStatuses.net.talos.dev", &format!("n{n}")).unwrap();
        }
        assert_eq!(lists.kept.lock().unwrap().len(), KEPT);
        assert!(list().is_empty());
    }
}
