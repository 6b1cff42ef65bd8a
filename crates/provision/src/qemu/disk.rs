//! The disks of machines: one copy of the image for a cluster, and what each machine changed of it.

use std::fs::{self, File};
use std::io::{self, BufWriter, Read, Write};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use thiserror::Error;

use crate::state::{ClusterDirectory, StateError};

/// A piece of the image; one of zeros becomes a hole.
const PIECE: usize = 64 << 10;
/// The names of the cluster's image, and of one that is being made.
const RAW: &str = "image.raw";
const PART: &str = "image.part";
const ZSTD: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
const QCOW2: [u8; 4] = *b"QFI\xfb";
/// A GPT's header is in the second sector.
const GPT: &[u8; 8] = b"EFI PART";

/// Why there is no disk.
#[derive(Debug, Error)]
pub(crate) enum DiskError {
    #[error(transparent)]
    State(#[from] StateError),
    #[error("cannot read the disk image {path}")]
    Image {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("cannot write {path}")]
    Write {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("cannot start {program}")]
    Start {
        program: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("{program} could not make {path}: {said}")]
    Tool { program: PathBuf, path: PathBuf, said: String },
}

/// How an image is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    Raw,
    RawZstd,
    Qcow2,
}

fn format(path: &Path) -> io::Result<Format> {
    let mut head = Vec::new();
    File::open(path)?.take(520).read_to_end(&mut head)?;
    if head.starts_with(&ZSTD) {
        Ok(Format::RawZstd)
    } else if head.starts_with(&QCOW2) {
        Ok(Format::Qcow2)
    } else if head.ends_with(GPT) {
        Ok(Format::Raw)
    } else {
        Err(io::Error::other(
            "it is neither a raw disk with a GPT, nor such compressed with zstd, nor qcow2",
        ))
    }
}

/// Whether `path` can be the image of a disk.
pub(crate) fn check_image(path: &Path) -> io::Result<()> {
    format(path).map(|_| ())
}

/// The cluster's own copy of `image`, made when it is not there yet, and its format's name.
/// Machines' disks are made of differences to it, so it must never change.
pub(super) fn base(
    directory: &ClusterDirectory,
    image: &Path,
) -> Result<(PathBuf, &'static str), DiskError> {
    let (raw, qcow2) = (directory.file(RAW), directory.file("image.qcow2"));
    if raw.exists() {
        return Ok((raw, "raw"));
    }
    if qcow2.exists() {
        return Ok((qcow2, "qcow2"));
    }
    let reading = |source| DiskError::Image { path: image.to_owned(), source };
    let (target, name) = match format(image).map_err(reading)? {
        Format::Raw | Format::RawZstd => (raw, "raw"),
        Format::Qcow2 => (qcow2, "qcow2"),
    };
    let file = File::open(image).map_err(reading)?;
    let mut input: Box<dyn Read> = match format(image).map_err(reading)? {
        Format::RawZstd => Box::new(zstd::Decoder::new(file).map_err(reading)?),
        Format::Raw | Format::Qcow2 => Box::new(file),
    };
    fill(&directory.file(PART), &target, |output| io::copy(&mut input, output).map(|_| ()))
        .map_err(|source| DiskError::Write { path: target.clone(), source })?;
    Ok((target, name))
}

/// Has the cluster's own image made by `content`, in place of a copy of one that is there; whether
/// it was not there yet.
///
/// # Errors
/// When `content` fails or the file cannot be written.
pub fn make_image<E: From<io::Error>>(
    directory: &ClusterDirectory,
    content: impl FnOnce(&mut dyn Write) -> Result<(), E>,
) -> Result<bool, E> {
    let target = directory.file(RAW);
    if target.exists() {
        return Ok(false);
    }
    fill(&directory.file(PART), &target, content)?;
    Ok(true)
}

/// Writes a whole file or nothing: first to `part`, beside it.
fn fill<E: From<io::Error>>(
    part: &Path,
    target: &Path,
    content: impl FnOnce(&mut dyn Write) -> Result<(), E>,
) -> Result<(), E> {
    let mut output = BufWriter::with_capacity(PIECE, Sparse { file: File::create(part)?, at: 0 });
    content(&mut output)?;
    output.flush()?;
    output.get_ref().end()?;
    Ok(fs::rename(part, target)?)
}

