//! The Container Runtime Interface: pods and their containers as the kubelet made them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use api::cri::image_service_client::ImageServiceClient;
use api::cri::runtime_service_client::RuntimeServiceClient;
use api::cri::{
    ContainerState, ContainerStatusRequest, GetEventsRequest, ImageSpec, ImageStatusRequest,
    ListContainerStatsRequest, ListContainersRequest, ListPodSandboxRequest, PodSandboxState,
    PullImageRequest, RemovePodSandboxRequest, StopContainerRequest, StopPodSandboxRequest,
    VersionRequest,
};
use tonic::transport::Channel;

use crate::connection::{ContainersError, channel};
use crate::containerd::MESSAGE_LIMIT;

/// A client of the runtime's Kubernetes side. Clones share the connection.
#[derive(Clone, Debug)]
pub struct Cri {
    channel: Channel,
}

/// A pod's frame: its namespaces and its address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PodSandbox {
    /// The runtime's id.
    pub id: String,
    /// The pod's name.
    pub name: String,
    /// The pod's namespace.
    pub namespace: String,
    /// The pod's id in the API.
    pub uid: String,
    /// Whether it is up.
    pub ready: bool,
    /// When it was made, nanoseconds since 1970.
    pub created: i64,
    /// Labels.
    pub labels: BTreeMap<String, String>,
    /// Annotations.
    pub annotations: BTreeMap<String, String>,
}

/// A container of a pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunningContainer {
    /// The runtime's id.
    pub id: String,
    /// Its pod's frame.
    pub sandbox: String,
    /// Its name in the pod.
    pub name: String,
    /// How often it was started before.
    pub attempt: u32,
    /// Its image.
    pub image: String,
    /// Its state, in the words of the interface (`CONTAINER_RUNNING`).
    pub state: String,
    /// Whether it runs.
    pub running: bool,
    /// When it was made, nanoseconds since 1970.
    pub created: i64,
    /// Labels.
    pub labels: BTreeMap<String, String>,
}

/// What a container uses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// CPU time since its start, nanoseconds.
    pub cpu: u64,
    /// Memory it works with, bytes.
    pub memory: u64,
}

impl Cri {
    /// A client of the runtime behind `socket`. Connects at the first call.
    pub fn new(socket: &Path) -> Self {
        Self { channel: channel(socket) }
    }

    fn runtime(&self) -> RuntimeServiceClient<Channel> {
        RuntimeServiceClient::new(self.channel.clone()).max_decoding_message_size(MESSAGE_LIMIT)
    }

    fn images(&self) -> ImageServiceClient<Channel> {
        ImageServiceClient::new(self.channel.clone()).max_decoding_message_size(MESSAGE_LIMIT)
    }

    /// Name and version of the runtime.
    pub async fn version(&self) -> Result<(String, String), ContainersError> {
        let answer = self
            .runtime()
            .version(VersionRequest { version: "v1".to_owned() })
            .await
            .map_err(ContainersError::call("ask the container runtime for its version"))?
            .into_inner();
        Ok((answer.runtime_name, answer.runtime_version))
    }

    /// All pod frames.
    pub async fn sandboxes(&self) -> Result<Vec<PodSandbox>, ContainersError> {
        let answer = self
            .runtime()
            .list_pod_sandbox(ListPodSandboxRequest::default())
            .await
            .map_err(ContainersError::call("list pods"))?
            .into_inner();
        let sandbox = |item: api::cri::PodSandbox| {
            let metadata = item.metadata.unwrap_or_default();
            PodSandbox {
                id: item.id,
                name: metadata.name,
                namespace: metadata.namespace,
                uid: metadata.uid,
                ready: item.state == PodSandboxState::SandboxReady as i32,
                created: item.created_at,
                labels: item.labels,
                annotations: item.annotations,
            }
        };
        Ok(answer.items.into_iter().map(sandbox).collect())
    }

    /// All containers of pods.
    pub async fn containers(&self) -> Result<Vec<RunningContainer>, ContainersError> {
        let answer = self
            .runtime()
            .list_containers(ListContainersRequest::default())
            .await
            .map_err(ContainersError::call("list containers of pods"))?
            .into_inner();
        let container = |item: api::cri::Container| {
            let metadata = item.metadata.unwrap_or_default();
            let state =
                ContainerState::try_from(item.state).unwrap_or(ContainerState::ContainerUnknown);
            RunningContainer {
                id: item.id,
                sandbox: item.pod_sandbox_id,
                name: metadata.name,
                attempt: metadata.attempt,
                image: item.image.map(image_name).unwrap_or_default(),
                state: state.as_str_name().to_owned(),
                running: state == ContainerState::ContainerRunning,
                created: item.created_at,
                labels: item.labels,
            }
        };
        Ok(answer.containers.into_iter().map(container).collect())
    }

