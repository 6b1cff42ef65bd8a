//! The disks of machines: one copy of the image for a cluster, and what each machine changed of it.

use std::fs::{self, File};
use std::io::{self, Read, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use thiserror::Error;

use crate::state::{ClusterDirectory, StateError};

/// A piece of the image; one of zeros becomes a hole.
const PIECE: usize = 64 << 10;
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
    let (raw, qcow2) = (directory.file("image.raw"), directory.file("image.qcow2"));
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
    let part = directory.file("image.part");
    let file = File::open(image).map_err(reading)?;
    let writing = |source| DiskError::Write { path: part.clone(), source };
    let mut output = File::create(&part).map_err(writing)?;
    match format(image).map_err(reading)? {
        Format::RawZstd => {
            let mut decoder = zstd::Decoder::new(file).map_err(reading)?;
            copy(&mut decoder, &mut output).map_err(writing)?;
        }
        Format::Raw | Format::Qcow2 => copy(&mut { file }, &mut output).map_err(writing)?,
    }
    fs::rename(&part, &target)
        .map_err(|source| DiskError::Write { path: target.clone(), source })?;
    Ok((target, name))
}

/// Copies with holes in place of zeros.
fn copy(input: &mut impl Read, output: &mut File) -> io::Result<()> {
    let mut piece = vec![0; PIECE];
    let mut length = 0;
    loop {
        let mut filled = 0;
        while let Some(rest) = piece.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            match input.read(rest)? {
                0 => break,
                read => filled += read,
            }
        }
        let Some(content) = piece.get(..filled).filter(|content| !content.is_empty()) else {
            return output.set_len(length);
        };
        if content.iter().all(|byte| *byte == 0) {
            output.seek(SeekFrom::Current(i64::try_from(filled).unwrap_or_default()))?;
        } else {
            output.write_all(content)?;
        }
        length += filled as u64;
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
