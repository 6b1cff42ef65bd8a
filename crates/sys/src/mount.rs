//! Mounts: making, moving, changing, listing and removing them.
//!
//! Every call acts on the mount namespace of the calling thread; nothing here checks whose that is.

use std::ffi::CString;
use std::io;
use std::path::{Path, PathBuf};

use rustix::mount::{MountPropagationFlags, UnmountFlags};
use thiserror::Error;

pub use rustix::mount::MountFlags;

/// Why a mount operation failed.
#[derive(Debug, Error)]
pub enum MountError {
    /// A file system could not be mounted.
    #[error("cannot mount {kind} on {target}")]
    Mount {
        /// The file system type.
        kind: String,
        /// Where it should have appeared.
        target: PathBuf,
        /// What the kernel said.
        #[source]
        source: io::Error,
    },
    /// A directory or file could not be made visible elsewhere.
    #[error("cannot bind {origin} to {target}")]
    Bind {
        /// What should have been bound.
        origin: PathBuf,
        /// Where it should have appeared.
        target: PathBuf,
        /// What the kernel said.
        #[source]
        source: io::Error,
    },
    /// Flags or propagation of a mount could not be changed.
    #[error("cannot change the mount {target}")]
    Change {
        /// The mount.
        target: PathBuf,
        /// What the kernel said.
        #[source]
        source: io::Error,
    },
    /// A mount could not be removed.
    #[error("cannot unmount {target}")]
    Unmount {
        /// The mount.
        target: PathBuf,
        /// What the kernel said.
        #[source]
        source: io::Error,
    },
    /// The root could not be exchanged.
    #[error("cannot make {target} the root directory")]
    Root {
        /// The new root.
        target: PathBuf,
        /// What the kernel said.
        #[source]
        source: io::Error,
    },
    /// The table of mounts could not be read.
    #[error("cannot read the table of mounts")]
    Table(#[source] io::Error),
}

/// How mount events travel between a mount and its copies in other namespaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Propagation {
    /// Not at all.
    Private,
    /// Both ways.
    Shared,
    /// Into this one only.
    Slave,
}

/// Mounts a file system.
///
/// # Errors
/// When the kernel refuses; an option string with a zero byte counts as refused.
pub fn mount(
    kind: &str,
    source: impl AsRef<Path>,
    target: impl AsRef<Path>,
    flags: MountFlags,
    options: &str,
) -> Result<(), MountError> {
    let target = target.as_ref();
    let failed = |source| MountError::Mount { kind: kind.into(), target: target.into(), source };
    let options = CString::new(options).map_err(|_| failed(io::ErrorKind::InvalidInput.into()))?;
    rustix::mount::mount(source.as_ref(), target, kind, flags, options.as_c_str())
        .map_err(|e| failed(e.into()))
}

/// Makes `origin` visible at `target` too, with the mounts below it when `recursive`.
///
/// # Errors
/// When the kernel refuses.
pub fn bind(
    origin: impl AsRef<Path>,
    target: impl AsRef<Path>,
    recursive: bool,
) -> Result<(), MountError> {
    let (origin, target) = (origin.as_ref(), target.as_ref());
    let result = if recursive {
        rustix::mount::mount_bind_recursive(origin, target)
    } else {
        rustix::mount::mount_bind(origin, target)
    };
    result.map_err(|e| MountError::Bind {
        origin: origin.into(),
        target: target.into(),
        source: e.into(),
    })
}

/// Changes the flags of this mount point alone, not of the file system behind it.
///
/// # Errors
/// When the kernel refuses.
pub fn set_flags(target: impl AsRef<Path>, flags: MountFlags) -> Result<(), MountError> {
    let target = target.as_ref();
    rustix::mount::mount_remount(target, flags | MountFlags::BIND, c"")
        .map_err(|e| MountError::Change { target: target.into(), source: e.into() })
}

/// Binds `origin` to `target`, read-only there.
///
/// # Errors
/// When the kernel refuses.
pub fn bind_read_only(
    origin: impl AsRef<Path>,
    target: impl AsRef<Path>,
) -> Result<(), MountError> {
    let target = target.as_ref();
    bind(origin, target, false)?;
    set_flags(target, MountFlags::RDONLY | MountFlags::NOSUID | MountFlags::NODEV)
}

/// Sets how mount events travel, for `target` and with `recursive` for all below it.
///
/// # Errors
/// When the kernel refuses.
pub fn propagate(
    target: impl AsRef<Path>,
    propagation: Propagation,
    recursive: bool,
) -> Result<(), MountError> {
    let target = target.as_ref();
    let mut flags = match propagation {
        Propagation::Private => MountPropagationFlags::PRIVATE,
        Propagation::Shared => MountPropagationFlags::SHARED,
        Propagation::Slave => MountPropagationFlags::DOWNSTREAM,
    };
    if recursive {
        flags |= MountPropagationFlags::REC;
    }
    rustix::mount::mount_change(target, flags)
        .map_err(|e| MountError::Change { target: target.into(), source: e.into() })
}

/// Moves a mount.
///
/// # Errors
/// When the kernel refuses.
pub fn move_to(origin: impl AsRef<Path>, target: impl AsRef<Path>) -> Result<(), MountError> {
    let (origin, target) = (origin.as_ref(), target.as_ref());
    rustix::mount::mount_move(origin, target).map_err(|e| MountError::Bind {
        origin: origin.into(),
        target: target.into(),
        source: e.into(),
    })
}

