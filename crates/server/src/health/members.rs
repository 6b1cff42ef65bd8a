//! Who belongs to the cluster, and the ways to ask each of them.
//!
//! Other nodes are asked through this node's own apid, with a certificate that holds the caller's roles and no more.
//! Must never: lend the caller roles it does not have.

use std::{
    collections::BTreeSet,
    net::IpAddr,
    sync::Arc,
    task::{Context, Poll},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use api::{
    cluster::ClusterInfo, cosi::resource::state_client::StateClient,
    machine::machine_service_client::MachineServiceClient,
};
use futures::future::BoxFuture;
use http::{HeaderValue, Request, Response, Uri};
use hyper::body::Incoming;
use kubernetes::{Access, Client, Kind};
use pki::{Authority, Leaf, System, Validity};
use resource::{
    cluster::MemberSpec,
    enums::MachineType,
    secrets::{KubernetesRootSpec, OSRootSpec},
};
use tonic::{Status, body::Body};

use super::check::internal_addresses;
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
pub(super) struct Remote {
    apid: Arc<Backend>,
    node: HeaderValue,
}

impl Remote {
    pub(super) fn machine(&self) -> MachineServiceClient<Self> {
        MachineServiceClient::with_origin(self.clone(), Uri::from_static("https://apid"))
    }

    pub(super) fn state(&self) -> StateClient<Self> {
        StateClient::with_origin(self.clone(), Uri::from_static("https://apid"))
    }
}

impl tower::Service<Request<Body>> for Remote {
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

/// The nodes of a cluster by address.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Nodes {
    pub(super) control_plane: Vec<IpAddr>,
    pub(super) workers: Vec<IpAddr>,
}

impl Nodes {
    pub(super) fn all(&self) -> impl Iterator<Item = IpAddr> {
        self.control_plane.iter().chain(&self.workers).copied()
    }
}

/// The cluster from the inside of one of its nodes.
pub(super) struct Cluster {
    pub(super) node: Arc<Node>,
    apid: Arc<Backend>,
    /// Nothing where the configuration has no Kubernetes.
    pub(super) kubernetes: Option<Client>,
    asked: Nodes,
}

impl Cluster {
    pub(super) fn open(
        node: Arc<Node>,
        port: u16,
        roles: &Roles,
        asked: &ClusterInfo,
    ) -> Result<Self, Status> {
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
        Ok(Self { node, apid, kubernetes, asked: asked_nodes })
    }

    pub(super) fn remote(&self, address: IpAddr) -> Result<Remote, Status> {
        let node = HeaderValue::from_str(&address.to_string())
            .map_err(|error| Status::internal(error.to_string()))?;
        Ok(Remote { apid: self.apid.clone(), node })
    }

    /// The nodes: those asked for, else those discovered, else those of Kubernetes.
    /// Until they are known, `waiting` is told what it takes.
    pub(super) async fn nodes(&self, waiting: impl Fn(String)) -> Result<Nodes, Status> {
        if self.asked != Nodes::default() {
            return Ok(self.asked.clone());
        }
        let discovered = members(&self.node.store.list::<MemberSpec>("cluster"));
        if discovered != Nodes::default() {
            return Ok(discovered);
        }
        let Some(kubernetes) = &self.kubernetes else {
            return Err(Status::failed_precondition(
                "the nodes of the cluster are not known: name them in the request",
            ));
        };
        loop {
            match kubernetes.list(Kind::core("Node"), "", "").await {
                Ok((nodes, _)) if !nodes.is_empty() => return Ok(from_kubernetes(&nodes)),
                // The API server may not be up yet; there is nobody else to ask.
                Ok(_) => waiting("Kubernetes has no nodes yet".to_owned()),
                Err(error) => waiting(chain(&error)),
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    }
}

fn members(members: &[resource::Resource<MemberSpec>]) -> Nodes {
    let mut nodes = Nodes::default();
    for member in members {
        let Some(address) = member.spec.addresses.iter().find_map(|address| address.0) else {
            continue;
        };
        if member.spec.machine_type == MachineType::WORKER {
            nodes.workers.push(address);
        } else {
            nodes.control_plane.push(address);
        }
    }
    nodes
}

fn from_kubernetes(objects: &[serde_json::Value]) -> Nodes {
    let mut nodes = Nodes::default();
    for object in objects {
        let labels = &object["metadata"]["labels"];
        let Some(address) = internal_addresses(object).next() else { continue };
        if labels["node-role.kubernetes.io/control-plane"].is_null() {
            nodes.workers.push(address);
        } else {
            nodes.control_plane.push(address);
        }
    }
    nodes
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
