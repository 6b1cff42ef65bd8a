//! Unified kernel images: one EFI program that holds a kernel, its first file system and its
//! command line, made by adding sections to systemd-stub.
//!
//! The format is the UAPI group's specification of unified kernel images, version 1.

use crate::pe::{self, DIRECTORIES, PeError, Program, SECTION, position};

/// What goes into an image.
#[derive(Clone, Copy, Debug)]
pub struct Parts<'a> {
    /// `os-release`, which names the system in the menu of the boot loader.
    pub os_release: &'a str,
    /// The kernel's command line.
    pub command_line: &'a str,
    /// The kernel's release, as uname(2) says it.
    pub release: &'a str,
    /// The kernel.
    pub kernel: &'a [u8],
    /// The archive of the first file system.
    pub initramfs: &'a [u8],
}

/// Why no image can be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UkiError {
    /// The stub cannot be read.
    #[error("reading the stub of unified kernel images")]
    Stub(#[source] PeError),
    /// The stub is already an image, or some other program.
    #[error("the stub already has a section {name}")]
    Section {
        /// The section.
        name: &'static str,
    },
    /// The stub's headers leave no room.
    #[error("the stub's headers have no room for {wanted} more sections, only for {room}")]
    Room {
        /// How many sections are added.
        wanted: usize,
        /// How many would fit.
        room: usize,
    },
    /// The kernel would cut the command line off.
    #[error("the command line has {length} bytes; the kernel takes {} at most", LONGEST_LINE)]
    CommandLine {
        /// How many bytes it has.
        length: usize,
    },
    /// The image becomes larger than the format allows.
    #[error("the unified kernel image would become larger than 4 GiB")]
    TooLarge,
}

/// The longest command line of a kernel for this architecture, `COMMAND_LINE_SIZE` without its end.
pub const LONGEST_LINE: usize = 2047;

/// The least alignment in memory: a page, so that a section can have permissions of its own.
const PAGE: u32 = 0x1000;

/// Initialised data that may be read.
const READABLE_DATA: u32 = 0x4000_0040;

/// Makes an image. The same stub and parts always give the same bytes.
pub fn build(stub: &[u8], parts: &Parts<'_>) -> Result<Vec<u8>, UkiError> {
    if parts.command_line.len() > LONGEST_LINE {
        return Err(UkiError::CommandLine { length: parts.command_line.len() });
    }
    let program = Program::read(stub).map_err(UkiError::Stub)?;
    let layout = &program.layout;
    let added: [(&str, &[u8]); 5] = [
        (".osrel", parts.os_release.as_bytes()),
        (".cmdline", parts.command_line.as_bytes()),
        (".uname", parts.release.as_bytes()),
        (".linux", parts.kernel),
        (".initrd", parts.initramfs),
    ];
    let taken = |name: &str| program.sections().iter().any(|section| section.name == name);
    if let Some((name, _)) = added.iter().find(|(name, _)| taken(name)) {
        return Err(UkiError::Section { name });
    }
    // The table of sections may grow up to the first section's content.
    let table_end = layout.table + program.sections().len() * SECTION;
    let first = program.sections().iter().filter(|section| section.raw_size > 0);
    let first = first.map(|section| section.raw_offset).min().unwrap_or(u32::MAX);
    let limit = position(first.min(layout.size_of_headers));
    let room = limit.saturating_sub(table_end) / SECTION;
    if room < added.len() {
        return Err(UkiError::Room { wanted: added.len(), room });
    }

    // What follows the last section is a table of symbols or a signature, neither of which holds
    // for the image.
    let end = |start: u32, size: u32| start.checked_add(size).ok_or(UkiError::TooLarge);
    let mut file_end = layout.size_of_headers;
    let mut memory_end = 0;
    for section in program.sections() {
        file_end = file_end.max(end(section.raw_offset, section.raw_size)?);
        memory_end = memory_end.max(end(section.virtual_address, section.virtual_size)?);
    }
    let content = stub.get(..position(file_end));
    let mut image = content.ok_or(UkiError::Stub(PeError::Short { what: "sections" }))?.to_vec();
    let alignment = layout.section_alignment.max(PAGE);
    let mut table = table_end;
    let mut data = 0_u32;
    for (name, content) in added {
        let size = u32::try_from(content.len()).map_err(|_| UkiError::TooLarge)?;
        let raw = up(size, layout.file_alignment)?;
        let at =
            up(u32::try_from(image.len()).map_err(|_| UkiError::TooLarge)?, layout.file_alignment)?;
        let address = up(memory_end, alignment)?;
        memory_end = end(address, size)?;
        data = end(data, raw)?;
        image.resize(position(at), 0);
        image.extend_from_slice(content);
        image.resize(position(end(at, raw)?), 0);
        let mut entry = [0; SECTION];
        put(&mut entry, 0, name.as_bytes());
        for (offset, value) in [(8, size), (12, address), (16, raw), (20, at), (36, READABLE_DATA)]
        {
            put(&mut entry, offset, &value.to_le_bytes());
        }
        put(&mut image, table, &entry);
        table += SECTION;
    }

    let count = u16::try_from(program.sections().len() + added.len());
    put(&mut image, layout.coff + 2, &count.map_err(|_| UkiError::TooLarge)?.to_le_bytes());
    // No table of symbols any more.
    put(&mut image, layout.coff + 8, &[0; 8]);
    let initialised = image
        .get(layout.optional + 8..layout.optional + 12)
        .and_then(|field| field.try_into().ok())
        .map_or(0, u32::from_le_bytes);
    put(&mut image, layout.optional + 8, &end(initialised, data)?.to_le_bytes());
    let size = up(memory_end, layout.section_alignment)?;
    put(&mut image, layout.optional + 56, &size.to_le_bytes());
    // The fifth data directory is the stub's signature.
    if layout.directories > 4 {
        put(&mut image, layout.optional + DIRECTORIES + 4 * 8, &[0; 8]);
    }
    let field = layout.optional + 64;
    let checksum = pe::checksum(&image, field);
    put(&mut image, field, &checksum.to_le_bytes());
    Ok(image)
}

