//! A whole machine, as a user has it: a virtual one that starts from the disk image through firmware
//! and boot loader, is configured in maintenance mode, becomes a Ready node, and survives what
//! happens to machines.
//!
//! The steps run in this order against one control plane. They need what `cargo xtask all` builds
//! and QEMU, which is emulated where KVM does not work; without either they fail and say so.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]
#![allow(clippy::print_stdout, reason = "a test says what it measured")]

#[path = "../cluster/cluster.rs"]
#[allow(dead_code, reason = "the tests of a local cluster use more of it")]
mod cluster;
#[path = "../outcome/mod.rs"]
mod outcome;
#[path = "../cluster/process.rs"]
#[allow(dead_code, reason = "the tests of a local cluster use more of it")]
mod process;
#[path = "../cluster/steps.rs"]
mod steps;
#[path = "../cluster/workload.rs"]
#[allow(dead_code, reason = "the tests of a local cluster use more of it")]
mod workload;

use std::fs;
use std::process::ExitCode;
use std::time::Duration;

use provision::qemu;
use provision::spec::Role;
use serde_json::Value;

use crate::cluster::{Cluster, Kind};
use crate::outcome::{Outcome, ensure, eventually};
use crate::steps::Step;

/// The steps, in the order in which they run.
const STEPS: [(&str, Step); 6] = [
    ("the_node_is_ready", the_node_is_ready),
    ("its_devices_have_drivers", its_devices_have_drivers),
    ("a_workload_answers", a_workload_answers),
    // Right after images were unpacked: the kernel keeps what is written in memory for half a minute.
    ("a_power_cut_keeps_everything", a_power_cut_keeps_everything),
    ("the_screen_shows_something", the_screen_shows_something),
    ("a_reboot_keeps_everything", a_reboot_keeps_everything),
];

/// What the machine has besides.
const DEVICES: [&str; 2] = ["--with-tpm2", "--with-watchdog"];

/// How long an emulated machine may take to be a Ready node again.
const PATIENCE: Duration = Duration::from_secs(300);

fn main() -> ExitCode {
    steps::run(Kind::Machine(&DEVICES), "machine", &STEPS, destroy_leaves_nothing)
}

fn the_node_is_ready(cluster: &Cluster) -> Outcome {
    let name = cluster.node(Role::ControlPlane)?.name;
    let node = cluster.object(&["get", "node", &name])?;
    let conditions = node["status"]["conditions"].as_array().cloned().unwrap_or_default();
    let ready = conditions.iter().any(|c| c["type"] == "Ready" && c["status"] == "True");
    ensure(ready, || format!("{name} is not Ready: {conditions:?}"))?;
    // There is no worker that could run what is deployed. What Kubernetes itself puts on a node that
    // is not Ready goes a moment after the node is.
    eventually("nothing keeps pods away", PATIENCE, || {
        let taints = cluster.object(&["get", "node", &name])?["spec"]["taints"].take();
        ensure(taints.is_null(), || format!("{name} has taints: {taints}"))
    })?;
    let addresses = node["status"]["addresses"].as_array().cloned().unwrap_or_default();
    let own = cluster.node(Role::ControlPlane)?.address.to_string();
    ensure(addresses.iter().any(|a| a["type"] == "InternalIP" && a["address"] == own), || {
        format!("{name} has the addresses {addresses:?} and not the segment's {own}")
    })
}

fn its_devices_have_drivers(cluster: &Cluster) -> Outcome {
    let address = cluster.node(Role::ControlPlane)?.address.to_string();
    let listed = cluster.ichorctl(&["--nodes", &address, "ls", "/dev"])?;
    let names: Vec<&str> = listed.split_whitespace().collect();
    for device in ["tpm0", "tpmrm0", "watchdog0"] {
        ensure(names.contains(&device), || format!("/dev/{device} is not there: {listed}"))?;
    }
    let links = cluster.ichorctl(&["--nodes", &address, "get", "links", "-o", "yaml"])?;
    ensure(links.contains("driver: virtio_net") && links.contains("busPath: \"0000:"), || {
        format!("no link tells of its device: {links}")
    })?;
    let node = cluster.node(Role::ControlPlane)?;
    let path = cluster.directory().file("nodes").join(&node.name).join("identity");
    let identity = fs::read_to_string(&path)
        .map_err(|error| format!("reading {}: {error}", path.display()))?;
    let get = ["--nodes", &address, "get", "systeminformation", "-o", "yaml"];
    let said = cluster.ichorctl(&get)?;
    ensure(said.contains(identity.trim()), || format!("{said}\nhas no UUID {identity}"))
}

