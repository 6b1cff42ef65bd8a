//! Services that run as containers: found again after a restart of machined, stopped with grace.

use std::sync::Arc;
use std::time::Duration;

use containers::specification::capability_names;
use containers::{Container, Containerd, TaskState};
use futures::future::BoxFuture;

use crate::runtime::service::{Exit, Instance, RunError, Runner};

/// The namespace of the node's own containers.
pub const NAMESPACE: &str = "system";
/// Where the container runtime finds the hosts of a registry.
pub const HOSTS_DIR: &str = "/etc/cri/conf.d/hosts";

/// What the kernel grants to this node: a node in namespaces may have less than a machine.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Grants {
    /// The capabilities that a container can be given.
    pub capabilities: Vec<&'static str>,
}

impl Grants {
    /// Reads `/proc/self/status`.
    pub fn of_this_process() -> std::io::Result<Self> {
        std::fs::read_to_string("/proc/self/status").map(|status| Self::parse(&status))
    }

    fn parse(status: &str) -> Self {
        let mask = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name))?;
            u64::from_str_radix(line.trim(), 16).ok()
        };
        let bounding = mask("CapBnd:").unwrap_or_default();
        let permitted = mask("CapPrm:").unwrap_or_default();
        // The container runtime has no more than this, so a container cannot be given more.
        let denied = crate::cri::services::DENIED.bits();
        Self { capabilities: capability_names(bounding & permitted & !denied) }
    }

    /// The wanted score, where the kernel lets a process lower its own.
    pub fn oom_score(&self, wanted: i32) -> Option<i32> {
        (wanted >= 0 || self.capabilities.contains(&"CAP_SYS_RESOURCE")).then_some(wanted)
    }
}

/// Says what container to run, at each start anew.
type Make = dyn Fn() -> BoxFuture<'static, Result<Container, RunError>> + Send + Sync;

/// Runs one container.
pub struct ContainerRunner {
    containerd: Containerd,
    id: &'static str,
    make: Arc<Make>,
}

impl ContainerRunner {
    /// A runner of the container `id`; `make` says at each start what it looks like.
    pub fn new<F>(
        containerd: Containerd,
        id: &'static str,
        make: impl Fn() -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = Result<Container, RunError>> + Send + 'static,
    {
        Self { containerd, id, make: Arc::new(move || Box::pin(make())) }
    }

    fn instance(&self, pid: u32) -> Box<dyn Instance> {
        Box::new(ContainerInstance { containerd: self.containerd.clone(), id: self.id, pid })
    }
}

impl Runner for ContainerRunner {
    fn adopt(&self) -> BoxFuture<'_, Option<Box<dyn Instance>>> {
        Box::pin(async move {
            let task = self.containerd.task(self.id).await.ok()??;
            (task.state == TaskState::Running).then(|| self.instance(task.pid))
        })
    }

    fn start(&self) -> BoxFuture<'_, Result<Box<dyn Instance>, RunError>> {
        Box::pin(async move {
            let container = (self.make)().await?;
            let pid = self.containerd.run(&container).await.map_err(|error| {
                RunError::new(format!("container {} does not start", self.id), error)
            })?;
            Ok(self.instance(pid))
        })
    }
}

struct ContainerInstance {
    containerd: Containerd,
    id: &'static str,
    pid: u32,
}

/// runc reports the end by a signal as 128 and its number.
const SIGNALED: u32 = 128;

fn exit(result: Result<containers::Exit, containers::ContainersError>) -> Exit {
    match result {
        Ok(containers::Exit::Gone) => Exit::Gone,
        Ok(containers::Exit::Status(status)) => {
            let signal = status.checked_sub(SIGNALED).filter(|signal| (1..65).contains(signal));
            match (signal.map(i32::try_from), i32::try_from(status)) {
                (Some(Ok(signal)), _) => Exit::Signal(signal),
                (_, Ok(code)) => Exit::Code(code),
                _ => Exit::Gone,
            }
        }
        Err(error) => Exit::Error(crate::runtime::service::error_chain(&error)),
    }
}

impl Instance for ContainerInstance {
    fn pid(&self) -> Option<u32> {
        Some(self.pid)
    }

    fn describe(&self) -> String {
        format!("container {NAMESPACE}/{}", self.id)
    }

    fn wait(&mut self) -> BoxFuture<'_, Exit> {
        Box::pin(async move { exit(self.containerd.wait(self.id).await) })
    }

    fn stop(&mut self, grace: Duration) -> BoxFuture<'_, Exit> {
        Box::pin(async move { exit(self.containerd.stop(self.id, grace).await) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grants_are_what_is_both_permitted_and_bounded() {
        let status = "Name:\tx\nCapPrm:\t0000000000200001\nCapBnd:\t0000000001200000\n";
        let grants = Grants::parse(status);
        assert_eq!(grants.capabilities, ["CAP_SYS_ADMIN"]);
        assert_eq!(grants.oom_score(-450), None);
        assert_eq!(grants.oom_score(100), Some(100));
        let all = Grants::parse("CapPrm:\t000001ffffffffff\nCapBnd:\t000001ffffffffff\n");
        assert_eq!(all.oom_score(-450), Some(-450));
    }

    #[test]
    fn ends_of_containers() {
        use containers::Exit::{Gone, Status};
        assert_eq!(exit(Ok(Status(0))), Exit::Code(0));
        assert_eq!(exit(Ok(Status(137))), Exit::Signal(9));
        assert_eq!(exit(Ok(Status(128))), Exit::Code(128));
        assert_eq!(exit(Ok(Gone)), Exit::Gone);
    }
}
