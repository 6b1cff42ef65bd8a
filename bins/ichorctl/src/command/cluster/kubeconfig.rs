//! The kubeconfig of a local cluster: the node's own, with an address that works on this host.

use std::net::SocketAddr;
use std::path::Path;

use client::Node;

use crate::command::kubeconfig;
use crate::files;

/// Asks a control plane and points the answer to `server`.
pub(super) async fn fetch(node: &Node, server: SocketAddr) -> anyhow::Result<String> {
    let text = kubeconfig::fetch(node).await?;
    Ok(yaml::to_string(&kubeconfig::with_server(&text, &format!("https://{server}"))?))
}

/// Adds a cluster's kubeconfig to the user's own.
pub(super) fn merge_into_users(path: &Path) -> anyhow::Result<()> {
    let incoming = kubeconfig::parse(&files::read_text(path)?)?;
    kubeconfig::merge_file(&kubeconfig::default_path()?, &incoming, false)
}
