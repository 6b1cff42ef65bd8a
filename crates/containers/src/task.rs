//! Containers and their tasks: make, start, wait, stop, remove, and find again after a restart.

use std::path::PathBuf;
use std::time::Duration;

use api::containerd::runc::v1::Options;
use api::containerd::services::containers::v1::{
    Container as Record, CreateContainerRequest, DeleteContainerRequest, container::Runtime,
    containers_client::ContainersClient,
};
use api::containerd::services::snapshots::v1::{
    PrepareSnapshotRequest, RemoveSnapshotRequest, snapshots_client::SnapshotsClient,
};
use api::containerd::services::tasks::v1::{
    CreateTaskRequest, DeleteTaskRequest, GetRequest, KillRequest, ListTasksRequest, StartRequest,
    WaitRequest, tasks_client::TasksClient,
};
use api::containerd::v1::types::Status;
use prost::Message;
use prost_types::Any;

use crate::connection::{ContainersError, optional};
use crate::containerd::Containerd;
use crate::image::SNAPSHOTTER;
use crate::specification::Specification;

const RUNTIME: &str = "io.containerd.runc.v2";
const TERMINATE: u32 = 15;
const KILL: u32 = 9;

/// Where a container's output goes. Never a pipe of the caller: the container outlives it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Appended to this file.
    File(PathBuf),
    /// Nowhere.
    Null,
}

/// A container to be run.
#[derive(Clone, Debug)]
pub struct Container {
    /// Its id, unique in the namespace.
    pub id: String,
    /// Its image, which must be in the store and unpacked.
    pub image: String,
    /// What it needs.
    pub specification: Specification,
    /// Where its output goes.
    pub output: Output,
    /// The cgroup of its supervisor process.
    pub shim_cgroup: String,
}

/// How a task ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// With this status: an exit code, or 128 and the number of the signal.
    Status(u32),
    /// The runtime does not know it any more.
    Gone,
}

/// The state of a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TaskState {
    /// Made, not started.
    Created,
    /// Running.
    Running,
    /// Ended, not removed.
    Stopped,
    /// Any other.
    Other,
}

/// A task as a list shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Task {
    /// The container's id.
    pub id: String,
    /// Its main process.
    pub pid: u32,
    /// Its state.
    pub state: TaskState,
}

fn state(number: i32) -> TaskState {
    match Status::try_from(number) {
        Ok(Status::Created) => TaskState::Created,
        Ok(Status::Running) => TaskState::Running,
        Ok(Status::Stopped) => TaskState::Stopped,
        _ => TaskState::Other,
    }
}

impl Containerd {
    fn tasks(&self) -> TasksClient<crate::containerd::Transport> {
        TasksClient::new(self.transport())
    }

    /// The task of a container, if there is one.
    pub async fn task(&self, id: &str) -> Result<Option<Task>, ContainersError> {
        let found = self
            .tasks()
            .get(GetRequest { container_id: id.to_owned(), exec_id: String::new() })
            .await
            .map_err(ContainersError::call(format!("look for task {id}")));
        let process = optional(found)?.and_then(|answer| answer.into_inner().process);
        Ok(process.map(|process| Task {
            id: id.to_owned(),
            pid: process.pid,
            state: state(process.status),
        }))
    }

    /// All tasks of the namespace.
    pub async fn list_tasks(&self) -> Result<Vec<Task>, ContainersError> {
        let answer = self
            .tasks()
            .list(ListTasksRequest::default())
            .await
            .map_err(ContainersError::call("list tasks"))?
            .into_inner();
        let task = |process: api::containerd::v1::types::Process| Task {
            state: state(process.status),
            id: process.id,
            pid: process.pid,
        };
        Ok(answer.tasks.into_iter().map(task).collect())
    }

    /// Makes and starts a container; whatever an earlier one of the same id left behind goes first.
    ///
    /// Answers the id of its main process. A failure on the way leaves nothing behind.
    pub async fn run(&self, container: &Container) -> Result<u32, ContainersError> {
        self.remove(&container.id).await?;
        let lease = self.lease().await?;
        let made = self.make(&lease.scoped, container).await;
        if made.is_err() {
            // The reason of the failure matters, not what clearing up after it says.
            let _ = self.remove(&container.id).await;
        }
        // A lease not released ends by itself.
        let _ = lease.release().await;
        made
    }

