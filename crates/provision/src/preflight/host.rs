//! What this host is like, as far as a cluster is concerned.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;

use sys::cgroup::{Group, V1_HIERARCHIES, Version};
use sys::process::{Capabilities, Capability};
use sys::system::Space;

use super::trial;
use crate::qemu;
use crate::spec::{ClusterSpec, Provisioner, RootImage};

/// What was seen of the host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host {
    /// Whether this process is root's.
    pub root: bool,
    /// Needed capabilities that it lacks.
    pub lacking: Vec<&'static str>,
    /// Kernel features that were tried and refused, and why.
    pub refused: Vec<(&'static str, String)>,
    /// Why a squashfs cannot be mounted.
    pub no_squashfs: Option<String>,
    /// Why no cgroup can be made.
    pub no_cgroups: Option<String>,
    /// Bytes of memory that programs can still get.
    pub memory: u64,
    /// How many inotify instances a user may have.
    pub inotify: u64,
    /// The space where the cluster would be.
    pub disk: Option<Space>,
    /// Addresses of the host that the cluster wants and cannot have, and why.
    pub taken: Vec<(SocketAddr, String)>,
    /// Programs and files that are missing, each with the Debian package that has it.
    pub programs: Vec<(&'static str, &'static str)>,
    /// Why the root image or disk image is none.
    pub bad_image: Option<String>,
    /// Whether the image cache is not there.
    pub no_cache: bool,
}

/// What the provisioner and the nodes do that needs privilege. CAP_SYS_RESOURCE is not among them.
const NEEDED: [(&str, Capability); 11] = [
    ("CAP_SYS_ADMIN", Capability::SysAdmin),
    ("CAP_NET_ADMIN", Capability::NetAdmin),
    ("CAP_NET_RAW", Capability::NetRaw),
    ("CAP_SYS_CHROOT", Capability::SysChroot),
    ("CAP_SYS_PTRACE", Capability::SysPtrace),
    ("CAP_SYS_BOOT", Capability::SysBoot),
    ("CAP_MKNOD", Capability::Mknod),
    ("CAP_CHOWN", Capability::Chown),
    ("CAP_DAC_OVERRIDE", Capability::DacOverride),
    ("CAP_SETUID", Capability::Setuid),
    ("CAP_SETGID", Capability::Setgid),
];

impl Host {
    /// Looks at this host for `spec`, whose directory would be below `state`.
    #[must_use]
    pub fn look(spec: &ClusterSpec, state: &Path) -> Self {
        let capabilities = Capabilities::effective().unwrap_or_default();
        let lacking: Vec<_> = NEEDED
            .into_iter()
            .filter(|(_, capability)| !capabilities.contains(*capability))
            .map(|(name, _)| name)
            .collect();
        let namespaces = matches!(spec.provisioner, Provisioner::Native { .. });
        let privileged = namespaces && lacking.is_empty();
        let existing = existing_parent(state);
        Self {
            root: is_root(),
            // Trials without privilege would only say so again.
            refused: if privileged { trial::run(existing) } else { Vec::new() },
            no_squashfs: if privileged { no_squashfs() } else { None },
            no_cgroups: if privileged { no_cgroups() } else { None },
            memory: available_memory().unwrap_or_default(),
            inotify: number("/proc/sys/fs/inotify/max_user_instances").unwrap_or(u64::MAX),
            disk: sys::system::space(existing).ok(),
            taken: spec.forwards.iter().filter_map(|forward| taken(forward.listen)).collect(),
            programs: spec.provisioner.machine().map(qemu::missing).unwrap_or_default(),
            bad_image: bad_image(&spec.provisioner).err().map(|error| error.to_string()),
            no_cache: spec
                .image_cache
                .as_ref()
                .is_some_and(|path| !path.join("index.json").exists() && !path.is_dir()),
            lacking,
        }
    }
}

fn is_root() -> bool {
    fs::read_to_string("/proc/self/status").is_ok_and(|status| {
        let uid = status.lines().find_map(|line| line.strip_prefix("Uid:"));
        uid.and_then(|line| line.split_whitespace().nth(1)) == Some("0")
    })
}

/// The directory itself or the nearest one above it that exists.
fn existing_parent(path: &Path) -> &Path {
    path.ancestors().find(|path| path.is_dir()).unwrap_or(Path::new("/"))
}

fn no_squashfs() -> Option<String> {
    let known = fs::read_to_string("/proc/filesystems").unwrap_or_default();
    if !known.lines().any(|line| line.trim() == "squashfs") {
        return Some("the kernel does not know it".to_owned());
    }
    let error = File::open("/dev/loop-control").err()?;
    Some(format!("no loop devices: {error}"))
}

fn no_cgroups() -> Option<String> {
    let current = match Group::current() {
        Ok(group) => group,
        Err(error) => return Some(error.to_string()),
    };
    if current.version() == Version::V1 {
        let have = |name: &&str| {
            let mut all = current.directories().iter().flat_map(|d| d.hierarchy.split(','));
            all.any(|part| part == *name)
        };
        let missing: Vec<_> =
            V1_HIERARCHIES.into_iter().filter(|name| !name.contains('=') && !have(name)).collect();
        return (!missing.is_empty())
            .then(|| format!("these controllers are not mounted: {}", missing.join(", ")));
    }
    let delegated = current.nearest_parent().is_some();
    (!delegated).then(|| "no group from this one upward passes on cpu, memory and pids".to_owned())
}

fn available_memory() -> Option<u64> {
    let text = fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let kib: u64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kib << 10)
}

fn number(path: &str) -> Option<u64> {
    fs::read_to_string(path).ok()?.trim().parse().ok()
}

fn taken(address: SocketAddr) -> Option<(SocketAddr, String)> {
    TcpListener::bind(address).err().map(|error| (address, error.to_string()))
}

fn bad_image(provisioner: &Provisioner) -> io::Result<()> {
    let root = match provisioner {
        Provisioner::Native { root } => root,
        Provisioner::Qemu(machine) => return qemu::check_image(&machine.image),
    };
    match root {
        RootImage::Squashfs(path) => {
            let mut magic = [0; 4];
            File::open(path)?.read_exact(&mut magic)?;
            if &magic == b"hsqs" { Ok(()) } else { Err(io::Error::other("it is no squashfs")) }
        }
        RootImage::Directory(path) => fs::metadata(path.join("sbin/init")).map(|_| ()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_taken_port_and_a_bad_image_are_seen() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        assert_eq!(taken(address).unwrap().0, address);
        drop(listener);
        assert_eq!(taken(address), None);

        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("root.sqfs");
        let bad_root = |root| bad_image(&Provisioner::Native { root });
        assert!(bad_root(RootImage::Squashfs(file.clone())).is_err());
        fs::write(&file, "x").unwrap();
        assert!(bad_root(RootImage::Squashfs(file.clone())).is_err());
        fs::write(&file, "hsqs....").unwrap();
        assert!(bad_root(RootImage::Squashfs(file)).is_ok());
        assert!(bad_root(RootImage::Directory(directory.path().into())).is_err());
        let missing = directory.path().join("a/b");
        assert_eq!(existing_parent(&missing), directory.path());
    }

    #[test]
    fn this_host_has_memory() {
        assert!(available_memory().unwrap() > 1 << 20);
    }
}
