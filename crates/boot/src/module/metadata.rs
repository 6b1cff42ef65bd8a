//! What a module says of itself: the section `.modinfo` of its file.

use object::Endianness;
use object::elf::FileHeader64;
use object::read::elf::{FileHeader as _, SectionHeader as _};

use super::Name;

/// What a module says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Metadata {
    /// The modules whose symbols it uses.
    pub depends: Vec<Name>,
    /// The patterns of devices and features it is for.
    pub aliases: Vec<String>,
    /// What should be loaded before and after it, if it is there.
    pub soft: Soft,
    /// The firmware files it may ask for.
    pub firmware: Vec<String>,
    /// The kernel it is for, with the kernel's most important settings.
    pub version_magic: Option<String>,
}

/// Modules that should be loaded together with another one, if they are there. They are named by
/// their names or by aliases.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Soft {
    /// Before it.
    pub before: Vec<Name>,
    /// After it.
    pub after: Vec<Name>,
}

impl Soft {
    /// Whether it names nothing.
    pub fn is_empty(&self) -> bool {
        self.before.is_empty() && self.after.is_empty()
    }

    /// Adds what `pre: a b post: c` says.
    pub fn add(&mut self, text: &str) {
        let mut list = None;
        for word in text.split_whitespace() {
            match word {
                "pre:" => list = Some(&mut self.before),
                "post:" => list = Some(&mut self.after),
                name => {
                    if let Some(list) = &mut list {
                        list.push(Name::new(name));
                    }
                }
            }
        }
    }
}

/// Why a module cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum MetadataError {
    /// It is no 64-bit ELF file.
    #[error("not a valid 64-bit ELF file")]
    Elf(#[from] object::read::Error),
    /// It has no `.modinfo`.
    #[error("the file has no section .modinfo: it is no kernel module")]
    NoInformation,
}

impl Metadata {
    /// Reads a module's file, uncompressed.
    pub fn read(module: &[u8]) -> Result<Self, MetadataError> {
        let header = FileHeader64::<Endianness>::parse(module)?;
        let endian = header.endian()?;
        let sections = header.sections(endian, module)?;
        let (_, section) =
            sections.section_by_name(endian, b".modinfo").ok_or(MetadataError::NoInformation)?;
        Ok(Self::of(section.data(endian, module)?))
    }

    /// Takes the content of a `.modinfo`: `name=value` texts, each ended by a zero.
    fn of(information: &[u8]) -> Self {
        let mut metadata = Self::default();
        for (name, value) in pairs(information) {
            metadata.take(name, value);
        }
        metadata
    }

    fn take(&mut self, name: &str, value: &str) {
        match name {
            "depends" => {
                let names = value.split(',').filter(|name| !name.is_empty());
                self.depends.extend(names.map(Name::new));
            }
            "alias" => self.aliases.push(value.to_owned()),
            "softdep" => self.soft.add(value),
            "firmware" => self.firmware.push(value.to_owned()),
            "vermagic" => self.version_magic = Some(value.trim_end().to_owned()),
            _ => {}
        }
    }
}

/// The names and values of a list of texts. What is no text is left out.
fn pairs(information: &[u8]) -> impl Iterator<Item = (&str, &str)> {
    let texts = information.split(|byte| *byte == 0);
    texts.filter_map(|text| std::str::from_utf8(text).ok()?.split_once('='))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_what_matters() {
        let metadata = Metadata::of(
            b"license=GPL\0alias=fs-btrfs\0softdep=pre: crc32c xxhash-generic post: raid6_pq\0\
            depends=raid6_pq,dm-mod\0alias=devname:btrfs-control\0firmware=a/b.bin\0\0no value\0\
            vermagic=6.12 SMP mod_unload \0\xff\xfe=x\0",
        );
        let names = |names: &[&str]| names.iter().map(|name| Name::new(name)).collect::<Vec<_>>();
        assert_eq!(
            metadata,
            Metadata {
                depends: names(&["raid6_pq", "dm_mod"]),
                aliases: vec!["fs-btrfs".to_owned(), "devname:btrfs-control".to_owned()],
                soft: Soft {
                    before: names(&["crc32c", "xxhash_generic"]),
                    after: names(&["raid6_pq"])
                },
                firmware: vec!["a/b.bin".to_owned()],
                version_magic: Some("6.12 SMP mod_unload".to_owned()),
            }
        );
    }

    #[test]
    fn what_is_no_module_is_refused() {
        let program = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        assert!(matches!(Metadata::read(&program), Err(MetadataError::NoInformation)));
        assert!(matches!(Metadata::read(b"\x7fELF"), Err(MetadataError::Elf(_))));
    }
}
