//! Descriptors as events of an asynchronous program: wait until one can be read, without a thread.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// Tells when a descriptor (a pidfd, an inotify, a socket) has something to read.
#[derive(Debug)]
pub struct Readiness(AsyncFd<OwnedFd>);

impl Readiness {
    /// Watches a duplicate of `source`, so the original stays free to be used and closed. Reads of the original
    /// must not block.
    ///
    /// # Errors
    /// When there is no descriptor left, or the kind of file has no events.
    pub fn of(source: &impl AsFd) -> io::Result<Self> {
        let duplicate = source.as_fd().try_clone_to_owned()?;
        // SAFETY: an `OwnedFd` that nobody else can reach names the same open file until it is dropped, and
        // `AsyncFd` deregisters it before that.
        let registered = unsafe { AsyncFd::register_with_interest(duplicate, Interest::READABLE) }?;
        Ok(Self(registered))
    }

    /// Calls `attempt` whenever there may be something to read, until it finds something.
    ///
    /// # Errors
    /// What `attempt` fails with, or when the event loop ends.
    pub async fn until<T>(
        &self,
        mut attempt: impl FnMut() -> io::Result<Option<T>>,
    ) -> io::Result<T> {
        loop {
            let mut guard = self.0.readable().await?;
            if let Some(found) = attempt()? {
                return Ok(found);
            }
            guard.clear_ready();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read as _, Write as _};
    use std::os::unix::net::UnixStream;

    #[tokio::test]
    async fn something_to_read_ends_the_wait() {
        let (mut reader, mut writer) = UnixStream::pair().unwrap();
        reader.set_nonblocking(true).unwrap();
        let readiness = Readiness::of(&reader).unwrap();
        let waiting = tokio::spawn(async move {
            readiness
                .until(|| {
                    let mut byte = [0];
                    match reader.read(&mut byte) {
                        Ok(_) => Ok(Some(byte)),
                        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
                        Err(error) => Err(error),
                    }
                })
                .await
        });
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        writer.write_all(b"x").unwrap();
        assert_eq!(waiting.await.unwrap().unwrap(), *b"x");
    }
}
