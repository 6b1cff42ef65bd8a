//! The power button: every input device that has one is listened to for as long as it is there.

use std::io;
use std::path::{Path, PathBuf};

use sys::input::PowerButton;
use sys::readiness::Readiness;
use tokio::sync::mpsc;

/// Where input devices are.
const INPUT: &str = "/dev/input";

/// The device files in `directory` that may have buttons.
fn candidates(directory: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(directory) else { return Vec::new() };
    let mut found: Vec<_> = entries
        .filter_map(Result::ok)
        .filter(|entry| entry.file_name().to_string_lossy().starts_with("event"))
        .map(|entry| entry.path())
        .collect();
    found.sort();
    found
}

/// Listens to every device that is there now.
pub(super) fn listen_to_all(pressed: &mpsc::Sender<()>) {
    for path in candidates(Path::new(INPUT)) {
        listen(&path, pressed.clone());
    }
}

/// Listens to one device, if it has a power button.
pub(super) fn listen(path: &Path, pressed: mpsc::Sender<()>) {
    let button = match PowerButton::open(path) {
        Ok(Some(button)) => button,
        Ok(None) => return,
        Err(error) => {
            tracing::debug!(path = %path.display(), %error, "an input device does not say what it has");
            return;
        }
    };
    tracing::info!(path = %path.display(), "the power button is listened to");
    let path = path.to_owned();
    tokio::spawn(async move {
        // It ends when the device goes.
        if let Err(error) = follow(button, &pressed).await {
            tracing::debug!(path = %path.display(), %error, "a power button is gone");
        }
    });
}

async fn follow(mut button: PowerButton, pressed: &mpsc::Sender<()>) -> io::Result<()> {
    let readiness = Readiness::of(&button)?;
    loop {
        if readiness.until(|| button.pressed()).await? && pressed.send(()).await.is_err() {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_event_devices_are_looked_at() {
        let directory = tempfile::tempdir().unwrap();
        for name in ["event1", "event0", "mice", "js0"] {
            std::fs::write(directory.path().join(name), "").unwrap();
        }
        let names = ["event0", "event1"].map(|name| directory.path().join(name));
        assert_eq!(candidates(directory.path()), names);
        assert!(candidates(&directory.path().join("absent")).is_empty());
    }
}
