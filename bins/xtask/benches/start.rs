//! How fast a cluster starts and what its nodes cost, measured from outside with a user's programs.
//!
//! `cargo bench -p xtask --bench start` prints a table with the goals. The asking programs run on the
//! cores that the cluster starts on, so every figure includes their cost.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a benchmark fails by panicking")]
#![allow(clippy::print_stdout, reason = "a benchmark prints its figures")]

#[path = "../tests/cluster/cluster.rs"]
#[allow(dead_code, reason = "the tests of the cluster use more of it")]
mod cluster;
#[path = "../tests/cluster/process.rs"]
mod process;
#[path = "../tests/cluster/workload.rs"]
#[allow(dead_code, reason = "the tests of the cluster use more of it")]
mod workload;

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::process::Stdio;
use std::time::{Duration, Instant};

use provision::spec::Role;

use crate::cluster::{Cluster, Kind, Node, Outcome};

/// Processor ticks in a second, as /proc counts them.
const TICKS: f64 = 100.0;
/// The API server's port.
const API_SERVER: u16 = 6443;
/// How long nothing happens while the cost of a node at rest is measured.
const REST: Duration = Duration::from_secs(60);
/// How often a command is run that is over soon.
const RUNS: usize = 51;

struct Row {
    what: &'static str,
    value: f64,
    unit: &'static str,
    goal: f64,
}

fn main() {
    let cluster = Cluster::prepare(Kind::Native, "bench").unwrap();
    let measured = measure(&cluster);
    if measured.is_err() {
        cluster.consoles();
    }
    let timeline = cluster.node(Role::ControlPlane).and_then(|node| {
        cluster.ichorctl(&["--nodes", &node.address.to_string(), "health", "--timeline"])
    });
    let destroyed = cluster.destroy();
    let rows = measured.unwrap();
    destroyed.unwrap();
    println!("| figure | value | goal | |\n|---|---|---|---|");
    for row in &rows {
        let mark = if row.value <= row.goal { "reached" } else { "missed" };
        println!(
            "| {} | {:.2} {} | {:.2} {} | {mark} |",
            row.what, row.value, row.unit, row.goal, row.unit
        );
    }
    println!("\n```text\n{}\n```", timeline.unwrap_or_else(|error| error).trim());
}

fn measure(cluster: &Cluster) -> Outcome<Vec<Row>> {
    let mut creation = cluster.start_creating()?;
    let control_plane = until(|| cluster.node(Role::ControlPlane), Duration::from_millis(5));
    let worker = cluster.node(Role::Worker)?;
    let began = age_of_first(cluster, &control_plane);
    let since = |moment: Instant, began: Instant| moment.duration_since(began).as_secs_f64();

    // The configurations that the user asked for are written when all is done; here they are taken sooner.
    let address = control_plane.address.to_string();
    let access = cluster.directory().file("talosconfig").display().to_string();
    let machine = ["--talosconfig", &access, "--nodes", &address];
    let version = || cluster.ichorctl(&[&["version", "--short"], &machine[..]].concat());
    let api = until(|| version().map(|_| Instant::now()), Duration::from_millis(5));
    let kubeconfig = cluster.file("kubeconfig");
    let take = ["kubeconfig", &kubeconfig, "--merge=false", "--force"];
    until(|| cluster.ichorctl(&[&take, &machine[..]].concat()), Duration::from_millis(50));
    // It names the node as other nodes see it; from here the way leads over a port of the host.
    let spec = cluster.directory().spec().map_err(|error| error.to_string())?;
    let port = spec.forwarded(API_SERVER).ok_or("the API server has no port of the host")?;
    let server = format!("--server=https://{port}");
    let ready = || cluster.kubectl(&["get", "--raw", "/readyz", "--request-timeout=2s", &server]);
    let api_server = until(|| ready().map(|_| Instant::now()), Duration::from_millis(200));
    let nodes = nodes_ready(cluster, &server)?;
    let status = creation.wait().map_err(|error| format!("waiting for ichorctl: {error}"))?;
    if !status.success() {
        return Err(format!("ichorctl cluster create ended with {status}"));
    }
    let ready = nodes.get(&control_plane.name);
    let ready = ready.ok_or_else(|| format!("{} never was Ready", control_plane.name))?;

    let mut rows = vec![
        Row { what: "PID 1 to API answers", value: since(api, began), unit: "s", goal: 0.3 },
        Row {
            what: "PID 1 to API server ready",
            value: since(api_server, began),
            unit: "s",
            goal: 8.0,
        },
        Row { what: "PID 1 to node Ready", value: since(*ready, began), unit: "s", goal: 18.0 },
    ];
    rows.extend(at_rest(cluster, &control_plane)?);
    rows.push(services(cluster, &control_plane)?);
    let value = joining(cluster, &worker, &server)?;
    rows.push(Row { what: "worker that joins: PID 1 to node Ready", value, unit: "s", goal: 6.0 });

    workload::deploy(cluster)?;
    workload::answers(cluster, Duration::from_secs(60))?;
    workload::customer(cluster)?;
    let cut = Instant::now();
    cluster.place(&["reboot", "--node", &worker.name])?;
    workload::answers_customer(cluster, Duration::from_secs(120))?;
    let value = cut.elapsed().as_secs_f64();
    rows.push(Row { what: "power cut to workload answers", value, unit: "s", goal: 15.0 });
    Ok(rows)
}

