//! A whole cluster, as a user has it: created, used, hurt, healed and destroyed.
//!
//! The steps run in this order against one cluster of one control plane and one worker. They need
//! root and what `cargo xtask all` builds; without either they fail and say so.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]
#![allow(clippy::print_stdout, reason = "a test says what it measured")]

mod cluster;
mod documented;
#[path = "../outcome/mod.rs"]
mod outcome;
#[path = "../pages/mod.rs"]
mod pages;
mod process;
mod steps;
mod trouble;
mod workload;

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::MetadataExt as _;
use std::process::{ExitCode, Stdio};
use std::time::Duration;

use provision::spec::Role;

use crate::cluster::{Cluster, Kind};
use crate::outcome::{Outcome, ensure, eventually};
use crate::steps::Step;
use crate::workload::{HOST_PORT, NAMESPACE};

/// The steps, in the order in which they run.
const STEPS: [(&str, Step); 19] = [
    ("all_nodes_are_ready", all_nodes_are_ready),
    ("name_servers_run", name_servers_run),
    ("service_answers_by_name_from_the_other_node", service_answers),
    ("logs_and_exec", logs_and_exec),
    ("port_forward", port_forward),
    ("host_port", host_port),
    ("the_node_tells_about_itself", the_node_tells_about_itself),
    ("nothing_is_waited_for_any_more", nothing_is_waited_for),
    ("control_plane_heals_from_kills", control_plane_heals),
    ("worker_heals_from_kills", worker_heals),
    ("workload_survives_a_reboot", workload_survives_a_reboot),
    ("workload_survives_a_power_cut", workload_survives_a_power_cut),
    ("creating_again_changes_nothing", creating_again_changes_nothing),
    ("creating_again_gives_power", creating_again_gives_power),
    ("documented_commands_work", documented::run),
    ("bad_configurations_are_refused_and_the_old_one_stays", trouble::bad_configurations),
    ("an_interrupted_creation_is_finished_by_the_next", trouble::interrupted_creation),
    ("an_api_server_that_never_comes_up_is_named", trouble::api_server_never_comes_up),
    ("a_full_disk_is_said_and_heals", trouble::full_disk),
];

fn main() -> ExitCode {
    steps::run(Kind::Native, "test", &STEPS, destroy_leaves_nothing)
}

fn all_nodes_are_ready(cluster: &Cluster) -> Outcome {
    let nodes = cluster.object(&["get", "nodes"])?;
    let items = nodes["items"].as_array().cloned().unwrap_or_default();
    ensure(items.len() == 2, || format!("{} nodes instead of 2", items.len()))?;
    for node in &items {
        let conditions = node["status"]["conditions"].as_array().cloned().unwrap_or_default();
        let ready = conditions.iter().any(|c| c["type"] == "Ready" && c["status"] == "True");
        ensure(ready, || format!("{} is not Ready: {conditions:?}", node["metadata"]["name"]))?;
    }
    Ok(())
}

fn name_servers_run(cluster: &Cluster) -> Outcome {
    let wait =
        ["-n", "kube-system", "wait", "--for=condition=Ready", "pod", "-l", "k8s-app=kube-dns"];
    cluster.kubectl(&[wait.as_slice(), &["--timeout=60s"]].concat()).map(|_| ())
}

fn service_answers(cluster: &Cluster) -> Outcome {
    workload::deploy(cluster)?;
    workload::answers(cluster, Duration::from_secs(30))
}

fn logs_and_exec(cluster: &Cluster) -> Outcome {
    let logs = cluster.kubectl(&["-n", NAMESPACE, "logs", "deployment/web"])?;
    ensure(logs.contains("listening on") && logs.contains("GET / "), || format!("logs: {logs}"))?;
    let exec = ["-n", NAMESPACE, "exec", "deployment/web", "--", "/httpd", "get"];
    let answer =
        cluster.kubectl(&[exec.as_slice(), &["http://127.0.0.1:8080/healthz"]].concat())?;
    ensure(answer == "ok\n", || format!("exec printed {answer:?}"))
}

fn port_forward(cluster: &Cluster) -> Outcome {
    let failed = |error: std::io::Error| format!("forwarding a port: {error}");
    let mut forward = cluster
        .kubectl_command(&["-n", NAMESPACE, "port-forward", "service/web", ":80"])
        .stdout(Stdio::piped())
        .spawn()
        .map_err(failed)?;
    let outcome = (|| {
        let stdout = forward.stdout.take().ok_or("no output")?;
        let mut line = String::new();
        // It says more later, and ends when nobody listens.
        let mut lines = BufReader::new(stdout);
        lines.read_line(&mut line).map_err(failed)?;
        // Forwarding from 127.0.0.1:40123 -> 8080
        let address = line.split(' ').nth(2).ok_or_else(|| format!("kubectl printed {line:?}"))?;
        let mut stream = TcpStream::connect(address).map_err(failed)?;
        stream.write_all(b"GET /hostname HTTP/1.1\r\nHost: web\r\n\r\n").map_err(failed)?;
        let answer = response(&mut stream).map_err(failed)?;
        ensure(answer.contains("200 OK") && answer.contains("web-"), || format!("answer: {answer}"))
    })();
    // The forwarding never ends by itself.
    let _ = forward.kill();
    let _ = forward.wait();
    outcome
}

