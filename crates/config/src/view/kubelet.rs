//! The kubelet and the Kubernetes node of this machine.

use std::collections::BTreeMap;

use yaml::Value;

use super::{View, set};
use crate::defaults;
use crate::kinds::kubernetes::{KubeCredentialProviderConfig, KubeNodeConfig, KubeletConfig};
use crate::v1alpha1::ExtraMount;

/// The kubelet.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Kubelet {
    /// The image.
    pub image: String,
    /// The addresses that pods ask for names; empty means those derived from the service subnets.
    pub cluster_dns: Vec<String>,
    /// Further command-line arguments by name; a list repeats an argument.
    pub extra_args: BTreeMap<String, Vec<String>>,
    /// Changes to the configuration file, when given.
    pub extra_config: Option<Value>,
    /// Further mounts in the container.
    pub extra_mounts: Vec<ExtraMount>,
    /// Programs that give credentials for image registries, when given.
    pub credential_providers: Option<Value>,
    /// Whether pods without a profile run under the runtime's default seccomp profile.
    pub default_seccomp: bool,
    /// Whether `/etc/kubernetes/manifests` is ignored for the user's own pods.
    pub disable_manifests_directory: bool,
}

/// The Kubernetes node.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Node {
    /// Whether the kubelet runs without registering a node.
    pub skip_registration: bool,
    /// Whether the node registers by its fully qualified name.
    pub register_with_fqdn: bool,
    /// Subnets to choose the node's addresses from; a leading `!` excludes one.
    pub valid_subnets: Vec<String>,
    /// Labels.
    pub labels: BTreeMap<String, String>,
    /// Annotations.
    pub annotations: BTreeMap<String, String>,
    /// Taints, as `value:Effect` or `Effect`.
    pub taints: BTreeMap<String, String>,
}

/// The label of control planes.
const CONTROL_PLANE: &str = "node-role.kubernetes.io/control-plane";

impl View<'_> {
    /// The kubelet of this machine.
    #[must_use]
    pub fn kubelet(&self) -> Kubelet {
        let image = |text: &str| {
            set(text).map_or_else(
                || format!("{}:v{}", defaults::KUBELET_IMAGE, defaults::KUBERNETES_VERSION),
                str::to_owned,
            )
        };
        let args = |args: &crate::scalar::Args| {
            args.iter().map(|(name, value)| (name.clone(), value.values().to_vec())).collect()
        };
        let legacy = self.legacy_machine().and_then(|machine| machine.kubelet.as_ref());
        let providers = match self.config.document::<KubeCredentialProviderConfig>() {
            Some(document) => document.configuration.value().cloned(),
            None => legacy.and_then(|legacy| legacy.credential_provider_config.value().cloned()),
        };
        if let Some(document) = self.config.document::<KubeletConfig>() {
            return Kubelet {
                image: image(&document.image),
                cluster_dns: document.cluster_dns.to_vec(),
                extra_args: args(&document.extra_args),
                extra_config: document.config.value().cloned(),
                extra_mounts: Vec::new(),
                credential_providers: providers,
                default_seccomp: document.default_runtime_seccomp_profile_enabled.unwrap_or(false),
                disable_manifests_directory: true,
            };
        }
        let Some(legacy) = legacy else {
            let credential_providers = providers;
            return Kubelet { image: image(""), credential_providers, ..Kubelet::default() };
        };
        Kubelet {
            image: image(&legacy.image),
            cluster_dns: legacy.cluster_dns.to_vec(),
            extra_args: args(&legacy.extra_args),
            extra_config: legacy.extra_config.value().cloned(),
            extra_mounts: legacy.extra_mounts.to_vec(),
            credential_providers: providers,
            default_seccomp: legacy.default_runtime_seccomp_profile_enabled.unwrap_or(false),
            disable_manifests_directory: legacy.disable_manifests_directory.unwrap_or(false),
        }
    }

    /// The Kubernetes node of this machine. In old fields a control plane has its label, and its
    /// taint unless pods may run there, without being told.
    #[must_use]
    pub fn node(&self) -> Node {
        if let Some(document) = self.config.document::<KubeNodeConfig>() {
            return Node {
                skip_registration: document.skip_node_registration.unwrap_or(false),
                register_with_fqdn: document.register_with_fqdn.unwrap_or(false),
                valid_subnets: document.node_ip.valid_subnets.to_vec(),
                labels: (*document.labels).clone(),
                annotations: (*document.annotations).clone(),
                taints: (*document.taints).clone(),
            };
        }
        let machine = self.legacy_machine();
        let kubelet = machine.and_then(|machine| machine.kubelet.as_ref());
        let mut node = Node {
            skip_registration: kubelet.and_then(|k| k.skip_node_registration).unwrap_or(false),
            register_with_fqdn: kubelet.and_then(|k| k.register_with_fqdn).unwrap_or(false),
            valid_subnets: kubelet
                .and_then(|k| k.node_ip.as_ref())
                .map(|ip| ip.valid_subnets.to_vec())
                .unwrap_or_default(),
            labels: machine.map(|m| (*m.node_labels).clone()).unwrap_or_default(),
            annotations: machine.map(|m| (*m.node_annotations).clone()).unwrap_or_default(),
            taints: machine.map(|m| (*m.node_taints).clone()).unwrap_or_default(),
        };
        if self.is_control_plane() {
            node.labels.entry(CONTROL_PLANE.to_owned()).or_default();
            if !self.schedule_on_control_planes() {
                node.taints.insert(CONTROL_PLANE.to_owned(), "NoSchedule".to_owned());
            }
        }
        node
    }

    /// Whether pods may run on control planes.
    #[must_use]
    pub fn schedule_on_control_planes(&self) -> bool {
        if let Some(document) = self.config.document::<KubeNodeConfig>() {
            return !document.taints.contains_key(CONTROL_PLANE);
        }
        let Some(cluster) = self.legacy_cluster() else { return false };
        let new = cluster.allow_scheduling_on_control_planes;
        new.or(cluster.allow_scheduling_on_masters).unwrap_or(false)
    }
}
