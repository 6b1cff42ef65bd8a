//! apid: the border of a node. It ends TLS, says who the caller is, and passes calls on.
//!
//! A process of its own without privileges; all it knows comes from the filtered state socket, all it may do is
//! reach the machine API's socket and other nodes' apid. Must never: look into what it passes on.

pub mod backend;
pub mod director;
mod fanout;
pub mod merge;
mod proxy;
mod settings;

use std::{
    io,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
    time::timeout,
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};

use self::{
    backend::{Backends, CONNECTION_WINDOW, STREAM_WINDOW},
    proxy::Caller,
};
pub use self::{
    director::Standing,
    settings::{Settings, SettingsError, follow},
};
use crate::{
    cause::chain,
    feed::Socket,
    role::{self, Roles},
    tcp,
    tls::{self, Clients},
};

/// A caller that cannot finish its handshake in this time is let go.
const HANDSHAKE: Duration = Duration::from_secs(20);

/// Why apid cannot serve.
#[derive(Debug, thiserror::Error)]
pub enum ApidError {
    /// The listening socket.
    #[error("listening on {address}")]
    Listen {
        /// Where.
        address: SocketAddr,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// Where apid finds the rest of its node.
#[derive(Clone, Debug)]
pub struct Options {
    /// The filtered state: apid's settings and certificates.
    pub state: PathBuf,
    /// The machine API.
    pub machine: PathBuf,
    /// The port that other nodes' apid listens on.
    pub port: u16,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            state: "/system/run/apid/runtime.sock".into(),
            machine: "/system/run/machined/machine.sock".into(),
            port: backend::PORT,
        }
    }
}

/// Serves until `shutdown` resolves: waits for settings, listens where they say, and follows every change of them.
///
/// # Errors
/// [`ApidError`] when it cannot listen.
pub async fn run(options: Options, shutdown: impl Future<Output = ()>) -> Result<(), ApidError> {
    let (sender, settings) = watch::channel(None);
    let feed = follow(Socket::new(options.state.clone()), sender);
    tokio::select! {
        served = serve_where_told(&options, settings) => served,
        () = feed => Ok(()),
        () = shutdown => Ok(()),
    }
}

async fn serve_where_told(
    options: &Options,
    mut settings: watch::Receiver<Option<Arc<Settings>>>,
) -> Result<(), ApidError> {
    loop {
        let Ok(listen) = settings.wait_for(Option::is_some).await.map(|now| listens_at(&now))
        else {
            return Ok(());
        };
        let Some(address) = listen else { continue };
        let listener =
            bind(address).await.map_err(|source| ApidError::Listen { address, source })?;
        tracing::info!(%address, "serving the API");
        let server = Server::new(options.machine.clone(), options.port, settings.clone());
        tokio::select! {
            () = server.serve(listener) => return Ok(()),
            _ = settings.wait_for(|now| listens_at(now) != listen) => {}
        }
    }
}

fn listens_at(settings: &Option<Arc<Settings>>) -> Option<SocketAddr> {
    settings.as_ref().map(|settings| settings.listen)
}

/// Every address means both families; a kernel without IPv6 has one.
async fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    match TcpListener::bind(address).await {
        Err(error)
            if address.ip() == Ipv6Addr::UNSPECIFIED
                && error.kind() != io::ErrorKind::AddrInUse =>
        {
            TcpListener::bind((Ipv4Addr::UNSPECIFIED, address.port())).await
        }
        bound => bound,
    }
}

/// apid on a given socket with given settings.
#[derive(Debug)]
pub struct Server {
    backends: Arc<Backends>,
    settings: watch::Receiver<Option<Arc<Settings>>>,
}

/// What the settings mean to a new connection.
#[derive(Clone, Debug)]
struct Current {
    settings: Arc<Settings>,
    tls: Option<Arc<rustls::ServerConfig>>,
}

impl Server {
    /// A server that reaches the machine API at `machine` and other nodes on `port`.
    #[must_use]
    pub fn new(
        machine: PathBuf,
        port: u16,
        settings: watch::Receiver<Option<Arc<Settings>>>,
    ) -> Self {
        Self { backends: Arc::new(Backends::new(machine, port)), settings }
    }

