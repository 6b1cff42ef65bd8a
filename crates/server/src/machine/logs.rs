//! Logs of services and containers: the last lines of a file, then what is appended to it.
//!
//! A file is followed by the kernel's word that it changed. Must never: read a file that is not a log.

use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::Arc,
};

use api::{
    common::{ContainerDriver, Data},
    machine::{LogsContainer, LogsRequest},
};
use bytes::Bytes;
use futures::StreamExt;
use sys::{
    inotify::{Inotify, Watched},
    readiness::Readiness,
};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;

use super::{Node, rpc::Stream, workloads};

/// Streamed bytes come in pieces of this size.
pub(super) const CHUNK: usize = 1024;

pub(super) fn list(node: &Node) -> LogsContainer {
    let ids = node.logs.list().into_iter().map(|(id, _)| id.to_string()).collect();
    LogsContainer { metadata: None, ids }
}

pub(super) async fn stream(node: Arc<Node>, request: LogsRequest) -> Result<Stream<Data>, Status> {
    let path = place(&node, &request).await?;
    let tail = match request.tail_lines {
        lines if lines < 0 => None,
        lines => Some(usize::try_from(lines).unwrap_or_default()),
    };
    follow(path, tail, request.follow)
}

/// The file behind a request.
async fn place(node: &Node, request: &LogsRequest) -> Result<PathBuf, Status> {
    if request.namespace == "system" || request.namespace.is_empty() || request.id == "kubelet" {
        return node.logs.path(&request.id).ok_or_else(|| {
            Status::not_found(format!(
                "there is no log {:?}: LogsContainers lists those there are",
                request.id
            ))
        });
    }
    match request.driver() {
        ContainerDriver::Cri if request.namespace != "k8s.io" => {
            Err(Status::invalid_argument("driver CRI has containers in namespace k8s.io only"))
        }
        ContainerDriver::Cri | ContainerDriver::Containerd => {
            workloads::log_path(node, &request.id).await
        }
    }
}

/// The last `tail` lines of a file (all of it without a number), then what comes, if `more` is wanted.
pub(super) fn follow(
    path: PathBuf,
    tail: Option<usize>,
    more: bool,
) -> Result<Stream<Data>, Status> {
    let mut follower = Follower::open(path, tail, more)?;
    let (sender, receiver) = mpsc::channel(64);
    tokio::spawn(async move {
        let ended = tokio::select! {
            ended = follower.run(&sender) => ended,
            () = sender.closed() => return,
        };
        if let Err(error) = ended {
            let text = format!("reading {}: {error}", follower.path.display());
            drop(sender.send(Err(Status::internal(text))).await);
        }
    });
    Ok(ReceiverStream::new(receiver).boxed())
}

type Pieces = mpsc::Sender<Result<Data, Status>>;

struct Follower {
    path: PathBuf,
    file: Option<File>,
    position: u64,
    watch: Option<(Inotify, Readiness)>,
}

impl Follower {
    fn open(path: PathBuf, tail: Option<usize>, more: bool) -> Result<Self, Status> {
        let failed = |error: io::Error| {
            let text = format!("opening the log {}: {error}", path.display());
            if error.kind() == io::ErrorKind::NotFound && !more {
                Status::not_found(text)
            } else {
                Status::internal(text)
            }
        };
        let watch = if more { Some(watch(&path).map_err(failed)?) } else { None };
        // A service that has said nothing yet has no file: one who follows waits for it.
        let mut file = match File::open(&path) {
            Ok(file) => Some(file),
            Err(error) if error.kind() == io::ErrorKind::NotFound && more => None,
            Err(error) => return Err(failed(error)),
        };
        let position = match (&mut file, tail) {
            (Some(file), Some(lines)) => last_lines(file, lines).map_err(failed)?,
            _ => 0,
        };
        Ok(Self { path, file, position, watch })
    }

    async fn run(&mut self, to: &Pieces) -> io::Result<()> {
        loop {
            if !self.copy(to).await? {
                return Ok(());
            }
            let Some((inotify, readiness)) = &self.watch else { return Ok(()) };
            let some = || inotify.events().map(|events| (!events.is_empty()).then_some(()));
            readiness.until(some).await?;
            self.reopen(to).await?;
        }
    }

    /// Sends what is there from the position on; `false` when nobody reads any more.
    async fn copy(&mut self, to: &Pieces) -> io::Result<bool> {
        let Some(file) = &mut self.file else { return Ok(true) };
        file.seek(SeekFrom::Start(self.position))?;
        loop {
            let mut buffer = vec![0; CHUNK];
            let read = file.read(&mut buffer)?;
            if read == 0 {
                return Ok(true);
            }
            buffer.truncate(read);
            self.position += read as u64;
            let data = Data { metadata: None, bytes: Bytes::from(buffer) };
            if to.send(Ok(data)).await.is_err() {
                return Ok(false);
            }
        }
    }

