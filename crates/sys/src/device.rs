//! Device files and the few file operations that std lacks.

use std::io;
use std::path::Path;

use rustix::fs::{CWD, FileType, Mode, makedev, mknodat};

/// Makes a character device file.
///
/// # Errors
/// When it exists or the kernel refuses.
pub fn make_character(path: impl AsRef<Path>, mode: u32, major: u32, minor: u32) -> io::Result<()> {
    let path = path.as_ref();
    let device = makedev(major, minor);
    mknodat(CWD, path, FileType::CharacterDevice, Mode::from_raw_mode(mode), device)?;
    // The process's mask does not apply to what was asked for.
    rustix::fs::chmod(path, Mode::from_raw_mode(mode))?;
    Ok(())
}

/// The major and minor number of a character device file; `None` when `path` is none.
///
/// # Errors
/// When it cannot be looked at.
pub fn character_number(path: impl AsRef<Path>) -> io::Result<Option<(u32, u32)>> {
    let stat = rustix::fs::stat(path.as_ref())?;
    let is_device = FileType::from_raw_mode(stat.st_mode) == FileType::CharacterDevice;
    let number = (rustix::fs::major(stat.st_rdev), rustix::fs::minor(stat.st_rdev));
    Ok(is_device.then_some(number))
}

/// Writes the data of the one file system that holds `path` to its disk.
///
/// # Errors
/// When the path cannot be opened or the disk fails.
pub fn sync_file_system(path: impl AsRef<Path>) -> io::Result<()> {
    let file = std::fs::File::open(path)?;
    rustix::fs::syncfs(&file)?;
    Ok(())
}
