//! What the nodes and Kubernetes say, fetched for one check at a time.
//!
//! Must never: decide; what was seen goes to [`super::check`].

use std::net::IpAddr;

use api::{
    cosi::resource::{GetRequest, ListRequest},
    machine::EtcdMemberListRequest,
};
use futures::future::{join_all, try_join_all};
use kubernetes::{ApiError, Client, Kind};
use resource::{Spec, block::VolumeStatusSpec, k8s::StaticPodStatusSpec, runtime::DiagnosticSpec};
use serde_json::Value;
use tonic::Status;

use super::{
    check::{self, Check, On, Verdict},
    vantage::{Cluster, Nodes, Remote},
};
use crate::cause::chain;

const DAEMON_SET: Kind<'static> = Kind { api_version: "apps/v1", kind: "DaemonSet" };
const DEPLOYMENT: Kind<'static> = Kind { api_version: "apps/v1", kind: "Deployment" };

/// Looks at the cluster.
pub(super) struct Look<'a> {
    cluster: &'a Cluster,
    nodes: &'a Nodes,
}

/// A check that could not be made is one that waits, and says why.
fn waiting(status: &Status) -> Verdict {
    Verdict::Waiting(status.message().to_owned())
}

fn unanswered(error: &ApiError) -> Verdict {
    Verdict::Waiting(chain(error))
}

impl<'a> Look<'a> {
    pub(super) fn new(cluster: &'a Cluster, nodes: &'a Nodes) -> Self {
        Self { cluster, nodes }
    }

    /// Makes one check.
    pub(super) async fn at(&self, check: Check) -> Verdict {
        match check {
            Check::EtcdHealthy
            | Check::EtcdConsistent
            | Check::EtcdControlPlane
            | Check::ApidReady
            | Check::MemorySizes
            | Check::DiskSizes
            | Check::NoDiagnostics
            | Check::KubeletHealthy
            | Check::BootDone
            | Check::StaticPods => {
                self.machines(check).await.unwrap_or_else(|status| waiting(&status))
            }
            Check::NodesReport
            | Check::Components
            | Check::NodesReady
            | Check::KubeProxy
            | Check::CoreDns
            | Check::Schedulable => match &self.cluster.kubernetes {
                None => Verdict::Skipped,
                Some(client) => {
                    self.kubernetes(check, client).await.unwrap_or_else(|error| unanswered(&error))
                }
            },
        }
    }

    async fn machines(&self, check: Check) -> Result<Verdict, Status> {
        let facts = self.cluster.facts();
        Ok(match check {
            Check::EtcdHealthy | Check::EtcdConsistent | Check::EtcdControlPlane
                if !facts.has_etcd =>
            {
                Verdict::Skipped
            }
            Check::EtcdHealthy => check::service("etcd", &self.services().await?),
            Check::EtcdConsistent => check::consistent(&self.on_control_plane(members).await?),
            Check::EtcdControlPlane => {
                let seen = self.on_control_plane(members).await?;
                let first = seen.into_iter().next().map(|(_, members)| members);
                check::members_are_nodes(&first.unwrap_or_default(), &self.nodes.control_plane)
            }
            Check::ApidReady => {
                let answers = join_all(self.nodes.all().map(async |node| {
                    let remote = self.cluster.remote(node)?;
                    remote.machine().version(()).await.map(drop)
                }))
                .await;
                let amiss = self.nodes.all().zip(answers).filter_map(|(node, answer)| {
                    answer.err().map(|status| format!("{node}: {}", status.message()))
                });
                Verdict::without(amiss.collect())
            }
            // The memory and disks of a container are its host's.
            Check::MemorySizes | Check::DiskSizes if facts.in_container => Verdict::Skipped,
            Check::MemorySizes => check::memory(&self.memory().await?),
            Check::DiskSizes => {
                let seen: Vec<On<Option<VolumeStatusSpec>>> =
                    self.resource("EPHEMERAL", self.nodes.all().collect()).await?;
                let sizes = seen.into_iter().map(|(node, volume)| {
                    (node, volume.map(|volume| volume.size).filter(|size| *size > 0))
                });
                check::disks(&sizes.collect::<Vec<_>>())
            }
            Check::NoDiagnostics => {
                let seen: Vec<On<Vec<(String, DiagnosticSpec)>>> =
                    self.resources(self.nodes.all().collect()).await?;
                let amiss = seen.iter().flat_map(|(node, all)| {
                    all.iter().map(move |(_, one)| format!("{node}: {}", one.message))
                });
                Verdict::without(amiss.collect())
            }
            Check::KubeletHealthy if !facts.has_kubelet => Verdict::Skipped,
            Check::KubeletHealthy => check::service("kubelet", &self.services().await?),
            Check::BootDone => {
                check::booted(&self.resource("machine", self.nodes.all().collect()).await?)
            }
            Check::StaticPods if self.cluster.kubernetes.is_none() => Verdict::Skipped,
            _ => {
                let seen: Vec<On<Vec<(String, StaticPodStatusSpec)>>> =
                    self.resources(self.nodes.control_plane.clone()).await?;
                let seen = seen.into_iter().map(|(node, pods)| {
                    (node, pods.into_iter().map(|(id, pod)| (id, json(pod))).collect())
                });
                check::static_pods(&seen.collect::<Vec<_>>())
            }
        })
    }

    async fn on_control_plane<T>(
        &self,
        ask: impl AsyncFn(Remote) -> Result<T, Status>,
    ) -> Result<Vec<On<T>>, Status> {
        try_join_all(self.nodes.control_plane.iter().map(async |node| {
            let seen = ask(self.cluster.remote(*node)?).await;
            seen.map(|seen| (*node, seen)).map_err(|status| at(*node, &status))
        }))
        .await
    }

