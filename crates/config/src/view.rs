//! What a node asks of its configuration, whichever document says it.
//!
//! Nearly every setting can stand in a document of its own or in a field of the v1alpha1 document
//! that came before it. A [`View`] answers with the precedence of the contract: the document wins,
//! except for discovery, where the old fields win when they say anything; maps are united by key.
//! Defaults are filled in, so that a caller need not know them.

mod cluster;
mod control_plane;
mod host;
mod kubelet;
mod machine;
mod registry;

pub use cluster::{CertificateAuthority, Cni, Discovery, FetchedManifest, ServiceAccount};
pub use control_plane::{
    AdmissionPlugin, ApiServer, Authorizer, Component, Etcd, Flannel, Manifest, Proxy, Scheduler,
};
pub use host::{HostDns, Hostname, KubeSpan, Nameserver, TimeSync};
pub use kubelet::{Kubelet, Node};
pub use machine::{ApiAccess, Install, LogDestination, MachineType, PemPair};
pub(crate) use registry::CRI_CUSTOMIZATION;
pub use registry::{RegistryAuth, RegistryMirror, RegistryTls};

use crate::Config;
use crate::v1alpha1::{Cluster, Machine, V1Alpha1};

/// The answers of a configuration.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    pub(crate) config: &'a Config,
}

impl Config {
    /// The answers of this configuration.
    #[must_use]
    pub fn view(&self) -> View<'_> {
        View { config: self }
    }
}

impl<'a> View<'a> {
    fn legacy(&self) -> Option<&'a V1Alpha1> {
        self.config.v1alpha1()
    }

    fn legacy_machine(&self) -> Option<&'a Machine> {
        self.legacy()?.machine.as_ref()
    }

    fn legacy_cluster(&self) -> Option<&'a Cluster> {
        self.legacy()?.cluster.as_ref()
    }
}

/// Text that is set.
fn set(text: &str) -> Option<&str> {
    (!text.is_empty()).then_some(text)
}
