//! etcd's service: how a member starts (with its data, as the first, or by joining), and becomes a voter.

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ::runtime::condition::Condition as Wait;
use ::runtime::controller::{Context, Controller, ControllerError, Input, Next, Output};
use containers::specification::{Mount, Specification};
use containers::{Container, Containerd, Output as Log};
use etcd::{Client, Endpoint, EtcdError, Member};
use futures::future::BoxFuture;
use resource::etcd::{PKIStatusSpec, SpecSpec};
use resource::k8s::EndpointSpec;
use resource::types::NetIp;

use super::arguments::{Start, arguments, peer_urls};
use super::{DATA_DIR, PKI_DIR, UID};
use crate::container::{ContainerRunner, Grants};
use crate::files::atomic;
use crate::images::Images;
use crate::runtime::service::{HealthCheck, RunError, Spec};
use crate::{Node, Paths};

/// etcd's cgroup.
const CGROUP: &str = "/podruntime/etcd";
/// What the running member was started with; survives a crash of machined, not a boot.
const RECORD: &str = "/run/ichor/etcd.args";
/// How long a try to join may take.
const JOIN_TRY: Duration = Duration::from_secs(30);
/// The pause between tries to join: members elsewhere have no event for this node.
const JOIN_PAUSE: Duration = Duration::from_secs(3);
/// How long promoting is tried, and how often: a learner catches up without telling.
const PROMOTE_LONGEST: Duration = Duration::from_secs(600);
const PROMOTE_PAUSE: Duration = Duration::from_secs(2);

/// Whether a member has been here.
pub(super) fn has_data(paths: &Paths) -> bool {
    paths.at(DATA_DIR).join("member").exists()
}

/// Where clients of other members go: every known control plane address but this node's own.
fn others(node: &Node, spec: &SpecSpec) -> Vec<Endpoint> {
    let own: Vec<_> = spec.advertised_addresses.iter().filter_map(|NetIp(ip)| *ip).collect();
    let mut endpoints: Vec<Endpoint> = node
        .store
        .list::<EndpointSpec>("controlplane")
        .iter()
        .flat_map(|endpoints| {
            endpoints.spec.addresses.iter().filter_map(|NetIp(ip)| *ip).collect::<Vec<_>>()
        })
        .filter(|ip| !own.contains(ip))
        .map(Endpoint::at)
        .collect();
    endpoints.sort();
    endpoints.dedup();
    endpoints
}

/// What must happen before this node can join, given the members there are.
#[derive(Debug, PartialEq, Eq)]
enum JoinStep {
    /// A member of this name is left over from an earlier life.
    Remove(u64),
    /// This node has been announced before and has not started since.
    Reuse(u64),
    /// This node must be announced.
    Announce,
}

fn join_step(members: &[Member], name: &str, peers: &[String]) -> JoinStep {
    let same_peers = |member: &&Member| member.peer_urls.iter().any(|url| peers.contains(url));
    if let Some(member) = members.iter().find(|member| member.name == name) {
        return JoinStep::Remove(member.id);
    }
    match members.iter().find(same_peers) {
        Some(member) if member.name.is_empty() && member.learner => JoinStep::Reuse(member.id),
        Some(member) => JoinStep::Remove(member.id),
        None => JoinStep::Announce,
    }
}

/// The members as etcd's `initial-cluster` wants them, this node under its own name.
fn initial_cluster(members: &[Member], own: u64, name: &str) -> String {
    let entries = members.iter().flat_map(|member| {
        let name = if member.id == own { name } else { &member.name };
        member.peer_urls.iter().map(move |url| format!("{name}={url}"))
    });
    entries.collect::<Vec<_>>().join(",")
}

async fn join(client: &Client, name: &str, peers: &[String]) -> Result<(u64, String), EtcdError> {
    loop {
        let members = client.agreed_members().await?;
        let (id, members) = match join_step(&members, name, peers) {
            JoinStep::Remove(id) => {
                client.remove_member(id).await?;
                continue;
            }
            JoinStep::Reuse(id) => (id, members),
            JoinStep::Announce => {
                let (member, members) = client.add_learner(peers).await?;
                (member.id, members)
            }
        };
        return Ok((id, initial_cluster(&members, id, name)));
    }
}

