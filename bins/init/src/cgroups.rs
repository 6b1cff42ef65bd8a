//! Cgroups: mounted as the kernel below has them, with the groups of a node.

use std::io;
use std::path::Path;

use sys::cgroup::{CgroupError, Group, V1_HIERARCHIES, Version};
use sys::mount::{self, MountError, MountFlags};
use thiserror::Error;

use crate::console::Console;
use crate::platform::Platform;

const ROOT: &str = "/sys/fs/cgroup";
const FLAGS: MountFlags = MountFlags::NOSUID.union(MountFlags::NODEV).union(MountFlags::NOEXEC);

/// PID 1 and machined, the node's own daemons, and everything that runs pods: of that, the shims'
/// group must exist before the first shim, which only looks for it.
const GROUPS: [&str; 4] = ["init", "system", "podruntime", "podruntime/shim"];

/// Why there are no cgroups.
#[derive(Debug, Error)]
pub(crate) enum CgroupsError {
    #[error(transparent)]
    Mount(#[from] MountError),
    #[error(transparent)]
    Group(#[from] CgroupError),
    #[error("cannot read the cgroups of this process")]
    Membership(#[source] io::Error),
    #[error("cannot prepare {ROOT}/{name}")]
    Directory {
        name: String,
        #[source]
        source: io::Error,
    },
    #[error(
        "cgroup2 would show the whole machine's groups: start the node in a cgroup and a cgroup \
         namespace of its own"
    )]
    NotContained,
}

/// How the kernel governs memory, which decides for everything.
#[derive(Debug, PartialEq, Eq)]
enum Layout {
    /// The hierarchies to mount, as option strings.
    V1(Vec<String>),
    V2,
}

pub(crate) fn prepare(platform: Platform, console: &mut Console) -> Result<(), CgroupsError> {
    if !mount::is_mount_point(ROOT)? {
        mount_for(platform)?;
    }
    let root = Group::at(ROOT)?;
    let version = match root.version() {
        Version::V1 => 1,
        Version::V2 => 2,
    };
    console.say(&format!("cgroup version {version}"));
    for name in GROUPS {
        root.child(name).create()?;
    }
    // Version 2 distributes controllers only from groups without processes.
    root.child("init").add(0)?;
    for group in [root.clone(), root.child("system"), root.child("podruntime")] {
        group.delegate()?;
    }
    Ok(())
}

/// What the options mean: limits of a delegated group bind those who govern it, and protection of
/// memory counts for the whole subtree.
const MACHINE_OPTIONS: &str = "nsdelegate,memory_recursiveprot";

fn mount_for(platform: Platform) -> Result<(), CgroupsError> {
    match platform {
        // The machine's own kernel has no version 1 to be compatible with.
        Platform::Machine => Ok(mount::mount("cgroup2", "cgroup2", ROOT, FLAGS, MACHINE_OPTIONS)?),
        Platform::Container => {
            let membership =
                std::fs::read_to_string("/proc/self/cgroup").map_err(CgroupsError::Membership)?;
            match layout(&membership) {
                Layout::V1(hierarchies) => mount_v1(&hierarchies),
                Layout::V2 => mount_v2(),
            }
        }
    }
}

fn layout(membership: &str) -> Layout {
    let hierarchies: Vec<_> =
        membership.lines().filter_map(|line| line.split(':').nth(1)).collect();
    let governs = |hierarchy: &str, name: &str| hierarchy.split(',').any(|part| part == name);
    if !hierarchies.iter().any(|hierarchy| governs(hierarchy, "memory")) {
        return Layout::V2;
    }
    Layout::V1(
        hierarchies
            .into_iter()
            .filter(|hierarchy| V1_HIERARCHIES.iter().any(|name| governs(hierarchy, name)))
            .map(str::to_owned)
            .collect(),
    )
}

fn mount_v1(hierarchies: &[String]) -> Result<(), CgroupsError> {
    mount::mount("tmpfs", "cgroup", ROOT, FLAGS, "mode=755,size=64k")?;
    for hierarchy in hierarchies {
        let name = hierarchy.trim_start_matches("name=").to_owned();
        let target = Path::new(ROOT).join(&name);
        let failed = |source| CgroupsError::Directory { name: name.clone(), source };
        std::fs::create_dir(&target).map_err(failed)?;
        let named = hierarchy.starts_with("name=");
        let options = if named { format!("none,{hierarchy}") } else { hierarchy.clone() };
        mount::mount("cgroup", "cgroup", &target, FLAGS, &options)?;
        // Controllers that share a hierarchy are found under each of their names.
        for alias in name.split(',').filter(|alias| *alias != name) {
            std::os::unix::fs::symlink(&name, Path::new(ROOT).join(alias)).map_err(failed)?;
        }
    }
    Ok(())
}

fn mount_v2() -> Result<(), CgroupsError> {
    mount::mount("cgroup2", "cgroup2", ROOT, FLAGS, "")?;
    // The file is missing only in the root of the whole machine, where a node has no business.
    if Path::new(ROOT).join("cgroup.type").exists() {
        Ok(())
    } else {
        mount::unmount(ROOT, true)?;
        Err(CgroupsError::NotContained)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_decides_which_version_is_mounted() {
        let v1 = "9:name=systemd:/\n4:memory:/\n2:cpu,cpuacct:/\n1:net_cls:/\n0::/\n";
        let expected = ["name=systemd", "memory", "cpu,cpuacct"].map(str::to_owned);
        assert_eq!(layout(v1), Layout::V1(expected.to_vec()));
        assert_eq!(layout("1:name=systemd:/\n0::/x\n"), Layout::V2);
        assert_eq!(layout("0::/\n"), Layout::V2);
    }
}
