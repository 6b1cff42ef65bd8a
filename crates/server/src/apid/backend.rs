//! Connections to where calls go: one per target, kept while it is used, dialled again with growing patience.
//!
//! Must never: know what is sent over them.

use std::{
    collections::HashMap,
    io,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};

use arc_swap::ArcSwapOption;
use http::{Request, Response};
use hyper::{body::Incoming, client::conn::http2};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use rustls::ClientConfig;
use rustls_pki_types::{InvalidDnsNameError, ServerName};
use sys::local::LocalStream;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpStream, UnixStream},
    time::{Instant, sleep_until, timeout},
};
use tonic::{Status, body::Body};

use crate::{cause::chain, tcp};

/// The port of apid.
pub const PORT: u16 = 50000;

/// HTTP/2 windows of the contract: per stream and per connection.
pub const STREAM_WINDOW: u32 = 65535 * 32;
/// See [`STREAM_WINDOW`].
pub const CONNECTION_WINDOW: u32 = 65535 * 16;

const FIRST_DELAY: Duration = Duration::from_secs(1);
const LONGEST_DELAY: Duration = Duration::from_secs(15);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(20);
const IDLE_CLOSE: Duration = Duration::from_secs(15 * 60);
/// Frames between apid and the machine API do not cross a network: fewer and larger ones cost less.
const LOCAL_FRAME: u32 = 1 << 20;

/// Why a target cannot be reached.
#[derive(Debug, thiserror::Error)]
pub enum DialError {
    /// The node has no client certificate.
    #[error("dialling {target}: this node has no client certificate")]
    NoCertificate {
        /// The target.
        target: String,
    },
    /// The target's name is not one.
    #[error("dialling {target:?}: not a host name or an address")]
    Name {
        /// The target.
        target: String,
        /// Why.
        #[source]
        source: InvalidDnsNameError,
    },
    /// The connection.
    #[error("dialling {target}: {source}")]
    Connect {
        /// The target.
        target: String,
        /// Why; shown, because it is all that a caller on another node gets to see.
        source: io::Error,
    },
    /// It took too long.
    #[error("dialling {target}: no answer within {CONNECT_TIMEOUT:?}")]
    Timeout {
        /// The target.
        target: String,
    },
    /// HTTP/2.
    #[error("opening HTTP/2 to {target}: {source}")]
    Http {
        /// The target.
        target: String,
        /// Why; shown for the same reason.
        source: hyper::Error,
    },
}

/// How a target is dialled.
#[derive(Clone, Debug)]
enum Dial {
    Local(PathBuf),
    Remote { host: String, port: u16, tls: Arc<ArcSwapOption<ClientConfig>> },
}

/// One target.
#[derive(Debug)]
pub struct Backend {
    dial: Dial,
    name: String,
    ready: Arc<Mutex<Option<Connection>>>,
    /// Held while dialling, so that callers share one attempt.
    attempt: tokio::sync::Mutex<Option<Failure>>,
}

#[derive(Clone, Debug)]
struct Connection {
    sender: http2::SendRequest<Body>,
    used: Arc<Mutex<Instant>>,
}

