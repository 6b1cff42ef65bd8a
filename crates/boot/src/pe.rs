//! Reads the headers of an EFI program: PE32+ as the Microsoft PE/COFF specification says.

/// A section of a program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Section {
    /// Its name, such as `.linux`.
    pub name: String,
    /// How many bytes it has in memory.
    pub virtual_size: u32,
    /// Where it is in memory, from the start of the image.
    pub virtual_address: u32,
    /// How many bytes it has in the file, padded.
    pub raw_size: u32,
    /// Where it is in the file.
    pub raw_offset: u32,
}

/// An EFI program: where its headers are and what they say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program<'a> {
    bytes: &'a [u8],
    pub(crate) layout: Layout,
    sections: Vec<Section>,
}

/// Where fields are in the file, and the numbers a writer needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Layout {
    /// Where the COFF header is.
    pub(crate) coff: usize,
    /// Where the optional header is.
    pub(crate) optional: usize,
    /// Where the table of sections is.
    pub(crate) table: usize,
    pub(crate) section_alignment: u32,
    pub(crate) file_alignment: u32,
    pub(crate) size_of_headers: u32,
    /// How many data directories there are.
    pub(crate) directories: u32,
}

/// Why a program cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PeError {
    /// It ends before its headers or sections do.
    #[error("the EFI program ends before its {what}")]
    Short {
        /// What is missing.
        what: &'static str,
    },
    /// A mark that every such file has is not there.
    #[error("not an EFI program for 64-bit machines: {what} is wrong")]
    Mark {
        /// Which mark.
        what: &'static str,
    },
    /// An alignment is none that the format allows.
    #[error(
        "the EFI program aligns its {what} to {value} bytes; only some powers of two are allowed"
    )]
    Alignment {
        /// What is aligned.
        what: &'static str,
        /// The alignment.
        value: u32,
    },
    /// It has no such section.
    #[error("the EFI program has no section {name}")]
    NoSection {
        /// The section.
        name: String,
    },
}

/// Where the data directories are in the optional header.
pub(crate) const DIRECTORIES: usize = 112;

/// The specification allows no more.
const LARGEST_FILE_ALIGNMENT: u32 = 0x1_0000;

/// The size of an entry of the table of sections.
pub(crate) const SECTION: usize = 40;

fn bytes<const N: usize>(file: &[u8], at: usize, what: &'static str) -> Result<[u8; N], PeError> {
    let end = at.checked_add(N);
    let slice = end.and_then(|end| file.get(at..end));
    slice.and_then(|slice| slice.try_into().ok()).ok_or(PeError::Short { what })
}

fn u16_at(file: &[u8], at: usize, what: &'static str) -> Result<u16, PeError> {
    bytes(file, at, what).map(u16::from_le_bytes)
}

fn u32_at(file: &[u8], at: usize, what: &'static str) -> Result<u32, PeError> {
    bytes(file, at, what).map(u32::from_le_bytes)
}

/// A number of the file as a position in it.
pub(crate) fn position(value: u32) -> usize {
    // Positions have 32 bits in the format and fit everywhere this is built for.
    usize::try_from(value).unwrap_or(usize::MAX)
}

impl<'a> Program<'a> {
    /// Reads the headers.
    pub fn read(file: &'a [u8]) -> Result<Self, PeError> {
        let what = "headers";
        if !file.starts_with(b"MZ") {
            return Err(PeError::Mark { what: "the mark at its start" });
        }
        let start = position(u32_at(file, 0x3c, what)?);
        if bytes(file, start, what)? != *b"PE\0\0" {
            return Err(PeError::Mark { what: "the mark of its header" });
        }
        let coff = start + 4;
        let count = u16_at(file, coff + 2, what)?;
        let optional = coff + 20;
        let optional_size = usize::from(u16_at(file, coff + 16, what)?);
        if u16_at(file, optional, what)? != 0x20b {
            return Err(PeError::Mark { what: "the kind of its header" });
        }
        let layout = Layout {
            coff,
            optional,
            table: optional + optional_size,
            section_alignment: u32_at(file, optional + 32, what)?,
            file_alignment: u32_at(file, optional + 36, what)?,
            size_of_headers: u32_at(file, optional + 60, what)?,
            directories: u32_at(file, optional + 108, what)?,
        };
        // The table of sections must not begin inside of the fields before it.
        let fields = DIRECTORIES.saturating_add(position(layout.directories).saturating_mul(8));
        if optional_size < fields {
            return Err(PeError::Short { what });
        }
        for (what, value, most) in [
            ("sections", layout.section_alignment, u32::MAX),
            ("content in the file", layout.file_alignment, LARGEST_FILE_ALIGNMENT),
        ] {
            if !value.is_power_of_two() || value > most {
                return Err(PeError::Alignment { what, value });
            }
        }
        let mut sections = Vec::new();
        for number in 0..usize::from(count) {
            let what = "table of sections";
            let at = layout.table + number * SECTION;
            let name: [u8; 8] = bytes(file, at, what)?;
            let name = name.split(|byte| *byte == 0).next().unwrap_or_default();
            sections.push(Section {
                name: String::from_utf8_lossy(name).into_owned(),
                virtual_size: u32_at(file, at + 8, what)?,
                virtual_address: u32_at(file, at + 12, what)?,
                raw_size: u32_at(file, at + 16, what)?,
                raw_offset: u32_at(file, at + 20, what)?,
            });
        }
        Ok(Self { bytes: file, layout, sections })
    }

    /// The sections in the order of the file.
    pub fn sections(&self) -> &[Section] {
        &self.sections
    }

    /// The content of a section, without the padding of the file.
    pub fn section(&self, name: &str) -> Result<&'a [u8], PeError> {
        let section = self.sections.iter().find(|section| section.name == name);
        let section = section.ok_or_else(|| PeError::NoSection { name: name.to_owned() })?;
        let size = section.virtual_size.min(section.raw_size);
        let start = position(section.raw_offset);
        let end = start.checked_add(position(size));
        let content = end.and_then(|end| self.bytes.get(start..end));
        content.ok_or(PeError::Short { what: "sections" })
    }
}

/// The checksum of a file whose own field for it, at this position, counts as zero: the sum of its
/// 16-bit words with the carry added again, and its length.
pub fn checksum(file: &[u8], field: usize) -> u32 {
    let mut sum: u64 = 0;
    let mut add = |part: &[u8]| {
        for pair in part.chunks(2) {
            let word = match pair {
                [low, high] => u16::from_le_bytes([*low, *high]),
                [low] => u16::from(*low),
                _ => 0,
            };
            sum += u64::from(word);
        }
    };
    // The field is at an even position, so both parts begin with a whole word.
    add(file.get(..field).unwrap_or(file));
    add(file.get(field + 4..).unwrap_or_default());
    while sum >> 16 != 0 {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    let total = sum + u64::try_from(file.len()).unwrap_or(u64::MAX);
    u32::try_from(total & u64::from(u32::MAX)).unwrap_or(u32::MAX)
}
