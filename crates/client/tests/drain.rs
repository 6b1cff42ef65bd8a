//! Draining against a real API server with a real etcd behind it; the test plays the part of the node's kubelet.
//!
//! Needs the programs of etcd and Kubernetes; `ICHOR_COMPONENTS` names their directory.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use std::net::{IpAddr, Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use client::{Drain, DrainError};
use kubernetes::{Access, Client, Kind};
use pki::{Algorithm, Authority, ExtendedUsage, Leaf, PrivateKey, System, Validity};
use serde_json::{Value, json};

const POD: Kind<'static> = Kind::core("Pod");
const BUDGET: Kind<'static> = Kind { api_version: "policy/v1", kind: "PodDisruptionBudget" };

fn components() -> Option<PathBuf> {
    let directory = std::env::var_os("ICHOR_COMPONENTS").map(PathBuf::from);
    let has = |directory: &PathBuf| {
        ["etcd", "kubernetes"].iter().all(|name| directory.join(name).exists())
    };
    if directory.as_ref().is_some_and(has) {
        return directory;
    }
    eprintln!(
        "SKIPPED: ICHOR_COMPONENTS names no directory with etcd and kubernetes; draining was NOT tested"
    );
    None
}

struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn start(program: &Path, log: &Path, arguments: &[String]) -> Server {
    let log = std::fs::File::create(log).unwrap();
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
    Server(command.spawn().unwrap())
}

/// A cluster that is only its API, for as long as the servers are held.
async fn api(components: &Path, root: &Path) -> (Client, [Server; 2]) {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    let validity = Validity::starting(now.as_secs().cast_signed() - 60, 3600);
    let key = || PrivateKey::generate(Algorithm::EcdsaP256).unwrap();
    let authority = Authority::create(key(), "kubernetes", validity, &mut System).unwrap();
    let server = Leaf::new(&[ExtendedUsage::ServerAuth], validity)
        .common_name("kube-apiserver")
        .names(["localhost".to_owned()], [IpAddr::V4(Ipv4Addr::LOCALHOST)]);
    let server = authority.issue(&server, &mut System).unwrap();
    let admin = Leaf::client(&["system:masters".to_owned()], validity).common_name("admin");
    let admin = authority.issue(&admin, &mut System).unwrap();
    let file = |name: &str, text: &str| {
        std::fs::write(root.join(name), text).unwrap();
        root.join(name).display().to_string()
    };
    let ca = file("ca.crt", &authority.certificate_pem());
    let certificate = file("server.crt", &server.certificate_pem());
    let server_key = file("server.key", &server.key_pem().unwrap());
    let accounts = file("sa.key", &key().to_pem().unwrap());

    let (client_port, peer_port, port) = (free_port(), free_port(), free_port());
    let (etcd, peer) =
        (format!("http://127.0.0.1:{client_port}"), format!("http://127.0.0.1:{peer_port}"));
    let etcd_arguments = [
        "--name=one".to_owned(),
        format!("--data-dir={}", root.join("data").display()),
        format!("--listen-client-urls={etcd}"),
        format!("--advertise-client-urls={etcd}"),
        format!("--listen-peer-urls={peer}"),
        format!("--initial-advertise-peer-urls={peer}"),
        format!("--initial-cluster=one={peer}"),
    ];
    let store = start(&components.join("etcd"), &root.join("etcd.log"), &etcd_arguments);
    // One program is all of Kubernetes; its name decides.
    let program = root.join("kube-apiserver");
    std::os::unix::fs::symlink(components.join("kubernetes").canonicalize().unwrap(), &program)
        .unwrap();
    let arguments = [
        format!("--etcd-servers={etcd}"),
        format!("--client-ca-file={ca}"),
        format!("--tls-cert-file={certificate}"),
        format!("--tls-private-key-file={server_key}"),
        format!("--service-account-key-file={accounts}"),
        format!("--service-account-signing-key-file={accounts}"),
        format!("--service-account-issuer=https://127.0.0.1:{port}"),
        format!("--secure-port={port}"),
        "--bind-address=127.0.0.1".to_owned(),
        "--advertise-address=127.0.0.1".to_owned(),
        "--authorization-mode=RBAC".to_owned(),
        "--service-cluster-ip-range=10.96.0.0/16".to_owned(),
        // Nobody makes service accounts here.
        "--disable-admission-plugins=ServiceAccount".to_owned(),
        "--endpoint-reconciler-type=none".to_owned(),
    ];
    let log = root.join("api.log");
    let server = start(&program, &log, &arguments);
    let access = Access {
        server: format!("https://127.0.0.1:{port}"),
        authority: authority.certificate_pem(),
        identity: Some((admin.certificate_pem(), admin.key_pem().unwrap())),
        ..Access::default()
    };
    let client = Client::new(&access).unwrap();
    let begun = Instant::now();
    let default = Kind::core("Namespace");
    while !matches!(client.object(default, "", "default").await, Ok(Some(_))) {
        let said = std::fs::read_to_string(&log).unwrap();
        assert!(begun.elapsed() < Duration::from_secs(120), "{said}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    (client, [store, server])
}

/// A pod on the node; `grace` is how many seconds its kubelet has to stop it.
async fn pod(client: &Client, name: &str, grace: u32, metadata: Value, phase: &str) {
    let mut pod = json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": { "namespace": "default", "name": name },
        "spec": {
            "nodeName": "one",
            "terminationGracePeriodSeconds": grace,
            "containers": [{ "name": "main", "image": "registry.k8s.io/pause:3.10" }],
        },
    });
    for (key, value) in metadata.as_object().unwrap() {
        pod["metadata"][key] = value.clone();
    }
    client.create(&pod).await.unwrap();
    let ready = json!([{ "type": "Ready", "status": "True" }]);
    let status = json!({ "status": { "phase": phase, "conditions": ready } });
    client.merge(POD, "default", &format!("{name}/status"), &status).await.unwrap();
}

