//! Loop devices: files as block devices, for as long as something is mounted from them.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};

use thiserror::Error;

/// Why a file could not become a block device.
#[derive(Debug, Error)]
pub enum LoopError {
    /// The kernel offers no loop devices here.
    #[error("cannot get a free loop device from /dev/loop-control")]
    Control(#[source] io::Error),
    /// The device or the file could not be opened.
    #[error("cannot open {path}")]
    Open {
        /// Which.
        path: PathBuf,
        /// What the kernel said.
        #[source]
        source: io::Error,
    },
    /// The device refused the file.
    #[error("cannot attach {file} to {device}")]
    Attach {
        /// The file.
        file: PathBuf,
        /// The device.
        device: PathBuf,
        /// What the kernel said.
        #[source]
        source: io::Error,
    },
}

/// A block device made of a file. The kernel takes it apart when this value is dropped and
/// nothing is mounted from it any more.
#[derive(Debug)]
pub struct LoopDevice {
    path: PathBuf,
    _device: File,
}

impl LoopDevice {
    /// The device file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

const LOOP_CTL_GET_FREE: libc::c_ulong = 0x4C82;
const LOOP_CONFIGURE: libc::c_ulong = 0x4C0A;
const LO_FLAGS_READ_ONLY: u32 = 1;
const LO_FLAGS_AUTOCLEAR: u32 = 4;

/// `struct loop_config` of `linux/loop.h` with its `struct loop_info64` inside.
#[repr(C)]
struct Config {
    fd: u32,
    block_size: u32,
    device: u64,
    inode: u64,
    rdevice: u64,
    offset: u64,
    size_limit: u64,
    number: u32,
    encrypt_type: u32,
    encrypt_key_size: u32,
    flags: u32,
    file_name: [u8; 64],
    crypt_name: [u8; 64],
    encrypt_key: [u8; 32],
    init: [u64; 2],
    reserved: [u64; 8],
}

/// Attaches `file` read-only to a free loop device.
///
/// # Errors
/// When the kernel has no loop devices, or refuses.
pub fn attach_read_only(file: &Path) -> Result<LoopDevice, LoopError> {
    let opened = |path: &Path, result: io::Result<File>| {
        result.map_err(|source| LoopError::Open { path: path.into(), source })
    };
    let backing = opened(file, File::open(file))?;
    let control = File::options()
        .read(true)
        .write(true)
        .open("/dev/loop-control")
        .map_err(LoopError::Control)?;
    loop {
        // SAFETY: this request takes no argument and returns a number.
        let number = unsafe { libc::ioctl(control.as_raw_fd(), LOOP_CTL_GET_FREE as _) };
        if number < 0 {
            return Err(LoopError::Control(io::Error::last_os_error()));
        }
        let path = PathBuf::from(format!("/dev/loop{number}"));
        let device = opened(&path, File::open(&path))?;
        // SAFETY: all fields are integers or arrays of them, for which zero is valid.
        let mut config: Config = unsafe { std::mem::zeroed() };
        config.fd = u32::try_from(backing.as_raw_fd()).unwrap_or(u32::MAX);
        config.flags = LO_FLAGS_READ_ONLY | LO_FLAGS_AUTOCLEAR;
        // SAFETY: the request reads exactly one `struct loop_config`, whose layout `Config` has.
        if unsafe { libc::ioctl(device.as_raw_fd(), LOOP_CONFIGURE as _, &raw const config) } == 0 {
            return Ok(LoopDevice { path, _device: device });
        }
        let error = io::Error::last_os_error();
        // Another process took the device between the two requests: ask for the next one.
        if error.raw_os_error() != Some(libc::EBUSY) {
            let file = file.to_path_buf();
            return Err(LoopError::Attach { file, device: path, source: error });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_configuration_has_the_kernels_size() {
        assert_eq!(size_of::<Config>(), 4 + 4 + 232 + 64);
    }
}
