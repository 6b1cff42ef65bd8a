//! What block devices there are and what they hold, as resources.

use std::collections::BTreeSet;

use ::runtime::Condition;
use ::runtime::controller::{
    Context, Controller, ControllerError, Input, Next, Output, RegisterError, Runtime,
};
use futures::future::BoxFuture;
use resource::block::{
    DeviceSpec, DiscoveredVolumeSpec, DiscoveryRefreshRequestSpec, DiscoveryRefreshStatusSpec,
    DiskSpec, SystemDiskSpec,
};
use resource::runtime::DevicesStatusSpec;
use storage::volume::{Disk, Observed};
use tokio::task::spawn_blocking;

use super::{NAMESPACE, OnChange, inventory};
use crate::{Node, Paths};

/// The id of the one request to look again.
const REFRESH: &str = "refresh";

/// Adds the controller.
pub(super) fn register(controllers: &mut Runtime, node: &Node) -> Result<(), RegisterError> {
    controllers.register(Discovery { node: node.clone(), changes: OnChange::of(node) })?;
    Ok(())
}

struct Discovery {
    node: Node,
    changes: OnChange,
}

/// Whether all devices that the machine has were announced.
pub(super) fn settled(context: &Context) -> bool {
    context.get::<DevicesStatusSpec>("runtime", "devices").is_some_and(|devices| devices.spec.ready)
}

/// Looks at all disks, away from the thread that runs controllers.
pub(super) async fn observe(node: &Node, settled: bool) -> Result<Observed, ControllerError> {
    let paths = std::sync::Arc::clone(&node.paths);
    let read = spawn_blocking(move || {
        let disks = inventory::disks(&paths)?;
        let booted = inventory::booted_partition(&paths);
        let system_disk = Observed::find_system_disk(&disks, booted.as_deref());
        Ok::<_, inventory::InventoryError>(Observed { disks, settled, system_disk })
    });
    Ok(read.await??)
}

impl Controller for Discovery {
    fn name(&self) -> &'static str {
        "block.DiscoveryController"
    }

    fn inputs(&self) -> Vec<Input> {
        vec![
            Input::weak::<DevicesStatusSpec>("runtime").with_id("devices"),
            Input::weak::<DiscoveryRefreshRequestSpec>(NAMESPACE),
        ]
    }

    fn outputs(&self) -> Vec<Output> {
        vec![
            Output::exclusive::<DeviceSpec>(),
            Output::exclusive::<DiskSpec>(),
            Output::exclusive::<DiscoveredVolumeSpec>(),
            Output::exclusive::<SystemDiskSpec>(),
            Output::exclusive::<DiscoveryRefreshStatusSpec>(),
        ]
    }

    fn reconcile<'a>(
        &'a mut self,
        context: &'a Context,
    ) -> BoxFuture<'a, Result<Next, ControllerError>> {
        Box::pin(async move {
            self.changes.begin(context);
            let asked = context.get::<DiscoveryRefreshRequestSpec>(NAMESPACE, REFRESH);
            let settled = settled(context);
            if !settled {
                let what = "the drivers of disks to be loaded".to_owned();
                context.waiting(&Condition::Event { what });
            }
            let observed = observe(&self.node, settled).await?;
            publish(context, &self.node.paths, &observed.disks)?;
            system_disk(context, &observed)?;
            if let Some(asked) = asked {
                context.modify::<DiscoveryRefreshStatusSpec>(NAMESPACE, REFRESH, |status| {
                    status.request = asked.spec.request;
                })?;
            }
            Ok(Next::OnChange)
        })
    }
}

fn publish(context: &Context, paths: &Paths, disks: &[Disk]) -> Result<(), ControllerError> {
    let mut kept = BTreeSet::new();
    for (name, spec) in inventory::devices(paths, disks) {
        context.modify::<DeviceSpec>(NAMESPACE, &name, |device| device.clone_from(&spec))?;
        kept.insert(name);
    }
    for disk in disks {
        context.modify::<DiskSpec>(NAMESPACE, &disk.name, |spec| spec.clone_from(&disk.spec))?;
        let parts = disk.parts.iter().map(|part| (&part.name, &part.volume));
        for (name, volume) in parts.chain([(&disk.name, &disk.volume)]) {
            context.modify::<DiscoveredVolumeSpec>(NAMESPACE, name, |spec| {
                spec.clone_from(volume);
            })?;
        }
    }
    context.cleanup::<DeviceSpec>(NAMESPACE, |device| kept.contains(device.id()))?;
    context.cleanup::<DiscoveredVolumeSpec>(NAMESPACE, |volume| kept.contains(volume.id()))?;
    context.cleanup::<DiskSpec>(NAMESPACE, |disk| kept.contains(disk.id()))?;
    Ok(())
}

fn system_disk(context: &Context, observed: &Observed) -> Result<(), ControllerError> {
    let found = observed.system_disk.as_ref();
    let found = found.and_then(|name| observed.disks.iter().find(|disk| disk.name == *name));
    if let Some(disk) = found {
        context.modify::<SystemDiskSpec>(NAMESPACE, "system-disk", |spec| {
            spec.disk_id.clone_from(&disk.name);
            spec.dev_path.clone_from(&disk.spec.dev_path);
        })?;
    } else {
        context.remove::<SystemDiskSpec>(NAMESPACE, "system-disk")?;
    }
    Ok(())
}
