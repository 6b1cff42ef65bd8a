//! The mounts every node has, made only where the place below did not make them already.

use std::io;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

use sys::mount::{self, MountError, MountFlags, Propagation};
use thiserror::Error;

use crate::platform::Platform;

/// Why the file tree could not be prepared.
#[derive(Debug, Error)]
pub(crate) enum TreeError {
    #[error(transparent)]
    Mount(#[from] MountError),
    #[error("cannot make the directory {path}")]
    Directory {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("cannot make {path}")]
    File {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
}

struct Wanted {
    target: &'static str,
    kind: &'static str,
    flags: MountFlags,
    options: &'static str,
}

const fn wanted(
    target: &'static str,
    kind: &'static str,
    flags: MountFlags,
    options: &'static str,
) -> Wanted {
    Wanted { target, kind, flags, options }
}

const NOTHING: MountFlags = MountFlags::NOSUID.union(MountFlags::NODEV).union(MountFlags::NOEXEC);
const DEVICES: MountFlags = MountFlags::NOSUID.union(MountFlags::NOEXEC);
const READ_ONLY: MountFlags = NOTHING.union(MountFlags::RDONLY);

/// What the kernel shows of itself, in the order in which it must be mounted.
fn kernel_views(platform: Platform) -> [Wanted; 5] {
    let (sys, dev) = match platform {
        // sysfs shows the host's devices, and a devtmpfs is the host's own: look, don't touch.
        Platform::Container => (
            wanted("/sys", "sysfs", READ_ONLY, ""),
            wanted("/dev", "tmpfs", DEVICES, "mode=755,size=64k"),
        ),
        Platform::Machine => {
            (wanted("/sys", "sysfs", NOTHING, ""), wanted("/dev", "devtmpfs", DEVICES, "mode=755"))
        }
    };
    [
        sys,
        dev,
        wanted("/dev/pts", "devpts", DEVICES, "newinstance,ptmxmode=0666,mode=620,gid=5"),
        wanted("/dev/shm", "tmpfs", NOTHING.difference(MountFlags::NOEXEC), "mode=1777"),
        wanted("/dev/mqueue", "mqueue", NOTHING, ""),
    ]
}

/// What a machine's own kernel shows besides, as far as it was built for it: huge pages, programs
/// in the kernel, tracing, what is left of a crash, the firmware's variables.
const MACHINE_VIEWS: [Wanted; 8] = [
    wanted("/dev/hugepages", "hugetlbfs", DEVICES, ""),
    wanted("/sys/fs/bpf", "bpf", NOTHING, "mode=700"),
    wanted("/sys/fs/pstore", "pstore", NOTHING, ""),
    wanted("/sys/kernel/security", "securityfs", NOTHING, ""),
    wanted("/sys/kernel/tracing", "tracefs", NOTHING, ""),
    wanted("/sys/kernel/config", "configfs", NOTHING, ""),
    wanted("/sys/kernel/debug", "debugfs", NOTHING, ""),
    wanted("/sys/firmware/efi/efivars", "efivarfs", READ_ONLY, ""),
];

/// Mounts what even the console needs.
pub(crate) fn basic(platform: Platform) -> Result<(), TreeError> {
    if !Path::new("/proc/self").exists() {
        mount::mount("proc", "proc", "/proc", NOTHING, "")?;
    }
    for wanted in kernel_views(platform) {
        let made = ensure(&wanted)?;
        if made && wanted.target == "/dev" && platform == Platform::Container {
            device_files(Path::new("/dev"))?;
            device_links(Path::new("/dev"))?;
        }
    }
    Ok(())
}

/// Mounts the views of a machine that this kernel has, and completes `/dev`.
pub(crate) fn machine_views() -> Result<(), TreeError> {
    device_links(Path::new("/dev"))?;
    directory(Path::new("/dev/hugepages"), 0o755)?;
    for wanted in &MACHINE_VIEWS {
        // The kernel makes the place of a view that it has; the file system may still be missing.
        if Path::new(wanted.target).is_dir() && !mount::is_mount_point(wanted.target)? {
            let options = (wanted.flags, wanted.options);
            let _ = mount::mount(wanted.kind, wanted.kind, wanted.target, options.0, options.1);
        }
    }
    Ok(())
}

/// Mounts the first three views for the initramfs, which has none.
pub(crate) fn first_views() -> Result<(), TreeError> {
    for wanted in [
        wanted("/dev", "devtmpfs", DEVICES, "mode=755"),
        wanted("/proc", "proc", NOTHING, ""),
        wanted("/sys", "sysfs", NOTHING, ""),
    ] {
        directory(Path::new(wanted.target), 0o755)?;
        mount::mount(wanted.kind, wanted.kind, wanted.target, wanted.flags, wanted.options)?;
    }
    Ok(())
}

/// The devices every program may count on, and nothing that reaches the host's hardware.
fn device_files(dev: &Path) -> Result<(), TreeError> {
    let nodes = [
        ("null", 1, 3),
        ("zero", 1, 5),
        ("full", 1, 7),
        ("random", 1, 8),
        ("urandom", 1, 9),
        // The kubelet reads kills by the out-of-memory killer from here and does not start
        // without it.
        ("kmsg", 1, 11),
        ("tty", 5, 0),
    ];
    for (name, major, minor) in nodes {
        let path = dev.join(name);
        let mode = if name == "kmsg" { 0o600 } else { 0o666 };
        sys::device::make_character(&path, mode, major, minor)
            .map_err(|source| TreeError::File { path, source })?;
    }
    Ok(())
}

/// The names by which a program reaches its own descriptors.
fn device_links(dev: &Path) -> Result<(), TreeError> {
    let links = [
        ("ptmx", "pts/ptmx"),
        ("fd", "/proc/self/fd"),
        ("stdin", "/proc/self/fd/0"),
        ("stdout", "/proc/self/fd/1"),
        ("stderr", "/proc/self/fd/2"),
    ];
    for (name, target) in links {
        let path = dev.join(name);
        // A device file system has the first of them as a device.
        match symlink(target, &path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            made => made.map_err(|source| TreeError::File { path, source })?,
        }
    }
    Ok(())
}

/// Mounts the writable places that vanish with the node, and makes the directories in them.
pub(crate) fn writable() -> Result<(), TreeError> {
    let places = [
        wanted("/run", "tmpfs", NOTHING, "mode=755"),
        wanted("/system", "tmpfs", NOTHING, "mode=755"),
        wanted("/tmp", "tmpfs", NOTHING, "mode=1777,size=64m"),
    ];
    for place in &places {
        ensure(place)?;
    }
    let directories = [
        ("/run/ichor", 0o700),
        ("/run/containerd", 0o711),
        ("/run/lock", 0o755),
        ("/system/etc", 0o700),
        ("/system/var", 0o700),
        ("/system/state", 0o700),
        ("/system/run", 0o751),
        ("/system/run/containerd", 0o711),
    ];
    directories.into_iter().try_for_each(|(path, mode)| directory(Path::new(path), mode))
}

/// Lays a writable layer, kept on `/var`, over `/opt`: CNI plugins are installed there by pods.
pub(crate) fn optional_software() -> Result<(), TreeError> {
    let upper = Path::new("/var/system/overlays/opt-diff");
    let work = Path::new("/var/system/overlays/opt-workdir");
    directory(Path::new("/var/system"), 0o700)?;
    for path in [upper, work] {
        directory(path, 0o755)?;
    }
    let options = format!("lowerdir=/opt,upperdir={},workdir={}", upper.display(), work.display());
    Ok(mount::mount("overlay", "overlay", "/opt", MountFlags::NODEV, &options)?)
}

/// Lets mounts made by pods' drivers reach the node and back.
pub(crate) fn share() -> Result<(), TreeError> {
    Ok(mount::propagate("/", Propagation::Shared, true)?)
}

/// Mounts `wanted` unless something is mounted there; whether it did.
fn ensure(wanted: &Wanted) -> Result<bool, TreeError> {
    if mount::is_mount_point(wanted.target)? {
        return Ok(false);
    }
    if !Path::new(wanted.target).is_dir() {
        directory(Path::new(wanted.target), 0o755)?;
    }
    mount::mount(wanted.kind, wanted.kind, wanted.target, wanted.flags, wanted.options)?;
    Ok(true)
}

/// Makes a directory, and those above it, with exactly this mode whatever the mask says. One that
/// exists gets the mode too.
pub(crate) fn directory(path: &Path, mode: u32) -> Result<(), TreeError> {
    let failed = |source| TreeError::Directory { path: path.to_path_buf(), source };
    std::fs::DirBuilder::new().recursive(true).mode(mode).create(path).map_err(failed)?;
    let permissions = std::fs::Permissions::from_mode(mode);
    std::fs::set_permissions(path, permissions).map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use sys::namespace::{Namespaces, unshare};

    /// Runs `work` with an empty root of its own, in namespaces that vanish with it.
    fn in_an_empty_root(work: impl FnOnce() + Send + 'static) {
        let thread = std::thread::spawn(|| {
            unshare(Namespaces::MOUNT | Namespaces::IPC).expect("namespaces: run as root");
            mount::propagate("/", Propagation::Private, true).unwrap();
            let root = tempfile::tempdir().unwrap();
            mount::mount("tmpfs", "root", root.path(), MountFlags::empty(), "").unwrap();
            for path in ["proc", "sys"] {
                directory(&root.path().join(path), 0o755).unwrap();
            }
            mount::pivot_root(root.path()).unwrap();
            work();
        });
        if let Err(panic) = thread.join() {
            std::panic::resume_unwind(panic);
        }
    }

    #[test]
    fn everything_is_mounted_once_and_found_again() {
        in_an_empty_root(|| {
            // With the devices of a container: a machine's device file system is the one of this test's host.
            for _ in 0..2 {
                basic(Platform::Container).unwrap();
                writable().unwrap();
                machine_views().unwrap();
            }
            let mounted = mount::table().unwrap();
            let times = |target: &str| {
                mounted.iter().filter(|mount| mount.target == Path::new(target)).count()
            };
            for target in ["/proc", "/sys", "/dev", "/dev/pts", "/dev/shm", "/run", "/system"] {
                assert_eq!(times(target), 1, "{target}");
            }
            assert!(times("/sys/kernel/debug") <= 1 && times("/dev/hugepages") <= 1);
            let mode = |path: &str| std::fs::metadata(path).unwrap().permissions().mode() & 0o7777;
            assert_eq!(mode("/system/state"), 0o700);
            assert_eq!(mode("/system/run"), 0o751);
            assert_eq!(mode("/tmp"), 0o1777);
            assert!(std::fs::read_link("/dev/fd").unwrap().starts_with("/proc/self"));
        });
    }
}
