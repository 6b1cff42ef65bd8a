//! Volumes in memory: a machine whose disks nobody manages works on tmpfs, and forgets everything when it ends.
//!
//! It answers the same requests as controllers of disks do (see [`crate::volume`]), which take its place.

use ::runtime::controller::{
    Context, ControllerError, Input, Next, Output, RegisterError, Runtime,
};
use resource::Phase;
use resource::block::{VolumeMountRequestSpec, VolumeMountStatusSpec, VolumeStatusSpec};
use resource::enums::{VolumePhase, VolumeType};
use resource::v1alpha1::AcquireConfigStatusSpec;
use sys::mount::{self, MountFlags};

use crate::plain::plain;
use crate::volume::{EPHEMERAL, STATE};
use crate::{Node, Paths};

const OWNER: &str = "block.VolumeManagerController";
const RUNTIME: &str = "runtime";

/// The volumes, where they are mounted, and the modes of their roots.
const VOLUMES: [(&str, &str, &str); 2] =
    [(STATE, "/system/state", "mode=700"), (EPHEMERAL, "/var", "mode=755")];

/// Adds the controller of volumes in memory.
pub(super) fn register(controllers: &mut Runtime, node: &Node) -> Result<(), RegisterError> {
    if node.platform.in_container() {
        return Ok(());
    }
    let paths = node.paths.clone();
    controllers.register(plain(
        OWNER,
        vec![
            Input::weak::<AcquireConfigStatusSpec>(RUNTIME),
            Input::strong::<VolumeMountRequestSpec>(RUNTIME),
            Input::destroy_ready::<VolumeMountStatusSpec>(RUNTIME),
        ],
        vec![Output::exclusive::<VolumeStatusSpec>(), Output::exclusive::<VolumeMountStatusSpec>()],
        move |context: &Context| -> Result<Next, ControllerError> {
            // As on a disk, a volume is made when there is a configuration to make it for.
            let configured = !context.list::<AcquireConfigStatusSpec>(RUNTIME).is_empty();
            for (id, place, _) in VOLUMES {
                context.modify::<VolumeStatusSpec>(RUNTIME, id, |status| {
                    status.r#type = VolumeType::TMPFS;
                    status.phase =
                        if configured { VolumePhase::READY } else { VolumePhase::MISSING };
                    place.clone_into(&mut status.mount_location);
                })?;
            }
            for request in context.list::<VolumeMountRequestSpec>(RUNTIME) {
                let id = request.id();
                if request.metadata.phase == Phase::TearingDown {
                    if context.remove::<VolumeMountStatusSpec>(RUNTIME, id)? {
                        let store = context.store();
                        store.remove_finalizer::<VolumeMountRequestSpec>(RUNTIME, id, OWNER)?;
                    }
                    continue;
                }
                let volume = VOLUMES.iter().find(|(name, ..)| *name == request.spec.volume_id);
                if let Some((_, place, options)) = volume.filter(|_| configured) {
                    ensure(&paths, place, options)?;
                    context.store().add_finalizer::<VolumeMountRequestSpec>(RUNTIME, id, OWNER)?;
                    context.modify::<VolumeMountStatusSpec>(RUNTIME, id, |status| {
                        status.volume_id.clone_from(&request.spec.volume_id);
                        status.requester.clone_from(&request.spec.requester);
                        status.target = paths.at(place).display().to_string();
                        status.read_only = request.spec.read_only;
                    })?;
                }
            }
            Ok(Next::OnChange)
        },
    ))?;
    Ok(())
}

/// Mounts the memory once; it stays, because its content goes with it.
fn ensure(paths: &Paths, place: &str, options: &str) -> Result<(), ControllerError> {
    let target = paths.at(place);
    if !mount::is_mount_point(&target)? {
        tracing::warn!("{place} is in memory: nothing in it outlives this boot");
        let flags = MountFlags::NOSUID | MountFlags::NODEV;
        mount::mount("tmpfs", place, &target, flags, options)?;
    }
    Ok(())
}
