//! The v1alpha1 document: the one document without a kind, from which all others were split off.

mod cluster;
mod components;
mod device;
mod features;
mod install;
mod kubelet;
mod machine;
mod network;
mod registries;
mod selector;

pub use cluster::*;
pub use components::*;
pub use device::*;
pub use features::*;
pub use install::*;
pub use kubelet::*;
pub use machine::*;
pub use network::*;
pub use registries::*;
pub use selector::*;

use config_derive::Section;

/// The document that says what kind of machine a node is and which cluster it belongs to.
#[derive(Clone, Debug, Default, PartialEq, Section)]
pub struct V1Alpha1 {
    /// Marks the schema of this document.
    #[field(keep, required, values = "v1alpha1")]
    pub version: String,
    /// Writes verbose logs of the system to the console.
    #[field(default = "false")]
    pub debug: Option<bool>,
    /// Has no effect any more; `false` is refused.
    #[field(ignored)]
    pub persist: Option<bool>,
    /// Settings of the machine.
    #[field(keep, required)]
    pub machine: Option<Machine>,
    /// Settings of the cluster.
    #[field(keep, required)]
    pub cluster: Option<Cluster>,
}

/// An example of the document, which parses, validates and round-trips.
pub const EXAMPLE: &str =
    include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/v1alpha1.yaml"));