/// Asks the voters, again and again, until they have made the learner one of them.
async fn promote(node: Node, spec: SpecSpec, id: u64) {
    let started = tokio::time::Instant::now();
    while started.elapsed() < PROMOTE_LONGEST {
        tokio::time::sleep(PROMOTE_PAUSE).await;
        let endpoints = others(&node, &spec);
        let Some(client) = super::client(&node.store, &endpoints) else { continue };
        match tokio::time::timeout(JOIN_TRY, client.promote(id)).await {
            Ok(Ok(())) => {
                tracing::info!(member = format!("{id:016x}"), "this etcd member votes now");
                return;
            }
            Ok(Err(error)) if error.says("can only promote a learner") => return,
            Ok(Err(error)) => tracing::debug!(%error, "the learner is not promoted yet"),
            Err(_) => tracing::debug!("promoting the learner took too long"),
        }
    }
    tracing::warn!(
        member = format!("{id:016x}"),
        "this etcd member was not promoted within ten minutes"
    );
}

/// A directory could not be given to etcd.
fn own(path: &Path, mode: u32) -> Result<(), RunError> {
    let change = || -> io::Result<()> {
        fs::create_dir_all(path)?;
        fs::set_permissions(path, fs::Permissions::from_mode(mode))?;
        chown(path, Some(UID), Some(UID))
    };
    change()
        .map_err(|error| RunError::new(format!("cannot give {} to etcd", path.display()), error))
}

/// Runs etcd.
struct EtcdService {
    node: Node,
    containerd: Containerd,
    images: Images,
    grants: Grants,
    start: Arc<Mutex<Start>>,
    running: Option<SpecSpec>,
}

impl EtcdService {
    fn spec(node: &Node) -> Result<SpecSpec, RunError> {
        let spec = node.store.get::<SpecSpec>("etcd", "etcd");
        spec.map(|spec| (*spec.spec).clone())
            .ok_or_else(|| RunError::plain("etcd has no specification any more"))
    }

    /// Waits until this node knows how its member begins.
    async fn decide(node: &Node, spec: &SpecSpec) -> Start {
        if has_data(&node.paths) {
            return Start::Existing;
        }
        let _wait = node.timeline.wait("etcd", "bootstrap, or a cluster to join");
        let what = "a bootstrap request, or a cluster to join".to_owned();
        let _condition = node.store.waiting("etcd", &Wait::Event { what });
        let peers = peer_urls(spec);
        let joined = async {
            loop {
                let endpoints = others(node, spec);
                if !endpoints.is_empty()
                    && let Some(client) = super::client(&node.store, &endpoints)
                {
                    match tokio::time::timeout(JOIN_TRY, join(&client, &spec.name, &peers)).await {
                        Ok(Ok((id, cluster))) => {
                            tokio::spawn(promote(node.clone(), spec.clone(), id));
                            return Start::Join(cluster);
                        }
                        Ok(Err(error)) => tracing::debug!(%error, "no cluster to join yet"),
                        Err(_) => tracing::debug!("no cluster to join answered in time"),
                    }
                }
                tokio::time::sleep(JOIN_PAUSE).await;
            }
        };
        tokio::select! {
            _ = node.etcd.requested() => Start::First,
            start = joined => start,
        }
    }

    fn container(
        spec: &SpecSpec,
        start: &Start,
        grants: &Grants,
        log: PathBuf,
    ) -> Result<Container, RunError> {
        let arguments = arguments(spec, start)
            .map_err(|error| RunError::new("etcd's arguments are refused", error))?;
        let command = std::iter::once("/usr/local/bin/etcd".to_owned()).chain(arguments);
        Ok(Container {
            id: "etcd".to_owned(),
            image: spec.image.clone(),
            specification: Specification {
                arguments: command.collect(),
                user: (UID, UID),
                mounts: vec![
                    Mount::bind(PKI_DIR, &["rbind", "ro"]),
                    Mount::bind(DATA_DIR, &["rbind", "rw"]),
                ],
                cgroup: CGROUP.to_owned(),
                oom_score: grants.oom_score(-998),
                open_files: Some(10240),
                ..Specification::default()
            },
            output: Log::File(log),
            shim_cgroup: String::new(),
        })
    }