#[derive(Debug)]
struct Failure {
    error: String,
    until: Instant,
    delay: Duration,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Only assignments happen under these locks.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Backend {
    /// The machine API behind a unix socket.
    #[must_use]
    pub fn local(socket: PathBuf) -> Self {
        Self::new(socket.display().to_string(), Dial::Local(socket))
    }

    fn new(name: String, dial: Dial) -> Self {
        Self { dial, name, ready: Arc::default(), attempt: tokio::sync::Mutex::default() }
    }

    /// Sends a call and waits for the head of its reply.
    ///
    /// # Errors
    /// `Unavailable` with the reason when the target cannot be reached.
    pub async fn call(&self, mut request: Request<Body>) -> Result<Response<Incoming>, Status> {
        // A connection may have closed without this side knowing; a call that was not sent is sent once more.
        for _ in 0..2 {
            let mut connection = self.connection().await?;
            match connection.sender.try_send_request(request).await {
                Ok(response) => return Ok(response),
                Err(mut failed) => {
                    self.forget(&connection);
                    match failed.take_message() {
                        Some(unsent) => request = unsent,
                        None => {
                            return Err(Status::unavailable(format!(
                                "{}: {}",
                                self.name,
                                chain(failed.error())
                            )));
                        }
                    }
                }
            }
        }
        Err(Status::unavailable(format!("{}: the connection closed twice", self.name)))
    }

    fn established(&self) -> Option<Connection> {
        let mut ready = locked(&self.ready);
        let connection = ready.as_ref().filter(|connection| !connection.sender.is_closed());
        match connection {
            Some(connection) => {
                *locked(&connection.used) = Instant::now();
                Some(connection.clone())
            }
            None => {
                *ready = None;
                None
            }
        }
    }

    fn forget(&self, gone: &Connection) {
        let mut ready = locked(&self.ready);
        if ready.as_ref().is_some_and(|current| Arc::ptr_eq(&current.used, &gone.used)) {
            *ready = None;
        }
    }

    async fn connection(&self) -> Result<Connection, Status> {
        if let Some(connection) = self.established() {
            return Ok(connection);
        }
        let mut failure = self.attempt.lock().await;
        if let Some(connection) = self.established() {
            return Ok(connection);
        }
        if let Some(failed) = failure.as_ref()
            && Instant::now() < failed.until
        {
            return Err(Status::unavailable(failed.error.clone()));
        }
        match self.dial().await {
            Ok(connection) => {
                *failure = None;
                *locked(&self.ready) = Some(connection.clone());
                Ok(connection)
            }
            Err(error) => {
                let delay = match failure.as_ref() {
                    Some(before) => (before.delay * 2).min(LONGEST_DELAY),
                    None => FIRST_DELAY,
                };
                // The node's own machine API comes back within moments; there is nothing to spare it.
                let delay =
                    if matches!(self.dial, Dial::Local(_)) { Duration::ZERO } else { delay };
                let error = error.to_string();
                let status = Status::unavailable(error.clone());
                *failure = Some(Failure { error, until: Instant::now() + delay, delay });
                Err(status)
            }
        }
    }

    async fn dial(&self) -> Result<Connection, DialError> {
        let target = || self.name.clone();
        let connect = |source| DialError::Connect { target: target(), source };
        match &self.dial {
            Dial::Local(socket) => {
                let stream = UnixStream::connect(socket).await.map_err(connect)?;
                let stream = LocalStream::new(stream).map_err(connect)?;
                self.open(stream, Some(LOCAL_FRAME)).await
            }
            Dial::Remote { host, port, tls } => {
                let config =
                    tls.load_full().ok_or_else(|| DialError::NoCertificate { target: target() })?;
                let name = ServerName::try_from(host.clone())
                    .map_err(|source| DialError::Name { target: target(), source })?;
                let dialled = async {
                    let stream =
                        TcpStream::connect((host.as_str(), *port)).await.map_err(connect)?;
                    tcp::prepare(&stream).map_err(connect)?;
                    let connector = tokio_rustls::TlsConnector::from(config);
                    let stream = connector.connect(name, stream).await.map_err(connect)?;
                    self.open(stream, None).await
                };
                match timeout(CONNECT_TIMEOUT, dialled).await {
                    Ok(connection) => connection,
                    Err(_) => Err(DialError::Timeout { target: target() }),
                }
            }
        }
    }

    async fn open(
        &self,
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        frame: Option<u32>,
    ) -> Result<Connection, DialError> {
        let (sender, connection) = http2::Builder::new(TokioExecutor::new())
            .timer(TokioTimer::new())
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .max_frame_size(frame)
            .handshake(TokioIo::new(stream))
            .await
            .map_err(|source| DialError::Http { target: self.name.clone(), source })?;
        let used = Arc::new(Mutex::new(Instant::now()));
        let name = self.name.clone();
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(target = name, error = chain(&error), "connection ended");
            }
        });
        tokio::spawn(close_when_idle(Arc::downgrade(&self.ready), Arc::downgrade(&used)));
        Ok(Connection { sender, used })
    }
}

/// Lets go of a connection that nobody has called over for a while; calls in progress still end in their time.
async fn close_when_idle(ready: Weak<Mutex<Option<Connection>>>, used: Weak<Mutex<Instant>>) {
    while let Some(last) = used.upgrade().map(|used| *locked(&used)) {
        sleep_until(last + IDLE_CLOSE).await;
        let (Some(ready), Some(used)) = (ready.upgrade(), used.upgrade()) else { return };
        let mut current = locked(&ready);
        if *locked(&used) == last
            && current.as_ref().is_some_and(|current| Arc::ptr_eq(&current.used, &used))
        {
            *current = None;
            return;
        }
    }
}

/// All targets of this apid.
#[derive(Debug)]
pub struct Backends {
    local: Arc<Backend>,
    remote: Mutex<HashMap<String, Arc<Backend>>>,
    port: u16,
    tls: Arc<ArcSwapOption<ClientConfig>>,
}

impl Backends {
    /// Targets whose apid listens on `port`, and the machine API of this node.
    #[must_use]
    pub fn new(machine: PathBuf, port: u16) -> Self {
        Self {
            local: Arc::new(Backend::local(machine)),
            remote: Mutex::default(),
            port,
            tls: Arc::default(),
        }
    }

    /// Uses this client certificate for connections opened from now on.
    pub fn present(&self, tls: Option<Arc<ClientConfig>>) {
        self.tls.store(tls);
    }

    /// This node.
    #[must_use]
    pub fn local(&self) -> &Arc<Backend> {
        &self.local
    }

    /// Another node.
    #[must_use]
    pub fn remote(&self, host: &str) -> Arc<Backend> {
        let mut remote = locked(&self.remote);
        if let Some(backend) = remote.get(host) {
            return backend.clone();
        }
        let dial = Dial::Remote { host: host.to_owned(), port: self.port, tls: self.tls.clone() };
        let backend = Arc::new(Backend::new(format!("{host}:{}", self.port), dial));
        // Names come from callers: the table must not grow with every misspelling.
        if remote.len() >= MOST_TARGETS {
            remote.retain(|_, backend| locked(&backend.ready).is_some());
        }
        remote.insert(host.to_owned(), backend.clone());
        backend
    }
}

const MOST_TARGETS: usize = 1024;
