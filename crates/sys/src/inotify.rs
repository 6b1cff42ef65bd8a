//! File system events (inotify) as a descriptor that any event loop can wait for.

use std::ffi::OsStr;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::inotify::{CreateFlags, Reader, add_watch, init, remove_watch};
use rustix::io::Errno;

pub use rustix::fs::inotify::{ReadFlags as Happened, WatchFlags as Watched};

/// One event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileEvent {
    /// The watch it belongs to.
    pub watch: i32,
    /// What happened. After `QUEUE_OVERFLOW` anything may have.
    pub happened: Happened,
    /// The name inside a watched directory.
    pub name: Option<PathBuf>,
}

/// A set of watched files and directories; readable when something happened.
#[derive(Debug)]
pub struct Inotify(OwnedFd);

impl Inotify {
    /// An empty set.
    ///
    /// # Errors
    /// When the user's limit of inotify instances is reached.
    pub fn new() -> io::Result<Self> {
        Ok(Self(init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)?))
    }

    /// Watches `path`.
    ///
    /// # Errors
    /// When the path does not exist or a limit is reached.
    pub fn add(&self, path: &Path, events: Watched) -> io::Result<i32> {
        Ok(add_watch(&self.0, path, events)?)
    }

    /// Stops watching.
    ///
    /// # Errors
    /// When there is no such watch (any more).
    pub fn remove(&self, watch: i32) -> io::Result<()> {
        Ok(remove_watch(&self.0, watch)?)
    }

    /// The events since the last call; empty when there are none.
    ///
    /// # Errors
    /// When the descriptor cannot be read.
    pub fn events(&self) -> io::Result<Vec<FileEvent>> {
        let mut buffer = [MaybeUninit::uninit(); 4096];
        let mut reader = Reader::new(&self.0, &mut buffer);
        let mut events = Vec::new();
        loop {
            match reader.next() {
                Ok(event) => events.push(FileEvent {
                    watch: event.wd(),
                    happened: event.events(),
                    name: event.file_name().map(|name| OsStr::from_bytes(name.to_bytes()).into()),
                }),
                Err(Errno::AGAIN) => return Ok(events),
                Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
}

impl AsFd for Inotify {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl AsRawFd for Inotify {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_file_in_a_watched_directory_is_told_by_name() {
        let directory = tempfile::tempdir().unwrap();
        let inotify = Inotify::new().unwrap();
        let watch = inotify.add(directory.path(), Watched::CREATE | Watched::MODIFY).unwrap();
        assert_eq!(inotify.events().unwrap(), []);
        std::fs::write(directory.path().join("a.sock"), "x").unwrap();
        let events = inotify.events().unwrap();
        let created =
            FileEvent { watch, happened: Happened::CREATE, name: Some(PathBuf::from("a.sock")) };
        assert_eq!(events.first(), Some(&created));
        inotify.remove(watch).unwrap();
        std::fs::write(directory.path().join("b"), "").unwrap();
        assert!(inotify.events().unwrap().iter().all(|event| event.name.is_none()));
        assert!(inotify.add(&directory.path().join("absent"), Watched::CREATE).is_err());
    }
}