    async fn services(&self) -> Result<Vec<On<Vec<api::machine::ServiceInfo>>>, Status> {
        self.on_control_plane(async |remote| {
            let reply = remote.machine().service_list(()).await?.into_inner();
            Ok(reply.messages.into_iter().flat_map(|list| list.services).collect())
        })
        .await
    }

    async fn memory(&self) -> Result<Vec<On<(u64, bool)>>, Status> {
        try_join_all(self.nodes.all().map(async |node| {
            let mut machine = self.cluster.remote(node)?.machine();
            let reply = machine.memory(()).await.map_err(|status| at(node, &status))?;
            let info = reply.into_inner().messages.into_iter().find_map(|one| one.meminfo);
            let bytes = info.unwrap_or_default().memtotal.saturating_mul(1024);
            Ok((node, (bytes, self.nodes.control_plane.contains(&node))))
        }))
        .await
    }

    /// One resource of each node, where it exists.
    async fn resource<S: Spec>(
        &self,
        id: &str,
        nodes: Vec<IpAddr>,
    ) -> Result<Vec<On<Option<S>>>, Status> {
        try_join_all(nodes.into_iter().map(async |node| {
            let request = GetRequest {
                namespace: S::DEFINITION.namespace.to_owned(),
                r#type: S::DEFINITION.type_name.to_owned(),
                id: id.to_owned(),
                options: None,
            };
            match self.cluster.remote(node)?.state().get(request).await {
                Ok(reply) => Ok((node, reply.into_inner().resource.map(decode).transpose()?)),
                Err(status) if status.code() == tonic::Code::NotFound => Ok((node, None)),
                Err(status) => Err(at(node, &status)),
            }
        }))
        .await
    }

    /// All resources of a type on each node, by id.
    async fn resources<S: Spec>(
        &self,
        nodes: Vec<IpAddr>,
    ) -> Result<Vec<On<Vec<(String, S)>>>, Status> {
        try_join_all(nodes.into_iter().map(async |node| {
            let request = ListRequest {
                namespace: S::DEFINITION.namespace.to_owned(),
                r#type: S::DEFINITION.type_name.to_owned(),
                options: None,
            };
            let mut state = self.cluster.remote(node)?.state();
            let mut stream =
                state.list(request).await.map_err(|status| at(node, &status))?.into_inner();
            let mut all = Vec::new();
            while let Some(reply) = stream.message().await.map_err(|status| at(node, &status))? {
                let Some(resource) = reply.resource else { continue };
                let id = resource.metadata.clone().unwrap_or_default().id;
                all.push((id, decode(resource)?));
            }
            Ok((node, all))
        }))
        .await
    }

    async fn kubernetes(&self, check: Check, client: &Client) -> Result<Verdict, ApiError> {
        let nodes = async || client.list(Kind::core("Node"), "", "").await.map(|(nodes, _)| nodes);
        Ok(match check {
            Check::NodesReport => {
                let expected: Vec<IpAddr> = self.nodes.all().collect();
                check::nodes_report(&nodes().await?, &expected)
            }
            Check::Components => {
                let (pods, _) = client.list(Kind::core("Pod"), "kube-system", "").await?;
                check::components(&nodes().await?, &pods, &self.nodes.control_plane)
            }
            Check::NodesReady => check::nodes_ready(&nodes().await?),
            Check::KubeProxy => {
                let set = client.object(DAEMON_SET, "kube-system", "kube-proxy").await?;
                check::daemon_set(set.as_ref())
            }
            Check::CoreDns => {
                let set = client.object(DEPLOYMENT, "kube-system", "coredns").await?;
                check::deployment(set.as_ref())
            }
            _ => check::schedulable(&nodes().await?),
        })
    }
}

async fn members(remote: Remote) -> Result<Vec<api::machine::EtcdMember>, Status> {
    let request = EtcdMemberListRequest { query_local: true };
    let reply = remote.machine().etcd_member_list(request).await?.into_inner();
    Ok(reply.messages.into_iter().flat_map(|list| list.members).collect())
}

fn at(node: IpAddr, status: &Status) -> Status {
    Status::new(status.code(), format!("{node}: {}", status.message()))
}

fn decode<S: Spec>(resource: api::cosi::resource::Resource) -> Result<S, Status> {
    let spec = resource.spec.unwrap_or_default().proto_spec;
    S::decode(&spec)
        .map_err(|error| Status::data_loss(format!("reading {}: {error}", S::DEFINITION.type_name)))
}

/// The status of a pod in the form of Kubernetes objects.
fn json(pod: StaticPodStatusSpec) -> Value {
    fn value(of: &yaml::Value) -> Value {
        match of {
            yaml::Value::Null => Value::Null,
            yaml::Value::Bool(flag) => (*flag).into(),
            yaml::Value::Int(number) => (*number).into(),
            yaml::Value::Uint(number) => (*number).into(),
            yaml::Value::Float(number) => (*number).into(),
            yaml::Value::String(text) | yaml::Value::Plain(text) => text.as_str().into(),
            yaml::Value::Seq(items) => items.iter().map(value).collect(),
            yaml::Value::Map(entries) => {
                entries.iter().map(|(key, item)| (key.clone(), value(item))).collect()
            }
        }
    }
    pod.podstatus.0.iter().map(|(key, item)| (key.clone(), value(item))).collect()
}
