//! Taking the workload off a Kubernetes node before its machine goes down.
//!
//! Pods are evicted, so disruption budgets are kept: a refused eviction is asked for again when something has changed.
//! Must never delete a pod, and never wait for a pod that comes back on the same node anyway.

use std::collections::BTreeMap;
use std::time::Duration;

use http::{Method, StatusCode};
use kubernetes::{ApiError, Client, Event, Kind, Object, Watch};
use serde_json::json;

const NODE: Kind<'static> = Kind::core("Node");
const POD: Kind<'static> = Kind::core("Pod");
const BUDGET: Kind<'static> = Kind { api_version: "policy/v1", kind: "PodDisruptionBudget" };
/// A refused eviction is asked for again after this time even without news: a budget may have been misread.
const AGAIN: Duration = Duration::from_secs(5);

/// A node that could not be drained.
#[derive(Debug, thiserror::Error)]
pub enum DrainError {
    /// The cluster has no such node.
    #[error("Kubernetes has no node {0:?}")]
    NoNode(String),
    /// The API server did not do what it was asked for.
    #[error(transparent)]
    Api(#[from] ApiError),
}

/// One Kubernetes node that is to be free of workload.
#[derive(Debug)]
pub struct Drain {
    client: Client,
    node: String,
}

/// What is known about a pod that has to leave.
#[derive(Debug, Default, PartialEq, Eq)]
struct Leaving {
    /// The eviction was accepted; the pod is stopping.
    accepted: bool,
    /// Why the last one was refused.
    refused: String,
}

impl Drain {
    /// The node of this name.
    pub fn new(client: Client, node: &str) -> Self {
        Self { client, node: node.to_owned() }
    }

    /// Keeps new pods away. Answers whether the node took any until now; one that did not is somebody else's to open again.
    pub async fn cordon(&self) -> Result<bool, DrainError> {
        let node = self.client.object(NODE, "", &self.node).await?;
        let node = node.ok_or_else(|| DrainError::NoNode(self.node.clone()))?;
        let open = node["spec"]["unschedulable"] != true;
        if open {
            self.mark(json!(true)).await?;
        }
        Ok(open)
    }

    /// Lets pods come again.
    pub async fn uncordon(&self) -> Result<(), DrainError> {
        self.mark(json!(null)).await
    }

    async fn mark(&self, unschedulable: Object) -> Result<(), DrainError> {
        let change = json!({ "spec": { "unschedulable": unschedulable } });
        self.client.merge(NODE, "", &self.node, &change).await?;
        Ok(())
    }

    /// Evicts the pods and waits until they are gone. `tell` hears which pods are still there, and why, whenever that
    /// changes. Waits without end: the caller knows how long.
    pub async fn evict(&self, mut tell: impl FnMut(&str)) -> Result<(), DrainError> {
        let query = format!("fieldSelector=spec.nodeName%3D{}", self.node);
        let mut told = String::new();
        loop {
            let (pods, version) = self.client.list(POD, "", &query).await?;
            let mut leaving = BTreeMap::new();
            for pod in &pods {
                note(&mut leaving, pod);
            }
            if leaving.is_empty() {
                return Ok(());
            }
            let mut watch = self.client.watch(POD, "", &query, &version).await?;
            let mut budgets = self.budgets().await?;
            // The server ends a watch from time to time; then everything is looked at again.
            loop {
                self.ask(&mut leaving).await?;
                if leaving.is_empty() {
                    return Ok(());
                }
                let state = describe(&leaving);
                if state != told {
                    tell(&state);
                    told = state;
                }
                let refused = leaving.values().any(|pod| !pod.accepted);
                tokio::select! {
                    event = watch.next() => match event {
                        Ok(Some(event)) => learn(&mut leaving, &event),
                        Ok(None) => break,
                        Err(error) if error.is_expired() => break,
                        Err(error) => return Err(error.into()),
                    },
                    event = budgets.next(), if refused => if !matches!(event, Ok(Some(_))) { break },
                    () = tokio::time::sleep(AGAIN), if refused => {}
                }
            }
        }
    }

    async fn budgets(&self) -> Result<Watch, ApiError> {
        let (_, version) = self.client.list(BUDGET, "", "").await?;
        self.client.watch(BUDGET, "", "", &version).await
    }

