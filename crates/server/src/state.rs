//! The state service: the node's resources, read and watched over the API.
//!
//! Resources are written out by hand into ready frames, because a list of all definitions is a hundred times the
//! size of any other reply. Must never: change a resource on behalf of a caller.

mod cache;
mod encode;
mod policy;
mod query;
mod watch;

use std::sync::Arc;

use api::cosi::resource::{GetRequest, ListRequest, WatchRequest};
use http::{Request, Response};
use http_body::Body as HttpBody;
use runtime::{Store, store::Query};
use tonic::{Status, body::Body};

pub use self::policy::Scope;
use self::{cache::Lists, policy::Read};
use crate::{grpc, role::Grants};

/// The path of the service.
pub const SERVICE: &str = "/cosi.resource.State/";

/// The state service over a store.
#[derive(Clone)]
pub struct State {
    store: Store,
    scope: Scope,
    lists: Arc<Lists>,
}

impl State {
    /// Serves what `scope` lets out of a store.
    #[must_use]
    pub fn new(store: Store, scope: Scope) -> Self {
        Self { store, scope, lists: Arc::default() }
    }

    /// Answers one call to the service.
    pub async fn call<B>(&self, method: &str, grants: Grants, request: Request<B>) -> Response<Body>
    where
        B: HttpBody,
        B::Error: std::error::Error + Send + Sync + 'static,
    {
        let body = request.into_body();
        let reply = match method {
            "Get" => match grpc::unary(body).await {
                Ok(request) => self.get(grants, &request),
                Err(status) => Err(status),
            },
            "List" => match grpc::unary(body).await {
                Ok(request) => self.list(grants, &request),
                Err(status) => Err(status),
            },
            "Watch" => match grpc::unary(body).await {
                Ok(request) => self.watch(grants, request),
                Err(status) => Err(status),
            },
            "Create" | "Update" | "Destroy" | "Teardown" | "TeardownAndDestroy" => {
                Err(Status::permission_denied("write access is not allowed"))
            }
            _ => Err(Status::unimplemented(format!("no method {SERVICE}{method}"))),
        };
        reply.unwrap_or_else(|status| status.into_http())
    }

    fn permit(&self, grants: Grants, type_name: &str, namespace: &str) -> Result<(), Status> {
        let read = Read {
            type_name,
            namespace,
            definition: self.store.definition(type_name),
            namespace_known: policy::is_namespace(&self.store, namespace),
            grants,
        };
        self.scope.check(&read)
    }

    fn get(&self, grants: Grants, request: &GetRequest) -> Result<Response<Body>, Status> {
        let GetRequest { namespace, r#type, id, options: _ } = request;
        self.permit(grants, r#type, namespace)?;
        let found = self.store.get_any(r#type, namespace, id).map_err(gone)?;
        let found = found.ok_or_else(|| {
            Status::not_found(format!("resource {type}({namespace}/{id}) does not exist"))
        })?;
        let mut frame = Vec::new();
        encode::response_frame(&found, &mut frame)?;
        Ok(grpc::reply(frame.into()))
    }

    fn list(&self, grants: Grants, request: &ListRequest) -> Result<Response<Body>, Status> {
        let ListRequest { namespace, r#type, options } = request;
        self.permit(grants, r#type, namespace)?;
        let options = options.clone().unwrap_or_default();
        let query = query::parse(&options.label_query, options.id_query.as_ref())?;
        let frames = if query.is_everything() {
            self.lists.frames(&self.store, r#type, namespace)?
        } else {
            frames(&self.store, r#type, namespace, &query)?.into()
        };
        Ok(grpc::reply(frames))
    }

    fn watch(&self, grants: Grants, request: WatchRequest) -> Result<Response<Body>, Status> {
        self.permit(grants, &request.r#type, &request.namespace)?;
        watch::start(&self.store, request)
    }
}

fn frames(
    store: &Store,
    type_name: &str,
    namespace: &str,
    query: &Query,
) -> Result<Vec<u8>, Status> {
    let mut frames = Vec::new();
    for resource in store.list_any(type_name, namespace, query).map_err(gone)? {
        encode::response_frame(&resource, &mut frames)?;
    }
    Ok(frames)
}

/// A type that had a definition a moment ago and is not there now.
fn gone(error: runtime::StoreError) -> Status {
    Status::internal(error.to_string())
}
