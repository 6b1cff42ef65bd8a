//! Requests to an API server.

use std::fmt;
use std::io;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use serde_json::Value;

use crate::Object;
use crate::connection::{Access, AccessError, Connection};
use crate::discovery::{Kinds, Place, group_path};
use crate::watch::Watch;

/// No answer this client asks for is larger.
const BODY_LIMIT: usize = 64 << 20;

/// A request that did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// The server could not be reached or the connection broke.
    #[error("cannot {action}: no answer from {server}")]
    Connection {
        /// What was attempted.
        action: String,
        /// Where.
        server: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The server said no.
    #[error("cannot {action}: {status}: {message}")]
    Refused {
        /// What was attempted.
        action: String,
        /// The HTTP status.
        status: StatusCode,
        /// The server's reason, one word (`NotFound`, `AlreadyExists`, `Conflict`).
        reason: String,
        /// The server's explanation.
        message: String,
    },
    /// The answer is not JSON.
    #[error("cannot {action}: the answer is not JSON")]
    Answer {
        /// What was attempted.
        action: String,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
    /// The server does not know the kind.
    #[error("cannot {action}: the server has no kind {kind} in {api_version}")]
    UnknownKind {
        /// What was attempted.
        action: String,
        /// Group and version.
        api_version: String,
        /// The kind.
        kind: String,
    },
}

impl ApiError {
    /// The HTTP status, if there was an answer.
    pub fn status(&self) -> Option<StatusCode> {
        match self {
            Self::Refused { status, .. } => Some(*status),
            _ => None,
        }
    }

    /// Whether the object does not exist.
    pub fn is_not_found(&self) -> bool {
        self.status() == Some(StatusCode::NOT_FOUND)
    }

    /// Whether the object exists already, or has been changed by somebody else.
    pub fn is_conflict(&self) -> bool {
        self.status() == Some(StatusCode::CONFLICT)
    }

    /// Whether a resource version is too old to go on from.
    pub fn is_expired(&self) -> bool {
        self.status() == Some(StatusCode::GONE)
    }
}

/// A kind of objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kind<'a> {
    /// Group and version.
    pub api_version: &'a str,
    /// Name of the kind.
    pub kind: &'a str,
}

impl<'a> Kind<'a> {
    /// A kind of the core group.
    pub const fn core(kind: &'a str) -> Self {
        Self { api_version: "v1", kind }
    }
}

/// A client of one API server. Clones share the connection.
#[derive(Clone)]
pub struct Client {
    connection: Arc<Connection>,
    kinds: Arc<Kinds>,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Client").field(&self.connection.authority).finish()
    }
}

impl Client {
    /// A client with this access. Connects at the first request.
    pub fn new(access: &Access) -> Result<Self, AccessError> {
        Ok(Self {
            connection: Arc::new(Connection::new(access)?),
            kinds: Arc::new(Kinds::default()),
        })
    }

