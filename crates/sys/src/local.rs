//! Connections over unix sockets that wake their task for what it waits for, and for nothing else.
//!
//! A unix socket reports that it can be written to again each time its other end has read. Nobody waits for that
//! unless the socket was full, yet each report costs a wakeup, and between two processes that call each other these
//! are half of all. Here a socket is watched for reading, and for writing only while it is full.
//! Must never: know what is sent.

use std::{
    io::{self, IoSlice, Read, Write},
    net::Shutdown,
    os::unix::net,
    pin::Pin,
    task::{Context, Poll, ready},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, Interest, ReadBuf, unix::AsyncFd},
    net::UnixStream,
};

/// One end of a connection.
#[derive(Debug)]
pub struct LocalStream {
    stream: AsyncFd<net::UnixStream>,
    /// There while the socket is full: a second descriptor of it, since one is watched for one thing.
    full: Option<AsyncFd<net::UnixStream>>,
}

impl LocalStream {
    /// Takes over a connection.
    ///
    /// # Errors
    /// What the kernel says when it cannot be watched.
    pub fn new(stream: UnixStream) -> io::Result<Self> {
        Ok(Self { stream: watch(stream.into_std()?, Interest::READABLE)?, full: None })
    }

    fn poll_sent(
        &mut self,
        context: &mut Context<'_>,
        send: impl Fn(&net::UnixStream) -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        loop {
            match send(self.stream.get_ref()) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                result => {
                    self.full = None;
                    return Poll::Ready(result);
                }
            }
            let full = match &mut self.full {
                Some(full) => full,
                none => {
                    let again = self.stream.get_ref().try_clone()?;
                    none.insert(watch(again, Interest::WRITABLE)?)
                }
            };
            ready!(full.poll_write_ready(context))?.clear_ready();
        }
    }
}

fn watch(stream: net::UnixStream, interest: Interest) -> io::Result<AsyncFd<net::UnixStream>> {
    // SAFETY: the stream owns an open descriptor and always names that one; it moves into the result, from which
    // nothing takes it, so it stays open until the result is dropped and no longer watched.
    Ok(unsafe { AsyncFd::register_with_interest(stream, interest) }?)
}

impl AsyncRead for LocalStream {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            let mut guard = ready!(self.stream.poll_read_ready(context))?;
            let unfilled = buffer.initialize_unfilled();
            let room = unfilled.len();
            match guard.try_io(|stream| stream.get_ref().read(unfilled)) {
                Ok(Err(error)) if error.kind() == io::ErrorKind::Interrupted => {}
                Ok(result) => {
                    let count = result?;
                    // Less than there was room for is all there was: the next report tells of more.
                    if 0 < count && count < room {
                        guard.clear_ready();
                    }
                    buffer.advance(count);
                    return Poll::Ready(Ok(()));
                }
                Err(_would_block) => {}
            }
        }
    }
}

impl AsyncWrite for LocalStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_sent(context, |mut stream| stream.write(bytes))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.poll_sent(context, |mut stream| stream.write_vectored(parts))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.stream.get_ref().shutdown(Shutdown::Write) {
            // The other end was faster.
            Err(error) if error.kind() == io::ErrorKind::NotConnected => Poll::Ready(Ok(())),
            result => Poll::Ready(result),
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    #[tokio::test]
    async fn all_bytes_arrive_when_the_socket_fills_up() {
        let (one, other) = UnixStream::pair().unwrap();
        let (mut one, mut other) =
            (LocalStream::new(one).unwrap(), LocalStream::new(other).unwrap());
        let sent: Vec<u8> = (0..4_000_000_u32).map(|number| number.to_le_bytes()[0]).collect();
        let expected = sent.clone();
        let writer = tokio::spawn(async move {
            one.write_all(&sent).await.unwrap();
            let watched = one.full.is_some();
            one.shutdown().await.unwrap();
            let mut reply = String::new();
            one.read_to_string(&mut reply).await.unwrap();
            (reply, watched)
        });
        // The writer comes first to where it has to wait.
        tokio::task::yield_now().await;
        let mut received = Vec::new();
        other.read_to_end(&mut received).await.unwrap();
        assert!(received == expected);
        other.write_all(b"thanks").await.unwrap();
        drop(other);
        let (reply, watched) = writer.await.unwrap();
        assert_eq!(reply, "thanks");
        assert!(!watched, "nobody waits for room any more");
    }

    #[tokio::test]
    async fn the_end_of_the_other_side_ends_a_writer_that_waits() {
        let (one, other) = UnixStream::pair().unwrap();
        let mut one = LocalStream::new(one).unwrap();
        let writer = tokio::spawn(async move { one.write_all(&[0; 4_000_000]).await });
        tokio::task::yield_now().await;
        drop(other);
        let error = writer.await.unwrap().unwrap_err();
        assert!(
            matches!(error.kind(), io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset),
            "{error}"
        );
    }
}
