//! When something happened, as seen from outside: what the benchmarks of clusters have in common.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::cluster::{Cluster, Node};
use crate::outcome::Outcome;

/// Processor ticks in a second, as /proc counts them.
pub(crate) const TICKS: f64 = 100.0;
/// The API server's port.
const API_SERVER: u16 = 6443;

/// One line of the table.
pub(crate) struct Row {
    pub(crate) what: &'static str,
    pub(crate) value: f64,
    pub(crate) unit: &'static str,
    /// What it should at most be, where that is said.
    pub(crate) goal: Option<f64>,
}

/// Prints the table.
pub(crate) fn print(rows: &[Row]) {
    println!("| figure | value | goal | |\n|---|---|---|---|");
    for Row { what, value, unit, goal } in rows {
        let (goal, mark) = match goal {
            Some(goal) if value <= goal => (format!("{goal:.2} {unit}"), "reached"),
            Some(goal) => (format!("{goal:.2} {unit}"), "missed"),
            None => (String::new(), ""),
        };
        println!("| {what} | {value:.2} {unit} | {goal} | {mark} |");
    }
}

/// Tries until it works; the cluster's own time limit ends a start that fails.
pub(crate) fn until<T>(mut attempt: impl FnMut() -> Outcome<T>, pause: Duration) -> T {
    let begun = Instant::now();
    loop {
        match attempt() {
            Ok(value) => return value,
            Err(error) => assert!(begun.elapsed() < Duration::from_secs(600), "{error}"),
        }
        std::thread::sleep(pause);
    }
}

/// When the node's first process was started.
pub(crate) fn age_of_first(cluster: &Cluster, node: &Node) -> Instant {
    let pid = until(|| cluster.first_process(node), Duration::from_millis(2));
    let uptime: f64 =
        fs::read_to_string("/proc/uptime").unwrap().split(' ').next().unwrap().parse().unwrap();
    let started = fields(pid).unwrap()[19].parse::<f64>().unwrap() / TICKS;
    Instant::now() - Duration::from_secs_f64((uptime - started).max(0.0))
}

/// The fields of a process's status line that come after its name.
pub(crate) fn fields(pid: i32) -> Outcome<Vec<String>> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat"))
        .map_err(|error| format!("process {pid}: {error}"))?;
    let rest = text.rsplit_once(')').map(|(_, rest)| rest).unwrap_or_default();
    Ok(rest.split_whitespace().map(str::to_owned).collect())
}

/// Takes the administrator's configuration from a node as soon as it gives one, and returns kubectl's argument for the
/// way that leads to the API server from here: the configuration names the node as other nodes see it.
pub(crate) fn access(cluster: &Cluster, machine: &[&str]) -> Outcome<String> {
    let kubeconfig = cluster.file("kubeconfig");
    let take = ["kubeconfig", &kubeconfig, "--merge=false", "--force"];
    until(|| cluster.ichorctl(&[&take, machine].concat()), Duration::from_millis(50));
    let spec = cluster.directory().spec().map_err(|error| error.to_string())?;
    let port = spec.forwarded(API_SERVER).ok_or("the API server has no port of the host")?;
    Ok(format!("--server=https://{port}"))
}

/// Waits until the API server is ready, and tells when that was.
pub(crate) fn api_server_ready(cluster: &Cluster, server: &str) -> Instant {
    let ask = ["get", "--raw", "/readyz", "--request-timeout=2s", server];
    until(|| cluster.kubectl(&ask).map(|_| Instant::now()), Duration::from_millis(200))
}

/// Watches until so many nodes are Ready; when each became so.
pub(crate) fn nodes_ready(
    cluster: &Cluster,
    server: &str,
    count: usize,
) -> Outcome<BTreeMap<String, Instant>> {
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
        if ready.len() == count {
            break;
        }
    }
    // A watch never ends by itself.
    let _ = watch.kill();
    let _ = watch.wait();
    Ok(ready)
}

/// Runs one of the baselines, upstream's parts started by a script; its table, and the seconds until its node was Ready.
pub(crate) fn baseline(name: &str, arguments: &[&str]) -> Outcome<(String, f64)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap();
    let script = root.join("benches/baseline").join(name);
    let output = Command::new(&script)
        .args(arguments)
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| format!("starting {}: {error}", script.display()))?;
    let table = String::from_utf8_lossy(&output.stdout).into_owned();
    if !output.status.success() {
        return Err(format!("{} ended with {}\n{table}", script.display(), output.status));
    }
    let line = table.lines().find(|line| line.contains("node is Ready")).unwrap_or_default();
    let seconds = line.split('|').nth(2).and_then(|text| text.trim().parse().ok());
    let seconds = seconds.ok_or_else(|| format!("the baseline printed no time:\n{table}"))?;
    Ok((table, seconds))
}
