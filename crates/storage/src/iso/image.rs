//! Where everything is on the medium, and the bytes of it.

use std::collections::{BTreeMap, BTreeSet};

use super::directory::{Target, both16, both32, packed, plain, rock_ridge};
use super::{BLOCK, IsoError, Parameters, name};
use crate::bytes::{narrow, put, wide};
use crate::gpt::{self, ALIGNMENT, Geometry, Partition, Table};
use crate::tree::{Node, Tree};
use crate::{Piece, fat};

/// Blocks with fixed content: volume descriptors, then the boot catalog.
const PRIMARY: u32 = 16;
const CATALOG: u32 = 19;
const FIRST_FREE: u32 = 20;

/// Sectors of the partition table: a stick has these, and no other size is in use there.
const STICK_SECTOR: u32 = 512;

/// An image that is laid out and can be written.
#[derive(Clone, Debug)]
pub struct Image<'a> {
    parameters: Parameters,
    time: Times,
    directories: Vec<Directory<'a>>,
    path_tables: [u32; 2],
    path_table_size: u32,
    esp: Option<(u64, &'a fat::Volume<'a>)>,
    table: Option<Table>,
    size: u64,
}

/// One directory; the first is the root.
#[derive(Clone, Debug)]
struct Directory<'a> {
    identifier: String,
    parent: usize,
    block: u32,
    size: u32,
    /// By identifier, as the standard sorts records.
    entries: BTreeMap<String, (&'a str, Entry<'a>)>,
}

#[derive(Clone, Debug)]
enum Entry<'a> {
    File { content: &'a [u8], block: u32 },
    Directory(usize),
}

#[derive(Clone, Copy, Debug)]
struct Times {
    record: [u8; 7],
    volume: [u8; 17],
}

impl<'a> Image<'a> {
    /// Lays out an image with the files of `tree`, which starts machines from `esp` if there is
    /// one.
    ///
    /// # Errors
    /// When a label or name is impossible, or something is too large.
    pub fn new(
        parameters: &Parameters,
        tree: &'a Tree<'a>,
        esp: Option<&'a fat::Volume<'a>>,
    ) -> Result<Self, IsoError> {
        let printable = |byte: u8| (b' '..=b'~').contains(&byte);
        let label = &parameters.label;
        if label.is_empty() || label.len() > 32 || !label.bytes().all(printable) {
            return Err(IsoError::Label(label.clone()));
        }
        let mut image = Self {
            time: Times::new(parameters.time),
            parameters: parameters.clone(),
            directories: Vec::new(),
            path_tables: [0; 2],
            path_table_size: 0,
            esp: None,
            table: None,
            size: 0,
        };
        image.collect(tree)?;
        let mut end = image.place()?;
        if let Some(volume) = esp {
            end = end.next_multiple_of(wide(ALIGNMENT));
            image.esp = Some((end, volume));
            // Room for the table's second copy.
            end = (end + volume.size()).next_multiple_of(wide(ALIGNMENT)) + wide(ALIGNMENT);
        }
        if end / BLOCK > u64::from(u32::MAX) {
            return Err(IsoError::TooLarge(end));
        }
        image.size = end;
        image.table = image.partition_table()?;
        Ok(image)
    }

    /// Bytes of the whole image.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Where the EFI system partition begins, in bytes.
    #[must_use]
    pub fn esp_offset(&self) -> Option<u64> {
        self.esp.map(|(offset, _)| offset)
    }

