//! `health --run-e2e`: the conformance tests of Kubernetes, run by their own image as a pod of the cluster.

use anyhow::{Context, bail};
use kubernetes::{ApiError, Client, Event, Kind, Object};
use serde_json::json;

/// Where the tests run, and the name of everything that is made for them.
const NAME: &str = "ichor-e2e";
const IMAGE: &str = "registry.k8s.io/conformance";
/// Those that go side by side and disturb nothing else.
const FOCUS: &str = r"\[Conformance\]";
const SKIP: &str = r"\[Serial\]|\[Disruptive\]|\[Slow\]|\[Flaky\]";

/// What is made, in this order, and taken away again in the other.
fn objects(version: &str) -> [Object; 4] {
    let metadata = json!({ "namespace": NAME, "name": NAME });
    [
        json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": {
            "name": NAME,
            // The tests look into the nodes.
            "labels": { "pod-security.kubernetes.io/enforce": "privileged" },
        } }),
        json!({ "apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata }),
        json!({
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "ClusterRoleBinding",
            "metadata": { "name": NAME },
            "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin" },
            "subjects": [{ "kind": "ServiceAccount", "namespace": NAME, "name": NAME }],
        }),
        json!({
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": metadata,
            "spec": {
                "serviceAccountName": NAME,
                "restartPolicy": "Never",
                "tolerations": [{ "operator": "Exists" }],
                "containers": [{
                    "name": "e2e",
                    "image": format!("{IMAGE}:{version}"),
                    "env": [
                        { "name": "E2E_FOCUS", "value": FOCUS },
                        { "name": "E2E_SKIP", "value": SKIP },
                        { "name": "E2E_PARALLEL", "value": "true" },
                        { "name": "E2E_PROVIDER", "value": "skeleton" },
                        { "name": "RESULTS_DIR", "value": "/tmp/results" },
                    ],
                }],
            },
        }),
    ]
}

/// Runs the tests of the server's own version; fails when one of them does.
pub(super) async fn run(client: &Client, mut tell: impl FnMut(&str)) -> anyhow::Result<()> {
    let server = client.document("/version").await?;
    let version = server["gitVersion"].as_str().context("the API server has no version")?;
    tell(&format!(
        "running the conformance tests of Kubernetes {version} as pod {NAME}/{NAME}, from the image {IMAGE}:{version}"
    ));
    let objects = objects(version);
    let [namespace, others @ ..] = &objects;
    match client.create(namespace).await {
        Err(error) if error.is_conflict() => bail!(
            "the tests run already, or were interrupted: wait for them, or delete the namespace {NAME}"
        ),
        made => made?,
    };
    let passed = async {
        for object in others {
            client.create(object).await?;
        }
        follow(client, &mut tell).await
    }
    .await;
    for object in objects.iter().rev() {
        let text = |value: &Object| value.as_str().unwrap_or_default().to_owned();
        let (api_version, kind) = (text(&object["apiVersion"]), text(&object["kind"]));
        let (namespace, name) =
            (text(&object["metadata"]["namespace"]), text(&object["metadata"]["name"]));
        let kind = Kind { api_version: &api_version, kind: &kind };
        if let Err(error) = client.delete(kind, &namespace, &name).await {
            tell(&format!("{error}"));
        }
    }
    match passed {
        Ok(true) => {
            tell("the conformance tests passed");
            Ok(())
        }
        Ok(false) => bail!("conformance tests failed; their log is above"),
        Err(error) => Err(error.into()),
    }
}

/// Follows the pod to its end and prints its log then; whether it succeeded.
async fn follow(client: &Client, tell: &mut impl FnMut(&str)) -> Result<bool, ApiError> {
    let query = format!("fieldSelector=metadata.name%3D{NAME}");
    let mut last = String::new();
    loop {
        let (pods, version) = client.list(Kind::core("Pod"), NAME, &query).await?;
        // A pod that somebody has deleted did not pass.
        let Some(mut pod) = pods.into_iter().next() else { return Ok(false) };
        let mut watch = client.watch(Kind::core("Pod"), NAME, &query, &version).await?;
        loop {
            let state = state(&pod);
            if state != last {
                tell(&format!("conformance tests: {state}"));
                last = state;
            }
            if let Some(phase @ ("Succeeded" | "Failed")) = pod["status"]["phase"].as_str() {
                let path = format!("/api/v1/namespaces/{NAME}/pods/{NAME}/log");
                tell(client.text(&path).await?.trim_end());
                return Ok(phase == "Succeeded");
            }
            match watch.next().await {
                Ok(Some(Event::Present(changed))) => pod = changed,
                Ok(Some(Event::Bookmark(_))) => {}
                // The server ends a watch from time to time.
                Ok(Some(Event::Gone(_)) | None) => break,
                Err(error) if error.is_expired() => break,
                Err(error) => return Err(error),
            }
        }
    }
}

/// The phase of a pod, and what its container waits for.
fn state(pod: &Object) -> String {
    let phase = pod["status"]["phase"].as_str().unwrap_or("Pending").to_owned();
    let waiting = &pod["status"]["containerStatuses"][0]["state"]["waiting"];
    match (waiting["reason"].as_str(), waiting["message"].as_str()) {
        (Some(reason), Some(message)) => format!("{phase}, {reason}: {message}"),
        (Some(reason), None) => format!("{phase}, {reason}"),
        _ => phase,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_state_of_a_pod_says_what_it_waits_for() {
        assert_eq!(state(&json!({})), "Pending");
        assert_eq!(state(&json!({ "status": { "phase": "Running" } })), "Running");
        let waiting = json!({ "waiting": { "reason": "ErrImagePull", "message": "no route" } });
        let pod = json!({ "status": { "phase": "Pending", "containerStatuses": [{ "state": waiting }] } });
        assert_eq!(state(&pod), "Pending, ErrImagePull: no route");
    }

    #[test]
    fn everything_is_in_the_namespace_or_carries_its_name() {
        for object in objects("v1.37.2") {
            assert_eq!(object["metadata"]["name"], NAME, "{object}");
        }
        assert_eq!(
            objects("v1.37.2")[3]["spec"]["containers"][0]["image"],
            "registry.k8s.io/conformance:v1.37.2"
        );
    }
}
