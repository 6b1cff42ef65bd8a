//! `/etc`: the image's files with a writable layer in memory that only machined can reach.
//!
//! The layered tree is writable at `/system/etc`, which only root may enter, and read-only at
//! `/etc`. A file that machined puts into the first appears in the second at once.

use std::path::Path;

use sys::mount::{self, MountFlags};

use crate::mounts::{TreeError, directory};

/// Where the writable view is.
const WRITABLE: &str = "/system/etc";

/// What a container engine gives a container by mounting files over the image's; a layer over the
/// directory would hide them.
const SEEDS: [&str; 3] = ["hostname", "hosts", "resolv.conf"];

/// Directories whose contents are regenerated at every start.
const GENERATED: [&str; 2] = ["cni", "kubernetes"];

pub(crate) fn prepare() -> Result<(), TreeError> {
    let seeds: Vec<_> = SEEDS
        .iter()
        .filter_map(|name| Some((*name, std::fs::read(Path::new("/etc").join(name)).ok()?)))
        .collect();

    let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    mount::mount("tmpfs", "etc", WRITABLE, flags, "mode=700,size=8m")?;
    let writable = Path::new(WRITABLE);
    let (upper, work) = (writable.join("upper"), writable.join("work"));
    for path in [&upper, &work] {
        directory(path, 0o755)?;
    }
    let options = format!("lowerdir=/etc,upperdir={},workdir={}", upper.display(), work.display());
    // The layers lie in the tmpfs that this mount covers: nobody can change them behind its back.
    mount::mount("overlay", "etc", WRITABLE, flags, &options)?;
    for (name, content) in seeds {
        let path = writable.join(name);
        std::fs::write(&path, content).map_err(|source| TreeError::File { path, source })?;
    }
    for name in GENERATED {
        directory(&writable.join(name), 0o755)?;
    }
    mount::bind(WRITABLE, "/etc", false)?;
    mount::set_flags("/etc", flags | MountFlags::RDONLY)?;
    for name in GENERATED {
        let target = Path::new("/etc").join(name);
        mount::mount("tmpfs", name, target, flags, "mode=755")?;
    }
    Ok(())
}
