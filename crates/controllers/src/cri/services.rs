//! The services around containers: the image cache's registry and the two containerd instances.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use containers::Containerd;
use registry::layout::Layout;
use registry::server::{ADDRESS, Server};
use resource::files::EtcFileStatusSpec;
use resource::network;
use runtime::service::Registry;
use sys::cgroup::Group;
use sys::process::{Capabilities, Capability, Resource, Spawn};
use tokio::net::TcpListener;

use crate::Node;
use crate::runtime::service::{
    Condition, HealthCheck, ProcessRunner, RunError, Spec, TaskRunner, error_chain,
};

/// The socket of the CRI instance, in which pods, etcd and the kubelet run.
pub const CRI_SOCKET: &str = "/run/containerd/containerd.sock";
/// The socket of the system instance.
pub const SYSTEM_SOCKET: &str = "/system/run/containerd/containerd.sock";
/// Where an image cache is found.
pub const IMAGE_CACHE: &str = "/system/imagecache/disk";

/// How the two instances differ.
struct Instance {
    id: &'static str,
    config: &'static str,
    socket: &'static str,
    cgroup: &'static str,
    oom_score: i32,
}

const CRI: Instance = Instance {
    id: "cri",
    config: "/etc/cri/containerd.toml",
    socket: CRI_SOCKET,
    cgroup: "podruntime/runtime",
    oom_score: -500,
};

const SYSTEM: Instance = Instance {
    id: "containerd",
    config: "/etc/cri/system-containerd.toml",
    socket: SYSTEM_SOCKET,
    cgroup: "system/runtime",
    oom_score: -999,
};

/// What no container may do: end the machine and load modules.
pub(crate) const DENIED: Capabilities =
    Capabilities::of(&[Capability::SysBoot, Capability::SysModule]);

/// Everything else that this process may do.
fn capabilities() -> Capabilities {
    let all = Capabilities::effective().unwrap_or_default();
    Capabilities::from_bits(all.bits() & !DENIED.bits())
}

/// The group of the supervisors of containers.
pub(super) const SHIM_CGROUP: &str = "podruntime/shim";

/// The `cgroup.procs` files of a group, made if it is not there.
pub(crate) fn cgroup(name: &str) -> Result<Vec<PathBuf>, RunError> {
    let failed = |error| RunError::new(format!("cannot prepare cgroup {name}"), error);
    let group = Group::at("/sys/fs/cgroup").map_err(failed)?.child(name);
    group.create().map_err(failed)?;
    Ok(group.procs())
}

fn spawn(instance: &Instance, log: &Path) -> Result<Spawn, RunError> {
    let spawn = Spawn::new("/usr/bin/containerd")
        .args(["--config", instance.config])
        .env("PATH", "/usr/bin:/usr/sbin:/bin:/sbin")
        .env("HOME", "/")
        .log_to(log)
        .oom_score_adj(instance.oom_score)
        .limit(Resource::OpenFiles, open_files(), open_files())
        .capabilities(capabilities())
        .new_session();
    // Shims move themselves there; they do not make it.
    cgroup(SHIM_CGROUP)?;
    Ok(cgroup(instance.cgroup)?.into_iter().fold(spawn, Spawn::cgroup_procs))
}

/// The limit that machined itself runs under: what the host allows, at most the contract's.
fn open_files() -> u64 {
    sys::system::open_files_limit().unwrap_or(1_048_576).min(1_048_576)
}

fn service(node: &Node, instance: &'static Instance) -> Spec {
    let socket = node.paths.at(instance.socket);
    let containerd = Containerd::new(&socket, "system");
    let check = HealthCheck::new(move || {
        let containerd = containerd.clone();
        async move { containerd.version().await.map(drop).map_err(|error| error_chain(&error)) }
    })
    .when(Condition::file(socket));
    let log = node.lasting_log(instance.id);
    let runner = ProcessRunner::new(&node.paths.run(), instance.id, move || spawn(instance, &log));
    Spec::new(instance.id, runner).checked(check).grace(Duration::from_secs(10))
}

/// The CRI instance: pods, etcd and kubelet run in it.
#[must_use]
pub(super) fn cri(node: &Node) -> Spec {
    let store = &node.store;
    service(node, &CRI)
        .waits_for(Condition::var_ready(node))
        .waits_for(Condition::resource::<network::StatusSpec>(
            store,
            "network",
            "network",
            "status",
            |status| status.address_ready && status.hostname_ready && status.etc_files_ready,
        ))
        .waits_for(Condition::resource::<EtcFileStatusSpec>(
            store,
            "/etc/machine-id",
            "files",
            "machine-id",
            |_| true,
        ))
        .waits_for(Condition::resource::<EtcFileStatusSpec>(
            store,
            "/etc/cri/conf.d/cri.toml",
            "files",
            "cri/conf.d/cri.toml",
            |_| true,
        ))
}

/// The system instance, for what is not Kubernetes'. Nothing of a node's start needs it, so it leaves the
/// processors to what does.
#[must_use]
pub(super) fn system(node: &Node) -> Spec {
    service(node, &SYSTEM).waits_for(after_kubelet(&node.services)).waits_for(
        Condition::resource::<EtcFileStatusSpec>(
            &node.store,
            "/etc/cri/system-containerd.toml",
            "files",
            "cri/system-containerd.toml",
            |_| true,
        ),
    )
}

fn after_kubelet(services: &Registry) -> Condition {
    Condition::service_up(services, "kubelet")
}

/// The registry over the image cache; `None` when the node has no cache.
///
/// # Errors
/// When there is a cache that cannot be read.
pub(super) fn registryd(node: &Node) -> Result<Option<Spec>, registry::layout::LayoutError> {
    let root = node.paths.at(IMAGE_CACHE);
    if !root.join("oci-layout").exists() {
        return Ok(None);
    }
    let server = Server::new(vec![Layout::open(root)?]);
    let runner = TaskRunner::new(move || {
        let server = server.clone();
        async move {
            let listener = TcpListener::bind(ADDRESS)
                .await
                .map_err(|error| RunError::new(format!("cannot listen on {ADDRESS}"), error))?;
            server.serve(listener, std::future::pending()).await;
            Ok(())
        }
    });
    let check = HealthCheck::new(|| async {
        tokio::net::TcpStream::connect(ADDRESS).await.map(drop).map_err(|error| error.to_string())
    });
    Ok(Some(Spec::new(Arc::from("registryd"), runner).checked(check)))
}
