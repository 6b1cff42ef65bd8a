//! The archive the kernel unpacks its first file system from: cpio in its form "newc".
//!
//! The format is that of the kernel's `Documentation/driver-api/early-userspace/buffer-format.rst`.
//! What is written depends on the entries only: no times, no owner but root, numbers by order.

/// What an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A symbolic link; its content is where it points.
    Link,
    /// A character device.
    Character {
        /// The driver's number.
        major: u32,
        /// The device's number.
        minor: u32,
    },
}

/// One entry of an archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry<'a> {
    /// Its path, without a leading slash. Parents come before their children.
    pub path: &'a str,
    /// What it is.
    pub kind: Kind,
    /// Its permissions.
    pub mode: u32,
    /// Its content.
    pub content: &'a [u8],
}

/// Why an archive cannot be read or written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CpioError {
    /// It ends in the middle.
    #[error("the cpio archive ends at byte {at}, in the middle of an entry")]
    Short {
        /// Where.
        at: usize,
    },
    /// An entry does not begin like one.
    #[error("byte {at} of the cpio archive does not begin an entry of the form newc")]
    Magic {
        /// Where.
        at: usize,
    },
    /// A field is no number.
    #[error("an entry's header at byte {at} of the cpio archive has a field that is no number")]
    Number {
        /// Where the header is.
        at: usize,
    },
    /// A name is not text, or not ended by a zero.
    #[error("an entry's name at byte {at} of the cpio archive is no text")]
    Name {
        /// Where the header is.
        at: usize,
    },
    /// The kind of an entry is one that is not used here.
    #[error("the cpio archive's entry {path} has the unknown kind {mode:o}")]
    Kind {
        /// The entry.
        path: String,
        /// Its mode.
        mode: u32,
    },
    /// A file is too large for the format.
    #[error("{path} has {size} bytes, more than a cpio archive can hold")]
    TooLarge {
        /// The entry.
        path: String,
        /// Its size.
        size: usize,
    },
}

const MAGIC: &[u8] = b"070701";
const HEADER: usize = 110;
const TRAILER: &str = "TRAILER!!!";
const KINDS: u32 = 0o170_000;

/// An archive being written.
#[derive(Clone, Debug, Default)]
pub struct Writer {
    bytes: Vec<u8>,
    entries: u32,
}

impl Writer {
    /// An empty archive.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an entry.
    pub fn entry(&mut self, entry: &Entry<'_>) -> Result<&mut Self, CpioError> {
        self.entries += 1;
        let (kind, links, device) = match entry.kind {
            Kind::File => (0o100_000, 1, (0, 0)),
            Kind::Directory => (0o040_000, 2, (0, 0)),
            Kind::Link => (0o120_000, 1, (0, 0)),
            Kind::Character { major, minor } => (0o020_000, 1, (major, minor)),
        };
        let mode = kind | (entry.mode & 0o7777);
        self.append(entry.path, self.entries, mode, links, device, entry.content)?;
        Ok(self)
    }

    /// The archive, with its end.
    pub fn finish(mut self) -> Result<Vec<u8>, CpioError> {
        self.append(TRAILER, 0, 0, 1, (0, 0), &[])?;
        Ok(self.bytes)
    }

    fn append(
        &mut self,
        path: &str,
        number: u32,
        mode: u32,
        links: u32,
        device: (u32, u32),
        content: &[u8],
    ) -> Result<(), CpioError> {
        let too_large = |_| CpioError::TooLarge { path: path.to_owned(), size: content.len() };
        let size = u32::try_from(content.len()).map_err(too_large)?;
        let name = u32::try_from(path.len() + 1).map_err(too_large)?;
        // Owner, group and time are zero, and so are the device the file is on and the checksum.
        let fields = [number, mode, 0, 0, links, 0, size, 0, 0, device.0, device.1, name, 0];
        self.bytes.reserve(HEADER + path.len() + content.len() + 8);
        self.bytes.extend_from_slice(MAGIC);
        for field in fields {
            self.bytes.extend_from_slice(format!("{field:08x}").as_bytes());
        }
        self.bytes.extend_from_slice(path.as_bytes());
        self.bytes.push(0);
        self.pad();
        self.bytes.extend_from_slice(content);
        self.pad();
        Ok(())
    }

    fn pad(&mut self) {
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
    }
}

