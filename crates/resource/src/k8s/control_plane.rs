//! Kubernetes (control plane components): specs of the contract, field by field.
#![allow(missing_docs)] // The fields are the contract's; each spec says what it is.

use std::collections::BTreeMap;

use crate::types::Object;
use crate::{Message, Spec};

/// Kube-apiserver admission plugin config; ids: `admission-control`.
#[derive(Clone, Debug, Default, PartialEq, Spec)]
#[spec(type = "AdmissionControlConfigs.kubernetes.talos.dev", namespace = "controlplane")]
pub struct AdmissionControlConfigSpec {
    #[field(1)]
    pub config: Vec<AdmissionPluginSpec>,
}

/// Kube-apiserver audit policy; ids: `audit-policy`.
#[derive(Clone, Debug, Default, PartialEq, Spec)]
#[spec(type = "AuditPolicyConfigs.kubernetes.talos.dev", namespace = "controlplane", sensitive)]
pub struct AuditPolicyConfigSpec {
    #[field(1)]
    pub config: Object,
}

/// Kube-apiserver structured authentication; ids: `authentication-config`.
#[derive(Clone, Debug, Default, PartialEq, Spec)]
#[spec(type = "AuthenticationConfigs.kubernetes.talos.dev", namespace = "controlplane", sensitive)]
pub struct AuthenticationConfigSpec {
    #[field(1)]
    pub config: Object,
}

/// Kube-apiserver structured authorization; ids: `authorization`.
#[derive(Clone, Debug, Default, PartialEq, Spec)]
#[spec(type = "AuthorizationConfigs.kubernetes.talos.dev", namespace = "controlplane", sensitive)]
pub struct AuthorizationConfigSpec {
    #[field(1)]
    pub image: String,
    #[field(2)]
    pub config: Vec<AuthorizationAuthorizersSpec>,
}

/// Kube-apiserver flags/volumes/env; ids kube-apiserver and final-kube-apiserver.
#[derive(Clone, Debug, Default, PartialEq, Spec)]
#[spec(type = "APIServerConfigs.kubernetes.talos.dev", namespace = "controlplane", sensitive)]
pub struct APIServerConfigSpec {
    #[field(1)]
    pub image: String,
    #[field(2, yaml = "cloudProvider")]
    pub cloud_provider: String,
    #[field(3, yaml = "controlPlaneEndpoint")]
    pub control_plane_endpoint: String,
    #[field(4, yaml = "etcdServers")]
    pub etcd_servers: Vec<String>,
    #[field(5, yaml = "localPort")]
    pub local_port: i64,
    #[field(6, yaml = "serviceCIDR")]
    pub service_cidr: Vec<String>,
    #[field(13, yaml = "extraArgs")]
    pub extra_args: BTreeMap<String, ArgValues>,
    #[field(16, omit)]
    pub args: Vec<String>,
    #[field(8, yaml = "extraVolumes")]
    pub extra_volumes: Vec<ExtraVolume>,
    #[field(9, yaml = "environmentVariables")]
    pub environment_variables: BTreeMap<String, String>,
    #[field(11, yaml = "advertisedAddress")]
    pub advertised_address: String,
    #[field(12)]
    pub resources: Resources,
    #[field(14, yaml = "startupProbesEnabled")]
    pub startup_probes_enabled: bool,
    #[field(15, yaml = "useAuthenticationConfig")]
    pub use_authentication_config: bool,
}

/// Control plane config files rendered; ids: `static-pods`.
#[derive(Clone, Debug, Default, PartialEq, Spec)]
#[spec(
    type = "ConfigStatuses.kubernetes.talos.dev",
    namespace = "controlplane",
    columns = [("Ready", "{.ready}"), ("Secrets Version", "{.version}")],
)]
pub struct ConfigStatusSpec {
    #[field(1)]
    pub ready: bool,
    #[field(2)]
    pub version: String,
}

