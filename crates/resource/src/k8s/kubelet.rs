//! Kubernetes (kubelet and node): specs of the contract, field by field.
#![allow(missing_docs)] // The fields are the contract's; each spec says what it is.

use std::collections::BTreeMap;

use crate::Spec;
use crate::k8s::ArgValues;
use crate::proto::Mount;
use crate::types::{NetIp, NetIpPrefix, Object};

/// Kubelet part of the machine config; ids: `kubelet`.
#[derive(Clone, Debug, Default, PartialEq, Spec)]
#[spec(type = "KubeletConfigs.kubernetes.talos.dev", namespace = "k8s", sensitive)]
pub struct KubeletConfigSpec {
    #[field(1)]
    pub image: String,
    #[field(2, yaml = "clusterDNS")]
    pub cluster_dns: Vec<String>,
    #[field(3, yaml = "clusterDomain")]
    pub cluster_domain: String,
    #[field(15, yaml = "extraArgs", omit)]
    pub extra_args: BTreeMap<String, ArgValues>,
    #[field(5, yaml = "extraMounts", omit)]
    pub extra_mounts: Vec<Mount>,
    #[field(6, yaml = "extraConfig", omit)]
    pub extra_config: Object,
    #[field(7, yaml = "cloudProviderExternal")]
    pub cloud_provider_external: bool,
    #[field(8, yaml = "defaultRuntimeSeccompEnabled")]
    pub default_runtime_seccomp_enabled: bool,
    #[field(9, yaml = "skipNodeRegistration")]
    pub skip_node_registration: bool,
    #[field(10, yaml = "staticPodListURL")]
    pub static_pod_list_url: String,
    #[field(11, yaml = "disableManifestsDirectory")]
    pub disable_manifests_directory: bool,
    #[field(12, yaml = "enableFSQuotaMonitoring")]
    pub enable_fs_quota_monitoring: bool,
    #[field(13, yaml = "credentialProviderConfig", omit)]
    pub credential_provider_config: Object,
    #[field(16, yaml = "registerWithTaints", omit)]
    pub register_with_taints: BTreeMap<String, String>,
}

/// Hash of the kubelet kubeconfig on disk; ids: `kubelet`.
#[derive(Clone, Debug, Default, PartialEq, Spec)]
#[spec(
    type = "KubeletKubeconfigs.kubernetes.talos.dev",
    namespace = "k8s",
    columns = [("Hash", "{.hash}")],
)]
pub struct KubeletKubeconfigSpec {
    #[field(1)]
    pub hash: String,
}

/// Finalizer anchor: pods must stop before kubelet does; ids: `kubelet`.
#[derive(Clone, Debug, Default, PartialEq, Spec)]
#[spec(type = "KubeletLifecycles.kubernetes.talos.dev", namespace = "k8s")]
pub struct KubeletLifecycleSpec {}

/// Rendered kubelet arguments and KubeletConfiguration; ids: `kubelet`.
#[derive(Clone, Debug, Default, PartialEq, Spec)]
#[spec(type = "KubeletSpecs.kubernetes.talos.dev", namespace = "k8s", sensitive)]
pub struct KubeletSpecSpec {
    #[field(1)]
    pub image: String,
    #[field(2, omit)]
    pub args: Vec<String>,
    #[field(3, yaml = "extraMounts", omit)]
    pub extra_mounts: Vec<Mount>,
    #[field(4, yaml = "expectedNodename", omit)]
    pub expected_nodename: String,
    #[field(5)]
    pub config: Object,
    #[field(6, yaml = "credentialProviderConfig", omit)]
    pub credential_provider_config: Object,
}

/// Public part of kubelet spec (image); ids: `kubelet`.
#[derive(Clone, Debug, Default, PartialEq, Spec)]
#[spec(
    type = "KubeletStatuses.kubernetes.talos.dev",
    namespace = "k8s",
    columns = [("Image", "{.image}")],
)]
pub struct KubeletStatusSpec {
    #[field(1)]
    pub image: String,
}

