//! The directory of a cluster: where everything about it is, and nothing about it is elsewhere.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sys::cgroup::{Directory, Group};
use sys::process::{Process, StartTime};
use thiserror::Error;

use crate::spec::ClusterSpec;

/// Why a cluster's directory could not be used.
#[derive(Debug, Error)]
pub enum StateError {
    /// There is no cluster of this name.
    #[error("there is no cluster {name:?} in {directory}: `ichorctl cluster create` makes one")]
    Missing {
        /// The name.
        name: String,
        /// Where it was looked for.
        directory: PathBuf,
    },
    /// A file could not be read.
    #[error("cannot read {path}")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the kernel said.
        #[source]
        source: io::Error,
    },
    /// A file does not hold what it should.
    #[error("{path} is damaged: destroy the cluster and create it again")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Where.
        #[source]
        source: serde_json::Error,
    },
    /// A file could not be written.
    #[error("cannot write {path}")]
    Write {
        /// The file.
        path: PathBuf,
        /// What the kernel said.
        #[source]
        source: io::Error,
    },
    /// Something could not be removed.
    #[error("cannot remove {path}")]
    Remove {
        /// What.
        path: PathBuf,
        /// What the kernel said.
        #[source]
        source: io::Error,
    },
}

/// A process, by what identifies it for good.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessRecord {
    /// Its id.
    pub pid: i32,
    /// When it started, in ticks since the host's boot.
    pub started: u64,
}

impl ProcessRecord {
    /// The record of a running process.
    ///
    /// # Errors
    /// When it does not run.
    pub fn of(pid: i32) -> io::Result<Self> {
        Ok(Self { pid, started: StartTime::of(pid)?.0 })
    }

    /// The process, if it still runs.
    #[must_use]
    pub fn open(&self) -> Option<Process> {
        Process::adopt(self.pid, StartTime(self.started)).ok()
    }
}

/// The cgroup directories of a cluster, recorded so that they can be removed by anybody later.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupRecord(Vec<(String, PathBuf)>);

impl GroupRecord {
    /// The record of `group`.
    #[must_use]
    pub fn of(group: &Group) -> Self {
        let directories = group.directories().iter();
        Self(directories.map(|d| (d.hierarchy.clone(), d.path.clone())).collect())
    }

    /// The group; `None` when the record is empty.
    #[must_use]
    pub fn group(&self) -> Option<Group> {
        let directory = |(hierarchy, path): &(String, PathBuf)| Directory {
            hierarchy: hierarchy.clone(),
            path: path.clone(),
        };
        Group::from_directories(self.0.iter().map(directory).collect()).ok()
    }
}

/// The directory of one cluster.
#[derive(Clone, Debug)]
pub struct ClusterDirectory {
    path: PathBuf,
}

impl ClusterDirectory {
    /// The directory of cluster `name` below `state`; it need not exist.
    #[must_use]
    pub fn new(state: &Path, name: &str) -> Self {
        Self { path: state.join(name) }
    }

    /// The directory at `path`.
    #[must_use]
    pub fn at(path: PathBuf) -> Self {
        Self { path }
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A file in it.
    #[must_use]
    pub fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// The directory of a node.
    #[must_use]
    pub fn node(&self, name: &str) -> PathBuf {
        self.path.join("nodes").join(name)
    }

    /// The machine configuration a node is started with; its directory is made.
    ///
    /// # Errors
    /// When the directory cannot be made.
    pub fn node_config(&self, name: &str) -> Result<PathBuf, StateError> {
        let directory = self.node(name);
        make_directory(&directory)?;
        Ok(directory.join(NODE_CONFIG))
    }

    /// What a node says on its console.
    #[must_use]
    pub fn console(&self, node: &str) -> PathBuf {
        self.node(node).join("console.log")
    }

    /// The last lines that a node said on its console, at most `count`, without the sequences
    /// that move a terminal's cursor or change its colours, and without empty lines.
    #[must_use]
    pub fn console_tail(&self, node: &str, count: usize) -> Vec<String> {
        let text = fs::read(self.console(node)).unwrap_or_default();
        let text = plain(&String::from_utf8_lossy(&text));
        let lines: Vec<&str> =
            text.lines().map(str::trim_end).filter(|line| !line.trim().is_empty()).collect();
        let first = lines.len().saturating_sub(count);
        lines.into_iter().skip(first).map(str::to_owned).collect()
    }

    /// Whether a cluster was planned here.
    #[must_use]
    pub fn exists(&self) -> bool {
        self.file(SPEC).exists()
    }

    /// Makes it, readable by its owner only: it holds the cluster's keys.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn create(&self) -> Result<(), StateError> {
        make_directory(&self.path)
    }

    /// The cluster planned here.
    ///
    /// # Errors
    /// When there is none, or the file is damaged.
    pub fn spec(&self) -> Result<ClusterSpec, StateError> {
        if !self.exists() {
            let name = self.path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let directory = self.path.parent().unwrap_or(&self.path).to_path_buf();
            return Err(StateError::Missing { name, directory });
        }
        self.read(SPEC)
    }

