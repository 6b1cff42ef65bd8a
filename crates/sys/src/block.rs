//! Block devices: their sizes, the partitions that the kernel knows, and growing a file system.
//!
//! Nothing here writes data; a device is a file for that.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::path::Path;

/// `BLKGETSIZE64` of `linux/fs.h`.
const SIZE: libc::c_ulong = 0x8008_1272;
/// `BLKSSZGET` of `linux/fs.h`.
const SECTOR_SIZE: libc::c_ulong = 0x1268;
/// `BLKPG` of `linux/blkpg.h`.
const PARTITIONS: libc::c_ulong = 0x1269;
/// `EXT4_IOC_RESIZE_FS` of `linux/ext4.h`.
const RESIZE: libc::c_ulong = 0x4008_6610;

/// What to do to a partition that the kernel knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// It is new.
    Add,
    /// It has another size.
    Resize,
}

/// `struct blkpg_partition` of `linux/blkpg.h`.
#[repr(C)]
struct Partition {
    start: i64,
    length: i64,
    number: i32,
    names: [u8; 128],
}

/// `struct blkpg_ioctl_arg` of `linux/blkpg.h`.
#[repr(C)]
struct Argument {
    operation: i32,
    flags: i32,
    length: i32,
    data: *mut Partition,
}

/// The size of an open block device, in bytes.
///
/// # Errors
/// When it is no block device.
pub fn size(device: &File) -> io::Result<u64> {
    let mut size = 0_u64;
    // SAFETY: the request writes one 64-bit number to the address, which `size` has room for.
    check(unsafe { libc::ioctl(device.as_raw_fd(), SIZE as _, &raw mut size) })?;
    Ok(size)
}

/// The size of a sector of an open block device, in bytes.
///
/// # Errors
/// When it is no block device.
pub fn sector_size(device: &File) -> io::Result<u32> {
    let mut size = 0_i32;
    // SAFETY: the request writes one int to the address, which `size` has room for.
    check(unsafe { libc::ioctl(device.as_raw_fd(), SECTOR_SIZE as _, &raw mut size) })?;
    u32::try_from(size).map_err(|_| io::ErrorKind::InvalidData.into())
}

/// Tells the kernel about a partition of an open disk, in bytes, while others of it are in use.
///
/// # Errors
/// When the kernel refuses: the partition overlaps another or does not exist.
pub fn change_partition(
    disk: &File,
    change: Change,
    number: u32,
    start: u64,
    length: u64,
) -> io::Result<()> {
    let invalid = |_| io::Error::from(io::ErrorKind::InvalidInput);
    let mut partition = Partition {
        start: i64::try_from(start).map_err(invalid)?,
        length: i64::try_from(length).map_err(invalid)?,
        number: i32::try_from(number).map_err(invalid)?,
        names: [0; 128],
    };
    let mut argument = Argument {
        operation: match change {
            Change::Add => 1,
            Change::Resize => 3,
        },
        flags: 0,
        length: i32::try_from(size_of::<Partition>()).unwrap_or(0),
        data: &raw mut partition,
    };
    // SAFETY: the request reads one `struct blkpg_ioctl_arg` and the partition that it points to;
    // both have the kernel's layout and live until the call returns.
    check(unsafe { libc::ioctl(disk.as_raw_fd(), PARTITIONS as _, &raw mut argument) })
}

/// Lets the mounted ext4 file system that holds `path` have `blocks` blocks in all.
///
/// # Errors
/// When it is no ext4, its device is smaller, or the capability `CAP_SYS_RESOURCE` is missing.
pub fn resize_ext4(path: &Path, blocks: u64) -> io::Result<()> {
    let directory = File::open(path)?;
    // SAFETY: the request reads one 64-bit number from the address.
    check(unsafe { libc::ioctl(directory.as_raw_fd(), RESIZE as _, &raw const blocks) })
}

fn check(result: libc::c_int) -> io::Result<()> {
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_structures_have_the_kernels_sizes() {
        assert_eq!(size_of::<Partition>(), 152);
        assert_eq!(size_of::<Argument>(), 24);
    }

    #[test]
    fn a_file_is_no_block_device() {
        let file = File::open("/proc/self/exe").unwrap();
        assert!(size(&file).is_err());
        assert!(sector_size(&file).is_err());
    }
}
