//! Writes a cache, serves it on the loopback address and reads it as a container runtime does.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::Path;

use registry::digest::Digest;
use registry::layer::{Layer, Source};
use registry::layout::{Layout, LayoutError};
use registry::manifest::{Execution, Manifest};
use registry::server::Server;
use registry::writer::Writer;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const NAMES: [&str; 2] = ["registry.k8s.io/pause:3", "ghcr.io/example/kubelet:v1"];

fn build(root: &Path) {
    let mut writer = Writer::create(root, "amd64").unwrap();
    let mut base = Layer::new();
    base.file("usr/local/bin/program", Source::Bytes(vec![42; 700_000]), 0o755);
    let base = writer.layer(&base).unwrap();
    for name in NAMES {
        let execution = Execution { entrypoint: vec![name.to_owned()], ..Execution::default() };
        writer.image(&[name.parse().unwrap()], execution, std::slice::from_ref(&base)).unwrap();
    }
    writer.finish().unwrap();
}

struct Answer {
    status: u16,
    head: String,
    body: Vec<u8>,
}

impl Answer {
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

async fn request(address: std::net::SocketAddr, method: &str, path: &str, extra: &str) -> Answer {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let text = format!("{method} {path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n{extra}\r\n");
    stream.write_all(text.as_bytes()).await.unwrap();
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).await.unwrap();
    let end = bytes.windows(4).position(|w| w == b"\r\n\r\n").unwrap();
    let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Answer { status, head, body: bytes[end + 4..].to_vec() }
}

async fn serve(root: &Path) -> (std::net::SocketAddr, Server) {
    let server = Server::new(vec![Layout::open(root).unwrap()]);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(server.clone().serve(listener, std::future::pending()));
    (address, server)
}

#[tokio::test]
async fn pull_an_image() {
    let root = tempfile::tempdir().unwrap();
    build(root.path());
    let (address, _) = serve(root.path()).await;

    assert_eq!(request(address, "GET", "/v2/", "").await.status, 200);
    let head = request(address, "HEAD", "/v2/pause/manifests/3?ns=registry.k8s.io", "").await;
    assert_eq!((head.status, head.body.len()), (200, 0));
    let answer = request(address, "GET", "/v2/pause/manifests/3?ns=registry.k8s.io", "").await;
    assert!(answer.head.contains("application/vnd.oci.image.manifest.v1+json"), "{}", answer.head);
    let digest = Digest::of(&answer.body);
    assert!(answer.head.contains(&format!("docker-content-digest: {digest}")), "{}", answer.head);
    let again = request(address, "GET", &format!("/v2/pause/manifests/{digest}"), "").await;
    assert_eq!(again.body, answer.body);

    let manifest: Manifest = serde_json::from_slice(&answer.body).unwrap();
    let layer = &manifest.layers[0];
    let path = format!("/v2/pause/blobs/{}", layer.digest);
    let blob = request(address, "GET", &path, "").await;
    assert_eq!((blob.status, blob.body.len() as u64), (200, layer.size));
    assert_eq!(Digest::of(&blob.body), layer.digest);
    let part = request(address, "GET", &path, "range: bytes=1000-\r\n").await;
    assert_eq!((part.status, &part.body[..]), (206, &blob.body[1000..]));
    assert_eq!(request(address, "GET", &path, "range: bytes=9000000-\r\n").await.status, 416);
}

#[tokio::test]
async fn says_what_it_does_not_hold() {
    let root = tempfile::tempdir().unwrap();
    build(root.path());
    let (address, _) = serve(root.path()).await;
    for (method, path, status, code) in [
        ("GET", "/v2/pause/manifests/4?ns=registry.k8s.io", 404, "MANIFEST_UNKNOWN"),
        ("GET", "/v2/pause/manifests/3?ns=ghcr.io", 404, "MANIFEST_UNKNOWN"),
        ("GET", "/v2/pause/blobs/sha256:12", 400, "DIGEST_INVALID"),
        ("GET", "/v2/pause/blobs/../../../etc/passwd", 404, "NAME_UNKNOWN"),
        ("PUT", "/v2/pause/manifests/3", 405, "UNSUPPORTED"),
        ("GET", "/", 404, "NAME_UNKNOWN"),
    ] {
        let answer = request(address, method, path, "").await;
        assert_eq!(answer.status, status, "{path}: {}", answer.text());
        assert!(answer.text().contains(code), "{path}: {}", answer.text());
    }
    let unknown = Digest::of(b"unknown");
    let answer = request(address, "GET", &format!("/v2/a/blobs/{unknown}"), "").await;
    assert_eq!(answer.status, 404);
    assert!(answer.text().contains(&unknown.to_string()), "{}", answer.text());
}

#[tokio::test]
async fn corrupted_blob_is_refused_and_reported() {
    let root = tempfile::tempdir().unwrap();
    build(root.path());
    let layout = Layout::open(root.path()).unwrap();
    let total = layout.verify().unwrap();
    assert!(total > 700_000, "{total}");
    let largest = fs::read_dir(root.path().join("blobs/sha256"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .max_by_key(|path| fs::metadata(path).unwrap().len())
        .unwrap();
    let (address, server) = serve(root.path()).await;
    let digest = format!("sha256:{}", largest.file_name().unwrap().to_str().unwrap());
    let path = format!("/v2/pause/blobs/{digest}");
    assert_eq!(request(address, "GET", &path, "").await.status, 200);

    let mut bytes = fs::read(&largest).unwrap();
    bytes[600_000] ^= 1;
    fs::remove_file(&largest).unwrap();
    fs::write(&largest, &bytes).unwrap();
    let answer = request(address, "GET", &path, "").await;
    assert_eq!(answer.status, 500);
    assert!(answer.text().contains("is corrupted"), "{}", answer.text());
    assert!(answer.text().contains(&digest[7..]), "{}", answer.text());
    assert_eq!(server.faults().borrow().len(), 1);
    assert!(matches!(layout.verify(), Err(LayoutError::Corrupted { .. })));
}

#[test]
fn two_caches_of_the_same_images_are_the_same() {
    let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    build(one.path());
    build(two.path());
    // A second build over an old one leaves no blob that the index does not need.
    fs::write(one.path().join("blobs/sha256").join("0".repeat(64)), "stale").unwrap();
    build(one.path());
    let list = |root: &Path| {
        let mut names: Vec<_> = fs::read_dir(root.join("blobs/sha256"))
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        names.sort();
        (names, fs::read(root.join("index.json")).unwrap())
    };
    assert_eq!(list(one.path()), list(two.path()));
}

#[test]
fn broken_layouts_are_refused_with_the_file() {
    let root = tempfile::tempdir().unwrap();
    let error = Layout::open(root.path()).unwrap_err().to_string();
    assert!(error.ends_with("oci-layout"), "{error}");
    build(root.path());
    fs::write(root.path().join("index.json"), "{\"schemaVersion\":2,").unwrap();
    assert!(matches!(Layout::open(root.path()), Err(LayoutError::Parse { .. })));
    fs::write(root.path().join("oci-layout"), "{\"imageLayoutVersion\":\"9\"}").unwrap();
    assert!(matches!(Layout::open(root.path()), Err(LayoutError::Version { .. })));
}