/// Removes the topmost mount at `target`; with `detach` at once from sight, and from the kernel
/// when its last user is gone.
///
/// # Errors
/// When it is busy or no mount.
pub fn unmount(target: impl AsRef<Path>, detach: bool) -> Result<(), MountError> {
    let target = target.as_ref();
    let flags = if detach { UnmountFlags::DETACH } else { UnmountFlags::empty() };
    rustix::mount::unmount(target, flags | UnmountFlags::NOFOLLOW)
        .map_err(|e| MountError::Unmount { target: target.into(), source: e.into() })
}

/// Makes the mount `target` the root of this namespace and drops the old one.
///
/// # Errors
/// When the kernel refuses, for instance because `target` is no mount or the old root is shared.
pub fn pivot_root(target: impl AsRef<Path>) -> Result<(), MountError> {
    let target = target.as_ref();
    let failed =
        |e: rustix::io::Errno| MountError::Root { target: target.into(), source: e.into() };
    rustix::process::chdir(target).map_err(failed)?;
    // With the same directory for both, the old root ends up mounted over the new one, where it
    // can be detached without a place being needed for it (pivot_root(2), NOTES).
    rustix::process::pivot_root(".", ".").map_err(failed)?;
    rustix::mount::unmount(".", UnmountFlags::DETACH).map_err(failed)?;
    rustix::process::chdir("/").map_err(failed)
}

/// Makes the mount `target` the root the way an initramfs must, which has no mount to pivot from:
/// the mount is moved over `/` and entered.
///
/// # Errors
/// When the kernel refuses.
pub fn switch_root(target: impl AsRef<Path>) -> Result<(), MountError> {
    let target = target.as_ref();
    let failed =
        |e: rustix::io::Errno| MountError::Root { target: target.into(), source: e.into() };
    rustix::process::chdir(target).map_err(failed)?;
    rustix::mount::mount_move(".", "/").map_err(failed)?;
    rustix::process::chroot(".").map_err(failed)?;
    rustix::process::chdir("/").map_err(failed)
}

/// One line of `/proc/thread-self/mountinfo`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MountPoint {
    /// The mount's id.
    pub id: u32,
    /// The id of the mount it is on.
    pub parent: u32,
    /// Which directory of the file system is seen here.
    pub root: PathBuf,
    /// Where.
    pub target: PathBuf,
    /// The options of this mount point.
    pub options: String,
    /// The file system type.
    pub kind: String,
    /// What was mounted.
    pub source: String,
    /// The options of the file system.
    pub super_options: String,
}

/// The mounts of the calling thread's namespace, in the order they were made.
///
/// # Errors
/// When `/proc` is not mounted or its table is malformed.
pub fn table() -> Result<Vec<MountPoint>, MountError> {
    let text = std::fs::read_to_string("/proc/thread-self/mountinfo").map_err(MountError::Table)?;
    text.lines()
        .map(parse)
        .collect::<Option<_>>()
        .ok_or_else(|| MountError::Table(io::ErrorKind::InvalidData.into()))
}

/// Whether something is mounted exactly at `path`.
///
/// # Errors
/// When the table cannot be read.
pub fn is_mount_point(path: impl AsRef<Path>) -> Result<bool, MountError> {
    Ok(table()?.iter().any(|mount| mount.target == path.as_ref()))
}

/// One line, as described in proc_pid_mountinfo(5).
fn parse(line: &str) -> Option<MountPoint> {
    let (left, right) = line.split_once(" - ")?;
    let mut left = left.split(' ');
    let mut right = right.split(' ');
    Some(MountPoint {
        id: left.next()?.parse().ok()?,
        parent: left.next()?.parse().ok()?,
        root: {
            let _device = left.next()?;
            PathBuf::from(unescape(left.next()?))
        },
        target: PathBuf::from(unescape(left.next()?)),
        options: left.next()?.to_owned(),
        kind: right.next()?.to_owned(),
        source: unescape(right.next()?),
        super_options: right.next().unwrap_or_default().to_owned(),
    })
}

/// Blanks, tabs, newlines and backslashes are written as three octal digits.
fn unescape(field: &str) -> String {
    let mut bytes = Vec::with_capacity(field.len());
    let mut rest = field.as_bytes();
    while let [first, tail @ ..] = rest {
        match tail {
            [a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7', after @ ..] if *first == b'\\' => {
                bytes.push(((a - b'0') << 6) | ((b - b'0') << 3) | (c - b'0'));
                rest = after;
            }
            _ => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_with_optional_fields_and_odd_names_is_understood() {
        let line =
            "36 35 98:0 /a\\040b /mnt\\011x rw,noatime master:1 shared:7 - ext3 /dev/root rw";
        let mount = parse(line).unwrap();
        assert_eq!(mount.root, Path::new("/a b"));
        assert_eq!(mount.target, Path::new("/mnt\tx"));
        assert_eq!((mount.id, mount.parent, mount.kind.as_str()), (36, 35, "ext3"));
        assert_eq!(parse("36 35"), None);
        assert_eq!(unescape("\\13"), "\\13");
    }

    #[test]
    fn the_root_is_a_mount_point() {
        assert!(is_mount_point("/").unwrap());
        assert!(!is_mount_point("/does/not/exist").unwrap());
    }
}
