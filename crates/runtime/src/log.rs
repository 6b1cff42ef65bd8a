//! Which log belongs to whom: log ids and the append-only files behind them.
//!
//! Only names and places live here. Files are opened, rotated and followed by the adapters that may do I/O.
//! Must never: touch a file.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A log file is rotated when it has grown past this many bytes.
pub const ROTATE_AT: u64 = 5 * 1024 * 1024;

/// A name that cannot be a log id.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{name:?} cannot be the name of a log: use letters, digits, '-', '_' and '.'")]
pub struct LogIdError {
    /// The name.
    pub name: String,
}

/// The name of a log: usually a service id. Safe as a file name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LogId(Arc<str>);

impl LogId {
    /// Checks a name.
    ///
    /// # Errors
    /// [`LogIdError`] when the name is empty or could leave the log directory.
    pub fn parse(name: &str) -> Result<Self, LogIdError> {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        if name.is_empty() || name.len() > 200 || name.starts_with('.') || !name.chars().all(plain)
        {
            return Err(LogIdError { name: name.to_owned() });
        }
        Ok(Self(name.into()))
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for LogId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The logs of this node. Clones are handles to the same table.
#[derive(Clone, Debug)]
pub struct Registry {
    directory: Arc<Path>,
    logs: Arc<Mutex<BTreeMap<LogId, PathBuf>>>,
}

impl Registry {
    /// A registry that puts its files in `directory`.
    #[must_use]
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        Self { directory: directory.into().into(), logs: Arc::default() }
    }

    fn table(&self) -> MutexGuard<'_, BTreeMap<LogId, PathBuf>> {
        // Only single map operations happen under the lock.
        self.logs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where the files are.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Makes a log known and says which file to append to: `<directory>/<id>.log`.
    #[must_use]
    pub fn register(&self, id: &LogId) -> PathBuf {
        self.table()
            .entry(id.clone())
            .or_insert_with(|| self.directory.join(format!("{id}.log")))
            .clone()
    }

    /// Makes a log known whose file is elsewhere.
    pub fn register_at(&self, id: &LogId, path: PathBuf) {
        self.table().insert(id.clone(), path);
    }

    /// The file of a known log.
    #[must_use]
    pub fn path(&self, id: &str) -> Option<PathBuf> {
        let id = LogId::parse(id).ok()?;
        self.table().get(&id).cloned()
    }

    /// All known logs.
    #[must_use]
    pub fn list(&self) -> Vec<(LogId, PathBuf)> {
        self.table().iter().map(|(id, path)| (id.clone(), path.clone())).collect()
    }
}

/// The rotated predecessor of a log file.
#[must_use]
pub fn rotated(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".1");
    name.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_cannot_leave_the_directory() {
        for bad in ["", ".", "..", "../x", "a/b", ".hidden", "a b", "ü"] {
            assert_eq!(LogId::parse(bad), Err(LogIdError { name: bad.to_owned() }));
        }
        assert!(LogId::parse("ext-node_exporter.2").is_ok());
    }

    #[test]
    fn a_log_is_known_once_it_is_registered() {
        let logs = Registry::new("/var/log");
        assert_eq!(logs.path("apid"), None);
        let path = logs.register(&LogId::parse("apid").unwrap());
        assert_eq!(path, Path::new("/var/log/apid.log"));
        assert_eq!(logs.path("apid"), Some(path.clone()));
        assert_eq!(rotated(&path), Path::new("/var/log/apid.log.1"));
        assert_eq!(logs.list().len(), 1);
        let kubelet = LogId::parse("kubelet").unwrap();
        logs.register_at(&kubelet, "/elsewhere/kubelet.log".into());
        assert_eq!(logs.path("kubelet"), Some("/elsewhere/kubelet.log".into()));
    }
}
