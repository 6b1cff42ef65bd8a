//! What is mounted where, as resources: the file systems that hold the node's own data.

use std::collections::BTreeSet;

use ::runtime::controller::{
    Context, ControllerError, Input, Next, Output, RegisterError, Runtime,
};
use resource::runtime::MountStatusSpec;
use resource::v1alpha1::ServiceSpec;
use sys::mount::MountPoint;

use crate::Node;
use crate::plain::plain;

/// The volumes of the contract and where they are mounted.
const VOLUMES: [(&str, &str); 2] = [("STATE", "/system/state"), ("EPHEMERAL", "/var")];

/// The status of each volume that is mounted; a later mount on a place covers an earlier one.
fn plan(table: &[MountPoint]) -> Vec<(&'static str, MountStatusSpec)> {
    let mounted = |place: &str| table.iter().rev().find(|mount| mount.target.as_os_str() == place);
    VOLUMES
        .into_iter()
        .filter_map(|(label, place)| {
            let mount = mounted(place)?;
            let status = MountStatusSpec {
                source: mount.source.clone(),
                target: place.to_owned(),
                filesystem_type: mount.kind.clone(),
                options: mount.options.split(',').map(str::to_owned).collect(),
                encrypted: false,
                encryption_providers: Vec::new(),
            };
            Some((label, status))
        })
        .collect()
}

/// Adds the controller that publishes mounts.
pub(super) fn register(controllers: &mut Runtime, _: &Node) -> Result<(), RegisterError> {
    controllers.register(plain(
        "runtime.MountStatusController",
        // A container's volumes are mounted before machined starts, a machine's by machined.
        vec![
            Input::weak::<ServiceSpec>("runtime").with_id("cri"),
            Input::weak::<resource::block::MountStatusSpec>("runtime"),
        ],
        vec![Output::exclusive::<MountStatusSpec>()],
        |context: &Context| -> Result<Next, ControllerError> {
            let wanted = plan(&sys::mount::table()?);
            for (label, status) in &wanted {
                context.modify::<MountStatusSpec>("runtime", label, |spec| {
                    spec.clone_from(status);
                })?;
            }
            let kept: BTreeSet<&str> = wanted.iter().map(|(label, _)| *label).collect();
            context.cleanup::<MountStatusSpec>("runtime", |mount| kept.contains(mount.id()))?;
            Ok(Next::OnChange)
        },
    ))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mount(target: &str, source: &str) -> MountPoint {
        MountPoint {
            id: 1,
            parent: 0,
            root: "/".into(),
            target: target.into(),
            options: "rw,nosuid".into(),
            kind: "ext4".into(),
            source: source.into(),
            super_options: String::new(),
        }
    }

    #[test]
    fn the_last_mount_on_a_place_counts() {
        let table = [mount("/var", "old"), mount("/run", "tmpfs"), mount("/var", "/dev/vda6")];
        let statuses = plan(&table);
        assert_eq!(statuses.len(), 1);
        let (label, status) = &statuses[0];
        assert_eq!((*label, status.source.as_str()), ("EPHEMERAL", "/dev/vda6"));
        assert_eq!(status.options, ["rw", "nosuid"]);
    }
}
