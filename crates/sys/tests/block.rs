//! Partitions that the kernel is told of, on a loop device. Needs root and loop devices.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs::OpenOptions;
use std::process::Command;

use sys::block::{Change, change_partition, sector_size, size};

const MIB: u64 = 1 << 20;

/// A loop device that goes with this value.
struct Loop(String);

impl Drop for Loop {
    fn drop(&mut self) {
        let _ = Command::new("losetup").args(["-d", &self.0]).status();
    }
}

#[test]
fn partitions_come_and_grow_while_the_disk_is_open() {
    let image = tempfile::NamedTempFile::new().unwrap();
    image.as_file().set_len(64 * MIB).unwrap();
    let output =
        Command::new("losetup").args(["-P", "-f", "--show"]).arg(image.path()).output().unwrap();
    if !output.status.success() {
        eprintln!("NOT TESTED: no loop device: {}", String::from_utf8_lossy(&output.stderr));
        return;
    }
    let device = Loop(String::from_utf8(output.stdout).unwrap().trim().to_owned());
    let disk = OpenOptions::new().read(true).write(true).open(&device.0).unwrap();
    assert_eq!((size(&disk).unwrap(), sector_size(&disk).unwrap()), (64 * MIB, 512));

    let name = device.0.trim_start_matches("/dev/");
    let sectors = || {
        let path = format!("/sys/block/{name}/{name}p3/size");
        std::fs::read_to_string(path).unwrap().trim().parse::<u64>().unwrap()
    };
    change_partition(&disk, Change::Add, 3, MIB, 2 * MIB).unwrap();
    assert_eq!(sectors(), 4096);
    change_partition(&disk, Change::Resize, 3, MIB, 60 * MIB).unwrap();
    assert_eq!(sectors(), 122_880);
    // Two partitions do not overlap, and one that does not exist is not resized.
    assert!(change_partition(&disk, Change::Add, 4, 2 * MIB, MIB).is_err());
    assert!(change_partition(&disk, Change::Resize, 5, 62 * MIB, MIB).is_err());
}
