//! A read-only registry over image layouts: the protocol's version 2, GET and HEAD only.
//!
//! A container runtime names this server as the first mirror of every registry and says in the
//! query parameter `ns` which registry it means. What a cache does not hold, or holds corrupted, is
//! answered with an error, so that the runtime goes on to the real registry; corruption is also
//! published through [`Server::faults`], because nobody reads a runtime's fallback.

use std::convert::Infallible;
use std::fs::File;
use std::future::Future;
use std::io::{self, Read, Seek, SeekFrom};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::header::{self, HeaderValue};
use http::{Method, Request, Response, StatusCode};
use http_body::Frame;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};

use crate::digest::Digest;
use crate::layout::{Layout, LayoutError};
use crate::manifest::{INDEX, MANIFEST};

/// How much of a blob is read and sent at a time.
const CHUNK: u64 = 1 << 18;

/// Where a node serves its own cache.
pub const ADDRESS: &str = "127.0.0.1:3172";

/// The registry server. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Server {
    layouts: Arc<[Layout]>,
    faults: Arc<watch::Sender<Vec<String>>>,
}

/// Why a request is answered with an error, in the protocol's codes.
#[derive(Debug, thiserror::Error)]
enum Refusal {
    #[error("no image {name} in the image cache")]
    ManifestUnknown { name: String },
    #[error("no blob {digest} in the image cache")]
    BlobUnknown { digest: Digest },
    #[error("{text}")]
    DigestInvalid { text: String },
    #[error("the image cache is read-only")]
    Unsupported,
    #[error("no such path")]
    Path,
    #[error("the range cannot be had")]
    Range { size: u64 },
    #[error(transparent)]
    Layout(#[from] LayoutError),
    #[error("the check of the blob was cancelled")]
    Cancelled,
    #[error("reading the blob")]
    Read(#[source] io::Error),
}

/// What a path of the protocol asks for.
#[derive(Debug, PartialEq, Eq)]
enum Target<'a> {
    Version,
    Health,
    Manifest { repository: &'a str, reference: &'a str },
    Blob { digest: &'a str },
}

impl Server {
    /// A server of these layouts; the first that holds an image answers for it.
    pub fn new(layouts: Vec<Layout>) -> Self {
        Self { layouts: layouts.into(), faults: Arc::new(watch::Sender::new(Vec::new())) }
    }

    /// The corrupted or unreadable blobs met so far, as messages for a person.
    pub fn faults(&self) -> watch::Receiver<Vec<String>> {
        self.faults.subscribe()
    }

    /// Serves connections until `shutdown` is done. Open connections are dropped then.
    pub async fn serve(self, listener: TcpListener, shutdown: impl Future<Output = ()>) {
        let mut connections = tokio::task::JoinSet::new();
        let mut shutdown = std::pin::pin!(shutdown);
        loop {
            let accepted = tokio::select! {
                () = &mut shutdown => return,
                Some(_) = connections.join_next() => continue,
                accepted = listener.accept() => accepted,
            };
            let stream = match accepted {
                Ok((stream, _)) => stream,
                Err(error) => {
                    // The client is gone or descriptors are short; both concern one connection.
                    tracing::warn!(%error, "accepting a connection to the image cache");
                    tokio::task::yield_now().await;
                    continue;
                }
            };
            let server = self.clone();
            connections.spawn(async move {
                let service = hyper::service::service_fn(move |request| {
                    let server = server.clone();
                    async move { Ok::<_, Infallible>(server.handle(&request).await) }
                });
                let connection = hyper::server::conn::http1::Builder::new()
                    .serve_connection(TokioIo::new(stream), service);
                if let Err(error) = connection.await {
                    tracing::debug!(%error, "a connection to the image cache ended early");
                }
            });
        }
    }

    /// Answers one request.
    pub async fn handle<B>(&self, request: &Request<B>) -> Response<Body> {
        let answer = self.answer(request).await;
        let head = request.method() == Method::HEAD;
        match answer {
            Ok(response) if head => response.map(|_| Body::empty()),
            Ok(response) => response,
            Err(refusal) => self.refuse(&refusal, head),
        }
    }

    async fn answer<B>(&self, request: &Request<B>) -> Result<Response<Body>, Refusal> {
        if ![Method::GET, Method::HEAD].contains(request.method()) {
            return Err(Refusal::Unsupported);
        }
        let uri = request.uri();
        match parse_path(uri.path()).ok_or(Refusal::Path)? {
            Target::Version => Ok(json(StatusCode::OK, Bytes::from_static(b"{}"))),
            Target::Health => Ok(json(StatusCode::OK, Bytes::from_static(b"{\"status\":\"ok\"}"))),
            Target::Manifest { repository, reference } => {
                let host = uri.query().and_then(namespace);
                self.manifest(host, repository, reference).await
            }
            Target::Blob { digest } => {
                let digest: Digest = digest
                    .parse()
                    .map_err(|error| Refusal::DigestInvalid { text: format!("{error}") })?;
                self.blob(digest, request.headers().get(header::RANGE)).await
            }
        }
    }

    async fn manifest(
        &self,
        host: Option<&str>,
        repository: &str,
        reference: &str,
    ) -> Result<Response<Body>, Refusal> {
        let (digest, media_type) = if let Ok(digest) = reference.parse::<Digest>() {
            (digest, None)
        } else {
            let found =
                self.layouts.iter().find_map(|layout| layout.find(host, repository, reference));
            let descriptor = found.ok_or_else(|| Refusal::ManifestUnknown {
                name: format!(
                    "{}{repository}:{reference}",
                    host.map_or(String::new(), |h| format!("{h}/"))
                ),
            })?;
            (descriptor.digest.clone(), Some(descriptor.media_type.clone()))
        };
        let layouts = self.layouts.clone();
        let wanted = digest.clone();
        let bytes = blocking(move || first(&layouts, &wanted, Layout::document)).await?;
        let media_type = media_type.unwrap_or_else(|| media_type_of(&bytes).to_owned());
        let length = bytes.len() as u64;
        let mut response = Response::new(Body::whole(bytes.into()));
        describe(&mut response, &digest, &media_type, length);
        Ok(response)
    }

    async fn blob(
        &self,
        digest: Digest,
        range: Option<&HeaderValue>,
    ) -> Result<Response<Body>, Refusal> {
        let layouts = self.layouts.clone();
        let wanted = digest.clone();
        let (mut file, size) = blocking(move || first(&layouts, &wanted, Layout::blob)).await?;
        let (start, end, status) = match range.map(|value| parse_range(value, size)) {
            None => (0, size, StatusCode::OK),
            Some(Some((start, end))) => (start, end, StatusCode::PARTIAL_CONTENT),
            Some(None) => return Err(Refusal::Range { size }),
        };
        if start > 0 {
            file.seek(SeekFrom::Start(start)).map_err(Refusal::Read)?;
        }
        let mut response = Response::new(Body::of_file(file, end - start));
        *response.status_mut() = status;
        describe(&mut response, &digest, "application/octet-stream", end - start);
        if status == StatusCode::PARTIAL_CONTENT {
            let text = format!("bytes {start}-{}/{size}", end.saturating_sub(1));
            insert(&mut response, header::CONTENT_RANGE, &text);
        }
        insert(&mut response, header::ACCEPT_RANGES, "bytes");
        Ok(response)
    }

    fn refuse(&self, refusal: &Refusal, head: bool) -> Response<Body> {
        let mut message = refusal.to_string();
        let mut cause = std::error::Error::source(refusal);
        while let Some(error) = cause {
            message = format!("{message}: {error}");
            cause = error.source();
        }
        let (status, code) = match refusal {
            Refusal::ManifestUnknown { .. } => (StatusCode::NOT_FOUND, "MANIFEST_UNKNOWN"),
            Refusal::BlobUnknown { .. } | Refusal::Layout(LayoutError::Missing { .. }) => {
                (StatusCode::NOT_FOUND, "BLOB_UNKNOWN")
            }
            Refusal::DigestInvalid { .. } => (StatusCode::BAD_REQUEST, "DIGEST_INVALID"),
            Refusal::Unsupported => (StatusCode::METHOD_NOT_ALLOWED, "UNSUPPORTED"),
            Refusal::Path => (StatusCode::NOT_FOUND, "NAME_UNKNOWN"),
            Refusal::Range { .. } => (StatusCode::RANGE_NOT_SATISFIABLE, "SIZE_INVALID"),
            Refusal::Layout(_) | Refusal::Cancelled | Refusal::Read(_) => {
                tracing::error!(%message, "the image cache cannot serve a blob");
                self.faults.send_if_modified(|faults| {
                    let new = !faults.contains(&message);
                    if new {
                        faults.push(message.clone());
                    }
                    new
                });
                (StatusCode::INTERNAL_SERVER_ERROR, "BLOB_CORRUPTED")
            }
        };
        let body = serde_json::json!({ "errors": [{ "code": code, "message": message }] });
        let mut response = json(status, Bytes::from(body.to_string()));
        if let Refusal::Range { size } = refusal {
            insert(&mut response, header::CONTENT_RANGE, &format!("bytes */{size}"));
        }
        if head { response.map(|_| Body::empty()) } else { response }
    }
}

/// Runs file work off the async threads.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Refusal> + Send + 'static,
) -> Result<T, Refusal> {
    tokio::task::spawn_blocking(work).await.unwrap_or(Err(Refusal::Cancelled))
}

/// Takes the blob from the first layout that holds it intact.
fn first<T>(
    layouts: &[Layout],
    digest: &Digest,
    take: impl Fn(&Layout, &Digest) -> Result<T, LayoutError>,
) -> Result<T, Refusal> {
    let mut refusal = Refusal::BlobUnknown { digest: digest.clone() };
    for layout in layouts {
        match take(layout, digest) {
            Ok(found) => return Ok(found),
            Err(LayoutError::Missing { .. }) => {}
            Err(error) => refusal = error.into(),
        }
    }
    Err(refusal)
}

fn parse_path(path: &str) -> Option<Target<'_>> {
    if path == "/healthz" {
        return Some(Target::Health);
    }
    let rest = path.strip_prefix("/v2")?;
    if rest.is_empty() || rest == "/" {
        return Some(Target::Version);
    }
    let rest = rest.strip_prefix('/')?;
    let (rest, last) = rest.rsplit_once('/')?;
    let (repository, kind) = rest.rsplit_once('/')?;
    match kind {
        "manifests" => Some(Target::Manifest { repository, reference: last }),
        "blobs" => Some(Target::Blob { digest: last }),
        _ => None,
    }
}