    /// Sends a request and answers whatever came, body unread.
    pub(crate) async fn send(
        &self,
        action: &str,
        method: Method,
        path: &str,
        body: Option<(&'static str, Bytes)>,
    ) -> Result<Response<Incoming>, ApiError> {
        let broken = |source| ApiError::Connection {
            action: action.to_owned(),
            server: self.connection.authority.clone(),
            source,
        };
        let mut request = Request::builder()
            .method(method)
            .uri(format!("https://{}{path}", self.connection.authority))
            .header(ACCEPT, "application/json");
        if let Some(token) = &self.connection.token {
            request = request.header(AUTHORIZATION, format!("Bearer {token}"));
        }
        let body = match body {
            None => Bytes::new(),
            Some((kind, bytes)) => {
                request = request.header(CONTENT_TYPE, kind);
                bytes
            }
        };
        let request = request
            .body(Full::new(body))
            .map_err(|error| broken(io::Error::new(io::ErrorKind::InvalidInput, error)))?;
        self.connection.send(request).await.map_err(broken)
    }

    /// The body of an answer, or what the server says is wrong.
    pub(crate) async fn body(
        &self,
        action: &str,
        response: Response<Incoming>,
    ) -> Result<Bytes, ApiError> {
        let status = response.status();
        let body = Limited::new(response.into_body(), BODY_LIMIT).collect().await;
        let bytes = body
            .map_err(|source| ApiError::Connection {
                action: action.to_owned(),
                server: self.connection.authority.clone(),
                source: io::Error::other(source),
            })?
            .to_bytes();
        if status.is_success() {
            return Ok(bytes);
        }
        let answer: Value = serde_json::from_slice(&bytes).unwrap_or_default();
        let message = answer["message"].as_str().map(str::to_owned);
        Err(ApiError::Refused {
            action: action.to_owned(),
            status,
            reason: answer["reason"].as_str().unwrap_or_default().to_owned(),
            message: message.unwrap_or_else(|| String::from_utf8_lossy(&bytes).trim().to_owned()),
        })
    }

    async fn request(
        &self,
        action: &str,
        method: Method,
        path: &str,
        body: Option<(&'static str, Bytes)>,
    ) -> Result<Value, ApiError> {
        let response = self.send(action, method, path, body).await?;
        let bytes = self.body(action, response).await?;
        serde_json::from_slice(&bytes)
            .map_err(|source| ApiError::Answer { action: action.to_owned(), source })
    }

    /// Whether the server says that it is ready for requests.
    pub async fn ready(&self) -> Result<(), ApiError> {
        const ACTION: &str = "ask the API server whether it is ready";
        let response = self.send(ACTION, Method::GET, "/readyz", None).await?;
        self.body(ACTION, response).await.map(drop)
    }

    /// The document at a path.
    pub async fn document(&self, path: &str) -> Result<Value, ApiError> {
        self.request(&format!("read {path}"), Method::GET, path, None).await
    }

    /// The text at a path, such as the log of a container.
    pub async fn text(&self, path: &str) -> Result<String, ApiError> {
        let action = format!("read {path}");
        let response = self.send(&action, Method::GET, path, None).await?;
        let bytes = self.body(&action, response).await?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    async fn place(&self, action: &str, kind: Kind<'_>) -> Result<Place, ApiError> {
        if let Some(place) = self.kinds.place(kind.api_version, kind.kind) {
            return Ok(place);
        }
        let list = self.request(action, Method::GET, &group_path(kind.api_version), None).await;
        match list {
            Ok(list) => self.kinds.learn(kind.api_version, &list),
            // A group that does not exist has no kinds.
            Err(error) if error.is_not_found() => {}
            Err(error) => return Err(error),
        }
        self.kinds.place(kind.api_version, kind.kind).ok_or_else(|| ApiError::UnknownKind {
            action: action.to_owned(),
            api_version: kind.api_version.to_owned(),
            kind: kind.kind.to_owned(),
        })
    }

    /// The path of the objects of a kind; of all namespaces where none is named.
    pub(crate) async fn path(
        &self,
        action: &str,
        kind: Kind<'_>,
        namespace: &str,
    ) -> Result<String, ApiError> {
        let place = self.place(action, kind).await?;
        let group = group_path(kind.api_version);
        Ok(if place.namespaced && !namespace.is_empty() {
            format!("{group}/namespaces/{namespace}/{}", place.plural)
        } else {
            format!("{group}/{}", place.plural)
        })
    }

    /// One object, if it exists.
    pub async fn object(
        &self,
        kind: Kind<'_>,
        namespace: &str,
        name: &str,
    ) -> Result<Option<Object>, ApiError> {
        let action = format!("read {} {namespace}/{name}", kind.kind);
        let path = format!("{}/{name}", self.path(&action, kind, namespace).await?);
        match self.request(&action, Method::GET, &path, None).await {
            Ok(object) => Ok(Some(object)),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// All objects of a kind that a query selects (`fieldSelector=…`, `labelSelector=…`), and the list's version.
    pub async fn list(
        &self,
        kind: Kind<'_>,
        namespace: &str,
        query: &str,
    ) -> Result<(Vec<Object>, String), ApiError> {
        let action = format!("list {}", kind.kind);
        let path = format!("{}?{query}", self.path(&action, kind, namespace).await?);
        let mut list = self.request(&action, Method::GET, &path, None).await?;
        let version = list["metadata"]["resourceVersion"].as_str().unwrap_or_default().to_owned();
        let items = match list["items"].take() {
            Value::Array(items) => items,
            _ => Vec::new(),
        };
        Ok((items, version))
    }

    /// Follows the objects of a kind from a version on.
    pub async fn watch(
        &self,
        kind: Kind<'_>,
        namespace: &str,
        query: &str,
        version: &str,
    ) -> Result<Watch, ApiError> {
        let action = format!("follow {}", kind.kind);
        let path = self.path(&action, kind, namespace).await?;
        let path =
            format!("{path}?watch=1&allowWatchBookmarks=true&resourceVersion={version}&{query}");
        let response = self.send(&action, Method::GET, &path, None).await?;
        if !response.status().is_success() {
            self.body(&action, response).await?;
            return Err(ApiError::UnknownKind {
                action,
                api_version: kind.api_version.to_owned(),
                kind: kind.kind.to_owned(),
            });
        }
        Ok(Watch::new(action, self.connection.authority.clone(), response.into_body()))
    }

    /// Makes an object.
    pub async fn create(&self, object: &Object) -> Result<Object, ApiError> {
        let (kind, namespace, name) = identity(object);
        let action = format!("create {} {namespace}/{name}", kind.kind);
        let path = self.path(&action, kind, namespace).await?;
        let body = Bytes::from(object.to_string());
        self.request(&action, Method::POST, &path, Some(("application/json", body))).await
    }

    /// Server-side apply: makes the object or the fields that it names what they are here.
    pub async fn apply(
        &self,
        object: &Object,
        manager: &str,
        force: bool,
    ) -> Result<Object, ApiError> {
        let (kind, namespace, name) = identity(object);
        let action = format!("apply {} {namespace}/{name}", kind.kind);
        let path = self.path(&action, kind, namespace).await?;
        let path = format!("{path}/{name}?fieldManager={manager}&force={force}");
        let body = Bytes::from(object.to_string());
        self.request(&action, Method::PATCH, &path, Some(("application/apply-patch+yaml", body)))
            .await
    }

    /// Merges a change into an object, or into one of its subresources.
    pub async fn merge(
        &self,
        kind: Kind<'_>,
        namespace: &str,
        name: &str,
        change: &Value,
    ) -> Result<Object, ApiError> {
        let action = format!("change {} {namespace}/{name}", kind.kind);
        let path = format!("{}/{name}", self.path(&action, kind, namespace).await?);
        let body = Bytes::from(change.to_string());
        self.request(&action, Method::PATCH, &path, Some(("application/merge-patch+json", body)))
            .await
    }

    /// Writes a subresource of an object (`approval`, `eviction`).
    pub async fn write_subresource(
        &self,
        kind: Kind<'_>,
        namespace: &str,
        name: &str,
        subresource: &str,
        method: Method,
        body: &Value,
    ) -> Result<Object, ApiError> {
        let action = format!("write {subresource} of {} {namespace}/{name}", kind.kind);
        let path = format!("{}/{name}/{subresource}", self.path(&action, kind, namespace).await?);
        let body = Bytes::from(body.to_string());
        self.request(&action, method, &path, Some(("application/json", body))).await
    }

    /// Deletes an object. One that does not exist is deleted.
    pub async fn delete(
        &self,
        kind: Kind<'_>,
        namespace: &str,
        name: &str,
    ) -> Result<(), ApiError> {
        let action = format!("delete {} {namespace}/{name}", kind.kind);
        let path = format!("{}/{name}", self.path(&action, kind, namespace).await?);
        match self.request(&action, Method::DELETE, &path, None).await {
            Err(error) if !error.is_not_found() => Err(error),
            _ => Ok(()),
        }
    }
}

/// Kind, namespace and name of an object.
fn identity(object: &Object) -> (Kind<'_>, &str, &str) {
    let kind = Kind {
        api_version: object["apiVersion"].as_str().unwrap_or_default(),
        kind: object["kind"].as_str().unwrap_or_default(),
    };
    let metadata = &object["metadata"];
    (
        kind,
        metadata["namespace"].as_str().unwrap_or_default(),
        metadata["name"].as_str().unwrap_or_default(),
    )
}
