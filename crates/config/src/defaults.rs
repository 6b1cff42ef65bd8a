//! What the language takes for granted when a configuration does not say it.

/// The release of the contract.
pub const CONTRACT: &str = "1.14";
/// The tag of the installer image that belongs to this release.
pub const RELEASE: &str = "v1.14.0";
/// The Kubernetes version a new configuration names.
pub const KUBERNETES_VERSION: &str = "1.37.2";
/// The oldest and the newest Kubernetes minor version that this release runs.
pub const SUPPORTED_KUBERNETES: std::ops::RangeInclusive<u64> = 32..=37;

/// The repository of the kubelet image.
pub const KUBELET_IMAGE: &str = "ghcr.io/siderolabs/kubelet";
/// The repository of the API server image.
pub const API_SERVER_IMAGE: &str = "registry.k8s.io/kube-apiserver";
/// The repository of the controller manager image.
pub const CONTROLLER_MANAGER_IMAGE: &str = "registry.k8s.io/kube-controller-manager";
/// The repository of the scheduler image.
pub const SCHEDULER_IMAGE: &str = "registry.k8s.io/kube-scheduler";
/// The repository of the proxy image.
pub const PROXY_IMAGE: &str = "registry.k8s.io/kube-proxy";
/// The etcd image.
pub const ETCD_IMAGE: &str = "registry.k8s.io/etcd:3.7.3";
/// The image of the cluster's name server.
pub const CORE_DNS_IMAGE: &str = "registry.k8s.io/coredns/coredns:v1.14.7";
/// The flannel image.
pub const FLANNEL_IMAGE: &str = "ghcr.io/siderolabs/flannel:0.28.10";
/// The image of the pod sandbox.
pub const PAUSE_IMAGE: &str = "registry.k8s.io/pause:3.10.2";
/// The image of the network policy controller.
pub const NETWORK_POLICIES_IMAGE: &str = "registry.k8s.io/networking/kube-network-policies:v1.1.1";

/// The domain of cluster names.
pub const DNS_DOMAIN: &str = "cluster.local";
/// The subnet of pods.
pub const POD_SUBNET: &str = "10.244.0.0/16";
/// The subnet of services.
pub const SERVICE_SUBNET: &str = "10.96.0.0/12";
/// The subnet of pods when the endpoint is an IPv6 address.
pub const POD_SUBNET_V6: &str = "fc00:db8:10::/56";
/// The subnet of services when the endpoint is an IPv6 address.
pub const SERVICE_SUBNET_V6: &str = "fc00:db8:20::/112";
/// The port of an API server.
pub const API_SERVER_PORT: u16 = 6443;
/// The port of the local load balancer of API servers.
pub const KUBE_PRISM_PORT: u16 = 7445;
/// The discovery service.
pub const DISCOVERY_ENDPOINT: &str = "https://discovery.talos.dev/";
/// The time server.
pub const TIME_SERVER: &str = "time.cloudflare.com";
/// The name servers.
pub const NAMESERVERS: [&str; 2] = ["1.1.1.1", "8.8.8.8"];
/// The MTU of the mesh link, and the smallest one accepted.
pub const KUBESPAN_MTU: u32 = 1420;
/// The smallest MTU of the mesh link.
pub const KUBESPAN_MIN_MTU: u32 = 1280;
/// The length of the IPv4 pod subnet of one node.
pub const NODE_CIDR_MASK_V4: u8 = 24;
/// The length of the IPv6 pod subnet of one node.
pub const NODE_CIDR_MASK_V6: u8 = 64;
/// How long the administrator's kubeconfig is valid, in hours.
pub const ADMIN_KUBECONFIG_HOURS: i64 = 8760;