    fn service(&self) -> Spec {
        let prepare = {
            let (node, images, start) =
                (self.node.clone(), self.images.clone(), Arc::clone(&self.start));
            move || {
                let (node, images, start) = (node.clone(), images.clone(), Arc::clone(&start));
                async move {
                    let spec = Self::spec(&node)?;
                    own(&node.paths.at(DATA_DIR), 0o700)?;
                    own(&node.paths.at(PKI_DIR), 0o755)?;
                    // The image comes while nobody has said yet how the member begins.
                    let (image, decided) =
                        tokio::join!(images.ensure(&spec.image), Self::decide(&node, &spec));
                    image?;
                    *start.lock().unwrap_or_else(PoisonError::into_inner) = decided;
                    Ok(())
                }
            }
        };
        let make = {
            let (node, grants, start) =
                (self.node.clone(), self.grants.clone(), Arc::clone(&self.start));
            let log = self.node.lasting_log("etcd");
            move || {
                let container = Self::spec(&node).and_then(|spec| {
                    let start = start.lock().unwrap_or_else(PoisonError::into_inner).clone();
                    let container = Self::container(&spec, &start, &grants, log.clone())?;
                    let record = container.specification.arguments.join("\n");
                    atomic::write(&node.paths.at(RECORD), record.as_bytes(), 0o600).map_err(
                        |error| RunError::new("cannot record how etcd was started", error),
                    )?;
                    Ok(container)
                });
                std::future::ready(container)
            }
        };
        let store = self.node.store.clone();
        let healthy = move || {
            let store = store.clone();
            async move {
                let local = [Endpoint::from(SocketAddr::from(([127, 0, 0, 1], Endpoint::PORT)))];
                let client =
                    super::client(&store, &local).ok_or("etcd's certificates are not there")?;
                client.healthy().await.map_err(|error| crate::runtime::service::error_chain(&error))
            }
        };
        Spec::new("etcd", ContainerRunner::new(self.containerd.clone(), "etcd", make))
            .after("cri")
            .prepared(prepare)
            .checked(
                HealthCheck::new(healthy).pace(Duration::from_secs(20), Duration::from_secs(15)),
            )
            .grace(Duration::from_secs(10))
    }
}

impl Controller for EtcdService {
    fn name(&self) -> &'static str {
        "etcd.ServiceController"
    }

    fn inputs(&self) -> Vec<Input> {
        vec![
            Input::weak::<SpecSpec>("etcd").with_id("etcd"),
            Input::weak::<PKIStatusSpec>("etcd").with_id("etcd"),
        ]
    }

    fn outputs(&self) -> Vec<Output> {
        Vec::new()
    }

    fn reconcile<'a>(
        &'a mut self,
        context: &'a Context,
    ) -> BoxFuture<'a, Result<Next, ControllerError>> {
        Box::pin(async move {
            let spec = context.get::<SpecSpec>("etcd", "etcd");
            let pki = context.get::<PKIStatusSpec>("etcd", "etcd").filter(|pki| pki.spec.ready);
            let (Some(spec), Some(_)) = (spec, pki) else { return Ok(Next::OnChange) };
            let spec = (*spec.spec).clone();
            match self.running.replace(spec.clone()) {
                None => {
                    self.images.prefetch(vec![vec![spec.image.clone()]]);
                    self.node.supervisor.load(self.service()).await;
                    self.node.supervisor.start("etcd").await?;
                }
                // Certificates are read anew by etcd itself; what it was started with is not.
                Some(before) if before != spec && has_data(&self.node.paths) => {
                    tracing::info!("etcd's specification has changed; it is started anew");
                    self.node.supervisor.restart("etcd").await?;
                }
                Some(_) => {}
            }
            Ok(Next::OnChange)
        })
    }
}

/// The controller of etcd's service.
pub(super) fn controller(
    node: &Node,
    containerd: Containerd,
    images: Images,
    grants: Grants,
) -> impl Controller + use<> {
    let start = Arc::new(Mutex::new(Start::Existing));
    EtcdService { node: node.clone(), containerd, images, grants, start, running: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(id: u64, name: &str, url: &str, learner: bool) -> Member {
        Member {
            id,
            name: name.to_owned(),
            peer_urls: vec![url.to_owned()],
            client_urls: Vec::new(),
            learner,
        }
    }

    #[test]
    fn what_joining_takes() {
        let peers = ["https://10.5.0.3:2380".to_owned()];
        let first = member(1, "cp-1", "https://10.5.0.2:2380", false);
        for (members, expected) in [
            (vec![first.clone()], JoinStep::Announce),
            (
                vec![first.clone(), member(2, "cp-2", "https://10.5.0.9:2380", false)],
                JoinStep::Remove(2),
            ),
            (vec![first.clone(), member(2, "", &peers[0], true)], JoinStep::Reuse(2)),
            (vec![first.clone(), member(2, "", &peers[0], false)], JoinStep::Remove(2)),
            (vec![first.clone(), member(2, "old", &peers[0], false)], JoinStep::Remove(2)),
        ] {
            assert_eq!(join_step(&members, "cp-2", &peers), expected, "{members:?}");
        }
        let members = [first, member(2, "", &peers[0], true)];
        assert_eq!(
            initial_cluster(&members, 2, "cp-2"),
            "cp-1=https://10.5.0.2:2380,cp-2=https://10.5.0.3:2380"
        );
    }
}