/// The registry that the client means, from the query.
fn namespace(query: &str) -> Option<&str> {
    query.split('&').find_map(|pair| pair.strip_prefix("ns="))
}

/// A range of `bytes=first-last` as a half-open interval; `None` if it cannot be had.
fn parse_range(value: &HeaderValue, size: u64) -> Option<(u64, u64)> {
    let (first, last) = value.to_str().ok()?.strip_prefix("bytes=")?.split_once('-')?;
    let (start, end) = match (first.is_empty(), last.is_empty()) {
        (true, _) => (size.saturating_sub(last.parse().ok()?), size),
        (false, true) => (first.parse().ok()?, size),
        (false, false) => {
            (first.parse().ok()?, last.parse::<u64>().ok()?.saturating_add(1).min(size))
        }
    };
    (start < end).then_some((start, end))
}

fn media_type_of(bytes: &[u8]) -> &'static str {
    #[derive(serde::Deserialize)]
    struct Probe {
        manifests: Option<serde::de::IgnoredAny>,
    }
    match serde_json::from_slice::<Probe>(bytes) {
        Ok(Probe { manifests: Some(_) }) => INDEX,
        _ => MANIFEST,
    }
}

fn json(status: StatusCode, bytes: Bytes) -> Response<Body> {
    let length = bytes.len();
    let mut response = Response::new(Body::whole(bytes));
    *response.status_mut() = status;
    insert(&mut response, header::CONTENT_TYPE, "application/json");
    insert(&mut response, header::CONTENT_LENGTH, &length.to_string());
    response
}

