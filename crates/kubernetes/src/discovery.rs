//! Where objects of a kind live: the server's own list of kinds, read once per group and version.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use serde_json::Value;

/// The path segment of a kind, and whether its objects live in namespaces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) plural: String,
    pub(crate) namespaced: bool,
}

/// Kinds by group and version, as far as they have been asked for.
#[derive(Debug, Default)]
pub(crate) struct Kinds(Mutex<HashMap<String, HashMap<String, Place>>>);

/// The path of a group and version: the core group has one of its own.
pub(crate) fn group_path(api_version: &str) -> String {
    if api_version.contains('/') {
        format!("/apis/{api_version}")
    } else {
        format!("/api/{api_version}")
    }
}

impl Kinds {
    pub(crate) fn place(&self, api_version: &str, kind: &str) -> Option<Place> {
        let kinds = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kinds.get(api_version)?.get(kind).cloned()
    }

    /// Takes in the server's list for a group and version.
    pub(crate) fn learn(&self, api_version: &str, list: &Value) {
        let resources = list["resources"].as_array().into_iter().flatten();
        let places = resources.filter_map(|resource| {
            let plural = resource["name"].as_str().filter(|name| !name.contains('/'))?.to_owned();
            let namespaced = resource["namespaced"].as_bool().unwrap_or_default();
            Some((resource["kind"].as_str()?.to_owned(), Place { plural, namespaced }))
        });
        let places = places.collect();
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(api_version.to_owned(), places);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subresources_are_no_kinds() {
        let kinds = Kinds::default();
        kinds.learn(
            "v1",
            &serde_json::json!({ "resources": [
                { "name": "pods/eviction", "kind": "Eviction", "namespaced": true },
                { "name": "pods", "kind": "Pod", "namespaced": true },
                { "name": "nodes", "kind": "Node", "namespaced": false },
                { "name": "nodes/status", "kind": "Node", "namespaced": false },
            ]}),
        );
        assert_eq!(
            kinds.place("v1", "Node"),
            Some(Place { plural: "nodes".to_owned(), namespaced: false })
        );
        assert_eq!(kinds.place("v1", "Eviction"), None);
        assert_eq!(kinds.place("apps/v1", "Deployment"), None);
        assert_eq!(group_path("apps/v1"), "/apis/apps/v1");
        assert_eq!(group_path("v1"), "/api/v1");
    }
}
