//! Where a call goes: to this node, to one other node, or to many.
//!
//! Must never: dial anything; the decision needs only the call's metadata and what the node knows of itself.

use std::net::IpAddr;

use http::HeaderMap;
use tonic::Status;

/// Metadata key naming one node.
pub const NODE: &str = "node";
/// Metadata key naming several nodes.
pub const NODES: &str = "nodes";
/// Metadata key saying that the call came through another node.
pub const PROXY_FROM: &str = "proxyfrom";

/// Services whose replies can be joined over nodes.
const JOINABLE: [&str; 5] = [
    "/machine.MachineService/",
    "/cluster.ClusterService/",
    "/inspect.InspectService/",
    "/storage.StorageService/",
    "/time.TimeService/",
];

/// What the node knows of itself that matters here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// Whether calls are passed on at all; not before the machine is configured.
    pub routing: bool,
    /// Whether the node has a client certificate that other nodes accept.
    pub can_forward: bool,
    /// The node's own addresses.
    pub addresses: Vec<IpAddr>,
    /// The node's own host name and fully qualified name.
    pub names: Vec<String>,
}

impl Standing {
    fn is_own(&self, target: &str) -> bool {
        let address = target.parse::<IpAddr>().ok();
        address.is_some_and(|address| self.addresses.contains(&address))
            || self.names.iter().any(|name| name.eq_ignore_ascii_case(target))
    }
}

/// Where a call goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Route {
    /// To the machine API of this node.
    Local,
    /// To this node's apid, its reply untouched.
    One(String),
    /// To the apid of each, their replies joined.
    Many(Vec<String>),
}

/// Decides where a call goes.
///
/// # Errors
/// The status that the caller gets instead.
pub fn route(path: &str, metadata: &HeaderMap, standing: &Standing) -> Result<Route, Status> {
    if !standing.routing || metadata.contains_key(PROXY_FROM) {
        return Ok(Route::Local);
    }
    let route = if metadata.contains_key(NODES) {
        if !JOINABLE.iter().any(|service| path.starts_with(service)) {
            return Err(Status::invalid_argument(format!(
                "{path} does not support the metadata key \"{NODES}\": call each node with \"{NODE}\""
            )));
        }
        Route::Many(values(metadata, NODES)?)
    } else if metadata.contains_key(NODE) {
        let mut named = values(metadata, NODE)?;
        match (named.pop(), named.is_empty()) {
            (Some(target), true) => Route::One(target),
            _ => {
                return Err(Status::invalid_argument(format!(
                    "the metadata key \"{NODE}\" must be given exactly once"
                )));
            }
        }
    } else {
        return Ok(Route::Local);
    };
    if standing.can_forward {
        return Ok(route);
    }
    let single = match &route {
        Route::One(target) => Some(target),
        Route::Many(targets) => targets.first().filter(|_| targets.len() == 1),
        Route::Local => None,
    };
    if single.is_some_and(|target| standing.is_own(target)) {
        return Ok(Route::Local);
    }
    Err(Status::permission_denied("no request forwarding"))
}

fn values(metadata: &HeaderMap, key: &str) -> Result<Vec<String>, Status> {
    metadata
        .get_all(key)
        .iter()
        .map(|value| match value.to_str() {
            Ok(text) if !text.is_empty() => Ok(text.to_owned()),
            _ => Err(Status::invalid_argument(format!(
                "the metadata key \"{key}\" must hold a host name or an address"
            ))),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use tonic::Code;

    use super::*;

    fn metadata(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (key, value) in pairs {
            map.append(*key, HeaderValue::from_static(value));
        }
        map
    }

    fn control_plane() -> Standing {
        Standing {
            routing: true,
            can_forward: true,
            addresses: vec!["10.5.0.2".parse().unwrap(), "fd00::2".parse().unwrap()],
            names: vec!["cp-1".into(), "cp-1.example.org".into()],
        }
    }

    const VERSION: &str = "/machine.MachineService/Version";
    const GET: &str = "/cosi.resource.State/Get";

    #[test]
    fn calls_go_where_their_metadata_says() {
        let worker = Standing { can_forward: false, ..control_plane() };
        let maintenance = Standing { routing: false, ..worker.clone() };
        let one = |target: &str| Ok(Route::One(target.into()));
        let many = |t: &[&str]| Ok(Route::Many(t.iter().map(|t| (*t).into()).collect()));
        type Case<'a> = (
            &'a str,
            &'a str,
            &'a [(&'static str, &'static str)],
            &'a Standing,
            Result<Route, Code>,
        );
        let cases: [Case<'_>; 17] = [
            ("nothing named", VERSION, &[], &control_plane(), Ok(Route::Local)),
            ("one", VERSION, &[("node", "10.5.0.3")], &control_plane(), one("10.5.0.3")),
            (
                "itself, over the network",
                VERSION,
                &[("node", "10.5.0.2")],
                &control_plane(),
                one("10.5.0.2"),
            ),
            ("resources of one", GET, &[("node", "w")], &control_plane(), one("w")),
            (
                "two under node",
                VERSION,
                &[("node", "a"), ("node", "b")],
                &control_plane(),
                Err(Code::InvalidArgument),
            ),
            ("empty node", VERSION, &[("node", "")], &control_plane(), Err(Code::InvalidArgument)),
            (
                "many",
                VERSION,
                &[("nodes", "a"), ("nodes", "b")],
                &control_plane(),
                many(&["a", "b"]),
            ),
            ("many of one", VERSION, &[("nodes", "a")], &control_plane(), many(&["a"])),
            (
                "nodes wins",
                VERSION,
                &[("node", "x"), ("nodes", "a")],
                &control_plane(),
                many(&["a"]),
            ),
            (
                "resources of many",
                GET,
                &[("nodes", "a")],
                &control_plane(),
                Err(Code::InvalidArgument),
            ),
            (
                "already proxied",
                VERSION,
                &[("node", "x"), ("proxyfrom", "y")],
                &control_plane(),
                Ok(Route::Local),
            ),
            (
                "maintenance ignores names",
                VERSION,
                &[("nodes", "x")],
                &maintenance,
                Ok(Route::Local),
            ),
            (
                "worker does not forward",
                VERSION,
                &[("node", "10.5.0.9")],
                &worker,
                Err(Code::PermissionDenied),
            ),
            ("worker by address", VERSION, &[("node", "10.5.0.2")], &worker, Ok(Route::Local)),
            (
                "worker by long address",
                VERSION,
                &[("node", "fd00:0:0::2")],
                &worker,
                Ok(Route::Local),
            ),
            (
                "worker by name",
                VERSION,
                &[("nodes", "CP-1.example.org")],
                &worker,
                Ok(Route::Local),
            ),
            (
                "worker and another",
                VERSION,
                &[("nodes", "cp-1"), ("nodes", "x")],
                &worker,
                Err(Code::PermissionDenied),
            ),
        ];
        for (name, path, pairs, standing, expected) in cases {
            let decided = route(path, &metadata(pairs), standing).map_err(|status| status.code());
            assert_eq!(decided, expected, "{name}");
        }
    }
}
