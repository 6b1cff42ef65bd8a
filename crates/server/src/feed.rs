//! Reading another process's resources: the contents of a type, kept current, over a state socket.
//!
//! This is how apid and trustd learn their settings and certificates. A broken stream is opened again and the
//! contents are replaced as a whole, so what was destroyed meanwhile is noticed. Must never: write.

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use api::cosi::resource::{EventType, WatchOptions, WatchRequest, state_client::StateClient};
use futures::future::BoxFuture;
use http::{Request, Response, Uri};
use hyper::body::Incoming;
use resource::Spec;
use tonic::{Status, body::Body};

use crate::apid::backend::Backend;

const FIRST_DELAY: Duration = Duration::from_millis(20);
const LONGEST_DELAY: Duration = Duration::from_secs(1);

/// A client of whatever listens on a unix socket.
#[derive(Clone, Debug)]
pub struct Socket {
    backend: Arc<Backend>,
}

impl Socket {
    /// Dials on first use and again whenever the connection is gone.
    #[must_use]
    pub fn new(path: PathBuf) -> Self {
        Self { backend: Arc::new(Backend::local(path)) }
    }

    /// The state service behind the socket.
    #[must_use]
    pub fn state(&self) -> StateClient<Self> {
        StateClient::with_origin(self.clone(), Uri::from_static("http://machined"))
    }
}

impl tower::Service<Request<Body>> for Socket {
    type Response = Response<Incoming>;
    type Error = Status;
    type Future = BoxFuture<'static, Result<Self::Response, Status>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Status>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let backend = self.backend.clone();
        Box::pin(async move { backend.call(request).await })
    }
}

/// The resources of one type, by id.
pub type Contents<S> = BTreeMap<String, S>;

/// Tells `observe` the contents of a type now and after every change, for ever.
pub async fn follow<S: Spec>(
    socket: &Socket,
    namespace: &str,
    mut observe: impl FnMut(&Contents<S>),
) {
    let mut delay = FIRST_DELAY;
    loop {
        let mut reached = false;
        let broken = stream::<S>(socket, namespace, |contents| {
            reached = true;
            observe(contents);
        })
        .await;
        if reached {
            delay = FIRST_DELAY;
        }
        let kind = S::DEFINITION.type_name;
        tracing::debug!(kind, error = broken.message(), "the state stream ended");
        tokio::time::sleep(delay).await;
        delay = (delay * 2).min(LONGEST_DELAY);
    }
}

async fn stream<S: Spec>(
    socket: &Socket,
    namespace: &str,
    mut observe: impl FnMut(&Contents<S>),
) -> Status {
    let options = WatchOptions { bootstrap_contents: true, ..Default::default() };
    let request = WatchRequest {
        namespace: namespace.to_owned(),
        r#type: S::DEFINITION.type_name.to_owned(),
        id: None,
        options: Some(options),
        api_version: 1,
    };
    let mut stream = match socket.state().watch(request).await {
        Ok(response) => response.into_inner(),
        Err(status) => return status,
    };
    let mut contents = Contents::new();
    let mut complete = false;
    loop {
        let message = match stream.message().await {
            Ok(Some(message)) => message,
            Ok(None) => return Status::unavailable("the state socket closed"),
            Err(status) => return status,
        };
        for event in message.event {
            match event.event_type() {
                EventType::Bootstrapped => complete = true,
                EventType::Errored => {
                    return Status::aborted(event.error.unwrap_or_default());
                }
                EventType::Noop => {}
                kind @ (EventType::Created | EventType::Updated | EventType::Destroyed) => {
                    let Some(resource) = event.resource else { continue };
                    let id = resource.metadata.map(|metadata| metadata.id).unwrap_or_default();
                    if kind == EventType::Destroyed {
                        contents.remove(&id);
                        continue;
                    }
                    let spec = resource.spec.map(|spec| spec.proto_spec).unwrap_or_default();
                    match S::decode(&spec) {
                        Ok(spec) => drop(contents.insert(id, spec)),
                        Err(error) => return Status::data_loss(format!("{id}: {error}")),
                    }
                }
            }
        }
        if complete {
            observe(&contents);
        }
    }
}
