//! The devices that were there before anybody listened: a walk through `/sys`.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Why the devices could not be listed.
#[derive(Debug, thiserror::Error)]
#[error("cannot list the devices in {path}")]
pub(super) struct WalkError {
    path: PathBuf,
    #[source]
    source: io::Error,
}

/// The file by which a device says what its driver is found by.
const MODALIAS: &str = "modalias";

/// What every device below `devices` (`/sys/devices`) says, each once. A device that goes while it is looked at is
/// left out; links lead to what is found anyway and are not followed.
pub(super) fn modaliases(devices: &Path) -> Result<BTreeSet<String>, WalkError> {
    let mut found = BTreeSet::new();
    let mut pending = vec![devices.to_owned()];
    while let Some(directory) = pending.pop() {
        let entries = match fs::read_dir(&directory) {
            Ok(entries) => entries,
            Err(source) if directory == devices => {
                return Err(WalkError { path: directory, source });
            }
            Err(_) => continue,
        };
        for entry in entries.filter_map(Result::ok) {
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => pending.push(entry.path()),
                Ok(kind) if kind.is_file() && entry.file_name() == MODALIAS => {
                    let text = fs::read_to_string(entry.path()).unwrap_or_default();
                    let text = text.trim();
                    if !text.is_empty() {
                        found.insert(text.to_owned());
                    }
                }
                _ => {}
            }
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_device_says_its_alias_once() {
        let root = tempfile::tempdir().unwrap();
        for (device, alias) in [
            ("pci0000:00/0000:00:01.0", "pci:v1\n"),
            ("pci0000:00/0000:00:02.0", "pci:v2\n"),
            ("pci0000:00/0000:00:02.0/virtio0", "virtio:d1\n"),
            ("pci0000:00/0000:00:03.0", "pci:v2\n"),
            ("platform/none", "\n"),
        ] {
            let directory = root.path().join(device);
            fs::create_dir_all(&directory).unwrap();
            fs::write(directory.join(MODALIAS), alias).unwrap();
        }
        std::os::unix::fs::symlink(root.path(), root.path().join("platform/subsystem")).unwrap();
        let found: Vec<_> = modaliases(root.path()).unwrap().into_iter().collect();
        assert_eq!(found, ["pci:v1", "pci:v2", "virtio:d1"]);
        assert!(modaliases(&root.path().join("absent")).is_err());
    }
}
