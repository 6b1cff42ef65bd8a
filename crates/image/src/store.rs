//! The store of built parts, outside the checkout: one directory for each hash of inputs.
//!
//! A part is built beside its place and moved there when it is whole, under a lock, so two builds
//! at once or an interrupted one leave no broken part. What is in the store is never changed.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use registry::digest::Digest;

/// The store.
#[derive(Clone, Debug)]
pub struct Store {
    root: PathBuf,
}

/// What a part depends on, gathered piece by piece.
#[derive(Clone, Debug, Default)]
pub struct Inputs(String);

/// A part in the store.
#[derive(Clone, Debug)]
pub struct Part {
    /// The directory with its files.
    pub path: PathBuf,
    /// How long building it took; nothing if it was there already.
    pub built: Option<Duration>,
}

/// Why the store could not be used.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The environment names no place for it.
    #[error("no place for built parts: set ICHOR_CACHE, XDG_CACHE_HOME or HOME to a directory")]
    NoPlace,
    /// A file or directory of the store failed.
    #[error("using the store at {}", path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// The system's answer.
        #[source]
        source: io::Error,
    },
}

impl Store {
    /// A store at this place.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// The store of this user: `$ICHOR_CACHE`, else `ichor` in the user's cache directory.
    pub fn of_user() -> Result<Self, StoreError> {
        let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty());
        variable("ICHOR_CACHE")
            .map(PathBuf::from)
            .or_else(|| variable("XDG_CACHE_HOME").map(|path| PathBuf::from(path).join("ichor")))
            .or_else(|| variable("HOME").map(|path| PathBuf::from(path).join(".cache/ichor")))
            .map(Self::new)
            .ok_or(StoreError::NoPlace)
    }

    /// The part of these inputs, built by `build` into the directory it is given if it is not there.
    pub fn part<E: From<StoreError>>(
        &self,
        name: &str,
        inputs: &Inputs,
        build: impl FnOnce(&Path) -> Result<(), E>,
    ) -> Result<Part, E> {
        let digest = Digest::of(inputs.0.as_bytes());
        let short = digest.hex().get(..24).unwrap_or_default();
        let path = self.root.join(format!("{name}-{short}"));
        if path.is_dir() {
            return Ok(Part { path, built: None });
        }
        fs::create_dir_all(&self.root).map_err(|source| failed(&self.root, source))?;
        let lock = self.root.join(format!(".{name}.lock"));
        let held = File::create(&lock).map_err(|source| failed(&lock, source))?;
        held.lock().map_err(|source| failed(&lock, source))?;
        // Somebody else may have built it while this build waited.
        if path.is_dir() {
            return Ok(Part { path, built: None });
        }
        let begun = Instant::now();
        // Whoever holds the lock is the only builder: what is there is what an interrupted build left.
        let beside = self.root.join(format!(".{name}.part"));
        remove(&beside)?;
        fs::create_dir(&beside).map_err(|source| failed(&beside, source))?;
        if let Err(error) = build(&beside) {
            // The error that is reported is the first one.
            let _ = remove(&beside);
            return Err(error);
        }
        // Parts are for everyone, whatever the builder keeps to itself.
        fs::set_permissions(&beside, std::os::unix::fs::PermissionsExt::from_mode(0o755))
            .map_err(|source| failed(&beside, source))?;
        fs::rename(&beside, &path).map_err(|source| failed(&path, source))?;
        Ok(Part { path, built: Some(begun.elapsed()) })
    }
}

/// Removes a directory that may be there.
fn remove(directory: &Path) -> Result<(), StoreError> {
    match fs::remove_dir_all(directory) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => Err(failed(directory, source)),
        _ => Ok(()),
    }
}

fn failed(path: &Path, source: io::Error) -> StoreError {
    StoreError::Io { path: path.to_owned(), source }
}

impl Inputs {
    /// No inputs yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a named text.
    pub fn text(&mut self, name: &str, value: &str) -> &mut Self {
        // The length keeps two different lists of inputs from reading the same.
        self.0.push_str(&format!("{name} {} {value}\n", value.len()));
        self
    }

    /// Adds a file by its content.
    pub fn file(&mut self, path: &Path) -> Result<&mut Self, StoreError> {
        let bytes = fs::read(path).map_err(|source| failed(path, source))?;
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let digest = Digest::of(&bytes).to_string();
        Ok(self.text(&name, &digest))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inputs(version: &str) -> Inputs {
        let mut inputs = Inputs::new();
        inputs.text("version", version);
        inputs
    }

    #[test]
    fn builds_once_for_each_set_of_inputs() {
        let root = tempfile::tempdir().unwrap();
        let store = Store::new(root.path());
        let build = |content: &'static str| {
            move |path: &Path| {
                fs::write(path.join("file"), content).map_err(|source| failed(path, source))
            }
        };
        let one = store.part("a", &inputs("1"), build("first")).unwrap();
        assert!(one.built.is_some());
        let again = store.part("a", &inputs("1"), build("never built")).unwrap();
        assert!(again.built.is_none());
        assert_eq!(fs::read_to_string(again.path.join("file")).unwrap(), "first");
        let two = store.part("a", &inputs("2"), build("second")).unwrap();
        assert_ne!(one.path, two.path);
    }

    #[test]
    fn an_interrupted_build_leaves_nothing_in_the_next() {
        let root = tempfile::tempdir().unwrap();
        let store = Store::new(root.path());
        let half = root.path().join(".a.part/half");
        fs::create_dir(half.parent().unwrap()).unwrap();
        fs::write(&half, "").unwrap();
        let build = |path: &Path| fs::write(path.join("whole"), "").map_err(|e| failed(path, e));
        let part = store.part("a", &inputs("1"), build).unwrap();
        let files: Vec<_> = fs::read_dir(&part.path).unwrap().flatten().collect();
        assert_eq!(files.len(), 1, "{files:?}");
        assert!(!half.exists());
    }

    #[test]
    fn failed_build_leaves_nothing() {
        let root = tempfile::tempdir().unwrap();
        let store = Store::new(root.path());
        let outcome = store.part("a", &inputs("1"), |path| {
            fs::write(path.join("half"), "").unwrap();
            Err(failed(path, io::Error::other("stopped")))
        });
        assert!(outcome.is_err());
        let left: Vec<_> = fs::read_dir(root.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
            .collect();
        assert_eq!(left, [".a.lock"]);
    }
}
