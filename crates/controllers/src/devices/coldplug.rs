//! The devices that were there before anybody listened, as `/sys` lists them: by bus, by class, and the system's own.
//!
//! Must never: walk through all of `/sys/devices`. A small machine has a thousand directories there, most of which say nothing.

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

/// What every device in the lists below `sys` (`/sys`) says, each once. A device that goes while it is looked at is left
/// out.
pub(super) fn modaliases(sys: &Path) -> Result<BTreeSet<String>, WalkError> {
    let buses = list(sys.join("bus"))?.map(|bus| bus.join("devices"));
    // A kernel without a class has none of its devices either.
    let classes = list(sys.join("class")).into_iter().flatten();
    let mut found = BTreeSet::new();
    // The processors say together what they are.
    let system = sys.join("devices/system");
    for directory in buses.chain(classes).chain([system]) {
        for device in list(directory).into_iter().flatten() {
            let text = fs::read_to_string(device.join(MODALIAS)).unwrap_or_default();
            let text = text.trim();
            if !text.is_empty() {
                found.insert(text.to_owned());
            }
        }
    }
    Ok(found)
}

fn list(path: PathBuf) -> Result<impl Iterator<Item = PathBuf>, WalkError> {
    match fs::read_dir(&path) {
        Ok(entries) => Ok(entries.filter_map(Result::ok).map(|entry| entry.path())),
        Err(source) => Err(WalkError { path, source }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_device_says_its_alias_once() {
        let root = tempfile::tempdir().unwrap();
        for (device, alias) in [
            ("bus/pci/devices/0000:00:01.0", "pci:v1\n"),
            ("bus/pci/devices/0000:00:02.0", "pci:v2\n"),
            ("bus/pci/devices/0000:00:03.0", "pci:v2\n"),
            ("bus/virtio/devices/virtio0", "virtio:d1\n"),
            ("bus/platform/devices/none", "\n"),
            ("class/dmi/id", "dmi:x\n"),
            ("devices/system/cpu", "cpu:x\n"),
        ] {
            let directory = root.path().join(device);
            fs::create_dir_all(&directory).unwrap();
            fs::write(directory.join(MODALIAS), alias).unwrap();
        }
        fs::create_dir_all(root.path().join("bus/platform/devices/silent")).unwrap();
        let found: Vec<_> = modaliases(root.path()).unwrap().into_iter().collect();
        assert_eq!(found, ["cpu:x", "dmi:x", "pci:v1", "pci:v2", "virtio:d1"]);
        assert!(modaliases(&root.path().join("absent")).is_err());
    }

    /// The kernel here lists all its devices by bus and class, too.
    #[test]
    fn nothing_is_missed_on_this_machine() {
        let sys = Path::new("/sys");
        let listed = modaliases(sys).unwrap();
        let mut pending = vec![sys.join("devices")];
        while let Some(directory) = pending.pop() {
            let Ok(entries) = fs::read_dir(&directory) else { continue };
            for entry in entries.filter_map(Result::ok) {
                match entry.file_type() {
                    Ok(kind) if kind.is_dir() => pending.push(entry.path()),
                    Ok(kind) if kind.is_file() && entry.file_name() == MODALIAS => {
                        let text = fs::read_to_string(entry.path()).unwrap_or_default();
                        let known = text.trim().is_empty() || listed.contains(text.trim());
                        assert!(known, "{} is not listed", entry.path().display());
                    }
                    _ => {}
                }
            }
        }
    }
}
