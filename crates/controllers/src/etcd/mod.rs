//! etcd on control plane nodes: its specification, its certificates, its service, its membership.
//!
//! Start reading at [`Handle`], by which the API bootstraps the cluster, and at `service` for how a member starts.

mod arguments;
mod config;
mod member;
mod pki;
mod service;
mod spec;

use std::sync::Arc;

use ::runtime::controller::{RegisterError, Runtime};
use containers::Containerd;
use etcd::{Client, Credentials, Endpoint};
use resource::secrets::{EtcdCertsSpec, EtcdRootSpec};
use runtime::command::Bootstrap;
use runtime::store::Store;
use tokio::sync::watch;

use crate::Node;
use crate::container::Grants;
use crate::images::Images;

/// Where etcd's data lies.
pub const DATA_DIR: &str = "/var/lib/etcd";
/// Where a snapshot to start from lies.
pub const SNAPSHOT_PATH: &str = "/var/lib/etcd.snapshot";
/// Where etcd's certificates lie.
pub(crate) const PKI_DIR: &str = "/system/secrets/etcd";
/// The user that etcd runs as.
const UID: u32 = 60;

/// A cluster that cannot be started from this node.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum BootstrapError {
    /// The node has no part in the control plane.
    #[error("etcd runs on control plane nodes only; send the request to one of them")]
    NotControlPlane,
    /// There is a member already.
    #[error(
        "etcd has data in {DATA_DIR} already: the cluster was bootstrapped before, which is done once on one node"
    )]
    DataExists,
    /// A recovery was asked for without a snapshot.
    #[error("there is no etcd snapshot at {SNAPSHOT_PATH}; upload one before recovering from it")]
    NoSnapshot,
    /// Another request is under way.
    #[error("the cluster is being bootstrapped already")]
    UnderWay,
}

/// The way to start the first member. Clones are handles to the same node's etcd.
#[derive(Clone)]
pub struct Handle {
    requested: Arc<watch::Sender<Option<Bootstrap>>>,
}

impl Default for Handle {
    fn default() -> Self {
        Self { requested: Arc::new(watch::Sender::new(None)) }
    }
}

impl Handle {
    /// Starts the first member of a new cluster on this node.
    ///
    /// # Errors
    /// [`BootstrapError`] says why this node does not.
    pub fn bootstrap(&self, node: &Node, request: Bootstrap) -> Result<(), BootstrapError> {
        if node.store.get::<EtcdRootSpec>("secrets", "etcd").is_none() {
            return Err(BootstrapError::NotControlPlane);
        }
        if service::has_data(&node.paths) {
            return Err(BootstrapError::DataExists);
        }
        if request.recover && !node.paths.at(SNAPSHOT_PATH).exists() {
            return Err(BootstrapError::NoSnapshot);
        }
        let mut fresh = false;
        self.requested.send_if_modified(|requested| {
            fresh = requested.is_none();
            *requested = Some(request);
            fresh
        });
        if !fresh {
            return Err(BootstrapError::UnderWay);
        }
        node.timeline.mark("etcd", "bootstrap requested");
        Ok(())
    }

    /// Waits for the request.
    async fn requested(&self) -> Bootstrap {
        let mut requested = self.requested.subscribe();
        loop {
            if let Some(request) = *requested.borrow_and_update() {
                return request;
            }
            if requested.changed().await.is_err() {
                // The sender lives in this handle.
                std::future::pending::<()>().await;
            }
        }
    }
}

/// A client of etcd with the node's own admin certificate; none before the certificate exists.
pub fn client(store: &Store, endpoints: &[Endpoint]) -> Option<Client> {
    let root = store.get::<EtcdRootSpec>("secrets", "etcd")?;
    let certificates = store.get::<EtcdCertsSpec>("secrets", "etcd")?;
    let text = |bytes: &resource::types::Base64Bytes| String::from_utf8(bytes.0.clone()).ok();
    let credentials = Credentials {
        authority: &text(&root.spec.etcd_ca.crt)?,
        certificate: &text(&certificates.spec.etcd_admin.crt)?,
        key: &text(&certificates.spec.etcd_admin.key)?,
    };
    match Client::new(endpoints, &credentials) {
        Ok(client) => Some(client),
        Err(error) => {
            tracing::warn!(%error, "etcd cannot be asked");
            None
        }
    }
}

/// Adds the controllers of this domain.
pub(crate) fn register(
    controllers: &mut Runtime,
    node: &Node,
    containerd: &Containerd,
    images: &Images,
    grants: &Grants,
) -> Result<(), RegisterError> {
    controllers.register(config::root(node))?;
    controllers.register(config::controller(node))?;
    controllers.register(spec::controller())?;
    controllers.register(pki::controller(node))?;
    controllers.register(service::controller(
        node,
        containerd.clone(),
        images.clone(),
        grants.clone(),
    ))?;
    controllers.register(member::controller(node))?;
    Ok(())
}
