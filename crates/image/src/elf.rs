//! Reads from a program which loader and which libraries it needs.

use object::elf::{DT_NEEDED, DynamicTag, FileHeader64, PT_DYNAMIC, PT_INTERP};
use object::read::elf::{Dyn as _, FileHeader as _, ProgramHeader as _};
use object::{Endianness, StringTable};

/// What a program needs to be loaded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Needs {
    /// The loader's path; none for a static program.
    pub loader: Option<String>,
    /// The libraries' names.
    pub libraries: Vec<String>,
}

/// Why a program cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("not a valid 64-bit ELF file")]
pub struct ElfError(#[from] object::read::Error);

/// Whether these bytes begin like a program.
pub fn is_elf(bytes: &[u8]) -> bool {
    bytes.starts_with(b"\x7fELF")
}

/// Reads what the program needs.
pub fn needs(bytes: &[u8]) -> Result<Needs, ElfError> {
    let header = FileHeader64::<Endianness>::parse(bytes)?;
    let endian = header.endian()?;
    let segments = header.program_headers(endian, bytes)?;
    let mut needs = Needs::default();
    for segment in segments {
        if segment.p_type(endian) == PT_INTERP {
            let path = segment.interpreter(endian, bytes)?;
            needs.loader = path.map(|path| String::from_utf8_lossy(path).into_owned());
        }
        if segment.p_type(endian) != PT_DYNAMIC {
            continue;
        }
        let Some(entries) = segment.dynamic(endian, bytes)? else { continue };
        let value = |tag: DynamicTag| {
            entries.iter().find(|entry| entry.tag(endian) == tag).map(|entry| entry.d_val(endian))
        };
        let (Some(address), Some(size)) =
            (value(object::elf::DT_STRTAB), value(object::elf::DT_STRSZ))
        else {
            continue;
        };
        // The table is given by its address in memory; a segment says where that is in the file.
        let offset = segments.iter().find_map(|segment| {
            let within = address.checked_sub(segment.p_vaddr(endian))?;
            let loaded = segment.p_type(endian) == object::elf::PT_LOAD;
            (loaded && within < segment.p_filesz(endian)).then(|| segment.p_offset(endian) + within)
        });
        let Some(start) = offset else { continue };
        let strings = StringTable::new(bytes, start, start + size);
        for entry in entries.iter().filter(|entry| entry.tag(endian) == DT_NEEDED) {
            let name = entry.string(endian, strings)?;
            needs.libraries.push(String::from_utf8_lossy(name).into_owned());
        }
    }
    Ok(needs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_test_needs_the_c_library() {
        let bytes = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        assert!(is_elf(&bytes));
        let needs = needs(&bytes).unwrap();
        assert!(needs.libraries.iter().any(|name| name.starts_with("libc.so")), "{needs:?}");
        assert!(needs.loader.unwrap().contains("ld-linux"));
    }

    #[test]
    fn what_is_no_program_is_refused() {
        assert!(needs(b"#!/bin/sh\n").is_err());
        assert!(needs(b"\x7fELF").is_err());
    }
}
