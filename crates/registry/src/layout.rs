//! Reads an OCI image layout: which images it holds, and blobs whose digest has been checked.
//!
//! A layout is written once and then only read, here from a read-only mount. A blob is checked
//! before its first byte is given out, and again whenever its file has changed since.

use std::collections::{BTreeMap, HashMap};
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use crate::digest::Digest;
use crate::manifest::{Descriptor, INDEX, Index, NAME_ANNOTATION};
use crate::reference::{Reference, ReferenceError};

/// The version this crate reads and writes, as the file `oci-layout` says it.
pub const VERSION: &str = "1.0.0";

/// The largest index or manifest that is read into memory.
const DOCUMENT_LIMIT: u64 = 4 << 20;

/// An image layout on disk.
#[derive(Debug)]
pub struct Layout {
    root: PathBuf,
    images: BTreeMap<Reference, Descriptor>,
    verified: Mutex<HashMap<Digest, Identity>>,
}

/// What a file was when its content was checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Identity {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, i64),
}

/// Why a layout or a blob cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LayoutError {
    /// A file could not be read.
    #[error("reading {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's answer.
        #[source]
        source: io::Error,
    },
    /// A document is not the JSON it must be.
    #[error("{} is not a valid image layout document", path.display())]
    Parse {
        /// The file.
        path: PathBuf,
        /// Where and why.
        #[source]
        source: serde_json::Error,
    },
    /// The layout's version is another one.
    #[error("{} says version `{version}`; this program reads {VERSION}", path.display())]
    Version {
        /// The file that says the version.
        path: PathBuf,
        /// What it says.
        version: String,
    },
    /// An image's name in the index is not a full name.
    #[error("{} names an image badly", path.display())]
    Name {
        /// The index.
        path: PathBuf,
        /// What is wrong with the name.
        #[source]
        source: ReferenceError,
    },
    /// The layout does not hold the blob.
    #[error("blob {digest} is not in the image cache {}", root.display())]
    Missing {
        /// The blob.
        digest: Digest,
        /// The layout.
        root: PathBuf,
    },
    /// The blob's content is not what its name says.
    #[error(
        "blob {} is corrupted: it holds {size} bytes with digest {actual}; \
         delete it and build the image cache again",
        path.display()
    )]
    Corrupted {
        /// The file, whose name is the digest it should have.
        path: PathBuf,
        /// The digest it has.
        actual: Digest,
        /// The size it has.
        size: u64,
    },
    /// A document is too large to be one.
    #[error("{} is {size} bytes, more than the {DOCUMENT_LIMIT} of any manifest", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Its size.
        size: u64,
    },
}

