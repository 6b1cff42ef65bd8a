//! Where everything is on the volume, and the bytes of it.

use std::collections::BTreeSet;

use super::name::{self, Short};
use super::{FatError, Parameters};
use crate::Piece;
use crate::bytes::{narrow, put, wide};
use crate::tree::{Node, Tree};

/// A volume with fewer clusters is FAT16, whatever it says; some drivers count them off by a few.
const LEAST_CLUSTERS: u64 = 65525 + 16;
/// Mark of a chain's end.
const END: u32 = 0x0fff_ffff;
/// Sectors before the tables at the least, as usual.
const RESERVED: u64 = 32;

const DIRECTORY: u8 = 0x10;
const ARCHIVE: u8 = 0x20;
const VOLUME_LABEL: u8 = 0x08;

/// A file system that is laid out and can be written.
#[derive(Clone, Debug)]
pub struct Volume<'a> {
    parameters: Parameters,
    shape: Shape,
    label: Short,
    date: [u8; 4],
    table: Vec<u32>,
    contents: Vec<(u32, Content<'a>)>,
}

#[derive(Clone, Debug)]
enum Content<'a> {
    Directory(Vec<u8>),
    File(&'a [u8]),
}

/// Numbers of the boot sector.
#[derive(Clone, Copy, Debug)]
struct Shape {
    sector: u64,
    sectors: u64,
    /// Sectors of a cluster.
    cluster: u64,
    reserved: u64,
    /// Sectors of one table.
    table: u64,
    clusters: u64,
}

impl Shape {
    fn new(parameters: &Parameters) -> Result<Self, FatError> {
        let Parameters { size, sector_size, .. } = *parameters;
        if !(512..=4096).contains(&sector_size) || !sector_size.is_power_of_two() {
            return Err(FatError::SectorSize(sector_size));
        }
        let sector = u64::from(sector_size);
        let sectors = size / sector;
        if sectors > u64::from(u32::MAX) {
            return Err(FatError::TooLarge(size));
        }
        // The sizes of Microsoft's table.
        let bytes = match size >> 20 {
            0..=260 => 512,
            261..=8192 => 4 << 10,
            8193..=16384 => 8 << 10,
            16385..=32768 => 16 << 10,
            _ => 32 << 10,
        };
        let cluster = (bytes / sector).max(1);
        // A little more than needed, as the tables take clusters away that they would describe.
        let table = ((sectors / cluster + 2) * 4).div_ceil(sector);
        let reserved = (RESERVED + 2 * table).next_multiple_of(cluster) - 2 * table;
        let clusters = sectors.saturating_sub(reserved + 2 * table) / cluster;
        if clusters < LEAST_CLUSTERS {
            let least = sector * (LEAST_CLUSTERS + RESERVED + 2 * LEAST_CLUSTERS / 64 + 16);
            return Err(FatError::TooSmall { size, sector_size, least });
        }
        Ok(Self { sector, sectors, cluster, reserved, table, clusters })
    }

    fn cluster_bytes(self) -> u64 {
        self.cluster * self.sector
    }

    fn offset(self, cluster: u32) -> u64 {
        let data = self.reserved + 2 * self.table;
        (data + u64::from(cluster - 2) * self.cluster) * self.sector
    }
}

impl<'a> Volume<'a> {
    /// Lays out a volume with the files of `tree`.
    ///
    /// # Errors
    /// When the size, the label or a name is impossible, or the files do not fit.
    pub fn new(parameters: &Parameters, tree: &Tree<'a>) -> Result<Self, FatError> {
        let shape = Shape::new(parameters)?;
        let mut volume = Self {
            label: label(&parameters.label)?,
            date: date(parameters.time),
            parameters: parameters.clone(),
            shape,
            table: vec![0x0fff_fff8, END],
            contents: Vec::new(),
        };
        volume.directory("", tree, None)?;
        let (needed, room) = (wide(volume.table.len()) - 2, shape.clusters);
        if needed > room {
            let unit = shape.cluster_bytes();
            return Err(FatError::Full { needed: needed * unit, room: room * unit });
        }
        Ok(volume)
    }

