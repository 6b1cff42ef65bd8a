//! Containers on the node, asked of containerd.
//!
//! Must never: keep anything; each answer is containerd's of the moment.

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use api::{
    common::ContainerDriver,
    machine::{ContainerInfo, ContainersRequest, RestartRequest, Stat, StatsRequest},
};
use containers::{Containerd, ContainersError, Cri, PodSandbox, TaskState};
use tonic::Status;

use super::Node;
use crate::cause::chain;

const PODS: &str = "k8s.io";
const SYSTEM: &str = "system";
/// How long a container that is restarted has to end by itself.
const GRACE: Duration = Duration::from_secs(10);

fn failed(error: ContainersError) -> Status {
    let text = chain(&error);
    Status::new(error.code(), text)
}

/// What a request is about.
enum Kind {
    /// Containers of pods, as Kubernetes knows them.
    Pods,
    /// Containers of one containerd namespace.
    Namespace(&'static str),
}

fn kind(namespace: &str, driver: ContainerDriver) -> Result<Kind, Status> {
    match (namespace, driver) {
        (PODS, ContainerDriver::Cri) => Ok(Kind::Pods),
        (_, ContainerDriver::Cri) => {
            Err(Status::invalid_argument("driver CRI has containers in namespace k8s.io only"))
        }
        (PODS, ContainerDriver::Containerd) => Ok(Kind::Namespace(PODS)),
        (SYSTEM | "", ContainerDriver::Containerd) => Ok(Kind::Namespace(SYSTEM)),
        (other, _) => Err(Status::invalid_argument(format!(
            "there is no namespace {other:?}: it is \"system\" or \"k8s.io\""
        ))),
    }
}

pub(super) async fn containers(
    node: &Node,
    request: &ContainersRequest,
) -> Result<Vec<ContainerInfo>, Status> {
    match kind(&request.namespace, request.driver())? {
        Kind::Pods => pods(&Cri::new(&node.places.cri)).await.map_err(failed),
        Kind::Namespace(namespace) => tasks(node, namespace).await,
    }
}

async fn pods(cri: &Cri) -> Result<Vec<ContainerInfo>, ContainersError> {
    let (sandboxes, running) = tokio::try_join!(cri.sandboxes(), cri.containers())?;
    let mut all = Vec::with_capacity(sandboxes.len() + running.len());
    for pod in &sandboxes {
        all.push(ContainerInfo {
            namespace: PODS.to_owned(),
            id: pod_name(pod),
            uid: pod.uid.clone(),
            internal_id: pod.id.clone(),
            image: String::new(),
            pid: cri.pid(&pod.id).await.ok().flatten().unwrap_or_default(),
            status: if pod.ready { "SANDBOX_READY" } else { "SANDBOX_NOTREADY" }.to_owned(),
            pod_id: pod_name(pod),
            name: pod.name.clone(),
            network_namespace: String::new(),
        });
        for container in running.iter().filter(|container| container.sandbox == pod.id) {
            all.push(ContainerInfo {
                namespace: PODS.to_owned(),
                id: container_name(pod, &container.name, &container.id),
                uid: pod.uid.clone(),
                internal_id: container.id.clone(),
                image: container.image.clone(),
                pid: if container.running {
                    cri.pid(&container.id).await.ok().flatten().unwrap_or_default()
                } else {
                    0
                },
                status: container.state.clone(),
                pod_id: pod_name(pod),
                name: container.name.clone(),
                network_namespace: String::new(),
            });
        }
    }
    Ok(all)
}

fn pod_name(pod: &PodSandbox) -> String {
    format!("{}/{}", pod.namespace, pod.name)
}

/// Names a container for people, with enough of its id to tell attempts apart.
fn container_name(pod: &PodSandbox, name: &str, id: &str) -> String {
    format!("{}:{name}:{}", pod_name(pod), id.get(..12).unwrap_or(id))
}

/// Tasks of a namespace; system containers may be in either containerd.
async fn tasks(node: &Node, namespace: &'static str) -> Result<Vec<ContainerInfo>, Status> {
    let sockets: &[&PathBuf] = if namespace == SYSTEM {
        &[&node.places.containerd, &node.places.cri]
    } else {
        &[&node.places.cri]
    };
    let mut all = Vec::new();
    let mut last = None;
    let mut reached = false;
    for socket in sockets {
        match Containerd::new(socket, namespace).list_tasks().await {
            Ok(tasks) => {
                reached = true;
                all.extend(tasks.into_iter().map(|task| {
                    ContainerInfo {
                        namespace: namespace.to_owned(),
                        uid: String::new(),
                        internal_id: task.id.clone(),
                        image: String::new(),
                        pid: task.pid,
                        status: match task.state {
                            TaskState::Created => "CREATED",
                            TaskState::Running => "RUNNING",
                            TaskState::Stopped => "STOPPED",
                            TaskState::Other => "UNKNOWN",
                        }
                        .to_owned(),
                        pod_id: task.id.clone(),
                        name: task.id.clone(),
                        id: task.id,
                        network_namespace: String::new(),
                    }
                }));
            }
            Err(error) => last = Some(error),
        }
    }
    match last {
        Some(error) if !reached => Err(failed(error)),
        _ => Ok(all),
    }
}

pub(super) async fn stats(node: &Node, request: &StatsRequest) -> Result<Vec<Stat>, Status> {
    match kind(&request.namespace, request.driver())? {
        Kind::Pods => {
            let cri = Cri::new(&node.places.cri);
            let (containers, usage) = tokio::try_join!(pods(&cri), cri.usage()).map_err(failed)?;
            let by_id: BTreeMap<_, _> =
                containers.iter().map(|info| (info.internal_id.as_str(), info)).collect();
            Ok(usage
                .iter()
                .filter_map(|(id, usage)| {
                    let info = by_id.get(id.as_str())?;
                    Some(Stat {
                        namespace: info.namespace.clone(),
                        id: info.id.clone(),
                        memory_usage: usage.memory,
                        cpu_usage: usage.cpu,
                        pod_id: info.pod_id.clone(),
                        name: info.name.clone(),
                    })
                })
                .collect())
        }
        Kind::Namespace(namespace) => {
            let kernel = node.kernel();
            let tasks = tasks(node, namespace).await?;
            let processes = tokio::task::spawn_blocking(move || kernel.processes())
                .await
                .map_err(|error| Status::internal(error.to_string()))?
                .map_err(|error| Status::internal(chain(&error)))?;
            Ok(tasks
                .into_iter()
                .map(|info| {
                    let process =
                        processes.iter().find(|process| process.pid.cast_unsigned() == info.pid);
                    let seconds = process.map_or(0.0, |process| process.cpu_time);
                    Stat {
                        namespace: info.namespace,
                        id: info.id,
                        memory_usage: process.map_or(0, |process| process.resident_memory),
                        cpu_usage: u64::try_from(
                            Duration::try_from_secs_f64(seconds).unwrap_or_default().as_nanos(),
                        )
                        .unwrap_or(u64::MAX),
                        pod_id: info.pod_id,
                        name: info.name,
                    }
                })
                .collect())
        }
    }
}

/// The runtime's id of a container of a pod, by any of the names that [`containers`] gives it.
async fn resolve(cri: &Cri, id: &str) -> Result<String, Status> {
    let known = pods(cri).await.map_err(failed)?;
    let found = known.iter().find(|info| info.id == id || info.internal_id == id);
    found.map(|info| info.internal_id.clone()).ok_or_else(|| {
        Status::not_found(format!(
            "there is no container {id:?} in namespace k8s.io: Containers lists those there are"
        ))
    })
}

pub(super) async fn log_path(node: &Node, id: &str) -> Result<PathBuf, Status> {
    let cri = Cri::new(&node.places.cri);
    let id = resolve(&cri, id).await?;
    cri.log_path(&id).await.map_err(failed)
}

pub(super) async fn restart(node: &Node, request: &RestartRequest) -> Result<(), Status> {
    match kind(&request.namespace, request.driver())? {
        Kind::Pods => {
            let cri = Cri::new(&node.places.cri);
            let id = resolve(&cri, &request.id).await?;
            cri.stop_container(&id, GRACE).await.map_err(failed)
        }
        Kind::Namespace(namespace) => {
            let socket = &node.places.cri;
            let containerd = Containerd::new(socket, namespace);
            containerd.stop(&request.id, GRACE).await.map(drop).map_err(failed)
        }
    }
}