    async fn make(&self, leased: &Self, container: &Container) -> Result<u32, ContainersError> {
        let id = container.id.as_str();
        let image = self.image(&container.image).await?.ok_or_else(|| {
            ContainersError::answer(
                format!("start container {id}"),
                format!("image {} in the store", container.image),
            )
        })?;
        let unpacked = self.unpacked(&image).await?;
        let rootfs = SnapshotsClient::new(leased.transport())
            .prepare(PrepareSnapshotRequest {
                snapshotter: SNAPSHOTTER.to_owned(),
                key: id.to_owned(),
                parent: unpacked.snapshot.clone(),
                ..PrepareSnapshotRequest::default()
            })
            .await
            .map_err(ContainersError::call(format!(
                "prepare the root file system of container {id}"
            )))?
            .into_inner()
            .mounts;
        let options = Options { shim_cgroup: container.shim_cgroup.clone(), ..Options::default() };
        let options = Any {
            type_url: "containerd.runc.v1.Options".to_owned(),
            value: options.encode_to_vec(),
        };
        let specification = container.specification.document(&unpacked.config);
        let record = Record {
            id: id.to_owned(),
            image: container.image.clone(),
            runtime: Some(Runtime { name: RUNTIME.to_owned(), options: Some(options.clone()) }),
            spec: Some(Any {
                type_url: "types.containerd.io/opencontainers/runtime-spec/1/Spec".to_owned(),
                value: specification.to_string().into_bytes(),
            }),
            snapshotter: SNAPSHOTTER.to_owned(),
            snapshot_key: id.to_owned(),
            ..Record::default()
        };
        ContainersClient::new(leased.transport())
            .create(CreateContainerRequest { container: Some(record) })
            .await
            .map_err(ContainersError::call(format!("make container {id}")))?;
        let output = match &container.output {
            Output::File(path) => format!("file://{}", path.display()),
            Output::Null => String::new(),
        };
        self.tasks()
            .create(CreateTaskRequest {
                container_id: id.to_owned(),
                rootfs,
                stdout: output.clone(),
                stderr: output,
                options: Some(options),
                ..CreateTaskRequest::default()
            })
            .await
            .map_err(ContainersError::call(format!("make the task of container {id}")))?;
        let started = self
            .tasks()
            .start(StartRequest { container_id: id.to_owned(), exec_id: String::new() })
            .await
            .map_err(ContainersError::call(format!("start container {id}")))?;
        Ok(started.into_inner().pid)
    }

    /// Waits for a task's end. A runtime that restarts meanwhile is waited for.
    pub async fn wait(&self, id: &str) -> Result<Exit, ContainersError> {
        let mut pause = Duration::from_millis(20);
        loop {
            let answer = self
                .tasks()
                .wait(WaitRequest { container_id: id.to_owned(), exec_id: String::new() })
                .await
                .map_err(ContainersError::call(format!("wait for container {id}")));
            match answer {
                Ok(answer) => return Ok(Exit::Status(answer.into_inner().exit_status)),
                Err(error) if error.is_not_found() => return Ok(Exit::Gone),
                // The container goes on without its runtime; the connection tells nothing about it.
                Err(error) if error.is_unavailable() || error.code() == tonic::Code::Unknown => {
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(Duration::from_secs(1));
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Sends a signal to a task.
    pub async fn signal(&self, id: &str, signal: u32, all: bool) -> Result<(), ContainersError> {
        let sent = self
            .tasks()
            .kill(KillRequest { container_id: id.to_owned(), exec_id: String::new(), signal, all })
            .await
            .map_err(ContainersError::call(format!("send signal {signal} to container {id}")));
        optional(sent).map(drop)
    }

    /// Asks a task to end, makes it end after `grace`, and removes the container.
    pub async fn stop(&self, id: &str, grace: Duration) -> Result<Exit, ContainersError> {
        self.signal(id, TERMINATE, false).await?;
        let exit = match tokio::time::timeout(grace, self.wait(id)).await {
            Ok(exit) => exit?,
            Err(_) => {
                self.signal(id, KILL, true).await?;
                self.wait(id).await?
            }
        };
        self.remove(id).await?;
        Ok(exit)
    }

    /// Removes a container with its task and its root file system, whatever of them is there.
    pub async fn remove(&self, id: &str) -> Result<(), ContainersError> {
        if let Some(task) = self.task(id).await? {
            if task.state != TaskState::Stopped {
                self.signal(id, KILL, true).await?;
                if task.state == TaskState::Running {
                    self.wait(id).await?;
                }
            }
            let deleted = self
                .tasks()
                .delete(DeleteTaskRequest { container_id: id.to_owned() })
                .await
                .map_err(ContainersError::call(format!("remove the task of container {id}")));
            optional(deleted)?;
        }
        let deleted = ContainersClient::new(self.transport())
            .delete(DeleteContainerRequest { id: id.to_owned() })
            .await
            .map_err(ContainersError::call(format!("remove container {id}")));
        optional(deleted)?;
        let removed = SnapshotsClient::new(self.transport())
            .remove(RemoveSnapshotRequest {
                snapshotter: SNAPSHOTTER.to_owned(),
                key: id.to_owned(),
            })
            .await
            .map_err(ContainersError::call(format!(
                "remove the root file system of container {id}"
            )));
        optional(removed).map(drop)
    }
}