    /// Records the cluster.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn save_spec(&self, spec: &ClusterSpec) -> Result<(), StateError> {
        self.write(SPEC, spec)
    }

    /// Reads a record.
    ///
    /// # Errors
    /// When the file is missing or damaged.
    pub fn read<T: DeserializeOwned>(&self, name: &str) -> Result<T, StateError> {
        let path = self.file(name);
        let text =
            fs::read(&path).map_err(|source| StateError::Read { path: path.clone(), source })?;
        serde_json::from_slice(&text).map_err(|source| StateError::Damaged { path, source })
    }

    /// Writes a record.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write<T: Serialize>(&self, name: &str, value: &T) -> Result<(), StateError> {
        let path = self.file(name);
        let mut text = serde_json::to_vec_pretty(value)
            .map_err(|e| StateError::Write { path: path.clone(), source: e.into() })?;
        text.push(b'\n');
        write_file(&path, &text)
    }

    /// Takes the lock that a running supervisor holds; `None` when one runs.
    ///
    /// # Errors
    /// When the lock file cannot be opened.
    pub fn try_lock(&self) -> Result<Option<File>, StateError> {
        let file = self.lock_file()?;
        match file.try_lock() {
            Ok(()) => Ok(Some(file)),
            Err(fs::TryLockError::WouldBlock) => Ok(None),
            Err(fs::TryLockError::Error(source)) => {
                Err(StateError::Write { path: self.file(LOCK), source })
            }
        }
    }

    /// Waits until no supervisor runs and takes the lock.
    ///
    /// # Errors
    /// When the lock file cannot be opened.
    pub fn lock(&self) -> Result<File, StateError> {
        let file = self.lock_file()?;
        file.lock().map_err(|source| StateError::Write { path: self.file(LOCK), source })?;
        Ok(file)
    }

    fn lock_file(&self) -> Result<File, StateError> {
        let path = self.file(LOCK);
        let mut options = File::options();
        options.write(true).create(true).truncate(false).mode(0o600);
        options.open(&path).map_err(|source| StateError::Write { path, source })
    }

    /// Removes the directory and everything in it.
    ///
    /// # Errors
    /// When something cannot be removed.
    pub fn remove(&self) -> Result<(), StateError> {
        match fs::remove_dir_all(&self.path) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => {
                Err(StateError::Remove { path: self.path.clone(), source })
            }
            _ => Ok(()),
        }
    }
}

/// A terminal's text without its control sequences (ECMA-48: ESC, `[`, parameters, a final byte).
fn plain(text: &str) -> String {
    let mut out = String::new();
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '\u{1b}' if characters.next_if_eq(&'[').is_some() => {
                let last = |c: &char| ('@'..='~').contains(c);
                let end = characters.by_ref().find(last);
                // A cursor that moves to another line begins one here.
                if matches!(end, Some('H' | 'f')) {
                    out.push('\n');
                }
            }
            '\n' => out.push('\n'),
            other if other.is_control() && other != '\t' => {}
            other => out.push(other),
        }
    }
    out
}

const SPEC: &str = "cluster.json";
const LOCK: &str = "lock";
/// The machine configuration, in a node's directory.
pub(crate) const NODE_CONFIG: &str = "config.yaml";
/// The record of a node's first process (of its machine, when it is one), in the node's directory.
pub(crate) const FIRST_PROCESS: &str = "init.json";
/// The record of the process that is a machine's TPM, in the node's directory.
pub(crate) const TPM: &str = "tpm.json";
/// The supervisor's own record.
pub(crate) const SUPERVISOR: &str = "supervisor.json";
/// The cgroup's record.
pub(crate) const GROUP: &str = "cgroup.json";

/// Makes a directory for its owner only, and those above it as usual.
pub(crate) fn make_directory(path: &Path) -> Result<(), StateError> {
    if path.is_dir() {
        return Ok(());
    }
    let failed = |source| StateError::Write { path: path.to_path_buf(), source };
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).map_err(failed)?;
    }
    fs::DirBuilder::new().mode(0o700).create(path).map_err(failed)
}

/// Replaces a file in one step, so that a reader or a crash never sees half of it.
pub(crate) fn write_file(path: &Path, content: &[u8]) -> Result<(), StateError> {
    let failed = |source| StateError::Write { path: path.to_path_buf(), source };
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".part");
    let part = path.with_file_name(name);
    let mut options = File::options();
    options.write(true).create(true).truncate(true).mode(0o600);
    let mut file = options.open(&part).map_err(failed)?;
    io::Write::write_all(&mut file, content).map_err(failed)?;
    fs::rename(&part, path).map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lock_is_held_once() {
        let state = tempfile::tempdir().unwrap();
        let directory = ClusterDirectory::new(state.path(), "x");
        directory.create().unwrap();
        let held = directory.try_lock().unwrap().unwrap();
        assert!(directory.try_lock().unwrap().is_none());
        drop(held);
        assert!(directory.try_lock().unwrap().is_some());
    }

    #[test]
    fn a_missing_cluster_and_a_damaged_file_say_what_to_do() {
        let state = tempfile::tempdir().unwrap();
        let directory = ClusterDirectory::new(state.path(), "x");
        let error = directory.spec().unwrap_err().to_string();
        assert!(error.contains("\"x\"") && error.contains("cluster create"), "{error}");
        directory.create().unwrap();
        fs::write(directory.file(SPEC), "{").unwrap();
        let error = directory.spec().unwrap_err().to_string();
        assert!(error.contains("damaged"), "{error}");
        directory.remove().unwrap();
        directory.remove().unwrap();
        assert!(!directory.path().exists());
    }

    #[test]
    fn the_end_of_a_console_is_read_without_its_decoration() {
        let state = tempfile::tempdir().unwrap();
        let directory = ClusterDirectory::new(state.path(), "x");
        assert_eq!(directory.console_tail("n", 3), [""; 0]);
        fs::create_dir_all(directory.node("n")).unwrap();
        let text = b"first\r\n\r\n\x1b[1m\x1b[31mBoot\x1b[0m 1\r\n\x1b[08;01HShell> \x1b[0m\xff";
        fs::write(directory.console("n"), text).unwrap();
        assert_eq!(directory.console_tail("n", 2), ["Boot 1", "Shell> \u{fffd}"]);
        assert_eq!(directory.console_tail("n", 9).len(), 3);
    }
}