#[tokio::test]
async fn pods_leave_and_budgets_are_kept() {
    let Some(components) = components() else { return };
    let root = tempfile::tempdir().unwrap();
    let (client, _servers) = api(&components, root.path()).await;
    let node = json!({ "apiVersion": "v1", "kind": "Node", "metadata": { "name": "one" } });
    client.create(&node).await.unwrap();
    let owner = |kind: &str| {
        let owner = json!({ "apiVersion": "apps/v1", "kind": kind, "name": "x", "uid": "1", "controller": true });
        json!({ "ownerReferences": [owner] })
    };
    pod(&client, "web", 30, owner("ReplicaSet"), "Running").await;
    pod(&client, "daemon", 30, owner("DaemonSet"), "Running").await;
    let mirror = json!({ "annotations": { "kubernetes.io/config.mirror": "x" } });
    pod(&client, "static", 30, mirror, "Running").await;
    pod(&client, "ended", 30, json!({}), "Succeeded").await;
    pod(&client, "guarded", 0, json!({ "labels": { "app": "guarded" } }), "Running").await;
    let budget = json!({
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": { "namespace": "default", "name": "guarded" },
        "spec": { "minAvailable": 1, "selector": { "matchLabels": { "app": "guarded" } } },
    });
    client.create(&budget).await.unwrap();
    // What the controller of budgets would say: one pod is there, one must be.
    let allow = async |pods: u32| {
        let status = json!({ "status": {
            "observedGeneration": 1, "disruptionsAllowed": pods, "expectedPods": 1,
            "currentHealthy": 1, "desiredHealthy": 1 - pods,
        } });
        client.merge(BUDGET, "default", "guarded/status", &status).await.unwrap();
    };
    allow(0).await;

    let drain = Drain::new(client.clone(), "one");
    assert!(drain.cordon().await.unwrap(), "the node was open");
    assert!(!drain.cordon().await.unwrap(), "the node is closed now");
    let (told, mut heard) = tokio::sync::mpsc::unbounded_channel();
    let evict = drain.evict(|state| told.send(state.to_owned()).unwrap());
    let outside = async {
        let first = heard.recv().await.unwrap();
        assert!(first.contains("default/web stops"), "{first}");
        assert!(first.contains("default/guarded must stay for now (Cannot evict pod"), "{first}");
        assert!(!first.contains("daemon") && !first.contains("static"), "{first}");
        // The kubelet has stopped the pod.
        client.delete(POD, "default", "web?gracePeriodSeconds=0").await.unwrap();
        let second = heard.recv().await.unwrap();
        assert!(!second.contains("web") && second.contains("guarded"), "{second}");
        allow(1).await;
        Instant::now()
    };
    let (result, allowed) = tokio::join!(evict, outside);
    result.unwrap();
    // The change of the budget is what woke it, not the clock.
    assert!(allowed.elapsed() < Duration::from_secs(4), "{:?}", allowed.elapsed());
    let (left, _) = client.list(POD, "default", "").await.unwrap();
    let mut left: Vec<_> = left.iter().filter_map(|pod| pod["metadata"]["name"].as_str()).collect();
    left.sort_unstable();
    assert_eq!(left, ["daemon", "ended", "static"]);

    drain.uncordon().await.unwrap();
    let node = client.object(Kind::core("Node"), "", "one").await.unwrap().unwrap();
    assert!(node["spec"]["unschedulable"].is_null(), "{node}");
    let missing = Drain::new(client.clone(), "two").cordon().await;
    assert!(matches!(missing, Err(DrainError::NoNode(_))), "{missing:?}");
}
