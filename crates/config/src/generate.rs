//! Generation of the configurations of a new cluster.
//!
//! [`generate`] makes a configuration from the secrets of a cluster and some options, in the form of
//! any release of the contract since 1.3: what later stands in documents of its own stood in the
//! v1alpha1 document before. With the same input the bytes are the same.

mod contract;
mod documents;
mod endpoint;
mod legacy;
mod policy;
mod render;

pub use contract::{Contract, ContractError};
pub use endpoint::{EndpointError, parse_endpoint};
pub use render::{Comments, render};

use std::collections::BTreeMap;

use crate::scalar::Url;
use crate::v1alpha1::Disk;
use crate::view::MachineType;
use crate::{Config, defaults};

/// A certificate and its key, or one of them, as PEM text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pair<'a> {
    /// The certificate.
    pub crt: &'a str,
    /// The key.
    pub key: &'a str,
}

/// The secrets of a cluster.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Secrets<'a> {
    /// The identity of the cluster in discovery.
    pub cluster_id: &'a str,
    /// The key of the discovery data, base64.
    pub cluster_secret: &'a str,
    /// The token with which a node joins Kubernetes.
    pub bootstrap_token: &'a str,
    /// The secretbox key of encryption in etcd, base64; empty when there is none.
    pub secretbox_encryption_secret: &'a str,
    /// The AES-CBC key of encryption in etcd, base64; empty when there is none.
    pub aescbc_encryption_secret: &'a str,
    /// The token with which a machine asks trustd for its certificates.
    pub trustd_token: &'a str,
    /// The authority of etcd.
    pub etcd: Pair<'a>,
    /// The authority of Kubernetes.
    pub kubernetes: Pair<'a>,
    /// The authority of aggregated API servers.
    pub aggregator: Pair<'a>,
    /// The key that signs service account tokens.
    pub service_account_key: &'a str,
    /// The authority of the node API.
    pub os: Pair<'a>,
}

impl std::fmt::Debug for Secrets<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Secrets").finish_non_exhaustive()
    }
}

/// What a configuration is generated for.
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    /// The release whose form is written.
    pub contract: Contract,
    /// The name of the cluster.
    pub cluster_name: String,
    /// Where the Kubernetes API is reached.
    pub endpoint: Url,
    /// The Kubernetes version, without a leading `v`.
    pub kubernetes_version: String,
    /// The disk on which the system is installed; empty for none (from 1.14 on).
    pub install_disk: String,
    /// The installer image.
    pub install_image: String,
    /// Further names and addresses for the certificates of API server and node API.
    pub additional_sans: Vec<String>,
    /// The domain of cluster names.
    pub dns_domain: String,
    /// Mirrors by registry host.
    pub registry_mirrors: BTreeMap<String, Vec<String>>,
    /// The authority, as PEM, of registries by host.
    pub registry_cas: BTreeMap<String, String>,
    /// Registries whose certificate is not checked.
    pub insecure_registries: Vec<String>,
    /// Whether members find each other through the discovery service.
    pub discovery: bool,
    /// Whether the encrypted mesh is on.
    pub kube_span: bool,
    /// Leaves etcd and Kubernetes out.
    pub skip_kubernetes: bool,
    /// The port of the API server on control planes, when not the usual one.
    pub local_api_server_port: Option<u16>,
    /// The port of the local load balancer of API servers; zero turns it off.
    pub kube_prism_port: u16,
    /// Kernel parameters.
    pub sysctls: BTreeMap<String, String>,
    /// The manifest of a custom pod network, instead of flannel.
    pub custom_cni_url: Option<String>,
    /// Further disks (before 1.14).
    pub user_disks: Vec<Disk>,
    /// Lets pods run on control planes.
    pub allow_scheduling_on_control_planes: bool,
    /// Words added to the kernel command line (before 1.14).
    pub extra_kernel_args: Vec<String>,
    /// Whether the cluster's name server asks the local one, when not as usual for the release.
    pub forward_kube_dns_to_host: Option<bool>,
    /// Leaves the document about the installation out.
    pub skip_unattended_install: bool,
    /// The subnets of pods.
    pub pod_subnets: Vec<String>,
    /// The subnets of services.
    pub service_subnets: Vec<String>,
}

impl Options {
    /// The options of a run without flags.
    #[must_use]
    pub fn new(cluster_name: impl Into<String>, endpoint: Url) -> Self {
        Self {
            contract: Contract::CURRENT,
            cluster_name: cluster_name.into(),
            endpoint,
            kubernetes_version: defaults::KUBERNETES_VERSION.to_owned(),
            install_disk: "/dev/sda".to_owned(),
            install_image: install_image(Contract::CURRENT, defaults::RELEASE),
            additional_sans: Vec::new(),
            dns_domain: defaults::DNS_DOMAIN.to_owned(),
            registry_mirrors: BTreeMap::new(),
            registry_cas: BTreeMap::new(),
            insecure_registries: Vec::new(),
            discovery: true,
            kube_span: false,
            skip_kubernetes: false,
            local_api_server_port: None,
            kube_prism_port: defaults::KUBE_PRISM_PORT,
            sysctls: BTreeMap::new(),
            custom_cni_url: None,
            user_disks: Vec::new(),
            allow_scheduling_on_control_planes: false,
            extra_kernel_args: Vec::new(),
            forward_kube_dns_to_host: None,
            skip_unattended_install: false,
            pod_subnets: vec![defaults::POD_SUBNET.to_owned()],
            service_subnets: vec![defaults::SERVICE_SUBNET.to_owned()],
        }
    }

    fn forwards_kube_dns(&self) -> bool {
        self.forward_kube_dns_to_host.unwrap_or_else(|| self.contract.at_least(1, 8))
    }
}

/// The installer image that a release names by default.
#[must_use]
pub fn install_image(contract: Contract, tag: &str) -> String {
    if contract.at_least(1, 14) {
        // The schematic without extensions.
        let schematic = "376567988ad370138ad8b2698212367b8edcb69b5fd68c80be1f2ec7d603b4ba";
        format!("factory.talos.dev/metal-installer/{schematic}:{tag}")
    } else {
        format!("ghcr.io/siderolabs/installer:{tag}")
    }
}

/// Generates the configuration of a machine.
#[must_use]
pub fn generate(options: &Options, secrets: &Secrets<'_>, machine: MachineType) -> Config {
    let legacy = legacy::v1alpha1(options, secrets, machine);
    let documents = documents::documents(options, secrets, machine);
    Config::new(Some(legacy), documents)
}
