//! trustd: signs the server certificates of joining nodes that know the machine token.
//!
//! A process of its own on control plane nodes; the authority and the token come from its filtered state socket.
//! Must never: issue anything but a server certificate for the names in the request.

use std::{
    io,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    path::PathBuf,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use api::securityapi::{
    CertificateRequest, CertificateResponse,
    security_service_server::{SecurityService, SecurityServiceServer},
};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use pki::{Authority, NODE_LIFE, System, Validity};
use resource::{
    Spec,
    secrets::{OSRootSpec, TrustdCertsSpec},
};
use sha2::{Digest, Sha256};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
    time::timeout,
};
use tokio_rustls::TlsAcceptor;
use tonic::{Request, Response, Status};
use tower::Service;

use crate::{
    cause::chain,
    feed::{self, Socket},
    tcp,
    tls::{self, Clients, PemIdentity},
};

/// The port of trustd.
pub const PORT: u16 = 50001;
/// A caller that cannot finish its handshake in this time is let go.
const HANDSHAKE: Duration = Duration::from_secs(20);
/// The metadata key that carries the machine token.
const TOKEN: &str = "token";

/// Why trustd cannot serve.
#[derive(Debug, thiserror::Error)]
pub enum TrustdError {
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

/// Where trustd finds what it needs.
#[derive(Clone, Debug)]
pub struct Options {
    /// The filtered state: the authority, the token and trustd's own certificate.
    pub state: PathBuf,
    /// Where to listen.
    pub listen: SocketAddr,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            state: "/system/run/trustd/runtime.sock".into(),
            listen: (Ipv6Addr::UNSPECIFIED, PORT).into(),
        }
    }
}

/// What trustd goes by.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Settings {
    /// The authority, the accepted authorities and the token.
    pub root: Option<OSRootSpec>,
    /// What callers are shown.
    pub own: Option<TrustdCertsSpec>,
}

/// Serves until `shutdown` resolves.
///
/// # Errors
/// [`TrustdError`] when it cannot listen.
pub async fn run(options: Options, shutdown: impl Future<Output = ()>) -> Result<(), TrustdError> {
    let settings = watch::Sender::new(Settings::default());
    let listen = |source| TrustdError::Listen { address: options.listen, source };
    let listener = match TcpListener::bind(options.listen).await {
        // Every address means both families; a kernel without IPv6 has one.
        Err(error)
            if options.listen.ip() == Ipv6Addr::UNSPECIFIED
                && error.kind() != io::ErrorKind::AddrInUse =>
        {
            TcpListener::bind((Ipv4Addr::UNSPECIFIED, options.listen.port())).await
        }
        bound => bound,
    }
    .map_err(listen)?;
    let server = serve(listener, settings.subscribe());
    tokio::select! {
        () = follow(Socket::new(options.state), &settings) => Ok(()),
        () = server => Ok(()),
        () = shutdown => Ok(()),
    }
}

/// Keeps the settings as the state socket tells them, for ever.
async fn follow(socket: Socket, settings: &watch::Sender<Settings>) {
    let namespace = OSRootSpec::DEFINITION.namespace;
    tokio::join!(
        feed::follow::<OSRootSpec>(&socket, namespace, |all| {
            settings.send_modify(|settings| settings.root = all.get("os").cloned());
        }),
        feed::follow::<TrustdCertsSpec>(&socket, namespace, |all| {
            settings.send_modify(|settings| settings.own = all.get("trustd").cloned());
        }),
    );
}

