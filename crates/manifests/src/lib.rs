//! Every document that Ichor hands to Kubernetes, as pure functions from typed inputs.
//!
//! Static pods of the control plane, the kubelet's configuration, the policy documents of the API server, kubeconfigs, and
//! the objects that make an empty API server a cluster. Nothing here reads a file, a clock or a random number, and nothing
//! here talks to anybody: a caller passes all inputs and gets a document.
//!
//! Start reading at [`static_pod`] for the control plane and at [`bootstrap`] for the cluster's first objects.
#![forbid(unsafe_code)]

pub mod arguments;
pub mod bootstrap;
pub mod control_plane;
pub mod encryption;
pub mod inventory;
pub mod kubeconfig;
pub mod kubelet;
pub mod policy;
pub mod static_pod;

/// A Kubernetes object or configuration document.
pub type Object = serde_json::Value;

/// The JSON text of a document; every reader of a configuration document accepts JSON wherever it accepts YAML.
pub fn document(object: &Object) -> String {
    format!("{object:#}\n")
}