/// Reads one response to the end of its body; how the connection ends after it is the forwarder's.
fn response(stream: &mut TcpStream) -> std::io::Result<String> {
    let mut reader = BufReader::new(stream);
    let (mut text, mut length) = (String::new(), 0);
    loop {
        let start = text.len();
        reader.read_line(&mut text)?;
        let line = text[start..].trim_end();
        if let Some(value) = line.strip_prefix("Content-Length: ") {
            length = value.parse().map_err(std::io::Error::other)?;
        }
        if line.is_empty() {
            break;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    Ok(text + &String::from_utf8_lossy(&body))
}

fn host_port(cluster: &Cluster) -> Outcome {
    let worker = cluster.node(Role::Worker)?;
    let url = format!("http://{}:{HOST_PORT}/", worker.address);
    let answer = workload::ask(cluster, "ask-host-port", &["get", &url], true)?;
    ensure(answer.starts_with("hello from web-"), || format!("answer: {answer}"))
}

/// A cluster that is Ready has nothing left to wait for, and says so.
fn nothing_is_waited_for(cluster: &Cluster) -> Outcome {
    for node in cluster.nodes()? {
        let address = node.address.to_string();
        eventually("nothing is waited for", Duration::from_secs(10), || {
            let waits = cluster.ichorctl(&["--nodes", &address, "get", "waits"])?;
            // The head of the table.
            ensure(waits.lines().count() <= 1, || format!("{} waits:\n{waits}", node.name))
        })?;
    }
    Ok(())
}

fn the_node_tells_about_itself(cluster: &Cluster) -> Outcome {
    let control_plane = cluster.node(Role::ControlPlane)?.address.to_string();
    let worker = cluster.node(Role::Worker)?.address.to_string();
    let both = format!("{control_plane},{worker}");
    for (arguments, expected) in [
        (vec!["--nodes", &both, "version"], vec![control_plane.as_str(), worker.as_str()]),
        (vec!["--nodes", &control_plane, "services"], vec!["etcd", "kubelet", "apid", "trustd"]),
        (vec!["--nodes", &worker, "services"], vec!["kubelet", "apid"]),
        (vec!["--nodes", &both, "get", "nodenames"], vec!["controlplane", "worker"]),
        (vec!["--nodes", &worker, "get", "links"], vec!["eth0"]),
        (vec!["--nodes", &worker, "logs", "kubelet", "--tail", "5"], vec![]),
        (vec!["--nodes", &control_plane, "etcd", "members"], vec!["controlplane"]),
        (vec!["--nodes", &worker, "memory"], vec!["TOTAL"]),
        (vec!["--nodes", &worker, "processes"], vec!["machined"]),
        (vec!["--nodes", &control_plane, "containers", "--kubernetes"], vec!["kube-apiserver"]),
        (vec!["--nodes", &control_plane, "health", "--wait-timeout", "1m"], vec![]),
    ] {
        let answer = cluster.ichorctl(&arguments)?;
        ensure(!answer.is_empty() || expected.is_empty(), || {
            format!("{arguments:?} printed nothing")
        })?;
        for word in expected {
            ensure(answer.contains(word), || {
                format!("{arguments:?} does not say {word}:\n{answer}")
            })?;
        }
    }
    let wrong = cluster.ichorctl(&["--nodes", &worker, "get", "nosuchresource"]);
    ensure(wrong.is_err_and(|error| error.contains("nosuchresource")), || {
        "a resource that does not exist was found".to_owned()
    })
}

/// Kills a program of a node and waits until another process has its place.
fn kill_and_heal(cluster: &Cluster, role: Role, program: &str) -> Outcome {
    let node = cluster.node(role)?;
    let first = cluster.first_process(&node)?;
    let before = process::below(first, program);
    let victim =
        *before.first().ok_or_else(|| format!("{program} does not run on {}", node.name))?;
    process::kill(victim)?;
    let what = format!("{program} of {} is back", node.name);
    eventually(&what, Duration::from_secs(30), || {
        let now: BTreeSet<i32> = process::below(first, program).into_iter().collect();
        let new = now.iter().any(|pid| !before.contains(pid));
        ensure(new && now.len() == before.len(), || format!("before {before:?}, now {now:?}"))
    })
}

fn control_plane_heals(cluster: &Cluster) -> Outcome {
    let control_plane = cluster.node(Role::ControlPlane)?.address.to_string();
    for program in ["machined", "apid", "trustd", "kubelet", "etcd", "containerd"] {
        kill_and_heal(cluster, Role::ControlPlane, program)?;
        eventually("the Kubernetes API is ready", Duration::from_secs(60), || {
            cluster.kubectl(&["get", "--raw", "/readyz", "--request-timeout=2s"])
        })?;
        eventually("the machine API answers", Duration::from_secs(30), || {
            cluster.ichorctl(&["--nodes", &control_plane, "version", "--short"])
        })?;
    }
    workload::answers(cluster, Duration::from_secs(60))
}

fn worker_heals(cluster: &Cluster) -> Outcome {
    let before = workload::container(cluster)?;
    for program in ["machined", "containerd", "kubelet", "apid"] {
        kill_and_heal(cluster, Role::Worker, program)?;
    }
    let worker = cluster.node(Role::Worker)?.name;
    let node = format!("node/{worker}");
    cluster.kubectl(&["wait", "--for=condition=Ready", &node, "--timeout=60s"])?;
    workload::answers(cluster, Duration::from_secs(60))?;
    let after = workload::container(cluster)?;
    ensure(before == after, || format!("the workload was restarted: {before:?}, then {after:?}"))
}

fn workload_survives_a_reboot(cluster: &Cluster) -> Outcome {
    let worker = cluster.node(Role::Worker)?;
    let first = cluster.first_process(&worker)?;
    cluster.ichorctl(&["--nodes", &worker.address.to_string(), "reboot", "--wait"])?;
    let now = cluster.first_process(&worker)?;
    ensure(now != first, || format!("{} has the same first process as before", worker.name))?;
    workload::answers(cluster, Duration::from_secs(90))
}

fn workload_survives_a_power_cut(cluster: &Cluster) -> Outcome {
    let worker = cluster.node(Role::Worker)?;
    workload::customer(cluster)?;
    cluster.place(&["reboot", "--node", &worker.name])?;
    workload::answers_customer(cluster, Duration::from_secs(90))
}

fn creating_again_changes_nothing(cluster: &Cluster) -> Outcome {
    let control_plane = cluster.node(Role::ControlPlane)?;
    let first = cluster.first_process(&control_plane)?;
    cluster.create_again()?;
    let now = cluster.first_process(&control_plane)?;
    ensure(now == first, || "the control plane was started again".to_owned())
}

fn creating_again_gives_power(cluster: &Cluster) -> Outcome {
    let worker = cluster.node(Role::Worker)?;
    cluster.place(&["power", "off", &worker.name])?;
    ensure(cluster.first_process(&worker).is_err(), || format!("{} still runs", worker.name))?;
    cluster.create_again()?;
    cluster.first_process(&worker).map(|_| ())
}

fn destroy_leaves_nothing(cluster: &Cluster) -> Outcome {
    let path = cluster.directory().path().to_owned();
    let mut firsts = Vec::new();
    for node in cluster.nodes()? {
        firsts.push(cluster.first_process(&node)?);
    }
    // The group carries the directory's number, so that another cluster's is not taken for it.
    let inode = fs::metadata(&path).map_err(|error| format!("{}: {error}", path.display()))?.ino();
    cluster.destroy()?;
    ensure(!path.exists(), || format!("{} is still there", path.display()))?;
    for pid in firsts {
        ensure(fs::metadata(format!("/proc/{pid}")).is_err(), || {
            format!("process {pid} still runs")
        })?;
    }
    let base = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let name = format!("ichor-{base}-{inode}");
    let place = path.display().to_string();
    for (file, mark, what) in
        [("/proc/self/mountinfo", &place, "a mount"), ("/proc/self/cgroup", &name, "a cgroup")]
    {
        let text = fs::read_to_string(file).map_err(|error| format!("reading {file}: {error}"))?;
        ensure(!text.contains(mark), || format!("{what} of the cluster is left:\n{text}"))?;
    }
    let group = left_group(std::path::Path::new("/sys/fs/cgroup"), &name, 5);
    ensure(group.is_none(), || format!("the cgroup {group:?} is left"))
}

/// A control group that carries the cluster's name.
fn left_group(directory: &std::path::Path, name: &str, depth: u32) -> Option<std::path::PathBuf> {
    for entry in fs::read_dir(directory).ok()?.flatten() {
        if !entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            continue;
        }
        if entry.file_name().to_string_lossy().contains(name) {
            return Some(entry.path());
        }
        let below = (depth > 0).then(|| left_group(&entry.path(), name, depth - 1)).flatten();
        if below.is_some() {
            return below;
        }
    }
    None
}
