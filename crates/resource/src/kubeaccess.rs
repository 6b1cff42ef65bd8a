//! Access to the machine API from pods: specs of the contract, field by field.
#![allow(missing_docs)] // The fields are the contract's; each spec says what it is.

use crate::Spec;

/// Talos API access from pods: enabled, roles, namespaces; ids: `config`.
#[derive(Clone, Debug, Default, PartialEq, Spec)]
#[spec(type = "KubernetesAccessConfigs.cluster.talos.dev", namespace = "config")]
pub struct ConfigSpec {
    #[field(1)]
    pub enabled: bool,
    #[field(2, yaml = "allowedAPIRoles")]
    pub allowed_api_roles: Vec<String>,
    #[field(3, yaml = "allowedKubernetesNamespaces")]
    pub allowed_kubernetes_namespaces: Vec<String>,
}
