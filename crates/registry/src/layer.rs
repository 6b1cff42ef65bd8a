//! Writes layers: tar archives that depend on nothing but their content.
//!
//! Entries are sorted, owned by root, without times; two builds of the same files give the same
//! bytes. Missing parent directories are added.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::PathBuf;

/// What is at one path of a layer. Everything belongs to root.
#[derive(Clone, Debug)]
pub enum Entry {
    /// A directory.
    Directory {
        /// Its permissions.
        mode: u32,
    },
    /// A regular file.
    File {
        /// Its content.
        source: Source,
        /// Its permissions.
        mode: u32,
    },
    /// A symbolic link.
    Link {
        /// Where it points.
        target: String,
    },
}

/// Where a file's content comes from.
#[derive(Clone, Debug)]
pub enum Source {
    /// A file on disk.
    Path(PathBuf),
    /// Bytes in memory.
    Bytes(Vec<u8>),
}

/// A layer being put together.
#[derive(Clone, Debug, Default)]
pub struct Layer {
    entries: BTreeMap<String, Entry>,
}

/// Why a layer could not be written.
#[derive(Debug, thiserror::Error)]
pub enum LayerError {
    /// A file's content could not be read.
    #[error("reading {} for the layer's file /{path}", origin.display())]
    Read {
        /// The path in the layer.
        path: String,
        /// The file on disk.
        origin: PathBuf,
        /// The system's answer.
        #[source]
        source: io::Error,
    },
    /// The archive could not be written.
    #[error("writing the layer's entry /{path}")]
    Write {
        /// The path in the layer.
        path: String,
        /// The system's answer.
        #[source]
        source: io::Error,
    },
}

impl Layer {
    /// An empty layer.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a directory.
    pub fn directory(&mut self, path: &str, mode: u32) -> &mut Self {
        self.insert(path, Entry::Directory { mode })
    }

    /// Adds a file.
    pub fn file(&mut self, path: &str, source: Source, mode: u32) -> &mut Self {
        self.insert(path, Entry::File { source, mode })
    }

    /// Adds a symbolic link.
    pub fn link(&mut self, path: &str, target: &str) -> &mut Self {
        self.insert(path, Entry::Link { target: target.to_owned() })
    }

    /// What is in the layer, by path without a leading slash, parents before their children.
    pub fn entries(&self) -> impl Iterator<Item = (&str, &Entry)> {
        self.entries.iter().map(|(path, entry)| (path.as_str(), entry))
    }

    fn insert(&mut self, path: &str, entry: Entry) -> &mut Self {
        let path = path.trim_matches('/');
        for (at, _) in path.match_indices('/') {
            if let Some(parent) = path.get(..at) {
                self.entries.entry(parent.to_owned()).or_insert(Entry::Directory { mode: 0o755 });
            }
        }
        self.entries.insert(path.to_owned(), entry);
        self
    }

    /// Writes the layer as an uncompressed tar archive.
    pub fn write(&self, output: impl Write) -> Result<(), LayerError> {
        let mut archive = tar::Builder::new(output);
        archive.mode(tar::HeaderMode::Deterministic);
        for (path, entry) in &self.entries {
            let failed = |source| LayerError::Write { path: path.clone(), source };
            let mut header = tar::Header::new_gnu();
            header.set_mtime(0);
            header.set_uid(0);
            header.set_gid(0);
            header.set_size(0);
            match entry {
                Entry::Directory { mode } => {
                    header.set_entry_type(tar::EntryType::Directory);
                    header.set_mode(*mode);
                    archive
                        .append_data(&mut header, format!("{path}/"), io::empty())
                        .map_err(failed)?;
                }
                Entry::Link { target } => {
                    header.set_entry_type(tar::EntryType::Symlink);
                    header.set_mode(0o777);
                    archive.append_link(&mut header, path, target).map_err(failed)?;
                }
                Entry::File { source, mode } => {
                    header.set_entry_type(tar::EntryType::Regular);
                    header.set_mode(*mode);
                    match source {
                        Source::Bytes(bytes) => {
                            header.set_size(bytes.len() as u64);
                            archive
                                .append_data(&mut header, path, bytes.as_slice())
                                .map_err(failed)?;
                        }
                        Source::Path(origin) => {
                            let (file, size) = open(origin).map_err(|source| LayerError::Read {
                                path: path.clone(),
                                origin: origin.clone(),
                                source,
                            })?;
                            header.set_size(size);
                            archive
                                .append_data(&mut header, path, file.take(size))
                                .map_err(failed)?;
                        }
                    }
                }
            }
        }
        archive
            .into_inner()
            .and_then(|mut output| output.flush())
            .map_err(|source| LayerError::Write { path: String::new(), source })
    }
}

fn open(path: &std::path::Path) -> io::Result<(File, u64)> {
    let file = File::open(path)?;
    let size = file.metadata()?.len();
    Ok((file, size))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(layer: &Layer) -> Vec<u8> {
        let mut output = Vec::new();
        layer.write(&mut output).unwrap();
        output
    }

    #[test]
    fn order_of_adding_does_not_show() {
        let source = || Source::Bytes(b"content".to_vec());
        let mut one = Layer::new();
        one.file("/usr/bin/b", source(), 0o755).link("/bin", "usr/bin").file(
            "/usr/bin/a",
            source(),
            0o644,
        );
        let mut two = Layer::new();
        two.file("usr/bin/a", source(), 0o644)
            .file("usr/bin/b", source(), 0o755)
            .link("bin", "usr/bin");
        assert_eq!(bytes(&one), bytes(&two));
    }

    #[test]
    fn archive_reads_back() {
        let mut layer = Layer::new();
        layer
            .directory("tmp", 0o1777)
            .file("etc/a", Source::Bytes(vec![7; 1000]), 0o640)
            .link("l", "etc/a");
        let archive = bytes(&layer);
        let mut archive = tar::Archive::new(archive.as_slice());
        let found: Vec<_> = archive
            .entries()
            .unwrap()
            .map(|entry| {
                let entry = entry.unwrap();
                let header = entry.header();
                let times = (header.mtime().unwrap(), header.uid().unwrap());
                (
                    entry.path().unwrap().display().to_string(),
                    header.mode().unwrap(),
                    entry.size(),
                    times,
                )
            })
            .collect();
        let expected =
            [("etc/", 0o755, 0), ("etc/a", 0o640, 1000), ("l", 0o777, 0), ("tmp/", 0o1777, 0)];
        let expected: Vec<_> =
            expected.map(|(path, mode, size)| (path.to_owned(), mode, size, (0, 0))).into();
        assert_eq!(found, expected);
    }

    #[test]
    fn missing_file_is_named() {
        let mut layer = Layer::new();
        layer.file("a", Source::Path("does/not/exist".into()), 0o644);
        let error = layer.write(Vec::new()).unwrap_err();
        assert_eq!(error.to_string(), "reading does/not/exist for the layer's file /a");
    }
}
