//! The registries themselves as resources: namespaces and resource definitions.

use crate::enums::Sensitivity;
use crate::{Definition, Message, Spec};

/// A namespace.
#[derive(Clone, Debug, Default, PartialEq, Spec)]
#[spec(type = "Namespaces.meta.cosi.dev", namespace = "meta", aliases = ["ns"])]
pub struct NamespaceSpec {
    /// What lives in it.
    #[field(1)]
    pub description: String,
}

/// A resource type.
#[derive(Clone, Debug, Default, PartialEq, Spec)]
#[spec(
    type = "ResourceDefinitions.meta.cosi.dev",
    namespace = "meta",
    aliases = ["api-resources"],
    columns = [("Aliases", "{.aliases[:]}")],
)]
pub struct ResourceDefinitionSpec {
    /// The type.
    #[field(1, yaml = "type")]
    pub resource_type: String,
    /// The name of one such resource.
    #[field(2, yaml = "displayType")]
    pub display_type: String,
    /// The namespace looked in when none is named.
    #[field(3, yaml = "defaultNamespace")]
    pub default_namespace: String,
    /// Short names.
    #[field(4)]
    pub aliases: Vec<String>,
    /// Every name a person may type.
    #[field(5, yaml = "allAliases")]
    pub all_aliases: Vec<String>,
    /// Extra columns of `get`.
    #[field(6, yaml = "printColumns")]
    pub print_columns: Vec<PrintColumn>,
    /// Who may read it.
    #[field(7, omit)]
    pub sensitivity: Sensitivity,
}

/// A column of `get`.
#[derive(Clone, Debug, Default, PartialEq, Message)]
pub struct PrintColumn {
    /// The heading.
    #[field(1)]
    pub name: String,
    /// Where the value is.
    #[field(2, yaml = "jsonPath")]
    pub json_path: String,
}

impl From<&Definition> for ResourceDefinitionSpec {
    fn from(definition: &Definition) -> Self {
        let column = |column: &crate::Column| PrintColumn {
            name: column.name.to_owned(),
            json_path: column.path.to_owned(),
        };
        Self {
            resource_type: definition.type_name.to_owned(),
            display_type: definition.display_type(),
            default_namespace: definition.namespace.to_owned(),
            aliases: definition.aliases(),
            all_aliases: definition.all_aliases(),
            print_columns: definition.columns.iter().map(column).collect(),
            sensitivity: if definition.sensitive {
                Sensitivity::SENSITIVE
            } else {
                Sensitivity::NON_SENSITIVE
            },
        }
    }
}

/// The namespaces of the contract, with what lives in each.
pub const NAMESPACES: &[(&str, &str)] = &[
    ("meta", "Namespaces and resource definitions."),
    ("runtime", "The running machine: services, volumes, kernel, time."),
    ("cluster", "Members of the cluster."),
    ("cluster-raw", "Members as each source reports them, before merging."),
    ("config", "The machine configuration and what follows from it."),
    ("etcd", "etcd."),
    ("files", "Files below /etc."),
    ("hardware", "Hardware inventory."),
    ("k8s", "Kubernetes, on every node."),
    ("controlplane", "Kubernetes, on control plane nodes."),
    ("kubespan", "The WireGuard mesh."),
    ("network", "The network as it shall be and as it is."),
    ("network-config", "Network settings by layer, before merging."),
    ("cri", "The container runtime."),
    ("containers", "Long-lived containers of the machine configuration."),
    ("secrets", "Keys and certificates."),
    ("security", "Image verification."),
    ("perf", "Counters of load."),
    ("storage", "LVM and software RAID."),
];
