//! One connection, made when it is first needed and made again when it broke, and the calls on it.

use std::{
    future::Future,
    path::Path,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use http::{HeaderValue, Request, Response, Uri, header::HeaderName, uri::PathAndQuery};
use hyper::body::Incoming;
use tokio::sync::Mutex;
use tokio_rustls::TlsConnector;
use tonic::{Status, body::Body};

use crate::{
    dial::{DialError, Line, Target},
    endpoint::Endpoint,
    node::Node,
    tls::{TlsError, Trust},
};

/// How to make a connection.
#[derive(Clone, Debug)]
pub struct ConnectionOptions {
    /// Where to dial; tried from the front.
    pub endpoints: Vec<Endpoint>,
    /// Whom to trust.
    pub trust: Trust,
    /// Name of the cluster behind a proxy.
    pub cluster: Option<String>,
    /// User name and password for a proxy.
    pub basic: Option<(String, String)>,
}

struct Shared {
    target: Target,
    authority: String,
    headers: Vec<(HeaderName, HeaderValue)>,
    line: Mutex<Option<Line>>,
    trust: Option<Trust>,
}

/// One connection to a cluster or to one machine.
#[derive(Clone)]
pub struct Connection {
    shared: Arc<Shared>,
}

impl Connection {
    /// Prepares a connection; the first call dials.
    pub fn open(options: &ConnectionOptions) -> Result<Self, TlsError> {
        let connector = TlsConnector::from(Arc::new(options.trust.config()?));
        let authority =
            options.endpoints.first().map_or_else(|| "localhost".to_owned(), Endpoint::to_string);
        let mut headers =
            vec![(HeaderName::from_static("runtime"), HeaderValue::from_static("Talos"))];
        if let Some(value) = options.cluster.as_deref().and_then(|name| name.parse().ok()) {
            headers.push((HeaderName::from_static("context"), value));
        }
        if let Some((name, password)) = &options.basic {
            use base64::{Engine, engine::general_purpose::STANDARD};
            let credentials = format!("Basic {}", STANDARD.encode(format!("{name}:{password}")));
            if let Ok(value) = credentials.parse() {
                headers.push((http::header::AUTHORIZATION, value));
            }
        }
        let target = Target::Network { endpoints: options.endpoints.clone(), connector };
        Ok(Self::new(target, authority, headers, Some(options.trust.clone())))
    }

    /// Prepares a connection to a local socket, such as the machine's own API.
    pub fn open_socket(path: &Path) -> Self {
        Self::new(Target::Socket(path.to_owned()), "localhost".to_owned(), Vec::new(), None)
    }

    fn new(
        target: Target,
        authority: String,
        headers: Vec<(HeaderName, HeaderValue)>,
        trust: Option<Trust>,
    ) -> Self {
        let line = Mutex::new(None);
        Self { shared: Arc::new(Shared { target, authority, headers, line, trust }) }
    }

    /// A node behind this connection; the endpoint forwards the call to it.
    pub fn node(&self, name: &str) -> Node {
        Node::new(
            name,
            Channel { shared: self.shared.clone(), node: name.parse().ok() },
            self.clone(),
        )
    }

    /// Whatever answers at the endpoint, under a name for messages.
    pub fn local(&self, name: &str) -> Node {
        Node::new(name, Channel { shared: self.shared.clone(), node: None }, self.clone())
    }

    pub(crate) fn trust(&self) -> Option<&Trust> {
        self.shared.trust.as_ref()
    }
}

impl Shared {
    async fn line(&self) -> Result<Line, DialError> {
        let mut kept = self.line.lock().await;
        if let Some(line) = kept.as_ref().filter(|line| !line.sender.is_closed()) {
            return Ok(line.clone());
        }
        let line = self.target.dial().await?;
        *kept = Some(line.clone());
        Ok(line)
    }

    async fn send(&self, mut request: Request<Body>) -> Result<Response<Incoming>, Status> {
        let path = request
            .uri()
            .path_and_query()
            .cloned()
            .unwrap_or_else(|| PathAndQuery::from_static("/"));
        let uri = Uri::builder()
            .scheme("https")
            .authority(self.authority.as_str())
            .path_and_query(path)
            .build()
            .map_err(|error| Status::internal(error.to_string()))?;
        *request.uri_mut() = uri;
        for (name, value) in &self.headers {
            request.headers_mut().insert(name, value.clone());
        }
        let mut line = self.line().await.map_err(|error| unavailable(Arc::new(error)))?;
        line.sender.send_request(request).await.map_err(|error| match line.broken() {
            Some(broken) => unavailable(Arc::new(broken)),
            None => unavailable(Arc::new(error)),
        })
    }
}

/// A failure below gRPC, kept as the source so that its cure can be told.
fn unavailable(error: Arc<dyn std::error::Error + Send + Sync>) -> Status {
    let mut status = Status::unavailable(error.to_string());
    status.set_source(error);
    status
}

/// What the typed clients call through: the connection, plus the node that the call is for.
#[derive(Clone)]
pub struct Channel {
    shared: Arc<Shared>,
    node: Option<HeaderValue>,
}

impl tower::Service<Request<Body>> for Channel {
    type Response = Response<Incoming>;
    type Error = Status;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Status>> + Send>>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Status>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        if let Some(node) = &self.node {
            request.headers_mut().insert(HeaderName::from_static("node"), node.clone());
        }
        let shared = self.shared.clone();
        Box::pin(async move { shared.send(request).await })
    }
}
