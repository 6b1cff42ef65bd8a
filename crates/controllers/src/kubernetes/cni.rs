//! The container runtime's network configuration for flannel: installed at the moment flannel knows its subnet.
//!
//! A worker's configuration does not say which network the cluster has. That flannel runs on the node says it.

use std::path::Path;

use ::runtime::condition::Condition;
use ::runtime::controller::{Context, Controller, ControllerError, Input, Next, Output};
use futures::future::BoxFuture;
use manifests::bootstrap::flannel::{CONFLIST_FILE, SUBNET_FILE, conflist};
use resource::k8s::KubeletLifecycleSpec;

use crate::Node;
use crate::files::{atomic, watch};

/// Whether somebody has installed a network configuration; flannel's own manifests do so themselves.
fn is_configured(directory: &Path) -> bool {
    let names = std::fs::read_dir(directory).into_iter().flatten().flatten();
    names.into_iter().any(|entry| {
        let path = entry.path();
        let extension = path.extension().and_then(|extension| extension.to_str());
        matches!(extension, Some("conf" | "conflist" | "json"))
    })
}

struct Network {
    node: Node,
}

impl Controller for Network {
    fn name(&self) -> &'static str {
        "k8s.FlannelConfigController"
    }

    fn inputs(&self) -> Vec<Input> {
        vec![Input::weak::<KubeletLifecycleSpec>("k8s").with_id("kubelet")]
    }

    fn outputs(&self) -> Vec<Output> {
        Vec::new()
    }

    fn reconcile<'a>(
        &'a mut self,
        context: &'a Context,
    ) -> BoxFuture<'a, Result<Next, ControllerError>> {
        Box::pin(async move {
            if context.get::<KubeletLifecycleSpec>("k8s", "kubelet").is_none() {
                return Ok(Next::OnChange);
            }
            let subnet = self.node.paths.at(SUBNET_FILE);
            if !subnet.exists() {
                context.waiting(&Condition::File { path: SUBNET_FILE.to_owned() });
                let _step = self.node.timeline.wait("network", format!("file {SUBNET_FILE}"));
                // The directory is where flannel will write; watching needs it to exist.
                if let Some(directory) = subnet.parent() {
                    std::fs::create_dir_all(directory)?;
                }
                watch::appears(&subnet).await?;
                context.over();
            }
            let path = self.node.paths.at(CONFLIST_FILE);
            if path.parent().is_some_and(is_configured) {
                return Ok(Next::OnChange);
            }
            if atomic::write(&path, manifests::document(&conflist()).as_bytes(), 0o644)? {
                self.node.timeline.mark("network", "pod network configured");
            }
            Ok(Next::OnChange)
        })
    }
}

/// Installs the configuration.
pub(super) fn controller(node: &Node) -> impl Controller + use<> {
    Network { node: node.clone() }
}

#[cfg(test)]
mod tests {
    use super::is_configured;

    #[test]
    fn only_configurations_count() {
        let directory = tempfile::tempdir().unwrap();
        assert!(!is_configured(&directory.path().join("absent")));
        std::fs::write(directory.path().join("README"), "").unwrap();
        assert!(!is_configured(directory.path()));
        std::fs::write(directory.path().join("10-flannel.conflist"), "{}").unwrap();
        assert!(is_configured(directory.path()));
    }
}