/// Reads the entries of an uncompressed archive, up to its end.
pub fn read(archive: &[u8]) -> Result<Vec<Entry<'_>>, CpioError> {
    let mut entries = Vec::new();
    let mut at = 0;
    loop {
        let header = slice(archive, at, HEADER)?;
        if !header.starts_with(MAGIC) {
            return Err(CpioError::Magic { at });
        }
        let field = |index: usize| {
            let start = MAGIC.len() + index * 8;
            let digits = header.get(start..start + 8).and_then(|it| std::str::from_utf8(it).ok());
            // The parser of numbers would take a sign.
            let digits = digits.filter(|it| it.bytes().all(|byte| byte.is_ascii_hexdigit()));
            digits
                .and_then(|digits| u32::from_str_radix(digits, 16).ok())
                .ok_or(CpioError::Number { at })
        };
        let size = |index| field(index).map(|value| usize::try_from(value).unwrap_or(usize::MAX));
        let name = slice(archive, at + HEADER, size(11)?)?;
        let path = name
            .strip_suffix(&[0])
            .and_then(|name| std::str::from_utf8(name).ok())
            .filter(|name| !name.contains('\0'))
            .ok_or(CpioError::Name { at })?;
        if path == TRAILER {
            return Ok(entries);
        }
        let start = (at + HEADER + name.len()).next_multiple_of(4);
        let content = slice(archive, start, size(6)?)?;
        let mode = field(1)?;
        let kind = match mode & KINDS {
            0o100_000 => Kind::File,
            0o040_000 => Kind::Directory,
            0o120_000 => Kind::Link,
            0o020_000 => Kind::Character { major: field(9)?, minor: field(10)? },
            _ => return Err(CpioError::Kind { path: path.to_owned(), mode }),
        };
        entries.push(Entry { path, kind, mode: mode & 0o7777, content });
        at = (start + content.len()).next_multiple_of(4);
    }
}

fn slice(archive: &[u8], at: usize, length: usize) -> Result<&[u8], CpioError> {
    let end = at.checked_add(length);
    end.and_then(|end| archive.get(at..end)).ok_or(CpioError::Short { at: archive.len() })
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::process::{Command, Stdio};

    use super::*;

    fn sample() -> Vec<u8> {
        let mut writer = Writer::new();
        for (path, kind, mode, content) in [
            ("dev", Kind::Directory, 0o755, b"".as_slice()),
            ("dev/console", Kind::Character { major: 5, minor: 1 }, 0o600, b""),
            ("init", Kind::File, 0o755, b"program"),
            ("link", Kind::Link, 0o777, b"init"),
        ] {
            writer.entry(&Entry { path, kind, mode, content }).unwrap();
        }
        writer.finish().unwrap()
    }

    #[test]
    fn what_is_written_is_read_back() {
        let bytes = sample();
        let entries = read(&bytes).unwrap();
        assert_eq!(entries.len(), 4);
        assert_eq!(entries[1].kind, Kind::Character { major: 5, minor: 1 });
        assert_eq!((entries[2].content, entries[2].mode), (b"program".as_slice(), 0o755));
        assert_eq!(entries[3].content, b"init");
    }

    #[test]
    fn every_shortened_archive_is_an_error() {
        let bytes = sample();
        let end = bytes.len() - "TRAILER!!!".len() - 1;
        for length in 0..end {
            assert!(read(&bytes[..length]).is_err(), "{length} bytes");
        }
    }

    /// The reference is cpio itself.
    #[test]
    fn cpio_lists_what_is_written() {
        let mut cpio = Command::new("cpio")
            .args(["--list", "--verbose", "--numeric-uid-gid", "--quiet"])
            .env("TZ", "UTC")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("cpio is installed by: cargo xtask tools");
        cpio.stdin.take().unwrap().write_all(&sample()).unwrap();
        let output = cpio.wait_with_output().unwrap();
        assert!(output.status.success());
        let text = String::from_utf8(output.stdout).unwrap();
        let lines: Vec<Vec<&str>> =
            text.lines().map(|line| line.split_whitespace().collect()).collect();
        assert_eq!(lines[0][..4], ["drwxr-xr-x", "2", "0", "0"], "{text}");
        assert_eq!(lines[1][..6], ["crw-------", "1", "0", "0", "5,", "1"], "{text}");
        assert_eq!(lines[2][..5], ["-rwxr-xr-x", "1", "0", "0", "7"], "{text}");
        assert!(text.lines().nth(3).unwrap().ends_with("link -> init"), "{text}");
        assert!(text.contains("1970"), "{text}");
    }
}