    /// Goes on in a new file of the same name, once the old one is read to its end, and from the start of one that
    /// was cut off.
    async fn reopen(&mut self, to: &Pieces) -> io::Result<()> {
        let now = match std::fs::metadata(&self.path) {
            Ok(now) => now,
            // Between an old file and a new one there is none.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(error),
        };
        let same = match &self.file {
            Some(file) => file.metadata()?.ino() == now.ino(),
            None => false,
        };
        if same && now.len() < self.position {
            self.position = 0;
        }
        if !same {
            self.copy(to).await?;
            self.file = Some(File::open(&self.path)?);
            self.position = 0;
        }
        Ok(())
    }
}

/// The directory is watched, so that a file that is replaced or not there yet is noticed too.
fn watch(path: &Path) -> io::Result<(Inotify, Readiness)> {
    let inotify = Inotify::new()?;
    let directory = path.parent().unwrap_or(Path::new("/"));
    inotify.add(directory, Watched::MODIFY | Watched::CREATE | Watched::MOVED_TO)?;
    let readiness = Readiness::of(&inotify)?;
    Ok((inotify, readiness))
}

/// Where the last `lines` lines of a file begin.
fn last_lines(file: &mut File, lines: usize) -> io::Result<u64> {
    const BLOCK: u64 = 8192;
    let end = file.metadata()?.len();
    if lines == 0 {
        return Ok(end);
    }
    let mut start = end;
    let mut left = lines;
    let mut buffer = vec![0; usize::try_from(BLOCK).unwrap_or_default()];
    while start > 0 {
        let size = start.min(BLOCK);
        start -= size;
        let block = buffer.get_mut(..usize::try_from(size).unwrap_or_default()).unwrap_or_default();
        file.seek(SeekFrom::Start(start))?;
        file.read_exact(block)?;
        for (offset, byte) in (start..start + size).rev().zip(block.iter().rev()) {
            // The end of the last line is no beginning of another.
            if *byte == b'\n' && offset + 1 < end {
                left -= 1;
                if left == 0 {
                    return Ok(offset + 1);
                }
            }
        }
    }
    Ok(0)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn the_last_lines_begin_where_they_should() {
        let mut file = tempfile::tempfile().unwrap();
        let long = "x".repeat(9000);
        write!(file, "one\ntwo\n{long}\nlast").unwrap();
        let text = format!("one\ntwo\n{long}\nlast");
        for (lines, rest) in [
            (0, String::new()),
            (1, "last".to_owned()),
            (2, format!("{long}\nlast")),
            (3, format!("two\n{long}\nlast")),
            (4, text.clone()),
            (99, text.clone()),
        ] {
            let start = usize::try_from(last_lines(&mut file, lines).unwrap()).unwrap();
            assert_eq!(&text[start..], rest, "{lines}");
        }
        let mut ended = tempfile::tempfile().unwrap();
        ended.write_all(b"a\nb\n").unwrap();
        assert_eq!(last_lines(&mut ended, 1).unwrap(), 2);
    }

    async fn read(stream: &mut Stream<Data>, bytes: usize) -> String {
        let mut text = Vec::new();
        while text.len() < bytes {
            text.extend_from_slice(&stream.next().await.unwrap().unwrap().bytes);
        }
        String::from_utf8(text).unwrap()
    }

    #[tokio::test]
    async fn a_follower_sees_appended_rotated_and_late_files() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.log");
        let mut stream = follow(path.clone(), Some(1), true).unwrap();
        std::fs::write(&path, "first\n").unwrap();
        assert_eq!(read(&mut stream, 6).await, "first\n");
        let mut file = File::options().append(true).open(&path).unwrap();
        file.write_all(b"second\n").unwrap();
        assert_eq!(read(&mut stream, 7).await, "second\n");
        std::fs::rename(&path, directory.path().join("a.log.1")).unwrap();
        std::fs::write(&path, "third\n").unwrap();
        assert_eq!(read(&mut stream, 6).await, "third\n");
    }

    #[tokio::test]
    async fn without_following_the_stream_ends() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.log");
        assert_eq!(
            follow(path.clone(), None, false).err().map(|status| status.code()),
            Some(tonic::Code::NotFound)
        );
        std::fs::write(&path, "x".repeat(2500)).unwrap();
        let pieces: Vec<_> = follow(path, None, false).unwrap().collect().await;
        let sizes: Vec<_> = pieces.into_iter().map(|piece| piece.unwrap().bytes.len()).collect();
        assert_eq!(sizes, [1024, 1024, 452]);
    }
}
