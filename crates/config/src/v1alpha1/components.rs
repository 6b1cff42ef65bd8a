//! The components of the control plane within `cluster:`.

use config_derive::Section;

use crate::list::Keyed;
use crate::scalar::{Args, Identity};
use crate::{Free, List, Map};

/// The API server.
#[derive(Clone, Debug, Default, PartialEq, Section)]
pub struct ApiServer {
    /// The image.
    pub image: String,
    /// Further command-line arguments.
    pub extra_args: Args,
    /// Further mounts from the machine.
    pub extra_volumes: List<ExtraVolume>,
    /// Environment variables.
    pub env: Map<String>,
    /// Further names and addresses for the certificate.
    #[field(name = "certSANs")]
    pub cert_sans: List<String>,
    /// Has no effect any more.
    #[field(ignored)]
    pub disable_pod_security_policy: Option<bool>,
    /// Configuration of admission plugins.
    #[field(keyed, instead = "KubeAdmissionControlConfig")]
    pub admission_control: List<AdmissionPlugin>,
    /// What is written to the audit log.
    #[field(replace, instead = "KubeAuditPolicyConfig")]
    pub audit_policy: Free,
    /// Processor and memory of the pod.
    pub resources: Option<Resources>,
    /// Authorizers asked beside Node and RBAC.
    #[field(instead = "KubeAuthorizerConfig")]
    pub authorization_config: List<Authorizer>,
}

/// Configuration of an admission plugin.
#[derive(Clone, Debug, Default, PartialEq, Section)]
pub struct AdmissionPlugin {
    /// The plugin.
    #[field(keep, required)]
    pub name: String,
    /// Its configuration.
    #[field(keep)]
    pub configuration: Option<Free>,
}

impl Keyed for AdmissionPlugin {
    fn same_key(&self, patch: &Self) -> bool {
        self.name == patch.name
    }
}

/// An authorizer.
#[derive(Clone, Debug, Default, PartialEq, Section)]
pub struct Authorizer {
    /// What it is.
    #[field(name = "type", required, values = "Node, RBAC, Webhook")]
    pub kind: String,
    /// A name for it.
    #[field(required)]
    pub name: String,
    /// How the webhook is called.
    pub webhook: Free,
}

/// A further mount from the machine.
#[derive(Clone, Debug, Default, PartialEq, Section)]
pub struct ExtraVolume {
    /// The path on the machine.
    #[field(keep)]
    pub host_path: String,
    /// The path in the container.
    #[field(keep)]
    pub mount_path: String,
    /// Refuses writes.
    pub readonly: bool,
}

/// Processor and memory of a pod; only `cpu` and `memory` are accepted.
#[derive(Clone, Debug, Default, PartialEq, Section)]
pub struct Resources {
    /// What is reserved.
    pub requests: Free,
    /// What is the most.
    pub limits: Free,
}

/// The controller manager.
#[derive(Clone, Debug, Default, PartialEq, Section)]
pub struct ControllerManager {
    /// The image.
    pub image: String,
    /// Further command-line arguments.
    pub extra_args: Args,
    /// Further mounts from the machine.
    pub extra_volumes: List<ExtraVolume>,
    /// Environment variables.
    pub env: Map<String>,
    /// Processor and memory of the pod.
    pub resources: Option<Resources>,
}

/// The scheduler.
#[derive(Clone, Debug, Default, PartialEq, Section)]
pub struct Scheduler {
    /// The image.
    pub image: String,
    /// Further command-line arguments.
    pub extra_args: Args,
    /// Further mounts from the machine.
    pub extra_volumes: List<ExtraVolume>,
    /// Environment variables.
    pub env: Map<String>,
    /// Processor and memory of the pod.
    pub resources: Option<Resources>,
    /// The scheduler's configuration.
    pub config: Free,
}

/// The service proxy.
#[derive(Clone, Debug, Default, PartialEq, Section)]
pub struct Proxy {
    /// Leaves the proxy out.
    #[field(default = "false")]
    pub disabled: Option<bool>,
    /// The image.
    pub image: String,
    /// How services are implemented.
    #[field(default = "iptables")]
    pub mode: String,
    /// Further command-line arguments.
    pub extra_args: Args,
}

/// The database of Kubernetes.
#[derive(Clone, Debug, Default, PartialEq, Section)]
pub struct Etcd {
    /// The image.
    pub image: String,
    /// The authority of etcd.
    #[field(keep, required)]
    pub ca: Option<Identity>,
    /// Further command-line arguments.
    pub extra_args: Args,
    /// A single subnet; `advertisedSubnets` takes several.
    #[field(instead = "advertisedSubnets")]
    pub subnet: String,
    /// Subnets of the addresses that members announce; a leading `!` excludes one.
    pub advertised_subnets: List<String>,
    /// Subnets of the addresses on which etcd listens.
    pub listen_subnets: List<String>,
}

/// The name server of the cluster.
#[derive(Clone, Debug, Default, PartialEq, Section)]
pub struct CoreDns {
    /// Leaves the name server out.
    #[field(default = "false")]
    pub disabled: Option<bool>,
    /// The image.
    pub image: String,
}
