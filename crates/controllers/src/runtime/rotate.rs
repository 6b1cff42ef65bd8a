//! Log files stay small: one that has grown too large is copied aside and emptied in place.
//!
//! Writers append and never reopen, also those that machined did not start, so a file is never moved away under them.
//! The size of a file has no event of its own that would not come with every line, so it is looked at now and then.

use std::fs::{self, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ::runtime::controller::{Context, ControllerError, Next, RegisterError, Runtime};
use ::runtime::log::{ROTATE_AT, rotated};

use crate::Node;
use crate::plain::plain;

/// How often sizes are looked at.
const PACE: Duration = Duration::from_secs(60);

/// A log file could not be rotated.
#[derive(Debug, thiserror::Error)]
#[error("cannot rotate the log {path}")]
struct RotateError {
    path: PathBuf,
    #[source]
    source: io::Error,
}

/// Copies the file aside and empties it when it is larger than `limit`.
fn rotate(path: &Path, limit: u64) -> io::Result<bool> {
    match fs::metadata(path) {
        Ok(metadata) if metadata.len() > limit => {}
        Ok(_) => return Ok(false),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(error),
    }
    fs::copy(path, rotated(path))?;
    // Lines written between the copy and this are lost; the alternative is a writer that has to reopen.
    OpenOptions::new().write(true).open(path)?.set_len(0)?;
    Ok(true)
}

/// Adds the controller that keeps logs small.
pub(super) fn register(controllers: &mut Runtime, node: &Node) -> Result<(), RegisterError> {
    let logs = node.logs.clone();
    controllers.register(plain(
        "runtime.LogRotationController",
        Vec::new(),
        Vec::new(),
        move |_: &Context| -> Result<Next, ControllerError> {
            for (_, path) in logs.list() {
                rotate(&path, ROTATE_AT).map_err(|source| RotateError { path, source })?;
            }
            Ok(Next::After(PACE))
        },
    ))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    #[test]
    fn a_writer_goes_on_in_the_same_file() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("etcd.log");
        let mut writer = OpenOptions::new().append(true).create(true).open(&path).unwrap();
        writer.write_all(b"0123456789\n").unwrap();
        assert!(!rotate(&path, 11).unwrap(), "not larger yet");
        assert!(rotate(&path, 10).unwrap());
        writer.write_all(b"next\n").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "next\n");
        assert_eq!(fs::read_to_string(rotated(&path)).unwrap(), "0123456789\n");
        assert!(!rotate(&directory.path().join("absent"), 1).unwrap());
    }
}