    /// The file that a container's output goes to.
    pub async fn log_path(&self, container: &str) -> Result<PathBuf, ContainersError> {
        let action = format!("look for the log of container {container}");
        let status = self
            .runtime()
            .container_status(ContainerStatusRequest {
                container_id: container.to_owned(),
                verbose: false,
            })
            .await
            .map_err(ContainersError::call(action.clone()))?
            .into_inner()
            .status
            .unwrap_or_default();
        if status.log_path.is_empty() {
            return Err(ContainersError::answer(action, "a log path"));
        }
        Ok(PathBuf::from(status.log_path))
    }

    /// The main process of a container; none when it does not run.
    pub async fn pid(&self, container: &str) -> Result<Option<u32>, ContainersError> {
        let answer = self
            .runtime()
            .container_status(ContainerStatusRequest {
                container_id: container.to_owned(),
                verbose: true,
            })
            .await
            .map_err(ContainersError::call(format!(
                "ask for the process of container {container}"
            )))?
            .into_inner();
        let pid = answer
            .info
            .get("info")
            .and_then(|info| serde_json::from_str::<serde_json::Value>(info).ok()?["pid"].as_u64());
        Ok(pid.and_then(|pid| u32::try_from(pid).ok()).filter(|pid| *pid != 0))
    }

    /// What each container uses, by its id.
    pub async fn usage(&self) -> Result<BTreeMap<String, Usage>, ContainersError> {
        let answer = self
            .runtime()
            .list_container_stats(ListContainerStatsRequest::default())
            .await
            .map_err(ContainersError::call("ask for the resource use of containers"))?
            .into_inner();
        let usage = |stats: api::cri::ContainerStats| {
            let cpu = stats.cpu.and_then(|cpu| cpu.usage_core_nano_seconds);
            let memory = stats.memory.and_then(|memory| memory.working_set_bytes);
            let usage = Usage {
                cpu: cpu.map_or(0, |value| value.value),
                memory: memory.map_or(0, |value| value.value),
            };
            (stats.attributes.unwrap_or_default().id, usage)
        };
        Ok(answer.stats.into_iter().map(usage).collect())
    }

    /// Waits until a container of this name in a pod of the namespace `kube-system` has started, for as long as it takes.
    ///
    /// A container that runs already counts.
    pub async fn started(&self, name: &str) -> Result<(), ContainersError> {
        let action = format!("wait for the start of container {name}");
        // First the subscription, then the look: a start between the two is not missed.
        let mut events = self
            .runtime()
            .get_container_events(GetEventsRequest {})
            .await
            .map_err(ContainersError::call(action.clone()))?
            .into_inner();
        loop {
            if self
                .containers()
                .await?
                .iter()
                .any(|container| container.running && container.name == name)
            {
                return Ok(());
            }
            let next = events.message().await.map_err(ContainersError::call(action.clone()))?;
            if next.is_none() {
                return Err(ContainersError::answer(
                    action,
                    "a further event: the runtime has gone",
                ));
            }
        }
    }

    /// Whether an image is in the store of pods.
    pub async fn has_image(&self, reference: &str) -> Result<bool, ContainersError> {
        let answer = self
            .images()
            .image_status(ImageStatusRequest { image: Some(image(reference)), verbose: false })
            .await
            .map_err(ContainersError::call(format!("look for image {reference}")))?
            .into_inner();
        Ok(answer.image.is_some())
    }

    /// Pulls an image into the store of pods, by the runtime's own rules about registries.
    pub async fn pull(&self, reference: &str) -> Result<(), ContainersError> {
        self.images()
            .pull_image(PullImageRequest {
                image: Some(image(reference)),
                ..PullImageRequest::default()
            })
            .await
            .map_err(ContainersError::call(format!("pull image {reference}")))?;
        Ok(())
    }

    /// Stops one container of a pod within `grace`.
    pub async fn stop_container(&self, id: &str, grace: Duration) -> Result<(), ContainersError> {
        let timeout = i64::try_from(grace.as_secs()).unwrap_or(i64::MAX);
        self.runtime()
            .stop_container(StopContainerRequest { container_id: id.to_owned(), timeout })
            .await
            .map_err(ContainersError::call(format!("stop container {id}")))?;
        Ok(())
    }

    /// Stops a pod's frame and whatever still runs in it.
    pub async fn stop_sandbox(&self, id: &str) -> Result<(), ContainersError> {
        self.runtime()
            .stop_pod_sandbox(StopPodSandboxRequest { pod_sandbox_id: id.to_owned() })
            .await
            .map_err(ContainersError::call(format!("stop pod {id}")))?;
        Ok(())
    }

    /// Removes a stopped pod's frame and its containers.
    pub async fn remove_sandbox(&self, id: &str) -> Result<(), ContainersError> {
        self.runtime()
            .remove_pod_sandbox(RemovePodSandboxRequest { pod_sandbox_id: id.to_owned() })
            .await
            .map_err(ContainersError::call(format!("remove pod {id}")))?;
        Ok(())
    }
}

fn image(reference: &str) -> ImageSpec {
    ImageSpec { image: reference.to_owned(), ..ImageSpec::default() }
}

/// The name as a person wrote it: the runtime itself may know an image by its digest alone.
fn image_name(image: ImageSpec) -> String {
    if image.user_specified_image.is_empty() { image.image } else { image.user_specified_image }
}
