//! What apid does with one call: roles, direction, and passing it on as it came.
//!
//! Must never: look into a body. Only metadata is read and changed.

use std::convert::Infallible;

use http::{HeaderValue, Request, Response, Uri, header::USER_AGENT, uri};
use hyper::body::Incoming;
use tonic::{Status, body::Body};

use super::{
    backend::Backends,
    director::{self, Route, Standing},
    fanout,
};
use crate::{
    method::{self, Kind},
    role::{self, Roles},
};

/// Who is at the other end of a connection.
#[derive(Clone, Debug)]
pub(super) struct Caller {
    /// The roles of its certificate, or those given to a caller without one.
    pub roles: Roles,
    /// Whether it has shown a certificate; only then can it hand over the roles of another.
    pub verified: bool,
}

/// Passes one call on.
pub(super) async fn call(
    backends: &Backends,
    standing: &Standing,
    caller: &Caller,
    request: Request<Incoming>,
) -> Result<Response<Body>, Infallible> {
    let reply = direct(backends, standing, caller, request).await;
    Ok(reply.unwrap_or_else(|status| status.into_http()))
}

async fn direct(
    backends: &Backends,
    standing: &Standing,
    caller: &Caller,
    request: Request<Incoming>,
) -> Result<Response<Body>, Status> {
    let (mut head, body) = request.into_parts();
    let route = director::route(head.uri.path(), &head.headers, standing)?;
    if caller.verified {
        role::of_caller(&caller.roles, &head.headers).hand_over(&mut head.headers);
    } else {
        caller.roles.hand_over(&mut head.headers);
    }
    let from = head.uri.authority().map_or_else(
        || HeaderValue::from_static("unknown"),
        |authority| {
            HeaderValue::from_str(authority.as_str())
                .unwrap_or_else(|_| HeaderValue::from_static("unknown"))
        },
    );
    head.headers.remove(director::NODE);
    let named = head.headers.remove(director::NODES).is_some();
    if route != Route::Local {
        head.headers.insert(director::PROXY_FROM, from);
    }
    match route {
        Route::Local => {
            head.uri = authority(&head.uri, "machined");
            let request = Request::from_parts(head, Body::new(body));
            Ok(backends.local().call(request).await?.map(Body::new))
        }
        Route::One(target) => {
            head.uri = authority(&head.uri, "apid");
            let request = Request::from_parts(head, Body::new(body));
            Ok(backends.remote(&target).call(request).await?.map(Body::new))
        }
        Route::Many(targets) => {
            if named {
                let agent = head.headers.get(USER_AGENT).and_then(|agent| agent.to_str().ok());
                tracing::warn!(
                    method = head.uri.path(),
                    agent,
                    "a caller names several nodes in one call, which is deprecated"
                );
            }
            head.uri = authority(&head.uri, "apid");
            // Replies are joined as they are: no node may compress its own.
            head.headers.remove("grpc-accept-encoding");
            let streaming = streams(head.uri.path());
            let targets: Vec<_> = targets
                .into_iter()
                .map(|target| {
                    let backend = backends.remote(&target);
                    (target, backend)
                })
                .collect();
            Ok(fanout::call(targets, streaming, head, body))
        }
    }
}

/// Whether replies to a method are a stream.
fn streams(path: &str) -> bool {
    method::find(path).map_or_else(
        || path.ends_with("Stream"),
        |method| matches!(method.kind, Kind::ServerStream | Kind::Bidirectional),
    )
}

/// The same path at the next hop, whose name matters to nobody but has to be there.
fn authority(uri: &Uri, name: &'static str) -> Uri {
    let mut parts = uri::Parts::default();
    parts.scheme = Some(uri::Scheme::HTTP);
    parts.authority = Some(uri::Authority::from_static(name));
    parts.path_and_query =
        Some(uri.path_and_query().cloned().unwrap_or_else(|| uri::PathAndQuery::from_static("/")));
    // All three parts are there and valid by their types.
    Uri::from_parts(parts).unwrap_or_else(|_| uri.clone())
}