/// Annotation to keep on the Node object.
#[derive(Clone, Debug, Default, PartialEq, Spec)]
#[spec(
    type = "NodeAnnotationSpecs.k8s.talos.dev",
    namespace = "k8s",
    columns = [("Value", "{.value}")],
    sensitive,
)]
pub struct NodeAnnotationSpecSpec {
    #[field(1)]
    pub key: String,
    #[field(2)]
    pub value: String,
}

/// Presence means cordon the node; ids: `cordoned`.
#[derive(Clone, Debug, Default, PartialEq, Spec)]
#[spec(type = "NodeCordonedSpecs.k8s.talos.dev", namespace = "k8s", sensitive)]
pub struct NodeCordonedSpecSpec {}

/// Addresses passed to kubelet --node-ip; ids: `kubelet`.
#[derive(Clone, Debug, Default, PartialEq, Spec)]
#[spec(type = "NodeIPs.kubernetes.talos.dev", namespace = "k8s")]
pub struct NodeIPSpec {
    #[field(1)]
    pub addresses: Vec<NetIp>,
}

/// Subnet rules for choosing node IPs; ids: `kubelet`.
#[derive(Clone, Debug, Default, PartialEq, Spec)]
#[spec(type = "NodeIPConfigs.kubernetes.talos.dev", namespace = "k8s")]
pub struct NodeIPConfigSpec {
    #[field(1, yaml = "validSubnets", omit)]
    pub valid_subnets: Vec<String>,
    #[field(2, yaml = "excludeSubnets")]
    pub exclude_subnets: Vec<String>,
}

/// Label to keep on the Node object.
#[derive(Clone, Debug, Default, PartialEq, Spec)]
#[spec(
    type = "NodeLabelSpecs.k8s.talos.dev",
    namespace = "k8s",
    columns = [("Value", "{.value}")],
    sensitive,
)]
pub struct NodeLabelSpecSpec {
    #[field(1)]
    pub key: String,
    #[field(2)]
    pub value: String,
}

/// Kubernetes node name; ids: `nodename`.
#[derive(Clone, Debug, Default, PartialEq, Spec)]
#[spec(
    type = "Nodenames.kubernetes.talos.dev",
    namespace = "k8s",
    columns = [("Nodename", "{.nodename}")],
)]
pub struct NodenameSpec {
    #[field(1)]
    pub nodename: String,
    #[field(2, yaml = "hostnameVersion")]
    pub hostname_version: String,
    #[field(3, yaml = "skipNodeRegistration")]
    pub skip_node_registration: bool,
}

/// Own Node object: ready, unschedulable, labels, pod CIDRs.
#[derive(Clone, Debug, Default, PartialEq, Spec)]
#[spec(
    type = "NodeStatuses.kubernetes.talos.dev",
    namespace = "k8s",
    columns = [("Ready", "{.nodeReady}"), ("Unschedulable", "{.unschedulable}")],
)]
pub struct NodeStatusSpec {
    #[field(1)]
    pub nodename: String,
    #[field(2, yaml = "nodeReady")]
    pub node_ready: bool,
    #[field(3)]
    pub unschedulable: bool,
    #[field(4)]
    pub labels: BTreeMap<String, String>,
    #[field(5)]
    pub annotations: BTreeMap<String, String>,
    #[field(6, yaml = "podCIDRs")]
    pub pod_cidrs: Vec<NetIpPrefix>,
}

/// Taint to keep on the Node object.
#[derive(Clone, Debug, Default, PartialEq, Spec)]
#[spec(
    type = "NodeTaintSpecs.k8s.talos.dev",
    namespace = "k8s",
    columns = [("Effect", "{.effect}"), ("Value", "{.value}")],
    sensitive,
)]
pub struct NodeTaintSpecSpec {
    #[field(1)]
    pub key: String,
    #[field(2)]
    pub effect: String,
    #[field(3)]
    pub value: String,
}