fn describe(response: &mut Response<Body>, digest: &Digest, media_type: &str, length: u64) {
    insert(response, header::CONTENT_TYPE, media_type);
    insert(response, header::CONTENT_LENGTH, &length.to_string());
    insert(response, header::HeaderName::from_static("docker-content-digest"), &digest.to_string());
}

fn insert(response: &mut Response<Body>, name: header::HeaderName, value: &str) {
    // Media types come from the index file: one that no header can carry is left out.
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
}

/// The body of an answer: nothing, bytes in memory, or a file read as the client takes it.
#[derive(Debug)]
pub struct Body(Content);

#[derive(Debug)]
enum Content {
    Whole(Option<Bytes>),
    File { chunks: mpsc::Receiver<io::Result<Bytes>>, left: u64 },
}

impl Body {
    fn empty() -> Self {
        Self(Content::Whole(None))
    }

    fn whole(bytes: Bytes) -> Self {
        Self(Content::Whole((!bytes.is_empty()).then_some(bytes)))
    }

    fn of_file(file: File, length: u64) -> Self {
        let (sender, chunks) = mpsc::channel(4);
        tokio::task::spawn_blocking(move || send_file(file, length, &sender));
        Self(Content::File { chunks, left: length })
    }
}

fn send_file(file: File, length: u64, sender: &mpsc::Sender<io::Result<Bytes>>) {
    let mut left = length;
    while left > 0 {
        let mut chunk = Vec::with_capacity(usize::try_from(left.min(CHUNK)).unwrap_or_default());
        let read = (&file).take(left.min(CHUNK)).read_to_end(&mut chunk);
        let outcome = match read {
            Ok(0) => Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(count) => {
                left -= count as u64;
                Ok(Bytes::from(chunk))
            }
            Err(error) => Err(error),
        };
        let failed = outcome.is_err();
        // An error here means that the client has gone.
        if sender.blocking_send(outcome).is_err() || failed {
            return;
        }
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        match &mut self.0 {
            Content::Whole(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Content::File { chunks, left } => chunks.poll_recv(context).map(|chunk| {
                let chunk = chunk?;
                if let Ok(bytes) = &chunk {
                    *left = left.saturating_sub(bytes.len() as u64);
                }
                Some(chunk.map(Frame::data))
            }),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Content::Whole(bytes) => bytes.is_none(),
            Content::File { left, .. } => *left == 0,
        }
    }

    fn size_hint(&self) -> http_body::SizeHint {
        match &self.0 {
            Content::Whole(bytes) => {
                http_body::SizeHint::with_exact(bytes.as_ref().map_or(0, |b| b.len() as u64))
            }
            Content::File { left, .. } => http_body::SizeHint::with_exact(*left),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_of_the_protocol() {
        assert_eq!(parse_path("/v2/"), Some(Target::Version));
        assert_eq!(
            parse_path("/v2/coredns/coredns/manifests/v1"),
            Some(Target::Manifest { repository: "coredns/coredns", reference: "v1" })
        );
        assert_eq!(
            parse_path("/v2/pause/blobs/sha256:00"),
            Some(Target::Blob { digest: "sha256:00" })
        );
        for bad in ["/", "/v1/", "/v2/a", "/v2/a/b/c", "/v2/manifests/v1"] {
            assert_eq!(parse_path(bad), None, "{bad}");
        }
    }

    #[test]
    fn ranges() {
        let range = |text: &str| parse_range(&HeaderValue::from_str(text).unwrap(), 10);
        assert_eq!(range("bytes=0-"), Some((0, 10)));
        assert_eq!(range("bytes=2-5"), Some((2, 6)));
        assert_eq!(range("bytes=8-100"), Some((8, 10)));
        assert_eq!(range("bytes=-3"), Some((7, 10)));
        for bad in ["bytes=10-", "bytes=5-2", "bytes=-", "lines=0-1", "bytes=a-b"] {
            assert_eq!(range(bad), None, "{bad}");
        }
    }
}
