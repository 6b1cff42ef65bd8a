//! The API server: itself, admission, audit, authentication, authorization, encryption.

use config_derive::Section;

use crate::scalar::Args;
use crate::v1alpha1::Resources;
use crate::{Free, List, Map};

/// The Kubernetes API server of this control plane.
#[derive(Clone, Debug, Default, PartialEq, Section)]
#[document(
    kind = "KubeAPIServerConfig",
    group = "kubernetes",
    since = "1.14",
    effect = "the API server of this machine restarts",
    control_plane
)]
pub struct KubeApiServerConfig {
    /// The image.
    #[field(keep, required)]
    pub image: String,
    /// Further command-line arguments; a list repeats an argument.
    pub extra_args: Args,
    /// Environment variables.
    pub env: Map<String>,
    /// Processor and memory of the pod.
    pub resources: Option<Resources>,
    /// The port on this machine.
    #[field(default = "6443")]
    pub api_port: i64,
    /// Further names and addresses for the certificate.
    #[field(name = "certExtraSANs")]
    pub cert_extra_sans: List<String>,
    /// Gives the pod a startup probe.
    #[field(default = "true")]
    pub startup_probes: Option<bool>,
}

/// The configuration of one admission plugin.
#[derive(Clone, Debug, Default, PartialEq, Section)]
#[document(
    kind = "KubeAdmissionControlConfig",
    group = "kubernetes",
    since = "1.14",
    effect = "the API server of this machine restarts",
    named,
    control_plane
)]
pub struct KubeAdmissionControlConfig {
    /// The plugin.
    #[field(keep, required)]
    pub name: String,
    /// The plugin's configuration, with its own `apiVersion` and `kind`.
    pub configuration: Free,
}

/// What the API server writes to its audit log.
#[derive(Clone, Debug, Default, PartialEq, Section)]
#[document(
    kind = "KubeAuditPolicyConfig",
    group = "kubernetes",
    since = "1.14",
    effect = "the API server of this machine restarts",
    control_plane
)]
pub struct KubeAuditPolicyConfig {
    /// The audit policy.
    #[field(replace)]
    pub configuration: Free,
}

/// How the API server finds out who asks.
#[derive(Clone, Debug, Default, PartialEq, Section)]
#[document(
    kind = "KubeAuthenticationConfig",
    group = "kubernetes",
    since = "1.14",
    effect = "the API server of this machine restarts",
    control_plane
)]
pub struct KubeAuthenticationConfig {
    /// The authentication configuration.
    #[field(replace)]
    pub configuration: Free,
}

/// One authorizer of the API server; they are asked in the order of the documents.
#[derive(Clone, Debug, Default, PartialEq, Section)]
#[document(
    kind = "KubeAuthorizerConfig",
    group = "kubernetes",
    since = "1.14",
    effect = "the API server of this machine restarts",
    named,
    control_plane
)]
pub struct KubeAuthorizerConfig {
    /// A name for the authorizer.
    #[field(keep, required)]
    pub name: String,
    /// What it is.
    #[field(name = "type", keep, required, values = "Node, RBAC, Webhook")]
    pub kind: String,
    /// How a webhook is called.
    pub webhook: Free,
}

/// Encryption of what Kubernetes keeps in etcd.
#[derive(Clone, Debug, Default, PartialEq, Section)]
#[document(
    kind = "KubeEtcdEncryptionConfig",
    group = "kubernetes",
    since = "1.14",
    effect = "the API server of this machine restarts",
    control_plane
)]
pub struct KubeEtcdEncryptionConfig {
    /// The encryption configuration, without `apiVersion` and `kind`.
    #[field(required, secret)]
    pub config: Free,
}