    /// Everything to write.
    pub fn pieces(&self) -> impl Iterator<Item = Piece<'_>> {
        let mut pieces = self.table.as_ref().map(Table::encode).unwrap_or_default();
        pieces.push(Piece::owned(at(PRIMARY), self.descriptors()));
        for (table, big) in self.path_tables.into_iter().zip([false, true]) {
            pieces.push(Piece::owned(at(table), self.path_table(big)));
        }
        for (number, directory) in self.directories.iter().enumerate() {
            pieces.push(Piece::owned(at(directory.block), packed(&self.records(number))));
        }
        let files = self.directories.iter().flat_map(|directory| {
            directory.entries.values().filter_map(|(_, entry)| match entry {
                Entry::File { content, block } => Some(Piece::borrowed(at(*block), content)),
                Entry::Directory(_) => None,
            })
        });
        let esp = self
            .esp
            .into_iter()
            .flat_map(|(offset, volume)| volume.pieces().map(move |piece| piece.shifted(offset)));
        pieces.into_iter().chain(files).chain(esp)
    }

    /// Lists all directories level by level, which is the order of the path table.
    fn collect(&mut self, tree: &'a Tree<'a>) -> Result<(), IsoError> {
        let mut level = vec![(String::new(), String::new(), 0, tree)];
        for _ in 0..8 {
            let mut next = Vec::new();
            for (path, identifier, parent, tree) in level {
                let number = self.directories.len();
                // The root is in no directory.
                let above = self.directories.get_mut(parent);
                let above = above.and_then(|above| above.entries.get_mut(&identifier));
                if let Some((_, entry)) = above {
                    *entry = Entry::Directory(number);
                }
                let mut entries = BTreeMap::new();
                let mut taken = BTreeSet::new();
                for (name, node) in tree.entries() {
                    let path = format!("{path}/{name}");
                    if name.len() > 160 {
                        return Err(IsoError::NameTooLong(path));
                    }
                    let file = matches!(node, Node::File(_));
                    let own = name::identifier(name, file, &taken)
                        .ok_or_else(|| IsoError::TooManyEntries(path.clone()))?;
                    taken.insert(own.clone());
                    let entry = match node {
                        Node::File(content) => Entry::File { content, block: 0 },
                        Node::Directory(inner) => {
                            next.push((path, own.clone(), number, inner));
                            Entry::Directory(0)
                        }
                    };
                    entries.insert(own, (name, entry));
                }
                self.directories.push(Directory { identifier, parent, block: 0, size: 0, entries });
            }
            if next.is_empty() {
                return Ok(());
            }
            level = next;
        }
        Err(IsoError::TooDeep(level.into_iter().next().map(|(path, ..)| path).unwrap_or_default()))
    }

    /// Gives blocks to path tables, directories and files; gives the end in bytes.
    fn place(&mut self) -> Result<u64, IsoError> {
        let mut next = u64::from(FIRST_FREE);
        let block = |next: u64| u32::try_from(next).map_err(|_| IsoError::TooLarge(next * BLOCK));
        let length = self.path_table(false).len();
        self.path_table_size = u32::try_from(length).unwrap_or(0);
        for number in 0..2 {
            self.path_tables[number] = block(next)?;
            next += wide(length).div_ceil(BLOCK);
        }
        for number in 0..self.directories.len() {
            let length = packed(&self.records(number)).len();
            if let Some(directory) = self.directories.get_mut(number) {
                directory.block = block(next)?;
                directory.size = u32::try_from(length).unwrap_or(0);
            }
            next += wide(length) / BLOCK;
        }
        for directory in &mut self.directories {
            for (name, entry) in directory.entries.values_mut() {
                if let Entry::File { content, block: place } = entry {
                    u32::try_from(content.len())
                        .map_err(|_| IsoError::FileTooLarge((*name).to_owned()))?;
                    *place = block(next)?;
                    next += wide(content.len()).div_ceil(BLOCK);
                }
            }
        }
        Ok(next * BLOCK)
    }

    fn target(&self, number: usize) -> Target {
        let Some(directory) = self.directories.get(number) else {
            return Target { block: 0, size: 0, directory: true, links: 2 };
        };
        let inner = directory.entries.values();
        let inner = inner.filter(|(_, entry)| matches!(entry, Entry::Directory(_))).count();
        let links = u32::try_from(inner + 2).unwrap_or(u32::MAX);
        Target { block: directory.block, size: directory.size, directory: true, links }
    }

    fn records(&self, number: usize) -> Vec<Vec<u8>> {
        let Some(directory) = self.directories.get(number) else { return Vec::new() };
        let date = self.time.record;
        let mut records = vec![
            rock_ridge(&[0], self.target(number), date, None, number == 0),
            rock_ridge(&[1], self.target(directory.parent), date, None, false),
        ];
        records.extend(directory.entries.iter().map(|(identifier, (name, entry))| {
            let target = match entry {
                Entry::Directory(inner) => self.target(*inner),
                Entry::File { content, block } => {
                    let size = u32::try_from(content.len()).unwrap_or(0);
                    Target { block: *block, size, directory: false, links: 1 }
                }
            };
            rock_ridge(identifier.as_bytes(), target, date, Some(name), false)
        }));
        records
    }

    /// The path table (ECMA-119, 9.4) with numbers of either byte order.
    fn path_table(&self, big: bool) -> Vec<u8> {
        let mut bytes = Vec::new();
        for directory in &self.directories {
            let identifier: &[u8] =
                if bytes.is_empty() { &[0] } else { directory.identifier.as_bytes() };
            let parent = u16::try_from(directory.parent + 1).unwrap_or(u16::MAX);
            bytes.extend([u8::try_from(identifier.len()).unwrap_or(0), 0]);
            if big {
                bytes.extend(directory.block.to_be_bytes());
                bytes.extend(parent.to_be_bytes());
            } else {
                bytes.extend(directory.block.to_le_bytes());
                bytes.extend(parent.to_le_bytes());
            }
            bytes.extend(identifier);
            if bytes.len() % 2 == 1 {
                bytes.push(0);
            }
        }
        bytes
    }

    /// The primary volume descriptor, the boot record, the end of descriptors, the boot catalog.
    fn descriptors(&self) -> Vec<u8> {
        let block = narrow(BLOCK);
        let mut bytes = vec![0; 4 * block];
        let (volume, rest) = bytes.split_at_mut(block);
        self.primary(volume);
        let (boot, rest) = rest.split_at_mut(block);
        let (end, catalog) = rest.split_at_mut(block);
        if let Some((offset, esp)) = self.esp {
            put(boot, 0, b"\0CD001\x01EL TORITO SPECIFICATION");
            put(boot, 71, &CATALOG.to_le_bytes());
            boot_catalog(catalog, offset, esp.size());
            put(end, 0, b"\xffCD001\x01");
        } else {
            put(boot, 0, b"\xffCD001\x01");
        }
        bytes
    }

    /// The primary volume descriptor (ECMA-119, 8.4).
    fn primary(&self, bytes: &mut [u8]) {
        let blocks = u32::try_from(self.size / BLOCK).unwrap_or(u32::MAX);
        put(bytes, 0, b"\x01CD001\x01");
        for text in [8..72, 190..813] {
            bytes[text].fill(b' ');
        }
        put(bytes, 8, b"LINUX");
        put(bytes, 40, self.parameters.label.as_bytes());
        put(bytes, 80, &both32(blocks));
        put(bytes, 120, &both16(1));
        put(bytes, 124, &both16(1));
        put(bytes, 128, &both16(2048));
        put(bytes, 132, &both32(self.path_table_size));
        let [little, big] = self.path_tables;
        put(bytes, 140, &little.to_le_bytes());
        put(bytes, 148, &big.to_be_bytes());
        put(bytes, 156, &plain(&[0], self.target(0), self.time.record));
        put(bytes, 574, b"ICHOR");
        put(bytes, 813, &self.time.volume);
        put(bytes, 830, &self.time.volume);
        // Expires never; in effect from the start.
        put(bytes, 847, b"0000000000000000\0");
        put(bytes, 864, &self.time.volume);
        put(bytes, 881, &[1]);
    }

    fn partition_table(&self) -> Result<Option<Table>, IsoError> {
        let Some((offset, esp)) = self.esp else { return Ok(None) };
        let geometry = Geometry::new(STICK_SECTOR, self.size).map_err(IsoError::Table)?;
        let mut table = Table::new(geometry, self.parameters.disk);
        let sector = u64::from(STICK_SECTOR);
        let first = offset / sector;
        table.partitions.insert(
            1,
            Partition {
                kind: gpt::EFI_SYSTEM,
                id: self.parameters.partition,
                first,
                last: first + esp.size().div_ceil(sector) - 1,
                attributes: 0,
                label: "EFI".to_owned(),
            },
        );
        Ok(Some(table))
    }
}