    /// The size that it was made for, in bytes.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.parameters.size
    }

    /// Everything to write, in the order of the volume: boot sectors, both tables, then
    /// directories and files.
    pub fn pieces(&self) -> impl Iterator<Item = Piece<'_>> {
        let Shape { sector, reserved, table, .. } = self.shape;
        let mut bytes = Vec::with_capacity(narrow(table * sector));
        bytes.extend(self.table.iter().flat_map(|entry| entry.to_le_bytes()));
        bytes.resize(narrow(table * sector), 0);
        let system = [
            Piece::owned(0, self.reserved_sectors()),
            Piece::owned(reserved * sector, bytes.clone()),
            Piece::owned((reserved + table) * sector, bytes),
        ];
        let contents = self.contents.iter().map(|(cluster, content)| {
            let offset = self.shape.offset(*cluster);
            match content {
                Content::Directory(bytes) => Piece::borrowed(offset, bytes),
                Content::File(bytes) => Piece::borrowed(offset, bytes),
            }
        });
        system.into_iter().chain(contents)
    }

    /// Takes the next clusters for `size` bytes; nothing for no bytes.
    fn allocate(&mut self, size: u64) -> u32 {
        let count = size.div_ceil(self.shape.cluster_bytes());
        if count == 0 {
            return 0;
        }
        // The caller compares the length with the number of clusters, which fits 28 bits.
        let first = u32::try_from(self.table.len()).unwrap_or(END);
        for number in 1..count {
            self.table.push(first.saturating_add(u32::try_from(number).unwrap_or(END)));
        }
        self.table.push(END);
        first
    }

    /// Lays out a directory and all below it; gives its first cluster.
    fn directory(
        &mut self,
        path: &str,
        tree: &Tree<'a>,
        parent: Option<u32>,
    ) -> Result<u32, FatError> {
        let too_many = || FatError::TooManyEntries(path.to_owned());
        let mut taken = BTreeSet::new();
        let mut folded: Vec<(String, &str)> = Vec::new();
        let mut planned = Vec::new();
        let mut count = if parent.is_some() { 2 } else { 1 };
        for (name, node) in tree.entries() {
            folded.push((name.to_uppercase(), name));
            let (short, long) = name::short(name, &taken).ok_or_else(too_many)?;
            taken.insert(short);
            let before = if long { name::long_entries(name, &short) } else { Vec::new() };
            count += before.len() + 1;
            planned.push((name, node, short, before));
        }
        folded.sort();
        for ((one, first), (other, second)) in folded.iter().zip(folded.iter().skip(1)) {
            if one == other {
                return Err(FatError::SameName((*first).to_owned(), (*second).to_owned()));
            }
        }
        // The size limit of a directory is 2 MiB.
        if count > 65536 {
            return Err(too_many());
        }
        let cluster = self.allocate(wide(count) * 32);
        let place = self.contents.len();
        self.contents.push((cluster, Content::Directory(Vec::new())));
        let mut entries = Vec::with_capacity(count);
        match parent {
            None => entries.push(self.entry(&self.label, VOLUME_LABEL, 0, 0)),
            Some(parent) => {
                entries.push(self.entry(b".          ", DIRECTORY, cluster, 0));
                entries.push(self.entry(b"..         ", DIRECTORY, parent, 0));
            }
        }
        for (name, node, short, before) in planned {
            let path = format!("{path}/{name}");
            entries.extend(before);
            entries.push(match node {
                Node::Directory(inner) => {
                    // The root's number is 0 where a directory names its parent.
                    let own = if parent.is_none() { 0 } else { cluster };
                    let first = self.directory(&path, inner, Some(own))?;
                    self.entry(&short, DIRECTORY, first, 0)
                }
                Node::File(content) => {
                    let size =
                        u32::try_from(content.len()).map_err(|_| FatError::FileTooLarge(path))?;
                    let first = self.allocate(size.into());
                    if first != 0 {
                        self.contents.push((first, Content::File(content)));
                    }
                    self.entry(&short, ARCHIVE, first, size)
                }
            });
        }
        let mut bytes = entries.concat();
        bytes.resize(bytes.len().next_multiple_of(narrow(self.shape.cluster_bytes())), 0);
        if let Some((_, content)) = self.contents.get_mut(place) {
            *content = Content::Directory(bytes);
        }
        Ok(cluster)
    }

    fn entry(&self, short: &Short, attributes: u8, cluster: u32, size: u32) -> [u8; 32] {
        let [time_low, time_high, date_low, date_high] = self.date;
        let date = [date_low, date_high];
        let [low, high, top, end] = cluster.to_le_bytes();
        let mut entry = [0; 32];
        put(&mut entry, 0, short);
        put(&mut entry, 11, &[attributes]);
        put(&mut entry, 14, &[time_low, time_high]);
        put(&mut entry, 16, &date);
        put(&mut entry, 18, &date);
        put(&mut entry, 20, &[top, end]);
        put(&mut entry, 22, &[time_low, time_high]);
        put(&mut entry, 24, &date);
        put(&mut entry, 26, &[low, high]);
        put(&mut entry, 28, &size.to_le_bytes());
        entry
    }

    /// The boot sector, the hint about free clusters, and the copies of both.
    fn reserved_sectors(&self) -> Vec<u8> {
        let sector = narrow(self.shape.sector);
        let mut bytes = vec![0; narrow(self.shape.reserved) * sector];
        let boot = self.boot_sector();
        let used = wide(self.table.len()) - 2;
        let mut hint = vec![0; sector];
        put(&mut hint, 0, b"RRaA");
        put(&mut hint, 484, b"rrAa");
        let free = u32::try_from(self.shape.clusters - used).unwrap_or(u32::MAX);
        put(&mut hint, 488, &free.to_le_bytes());
        // The driver looks for free clusters after this one.
        let last = u32::try_from(self.table.len() - 1).unwrap_or(u32::MAX);
        put(&mut hint, 492, &last.to_le_bytes());
        put(&mut hint, 508, &[0, 0, 0x55, 0xaa]);
        for copy in [0, 6] {
            put(&mut bytes, copy * sector, &boot);
            put(&mut bytes, (copy + 1) * sector, &hint);
            put(&mut bytes, (copy + 2) * sector + 510, &[0x55, 0xaa]);
        }
        bytes
    }

    fn boot_sector(&self) -> [u8; 512] {
        let shape = self.shape;
        let short = |value: u64| u16::try_from(value).unwrap_or(0).to_le_bytes();
        let long = |value: u64| u32::try_from(value).unwrap_or(0).to_le_bytes();
        let mut bytes = [0; 512];
        put(&mut bytes, 0, &[0xeb, 0x58, 0x90]);
        put(&mut bytes, 3, b"ICHOR   ");
        put(&mut bytes, 11, &short(shape.sector));
        put(&mut bytes, 13, &[u8::try_from(shape.cluster).unwrap_or(0)]);
        put(&mut bytes, 14, &short(shape.reserved));
        put(&mut bytes, 16, &[2]);
        put(&mut bytes, 21, &[0xf8]);
        put(&mut bytes, 24, &short(63));
        put(&mut bytes, 26, &short(255));
        put(&mut bytes, 28, &self.parameters.hidden_sectors.to_le_bytes());
        put(&mut bytes, 32, &long(shape.sectors));
        put(&mut bytes, 36, &long(shape.table));
        put(&mut bytes, 44, &long(2));
        put(&mut bytes, 48, &short(1));
        put(&mut bytes, 50, &short(6));
        put(&mut bytes, 64, &[0x80, 0, 0x29]);
        put(&mut bytes, 67, &self.parameters.volume_id.to_le_bytes());
        put(&mut bytes, 71, &self.label);
        put(&mut bytes, 82, b"FAT32   ");
        // Without firmware that reads file systems there is nothing to start: halt for ever.
        put(&mut bytes, 90, &[0xf4, 0xeb, 0xfd]);
        put(&mut bytes, 510, &[0x55, 0xaa]);
        bytes
    }
}