    /// Asks for the evictions that are not accepted yet.
    async fn ask(&self, leaving: &mut BTreeMap<(String, String), Leaving>) -> Result<(), ApiError> {
        let mut gone = Vec::new();
        for ((namespace, name), pod) in leaving.iter_mut().filter(|(_, pod)| !pod.accepted) {
            let eviction = json!({
                "apiVersion": "policy/v1",
                "kind": "Eviction",
                "metadata": { "namespace": namespace, "name": name },
            });
            let asked = self
                .client
                .write_subresource(POD, namespace, name, "eviction", Method::POST, &eviction)
                .await;
            match asked {
                Ok(_) => pod.accepted = true,
                Err(error) if error.is_not_found() => gone.push((namespace.clone(), name.clone())),
                Err(error) => pod.refused = refusal(error)?,
            }
        }
        leaving.retain(|pod, _| !gone.contains(pod));
        Ok(())
    }
}

/// Why an eviction was refused for now; an error that asking again does not change is one.
fn refusal(error: ApiError) -> Result<String, ApiError> {
    match &error {
        // Budgets answer 429; several of them for one pod, or one that cannot be computed, 500.
        ApiError::Refused { status, message, .. }
            if matches!(
                *status,
                StatusCode::TOO_MANY_REQUESTS
                    | StatusCode::INTERNAL_SERVER_ERROR
                    | StatusCode::CONFLICT
            ) =>
        {
            Ok(message.trim_end_matches('.').to_owned())
        }
        _ => Err(error),
    }
}

fn identity(pod: &Object) -> (String, String) {
    let text = |key: &str| pod["metadata"][key].as_str().unwrap_or_default().to_owned();
    (text("namespace"), text("name"))
}

/// Whether a pod has to leave: not one that has ended, one that belongs to the node (a mirror of a static pod), or one
/// that a daemon set would put here again at once.
fn leaves(pod: &Object) -> bool {
    let metadata = &pod["metadata"];
    let owners = metadata["ownerReferences"].as_array().map(Vec::as_slice).unwrap_or_default();
    let ended = matches!(pod["status"]["phase"].as_str(), Some("Succeeded" | "Failed"));
    let mirror = !metadata["annotations"]["kubernetes.io/config.mirror"].is_null();
    let daemon =
        owners.iter().any(|owner| owner["controller"] == true && owner["kind"] == "DaemonSet");
    !(ended || mirror || daemon)
}

fn note(leaving: &mut BTreeMap<(String, String), Leaving>, pod: &Object) {
    let identity = identity(pod);
    if !leaves(pod) {
        leaving.remove(&identity);
        return;
    }
    let known = leaving.entry(identity).or_default();
    known.accepted |= !pod["metadata"]["deletionTimestamp"].is_null();
}

fn learn(leaving: &mut BTreeMap<(String, String), Leaving>, event: &Event) {
    match event {
        Event::Present(pod) => note(leaving, pod),
        Event::Gone(pod) => drop(leaving.remove(&identity(pod))),
        Event::Bookmark(_) => {}
    }
}

/// The pods that are still there, and what they wait for.
fn describe(leaving: &BTreeMap<(String, String), Leaving>) -> String {
    let pods = leaving.iter().map(|((namespace, name), pod)| match pod.accepted {
        true => format!("{namespace}/{name} stops"),
        false => format!("{namespace}/{name} must stay for now ({})", pod.refused),
    });
    pods.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pod(name: &str, more: Object) -> Object {
        let mut pod = json!({ "metadata": { "namespace": "default", "name": name } });
        for (section, fields) in more.as_object().unwrap() {
            for (key, value) in fields.as_object().unwrap() {
                pod[section][key] = value.clone();
            }
        }
        pod
    }

    #[test]
    fn pods_leave_unless_the_node_would_have_them_back() {
        let owner = |kind: &str| json!([{ "kind": kind, "name": "x", "controller": true }]);
        let cases = [
            (json!({}), true),
            (json!({ "metadata": { "ownerReferences": owner("ReplicaSet") } }), true),
            (json!({ "metadata": { "ownerReferences": owner("Job") } }), true),
            (json!({ "status": { "phase": "Pending" } }), true),
            (json!({ "metadata": { "ownerReferences": owner("DaemonSet") } }), false),
            (
                json!({ "metadata": { "annotations": { "kubernetes.io/config.mirror": "0" } } }),
                false,
            ),
            (json!({ "status": { "phase": "Succeeded" } }), false),
            (json!({ "status": { "phase": "Failed" } }), false),
        ];
        for (more, expected) in cases {
            assert_eq!(leaves(&pod("a", more.clone())), expected, "{more}");
        }
    }

    #[test]
    fn what_happens_to_pods_decides_what_is_waited_for() {
        let mut leaving = BTreeMap::new();
        let stopping = json!({ "metadata": { "deletionTimestamp": "2026-01-01T00:00:00Z" } });
        note(&mut leaving, &pod("a", json!({})));
        note(&mut leaving, &pod("b", stopping));
        assert_eq!(describe(&leaving), "default/a must stay for now (), default/b stops");
        // A pod that was bound before the cordon comes in late, and one ends by itself.
        learn(&mut leaving, &Event::Present(pod("c", json!({}))));
        learn(&mut leaving, &Event::Present(pod("a", json!({ "status": { "phase": "Failed" } }))));
        learn(&mut leaving, &Event::Gone(pod("b", json!({}))));
        learn(&mut leaving, &Event::Bookmark("7".to_owned()));
        assert_eq!(leaving.keys().map(|(_, name)| name.as_str()).collect::<Vec<_>>(), ["c"]);
    }

    #[test]
    fn only_a_refusal_that_may_pass_is_waited_out() {
        let refused = |status| ApiError::Refused {
            action: "write eviction of Pod default/a".to_owned(),
            status,
            reason: String::new(),
            message: "Cannot evict pod as it would violate the pod's disruption budget.".to_owned(),
        };
        assert_eq!(
            refusal(refused(StatusCode::TOO_MANY_REQUESTS)).unwrap(),
            "Cannot evict pod as it would violate the pod's disruption budget"
        );
        assert!(refusal(refused(StatusCode::FORBIDDEN)).is_err());
    }
}
