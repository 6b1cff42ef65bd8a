//! Kubernetes (manifests and static pods): specs of the contract, field by field.
#![allow(missing_docs)] // The fields are the contract's; each spec says what it is.

use crate::Spec;
use crate::k8s::SingleManifest;
use crate::types::Object;

/// Bootstrap manifest to apply; id `<prio>`-`<name>`.
#[derive(Clone, Debug, Default, PartialEq, Spec)]
#[spec(type = "Manifests.kubernetes.talos.dev", namespace = "controlplane")]
pub struct ManifestSpec {
    #[field(1)]
    pub items: Vec<SingleManifest>,
}

/// List of applied bootstrap manifests; ids: `manifests`.
#[derive(Clone, Debug, Default, PartialEq, Spec)]
#[spec(type = "ManifestStatuses.kubernetes.talos.dev", namespace = "controlplane")]
pub struct ManifestStatusSpec {
    #[field(1, yaml = "manifestsApplied")]
    pub manifests_applied: Vec<String>,
}

/// Static pod manifest served to kubelet.
#[derive(Clone, Debug, Default, PartialEq, Spec)]
#[spec(type = "StaticPods.kubernetes.talos.dev", namespace = "k8s", bare)]
pub struct StaticPodSpec {
    #[field(1)]
    pub pod: Object,
}

/// URL of the local static pod HTTP server; ids: `static-pod-server-status`.
#[derive(Clone, Debug, Default, PartialEq, Spec)]
#[spec(type = "StaticPodServerStatuses.kubernetes.talos.dev", namespace = "k8s")]
pub struct StaticPodServerStatusSpec {
    #[field(1)]
    pub url: String,
}

/// Pod status of static pods; id `<namespace>`/`<pod>`.
#[derive(Clone, Debug, Default, PartialEq, Spec)]
#[spec(
    type = "StaticPodStatuses.kubernetes.talos.dev",
    namespace = "k8s",
    aliases = ["podstatus"],
    columns = [("Ready", "{.conditions[?(@.type==\"Ready\")].status}")],
    bare,
)]
pub struct StaticPodStatusSpec {
    #[field(1)]
    pub podstatus: Object,
}
