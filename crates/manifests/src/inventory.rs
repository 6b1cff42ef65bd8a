//! What has been applied to a cluster, and in which order objects go in.
//!
//! The node creates objects and never changes them afterwards: changes are a person's decision. So an object that
//! is in the inventory, even one that somebody has deleted since, is left alone.

use std::collections::BTreeSet;

use serde_json::json;

use crate::Object;

/// Namespace of the inventory.
pub const NAMESPACE: &str = "kube-system";
/// Name of the ConfigMap that holds the inventory.
pub const NAME: &str = "talos-bootstrap-manifests-inventory";

/// The identity of an object in the inventory: `<namespace>_<name>_<group>_<kind>`.
pub fn key(object: &Object) -> String {
    let field = |name: &str| object["metadata"][name].as_str().unwrap_or_default();
    let version = object["apiVersion"].as_str().unwrap_or_default();
    let group = version.split_once('/').map_or("", |(group, _)| group);
    // A ConfigMap's keys take no colon, and names of roles have them.
    let name = field("name").replace(':', "__");
    format!("{}_{name}_{group}_{}", field("namespace"), object["kind"].as_str().unwrap_or_default())
}

/// The inventory as an object.
pub fn object(keys: &BTreeSet<String>) -> Object {
    let data: serde_json::Map<_, _> = keys.iter().map(|key| (key.clone(), "".into())).collect();
    json!({
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": { "name": NAME, "namespace": NAMESPACE },
        "data": data,
    })
}

/// The keys that an inventory object holds.
pub fn keys(inventory: &Object) -> BTreeSet<String> {
    inventory["data"].as_object().into_iter().flatten().map(|(key, _)| key.clone()).collect()
}

/// The objects in the order of their dependence: namespaces, resource definitions, everything else.
///
/// Objects of one wave do not depend on each other and go in at once.
pub fn waves(objects: Vec<Object>) -> [Vec<Object>; 3] {
    let mut waves: [Vec<Object>; 3] = Default::default();
    let [namespaces, definitions, rest] = &mut waves;
    for object in objects {
        match object["kind"].as_str() {
            Some("Namespace") => namespaces.push(object),
            Some("CustomResourceDefinition") => definitions.push(object),
            _ => rest.push(object),
        }
    }
    waves
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_survive_the_round_trip() {
        let role = json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": { "name": "system:coredns" },
        });
        let service = json!({
            "apiVersion": "v1", "kind": "Service", "metadata": { "name": "kube-dns", "namespace": "kube-system" },
        });
        let all: BTreeSet<String> = [key(&role), key(&service)].into();
        assert_eq!(keys(&object(&all)), all);
        assert!(all.contains("_system__coredns_rbac.authorization.k8s.io_ClusterRole"));
        assert!(all.contains("kube-system_kube-dns__Service"));
    }

    #[test]
    fn namespaces_go_first_and_definitions_next() {
        let of = |kind: &str| json!({ "kind": kind });
        let [a, b, c] =
            waves(vec![of("Pod"), of("CustomResourceDefinition"), of("Namespace"), of("Secret")]);
        assert_eq!((a.len(), b.len(), c.len()), (1, 1, 2));
    }
}
