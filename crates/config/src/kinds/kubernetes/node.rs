//! The Kubernetes node of this machine.

use config_derive::Section;

use crate::Map;
use crate::v1alpha1::NodeIp;

/// How this machine appears as a Kubernetes node.
#[derive(Clone, Debug, Default, PartialEq, Section)]
#[document(kind = "KubeNodeConfig", group = "kubernetes", since = "1.14")]
pub struct KubeNodeConfig {
    /// Runs the kubelet without registering a node.
    #[field(default = "false")]
    pub skip_node_registration: Option<bool>,
    /// Registers the node by its fully qualified name.
    #[field(name = "registerWithFQDN", default = "false")]
    pub register_with_fqdn: Option<bool>,
    /// Which addresses of the machine may become the node's address.
    #[field(name = "nodeIP", keep)]
    pub node_ip: NodeIp,
    /// Labels of the node.
    pub labels: Map<String>,
    /// Annotations of the node.
    pub annotations: Map<String>,
    /// Taints of the node, as `value:Effect` or `Effect`.
    pub taints: Map<String>,
}
