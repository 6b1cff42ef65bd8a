//! The container runtime's network configuration for flannel: installed at the moment flannel knows its subnet.

use ::runtime::condition::Condition;
use ::runtime::controller::{Context, Controller, ControllerError, Input, Next, Output};
use futures::future::BoxFuture;
use manifests::bootstrap::flannel::{CONFLIST_FILE, SUBNET_FILE, conflist};
use resource::config::MachineConfigSpec;

use crate::Node;
use crate::config::active::{ACTIVE, NAMESPACE};
use crate::files::{atomic, watch};

struct Network {
    node: Node,
}

impl Controller for Network {
    fn name(&self) -> &'static str {
        "k8s.FlannelConfigController"
    }

    fn inputs(&self) -> Vec<Input> {
        vec![Input::weak::<MachineConfigSpec>(NAMESPACE).with_id(ACTIVE)]
    }

    fn outputs(&self) -> Vec<Output> {
        Vec::new()
    }

    fn reconcile<'a>(
        &'a mut self,
        context: &'a Context,
    ) -> BoxFuture<'a, Result<Next, ControllerError>> {
        Box::pin(async move {
            let config = self.node.config.complete(context.store())?;
            if config.is_none_or(|config| config.view().flannel().is_none()) {
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
            }
            let path = self.node.paths.at(CONFLIST_FILE);
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
