//! The first part, in the initramfs: from a kernel with nothing to the root image as the root.
//!
//! What is where in it is said by [`boot::initramfs`], which the image builder goes by too.

use std::fs;
use std::io;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use boot::initramfs::{DRIVERS, DRIVERS_TARGET, INIT, MODULES, ROOT, listed};
use sys::loop_device::{self, LoopError};
use sys::mount::{self, MountError, MountFlags};
use thiserror::Error;

use crate::console::Console;
use crate::fatal;
use crate::mounts::{self, TreeError};
use crate::platform::Platform;

/// Where the root image is mounted before it becomes the root.
const NEW_ROOT: &str = "/root";
/// The program of the second part, in the root image.
const NEXT: &str = "/sbin/init";
/// What goes over to the new root.
const VIEWS: [&str; 3] = ["dev", "proc", "sys"];

/// Why the root image is not the root.
#[derive(Debug, Error)]
enum InitramfsError {
    #[error(transparent)]
    Tree(#[from] TreeError),
    #[error(transparent)]
    Mount(#[from] MountError),
    #[error("the image /{member} cannot be used")]
    Image {
        member: &'static str,
        #[source]
        source: LoopError,
    },
    #[error("cannot read the list of modules /{MODULES}")]
    Order(#[source] io::Error),
    #[error("the image /{member} is damaged; write the disk image anew")]
    Damaged {
        member: &'static str,
        #[source]
        source: MountError,
    },
    #[error("cannot execute {NEXT} of the root image")]
    Execute(#[source] io::Error),
}

/// The place of a member of the initramfs.
fn at(member: &str) -> PathBuf {
    Path::new("/").join(member)
}

/// Whether this is an initramfs.
pub(crate) fn is_here() -> bool {
    at(ROOT).exists()
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
    mounts::directory(Path::new(NEW_ROOT), 0o755)?;
    mount_image(ROOT, Path::new(NEW_ROOT))?;
    if at(DRIVERS).exists() {
        mount_image(DRIVERS, &Path::new(NEW_ROOT).join(DRIVERS_TARGET))?;
    }
    for view in VIEWS {
        mount::move_to(Path::new("/").join(view), Path::new(NEW_ROOT).join(view))?;
    }
    free(console);
    mount::switch_root(NEW_ROOT)?;
    let mut command = Command::new(NEXT);
    command.env_clear().env("PATH", "/usr/bin:/usr/sbin:/bin:/sbin").env("TERM", "linux");
    Ok(command)
}

/// Mounts an image of the initramfs read-only.
fn mount_image(member: &'static str, target: &Path) -> Result<(), InitramfsError> {
    let failed = |source| InitramfsError::Image { member, source };
    let device = loop_device::attach_read_only(&at(member)).map_err(failed)?;
    let flags = MountFlags::RDONLY | MountFlags::NOSUID | MountFlags::NODEV;
    mount::mount("squashfs", device.path(), target, flags, "")
        .map_err(|source| InitramfsError::Damaged { member, source })
}

/// Loads the listed modules, the lines at the same time. One that the kernel refuses is told; whether it was needed shows
/// when the root image is mounted.
fn load_modules(console: &mut Console) -> Result<(), InitramfsError> {
    let order = match fs::read_to_string(at(MODULES)) {
        Ok(order) => order,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(InitramfsError::Order(error)),
    };
    let load = &|paths: Vec<&str>| {
        let loaded = paths.into_iter().map(|path| sys::module::load(&at(path), ""));
        loaded.filter_map(Result::err).collect::<Vec<_>>()
    };
    let refused = std::thread::scope(|scope| {
        let lines = listed(&order).into_iter();
        let threads: Vec<_> = lines.map(|paths| scope.spawn(move || load(paths))).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap_or_default()).collect::<Vec<_>>()
    });
    for error in &refused {
        console.error("a module of the initramfs is left out", error);
    }
    Ok(())
}

/// Gives back the memory of what is not needed any more. The images stay: their blocks are read from
/// the memory that they lie in, without a name.
fn free(console: &mut Console) {
    let modules = at(MODULES);
    let directory = modules.parent().unwrap_or(&modules);
    let removed = [
        fs::remove_file(at(ROOT)),
        fs::remove_file(at(DRIVERS)),
        fs::remove_file(at(INIT)),
        fs::remove_dir_all(directory),
    ];
    for error in removed.into_iter().filter_map(Result::err) {
        if error.kind() != io::ErrorKind::NotFound {
            console.error("a part of the initramfs stays in memory", &error);
        }
    }
}
