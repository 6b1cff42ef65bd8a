//! Writing files so that readers see the old or the new content, never a part.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

/// Why a file was not written. The old content is still there.
#[derive(Debug, thiserror::Error)]
#[error("cannot write {path}")]
pub struct WriteError {
    /// The file.
    pub path: PathBuf,
    /// Why.
    #[source]
    pub source: io::Error,
}

/// Writes `content` to `path` with `mode`, through a temporary file beside it. Does nothing, and says so with
/// `false`, when the file has that content and mode already.
///
/// # Errors
/// [`WriteError`].
pub fn write(path: &Path, content: &[u8], mode: u32) -> Result<bool, WriteError> {
    if is_already(path, content, mode) {
        return Ok(false);
    }
    replace(path, content, mode, false)
        .map(|()| true)
        .map_err(|source| WriteError { path: path.to_owned(), source })
}

/// Like [`write()`], and on the disk before it returns.
///
/// # Errors
/// [`WriteError`].
pub fn write_durable(path: &Path, content: &[u8], mode: u32) -> Result<bool, WriteError> {
    if is_already(path, content, mode) {
        return Ok(false);
    }
    replace(path, content, mode, true)
        .map(|()| true)
        .map_err(|source| WriteError { path: path.to_owned(), source })
}

fn is_already(path: &Path, content: &[u8], mode: u32) -> bool {
    let same_mode =
        fs::metadata(path).is_ok_and(|metadata| metadata.permissions().mode() & 0o7777 == mode);
    same_mode && fs::read(path).is_ok_and(|present| present == content)
}

fn replace(path: &Path, content: &[u8], mode: u32, durable: bool) -> io::Result<()> {
    let directory = path.parent().unwrap_or(Path::new("/"));
    fs::create_dir_all(directory)?;
    let mut temporary = path.as_os_str().to_owned();
    temporary.push("-tmp");
    let temporary = PathBuf::from(temporary);
    let written = (|| {
        let mut file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(mode)
            .open(&temporary)?;
        file.write_all(content)?;
        // An existing temporary file keeps its mode, and the umask takes bits from a new one.
        file.set_permissions(fs::Permissions::from_mode(mode))?;
        if durable {
            file.sync_all()?;
        }
        fs::rename(&temporary, path)?;
        if durable {
            File::open(directory)?.sync_all()?;
        }
        Ok(())
    })();
    if written.is_err() {
        // Nothing half-written stays; that it cannot be removed either is no news.
        let _ = fs::remove_file(&temporary);
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_write_replaces_the_whole_file_and_leaves_nothing_else() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("deep/config.yaml");
        assert!(write_durable(&path, b"one", 0o600).unwrap());
        assert!(!write_durable(&path, b"one", 0o600).unwrap(), "the same again changes nothing");
        assert!(write(&path, b"two", 0o600).unwrap());
        assert!(write(&path, b"two", 0o644).unwrap(), "another mode is a change");
        assert_eq!(fs::read(&path).unwrap(), b"two");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o644);
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
    }

    #[test]
    fn a_failed_write_names_the_file() {
        let directory = tempfile::tempdir().unwrap();
        let blocked = directory.path().join("file");
        fs::write(&blocked, "").unwrap();
        let error = write(&blocked.join("below"), b"x", 0o600).unwrap_err();
        assert_eq!(error.path, blocked.join("below"));
    }
}
