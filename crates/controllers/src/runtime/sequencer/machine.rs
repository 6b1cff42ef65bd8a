//! What a machine does at its boot that a container has done for it: devices, and the volume that it works on.

use std::fs;
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, symlink};
use std::path::{Path, PathBuf};

use resource::enums::MachineType;
use resource::runtime::DevicesStatusSpec;
use sys::mount::{self, MountError, MountFlags};

use crate::volume::{self, EPHEMERAL, Mounted, VolumeError};
use crate::{Node, Paths};

/// Who asks for the volume.
const REQUESTER: &str = "sequencer";

/// Why the machine has no place to work.
#[derive(Debug, thiserror::Error)]
pub(super) enum MachineError {
    #[error(transparent)]
    Volume(#[from] VolumeError),
    #[error("cannot make {path}")]
    Make {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("cannot lay a writable layer over /opt")]
    Layer(#[from] MountError),
}

/// Waits for the drivers of the devices.
pub(super) async fn devices_settled(node: &Node) {
    node.store
        .wait_for::<DevicesStatusSpec>("runtime", "devices", |status| {
            status.is_some_and(|status| status.spec.ready)
        })
        .await;
}

const MEBIBYTE: u64 = 1 << 20;
/// What the kernel and the firmware keep for themselves.
const RESERVED: u64 = 150 * MEBIBYTE;

/// The memory that a machine of this type needs at least, and what it should have.
fn memory_wanted(machine_type: MachineType) -> (u64, u64) {
    let (least, good) = match machine_type {
        MachineType::CONTROL_PLANE | MachineType::INIT => (1848, 4096),
        _ => (1024, 2048),
    };
    (least * MEBIBYTE - RESERVED, good * MEBIBYTE - RESERVED)
}

/// Says when there is less memory than there should be. The machine tries all the same.
pub(super) fn memory(machine_type: MachineType, present: u64) {
    let (least, good) = memory_wanted(machine_type);
    let mebibytes = |bytes: u64| bytes / MEBIBYTE;
    if present < least {
        tracing::warn!(
            "this machine has {} MiB of memory, and needs at least {} MiB: programs will be killed",
            mebibytes(present),
            mebibytes(least)
        );
    } else if present < good {
        tracing::info!(
            "this machine has {} MiB of memory; {} MiB are recommended",
            mebibytes(present),
            mebibytes(good)
        );
    }
}

/// Asks for EPHEMERAL and waits until it is mounted on `/var`; it stays mounted until the machine goes down.
pub(super) async fn ephemeral(node: &Node) -> Result<Mounted, MachineError> {
    Ok(volume::mount(&node.store, REQUESTER, EPHEMERAL, false).await?)
}

/// Makes what others take for granted on `/var`, and lets whoever waits for it begin.
pub(super) fn prepare(node: &Node) -> Result<(), MachineError> {
    directories(&node.paths)?;
    optional_software(&node.paths)?;
    node.var_ready.send_replace(true);
    Ok(())
}

fn directories(paths: &Paths) -> Result<(), MachineError> {
    for (path, mode) in [
        ("/var/lib", 0o700),
        ("/var/lib/cni", 0o700),
        ("/var/log", 0o755),
        ("/var/log/audit", 0o700),
        ("/var/mnt", 0o755),
        ("/var/system", 0o700),
        ("/var/system/overlays", 0o755),
        ("/var/system/overlays/opt-diff", 0o755),
        ("/var/system/overlays/opt-workdir", 0o755),
    ] {
        let path = paths.at(path);
        let made = fs::DirBuilder::new().recursive(true).mode(mode).create(&path);
        made.map_err(|source| MachineError::Make { path, source })?;
    }
    let link = paths.at("/var/run");
    match symlink("/run", &link) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        made => made.map_err(|source| MachineError::Make { path: link, source }),
    }
}

/// Lays a writable layer, kept on `/var`, over `/opt`: CNI plugins are installed there by pods. A machined that was
/// started again finds it in place.
fn optional_software(paths: &Paths) -> Result<(), MachineError> {
    let opt = paths.at("/opt");
    let layered = mount::table()?.iter().any(|mount| mount.target == opt);
    if layered {
        return Ok(());
    }
    let overlays = paths.at("/var/system/overlays");
    let path = |name: &str| overlays.join(name).display().to_string();
    let options = format!(
        "lowerdir={},upperdir={},workdir={}",
        opt.display(),
        path("opt-diff"),
        path("opt-workdir")
    );
    Ok(mount::mount("overlay", Path::new("overlay"), &opt, MountFlags::NODEV, &options)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn a_control_plane_needs_more_memory() {
        let wanted = |machine_type| {
            let (least, good) = memory_wanted(machine_type);
            (least / MEBIBYTE, good / MEBIBYTE)
        };
        assert_eq!(wanted(MachineType::CONTROL_PLANE), (1698, 3946));
        assert_eq!(wanted(MachineType::WORKER), (874, 1898));
    }

    #[test]
    fn what_var_needs_is_made_once_and_found_again() {
        let root = tempfile::tempdir().unwrap();
        let paths = Paths::new(root.path());
        for _ in 0..2 {
            directories(&paths).unwrap();
        }
        let mode = |path: &str| fs::metadata(paths.at(path)).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode("/var/lib"), 0o700);
        assert_eq!(mode("/var/log"), 0o755);
        assert_eq!(fs::read_link(paths.at("/var/run")).unwrap(), Path::new("/run"));
    }
}