/// A worker that nobody has seen before joins the cluster: how long it takes until it is Ready.
fn joining(cluster: &Cluster, worker: &Node, server: &str) -> Outcome<f64> {
    cluster.place(&["power", "off", &worker.name])?;
    cluster.kubectl(&["delete", "node", &worker.name, server])?;
    let files = cluster.directory().node(&worker.name);
    for name in ["var", "state"] {
        fs::remove_dir_all(files.join(name))
            .map_err(|error| format!("removing {name}: {error}"))?;
    }
    cluster.place(&["power", "on", &worker.name])?;
    let began = age_of_first(cluster, worker);
    let ready = nodes_ready(cluster, server)?;
    let ready = ready.get(&worker.name).ok_or("the worker never was Ready")?;
    Ok(ready.duration_since(began).as_secs_f64())
}

/// Tries until it works; the cluster's own time limit ends a start that fails.
fn until<T>(mut attempt: impl FnMut() -> Outcome<T>, pause: Duration) -> T {
    let begun = Instant::now();
    loop {
        match attempt() {
            Ok(value) => return value,
            Err(error) => assert!(begun.elapsed() < Duration::from_secs(300), "{error}"),
        }
        std::thread::sleep(pause);
    }
}

/// When the node's first process was started.
fn age_of_first(cluster: &Cluster, node: &Node) -> Instant {
    let pid = until(|| cluster.first_process(node), Duration::from_millis(2));
    let uptime: f64 =
        fs::read_to_string("/proc/uptime").unwrap().split(' ').next().unwrap().parse().unwrap();
    let started = fields(pid).unwrap()[19].parse::<f64>().unwrap() / TICKS;
    Instant::now() - Duration::from_secs_f64((uptime - started).max(0.0))
}

/// The fields of a process's status line that come after its name.
fn fields(pid: i32) -> Outcome<Vec<String>> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat"))
        .map_err(|error| format!("process {pid}: {error}"))?;
    let rest = text.rsplit_once(')').map(|(_, rest)| rest).unwrap_or_default();
    Ok(rest.split_whitespace().map(str::to_owned).collect())
}

/// Watches until both nodes are Ready; when each became so.
fn nodes_ready(cluster: &Cluster, server: &str) -> Outcome<BTreeMap<String, Instant>> {
    let columns =
        "custom-columns=N:.metadata.name,R:.status.conditions[?(@.type==\"Ready\")].status";
    let failed = |error: std::io::Error| format!("watching nodes: {error}");
    let mut watch = cluster
        .kubectl_command(&["get", "nodes", "--watch", "--no-headers", "-o", columns, server])
        .stdout(Stdio::piped())
        .spawn()
        .map_err(failed)?;
    let mut ready = BTreeMap::new();
    let lines = watch.stdout.take().map(|stdout| BufReader::new(stdout).lines());
    for line in lines.into_iter().flatten() {
        let line = line.map_err(failed)?;
        let mut words = line.split_whitespace();
        if let (Some(name), Some("True")) = (words.next(), words.next()) {
            ready.entry(name.to_owned()).or_insert_with(Instant::now);
        }
        if ready.len() == 2 {
            break;
        }
    }
    // A watch never ends by itself.
    let _ = watch.kill();
    let _ = watch.wait();
    Ok(ready)
}

/// Memory and processor time of Ichor's own processes while nothing happens.
fn at_rest(cluster: &Cluster, node: &Node) -> Outcome<Vec<Row>> {
    let first = cluster.first_process(node)?;
    let mut own = vec![first];
    for name in ["machined", "apid", "trustd"] {
        own.extend(process::below(first, name));
    }
    own.sort_unstable();
    own.dedup();
    let machined = process::only(first, "machined")?;
    let before = ticks(machined)?;
    std::thread::sleep(REST);
    let used = (ticks(machined)? - before) / TICKS;
    let mut kilobytes = 0.0;
    for pid in own {
        kilobytes += proportional(pid)?;
    }
    Ok(vec![
        Row {
            what: "memory at rest, PSS of Ichor's processes",
            value: kilobytes / 1024.0,
            unit: "MiB",
            goal: 45.0,
        },
        Row {
            what: "processor time of machined in a minute at rest",
            value: used,
            unit: "s",
            goal: 0.1,
        },
    ])
}

/// `ichorctl services` as a whole process, from start to end.
fn services(cluster: &Cluster, node: &Node) -> Outcome<Row> {
    let address = node.address.to_string();
    let mut times = Vec::with_capacity(RUNS);
    for _ in 0..RUNS {
        let begun = Instant::now();
        cluster.ichorctl(&["--nodes", &address, "services"])?;
        times.push(begun.elapsed().as_secs_f64() * 1000.0);
    }
    times.sort_by(f64::total_cmp);
    let value = times[RUNS / 2];
    Ok(Row { what: "ichorctl services against a node, median", value, unit: "ms", goal: 10.0 })
}

fn ticks(pid: i32) -> Outcome<f64> {
    let fields = fields(pid)?;
    let number =
        |at: usize| fields.get(at).and_then(|text| text.parse::<f64>().ok()).unwrap_or_default();
    Ok(number(11) + number(12))
}

fn proportional(pid: i32) -> Outcome<f64> {
    let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup"))
        .map_err(|error| format!("process {pid}: {error}"))?;
    let line = text.lines().find(|line| line.starts_with("Pss:")).unwrap_or_default();
    line.split_whitespace()
        .nth(1)
        .and_then(|text| text.parse().ok())
        .ok_or_else(|| format!("process {pid}: no Pss"))
}
