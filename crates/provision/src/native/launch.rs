//! The first moments of a node: the process that becomes its PID 1.
//!
//! The supervisor starts this program in new namespaces; it builds the node's file tree as a
//! container engine would, makes that its root, and executes the image's init.

use std::fs::File;
use std::io::{self, Read as _};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sys::loop_device::{self, LoopError};
use sys::mount::{self, MountError, MountFlags, Propagation};
use thiserror::Error;

use crate::spec::RootImage;

/// The image's PID 1.
const INIT: &str = "/sbin/init";

/// A directory or file of the host that a node sees.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Bind {
    pub(crate) source: PathBuf,
    /// Absolute, inside the node.
    pub(crate) target: PathBuf,
    pub(crate) read_only: bool,
}

/// Everything a node's first process must know; it is given on standard input.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Launch {
    pub(crate) hostname: String,
    pub(crate) root: RootImage,
    /// An empty directory of the host.
    pub(crate) mountpoint: PathBuf,
    pub(crate) binds: Vec<Bind>,
    pub(crate) environment: Vec<(String, String)>,
}

/// Why a node did not come to life.
#[derive(Debug, Error)]
pub(crate) enum LaunchError {
    #[error("cannot read what to launch")]
    Read(#[source] io::Error),
    #[error("what to launch is not understood")]
    Understand(#[source] serde_json::Error),
    #[error("cannot set the host name")]
    Hostname(#[source] io::Error),
    #[error(transparent)]
    Mount(#[from] MountError),
    #[error(transparent)]
    Loop(#[from] LoopError),
    #[error("cannot make {path}")]
    Make {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("the root image has no {path}, over which {origin} must be mounted")]
    Target { path: PathBuf, origin: PathBuf },
    #[error("cannot open /dev/null")]
    Null(#[source] io::Error),
    #[error("cannot execute {INIT} of the root image")]
    Execute(#[source] io::Error),
}

/// Runs the launch; returns only when it failed.
pub(crate) fn run() -> LaunchError {
    match prepare() {
        Ok(mut command) => LaunchError::Execute(command.exec()),
        Err(error) => error,
    }
}

fn prepare() -> Result<std::process::Command, LaunchError> {
    let mut text = Vec::new();
    io::stdin().read_to_end(&mut text).map_err(LaunchError::Read)?;
    let launch: Launch = serde_json::from_slice(&text).map_err(LaunchError::Understand)?;
    let null = File::open("/dev/null").map_err(LaunchError::Null)?;

    // Nothing mounted from here on may be seen outside.
    mount::propagate("/", Propagation::Private, true)?;
    sys::system::set_hostname(&launch.hostname).map_err(LaunchError::Hostname)?;
    mount_root(&launch.root, &launch.mountpoint)?;
    let root = &launch.mountpoint;
    // What a container engine provides: memory for `/system`, in which places for disks are made.
    let memory = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    mount::mount("tmpfs", "system", root.join("system"), memory, "mode=755")?;
    for bind in &launch.binds {
        place(root, bind)?;
    }
    mount::pivot_root(root)?;

    let mut command = std::process::Command::new(INIT);
    command.env_clear().envs(launch.environment).stdin(null);
    Ok(command)
}

fn mount_root(image: &RootImage, mountpoint: &Path) -> Result<(), LaunchError> {
    let flags = MountFlags::RDONLY | MountFlags::NODEV;
    match image {
        RootImage::Squashfs(file) => {
            let device = loop_device::attach_read_only(file)?;
            mount::mount("squashfs", device.path(), mountpoint, flags, "")?;
        }
        RootImage::Directory(directory) => {
            mount::bind(directory, mountpoint, false)?;
            mount::set_flags(mountpoint, flags)?;
        }
    }
    Ok(())
}

fn place(root: &Path, bind: &Bind) -> Result<(), LaunchError> {
    let below = bind.target.strip_prefix("/").unwrap_or(&bind.target);
    let target = root.join(below);
    // Only `/system` is writable at this point; elsewhere the image must have the place.
    if bind.target.starts_with("/system") {
        std::fs::create_dir_all(&target)
            .map_err(|source| LaunchError::Make { path: bind.target.clone(), source })?;
    } else if !target.exists() {
        let (path, origin) = (bind.target.clone(), bind.source.clone());
        return Err(LaunchError::Target { path, origin });
    }
    mount::bind(&bind.source, &target, false)?;
    let mut flags = MountFlags::NODEV;
    if bind.read_only {
        flags |= MountFlags::RDONLY | MountFlags::NOSUID;
    }
    Ok(mount::set_flags(&target, flags)?)
}
