//! How fast a cluster starts and what its nodes cost, measured from outside with a user's programs.
//!
//! `cargo bench -p xtask --bench start` prints a table with the goals. The asking programs run on the
//! cores that the cluster starts on, so every figure includes their cost.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a benchmark fails by panicking")]
#![allow(clippy::print_stdout, reason = "a benchmark prints its figures")]

#[path = "../tests/cluster/cluster.rs"]
#[allow(dead_code, reason = "the tests of the cluster use more of it")]
mod cluster;
mod moments;
#[path = "../tests/outcome/mod.rs"]
#[allow(dead_code, reason = "the tests use more of it")]
mod outcome;
#[path = "../tests/cluster/process.rs"]
mod process;
#[path = "../tests/cluster/workload.rs"]
#[allow(dead_code, reason = "the tests of the cluster use more of it")]
mod workload;

use std::fs;
use std::time::{Duration, Instant};

use provision::spec::Role;

use crate::cluster::{Cluster, Kind, Node};
use crate::moments::{Row, TICKS, age_of_first, api_server_ready, fields, nodes_ready, until};
use crate::outcome::Outcome;

/// How long nothing happens while the cost of a node at rest is measured.
const REST: Duration = Duration::from_secs(60);
/// The figure that is compared with the baseline's.
const READY: &str = "PID 1 to node Ready";
/// How often a command is run that is over soon.
const RUNS: usize = 51;

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
    let mut rows = measured.unwrap();
    destroyed.unwrap();
    let (table, upstream) = moments::baseline("run", &[]).unwrap();
    let own = rows.iter().find(|row| row.what == READY).unwrap().value;
    rows.push(Row {
        what: "PID 1 to node Ready, divided by upstream's parts started by a script",
        value: own / upstream,
        unit: "",
        goal: Some(1.1),
    });
    moments::print(&rows);
    println!("\n{table}");
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
    let server = moments::access(cluster, &machine)?;
    let api_server = api_server_ready(cluster, &server);
    let nodes = nodes_ready(cluster, &server, 2)?;
    let status = creation.wait().map_err(|error| format!("waiting for ichorctl: {error}"))?;
    if !status.success() {
        return Err(format!("ichorctl cluster create ended with {status}"));
    }
    let ready = nodes.get(&control_plane.name);
    let ready = ready.ok_or_else(|| format!("{} never was Ready", control_plane.name))?;

    let mut rows = vec![
        Row { what: "PID 1 to API answers", value: since(api, began), unit: "s", goal: Some(0.3) },
        Row {
            what: "PID 1 to API server ready",
            value: since(api_server, began),
            unit: "s",
            goal: Some(8.0),
        },
        Row {
            what: "PID 1 to node Ready",
            value: since(*ready, began),
            unit: "s",
            goal: Some(18.0),
        },
    ];
    rows.extend(at_rest(cluster, &control_plane)?);
    rows.push(services(cluster, &control_plane)?);
    let value = joining(cluster, &worker, &server)?;
    rows.push(Row {
        what: "worker that joins: PID 1 to node Ready",
        value,
        unit: "s",
        goal: Some(6.0),
    });

    workload::deploy(cluster)?;
    workload::answers(cluster, Duration::from_secs(60))?;
    workload::customer(cluster)?;
    let cut = Instant::now();
    cluster.place(&["reboot", "--node", &worker.name])?;
    workload::answers_customer(cluster, Duration::from_secs(120))?;
    let value = cut.elapsed().as_secs_f64();
    rows.push(Row { what: "power cut to workload answers", value, unit: "s", goal: Some(15.0) });
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
    let ready = nodes_ready(cluster, server, 2)?;
    let ready = ready.get(&worker.name).ok_or("the worker never was Ready")?;
    Ok(ready.duration_since(began).as_secs_f64())
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
            goal: Some(45.0),
        },
        Row {
            what: "processor time of machined in a minute at rest",
            value: used,
            unit: "s",
            goal: Some(0.1),
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
    Ok(Row {
        what: "ichorctl services against a node, median",
        value,
        unit: "ms",
        goal: Some(10.0),
    })
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
