//! The workload of the tests: a Deployment with a Service on the worker, if there is one, and pods that ask it.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use provision::spec::Role;
use serde_json::{Value, json};

use crate::cluster::Cluster;
use crate::outcome::{Outcome, eventually};

/// The image of the server and of its client.
const IMAGE: &str = "ghcr.io/ichor-os/httpd:1";
/// The namespace of everything here.
pub(crate) const NAMESPACE: &str = "shop";
/// The port of the worker that leads to the server.
pub(crate) const HOST_PORT: u16 = 18080;

/// The namespace. The cluster's default admission forbids pods ports and the network of their node.
pub(crate) fn namespace() -> Value {
    json!({
        "apiVersion": "v1", "kind": "Namespace",
        "metadata": {
            "name": NAMESPACE,
            "labels": { "pod-security.kubernetes.io/enforce": "privileged" },
        },
    })
}

/// How long a pod may take that has to start: emulated, containers are made slowly.
const PATIENCE: &str = "--timeout=150s";

/// Puts the server on the worker; in a cluster without, on the control plane.
pub(crate) fn deploy(cluster: &Cluster) -> Outcome {
    let node = cluster.node(Role::Worker).or_else(|_| cluster.node(Role::ControlPlane))?.name;
    let labels = json!({ "app": "web" });
    cluster.apply(&[
        namespace(),
        json!({
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": { "name": "web", "namespace": NAMESPACE },
            "spec": {
                "replicas": 1,
                "selector": { "matchLabels": labels },
                "template": {
                    "metadata": { "labels": labels },
                    "spec": {
                        "nodeSelector": { "kubernetes.io/hostname": node },
                        "tolerations": [{
                            "key": "node-role.kubernetes.io/control-plane", "operator": "Exists"
                        }],
                        "containers": [{
                            "name": "web",
                            "image": IMAGE,
                            "imagePullPolicy": "IfNotPresent",
                            "ports": [{ "containerPort": 8080, "hostPort": HOST_PORT }],
                            "readinessProbe": {
                                "httpGet": { "path": "/healthz", "port": 8080 }, "periodSeconds": 1
                            },
                        }],
                    },
                },
            },
        }),
        json!({
            "apiVersion": "v1", "kind": "Service",
            "metadata": { "name": "web", "namespace": NAMESPACE },
            "spec": { "selector": labels, "ports": [{ "port": 80, "targetPort": 8080 }] },
        }),
    ])?;
    cluster.kubectl(&["-n", NAMESPACE, "rollout", "status", "deployment/web", PATIENCE]).map(|_| ())
}

/// Runs the client in a pod on the control plane and returns what it printed.
pub(crate) fn ask(
    cluster: &Cluster,
    name: &str,
    arguments: &[&str],
    host: bool,
) -> Outcome<String> {
    let node = cluster.node(Role::ControlPlane)?.name;
    let command: Vec<&str> = [&["/httpd"], arguments].concat();
    cluster.apply(&[json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": { "name": name, "namespace": NAMESPACE },
        "spec": {
            "nodeName": node,
            "hostNetwork": host,
            "restartPolicy": "Never",
            "tolerations": [{ "operator": "Exists" }],
            "containers": [{
                "name": "client", "image": IMAGE, "imagePullPolicy": "IfNotPresent", "command": command,
            }],
        },
    })])?;
    let pod = format!("pod/{name}");
    let waited = cluster.kubectl(&[
        "-n",
        NAMESPACE,
        "wait",
        "--for=jsonpath={.status.containerStatuses[0].state.terminated}",
        &pod,
        PATIENCE,
    ]);
    let printed = cluster.kubectl(&["-n", NAMESPACE, "logs", &pod]);
    cluster.kubectl(&[
        "-n",
        NAMESPACE,
        "delete",
        &pod,
        "--wait=false",
        "--grace-period=0",
        "--force",
    ])?;
    match waited {
        Ok(_) => printed,
        Err(error) => Err(format!("{error}\nthe pod printed: {printed:?}")),
    }
}

/// The server answers by its name, from a pod on the other node.
pub(crate) fn answers(cluster: &Cluster, limit: Duration) -> Outcome {
    static QUESTIONS: AtomicU32 = AtomicU32::new(0);
    eventually("the Service answers by name", limit, || {
        let name = format!("ask-{}", QUESTIONS.fetch_add(1, Ordering::Relaxed));
        let answer = ask(cluster, &name, &["get", "http://web.shop/"], false)?;
        if answer.starts_with("hello from web-") { Ok(()) } else { Err(answer) }
    })
}

/// Starts a pod on the control plane that only waits to be told to ask.
pub(crate) fn customer(cluster: &Cluster) -> Outcome {
    let node = cluster.node(Role::ControlPlane)?.name;
    cluster.apply(&[json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": { "name": "customer", "namespace": NAMESPACE },
        "spec": {
            "nodeName": node,
            "tolerations": [{ "operator": "Exists" }],
            "containers": [{ "name": "customer", "image": IMAGE, "imagePullPolicy": "IfNotPresent" }],
        },
    })])?;
    let ready = "--for=condition=Ready";
    cluster.kubectl(&["-n", NAMESPACE, "wait", ready, "pod/customer", "--timeout=60s"]).map(drop)
}

/// The server answers by its name to the customer, who runs already: no pod has to start for the question.
pub(crate) fn answers_customer(cluster: &Cluster, limit: Duration) -> Outcome {
    eventually("the Service answers a running pod", limit, || {
        let ask = ["/httpd", "get", "http://web.shop/"];
        let answer =
            cluster.kubectl(&[&["-n", NAMESPACE, "exec", "customer", "--"], &ask[..]].concat())?;
        if answer.starts_with("hello from web-") { Ok(()) } else { Err(answer) }
    })
}

/// How often the server's container was started, and which one it is.
pub(crate) fn container(cluster: &Cluster) -> Outcome<(u64, String)> {
    let pods = cluster.object(&["-n", NAMESPACE, "get", "pods", "-l", "app=web"])?;
    let status: &Value = &pods["items"][0]["status"]["containerStatuses"][0];
    let id = status["containerID"].as_str().ok_or_else(|| format!("no container: {pods}"))?;
    Ok((status["restartCount"].as_u64().unwrap_or_default(), id.to_owned()))
}
