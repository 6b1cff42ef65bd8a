//! From a list of endpoints to one HTTP/2 connection.

use std::{
    io,
    net::SocketAddr,
    path::PathBuf,
    pin::Pin,
    sync::{Arc, OnceLock},
    task::{Context, Poll},
    time::Duration,
};

use hyper::client::conn::http2::{self, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use rustls_pki_types::ServerName;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpStream, UnixStream},
    time::timeout,
};
use tokio_rustls::TlsConnector;
use tonic::body::Body;

use crate::endpoint::Endpoint;

/// How long one endpoint has to answer before the next is tried.
const CONNECT: Duration = Duration::from_secs(5);
/// Flow-control windows of the contract's clients.
const STREAM_WINDOW: u32 = 65_535 * 32;
const CONNECTION_WINDOW: u32 = 65_535 * 16;

/// No endpoint could be reached.
#[derive(Clone, Debug, thiserror::Error)]
pub enum DialError {
    /// The name does not resolve.
    #[error("looking up the name of {endpoint}")]
    Resolve {
        /// Which endpoint.
        endpoint: Endpoint,
        /// Why.
        #[source]
        source: Arc<io::Error>,
    },
    /// The endpoint does not take the connection.
    #[error("connecting to {endpoint}")]
    Connect {
        /// Which endpoint.
        endpoint: Endpoint,
        /// Why.
        #[source]
        source: Arc<io::Error>,
    },
    /// The endpoint says nothing.
    #[error("connecting to {endpoint}: no answer within {} s", CONNECT.as_secs())]
    Timeout {
        /// Which endpoint.
        endpoint: Endpoint,
    },
    /// The two ends do not trust each other.
    #[error("making TLS with {endpoint}")]
    Tls {
        /// Which endpoint.
        endpoint: Endpoint,
        /// Why.
        #[source]
        source: Arc<io::Error>,
    },
    /// The other end does not speak HTTP/2.
    #[error("speaking HTTP/2 with {peer}")]
    Http {
        /// Who.
        peer: String,
        /// Why.
        #[source]
        source: Arc<hyper::Error>,
    },
    /// The connection was made and then broke.
    #[error("talking to {peer}")]
    Broken {
        /// Who.
        peer: String,
        /// Why.
        #[source]
        source: Arc<io::Error>,
    },
    /// The socket does not take the connection.
    #[error("connecting to the socket {}", path.display())]
    Socket {
        /// Which socket.
        path: PathBuf,
        /// Why.
        #[source]
        source: Arc<io::Error>,
    },
    /// There is nothing to dial.
    #[error("connecting: there is no endpoint to dial")]
    NoEndpoint,
}

/// What to dial.
#[derive(Clone)]
pub(crate) enum Target {
    /// One of these, with TLS; the list is in the order of trying.
    Network { endpoints: Vec<Endpoint>, connector: TlsConnector },
    /// A local socket, as it is.
    Socket(PathBuf),
}

/// One HTTP/2 connection, and what broke it.
#[derive(Clone)]
pub(crate) struct Line {
    pub(crate) sender: SendRequest<Body>,
    peer: String,
    broken: Broken,
}

type Broken = Arc<OnceLock<Arc<io::Error>>>;

impl Line {
    /// What the socket or TLS said before the connection ended. HTTP/2 keeps only a text of it, and a refused client certificate
    /// shows itself nowhere else: TLS 1.3 reports it after the handshake.
    pub(crate) fn broken(&self) -> Option<DialError> {
        let source = self.broken.get()?.clone();
        Some(DialError::Broken { peer: self.peer.clone(), source })
    }
}

/// Keeps the first error of reading.
struct Recorded<S> {
    stream: S,
    broken: Broken,
}

impl<S: AsyncRead + Unpin> AsyncRead for Recorded<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let result = Pin::new(&mut self.stream).poll_read(cx, buffer);
        if let Poll::Ready(Err(error)) = result {
            let error = Arc::new(error);
            // Only the first error is the cause.
            self.broken.set(error.clone()).ok();
            return Poll::Ready(Err(io::Error::new(error.kind(), error)));
        }
        result
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Recorded<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

impl Target {
    pub(crate) async fn dial(&self) -> Result<Line, DialError> {
        match self {
            Self::Socket(path) => {
                let stream = UnixStream::connect(path).await.map_err(|source| {
                    DialError::Socket { path: path.clone(), source: Arc::new(source) }
                })?;
                handshake(stream, path.display().to_string()).await
            }
            Self::Network { endpoints, connector } => {
                let mut last = DialError::NoEndpoint;
                for endpoint in endpoints {
                    let attempt = secured(endpoint, connector);
                    match timeout(CONNECT, attempt).await {
                        Ok(Ok(line)) => return Ok(line),
                        Ok(Err(error)) => last = error,
                        Err(_) => last = DialError::Timeout { endpoint: endpoint.clone() },
                    }
                }
                Err(last)
            }
        }
    }
}

async fn secured(endpoint: &Endpoint, connector: &TlsConnector) -> Result<Line, DialError> {
    let tcp = connect(endpoint).await?;
    let name = ServerName::try_from(endpoint.host.clone()).map_err(|error| DialError::Tls {
        endpoint: endpoint.clone(),
        source: Arc::new(io::Error::new(io::ErrorKind::InvalidInput, error)),
    })?;
    let tls = connector.connect(name, tcp).await.map_err(|source| DialError::Tls {
        endpoint: endpoint.clone(),
        source: Arc::new(source),
    })?;
    handshake(tls, endpoint.to_string()).await
}

async fn connect(endpoint: &Endpoint) -> Result<TcpStream, DialError> {
    let failed =
        |source| DialError::Connect { endpoint: endpoint.clone(), source: Arc::new(source) };
    // A literal address needs no resolver, and so no thread for it.
    let addresses: Vec<SocketAddr> = match endpoint.host.parse() {
        Ok(ip) => vec![SocketAddr::new(ip, endpoint.port)],
        Err(_) => tokio::net::lookup_host((endpoint.host.as_str(), endpoint.port))
            .await
            .map_err(|source| DialError::Resolve {
                endpoint: endpoint.clone(),
                source: Arc::new(source),
            })?
            .collect(),
    };
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for address in addresses {
        match TcpStream::connect(address).await {
            Ok(stream) => {
                stream.set_nodelay(true).map_err(failed)?;
                return Ok(stream);
            }
            Err(error) => last = error,
        }
    }
    Err(failed(last))
}

async fn handshake<S>(stream: S, peer: String) -> Result<Line, DialError>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let broken = Broken::default();
    let (sender, connection) = http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .keep_alive_interval(Duration::from_secs(20))
        .keep_alive_timeout(Duration::from_secs(10))
        .handshake(TokioIo::new(Recorded { stream, broken: broken.clone() }))
        .await
        .map_err(|source| DialError::Http { peer: peer.clone(), source: Arc::new(source) })?;
    // The connection ends with its last sender; its error reaches every call that was using it.
    tokio::spawn(async move {
        connection.await.ok();
    });
    Ok(Line { sender, peer, broken })
}
