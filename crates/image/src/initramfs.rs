//! The archive of the first file system, compressed with zstd, as the kernel unpacks it.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use boot::cpio::{CpioError, Entry, Kind, Writer};
use boot::initramfs::{DRIVERS, INIT, MODULES, NEEDED, ROOT, list};

use crate::kernel::{Kernel, KernelError};

/// The level of compression: nearly all of the content is compressed already.
const LEVEL: i32 = 3;

/// What goes into the archive.
#[derive(Clone, Copy, Debug)]
pub struct Content<'a> {
    /// The program that the kernel starts.
    pub init: &'a Path,
    /// The root image.
    pub root: &'a Path,
    /// The image of drivers.
    pub drivers: &'a Path,
    /// The kernel, for the modules that mounting these needs.
    pub kernel: &'a Kernel,
}

/// Why the archive could not be made.
#[derive(Debug, thiserror::Error)]
pub enum InitramfsError {
    /// The kernel lacks something.
    #[error(transparent)]
    Kernel(#[from] KernelError),
    /// A file could not be read.
    #[error("reading {} for the first file system", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's answer.
        #[source]
        source: io::Error,
    },
    /// A file does not fit the format.
    #[error("the first file system")]
    Archive(#[from] CpioError),
    /// Compression failed.
    #[error("compressing the first file system")]
    Compress(#[source] io::Error),
}

/// Makes the archive.
pub fn build(content: &Content<'_>) -> Result<Vec<u8>, InitramfsError> {
    let read = |path: &Path| {
        fs::read(path).map_err(|source| InitramfsError::Read { path: path.to_owned(), source })
    };
    let directory = MODULES.rsplit_once('/').map_or("", |(directory, _)| directory);
    let place = |path: &String| {
        let name = path.rsplit('/').next().unwrap_or(path);
        format!("{directory}/{name}")
    };
    let needed = content.kernel.needed(&NEEDED)?;
    let mut modules = BTreeMap::new();
    for path in needed.iter().flatten() {
        modules.insert(place(path), read(&content.kernel.modules().join(path))?);
    }
    let lines: Vec<_> = needed.iter().map(|paths| paths.iter().map(place).collect()).collect();
    let order = list(&lines);
    let mut archive = Writer::new();
    for name in ["dev", "proc", "root", "sys", directory] {
        archive.entry(&Entry { path: name, kind: Kind::Directory, mode: 0o755, content: &[] })?;
    }
    // The first process has this as its input and output before it has mounted anything.
    let console = Kind::Character { major: 5, minor: 1 };
    archive.entry(&Entry { path: "dev/console", kind: console, mode: 0o600, content: &[] })?;
    let mut file = |path: &str, mode: u32, content: &[u8]| {
        archive.entry(&Entry { path, kind: Kind::File, mode, content }).map(|_| ())
    };
    file(INIT, 0o755, &read(content.init)?)?;
    file(MODULES, 0o644, order.as_bytes())?;
    for (path, module) in &modules {
        file(path, 0o644, module)?;
    }
    file(ROOT, 0o644, &read(content.root)?)?;
    file(DRIVERS, 0o644, &read(content.drivers)?)?;
    let archive = archive.finish()?;
    zstd::bulk::compress(&archive, LEVEL).map_err(InitramfsError::Compress)
}
