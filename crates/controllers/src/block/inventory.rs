//! The block devices as the kernel lists them in `/sys`, and what their first and last bytes say.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use resource::block::{DeviceSpec, DiscoveredVolumeSpec, DiskSpec};
use storage::gpt::{EDGE, Table};
use storage::probe::{self, Content, Ends};
use storage::volume::{Disk, Part};

use crate::Paths;

/// Memory that looks like disks.
const MEMORY: [&str; 3] = ["ram", "zram", "fd"];
/// The kernel counts sizes and places in these, whatever a device's sectors are.
const UNIT: u64 = 512;

/// Why the devices are not known.
#[derive(Debug, thiserror::Error)]
#[error("cannot list block devices in {path}")]
pub(super) struct InventoryError {
    path: PathBuf,
    #[source]
    source: io::Error,
}

/// All whole disks with their partitions, by name. A disk that cannot be read, as a drive without medium, is left out.
pub(super) fn disks(paths: &Paths) -> Result<Vec<Disk>, InventoryError> {
    let mut disks = Vec::new();
    for (name, directory) in entries(&paths.at("/sys/block"))? {
        if MEMORY.iter().any(|memory| name.starts_with(memory)) || number(&directory, "size") == 0 {
            continue;
        }
        match disk(paths, &name, &directory) {
            Ok(disk) => disks.push(disk),
            Err(error) => tracing::warn!(disk = name, %error, "a disk cannot be read"),
        }
    }
    Ok(disks)
}

/// The devices without a look at their content.
pub(super) fn devices(paths: &Paths, disks: &[Disk]) -> Vec<(String, DeviceSpec)> {
    let mut devices = Vec::new();
    for disk in disks {
        devices.push((disk.name.clone(), device(paths, "disk", &disk.volume)));
        for part in &disk.parts {
            let mut spec = device(paths, "partition", &part.volume);
            spec.parent.clone_from(&disk.name);
            spec.partition_name.clone_from(&part.volume.partition_label);
            spec.partition_number = part.number.into();
            devices.push((part.name.clone(), spec));
        }
    }
    devices
}

fn device(paths: &Paths, kind: &str, volume: &DiscoveredVolumeSpec) -> DeviceSpec {
    let numbers = read(&paths.at("/sys").join(volume.device_path.trim_start_matches('/')), "dev");
    let (major, minor) = numbers.split_once(':').unwrap_or_default();
    DeviceSpec {
        r#type: kind.to_owned(),
        major: major.parse().unwrap_or_default(),
        minor: minor.parse().unwrap_or_default(),
        device_path: volume.device_path.clone(),
        ..Default::default()
    }
}

/// The partition that the boot loader was read from, as it told the firmware (boot loader interface of systemd).
pub(super) fn booted_partition(paths: &Paths) -> Option<String> {
    crate::firmware::loader_variable(paths, "LoaderDevicePartUUID")
}

fn entries(directory: &Path) -> Result<Vec<(String, PathBuf)>, InventoryError> {
    let failed = |source| InventoryError { path: directory.to_owned(), source };
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        if let Ok(name) = entry.file_name().into_string() {
            found.push((name, entry.path()));
        }
    }
    found.sort();
    Ok(found)
}

/// A file's text without the spaces around it; empty when there is none.
fn read(directory: &Path, file: &str) -> String {
    fs::read_to_string(directory.join(file)).unwrap_or_default().trim().to_owned()
}

fn number(directory: &Path, file: &str) -> u64 {
    read(directory, file).parse().unwrap_or_default()
}

