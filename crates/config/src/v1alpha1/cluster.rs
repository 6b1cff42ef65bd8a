//! `cluster:`, the settings that all machines of a cluster share.

use config_derive::Section;

use super::{ApiServer, ControllerManager, CoreDns, Etcd, Proxy, Scheduler};
use crate::scalar::{Certificate, Duration, Identity, Key, Url};
use crate::{List, Map};

/// The settings that all machines of a cluster share.
#[derive(Clone, Debug, Default, PartialEq, Section)]
pub struct Cluster {
    /// The identity of the cluster in the discovery service.
    #[field(instead = "DiscoveryIdentityConfig")]
    pub id: String,
    /// The key with which discovery data is encrypted: base64 of 32 bytes.
    #[field(secret, instead = "DiscoveryIdentityConfig")]
    pub secret: String,
    /// Where the Kubernetes API is reached.
    #[field(instead = "KubeClusterConfig")]
    pub control_plane: Option<ControlPlane>,
    /// The name of the cluster.
    #[field(instead = "KubeClusterConfig")]
    pub cluster_name: String,
    /// The networks of the cluster.
    #[field(instead = "KubeNetworkConfig")]
    pub network: Option<ClusterNetwork>,
    /// The token with which a node joins Kubernetes.
    #[field(secret)]
    pub token: String,
    /// The AES-CBC key with which secrets are encrypted in etcd.
    #[field(
        name = "aescbcEncryptionSecret",
        secret,
        instead = "KubeEtcdEncryptionConfig",
        effect = "the API server of this machine restarts"
    )]
    pub aescbc_encryption_secret: String,
    /// The secretbox key with which secrets are encrypted in etcd.
    #[field(
        secret,
        instead = "KubeEtcdEncryptionConfig",
        effect = "the API server of this machine restarts"
    )]
    pub secretbox_encryption_secret: String,
    /// The authority of Kubernetes; the key stays on control planes.
    #[field(instead = "KubeAPIServerCAConfig")]
    pub ca: Option<Identity>,
    /// Further authorities that Kubernetes accepts, for rotation.
    #[field(name = "acceptedCAs", instead = "KubeAPIServerCAConfig")]
    pub accepted_cas: List<Certificate>,
    /// The authority of aggregated API servers.
    #[field(name = "aggregatorCA", instead = "KubeAggregatorCAConfig")]
    pub aggregator_ca: Option<Identity>,
    /// The key that signs service account tokens.
    #[field(instead = "KubeServiceAccountConfig")]
    pub service_account: Option<Key>,
    /// The API server.
    #[field(instead = "KubeAPIServerConfig", effect = "the API server of this machine restarts")]
    pub api_server: Option<ApiServer>,
    /// The controller manager.
    #[field(
        instead = "KubeControllerManagerConfig",
        effect = "the component restarts on this machine"
    )]
    pub controller_manager: Option<ControllerManager>,
    /// The service proxy.
    #[field(instead = "KubeProxyConfig", effect = "Kubernetes rolls the pods out anew")]
    pub proxy: Option<Proxy>,
    /// The scheduler.
    #[field(instead = "KubeSchedulerConfig", effect = "the component restarts on this machine")]
    pub scheduler: Option<Scheduler>,
    /// How members find each other.
    #[field(instead = "DiscoveryServiceConfig")]
    pub discovery: Option<Discovery>,
    /// The database of Kubernetes.
    #[field(effect = "etcd restarts on this machine")]
    pub etcd: Option<Etcd>,
    /// The name server of the cluster.
    #[field(
        name = "coreDNS",
        instead = "KubeCoreDNSConfig",
        effect = "Kubernetes rolls the pods out anew"
    )]
    pub core_dns: Option<CoreDns>,
    /// The cloud provider that runs outside the tree.
    pub external_cloud_provider: Option<ExternalCloudProvider>,
    /// Manifests applied when the cluster starts, by URL.
    #[field(instead = "KubeExternalManifestConfig")]
    pub extra_manifests: List<String>,
    /// HTTP headers sent when manifests are fetched.
    #[field(secret, instead = "KubeExternalManifestConfig")]
    pub extra_manifest_headers: Map<String>,
    /// Manifests applied when the cluster starts.
    #[field(instead = "KubeInlineManifestConfig")]
    pub inline_manifests: List<InlineManifest>,
    /// The kubeconfig for administrators.
    pub admin_kubeconfig: Option<AdminKubeconfig>,
    /// Lets pods run on control planes, in its old spelling.
    #[field(instead = "KubeNodeConfig", default = "false")]
    pub allow_scheduling_on_masters: Option<bool>,
    /// Lets pods run on control planes.
    #[field(instead = "KubeNodeConfig", default = "false")]
    pub allow_scheduling_on_control_planes: Option<bool>,
}

