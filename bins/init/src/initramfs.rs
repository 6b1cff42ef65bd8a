//! The first part, in the initramfs: from a kernel with nothing to the root image as the root.
//!
//! The initramfs holds this program as `/init`, the root image, and only the modules that mounting
//! it needs, listed in the order in which the kernel must get them (see [`ROOT_IMAGE`],
//! [`MODULE_ORDER`]). What the kernel has built in is simply not listed.

use std::fs;
use std::io;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use sys::loop_device::{self, LoopError};
use sys::mount::{self, MountError, MountFlags};
use thiserror::Error;

use crate::console::Console;
use crate::fatal;
use crate::mounts::{self, TreeError};
use crate::platform::Platform;

/// The root image; only an initramfs has it here.
const ROOT_IMAGE: &str = "/rootfs.sqfs";
/// The modules of the initramfs.
const MODULES: &str = "/modules";
/// The names of the files in [`MODULES`], one a line.
const MODULE_ORDER: &str = "/modules/order";
/// Where the root image is mounted before it becomes the root.
const NEW_ROOT: &str = "/root";
/// The program of the second part, in the root image.
const INIT: &str = "/sbin/init";
/// What goes over to the new root.
const VIEWS: [&str; 3] = ["dev", "proc", "sys"];

/// Why the root image is not the root.
#[derive(Debug, Error)]
enum InitramfsError {
    #[error(transparent)]
    Tree(#[from] TreeError),
    #[error(transparent)]
    Mount(#[from] MountError),
    #[error("the root image {ROOT_IMAGE} cannot be used")]
    Image(#[from] LoopError),
    #[error("cannot read the list of modules {MODULE_ORDER}")]
    Order(#[source] io::Error),
    #[error("the root image {ROOT_IMAGE} is damaged or of another format; write the disk image anew")]
    Damaged(#[source] MountError),
    #[error("cannot execute {INIT} of the root image")]
    Execute(#[source] io::Error),
}

/// Whether this is an initramfs.
pub(crate) fn is_here() -> bool {
    Path::new(ROOT_IMAGE).exists()
}

/// Goes over to the root image; returns only when that failed and the machine could not even be
/// started again.
pub(crate) fn run() -> ExitCode {
    let mut console = Console::standard();
    let error = match prepare(&mut console) {
        Ok(mut command) => InitramfsError::Execute(command.exec()),
        Err(error) => error,
    };
    fatal::end(Platform::Machine, &mut console, "the root image cannot be started", &error)
}

fn prepare(console: &mut Console) -> Result<Command, InitramfsError> {
    mounts::first_views()?;
    *console = Console::open(Platform::Machine);
    fatal::catch_panics();
    load_modules(console)?;
    let device = loop_device::attach_read_only(Path::new(ROOT_IMAGE))?;
    mounts::directory(Path::new(NEW_ROOT), 0o755)?;
    let flags = MountFlags::RDONLY | MountFlags::NOSUID | MountFlags::NODEV;
    mount::mount("squashfs", device.path(), NEW_ROOT, flags, "")
        .map_err(InitramfsError::Damaged)?;
    for view in VIEWS {
        mount::move_to(Path::new("/").join(view), Path::new(NEW_ROOT).join(view))?;
    }
    free(console);
    mount::switch_root(NEW_ROOT)?;
    let mut command = Command::new(INIT);
    command.env_clear().env("PATH", "/usr/bin:/usr/sbin:/bin:/sbin").env("TERM", "linux");
    Ok(command)
}

/// The files of a list, in its order; blank lines and those that begin with `#` are none.
fn listed(order: &str) -> impl Iterator<Item = PathBuf> + '_ {
    order
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(|line| Path::new(MODULES).join(line))
}

/// Loads the listed modules. One that the kernel refuses is told; whether it was needed shows when
/// the root image is mounted.
fn load_modules(console: &mut Console) -> Result<(), InitramfsError> {
    let order = match fs::read_to_string(MODULE_ORDER) {
        Ok(order) => order,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(InitramfsError::Order(error)),
    };
    for path in listed(&order) {
        if let Err(error) = sys::module::load(&path, "") {
            console.error("a module of the initramfs is left out", &error);
        }
    }
    Ok(())
}

/// Gives back the memory of what is not needed any more. The root image stays: its blocks are read
/// from the memory that it lies in, without a name.
fn free(console: &mut Console) {
    let removed = [
        fs::remove_file(ROOT_IMAGE),
        fs::remove_file("/init"),
        fs::remove_dir_all(MODULES),
    ];
    for error in removed.into_iter().filter_map(Result::err) {
        if error.kind() != io::ErrorKind::NotFound {
            console.error("a part of the initramfs stays in memory", &error);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_of_modules_has_an_order() {
        let order = "# mounts the root\nlz4.ko\n\n  squashfs.ko \nloop.ko\n";
        let names: Vec<_> = listed(order).collect();
        let expected = ["/modules/lz4.ko", "/modules/squashfs.ko", "/modules/loop.ko"];
        assert_eq!(names, expected.map(PathBuf::from));
    }
}
