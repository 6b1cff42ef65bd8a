//! The cluster from the inside of one of its nodes.
//!
//! Other nodes are asked through this node's own apid, with a certificate that holds the caller's roles and no more.
//! Must never: lend the caller roles it does not have.

use std::{
    collections::BTreeSet,
    net::IpAddr,
    sync::Arc,
    task::{Context, Poll},
    time::{SystemTime, UNIX_EPOCH},
};

use api::cluster::ClusterInfo;
use futures::future::BoxFuture;
use http::{HeaderValue, Request, Response};
use hyper::body::Incoming;
use kubernetes::{Access, Client};
use pki::{Authority, Leaf, System, Validity};
use resource::{
    cluster::MemberSpec,
    k8s::KubeletConfigSpec,
    secrets::{EtcdRootSpec, KubernetesRootSpec, OSRootSpec},
};
use tonic::{Status, body::Body};

use super::vantage::{Cluster, Facts, Nodes, Remote, Vantage};
use crate::{
    apid::{
        backend::{Backend, Backends},
        director::NODE,
    },
    cause::chain,
    machine::{Node, kubeconfig_identity},
    role::Roles,
    tls::{self, PemIdentity},
};

/// How long the certificate serves that the checks are made with.
const LIFE: i64 = 600;

/// One node, asked through this node's apid.
#[derive(Clone)]
struct Through {
    apid: Arc<Backend>,
    node: HeaderValue,
}

impl tower::Service<Request<Body>> for Through {
    type Response = Response<Incoming>;
    type Error = Status;
    type Future = BoxFuture<'static, Result<Self::Response, Status>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Status>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        request.headers_mut().insert(NODE, self.node.clone());
        let apid = self.apid.clone();
        Box::pin(async move { apid.call(request).await })
    }
}

/// The inside of one of the cluster's nodes.
struct Inside {
    node: Arc<Node>,
    apid: Arc<Backend>,
}

impl Vantage for Inside {
    fn remote(&self, node: IpAddr) -> Result<Remote, Status> {
        let node = HeaderValue::from_str(&node.to_string())
            .map_err(|error| Status::internal(error.to_string()))?;
        Ok(Remote::new(Through { apid: self.apid.clone(), node }))
    }

    fn facts(&self) -> Facts {
        let store = &self.node.store;
        let etcd = store.get::<EtcdRootSpec>("secrets", "etcd");
        Facts {
            has_etcd: etcd.is_some_and(|root| !root.spec.etcd_ca.crt.0.is_empty()),
            has_kubelet: store.get::<KubeletConfigSpec>("k8s", "kubelet").is_some(),
            in_container: self.node.platform.in_container(),
        }
    }

    fn members(&self) -> Nodes {
        let members = self.node.store.list::<MemberSpec>("cluster");
        Nodes::of_members(members.iter().map(|member| &**member.spec))
    }
}

/// The cluster as this node sees it, asked with the caller's roles.
pub(super) fn open(
    node: Arc<Node>,
    port: u16,
    roles: &Roles,
    asked: &ClusterInfo,
) -> Result<Cluster, Status> {
    let addresses = |names: &[String]| -> Result<Vec<IpAddr>, Status> {
        names
            .iter()
            .map(|name| {
                name.parse().map_err(|_| {
                    Status::invalid_argument(format!("{name:?} is not the address of a node"))
                })
            })
            .collect()
    };
    let asked_nodes = Nodes {
        control_plane: addresses(&asked.control_plane_nodes)?,
        workers: addresses(&asked.worker_nodes)?,
    };
    let apid = apid(&node, port, roles)?;
    let kubernetes = kubernetes(&node, &asked.force_endpoint)?;
    Ok(Cluster::new(Inside { node, apid }, kubernetes, asked_nodes))
}

fn apid(node: &Node, port: u16, roles: &Roles) -> Result<Arc<Backend>, Status> {
    let root = node
        .store
        .get::<OSRootSpec>("secrets", "os")
        .ok_or_else(|| Status::failed_precondition("this node has no API authority yet"))?;
    let text = |bytes: &'_ [u8]| String::from_utf8_lossy(bytes).into_owned();
    let internal = |error: &dyn std::error::Error| {
        Status::internal(format!("issuing a certificate for the checks: {error}"))
    };
    let issuing = &root.spec.issuing_ca;
    let authority = Authority::from_pem(&text(&issuing.crt.0), &text(&issuing.key.0))
        .map_err(|error| internal(&error))?;
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let now = i64::try_from(since.as_secs()).unwrap_or(i64::MAX);
    let roles: Vec<String> = roles.names().map(str::to_owned).collect();
    let identity = authority
        .issue(&Leaf::client(&roles, Validity::starting(now, LIFE)), &mut System)
        .map_err(|error| internal(&error))?;
    let own = PemIdentity {
        certificate: identity.certificate_pem(),
        key: identity.key_pem().map_err(|error| internal(&error))?,
    };
    let accepted: BTreeSet<String> = root
        .spec
        .accepted_cas
        .iter()
        .map(|authority| text(&authority.crt.0))
        .chain([authority.certificate_pem()])
        .collect();
    let accepted: Vec<&str> = accepted.iter().map(|pem| pem.trim_end()).collect();
    let tls = tls::client(Some(&own), &accepted.join("\n"))
        .map_err(|error| Status::internal(chain(&error)))?;
    let backends = Backends::new(std::path::PathBuf::new(), port);
    backends.present(Some(tls));
    Ok(backends.remote("127.0.0.1"))
}

fn kubernetes(node: &Node, endpoint: &str) -> Result<Option<Client>, Status> {
    let identity = match kubeconfig_identity(node) {
        Ok(identity) => identity,
        Err(status) if status.code() == tonic::Code::FailedPrecondition => return Ok(None),
        Err(status) => return Err(status),
    };
    let root = node.store.get::<KubernetesRootSpec>("secrets", "k8s");
    let local = root.map(|root| root.spec.local_endpoint.to_string()).unwrap_or_default();
    let server = [endpoint, &local, "https://127.0.0.1:6443"]
        .into_iter()
        .find(|server| !server.is_empty())
        .unwrap_or_default()
        .to_owned();
    let access = Access {
        server,
        tls_server_name: None,
        authority: identity.authority,
        identity: Some((identity.certificate, identity.key)),
        token: None,
    };
    let client = Client::new(&access);
    client.map(Some).map_err(|error| Status::internal(chain(&error)))
}
