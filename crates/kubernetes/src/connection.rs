//! The connection to an API server: TLS from certificates in memory, one HTTP/2 connection, made again when it has gone.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{Request, Response, Uri};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::client::conn::http2::{self, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::sync::Mutex;
use tokio_rustls::TlsConnector;

/// How long a connection may take to be made.
const CONNECT: Duration = Duration::from_secs(10);
/// A connection over which nothing comes back for this long, although asked, is dead.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// Where the API server is, whom to trust, and who asks.
#[derive(Clone, Debug, Default)]
pub struct Access {
    /// URL of the server.
    pub server: String,
    /// Name expected in its certificate where it is not the URL's host.
    pub tls_server_name: Option<String>,
    /// Certificates of its authority, PEM.
    pub authority: String,
    /// Client certificate and key, PEM.
    pub identity: Option<(String, String)>,
    /// Bearer token.
    pub token: Option<String>,
}

/// Access that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum AccessError {
    /// The kubeconfig is not one.
    #[error("the kubeconfig lacks {0}")]
    Kubeconfig(&'static str),
    /// A file the kubeconfig names cannot be read.
    #[error("cannot read {path}, which the kubeconfig names")]
    File {
        /// The file.
        path: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The server is no HTTPS URL.
    #[error("\"{0}\" is not the HTTPS URL of an API server")]
    Server(String),
    /// A text is not what its role asks for.
    #[error("the {role} of the Kubernetes client is not valid PEM")]
    Pem {
        /// Which.
        role: &'static str,
        /// Why.
        #[source]
        source: rustls_pki_types::pem::Error,
    },
    /// The parts do not fit together.
    #[error("the credentials of the Kubernetes client cannot be used")]
    Unusable(#[source] rustls::Error),
}

impl Access {
    /// Reads a kubeconfig document with one user, as this system writes them; files it names are read too.
    pub fn from_kubeconfig(kubeconfig: &Value) -> Result<Self, AccessError> {
        let cluster = &kubeconfig["clusters"][0]["cluster"];
        let user = &kubeconfig["users"][0]["user"];
        let lacks = AccessError::Kubeconfig;
        let text = |value: &Value| value.as_str().map(str::to_owned);
        Ok(Self {
            server: text(&cluster["server"]).ok_or(lacks("a server"))?,
            tls_server_name: text(&cluster["tls-server-name"]),
            authority: data_or_file(cluster, "certificate-authority")?
                .ok_or(lacks("a certificate authority"))?,
            identity: data_or_file(user, "client-certificate")?
                .zip(data_or_file(user, "client-key")?),
            token: text(&user["token"]),
        })
    }

    fn tls(&self) -> Result<ClientConfig, AccessError> {
        let pem = |role| move |source| AccessError::Pem { role, source };
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(self.authority.as_bytes()) {
            roots.add(certificate.map_err(pem("authority"))?).map_err(AccessError::Unusable)?;
        }
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(AccessError::Unusable)?
            .with_root_certificates(roots);
        let mut config = match &self.identity {
            None => builder.with_no_client_auth(),
            Some((certificate, key)) => {
                let chain = CertificateDer::pem_slice_iter(certificate.as_bytes())
                    .collect::<Result<Vec<_>, _>>()
                    .map_err(pem("certificate"))?;
                let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).map_err(pem("key"))?;
                builder.with_client_auth_cert(chain, key).map_err(AccessError::Unusable)?
            }
        };
        config.alpn_protocols = vec![b"h2".to_vec()];
        Ok(config)
    }
}

fn data_or_file(section: &Value, name: &str) -> Result<Option<String>, AccessError> {
    if let Some(data) = section[format!("{name}-data")].as_str() {
        let bytes = STANDARD.decode(data).ok();
        let text = bytes.and_then(|bytes| String::from_utf8(bytes).ok());
        return text.map(Some).ok_or(AccessError::Kubeconfig("valid base64 of PEM text"));
    }
    let Some(path) = section[name].as_str() else { return Ok(None) };
    std::fs::read_to_string(path)
        .map(Some)
        .map_err(|source| AccessError::File { path: path.to_owned(), source })
}

/// A connection that is made at the first request and again after it has gone.
pub(crate) struct Connection {
    host: String,
    port: u16,
    name: ServerName<'static>,
    tls: Arc<ClientConfig>,
    pub(crate) authority: String,
    pub(crate) token: Option<String>,
    sender: Mutex<Option<SendRequest<Full<Bytes>>>>,
}

impl Connection {
    pub(crate) fn new(access: &Access) -> Result<Self, AccessError> {
        let no_server = || AccessError::Server(access.server.clone());
        let uri: Uri = access.server.parse().map_err(|_| no_server())?;
        let host =
            uri.host().filter(|_| uri.scheme_str() == Some("https")).ok_or_else(no_server)?;
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let name = access.tls_server_name.clone().unwrap_or_else(|| host.clone());
        Ok(Self {
            port: uri.port_u16().unwrap_or(443),
            name: ServerName::try_from(name).map_err(|_| no_server())?,
            tls: Arc::new(access.tls()?),
            authority: uri.authority().map(ToString::to_string).unwrap_or_default(),
            token: access.token.clone(),
            sender: Mutex::new(None),
            host,
        })
    }

    async fn dial(&self) -> io::Result<SendRequest<Full<Bytes>>> {
        let connect = async {
            let stream = TcpStream::connect((self.host.as_str(), self.port)).await?;
            stream.set_nodelay(true)?;
            let stream =
                TlsConnector::from(self.tls.clone()).connect(self.name.clone(), stream).await?;
            let (sender, connection) = http2::Builder::new(TokioExecutor::new())
                .timer(TokioTimer::new())
                .keep_alive_interval(KEEP_ALIVE)
                .keep_alive_timeout(KEEP_ALIVE)
                .handshake(TokioIo::new(stream))
                .await
                .map_err(io::Error::other)?;
            tokio::spawn(connection);
            Ok(sender)
        };
        match tokio::time::timeout(CONNECT, connect).await {
            Ok(sender) => sender,
            Err(_) => Err(io::Error::new(io::ErrorKind::TimedOut, "no connection within 10 s")),
        }
    }

    pub(crate) async fn send(
        &self,
        request: Request<Full<Bytes>>,
    ) -> io::Result<Response<Incoming>> {
        let mut sender = {
            let mut slot = self.sender.lock().await;
            match slot.as_ref().filter(|sender| !sender.is_closed()) {
                Some(sender) => sender.clone(),
                None => slot.insert(self.dial().await?).clone(),
            }
        };
        sender.ready().await.map_err(io::Error::other)?;
        sender.send_request(request).await.map_err(io::Error::other)
    }
}