/// Takes connections; each is served with the certificate of its moment.
pub async fn serve(listener: TcpListener, settings: watch::Receiver<Settings>) {
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                tokio::spawn(connection(stream, peer, settings.clone()));
            }
            Err(error) => {
                tracing::error!(%error, "taking a connection");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

async fn connection(stream: TcpStream, peer: SocketAddr, mut settings: watch::Receiver<Settings>) {
    if let Err(error) = tcp::prepare(&stream) {
        tracing::debug!(%peer, %error, "setting up a connection");
    }
    // A caller that comes before there is a certificate waits for it, but no longer than for a handshake.
    let accepted = async {
        let own = settings
            .wait_for(|settings| settings.own.is_some())
            .await
            .ok()
            .and_then(|settings| settings.own.clone())?;
        let tls = acceptor(&own)?;
        match tls.accept(stream).await {
            Ok(stream) => Some(stream),
            // Whoever only looks whether somebody listens says nothing.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => None,
            Err(error) => {
                tracing::info!(%peer, %error, "refusing a caller");
                None
            }
        }
    };
    let Ok(Some(stream)) = timeout(HANDSHAKE, accepted).await else { return };
    let service = SecurityServiceServer::new(Signer { settings });
    let served = service_fn(move |request| {
        let mut service = service.clone();
        async move { service.call(request).await }
    });
    let served = hyper::server::conn::http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        // gRPC carries no date, and making one costs every reply.
        .auto_date_header(false)
        .serve_connection(TokioIo::new(stream), served);
    if let Err(error) = served.await {
        tracing::debug!(%peer, %error, "a connection broke");
    }
}

fn acceptor(own: &TrustdCertsSpec) -> Option<TlsAcceptor> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let identity =
        PemIdentity { certificate: text(&own.server.crt.0), key: text(&own.server.key.0) };
    tls::server(&identity, &Clients::Anyone)
        .inspect_err(|error| tracing::error!(error = chain(error), "no server TLS"))
        .ok()
        .map(TlsAcceptor::from)
}

/// The service.
#[derive(Clone)]
struct Signer {
    settings: watch::Receiver<Settings>,
}

#[tonic::async_trait]
impl SecurityService for Signer {
    async fn certificate(
        &self,
        request: Request<CertificateRequest>,
    ) -> Result<Response<CertificateResponse>, Status> {
        let root = self.settings.borrow().root.clone();
        let root = root.ok_or_else(|| Status::unavailable("the authority is not known yet"))?;
        let token = request.metadata().get(TOKEN).map(|token| token.as_bytes());
        authenticate(token, &root.token)?;
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let now = i64::try_from(since.as_secs()).unwrap_or(i64::MAX);
        Ok(Response::new(sign(&root, &request.into_inner().csr, now)?))
    }
}

/// Compares digests in constant time, so that neither the token nor its length can be guessed by time.
fn authenticate(given: Option<&[u8]>, expected: &str) -> Result<(), Status> {
    let given = given.ok_or_else(|| Status::unauthenticated("missing token"))?;
    let (given, wanted) = (Sha256::digest(given), Sha256::digest(expected));
    let same = aws_lc_rs::constant_time::verify_slices_are_equal(&given, &wanted).is_ok();
    // A node without a token admits nobody.
    if same && !expected.is_empty() {
        return Ok(());
    }
    Err(Status::unauthenticated("invalid token"))
}

fn sign(root: &OSRootSpec, csr: &[u8], now: i64) -> Result<CertificateResponse, Status> {
    let csr = std::str::from_utf8(csr)
        .map_err(|_| Status::invalid_argument("the signing request is not PEM"))?;
    let request = pki::Request::from_pem(csr).map_err(|error| {
        Status::invalid_argument(format!("the signing request: {}", chain(&error)))
    })?;
    let issuing = &root.issuing_ca;
    let text = |bytes: &'_ [u8]| String::from_utf8_lossy(bytes).into_owned();
    let authority = Authority::from_pem(&text(&issuing.crt.0), &text(&issuing.key.0))
        .map_err(|error| Status::internal(format!("the authority: {}", chain(&error))))?;
    let certificate = authority
        .sign_server_request(&request, Validity::starting(now, NODE_LIFE), &mut System)
        .map_err(|error| Status::internal(format!("signing: {}", chain(&error))))?;
    let mut accepted = Vec::new();
    for authority in &root.accepted_cas {
        accepted.extend_from_slice(authority.crt.0.trim_ascii_end());
        accepted.push(b'\n');
    }
    Ok(CertificateResponse { ca: accepted, crt: certificate.to_pem().into_bytes() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_token_itself_is_accepted() {
        let code =
            |given: Option<&[u8]>, expected| authenticate(given, expected).err().map(|s| s.code());
        let refused = Some(tonic::Code::Unauthenticated);
        assert_eq!(code(Some(b"abc.def"), "abc.def"), None);
        assert_eq!(code(Some(b"abc.de"), "abc.def"), refused);
        assert_eq!(code(Some(b""), "abc.def"), refused);
        assert_eq!(code(None, "abc.def"), refused);
        assert_eq!(code(Some(b""), ""), refused);
    }
}