fn disk(paths: &Paths, name: &str, directory: &Path) -> io::Result<Disk> {
    let place = fs::canonicalize(directory)?;
    let device_path = place.strip_prefix(paths.at("/sys")).unwrap_or(&place);
    let device_path = Path::new("/").join(device_path).display().to_string();
    let size = number(directory, "size") * UNIT;
    let sector_size = number(directory, "queue/logical_block_size").max(UNIT);
    let io_size = number(directory, "queue/minimum_io_size").max(sector_size);
    let dev_path = format!("/dev/{name}");
    let (content, table) = look(&paths.at(&dev_path), size, sector_size)?;
    let spec = DiskSpec {
        dev_path: dev_path.clone(),
        size,
        pretty_size: pretty(size),
        io_size,
        sector_size,
        readonly: number(directory, "ro") == 1,
        cdrom: name.starts_with("sr"),
        model: read(directory, "device/model"),
        firmware_version: read(directory, "device/firmware_rev"),
        serial: first(directory, &["serial", "device/serial"]),
        modalias: read(directory, "device/modalias"),
        wwid: first(directory, &["wwid", "device/wwid"]),
        uuid: read(directory, "uuid"),
        bus_path: device_path.split("/block/").next().map(bus).unwrap_or_default(),
        sub_system: "/sys/class/block".to_owned(),
        transport: transport(name, &device_path).to_owned(),
        rotational: number(directory, "queue/rotational") == 1,
        secondary_disks: Vec::new(),
        symlinks: Vec::new(),
    };
    let volume = volume(&dev_path, &device_path, (0, size), (sector_size, io_size), &content);
    let volume = DiscoveredVolumeSpec { r#type: "disk".to_owned(), ..volume };
    let mut disk = Disk { name: name.to_owned(), spec, volume, content, table, parts: Vec::new() };
    let children = entries(directory).map_err(|error| error.source)?;
    for (child, directory) in children {
        let index = read(&directory, "partition").parse();
        if let Ok(index) = index
            && let Some(part) = part(paths, &disk, &child, &directory, index)?
        {
            disk.parts.push(part);
        }
    }
    disk.parts.sort_by_key(|part| part.number);
    Ok(disk)
}

fn part(
    paths: &Paths,
    disk: &Disk,
    name: &str,
    directory: &Path,
    index: u32,
) -> io::Result<Option<Part>> {
    let (offset, size) = (number(directory, "start") * UNIT, number(directory, "size") * UNIT);
    // An extended partition of the old kind is no volume.
    if size <= 2 * UNIT {
        return Ok(None);
    }
    let dev_path = format!("/dev/{name}");
    let sizes = (disk.spec.sector_size, disk.spec.io_size);
    let (content, _) = look(&paths.at(&dev_path), size, disk.spec.sector_size)?;
    let device_path = format!("{}/{name}", disk.volume.device_path);
    let mut volume = volume(&dev_path, &device_path, (offset, size), sizes, &content);
    "partition".clone_into(&mut volume.r#type);
    volume.parent.clone_from(&disk.name);
    volume.parent_dev_path.clone_from(&disk.spec.dev_path);
    volume.partition_index = index.into();
    if let Some(entry) = disk.table.as_ref().and_then(|table| table.partitions().get(&index)) {
        volume.partition_uuid = entry.id.to_string();
        volume.partition_type = entry.kind.to_string();
        volume.partition_label.clone_from(&entry.label);
    }
    Ok(Some(Part { name: name.to_owned(), number: index, volume, content }))
}

fn volume(
    dev_path: &str,
    device_path: &str,
    (offset, size): (u64, u64),
    (sector_size, io_size): (u64, u64),
    content: &Content,
) -> DiscoveredVolumeSpec {
    let mut volume = DiscoveredVolumeSpec {
        dev_path: dev_path.to_owned(),
        device_path: device_path.to_owned(),
        offset,
        size,
        pretty_size: pretty(size),
        sector_size,
        io_size,
        ..Default::default()
    };
    if let Some(found) = content.first() {
        found.kind.name().clone_into(&mut volume.name);
        volume.uuid.clone_from(&found.uuid);
        volume.label.clone_from(&found.label);
        volume.block_size = found.block_size;
        volume.filesystem_block_size = found.block_size;
        volume.probed_size = found.size;
    }
    volume
}

/// A superblock that the kernel is changing may be seen half changed, for an instant.
const READS: usize = 8;

/// Reads the two ends of a device.
fn look(device: &Path, size: u64, sector_size: u64) -> io::Result<(Content, Option<Table>)> {
    let file = File::open(device)?;
    let edge = usize::try_from(size).unwrap_or(EDGE).min(EDGE);
    let (mut first, mut last) = (vec![0; edge], vec![0; edge]);
    let sector_size = u32::try_from(sector_size).unwrap_or(0);
    let mut reads = 0;
    loop {
        file.read_exact_at(&mut first, 0)?;
        file.read_exact_at(&mut last, size - u64::try_from(edge).unwrap_or(0))?;
        let ends = Ends { first: &first, last: &last, size, sector_size };
        let content = probe::probe(ends);
        reads += 1;
        let damaged = content
            .first()
            .is_some_and(|found| found.kind == probe::Kind::Ext4 && found.uuid.is_empty());
        if !damaged || reads == READS {
            return Ok((content, probe::table(ends).ok()));
        }
    }
}

fn first(directory: &Path, files: &[&str]) -> String {
    let mut texts = files.iter().map(|file| read(directory, file));
    texts.find(|text| !text.is_empty()).unwrap_or_default()
}

/// The place on the machine's buses, from `/devices` on.
fn bus(path: &str) -> String {
    path.strip_prefix("/devices").unwrap_or(path).to_owned()
}

fn transport(name: &str, path: &str) -> &'static str {
    let has = |part: &str| path.contains(part);
    match name {
        _ if name.starts_with("nvme") => "nvme",
        _ if name.starts_with("mmcblk") => "mmc",
        _ if has("/usb") => "usb",
        _ if has("/virtio") => "virtio",
        _ if has("/ata") => "sata",
        _ if has("/host") => "scsi",
        _ => "",
    }
}

/// A size for people, in units of a thousand as disks are sold: one digit after the point below ten.
pub(super) fn pretty(size: u64) -> String {
    const UNITS: [&str; 7] = ["B", "kB", "MB", "GB", "TB", "PB", "EB"];
    let (mut value, mut unit) = (u128::from(size) * 10, 0);
    while value >= 10_000 && unit + 1 < UNITS.len() {
        value = (value + 500) / 1000;
        unit += 1;
    }
    let name = UNITS.get(unit).copied().unwrap_or_default();
    if value < 100 && unit > 0 {
        return format!("{}.{} {name}", value / 10, value % 10);
    }
    format!("{} {name}", (value + 5) / 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_for_people() {
        let cases = [
            (0, "0 B"),
            (512, "512 B"),
            (1_048_576, "1.0 MB"),
            (104_857_600, "105 MB"),
            (8_589_934_592, "8.6 GB"),
            (10_737_418_240, "11 GB"),
            (1_000_204_886_016, "1.0 TB"),
        ];
        for (size, text) in cases {
            assert_eq!(pretty(size), text);
        }
    }

    #[test]
    fn a_disk_is_read_from_the_kernels_files() {
        use storage::gpt::{Geometry, LINUX_DATA, Request};
        let root = tempfile::tempdir().unwrap();
        let paths = Paths::new(root.path());
        let write = |path: &str, text: &str| {
            let path = paths.at(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        let size = 64_u64 << 20;
        let device = "/sys/devices/pci0000:00/0000:00:04.0/virtio2/block/vda";
        write(&format!("{device}/size"), "131072\n");
        write(&format!("{device}/queue/logical_block_size"), "512\n");
        write(&format!("{device}/serial"), "disk-0\n");
        write(&format!("{device}/vda1/partition"), "1\n");
        write(&format!("{device}/vda1/start"), "2048\n");
        write(&format!("{device}/vda1/size"), "2048\n");
        write("/sys/block/ram0/size", "8192\n");
        std::os::unix::fs::symlink(paths.at(device), paths.at("/sys/block/vda")).unwrap();
        let mut table = Table::new(Geometry::new(512, size).unwrap(), storage::Guid::ZERO);
        let id = storage::Guid::derived(&["META"]);
        let label = "META".to_owned();
        let (min, max) = (1 << 20, Some(1 << 20));
        table.add(Request { label, kind: LINUX_DATA, id, attributes: 0, min, max }).unwrap();
        fs::create_dir_all(paths.at("/dev")).unwrap();
        let file = File::create(paths.at("/dev/vda")).unwrap();
        file.set_len(size).unwrap();
        for piece in table.encode() {
            file.write_all_at(&piece.bytes, piece.offset).unwrap();
        }
        File::create(paths.at("/dev/vda1")).unwrap().set_len(1 << 20).unwrap();

        let disks = disks(&paths).unwrap();
        assert_eq!(disks.len(), 1);
        let disk = &disks[0];
        assert_eq!((disk.spec.transport.as_str(), disk.spec.serial.as_str()), ("virtio", "disk-0"));
        assert_eq!(disk.spec.bus_path, "/pci0000:00/0000:00:04.0/virtio2");
        assert_eq!((disk.volume.name.as_str(), disk.spec.pretty_size.as_str()), ("gpt", "67 MB"));
        let part = &disk.parts[0];
        assert_eq!((part.number, part.volume.partition_label.as_str()), (1, "META"));
        assert_eq!(
            (part.volume.partition_uuid.as_str(), part.volume.size),
            (id.to_string().as_str(), 1 << 20)
        );
        assert_eq!(part.content, Content::Blank);
    }
}