fn up(value: u32, alignment: u32) -> Result<u32, UkiError> {
    value.checked_next_multiple_of(alignment).ok_or(UkiError::TooLarge)
}

/// Overwrites bytes. All positions are inside of headers that were read before.
fn put(file: &mut [u8], at: usize, bytes: &[u8]) {
    if let Some(place) = file.get_mut(at..at + bytes.len()) {
        place.copy_from_slice(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The smallest program that has what a stub has: headers of 1 KiB, one section of code, and
    /// something after it.
    fn stub(headers: u32) -> Vec<u8> {
        let mut file = vec![0; position(headers) + 0x200 + 7];
        put(&mut file, 0, b"MZ");
        put(&mut file, 0x3c, &0x80_u32.to_le_bytes());
        put(&mut file, 0x80, b"PE\0\0\x64\x86");
        put(&mut file, 0x86, &1_u16.to_le_bytes());
        put(&mut file, 0x8c, &[1, 2, 3, 4, 5, 6, 7, 8]);
        put(&mut file, 0x94, &240_u16.to_le_bytes());
        let optional = 0x98;
        put(&mut file, optional, &0x20b_u16.to_le_bytes());
        for (at, value) in
            [(8, 0x200), (32, 0x200), (36, 0x200), (56, 0x1200), (60, headers), (108, 16)]
        {
            put(&mut file, optional + at, &u32::to_le_bytes(value));
        }
        put(&mut file, optional + 144, &[9; 8]);
        let table = optional + 240;
        put(&mut file, table, b".text");
        for (at, value) in [(8, 0x10), (12, 0x1000), (16, 0x200), (20, headers)] {
            put(&mut file, table + at, &u32::to_le_bytes(value));
        }
        file
    }

    const PARTS: Parts<'_> = Parts {
        os_release: "ID=x\n",
        command_line: "quiet",
        release: "6.12",
        kernel: b"kernel",
        initramfs: &[7; 5000],
    };

    #[test]
    fn sections_are_where_the_headers_say() {
        let image = build(&stub(0x400), &PARTS).unwrap();
        let program = Program::read(&image).unwrap();
        for (name, content) in [
            (".osrel", b"ID=x\n".as_slice()),
            (".cmdline", b"quiet"),
            (".uname", b"6.12"),
            (".linux", b"kernel"),
            (".initrd", &[7; 5000]),
        ] {
            assert_eq!(program.section(name).unwrap(), content, "{name}");
        }
        let mut end = 0;
        for section in program.sections() {
            assert!(section.virtual_address >= end && section.virtual_address % 0x1000 == 0);
            assert_eq!(section.raw_offset % 0x200, 0);
            end = section.virtual_address + section.virtual_size;
        }
        assert_eq!(image.len() % 0x200, 0, "what followed the last section is gone");
        assert_eq!(image[0x8c..0x94], [0; 8], "there is no table of symbols");
        assert_eq!(image[0x98 + 144..0x98 + 152], [0; 8], "there is no signature");
        let size = u32::from_le_bytes(image[0x98 + 56..0x98 + 60].try_into().unwrap());
        assert_eq!(size, end.next_multiple_of(0x200));
        let sum = u32::from_le_bytes(image[0x98 + 64..0x98 + 68].try_into().unwrap());
        assert_eq!(sum, pe::checksum(&image, 0x98 + 64));
    }

    #[test]
    fn what_is_no_stub_is_refused() {
        let image = build(&stub(0x400), &PARTS).unwrap();
        assert_eq!(build(&image, &PARTS), Err(UkiError::Section { name: ".osrel" }));
        let long = Parts { command_line: &"x".repeat(2048), ..PARTS };
        assert_eq!(build(&stub(0x400), &long), Err(UkiError::CommandLine { length: 2048 }));
        assert_eq!(build(&stub(0x200), &PARTS), Err(UkiError::Room { wanted: 5, room: 2 }));
        for length in 0..0x5b0 {
            let short = stub(0x400)[..length].to_vec();
            assert!(matches!(build(&short, &PARTS), Err(UkiError::Stub(_))), "{length} bytes");
        }
    }
}
