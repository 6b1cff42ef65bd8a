//! From where a cluster is looked at: the ways to its nodes and to Kubernetes, and who belongs to it.
//!
//! Must never: decide what healthy means.

use std::{
    net::IpAddr,
    task::{Context, Poll},
    time::Duration,
};

use api::{
    cosi::resource::state_client::StateClient,
    machine::machine_service_client::MachineServiceClient,
};
use futures::future::BoxFuture;
use http::{Request, Response, Uri};
use hyper::body::Incoming;
use kubernetes::{Client, Kind};
use resource::{cluster::MemberSpec, enums::MachineType};
use tonic::{Status, body::Body};
use tower::util::BoxCloneSyncService;

use super::check::{CONTROL_PLANE, internal_addresses};
use crate::cause::chain;

/// One node, asked on some way.
#[derive(Clone)]
pub struct Remote(BoxCloneSyncService<Request<Body>, Response<Incoming>, Status>);

impl Remote {
    /// The node behind a channel.
    pub fn new<S>(channel: S) -> Self
    where
        S: tower::Service<Request<Body>, Response = Response<Incoming>, Error = Status>
            + Clone
            + Send
            + Sync
            + 'static,
        S::Future: Send + 'static,
    {
        Self(BoxCloneSyncService::new(channel))
    }

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

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Status>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        self.0.call(request)
    }
}

/// The nodes of a cluster by address.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Nodes {
    /// Those of the control plane.
    pub control_plane: Vec<IpAddr>,
    /// The others.
    pub workers: Vec<IpAddr>,
}

impl Nodes {
    pub(super) fn all(&self) -> impl Iterator<Item = IpAddr> {
        self.control_plane.iter().chain(&self.workers).copied()
    }

    /// The members that discovery has found; an address for each that has one.
    pub fn of_members<'a>(members: impl IntoIterator<Item = &'a MemberSpec>) -> Self {
        let mut nodes = Self::default();
        for member in members {
            let Some(address) = member.addresses.iter().find_map(|address| address.0) else {
                continue;
            };
            if member.machine_type == MachineType::WORKER {
                nodes.workers.push(address);
            } else {
                nodes.control_plane.push(address);
            }
        }
        nodes
    }
}

/// What decides which checks apply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Facts {
    /// The configuration has an authority for etcd.
    pub has_etcd: bool,
    /// The configuration has a kubelet.
    pub has_kubelet: bool,
    /// The nodes are containers: their memory and disks are their host's.
    pub in_container: bool,
}

/// A place from which the nodes of a cluster can be asked.
pub trait Vantage: Send + Sync + 'static {
    /// The way to a node.
    ///
    /// # Errors
    /// When there is none.
    fn remote(&self, node: IpAddr) -> Result<Remote, Status>;
    /// What decides which checks apply, as of now.
    fn facts(&self) -> Facts;
    /// The nodes that discovery knows, as of now.
    fn members(&self) -> Nodes;
}

/// A cluster that is looked at.
pub struct Cluster {
    vantage: Box<dyn Vantage>,
    /// Nothing where the configuration has no Kubernetes.
    pub(super) kubernetes: Option<Client>,
    asked: Nodes,
}

impl Cluster {
    /// The cluster as seen from somewhere; nothing for `kubernetes` where the configuration has none. The nodes `asked`
    /// for are expected, or else those that are discovered.
    pub fn new(vantage: impl Vantage, kubernetes: Option<Client>, asked: Nodes) -> Self {
        Self { vantage: Box::new(vantage), kubernetes, asked }
    }

    pub(super) fn remote(&self, address: IpAddr) -> Result<Remote, Status> {
        self.vantage.remote(address)
    }

    pub(super) fn facts(&self) -> Facts {
        self.vantage.facts()
    }

    /// The nodes as far as they are known now: those asked for, else those discovered, else those of Kubernetes.
    ///
    /// # Errors
    /// When nobody can know them.
    pub(super) async fn known(&self) -> Result<Known, Status> {
        if self.asked != Nodes::default() {
            return Ok(Known::Nodes(self.asked.clone()));
        }
        let discovered = self.vantage.members();
        if discovered != Nodes::default() {
            return Ok(Known::Nodes(discovered));
        }
        let Some(kubernetes) = &self.kubernetes else {
            return Err(Status::failed_precondition(
                "the nodes of the cluster are not known: name them in the request",
            ));
        };
        Ok(match kubernetes.list(Kind::core("Node"), "", "").await {
            Ok((objects, _)) => from_kubernetes(&objects),
            // The API server may not be up yet; there is nobody else to ask.
            Err(error) => Known::NotYet(chain(&error)),
        })
    }

    /// The nodes; until they are known, `waiting` is told what it takes.
    pub(super) async fn nodes(&self, waiting: impl Fn(String)) -> Result<Nodes, Status> {
        loop {
            match self.known().await? {
                Known::Nodes(nodes) => return Ok(nodes),
                Known::NotYet(what) => waiting(what),
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    }
}

/// What is known of who belongs to the cluster.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Known {
    /// These do.
    Nodes(Nodes),
    /// Not enough, and why.
    NotYet(String),
}

/// A node registers itself first and gets the label of a control plane afterwards: as long as no node has it, nothing
/// can be said of any.
fn from_kubernetes(objects: &[serde_json::Value]) -> Known {
    let mut nodes = Nodes::default();
    for object in objects {
        let labels = &object["metadata"]["labels"];
        let Some(address) = internal_addresses(object).next() else { continue };
        if labels[CONTROL_PLANE].is_null() {
            nodes.workers.push(address);
        } else {
            nodes.control_plane.push(address);
        }
    }
    if !nodes.control_plane.is_empty() {
        Known::Nodes(nodes)
    } else if objects.is_empty() {
        Known::NotYet("Kubernetes has no nodes yet".to_owned())
    } else {
        Known::NotYet(
            "no node of Kubernetes with an address is labelled as control plane yet".to_owned(),
        )
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn node(last: u8, labels: &Value) -> Value {
        json!({
            "metadata": {"labels": labels},
            "status": {"addresses": [{"type": "InternalIP", "address": format!("10.5.0.{last}")}]},
        })
    }

    #[test]
    fn nodes_are_known_once_one_is_labelled_as_control_plane() {
        assert_eq!(from_kubernetes(&[]), Known::NotYet("Kubernetes has no nodes yet".to_owned()));
        let fresh = from_kubernetes(&[node(2, &json!({})), node(3, &json!({}))]);
        assert!(matches!(fresh, Known::NotYet(_)), "{fresh:?}");
        let both = from_kubernetes(&[node(2, &json!({CONTROL_PLANE: ""})), node(3, &json!({}))]);
        let expected = Nodes {
            control_plane: vec![[10, 5, 0, 2].into()],
            workers: vec![[10, 5, 0, 3].into()],
        };
        assert_eq!(both, Known::Nodes(expected));
    }
}