    /// Takes connections for as long as the settings have a source.
    pub async fn serve(&self, listener: TcpListener) {
        let mut settings = self.settings.clone();
        let Some(first) = settings.wait_for(Option::is_some).await.ok().and_then(|now| now.clone())
        else {
            return;
        };
        let (current, watcher) = watch::channel(Arc::new(self.prepare(first)));
        loop {
            tokio::select! {
                // A renewed certificate is in use before the next caller is let in.
                biased;
                changed = settings.changed() => {
                    if changed.is_err() {
                        return;
                    }
                    let changed = settings.borrow_and_update().clone();
                    if let Some(changed) = changed {
                        current.send_replace(Arc::new(self.prepare(changed)));
                    }
                }
                accepted = listener.accept() => match accepted {
                    Ok((stream, peer)) => {
                        tokio::spawn(connection(self.backends.clone(), watcher.clone(), stream, peer));
                    }
                    Err(error) => accept_failed(&error).await,
                },
            }
        }
    }

    fn prepare(&self, settings: Arc<Settings>) -> Current {
        let tls = tls::server(&settings.server, &settings.clients);
        let tls =
            tls.inspect_err(|error| tracing::error!(error = chain(error), "no server TLS")).ok();
        let client = settings.client.as_ref().and_then(|own| {
            tls::client(Some(own), &settings.authorities)
                .inspect_err(|error| tracing::error!(error = chain(error), "no client TLS"))
                .ok()
        });
        self.backends.present(client);
        Current { settings, tls }
    }
}

/// A full descriptor table is the one error of accepting that stays; it ends when a connection does.
async fn accept_failed(error: &io::Error) {
    tracing::error!(%error, "taking a connection");
    tokio::time::sleep(Duration::from_millis(50)).await;
}

async fn connection(
    backends: Arc<Backends>,
    mut current: watch::Receiver<Arc<Current>>,
    stream: TcpStream,
    peer: SocketAddr,
) {
    let at_start = current.borrow_and_update().clone();
    let Some(tls) = at_start.tls.clone() else { return };
    if let Err(error) = tcp::prepare(&stream) {
        tracing::debug!(%peer, %error, "setting up a connection");
    }
    let stream = match timeout(HANDSHAKE, TlsAcceptor::from(tls).accept(stream)).await {
        Ok(Ok(stream)) => stream,
        // Whoever only looks whether somebody listens says nothing.
        Ok(Err(error)) if error.kind() == io::ErrorKind::UnexpectedEof => return,
        Ok(Err(error)) => {
            tracing::info!(%peer, %error, "refusing a caller");
            return;
        }
        Err(_) => {
            tracing::info!(%peer, "a caller did not finish its handshake within {HANDSHAKE:?}");
            return;
        }
    };
    let caller = Arc::new(caller(&stream, &at_start.settings, peer));
    let asked = at_start.settings.clients.clone();
    let view = current.clone();
    let service = service_fn(move |request| {
        let (backends, caller) = (backends.clone(), caller.clone());
        let settings = view.borrow().settings.clone();
        async move { proxy::call(&backends, &settings.standing, &caller, request).await }
    });
    let served = http2().serve_connection(TokioIo::new(stream), service);
    let mut served = std::pin::pin!(served);
    // Who was let in without a certificate, or by an authority that no longer counts, has to come again.
    let stricter = async {
        // The value is let go of at once: it must not be held while the connection is served.
        current.wait_for(|current| current.settings.clients != asked).await.is_ok()
    };
    let ended = tokio::select! {
        ended = &mut served => Some(ended),
        _ = stricter => None,
    };
    let ended = match ended {
        Some(ended) => ended,
        None => {
            served.as_mut().graceful_shutdown();
            served.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%peer, %error, "a connection broke");
    }
}

fn http2() -> hyper::server::conn::http2::Builder<TokioExecutor> {
    let mut builder = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
    builder
        .timer(TokioTimer::new())
        // gRPC carries no date, and making one costs every reply.
        .auto_date_header(false)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_concurrent_streams(None);
    builder
}

fn caller(stream: &TlsStream<TcpStream>, settings: &Settings, peer: SocketAddr) -> Caller {
    if settings.role_by_address {
        let address = peer.ip().to_canonical();
        return Caller { roles: role::of_anonymous(address), verified: false };
    }
    let (_, connection) = stream.get_ref();
    let leaf = connection.peer_certificates().and_then(|chain| chain.first());
    let certificate = leaf.and_then(|leaf| pki::Certificate::from_der(leaf.to_vec()).ok());
    let roles = certificate.map_or_else(Roles::default, |certificate| {
        Roles::parse(certificate.organizations.iter().map(String::as_str))
    });
    Caller { roles, verified: settings.clients != Clients::Anyone }
}