fn at(block: u32) -> u64 {
    u64::from(block) * BLOCK
}

/// The boot catalog: the platform UEFI, and the image to start without emulation ("El Torito"
/// 1.0, chapter 2; UEFI 2.10, chapter 13.3.2.1).
fn boot_catalog(bytes: &mut [u8], offset: u64, size: u64) {
    put(bytes, 0, &[1, 0xef]);
    put(bytes, 4, b"ICHOR");
    put(bytes, 30, &[0x55, 0xaa]);
    let words = bytes.as_chunks::<2>().0.iter().take(16);
    let sum = words.fold(0_u16, |sum, word| sum.wrapping_add(u16::from_le_bytes(*word)));
    put(bytes, 28, &sum.wrapping_neg().to_le_bytes());
    put(bytes, 32, &[0x88]);
    // Firmware takes 0 as "to the end of the medium"; the file system knows its own size.
    let sectors = u16::try_from(size / 512).unwrap_or(0);
    put(bytes, 38, &sectors.to_le_bytes());
    put(bytes, 40, &u32::try_from(offset / BLOCK).unwrap_or(0).to_le_bytes());
}

impl Times {
    fn new(seconds: i64) -> Self {
        // The form of directory records ends in 2155.
        let time = jiff::Timestamp::from_second(seconds.clamp(0, 5_869_583_999));
        let time = time.unwrap_or_default().to_zoned(jiff::tz::TimeZone::UTC).datetime();
        let byte = |value: i8| u8::try_from(value).unwrap_or(0);
        let year = u8::try_from(time.year().saturating_sub(1900)).unwrap_or(0);
        let text = time.strftime("%Y%m%d%H%M%S00").to_string();
        let mut volume = [0; 17];
        put(&mut volume, 0, text.as_bytes());
        let record = [
            year,
            byte(time.month()),
            byte(time.day()),
            byte(time.hour()),
            byte(time.minute()),
            byte(time.second()),
            0,
        ];
        Self { record, volume }
    }
}
