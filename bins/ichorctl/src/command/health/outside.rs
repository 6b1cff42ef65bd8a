//! `health --server=false`: the checks of the node's own health service, made from here.

use std::{net::IpAddr, time::Duration};

use anyhow::{Context, bail};
use api::cluster::ClusterInfo;
use api::cosi::resource::{GetRequest, Resource};
use client::{CallError, Named, Node};
use futures::StreamExt;
use resource::{Spec, cluster::MemberSpec, k8s::KubeletConfigSpec, secrets::EtcdRootSpec};
use server::health::{self, Cluster, Facts, Nodes, Remote, Vantage};
use tonic::{Code, Status};

use crate::command::{get, kubeconfig};

/// This program, with the client configuration's endpoint before it.
struct Outside {
    node: Node,
    facts: Facts,
    members: Nodes,
}

impl Vantage for Outside {
    fn remote(&self, node: IpAddr) -> Result<Remote, Status> {
        Ok(Remote::new(self.node.sibling(&node.to_string()).channel()))
    }

    fn facts(&self) -> Facts {
        self.facts
    }

    fn members(&self) -> Nodes {
        self.members.clone()
    }
}

/// Checks until the cluster is well or the time is over.
pub(super) async fn check(
    node: &Node,
    wait: Duration,
    asked: &ClusterInfo,
    mut tell: impl FnMut(&str),
) -> anyhow::Result<()> {
    let asked_nodes = Nodes {
        control_plane: addresses(&asked.control_plane_nodes)?,
        workers: addresses(&asked.worker_nodes)?,
    };
    let members =
        get::list(node, MemberSpec::DEFINITION.namespace, MemberSpec::DEFINITION.type_name).await?;
    let members: Vec<MemberSpec> = members.iter().map(decode).collect::<anyhow::Result<_>>()?;
    let etcd: Option<EtcdRootSpec> = one(node, "etcd").await?;
    let version = node.machine().version(()).await.named(node, "MachineService/Version")?;
    let mode = version.messages.into_iter().find_map(|one| one.platform).unwrap_or_default().mode;
    let facts = Facts {
        has_etcd: etcd.is_some_and(|root| !root.etcd_ca.crt.0.is_empty()),
        has_kubelet: one::<KubeletConfigSpec>(node, "kubelet").await?.is_some(),
        in_container: mode == "container",
    };
    let endpoint = Some(asked.force_endpoint.as_str()).filter(|text| !text.is_empty());
    let kubernetes = match kubeconfig::open(node, endpoint).await {
        Ok(client) => Some(client),
        // The configuration has no Kubernetes.
        Err(error) if is_without(&error) => None,
        Err(error) => return Err(error),
    };
    let vantage = Outside { node: node.clone(), facts, members: Nodes::of_members(&members) };
    let mut progress = health::check(Cluster::new(vantage, kubernetes, asked_nodes), wait);
    while let Some(said) = progress.next().await {
        match said {
            Ok(message) => tell(&message),
            Err(status) => bail!("{}", status.message()),
        }
    }
    Ok(())
}

fn is_without(error: &anyhow::Error) -> bool {
    error.downcast_ref::<CallError>().is_some_and(|error| error.code() == Code::FailedPrecondition)
}

fn addresses(names: &[String]) -> anyhow::Result<Vec<IpAddr>> {
    let parsed = names
        .iter()
        .map(|name| name.parse().with_context(|| format!("{name:?} is not the address of a node")));
    parsed.collect()
}

/// One resource of the node, where it exists.
async fn one<S: Spec>(node: &Node, id: &str) -> anyhow::Result<Option<S>> {
    let request = GetRequest {
        namespace: S::DEFINITION.namespace.to_owned(),
        r#type: S::DEFINITION.type_name.to_owned(),
        id: id.to_owned(),
        options: None,
    };
    match node.state().get(request).await.named(node, "State/Get") {
        Ok(answer) => answer.resource.as_ref().map(decode).transpose(),
        Err(error) if error.code() == Code::NotFound => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn decode<S: Spec>(resource: &Resource) -> anyhow::Result<S> {
    let spec = resource.spec.clone().unwrap_or_default().proto_spec;
    S::decode(&spec).with_context(|| format!("reading {}", S::DEFINITION.type_name))
}