/// Kube-controller-manager settings (id and final- id); ids: `kube-controller-manager`.
#[derive(Clone, Debug, Default, PartialEq, Spec)]
#[spec(type = "ControllerManagerConfigs.kubernetes.talos.dev", namespace = "controlplane")]
pub struct ControllerManagerConfigSpec {
    #[field(1)]
    pub enabled: bool,
    #[field(2)]
    pub image: String,
    #[field(3, yaml = "cloudProvider")]
    pub cloud_provider: String,
    #[field(4, yaml = "podCIDRs")]
    pub pod_cidrs: Vec<String>,
    #[field(5, yaml = "serviceCIDRs")]
    pub service_cidrs: Vec<String>,
    #[field(10, yaml = "extraArgs", omit)]
    pub extra_args: BTreeMap<String, ArgValues>,
    #[field(11, omit)]
    pub args: Vec<String>,
    #[field(7, yaml = "extraVolumes")]
    pub extra_volumes: Vec<ExtraVolume>,
    #[field(8, yaml = "environmentVariables")]
    pub environment_variables: BTreeMap<String, String>,
    #[field(9)]
    pub resources: Resources,
    #[field(12, yaml = "nodeCIDRMaskSizeIPv4")]
    pub node_cidr_mask_size_ipv4: i64,
    #[field(13, yaml = "nodeCIDRMaskSizeIPv6")]
    pub node_cidr_mask_size_ipv6: i64,
}

/// Encryption-at-rest config for the API server; ids: `k8s`.
#[derive(Clone, Debug, Default, PartialEq, Spec)]
#[spec(type = "EtcdEncryptionConfigs.kubernetes.talos.dev", namespace = "k8s", sensitive)]
pub struct EtcdEncryptionConfigSpec {
    #[field(1)]
    pub configuration: String,
}

/// User manifests by URL or inline; ids: `extra-manifests`.
#[derive(Clone, Debug, Default, PartialEq, Spec)]
#[spec(type = "ExtraManifestsConfigs.kubernetes.talos.dev", namespace = "controlplane")]
pub struct ExtraManifestsConfigSpec {
    #[field(1, yaml = "extraManifests")]
    pub extra_manifests: Vec<ExtraManifest>,
}

/// Inputs of bootstrap manifests (CNI, proxy, DNS); ids: `manifests`.
#[derive(Clone, Debug, Default, PartialEq, Spec)]
#[spec(type = "BootstrapManifestsConfigs.kubernetes.talos.dev", namespace = "controlplane")]
pub struct BootstrapManifestsConfigSpec {
    #[field(1)]
    pub string: String,
    #[field(2, yaml = "clusterDomain")]
    pub cluster_domain: String,
    #[field(3, yaml = "podCIDRs")]
    pub pod_cidrs: Vec<String>,
    #[field(4, yaml = "proxyEnabled")]
    pub proxy_enabled: bool,
    #[field(5, yaml = "proxyImage")]
    pub proxy_image: String,
    #[field(6, yaml = "proxyArgs")]
    pub proxy_args: Vec<String>,
    #[field(27, yaml = "proxyConfig")]
    pub proxy_config: Object,
    #[field(29, yaml = "proxyConfigChecksum")]
    pub proxy_config_checksum: String,
    #[field(28, yaml = "proxyResources")]
    pub proxy_resources: Resources,
    #[field(7, yaml = "coreDNSEnabled")]
    pub core_dns_enabled: bool,
    #[field(8, yaml = "coreDNSImage")]
    pub core_dns_image: String,
    #[field(9, yaml = "dnsServiceIP")]
    pub dns_service_ip: String,
    #[field(10, yaml = "dnsServiceIPv6")]
    pub dns_service_ipv6: String,
    #[field(11, yaml = "flannelEnabled")]
    pub flannel_enabled: bool,
    #[field(12, yaml = "flannelImage")]
    pub flannel_image: String,
    #[field(16, yaml = "flannelExtraArgs")]
    pub flannel_extra_args: Vec<String>,
    #[field(17, yaml = "flannelKubeServiceHost")]
    pub flannel_kube_service_host: String,
    #[field(18, yaml = "flannelKubeServicePort")]
    pub flannel_kube_service_port: String,
    #[field(19, yaml = "flannelKubeNetworkPoliciesEnabled")]
    pub flannel_kube_network_policies_enabled: bool,
    #[field(20, yaml = "flannelKubeNetworkPoliciesImage")]
    pub flannel_kube_network_policies_image: String,
    #[field(23, yaml = "flannelBackendType")]
    pub flannel_backend_type: String,
    #[field(24, yaml = "flannelBackendPort")]
    pub flannel_backend_port: u32,
    #[field(22, yaml = "flannelBackendMTU")]
    pub flannel_backend_mtu: u32,
    #[field(26, yaml = "flannelBackendExtraConfig")]
    pub flannel_backend_extra_config: Object,
    #[field(25, yaml = "flannelResources")]
    pub flannel_resources: Resources,
    #[field(14, yaml = "podSecurityPolicyEnabled")]
    pub pod_security_policy_enabled: bool,
    #[field(15, yaml = "talosAPIServiceEnabled")]
    pub talos_api_service_enabled: bool,
    #[field(21, yaml = "cniName")]
    pub cni_name: String,
}

