//! Waiting for files: events of the kernel, not looks at a clock.

use std::io;
use std::path::{Path, PathBuf};

use sys::inotify::{FileEvent, Inotify, Watched};
use sys::readiness::Readiness;

/// Watched files and directories, as a stream of events.
#[derive(Debug)]
pub struct FileWatch {
    inotify: Inotify,
    readiness: Readiness,
}

impl FileWatch {
    /// An empty set of watches.
    ///
    /// # Errors
    /// When the limit of inotify instances is reached.
    pub fn new() -> io::Result<Self> {
        let inotify = Inotify::new()?;
        Ok(Self { readiness: Readiness::of(&inotify)?, inotify })
    }

    /// Watches `path`.
    ///
    /// # Errors
    /// When the path does not exist or a limit is reached.
    pub fn add(&self, path: &Path, events: Watched) -> io::Result<i32> {
        self.inotify.add(path, events)
    }

    /// The next events, at least one.
    ///
    /// # Errors
    /// When the events cannot be read.
    pub async fn next(&self) -> io::Result<Vec<FileEvent>> {
        let some = || self.inotify.events().map(|events| (!events.is_empty()).then_some(events));
        self.readiness.until(some).await
    }
}

const APPEARS: Watched =
    Watched::CREATE.union(Watched::MOVED_TO).union(Watched::DELETE_SELF).union(Watched::MOVE_SELF);

/// Waits until `path` exists. Its directories may be missing too.
///
/// # Errors
/// When nothing on the way to the path can be watched.
pub async fn appears(path: &Path) -> io::Result<()> {
    loop {
        let watch = FileWatch::new()?;
        let ancestor = nearest_existing(path);
        watch.add(&ancestor, APPEARS)?;
        // Looked at after the watch is in place, so nothing falls between.
        if path.exists() {
            return Ok(());
        }
        if nearest_existing(path) != ancestor {
            continue;
        }
        watch.next().await?;
    }
}

fn nearest_existing(path: &Path) -> PathBuf {
    path.ancestors().skip(1).find(|ancestor| ancestor.exists()).unwrap_or(Path::new("/")).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[tokio::test]
    async fn a_file_is_noticed_even_when_its_directories_come_later() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a/b/c.sock");
        let waiting = tokio::spawn({
            let path = path.clone();
            async move { appears(&path).await }
        });
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        tokio::task::yield_now().await;
        std::fs::write(&path, "").unwrap();
        let noticed = tokio::time::timeout(Duration::from_secs(5), waiting).await;
        noticed.unwrap().unwrap().unwrap();
        appears(&path).await.unwrap();
    }
}
