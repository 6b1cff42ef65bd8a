//! News that may change what a check says: resources of the nodes, objects of Kubernetes.
//!
//! Must never: be taken for the state itself; it only says that looking again is worth while.

use std::{future::Future, sync::Arc, time::Duration};

use api::cosi::resource::WatchRequest;
use kubernetes::{Client, Kind};
use tokio::{sync::Notify, task::JoinSet};

use super::vantage::{Cluster, Nodes, Remote};

/// The types whose changes matter.
const TYPES: [(&str, &str); 4] = [
    ("runtime", "Services.v1alpha1.talos.dev"),
    ("runtime", "MachineStatuses.runtime.talos.dev"),
    ("runtime", "Diagnostics.runtime.talos.dev"),
    ("k8s", "StaticPodStatuses.kubernetes.talos.dev"),
];
/// The kinds whose changes matter, with their namespaces.
const KINDS: [(Kind<'static>, &str); 4] = [
    (Kind::core("Node"), ""),
    (Kind::core("Pod"), "kube-system"),
    (Kind { api_version: "apps/v1", kind: "DaemonSet" }, "kube-system"),
    (Kind { api_version: "apps/v1", kind: "Deployment" }, "kube-system"),
];
/// A source that ended is opened again after this time.
const REOPEN: Duration = Duration::from_secs(1);

/// The news of a cluster, as long as it is held.
pub(super) struct News {
    changed: Arc<Notify>,
    /// Ends with the news.
    _sources: JoinSet<()>,
}

impl News {
    /// The news of these nodes.
    pub(super) fn of(cluster: &Cluster, nodes: &Nodes) -> Self {
        let changed = Arc::new(Notify::new());
        let mut sources = JoinSet::new();
        for remote in nodes.all().filter_map(|node| cluster.remote(node).ok()) {
            for (namespace, type_name) in TYPES {
                sources.spawn(resources(remote.clone(), namespace, type_name, changed.clone()));
            }
        }
        if let Some(client) = &cluster.kubernetes {
            for (kind, namespace) in KINDS {
                sources.spawn(objects(client.clone(), kind, namespace, changed.clone()));
            }
        }
        Self { changed, _sources: sources }
    }

    /// Resolves with the first change from now on, whether or not it is waited for yet.
    pub(super) fn next(&self) -> impl Future<Output = ()> {
        self.changed.notified()
    }
}

async fn resources(
    remote: Remote,
    namespace: &'static str,
    type_name: &'static str,
    changed: Arc<Notify>,
) {
    loop {
        let request = WatchRequest {
            namespace: namespace.to_owned(),
            r#type: type_name.to_owned(),
            api_version: 1,
            ..Default::default()
        };
        if let Ok(stream) = remote.state().watch(request).await {
            let mut stream = stream.into_inner();
            while let Ok(Some(_)) = stream.message().await {
                changed.notify_waiters();
            }
        }
        tokio::time::sleep(REOPEN).await;
    }
}

async fn objects(
    client: Client,
    kind: Kind<'static>,
    namespace: &'static str,
    changed: Arc<Notify>,
) {
    loop {
        if let Ok((_, version)) = client.list(kind, namespace, "").await {
            changed.notify_waiters();
            if let Ok(mut watch) = client.watch(kind, namespace, "", &version).await {
                while let Ok(Some(_)) = watch.next().await {
                    changed.notify_waiters();
                }
            }
        }
        tokio::time::sleep(REOPEN).await;
    }
}