/// Where the Kubernetes API is reached.
#[derive(Clone, Debug, Default, PartialEq, Section)]
pub struct ControlPlane {
    /// The URL of the Kubernetes API.
    #[field(keep, instead = "KubeClusterConfig")]
    pub endpoint: Option<Url>,
    /// The port of the API server on this machine.
    #[field(name = "localAPIServerPort", default = "6443", instead = "KubeAPIServerConfig")]
    pub local_api_server_port: i64,
}

/// The networks of the cluster.
#[derive(Clone, Debug, Default, PartialEq, Section)]
pub struct ClusterNetwork {
    /// The network of pods.
    #[field(instead = "KubeFlannelCNIConfig, KubeExternalManifestConfig")]
    pub cni: Option<Cni>,
    /// The domain of cluster names.
    #[field(keep, default = "cluster.local")]
    pub dns_domain: String,
    /// The subnets of pods.
    #[field(keep, replace, default = "10.244.0.0/16")]
    pub pod_subnets: List<String>,
    /// The subnets of services.
    #[field(keep, replace, default = "10.96.0.0/12")]
    pub service_subnets: List<String>,
}

/// The network of pods.
#[derive(Clone, Debug, Default, PartialEq, Section)]
pub struct Cni {
    /// Which implementation runs.
    #[field(default = "flannel", values = "flannel, custom, none")]
    pub name: String,
    /// The manifests of a custom implementation.
    pub urls: List<String>,
    /// Settings of flannel.
    pub flannel: Option<Flannel>,
}

/// Settings of flannel.
#[derive(Clone, Debug, Default, PartialEq, Section)]
pub struct Flannel {
    /// Further command-line arguments.
    pub extra_args: List<String>,
    /// Runs the network policy controller beside flannel.
    #[field(default = "false")]
    pub kube_network_policies_enabled: Option<bool>,
}

/// How members find each other.
#[derive(Clone, Debug, Default, PartialEq, Section)]
pub struct Discovery {
    /// Turns discovery on.
    #[field(default = "false")]
    pub enabled: Option<bool>,
    /// The registries.
    #[field(keep)]
    pub registries: DiscoveryRegistries,
}

/// The registries of members.
#[derive(Clone, Debug, Default, PartialEq, Section)]
pub struct DiscoveryRegistries {
    /// Members found through the Kubernetes API.
    #[field(keep)]
    pub kubernetes: KubernetesRegistry,
    /// Members found through the discovery service.
    #[field(keep)]
    pub service: ServiceRegistry,
}

/// Members found through the Kubernetes API.
#[derive(Clone, Debug, Default, PartialEq, Section)]
pub struct KubernetesRegistry {
    /// Turns this registry off.
    #[field(default = "false")]
    pub disabled: Option<bool>,
}

/// Members found through the discovery service.
#[derive(Clone, Debug, Default, PartialEq, Section)]
pub struct ServiceRegistry {
    /// Turns this registry off.
    #[field(default = "false")]
    pub disabled: Option<bool>,
    /// The URL of the service.
    #[field(default = "https://discovery.talos.dev/")]
    pub endpoint: String,
}

/// The cloud provider that runs outside the tree.
#[derive(Clone, Debug, Default, PartialEq, Section)]
pub struct ExternalCloudProvider {
    /// Starts the components in the mode that such a provider needs.
    #[field(default = "false")]
    pub enabled: Option<bool>,
    /// Manifests of the provider, by URL.
    pub manifests: List<String>,
}

/// A manifest applied when the cluster starts.
#[derive(Clone, Debug, Default, PartialEq, Section)]
pub struct InlineManifest {
    /// A name for messages.
    #[field(keep, required)]
    pub name: String,
    /// The objects, as a stream of YAML documents.
    #[field(keep)]
    pub contents: ManifestText,
}

/// The kubeconfig for administrators.
#[derive(Clone, Debug, Default, PartialEq, Section)]
pub struct AdminKubeconfig {
    /// How long its certificate is valid.
    #[field(default = "8760h")]
    pub cert_lifetime: Duration,
}

/// The text of a manifest; line breaks and tabs before it are dropped when it is read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ManifestText(pub String);

impl crate::field::Field for ManifestText {
    fn decode(
        &mut self,
        node: &yaml::Node,
        cx: &mut crate::decode::Decoder,
    ) -> Option<yaml::Value> {
        let mut text = String::new();
        let unknown = crate::field::Field::decode(&mut text, node, cx);
        text.trim_start_matches(['\t', '\n', '\x0b', '\x0c', '\r']).clone_into(&mut self.0);
        unknown
    }

    fn encode(&self) -> yaml::Value {
        yaml::Value::String(self.0.clone())
    }

    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn shape() -> crate::field::Shape {
        crate::field::Shape::Text
    }
}