impl Layout {
    /// Opens the layout and reads which images it holds.
    pub fn open(root: impl Into<PathBuf>) -> Result<Self, LayoutError> {
        #[derive(serde::Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Marker {
            image_layout_version: String,
        }
        let root = root.into();
        let path = root.join("oci-layout");
        let marker: Marker = parse(&path, &read(&path)?)?;
        if marker.image_layout_version != VERSION {
            return Err(LayoutError::Version { path, version: marker.image_layout_version });
        }
        let path = root.join("index.json");
        let index: Index = parse(&path, &read(&path)?)?;
        let mut images = BTreeMap::new();
        for descriptor in index.manifests {
            // An entry without a name can only be reached by its digest.
            if let Some(name) = descriptor.annotations.get(NAME_ANNOTATION) {
                let name = name
                    .parse()
                    .map_err(|source| LayoutError::Name { path: path.clone(), source })?;
                images.insert(name, descriptor);
            }
        }
        Ok(Self { root, images, verified: Mutex::default() })
    }

    /// Where the layout is.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The images by name.
    pub fn images(&self) -> impl Iterator<Item = (&Reference, &Descriptor)> {
        self.images.iter()
    }

    /// The image of this repository and tag. Without a host, any registry's image of that name.
    pub fn find(&self, host: Option<&str>, repository: &str, tag: &str) -> Option<&Descriptor> {
        self.images
            .iter()
            .find(|(name, _)| {
                name.repository() == repository
                    && name.tag() == tag
                    && host.is_none_or(|host| host == name.host())
            })
            .map(|(_, descriptor)| descriptor)
    }

    /// Where the blob is, whether or not it exists.
    pub fn blob_path(&self, digest: &Digest) -> PathBuf {
        blob_path(&self.root, digest)
    }

    /// Opens a blob after checking its content against its digest. Returns its size too.
    pub fn blob(&self, digest: &Digest) -> Result<(File, u64), LayoutError> {
        let path = self.blob_path(digest);
        let failed = |source| LayoutError::Read { path: path.clone(), source };
        let mut file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(LayoutError::Missing {
                    digest: digest.clone(),
                    root: self.root.clone(),
                });
            }
            Err(error) => return Err(failed(error)),
        };
        let identity = Identity::of(&file).map_err(failed)?;
        let known =
            self.verified.lock().unwrap_or_else(PoisonError::into_inner).get(digest).copied();
        if known != Some(identity) {
            let (actual, size) = Digest::of_reader(&mut file).map_err(failed)?;
            if actual != *digest {
                return Err(LayoutError::Corrupted { path, actual, size });
            }
            file.seek(SeekFrom::Start(0)).map_err(failed)?;
            let mut verified = self.verified.lock().unwrap_or_else(PoisonError::into_inner);
            verified.insert(digest.clone(), identity);
        }
        Ok((file, identity.size))
    }

    /// Reads a small blob, such as a manifest, into memory.
    pub fn document(&self, digest: &Digest) -> Result<Vec<u8>, LayoutError> {
        let (file, size) = self.blob(digest)?;
        let path = self.blob_path(digest);
        if size > DOCUMENT_LIMIT {
            return Err(LayoutError::TooLarge { path, size });
        }
        let mut bytes = Vec::new();
        file.take(DOCUMENT_LIMIT)
            .read_to_end(&mut bytes)
            .map_err(|source| LayoutError::Read { path, source })?;
        Ok(bytes)
    }

    /// Checks every blob that the named images need. Returns how many bytes they are.
    pub fn verify(&self) -> Result<u64, LayoutError> {
        let mut total = 0;
        let mut pending: Vec<Descriptor> = self.images.values().cloned().collect();
        let mut seen = std::collections::HashSet::new();
        while let Some(descriptor) = pending.pop() {
            if !seen.insert(descriptor.digest.clone()) {
                continue;
            }
            total += self.blob(&descriptor.digest)?.1;
            let path = self.blob_path(&descriptor.digest);
            if descriptor.media_type == INDEX {
                let index: Index = parse(&path, &self.document(&descriptor.digest)?)?;
                pending.extend(index.manifests);
            } else if descriptor.media_type == crate::manifest::MANIFEST {
                let manifest: crate::manifest::Manifest =
                    parse(&path, &self.document(&descriptor.digest)?)?;
                pending.push(manifest.config);
                pending.extend(manifest.layers);
            }
        }
        Ok(total)
    }
}

impl Identity {
    fn of(file: &File) -> io::Result<Self> {
        let metadata = file.metadata()?;
        Ok(Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.size(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
        })
    }
}

pub(crate) fn blob_path(root: &Path, digest: &Digest) -> PathBuf {
    root.join("blobs/sha256").join(digest.hex())
}

fn read(path: &Path) -> Result<Vec<u8>, LayoutError> {
    let failed = |source| LayoutError::Read { path: path.to_owned(), source };
    let size = fs::metadata(path).map_err(failed)?.len();
    if size > DOCUMENT_LIMIT {
        return Err(LayoutError::TooLarge { path: path.to_owned(), size });
    }
    fs::read(path).map_err(failed)
}

fn parse<T: serde::de::DeserializeOwned>(path: &Path, bytes: &[u8]) -> Result<T, LayoutError> {
    serde_json::from_slice(bytes)
        .map_err(|source| LayoutError::Parse { path: path.to_owned(), source })
}