fn label(text: &str) -> Result<Short, FatError> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b" -_".contains(&byte);
    if text.is_empty() || text.len() > 11 || text.starts_with(' ') || !text.bytes().all(fits) {
        return Err(FatError::Label(text.to_owned()));
    }
    let mut label = [b' '; 11];
    for (place, byte) in label.iter_mut().zip(text.bytes()) {
        *place = byte.to_ascii_uppercase();
    }
    Ok(label)
}

/// Time and date as directory entries have them: two-second steps since 1980, to 2107.
fn date(seconds: i64) -> [u8; 4] {
    const FIRST: i64 = 315_532_800;
    const LAST: i64 = 4_354_819_198;
    let seconds = seconds.clamp(FIRST, LAST);
    let time = jiff::Timestamp::from_second(seconds).unwrap_or_default();
    let time = time.to_zoned(jiff::tz::TimeZone::UTC).datetime();
    let bits = |value: i8| u16::try_from(value).unwrap_or(0);
    let year = u16::try_from(time.year().saturating_sub(1980)).unwrap_or(0);
    let date = year << 9 | bits(time.month()) << 5 | bits(time.day());
    let clock = bits(time.hour()) << 11 | bits(time.minute()) << 5 | bits(time.second()) / 2;
    let ([clock_low, clock_high], [date_low, date_high]) =
        (clock.to_le_bytes(), date.to_le_bytes());
    [clock_low, clock_high, date_low, date_high]
}
