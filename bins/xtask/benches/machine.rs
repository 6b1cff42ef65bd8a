//! How fast a machine starts: from the kernel to maintenance mode, and from the firmware to a Ready node, with the share of
//! each part; beside it the same kernel with a first process that only ends, and upstream's parts started by a script.
//!
//! `cargo bench -p xtask --bench machine` prints tables with the goals. Machines are emulated where KVM does not work: what
//! can be compared then are the ratios, which are taken in one run.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a benchmark fails by panicking")]
#![allow(clippy::print_stdout, reason = "a benchmark prints its figures")]

#[path = "../tests/cluster/cluster.rs"]
#[allow(dead_code, reason = "the tests of the cluster use more of it")]
mod cluster;
#[path = "../tests/boot/guest.rs"]
#[allow(dead_code, reason = "the tests of boots use more of it")]
mod guest;
#[path = "../tests/boot/lab.rs"]
#[allow(dead_code, reason = "the tests of boots use more of it")]
mod lab;
#[allow(dead_code, reason = "the benchmark of clusters in namespaces uses more of it")]
mod moments;
#[path = "../tests/outcome/mod.rs"]
#[allow(dead_code, reason = "the tests use more of it")]
mod outcome;

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use provision::qemu::BOARD;
use provision::spec::Role;

use crate::cluster::{Cluster, Kind};
use crate::guest::{Around, Guest};
use crate::lab::Lab;
use crate::moments::{Row, age_of_first, api_server_ready, nodes_ready, until};
use crate::outcome::Outcome;

/// How often a machine is started that only goes into maintenance mode.
const RUNS: usize = 3;
/// The first thing that the kernel says.
const KERNEL: &str = "Linux version";

fn main() {
    let lab = Lab::open().unwrap();
    println!("machines run by {}\n", lab.executes());
    moments::print(&maintenance(&lab).unwrap());

    let cluster = Cluster::prepare(Kind::Machine(&[]), "bench-machine").unwrap();
    let measured = ready(&cluster);
    if measured.is_err() {
        cluster.consoles();
    }
    let destroyed = cluster.destroy();
    let (mut rows, own) = measured.unwrap();
    destroyed.unwrap();
    let (accelerator, processor) = lab.accelerator();
    let (table, upstream) = moments::baseline("machine", &[&accelerator, &processor]).unwrap();
    rows.push(Row {
        what: "kernel to Ready, divided by upstream's parts in the same machine",
        value: own / upstream,
        unit: "",
        goal: Some(1.2),
    });
    println!();
    moments::print(&rows);
    println!("\n{table}");
}

/// From the kernel's first line to an answer of the API in maintenance mode, and to the end of a machine that does nothing.
fn maintenance(lab: &Lab) -> Outcome<Vec<Row>> {
    let archive = provision::qemu::trial_archive().map_err(|error| error.to_string())?;
    let initramfs = lab.file("trial.cpio");
    fs::write(&initramfs, archive).map_err(|error| error.to_string())?;
    // Both are the machine that `ichorctl cluster create` makes.
    let usual = Around { board: BOARD, processors: 2, memory: 2048, ..Around::default() };
    let (mut own, mut least) = (Vec::new(), Vec::new());
    for _ in 0..RUNS {
        let around = Around { initramfs: Some(&initramfs), ..usual };
        let mut guest = Guest::start(lab, "least", &around)?;
        guest.says(KERNEL)?;
        let kernel = Instant::now();
        guest.ends()?;
        least.push(kernel.elapsed().as_secs_f64());
        let mut guest = Guest::start(lab, "maintenance", &usual)?;
        guest.says(KERNEL)?;
        let kernel = Instant::now();
        own.push(answered(lab, &mut guest)?.duration_since(kernel).as_secs_f64());
        guest.cut()?;
    }
    let (own, least) = (median(own), median(least));
    Ok(vec![
        Row { what: "kernel to an answer in maintenance mode", value: own, unit: "s", goal: None },
        Row {
            what: "kernel to the end of a machine that does nothing",
            value: least,
            unit: "s",
            goal: None,
        },
        Row { what: "divided", value: own / least, unit: "", goal: Some(1.5) },
    ])
}

/// When the API first answers. Nobody asks before the machine has said that it has an address: until then no answer can
/// come, the emulator's network lets callers hang, and their work would be done by the processors that are measured.
fn answered(lab: &Lab, guest: &mut Guest) -> Outcome<Instant> {
    guest.says("addresses: 10.")?;
    let version = ["version", "--insecure", "--nodes", &guest.api()];
    Ok(until(|| lab.ichorctl(&version).map(|_| Instant::now()), Duration::from_millis(10)))
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// A cluster of one machine; also returns the time from the kernel's first line to Ready.
fn ready(cluster: &Cluster) -> Outcome<(Vec<Row>, f64)> {
    let mut creation = cluster.start_creating()?;
    let node = until(|| cluster.node(Role::ControlPlane), Duration::from_millis(5));
    let began = age_of_first(cluster, &node);
    let console = cluster.directory().console(&node.name);
    let says = |what: &str| until(|| said(&console, what), Duration::from_millis(20));
    let kernel = says(KERNEL);
    let machined = says("machined starts");
    let configured = says("a volume is made");
    let address = node.address.to_string();
    let talosconfig = cluster.directory().file("talosconfig").display().to_string();
    let machine = ["--talosconfig", &talosconfig, "--nodes", &address];
    let server = moments::access(cluster, &machine)?;
    let api_server = api_server_ready(cluster, &server);
    let nodes = nodes_ready(cluster, &server, 1)?;
    let ready = *nodes.get(&node.name).ok_or("the node never was Ready")?;
    let status = creation.wait().map_err(|error| format!("waiting for ichorctl: {error}"))?;
    if !status.success() {
        return Err(format!("ichorctl cluster create ended with {status}"));
    }
    let row = |what, from: Instant, to: Instant| Row {
        what,
        value: to.duration_since(from).as_secs_f64(),
        unit: "s",
        goal: None,
    };
    let rows = vec![
        row("firmware and boot loader", began, kernel),
        row("kernel and init", kernel, machined),
        row(
            "maintenance mode, until a configuration is there and volumes are made",
            machined,
            configured,
        ),
        row("images, etcd, kubelet, until the API server is ready", configured, api_server),
        row("addons and network, until the node is Ready", api_server, ready),
        row("all: firmware to Ready", began, ready),
    ];
    Ok((rows, ready.duration_since(kernel).as_secs_f64()))
}

/// When the console first had the text.
fn said(console: &Path, what: &str) -> Outcome<Instant> {
    let text = fs::read(console).map_err(|error| error.to_string())?;
    let found = String::from_utf8_lossy(&text).contains(what);
    if found { Ok(Instant::now()) } else { Err(format!("the console does not say {what:?}")) }
}
