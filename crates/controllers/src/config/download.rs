//! Fetching a configuration by URL: one attempt, with a limit of time and size.
//!
//! Must never: try again; the search for a configuration as a whole is tried again.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use http::header::{HOST, LOCATION, USER_AGENT};
use http::{Request, StatusCode, Uri};
use http_body_util::{BodyExt as _, Empty, LengthLimitError, Limited};
use hyper::body::Bytes;
use hyper_util::rt::TokioIo;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

/// How long one attempt may take.
const LIMIT: Duration = Duration::from_secs(180);
/// A configuration larger than this is none.
const SIZE: usize = 16 << 20;
/// How often a server may send on to another place.
const HOPS: usize = 10;
/// The authorities that the image trusts.
const AUTHORITIES: &str = "/etc/ssl/certs/ca-certificates.crt";

/// Why nothing was fetched.
#[derive(Debug, thiserror::Error)]
pub(super) enum DownloadError {
    #[error(
        "{url} is no address that a configuration can be fetched from: use http://… or https://…"
    )]
    Url { url: String },
    #[error("cannot connect to {server}")]
    Connect {
        server: String,
        #[source]
        source: std::io::Error,
    },
    #[error("cannot read the trusted authorities {path}")]
    Authorities {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("cannot prepare TLS")]
    Tls(#[source] rustls::Error),
    #[error("{server} breaks HTTP")]
    Http {
        server: String,
        #[source]
        source: hyper::Error,
    },
    #[error("{url} answers {status}")]
    Status { url: String, status: StatusCode },
    #[error("{url} sends on to nowhere, or in a circle")]
    Redirect { url: String },
    #[error("what {url} has is larger than 16 MiB")]
    Size { url: String },
    #[error("the answer of {url} breaks off")]
    Body {
        url: String,
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    #[error("{url} takes longer than {} s", LIMIT.as_secs())]
    Time { url: String },
}

/// Fetches what `url` has; https is verified with the authorities of the image.
pub(super) async fn fetch(url: &str) -> Result<Vec<u8>, DownloadError> {
    fetch_trusting(url, Path::new(AUTHORITIES)).await
}

async fn fetch_trusting(url: &str, authorities: &Path) -> Result<Vec<u8>, DownloadError> {
    let late = |_| DownloadError::Time { url: url.to_owned() };
    timeout(LIMIT, follow(url, authorities)).await.map_err(late)?
}

enum Answer {
    Content(Vec<u8>),
    Elsewhere(String),
}

async fn follow(url: &str, authorities: &Path) -> Result<Vec<u8>, DownloadError> {
    let mut place = url.to_owned();
    for _ in 0..HOPS {
        match ask(&place, authorities).await? {
            Answer::Content(content) => return Ok(content),
            Answer::Elsewhere(next) => place = next,
        }
    }
    Err(DownloadError::Redirect { url: url.to_owned() })
}

async fn ask(url: &str, authorities: &Path) -> Result<Answer, DownloadError> {
    let wrong = || DownloadError::Url { url: url.to_owned() };
    let uri: Uri = url.parse().map_err(|_| wrong())?;
    let authority = uri.authority().ok_or_else(wrong)?;
    let host = authority.host().trim_start_matches('[').trim_end_matches(']');
    let secure = match uri.scheme_str() {
        Some("http") => false,
        Some("https") => true,
        _ => return Err(wrong()),
    };
    let port = authority.port_u16().unwrap_or(if secure { 443 } else { 80 });
    let server = format!("{}:{port}", authority.host());
    let failed = |source| DownloadError::Connect { server: server.clone(), source };
    let stream = TcpStream::connect((host, port)).await.map_err(failed)?;
    if !secure {
        return request(stream, url, &uri, &server).await;
    }
    let name = ServerName::try_from(host.to_owned()).map_err(|_| wrong())?;
    let connector = TlsConnector::from(Arc::new(tls(authorities)?));
    let stream = connector.connect(name, stream).await.map_err(failed)?;
    request(stream, url, &uri, &server).await
}

fn tls(authorities: &Path) -> Result<ClientConfig, DownloadError> {
    let failed = |source| DownloadError::Authorities { path: authorities.to_owned(), source };
    let text = std::fs::read_to_string(authorities).map_err(failed)?;
    let mut roots = RootCertStore::empty();
    // One that does not read is one that is not trusted.
    for certificate in pki::Certificate::all_from_pem(&text).unwrap_or_default() {
        let _ = roots.add(CertificateDer::from(certificate.der().to_vec()));
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    Ok(ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(DownloadError::Tls)?
        .with_root_certificates(roots)
        .with_no_client_auth())
}

async fn request(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    url: &str,
    uri: &Uri,
    server: &str,
) -> Result<Answer, DownloadError> {
    let failed = |source| DownloadError::Http { server: server.to_owned(), source };
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(failed)?;
    // It ends with the last of its users.
    tokio::spawn(connection);
    let path = uri.path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
    let host = uri.authority().map(|authority| {
        let port = authority.port().map(|port| format!(":{port}")).unwrap_or_default();
        format!("{}{port}", authority.host())
    });
    let request = Request::get(path)
        .header(HOST, host.unwrap_or_default())
        .header(USER_AGENT, "ichor")
        .body(Empty::<Bytes>::new())
        .map_err(|_| DownloadError::Url { url: url.to_owned() })?;
    let answer = sender.send_request(request).await.map_err(failed)?;
    let status = answer.status();
    if status.is_redirection() {
        let place = answer.headers().get(LOCATION).and_then(|place| place.to_str().ok());
        let next = place.and_then(|place| elsewhere(uri, place));
        return next
            .map(Answer::Elsewhere)
            .ok_or_else(|| DownloadError::Redirect { url: url.to_owned() });
    }
    if status != StatusCode::OK {
        return Err(DownloadError::Status { url: url.to_owned(), status });
    }
    match Limited::new(answer.into_body(), SIZE).collect().await {
        Ok(body) => Ok(Answer::Content(body.to_bytes().to_vec())),
        Err(error) if error.is::<LengthLimitError>() => {
            Err(DownloadError::Size { url: url.to_owned() })
        }
        Err(source) => Err(DownloadError::Body { url: url.to_owned(), source }),
    }
}

/// The address that `place`, as a server sends on to it, means from `here`.
fn elsewhere(here: &Uri, place: &str) -> Option<String> {
    if place.contains("://") {
        return Some(place.to_owned());
    }
    let (scheme, authority) = (here.scheme_str()?, here.authority()?);
    if let Some(rest) = place.strip_prefix("//") {
        return Some(format!("{scheme}://{rest}"));
    }
    if place.starts_with('/') {
        return Some(format!("{scheme}://{authority}{place}"));
    }
    let directory = here.path().rsplit_once('/').map_or("", |(directory, _)| directory);
    Some(format!("{scheme}://{authority}{directory}/{place}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    /// Answers each request with what the table has for its path.
    async fn serve(answers: &'static [(&'static str, &'static str)]) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut request = Vec::new();
                while !request.ends_with(b"\r\n\r\n") {
                    request.push(stream.read_u8().await.unwrap());
                }
                let request = String::from_utf8(request).unwrap();
                let path = request.split(' ').nth(1).unwrap();
                let found = answers.iter().find(|(known, _)| *known == path);
                let answer = found.map_or("404 Not Found\r\ncontent-length: 0", |(_, a)| *a);
                let answer = match answer.split_once('|') {
                    Some((head, body)) => {
                        format!("HTTP/1.1 {head}\r\ncontent-length: {}\r\n\r\n{body}", body.len())
                    }
                    None => format!("HTTP/1.1 {answer}\r\n\r\n"),
                };
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
        });
        format!("http://{address}")
    }

    #[tokio::test]
    async fn what_is_fetched_and_what_is_refused() {
        let server = serve(&[
            ("/a?x=1", "200 OK|version: v1alpha1\n"),
            ("/moved/here", "302 Found\r\nlocation: ../a?x=1\r\ncontent-length: 0"),
            ("/moved/there", "301 Moved\r\nlocation: /a?x=1\r\ncontent-length: 0"),
            ("/circle", "302 Found\r\nlocation: circle\r\ncontent-length: 0"),
            ("/large", "200 OK\r\ncontent-length: 99999999"),
        ])
        .await;
        let get = async |path: &str| fetch(&format!("{server}{path}")).await;
        assert_eq!(get("/a?x=1").await.unwrap(), b"version: v1alpha1\n");
        assert_eq!(get("/moved/there").await.unwrap(), b"version: v1alpha1\n");
        assert!(matches!(get("/circle").await, Err(DownloadError::Redirect { .. })));
        let absent = get("/absent").await.unwrap_err().to_string();
        assert!(absent.ends_with("/absent answers 404 Not Found"), "{absent}");
        assert!(matches!(
            get("/large").await,
            Err(DownloadError::Size { .. } | DownloadError::Body { .. })
        ));
        for url in ["ftp://host/x", "no url", "http://"] {
            assert!(matches!(fetch(url).await, Err(DownloadError::Url { .. })), "{url}");
        }
    }

    #[test]
    fn where_a_server_sends_on_to() {
        let here: Uri = "https://h:8443/a/b?c".parse().unwrap();
        for (place, expected) in [
            ("http://other/x", "http://other/x"),
            ("//other/x", "https://other/x"),
            ("/x", "https://h:8443/x"),
            ("x", "https://h:8443/a/x"),
        ] {
            assert_eq!(elsewhere(&here, place).unwrap(), expected);
        }
    }
}
