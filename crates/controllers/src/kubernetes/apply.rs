//! The cluster's first objects: created all at once as soon as the API server is ready, and never touched again.

use std::collections::BTreeSet;
use std::time::Duration;

use ::runtime::condition::Condition;
use ::runtime::controller::{Context, Controller, ControllerError, Input, Next, Output};
use etcd::Endpoint;
use futures::StreamExt as _;
use futures::future::BoxFuture;
use futures::stream;
use kubernetes::{ApiError, Client, Kind, Object};
use manifests::inventory;
use resource::k8s::{ManifestSpec, ManifestStatusSpec, StaticPodSpec};
use resource::secrets::{KubernetesCertsSpec, KubernetesRootSpec};
use resource::v1alpha1::ServiceSpec;

use super::api::{Clients, ready};
use super::object;
use crate::Node;

/// Whoever applies manifests holds this key.
const LOCK: &str = "talos:v1:manifestApplyMutex";
/// A holder that dies lets go of the key after this time.
const LOCK_LIFE: Duration = Duration::from_secs(60);
/// How many objects are created at once.
const WIDTH: usize = 16;

struct Apply {
    node: Node,
    clients: Clients,
    /// The versions of the manifests that have been applied.
    applied: Option<BTreeSet<(String, u64)>>,
}

/// Takes the lock, waiting for another holder.
async fn locked(client: &etcd::Client) -> Result<etcd::Lease, etcd::EtcdError> {
    loop {
        let lease = client.lease(LOCK_LIFE).await?;
        if client.claim(LOCK, b"", lease).await? {
            return Ok(lease);
        }
        client.end(lease).await?;
        // Another node applies the same objects; it takes about a second.
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
}

/// Creates an object. One that exists already is as good.
async fn create(client: Client, object: Object) -> Result<(), ApiError> {
    match client.create(&object).await {
        Ok(_) => Ok(()),
        Err(error) if error.is_conflict() => Ok(()),
        Err(error) => Err(error),
    }
}

impl Apply {
    async fn apply(&self, client: &Client, objects: Vec<Object>) -> Result<(), ControllerError> {
        let known =
            client.object(Kind::core("ConfigMap"), inventory::NAMESPACE, inventory::NAME).await?;
        let mut keys = known.as_ref().map(inventory::keys).unwrap_or_default();
        let new: Vec<Object> =
            objects.into_iter().filter(|object| !keys.contains(&inventory::key(object))).collect();
        if new.is_empty() {
            return Ok(());
        }
        keys.extend(new.iter().map(inventory::key));
        let _step = self.node.timeline.work("kubernetes", format!("create {} objects", new.len()));
        for wave in inventory::waves(new) {
            let mut results = stream::iter(wave)
                .map(|object| create(client.clone(), object))
                .buffer_unordered(WIDTH);
            while let Some(result) = results.next().await {
                result?;
            }
        }
        client.apply(&inventory::object(&keys), "talos", true).await?;
        Ok(())
    }
}

impl Controller for Apply {
    fn name(&self) -> &'static str {
        "k8s.ManifestApplyController"
    }

    fn inputs(&self) -> Vec<Input> {
        vec![
            Input::weak::<ManifestSpec>("controlplane"),
            Input::weak::<KubernetesCertsSpec>("secrets"),
            Input::weak::<KubernetesRootSpec>("secrets"),
            Input::weak::<StaticPodSpec>("k8s").with_id("kube-apiserver"),
            Input::weak::<ServiceSpec>("runtime").with_id("etcd"),
        ]
    }

    fn outputs(&self) -> Vec<Output> {
        vec![Output::exclusive::<ManifestStatusSpec>()]
    }

    fn reconcile<'a>(
        &'a mut self,
        context: &'a Context,
    ) -> BoxFuture<'a, Result<Next, ControllerError>> {
        Box::pin(async move {
            let manifests = context.list::<ManifestSpec>("controlplane");
            let versions: BTreeSet<(String, u64)> = manifests
                .iter()
                .map(|manifest| (manifest.id().to_owned(), manifest.metadata.version))
                .collect();
            if versions.is_empty() || self.applied.as_ref() == Some(&versions) {
                return Ok(Next::OnChange);
            }
            if context.get::<StaticPodSpec>("k8s", "kube-apiserver").is_none() {
                context.waiting(&Condition::resource::<StaticPodSpec>("k8s", "kube-apiserver"));
                return Ok(Next::OnChange);
            }
            let Some(client) = self.clients.admin(&self.node.store)? else {
                return Ok(Next::OnChange);
            };
            {
                let _step = self.node.timeline.wait("kubernetes", "API server ready");
                context.waiting(&Condition::Address {
                    address: "https://localhost:6443/readyz".to_owned(),
                    state: "answers".to_owned(),
                });
                ready(&client).await;
                context.over();
            }
            self.node.timeline.mark("kubernetes", "API server ready");
            let Some(etcd) = crate::etcd::client(&self.node.store, &[Endpoint::LOCAL]) else {
                return Ok(Next::OnChange);
            };
            let lease = locked(&etcd).await?;
            let objects = manifests
                .iter()
                .flat_map(|manifest| {
                    manifest.spec.items.iter().map(|item| object::document(&item.object))
                })
                .collect();
            let applied = self.apply(&client, objects).await;
            // A key that is not given back ends with its lease.
            let _ = etcd.end(lease).await;
            applied?;
            context.modify::<ManifestStatusSpec>("controlplane", "manifests", |status| {
                status.manifests_applied = versions.iter().map(|(id, _)| id.clone()).collect();
            })?;
            self.node.timeline.mark("kubernetes", "bootstrap manifests applied");
            self.applied = Some(versions);
            Ok(Next::OnChange)
        })
    }
}

/// Applies the manifests.
pub(super) fn controller(node: &Node, clients: Clients) -> impl Controller + use<> {
    Apply { node: node.clone(), clients, applied: None }
}
