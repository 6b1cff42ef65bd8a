//! Namespaces: making them, naming them by descriptor, entering them.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;

bitflags::bitflags! {
    /// Kinds of namespaces.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct Namespaces: i32 {
        /// Mounts.
        const MOUNT = libc::CLONE_NEWNS;
        /// Network devices, addresses, sockets.
        const NETWORK = libc::CLONE_NEWNET;
        /// Process ids.
        const PID = libc::CLONE_NEWPID;
        /// Host name.
        const UTS = libc::CLONE_NEWUTS;
        /// System V and POSIX message queues.
        const IPC = libc::CLONE_NEWIPC;
        /// The view of the cgroup tree.
        const CGROUP = libc::CLONE_NEWCGROUP;
        /// User ids and capabilities.
        const USER = libc::CLONE_NEWUSER;
    }
}

/// Gives the calling thread namespaces of its own.
///
/// Safe for memory, but a thread that shares its file-system context with others cannot make a
/// mount namespace; the kernel makes that context private first, for this thread only.
///
/// # Errors
/// When the kernel lacks the kind or the caller the right.
pub fn unshare(namespaces: Namespaces) -> io::Result<()> {
    // SAFETY: CLONE_FILES is not among the flags, so no descriptor changes its meaning for other
    // threads of this process.
    if unsafe { libc::unshare(namespaces.bits()) } == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

/// Moves the calling thread into the namespace behind `file`, which must be of `kind`.
///
/// # Errors
/// When the kinds differ or the caller lacks the right.
pub fn enter(file: &File, kind: Namespaces) -> io::Result<()> {
    // SAFETY: setns takes a descriptor and a flag; it touches no memory.
    if unsafe { libc::setns(file.as_raw_fd(), kind.bits()) } == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

/// The network namespace of the calling thread.
///
/// # Errors
/// When `/proc` is not mounted.
pub fn current_network() -> io::Result<File> {
    File::open("/proc/thread-self/ns/net")
}

/// The network namespace of a process.
///
/// # Errors
/// When the process is gone or `/proc` is not mounted.
pub fn network_of(pid: i32) -> io::Result<File> {
    File::open(format!("/proc/{pid}/ns/net"))
}