/// A file with holes in place of zeros.
struct Sparse {
    file: File,
    /// How much was written, holes included.
    at: u64,
}

impl Sparse {
    /// A hole at the end is only as long as the file says.
    fn end(&self) -> io::Result<()> {
        self.file.set_len(self.at)
    }
}

impl Write for Sparse {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        for piece in bytes.chunks(PIECE) {
            if piece.iter().any(|byte| *byte != 0) {
                self.file.write_all_at(piece, self.at)?;
            }
            self.at += piece.len() as u64;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The disk of a machine, made of `base` when it is not there yet; its directory exists.
pub(super) fn overlay(
    tool: &Path,
    directory: &ClusterDirectory,
    base: (&Path, &str),
    bytes: u64,
) -> Result<PathBuf, DiskError> {
    let disk = directory.file("disk.qcow2");
    if disk.exists() {
        return Ok(disk);
    }
    let part = directory.file("disk.part");
    let mut command = Command::new(tool);
    command.args(["create", "-q", "-f", "qcow2", "-F", base.1, "-b"]).arg(base.0);
    command.arg(&part).arg(bytes.to_string());
    let output =
        command.output().map_err(|source| DiskError::Start { program: tool.to_owned(), source })?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        return Err(DiskError::Tool { program: tool.to_owned(), path: disk, said });
    }
    fs::rename(&part, &disk).map_err(|source| DiskError::Write { path: disk.clone(), source })?;
    Ok(disk)
}

/// A machine's own copy of the firmware's variables.
pub(super) fn variables(
    directory: &ClusterDirectory,
    template: &Path,
) -> Result<PathBuf, DiskError> {
    let path = directory.file("variables.fd");
    if !path.exists() {
        let part = directory.file("variables.part");
        let failed = |source| DiskError::Write { path: path.clone(), source };
        fs::copy(template, &part).map_err(failed)?;
        fs::rename(&part, &path).map_err(failed)?;
    }
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::MetadataExt as _;

    fn image() -> Vec<u8> {
        let mut image = vec![0; 8 << 20];
        image[512..520].copy_from_slice(GPT);
        image[3 << 20] = 7;
        image
    }

    #[test]
    fn an_image_is_copied_with_holes_whatever_its_form() {
        let image = image();
        for compressed in [false, true] {
            let directory = tempfile::tempdir().unwrap();
            let directory = ClusterDirectory::at(directory.path().to_owned());
            directory.create().unwrap();
            let source = directory.file("source");
            let stored = if compressed {
                zstd::encode_all(image.as_slice(), 1).unwrap()
            } else {
                image.clone()
            };
            fs::write(&source, stored).unwrap();
            let (path, name) = base(&directory, &source).unwrap();
            assert_eq!(name, "raw");
            assert!(fs::read(&path).unwrap() == image, "the copy differs");
            let used = path.metadata().unwrap().blocks() * 512;
            assert!(used < 1 << 20, "{used} bytes are used");
            // What machines' disks refer to does not change any more.
            fs::write(&source, b"x").unwrap();
            assert_eq!(base(&directory, &source).unwrap().0, path);
            directory.remove().unwrap();
        }
    }

    #[test]
    fn an_image_can_be_made_in_place_of_a_copy() {
        let directory = tempfile::tempdir().unwrap();
        let directory = ClusterDirectory::at(directory.path().to_owned());
        directory.create().unwrap();
        let refuse = |_: &mut dyn Write| Err(io::Error::other("no"));
        assert!(make_image(&directory, refuse).is_err() && !directory.file(RAW).exists());
        let made = make_image(&directory, |output| output.write_all(&image())).unwrap();
        assert!(made && fs::read(directory.file(RAW)).unwrap() == image());
        assert!(!make_image(&directory, refuse).unwrap(), "it is there already");
        let (path, _) = base(&directory, Path::new("/nowhere")).unwrap();
        assert_eq!(path, directory.file(RAW));
    }

    #[test]
    fn what_is_no_image_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("x");
        for (content, ok) in [
            (&b""[..], false),
            (&[0; 4096], false),
            (b"QFI\xfb", true),
            (&ZSTD, true),
            (&image(), true),
        ] {
            fs::write(&path, content).unwrap();
            assert_eq!(check_image(&path).is_ok(), ok);
        }
        assert!(check_image(&directory.path().join("missing")).is_err());
    }
}
