//! The node's files, read: listings, contents, archives, sizes.
//!
//! All of it runs where blocking is allowed and stops when the caller goes. Must never: follow a link out of a
//! listing, or read anything but regular files.

mod tree;
mod usage;

use std::{
    fs::File,
    io::{self, Read, Write},
    path::{Path, PathBuf},
};

use api::{
    common::Data,
    machine::{CopyRequest, DiskUsageInfo, DiskUsageRequest, FileInfo, ListRequest, ReadRequest},
};
use flate2::{Compression, write::GzEncoder};
use futures::StreamExt;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;

use super::{Node, logs::CHUNK, rpc::Stream};

/// The place of an absolute path on this node.
fn place(node: &Node, path: &str) -> Result<PathBuf, Status> {
    let Some(below) = path.strip_prefix('/') else {
        return Err(Status::invalid_argument(format!("path is not absolute: {path:?}")));
    };
    Ok(node.places.root.join(below.trim_start_matches('/')))
}

/// Runs `work` where it may block, with a sender that fails once the caller has gone.
fn blocking<T: Send + 'static>(
    work: impl FnOnce(&mpsc::Sender<Result<T, Status>>) -> Result<(), Status> + Send + 'static,
) -> Stream<T> {
    let (sender, receiver) = mpsc::channel(64);
    tokio::task::spawn_blocking(move || {
        if let Err(status) = work(&sender) {
            drop(sender.blocking_send(Err(status)));
        }
    });
    ReceiverStream::new(receiver).boxed()
}

pub(super) fn list(node: &Node, request: ListRequest) -> Result<Stream<FileInfo>, Status> {
    let root = if request.root.is_empty() { "/" } else { &request.root };
    let place = place(node, root)?;
    Ok(blocking(move |to| tree::list(&place, &request, to)))
}

pub(super) fn disk_usage(
    node: &Node,
    request: DiskUsageRequest,
) -> Result<Stream<DiskUsageInfo>, Status> {
    // The contract looks at the first path only.
    let root = request.paths.first().map_or("/", String::as_str);
    let place = place(node, root)?;
    Ok(blocking(move |to| usage::report(&place, &request, to)))
}

pub(super) async fn read(node: &Node, request: &ReadRequest) -> Result<Stream<Data>, Status> {
    let place = place(node, &request.path)?;
    let path = request.path.clone();
    let mut file = tokio::task::spawn_blocking(move || open_regular(&place))
        .await
        .map_err(|error| Status::internal(error.to_string()))?
        .map_err(|error| unreadable(&path, &error))?;
    let path = request.path.clone();
    Ok(blocking(move |to| {
        loop {
            let mut piece = vec![0; CHUNK];
            let read = file.read(&mut piece).map_err(|error| unreadable(&path, &error))?;
            if read == 0 {
                return Ok(());
            }
            piece.truncate(read);
            let data = Data { metadata: None, bytes: piece.into() };
            if to.blocking_send(Ok(data)).is_err() {
                return Ok(());
            }
        }
    }))
}

fn open_regular(path: &Path) -> io::Result<File> {
    // Looked at before opening: opening a pipe or a device would itself do something.
    let kind = std::fs::metadata(path)?.file_type();
    if !kind.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
    }
    File::open(path)
}

fn unreadable(path: &str, error: &io::Error) -> Status {
    let text = format!("reading {path}: {error}");
    match error.kind() {
        io::ErrorKind::NotFound => Status::not_found(text),
        io::ErrorKind::InvalidInput => Status::invalid_argument(text),
        io::ErrorKind::PermissionDenied => Status::permission_denied(text),
        _ => Status::internal(text),
    }
}

pub(super) async fn copy(node: &Node, request: &CopyRequest) -> Result<Stream<Data>, Status> {
    let place = place(node, &request.root_path)?;
    let path = request.root_path.clone();
    let looked = place.clone();
    tokio::task::spawn_blocking(move || std::fs::symlink_metadata(looked))
        .await
        .map_err(|error| Status::internal(error.to_string()))?
        .map_err(|error| unreadable(&path, &error))?;
    let path = request.root_path.clone();
    Ok(blocking(move |to| {
        let out = Pieces { to, piece: Vec::with_capacity(CHUNK) };
        tree::archive(&place, GzEncoder::new(out, Compression::fast()))
            .and_then(GzEncoder::finish)
            .and_then(|mut out| out.send())
            .or_else(|error| match error.kind() {
                // The caller has gone: there is nobody to tell.
                io::ErrorKind::BrokenPipe => Ok(()),
                _ => Err(unreadable(&path, &error)),
            })
    }))
}

/// Cuts what is written into pieces for the caller.
struct Pieces<'a> {
    to: &'a mpsc::Sender<Result<Data, Status>>,
    piece: Vec<u8>,
}

impl Pieces<'_> {
    fn send(&mut self) -> io::Result<()> {
        if self.piece.is_empty() {
            return Ok(());
        }
        let full = std::mem::replace(&mut self.piece, Vec::with_capacity(CHUNK));
        let data = Data { metadata: None, bytes: full.into() };
        self.to.blocking_send(Ok(data)).map_err(|_| io::ErrorKind::BrokenPipe.into())
    }
}

impl Write for Pieces<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = bytes.len().min(CHUNK - self.piece.len());
        self.piece.extend(bytes.iter().take(taken));
        if self.piece.len() == CHUNK {
            self.send()?;
        }
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
