//! The connection to a set of endpoints.

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls_pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tonic::transport::Channel;
use tonic::{Code, Status};

use crate::tls::{Credentials, CredentialsError, client_config};

/// An address that an etcd member answers clients at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Endpoint(SocketAddr);

impl Endpoint {
    /// The usual client port of a member.
    pub const PORT: u16 = 2379;

    /// The endpoint of the member on this node.
    pub const LOCAL: Self =
        Self(SocketAddr::new(IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), Self::PORT));

    /// The endpoint of a member at `address`.
    pub fn at(address: IpAddr) -> Self {
        Self(SocketAddr::new(address, Self::PORT))
    }
}

impl From<SocketAddr> for Endpoint {
    fn from(address: SocketAddr) -> Self {
        Self(address)
    }
}

impl FromStr for Endpoint {
    type Err = EndpointError;

    /// Reads a client URL as members announce them.
    fn from_str(url: &str) -> Result<Self, EndpointError> {
        let address = url.strip_prefix("https://").unwrap_or(url).trim_end_matches('/');
        address.parse().map(Self).map_err(|_| EndpointError { url: url.to_owned() })
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "https://{}", self.0)
    }
}

/// A URL that is no etcd endpoint.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("\"{url}\" is not an etcd client URL of the form https://ADDRESS:PORT")]
pub struct EndpointError {
    url: String,
}

/// A request to etcd that did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum EtcdError {
    /// The request failed at every endpoint; this is the last one's answer.
    #[error("cannot {action} at {endpoint}")]
    Call {
        /// What was attempted.
        action: String,
        /// Where.
        endpoint: Endpoint,
        /// Why.
        #[source]
        source: Box<Status>,
    },
    /// The answer lacks something it must hold.
    #[error("cannot {action}: the answer lacks {missing}")]
    Answer {
        /// What was attempted.
        action: String,
        /// What is missing.
        missing: &'static str,
    },
    /// The client has no endpoint to ask.
    #[error("cannot {action}: no etcd endpoint is known")]
    NoEndpoint {
        /// What was attempted.
        action: String,
    },
}

impl EtcdError {
    /// The code of the failure.
    pub fn code(&self) -> Code {
        match self {
            Self::Call { source, .. } => source.code(),
            Self::Answer { .. } => Code::DataLoss,
            Self::NoEndpoint { .. } => Code::Unavailable,
        }
    }

    /// Whether etcd's answer says this.
    pub fn says(&self, text: &str) -> bool {
        matches!(self, Self::Call { source, .. } if source.message().contains(text))
    }
}

/// How long one endpoint may take to accept a connection.
const CONNECT: Duration = Duration::from_secs(5);

/// A client of one or several members. Clones share the connections.
#[derive(Clone)]
pub struct Client {
    endpoints: Arc<[(Endpoint, Channel)]>,
    config: Arc<ClientConfig>,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.endpoints.iter().map(|(endpoint, _)| endpoint)).finish()
    }
}

async fn dial(
    endpoint: Endpoint,
    config: Arc<ClientConfig>,
) -> io::Result<TokioIo<tokio_rustls::client::TlsStream<TcpStream>>> {
    let connect = async {
        let stream = TcpStream::connect(endpoint.0).await?;
        stream.set_nodelay(true)?;
        let name = ServerName::IpAddress(endpoint.0.ip().into());
        TlsConnector::from(config).connect(name, stream).await.map(TokioIo::new)
    };
    match tokio::time::timeout(CONNECT, connect).await {
        Ok(stream) => stream,
        Err(_) => Err(io::Error::new(io::ErrorKind::TimedOut, "no TLS connection within 5 s")),
    }
}

fn channel(endpoint: Endpoint, config: Arc<ClientConfig>) -> Channel {
    // The address is never resolved: the connector below knows the one place to go.
    tonic::transport::Endpoint::from_static("http://etcd.invalid")
        .connect_with_connector_lazy(tower::service_fn(move |_| dial(endpoint, config.clone())))
}

impl Client {
    /// A client that asks these endpoints in turn. Connects at the first call.
    pub fn new(
        endpoints: &[Endpoint],
        credentials: &Credentials<'_>,
    ) -> Result<Self, CredentialsError> {
        let config = client_config(credentials)?;
        Ok(Self::with_config(endpoints, config))
    }

    /// The same credentials, other endpoints.
    pub fn at(&self, endpoints: &[Endpoint]) -> Self {
        Self::with_config(endpoints, self.config.clone())
    }

    fn with_config(endpoints: &[Endpoint], config: Arc<ClientConfig>) -> Self {
        let endpoints = endpoints
            .iter()
            .map(|endpoint| (*endpoint, channel(*endpoint, config.clone())))
            .collect();
        Self { endpoints, config }
    }

    /// Calls one endpoint after the other until one gives an answer that another one would not better.
    pub(crate) async fn call<T, F>(
        &self,
        action: &str,
        call: impl Fn(Channel) -> F,
    ) -> Result<T, EtcdError>
    where
        F: Future<Output = Result<tonic::Response<T>, Status>>,
    {
        let mut last = None;
        for (endpoint, channel) in self.endpoints.iter() {
            match call(channel.clone()).await {
                Ok(answer) => return Ok(answer.into_inner()),
                Err(status) => {
                    let elsewhere = matches!(
                        status.code(),
                        Code::Unavailable | Code::DeadlineExceeded | Code::Unknown
                    );
                    let error = EtcdError::Call {
                        action: action.to_owned(),
                        endpoint: *endpoint,
                        source: Box::new(status),
                    };
                    if !elsewhere {
                        return Err(error);
                    }
                    last = Some(error);
                }
            }
        }
        Err(last.unwrap_or_else(|| EtcdError::NoEndpoint { action: action.to_owned() }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_from_client_urls() {
        assert_eq!("https://127.0.0.1:2379".parse(), Ok(Endpoint::LOCAL));
        assert_eq!(
            "https://[::1]:2379/".parse::<Endpoint>().unwrap().to_string(),
            "https://[::1]:2379"
        );
        assert!("https://name:2379".parse::<Endpoint>().is_err());
        assert!("".parse::<Endpoint>().is_err());
    }
}