fn a_workload_answers(cluster: &Cluster) -> Outcome {
    // Emulated, an API server that has just become ready refuses more than a client of today is used to.
    eventually("the workload is accepted", PATIENCE, || workload::deploy(cluster))?;
    workload::answers(cluster, PATIENCE)
}

fn the_screen_shows_something(cluster: &Cluster) -> Outcome {
    let name = cluster.node(Role::ControlPlane)?.name;
    let output = cluster.directory().file("screen.png").display().to_string();
    cluster.place(&["screenshot", &name, "--output", &output])?;
    let picture = fs::read(&output).map_err(|error| format!("reading {output}: {error}"))?;
    ensure(picture.starts_with(b"\x89PNG"), || format!("{output} is no PNG"))?;
    // An empty screen of 720 by 400 dots is some hundred bytes.
    ensure(picture.len() > 2000, || format!("the screen is empty: {} bytes", picture.len()))
}

/// What must not change when a machine starts again.
fn identity(cluster: &Cluster) -> Outcome<(Value, Value)> {
    let name = cluster.node(Role::ControlPlane)?.name;
    let node = cluster.object(&["get", "node", &name])?;
    Ok((node["metadata"]["uid"].clone(), node["status"]["nodeInfo"]["machineID"].clone()))
}

/// Which start of the machine the kubelet last told of; what else is known of a node may be from before.
fn start(cluster: &Cluster) -> Outcome<String> {
    let name = cluster.node(Role::ControlPlane)?.name;
    let node = cluster.object(&["get", "node", &name])?;
    let start = node["status"]["nodeInfo"]["bootID"].as_str();
    start.map(str::to_owned).ok_or_else(|| format!("{name} never told of its start: {node}"))
}

/// Has something done to the machine and waits until it is a node again, the same one as before, and its workload answers.
fn comes_back(cluster: &Cluster, act: impl FnOnce() -> Outcome) -> Outcome {
    let (before, first) = (identity(cluster)?, start(cluster)?);
    act()?;
    let name = cluster.node(Role::ControlPlane)?.name;
    eventually("the kubelet tells of another start", PATIENCE, || {
        ensure(start(cluster)? != first, || format!("the last it told of is still {first}"))
    })?;
    let node = format!("node/{name}");
    cluster.kubectl(&["wait", "--for=condition=Ready", &node, "--timeout=300s"])?;
    let after = identity(cluster)?;
    ensure(before == after, || format!("another node came back: {before:?}, then {after:?}"))?;
    workload::answers(cluster, PATIENCE)
}

fn a_reboot_keeps_everything(cluster: &Cluster) -> Outcome {
    let address = cluster.node(Role::ControlPlane)?.address.to_string();
    comes_back(cluster, || {
        let reboot = ["--nodes", &address, "reboot", "--wait", "--timeout", "5m"];
        cluster.ichorctl(&reboot).map(|_| ())
    })
}

/// The emulator's end is a power cut: nothing that the machine still had in memory reaches its disk.
fn a_power_cut_keeps_everything(cluster: &Cluster) -> Outcome {
    let node = cluster.node(Role::ControlPlane)?;
    comes_back(cluster, || {
        process::kill(cluster.first_process(&node)?)?;
        eventually("the machine is off", Duration::from_secs(10), || {
            let shown = cluster.place(&["show"])?;
            ensure(shown.trim_end().ends_with("off"), || shown.clone())
        })?;
        cluster.create_again()
    })
}

fn destroy_leaves_nothing(cluster: &Cluster) -> Outcome {
    let path = cluster.directory().path().to_owned();
    let node = cluster.node(Role::ControlPlane)?;
    let pid = cluster.first_process(&node)?;
    let picture = qemu::screenshot(&cluster.directory(), &node.name);
    ensure(picture.exists(), || format!("{} is not there", picture.display()))?;
    cluster.destroy()?;
    ensure(!path.exists(), || format!("{} is still there", path.display()))?;
    ensure(fs::metadata(format!("/proc/{pid}")).is_err(), || format!("process {pid} still runs"))
}
