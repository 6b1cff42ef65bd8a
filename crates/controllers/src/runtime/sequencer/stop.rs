//! The way down: pods first, then services in reverse order of what they depend on.

use std::time::Duration;

use containers::Cri;
use futures::future::join_all;
use resource::enums::MachineStage;
use resource::k8s::KubeletLifecycleSpec;
use tokio::time::timeout;

use super::told::Sequence;
use super::{Asked, Ending};
use crate::Node;
use crate::cri::services::CRI_SOCKET;
use crate::runtime::boot_image;
use crate::runtime::service::error_chain;
use crate::volume::Mounted;

/// How long whoever holds the kubelet's life cycle may take to let go of it.
const LIFECYCLE_LIMIT: Duration = Duration::from_secs(30);
/// How long a volume may take to be unmounted.
const UNMOUNT_LIMIT: Duration = Duration::from_secs(10);
/// How long all pods together may take to end.
const PODS_LIMIT: Duration = Duration::from_secs(180);

/// Brings the machine down to start again, with the kernel loaded already where that was asked for and can be done.
pub(super) async fn reboot(node: &Node, asked: &Asked, held: Option<Mounted>) -> Ending {
    let ending = down(node, asked, "reboot", MachineStage::REBOOTING).await;
    release(held).await;
    ending
}

/// Brings the machine down to stay off.
pub(super) async fn shutdown(node: &Node, asked: &Asked, held: Option<Mounted>) {
    down(node, asked, "shutdown", MachineStage::SHUTTING_DOWN).await;
    release(held).await;
}

async fn down(node: &Node, asked: &Asked, name: &'static str, stage: MachineStage) -> Ending {
    node.stage.send_replace(stage);
    if !node.platform.in_container() {
        super::super::console::show_messages();
    }
    let sequence = Sequence::begin(node, &asked.actor, name);
    if asked.orderly {
        let phase = sequence.phase("cleanup");
        phase.task("stopAllPods", stop_pods(node)).await;
    }
    {
        let phase = sequence.phase("stopEverything");
        phase.task("stopAllServices", node.supervisor.stop_all(&["machined", "apid"])).await;
        // The last to go: whoever follows the events sees everything before it.
        drop(node.supervisor.stop("apid").await);
    }
    let mut ending = asked.ending;
    if ending == Ending::Kexec {
        let phase = sequence.phase("kexec");
        if let Err(error) = phase.task("kexecPrepare", boot_image::load(node)).await {
            tracing::info!("the firmware starts the machine: {}", error_chain(&error));
            ending = Ending::Reboot;
        }
    }
    sequence.end();
    ending
}

/// Lets go of the volume that the machine worked on. Whatever is still mounted afterwards, init unmounts.
async fn release(held: Option<Mounted>) {
    let Some(held) = held else { return };
    match timeout(UNMOUNT_LIMIT, held.release()).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::warn!("{}", error_chain(&error)),
        Err(_) => tracing::warn!("going down although /var is still mounted"),
    }
}

/// Lets go of the kubelet, then ends the pods it ran, all at once.
async fn stop_pods(node: &Node) {
    let released = async {
        let owner = node
            .store
            .get::<KubeletLifecycleSpec>("k8s", "kubelet")
            .map(|lifecycle| lifecycle.metadata.owner.clone());
        let Some(owner) = owner else { return };
        if node.store.teardown::<KubeletLifecycleSpec>(&owner, "k8s", "kubelet").is_ok() {
            node.store
                .wait_for::<KubeletLifecycleSpec>("k8s", "kubelet", |lifecycle| {
                    lifecycle.is_none_or(|lifecycle| lifecycle.metadata.finalizers.is_empty())
                })
                .await;
        }
    };
    if timeout(LIFECYCLE_LIMIT, released).await.is_err() {
        tracing::warn!("going down although the kubelet's life cycle is still held");
    }
    // Not known means that it never ran.
    drop(node.supervisor.stop("kubelet").await);
    if !node.services.service("cri").is_some_and(|service| service.is_up()) {
        return;
    }
    let cri = Cri::new(&node.paths.at(CRI_SOCKET));
    if timeout(PODS_LIMIT, stop_sandboxes(&cri)).await.is_err() {
        tracing::warn!("going down although pods are still ending");
    }
}

async fn stop_sandboxes(cri: &Cri) {
    let sandboxes = match cri.sandboxes().await {
        Ok(sandboxes) => sandboxes,
        Err(error) => {
            tracing::warn!(%error, "the pods cannot be listed, so they are not stopped one by one");
            return;
        }
    };
    let up = sandboxes.iter().filter(|sandbox| sandbox.ready);
    join_all(up.map(|pod| async move {
        if let Err(error) = cri.stop_sandbox(&pod.id).await {
            tracing::warn!(pod = pod.name, namespace = pod.namespace, %error, "a pod does not stop");
        }
    }))
    .await;
}
