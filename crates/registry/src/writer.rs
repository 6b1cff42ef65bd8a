//! Makes an image layout: blobs named by their digest, and the index that names the images.
//!
//! A blob is written beside its place and moved there when it is whole. The index comes last, so
//! an interrupted build leaves the old layout or none, never half of one.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;
use sha2::{Digest as _, Sha256};

use crate::digest::Digest;
use crate::layer::{Layer, LayerError};
use crate::layout::{VERSION, blob_path};
use crate::manifest::{
    CONFIG, Config, Descriptor, Execution, INDEX, Index, LAYER, MANIFEST, Manifest,
    NAME_ANNOTATION, Platform, RootFs, TAG_ANNOTATION,
};
use crate::reference::Reference;

/// An image layout being made.
#[derive(Debug)]
pub struct Writer {
    root: PathBuf,
    platform: Platform,
    images: BTreeMap<Reference, Descriptor>,
    blobs: BTreeSet<Digest>,
}

/// Why a layout could not be made.
#[derive(Debug, thiserror::Error)]
pub enum WriterError {
    /// A file or directory could not be written.
    #[error("writing {}", path.display())]
    Write {
        /// The file or directory.
        path: PathBuf,
        /// The system's answer.
        #[source]
        source: io::Error,
    },
    /// A layer could not be written.
    #[error("writing a layer into {}", path.display())]
    Layer {
        /// The layout.
        path: PathBuf,
        /// What went wrong.
        #[source]
        source: LayerError,
    },
    /// A document could not be encoded.
    #[error("encoding a document for {}", path.display())]
    Encode {
        /// The layout.
        path: PathBuf,
        /// What went wrong.
        #[source]
        source: serde_json::Error,
    },
}

impl Writer {
    /// Begins a layout in this directory. Blobs that are there already are used again.
    pub fn create(root: impl Into<PathBuf>, architecture: &str) -> Result<Self, WriterError> {
        let root = root.into();
        let blobs = root.join("blobs/sha256");
        fs::create_dir_all(&blobs).map_err(|source| WriterError::Write { path: blobs, source })?;
        let platform = Platform { architecture: architecture.to_owned(), os: "linux".to_owned() };
        Ok(Self { root, platform, images: BTreeMap::new(), blobs: BTreeSet::new() })
    }

    /// Writes a layer.
    pub fn layer(&mut self, layer: &Layer) -> Result<Descriptor, WriterError> {
        let path = self.root.clone();
        self.store(LAYER, |output| {
            layer.write(output).map_err(|source| WriterError::Layer { path, source })
        })
    }

    /// Writes an image of these layers, lowest first, under each of the names.
    pub fn image(
        &mut self,
        names: &[Reference],
        execution: Execution,
        layers: &[Descriptor],
    ) -> Result<(), WriterError> {
        let config = Config {
            architecture: self.platform.architecture.clone(),
            os: self.platform.os.clone(),
            config: execution,
            rootfs: RootFs {
                kind: "layers".to_owned(),
                diff_ids: layers.iter().map(|layer| layer.digest.clone()).collect(),
            },
        };
        let config = self.document(CONFIG, &config)?;
        let manifest = Manifest {
            schema_version: 2,
            media_type: Some(MANIFEST.to_owned()),
            config,
            layers: layers.to_vec(),
        };
        let manifest = self.document(MANIFEST, &manifest)?;
        for name in names {
            let mut entry = manifest.clone();
            entry.platform = Some(self.platform.clone());
            entry.annotations = BTreeMap::from([
                (NAME_ANNOTATION.to_owned(), name.to_string()),
                (TAG_ANNOTATION.to_owned(), name.tag().to_owned()),
            ]);
            self.images.insert(name.clone(), entry);
        }
        Ok(())
    }

    /// Writes the index and removes the blobs that no image of it needs.
    pub fn finish(self) -> Result<(), WriterError> {
        let marker = format!("{{\"imageLayoutVersion\":\"{VERSION}\"}}");
        replace(&self.root.join("oci-layout"), marker.as_bytes())?;
        let index = Index {
            schema_version: 2,
            media_type: Some(INDEX.to_owned()),
            manifests: self.images.into_values().collect(),
        };
        let bytes = serde_json::to_vec_pretty(&index)
            .map_err(|source| WriterError::Encode { path: self.root.clone(), source })?;
        replace(&self.root.join("index.json"), &bytes)?;
        let directory = self.root.join("blobs/sha256");
        let failed = |source| WriterError::Write { path: directory.clone(), source };
        for entry in fs::read_dir(&directory).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let kept = self.blobs.iter().any(|digest| entry.file_name() == digest.hex());
            if !kept {
                fs::remove_file(entry.path()).map_err(failed)?;
            }
        }
        Ok(())
    }

    fn document(
        &mut self,
        kind: &str,
        document: &impl Serialize,
    ) -> Result<Descriptor, WriterError> {
        let bytes = serde_json::to_vec(document)
            .map_err(|source| WriterError::Encode { path: self.root.clone(), source })?;
        let root = self.root.clone();
        self.store(kind, |output| {
            output.write_all(&bytes).map_err(|source| WriterError::Write { path: root, source })
        })
    }

    /// Writes a blob whose digest is known only when it is whole.
    fn store(
        &mut self,
        kind: &str,
        fill: impl FnOnce(&mut dyn Write) -> Result<(), WriterError>,
    ) -> Result<Descriptor, WriterError> {
        let directory = self.root.join("blobs/sha256");
        let failed = |source| WriterError::Write { path: directory.clone(), source };
        let file =
            tempfile::Builder::new().prefix(".blob-").tempfile_in(&directory).map_err(failed)?;
        let mut output = Hashing {
            output: BufWriter::with_capacity(1 << 20, file),
            hash: Sha256::new(),
            size: 0,
        };
        fill(&mut output)?;
        let Hashing { output, hash, size } = output;
        let file = output.into_inner().map_err(|error| failed(error.into_error()))?;
        let digest = Digest::from_hash(hash.finalize().as_slice());
        let path = blob_path(&self.root, &digest);
        // Temporary files are private; a cache is for every user of the node.
        fs::set_permissions(file.path(), std::os::unix::fs::PermissionsExt::from_mode(0o644))
            .map_err(failed)?;
        file.persist(&path).map_err(|error| WriterError::Write { path, source: error.error })?;
        self.blobs.insert(digest.clone());
        Ok(Descriptor {
            media_type: kind.to_owned(),
            digest,
            size,
            platform: None,
            annotations: BTreeMap::new(),
        })
    }
}

/// Hashes and counts what passes through.
struct Hashing<W> {
    output: W,
    hash: Sha256,
    size: u64,
}

impl<W: Write> Write for Hashing<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.output.write(bytes)?;
        self.hash.update(bytes.get(..written).unwrap_or_default());
        self.size += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.output.flush()
    }
}

/// Replaces a file in one step.
fn replace(path: &Path, bytes: &[u8]) -> Result<(), WriterError> {
    let failed = |source| WriterError::Write { path: path.to_owned(), source };
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    fs::write(&name, bytes).map_err(failed)?;
    fs::rename(&name, path).map_err(failed)
}
