//! Writes a tree of files as a squashfs image, compressed with zstd.
//!
//! The bytes depend on the tree only: no time, no owner but root, no order but that of the paths.
//! Compressing well takes long, so an image can begin as a copy of another one, whose files are
//! taken over as they are.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Cursor, Write};
use std::path::{Path, PathBuf};

use backhand::compression::{CompressionOptions, Compressor, Zstd};
use backhand::kind::{Kind, LE_V4_0};
use backhand::{
    BackhandError, FilesystemCompressor, FilesystemReader, FilesystemWriter, NodeHeader,
};
use registry::layer::{Entry, Layer, Source};

use crate::store::Inputs;

/// The largest block squashfs knows: it compresses best and an image is read mostly in order.
const BLOCK: u32 = 1 << 20;

/// What the bytes of an image depend on besides its tree.
pub(crate) fn inputs(compression: u32) -> Inputs {
    let mut inputs = Inputs::new();
    inputs.text("compression", &compression.to_string());
    inputs.text("block", &BLOCK.to_string());
    inputs
}

/// Why the image could not be written.
#[derive(Debug, thiserror::Error)]
pub enum SquashfsError {
    /// The writer refused a file or a setting.
    #[error("putting /{path} into the squashfs image")]
    Add {
        /// The path in the image.
        path: String,
        /// Why.
        #[source]
        source: BackhandError,
    },
    /// A file that goes into the image could not be found.
    #[error("reading {} for /{path} of the squashfs image", origin.display())]
    Read {
        /// The path in the image.
        path: String,
        /// The file on disk.
        origin: PathBuf,
        /// The system's answer.
        #[source]
        source: io::Error,
    },
    /// The image to begin with could not be read.
    #[error("reading the squashfs image {}", path.display())]
    Base {
        /// The image.
        path: PathBuf,
        /// Why.
        #[source]
        source: BackhandError,
    },
    /// The image could not be encoded.
    #[error("writing the squashfs image {}", path.display())]
    Encode {
        /// The image.
        path: PathBuf,
        /// Why.
        #[source]
        source: BackhandError,
    },
    /// The image could not be written.
    #[error("writing the squashfs image {}", path.display())]
    Write {
        /// The image.
        path: PathBuf,
        /// The system's answer.
        #[source]
        source: io::Error,
    },
}

/// Writes the tree with this level of compression (1 to 22), and before it all that is in the image
/// `base`, which was written with the same level. The image appears when it is whole.
pub fn write(
    tree: &Layer,
    base: Option<&Path>,
    path: &Path,
    level: u32,
) -> Result<u64, SquashfsError> {
    let encode = |source| SquashfsError::Encode { path: path.to_owned(), source };
    let reader = match base {
        Some(base) => {
            let failed = |source| SquashfsError::Base { path: base.to_owned(), source };
            let file = File::open(base).map_err(|source| failed(source.into()))?;
            Some(FilesystemReader::from_reader(BufReader::new(file)).map_err(failed)?)
        }
        None => None,
    };
    let mut writer = match &reader {
        Some(reader) => FilesystemWriter::from_fs_reader(reader).map_err(encode)?,
        None => FilesystemWriter::default(),
    };
    let options = CompressionOptions::Zstd(Zstd { compression_level: level });
    let compressor = FilesystemCompressor::new(Compressor::Zstd, Some(options)).map_err(encode)?;
    writer.set_kind(
        Kind::from_const(LE_V4_0)
            .map_err(|text| encode(BackhandError::StdIo(io::Error::other(text))))?,
    );
    writer.set_compressor(compressor);
    writer.set_block_size(BLOCK);
    writer.set_time(0);
    writer.set_root_mode(0o755);
    writer.set_only_root_id();
    let known: BTreeSet<PathBuf> =
        reader.iter().flat_map(|reader| reader.files().map(|node| node.fullpath.clone())).collect();
    // Directories that are there already are those of the base.
    let new = |(at, _): &(&str, &Entry)| !known.contains(&Path::new("/").join(at));
    for (at, entry) in tree.entries().filter(new) {
        let header = |mode: u32| NodeHeader {
            permissions: u16::try_from(mode & 0o7777).unwrap_or(0o755),
            ..NodeHeader::default()
        };
        let added = match entry {
            Entry::Directory { mode } => writer.push_dir(at, header(*mode)),
            Entry::Link { target } => writer.push_symlink(target, at, header(0o777)),
            Entry::File { source: Source::Bytes(bytes), mode } => {
                writer.push_file(Cursor::new(bytes.clone()), at, header(*mode))
            }
            Entry::File { source: Source::Path(origin), mode } => {
                // The writer opens it only later, when an error no longer says which file it was.
                File::open(origin).map_err(|source| SquashfsError::Read {
                    path: at.to_owned(),
                    origin: origin.clone(),
                    source,
                })?;
                writer.push_file_from_path(origin, at, header(*mode))
            }
        };
        added.map_err(|source| SquashfsError::Add { path: at.to_owned(), source })?;
    }
    let failed = |source| SquashfsError::Write { path: path.to_owned(), source };
    let directory = path.parent().unwrap_or(Path::new("."));
    let file =
        tempfile::Builder::new().prefix(".squashfs-").tempfile_in(directory).map_err(failed)?;
    let mut output = BufWriter::with_capacity(1 << 20, file);
    let (_, size) = writer.write(&mut output).map_err(encode)?;
    output.flush().map_err(failed)?;
    let file = output.into_inner().map_err(|error| failed(error.into_error()))?;
    std::fs::set_permissions(file.path(), std::os::unix::fs::PermissionsExt::from_mode(0o644))
        .map_err(failed)?;
    file.persist(path).map_err(|error| failed(error.error))?;
    Ok(size)
}