/// Kube-scheduler settings (id and final- id); ids: `kube-scheduler`.
#[derive(Clone, Debug, Default, PartialEq, Spec)]
#[spec(type = "SchedulerConfigs.kubernetes.talos.dev", namespace = "controlplane")]
pub struct SchedulerConfigSpec {
    #[field(1)]
    pub enabled: bool,
    #[field(2)]
    pub image: String,
    #[field(8, yaml = "extraArgs", omit)]
    pub extra_args: BTreeMap<String, ArgValues>,
    #[field(9, omit)]
    pub args: Vec<String>,
    #[field(7)]
    pub config: Object,
    #[field(4, yaml = "extraVolumes")]
    pub extra_volumes: Vec<ExtraVolume>,
    #[field(5, yaml = "environmentVariables")]
    pub environment_variables: BTreeMap<String, String>,
    #[field(6)]
    pub resources: Resources,
}

/// Control plane secrets rendered (version); ids: `static-pods`.
#[derive(Clone, Debug, Default, PartialEq, Spec)]
#[spec(
    type = "SecretStatuses.kubernetes.talos.dev",
    namespace = "controlplane",
    columns = [("Ready", "{.ready}"), ("Secrets Version", "{.version}")],
)]
pub struct SecretsStatusSpec {
    #[field(1)]
    pub ready: bool,
    #[field(2)]
    pub version: String,
}

/// Part of other specs of this package.
#[derive(Clone, Debug, Default, PartialEq, Message)]
pub struct AdmissionPluginSpec {
    #[field(1)]
    pub name: String,
    #[field(2)]
    pub configuration: Object,
}

/// Part of other specs of this package.
#[derive(Clone, Debug, Default, PartialEq, Message)]
pub struct ArgValues {
    #[field(1)]
    pub values: Vec<String>,
}

/// Part of other specs of this package.
#[derive(Clone, Debug, Default, PartialEq, Message)]
pub struct AuthorizationAuthorizersSpec {
    #[field(1)]
    pub r#type: String,
    #[field(2)]
    pub name: String,
    #[field(3)]
    pub webhook: Object,
}

/// Part of other specs of this package.
#[derive(Clone, Debug, Default, PartialEq, Message)]
pub struct ExtraManifest {
    #[field(1)]
    pub name: String,
    #[field(2)]
    pub url: String,
    #[field(3)]
    pub priority: String,
    #[field(4, yaml = "extraHeaders")]
    pub extra_headers: BTreeMap<String, String>,
    #[field(5, yaml = "inlineManifest", omit)]
    pub inline_manifest: String,
}

/// Part of other specs of this package.
#[derive(Clone, Debug, Default, PartialEq, Message)]
pub struct ExtraVolume {
    #[field(1)]
    pub name: String,
    #[field(2, yaml = "hostPath")]
    pub host_path: String,
    #[field(3, yaml = "mountPath")]
    pub mount_path: String,
    #[field(4)]
    pub readonly: bool,
}

/// Part of other specs of this package.
#[derive(Clone, Debug, Default, PartialEq, Message)]
pub struct Resources {
    #[field(1)]
    pub requests: BTreeMap<String, String>,
    #[field(2)]
    pub limits: BTreeMap<String, String>,
}

/// Part of other specs of this package.
#[derive(Clone, Debug, Default, PartialEq, Message)]
pub struct SingleManifest {
    #[field(1, inline)]
    pub object: Object,
}
