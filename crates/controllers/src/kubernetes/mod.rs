//! Kubernetes on this node: from the configuration to a node that is Ready.
//!
//! The order in which to read: `config` (settings to specifications), `render` and `static_pod` (the control plane),
//! `kubelet`, `apply` (the cluster's first objects).

pub mod addresses;
mod api;
mod apply;
mod approver;
mod cni;
pub(crate) mod config;
mod endpoint;
mod kubelet;
mod node;
pub(crate) mod object;
mod prefetch;
mod render;
mod static_pod;

use ::runtime::controller::{RegisterError, Runtime};
use containers::Containerd;

use crate::Node;
use crate::container::Grants;
use crate::images::Images;

/// Adds the controllers of this domain.
pub(crate) fn register(
    controllers: &mut Runtime,
    node: &Node,
    containerd: &Containerd,
    images: &Images,
    grants: &Grants,
) -> Result<(), RegisterError> {
    let clients = api::Clients::default();
    config::register(controllers, node)?;
    let (secrets, configs) = render::controllers(node);
    controllers.register(secrets)?;
    controllers.register(configs)?;
    let (control_plane, files) = static_pod::controllers(node, clients.clone());
    controllers.register(control_plane)?;
    controllers.register(files)?;
    for controller in kubelet::specs(node) {
        controllers.register(controller)?;
    }
    controllers.register(kubelet::service(
        node,
        containerd.clone(),
        images.clone(),
        grants.clone(),
    ))?;
    controllers.register(kubelet::kubeconfig(node))?;
    controllers.register(cni::controller(node))?;
    let pods =
        Images::new(containerd.namespace("k8s.io"), node.services.clone(), node.timeline.clone());
    controllers.register(prefetch::controller(node, pods, images.clone()))?;
    controllers.register(apply::controller(node, clients.clone()))?;
    let (apply, cordon) = node::apply(node, clients.clone());
    controllers.register(apply)?;
    controllers.register(cordon)?;
    for controller in node::status(node, &clients) {
        controllers.register(controller)?;
    }
    controllers.register(endpoint::followed(node, clients.clone()))?;
    controllers.register(endpoint::configured(node))?;
    controllers.register(approver::controller(node, clients.clone()))?;
    Ok(())
}
