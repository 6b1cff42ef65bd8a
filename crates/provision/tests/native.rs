//! Clusters on the real kernel, with an image whose init is this very program.
//!
//! Needs root; makes namespaces, cgroups and loop devices of its own and proves at the end that
//! nothing else of the host has changed.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod host;
mod image;

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use provision::spec::{ClusterSpec, Forward, Provisioner, Request, RootImage, Size};
use provision::state::ClusterDirectory;
use provision::supervisor::{self, Command, NodeState, Power};

fn main() -> ExitCode {
    if std::env::args_os().next().is_some_and(|name| name == "/sbin/init") {
        return image::init();
    }
    if let Some(code) = supervisor::hidden_role(std::env::args_os()) {
        return code;
    }
    if std::env::args().nth(1).is_some_and(|argument| argument == PREFLIGHT) {
        return preflight_here();
    }
    if std::env::args().nth(1).is_some_and(|argument| argument == START) {
        return start_here();
    }
    let tests: [(&str, fn()); 10] = [
        ("without_root_only_what_matters_is_said", without_root_only_what_matters_is_said),
        ("nodes_run_apart_and_reach_each_other", nodes_run_apart_and_reach_each_other),
        ("power_is_a_machines", power_is_a_machines),
        ("two_clusters_run_side_by_side", two_clusters_run_side_by_side),
        ("a_killed_supervisor_takes_its_nodes_along", a_killed_supervisor_takes_its_nodes_along),
        ("a_port_in_use_is_named_and_nothing_stays", a_port_in_use_is_named_and_nothing_stays),
        ("an_interrupted_start_is_finished_by_the_next", an_interrupted_start_is_finished),
        ("starts_at_once_make_one_cluster", starts_at_once_make_one_cluster),
        ("an_image_without_init_is_named", an_image_without_init_is_named),
        ("nodes_reach_the_world_through_the_gateway", nodes_reach_the_world_through_the_gateway),
    ];
    let wanted = std::env::args().nth(1).filter(|name| !name.starts_with('-'));
    let mut failed = false;
    for (name, test) in tests {
        if wanted.as_ref().is_some_and(|wanted| !name.contains(wanted.as_str())) {
            continue;
        }
        let before = host::Picture::take();
        let ok = std::panic::catch_unwind(test).is_ok();
        let changes = host::Picture::take().differences(&before);
        let verdict = if ok && changes.is_empty() { "ok" } else { "FAILED" };
        println!("test {name} ... {verdict}");
        for change in &changes {
            println!("  the host has changed: {change}");
        }
        failed |= verdict != "ok";
    }
    if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

/// The argument with which this program starts the cluster in a directory, as a command of its own.
const START: &str = "start-here";

fn start_here() -> ExitCode {
    let path = std::env::args_os().nth(2).expect("a directory");
    match supervisor::start(&ClusterDirectory::at(path.into())) {
        Ok(_) => ExitCode::SUCCESS,
        Err(error) => {
            println!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// The argument with which this program looks at the host for a cluster and prints what it found.
const PREFLIGHT: &str = "preflight-here";

fn preflight_here() -> ExitCode {
    let size = Size { millicpus: 1000, memory: 2 << 30 };
    let request = Request {
        name: "x".into(),
        network: "10.5.0.0/24".parse().unwrap(),
        mtu: 1500,
        control_planes: 1,
        workers: 0,
        control_plane_size: size,
        worker_size: size,
        provisioner: Provisioner::Native {
            root: RootImage::Squashfs("/does/not/exist.sqfs".into()),
        },
        image_cache: None,
    };
    let spec = request.plan().unwrap();
    let host = provision::preflight::Host::look(&spec, Path::new("/does/not/exist"));
    for finding in provision::preflight::judge(&host, &spec) {
        println!("{:?} {finding}", finding.severity);
    }
    ExitCode::SUCCESS
}

fn without_root_only_what_matters_is_said() {
    let log = tempfile::NamedTempFile::new().unwrap();
    let child = sys::process::Spawn::new("/proc/self/exe")
        .arg(PREFLIGHT)
        .user(65534, 65534)
        .capabilities(sys::process::Capabilities::NONE)
        .log_to(log.path())
        .spawn()
        .unwrap();
    assert!(child.wait().unwrap().success());
    let text = fs::read_to_string(log.path()).unwrap();
    let missing: Vec<_> = text.lines().filter(|line| line.starts_with("Missing")).collect();
    assert_eq!(missing.len(), 2, "{text}");
    assert!(text.contains("not the root user") && text.contains("sudo"), "{text}");
    assert!(text.contains("/does/not/exist.sqfs is no root image"), "{text}");
}

/// A cluster that is destroyed when the test ends, however it ends.
struct Cluster {
    directory: ClusterDirectory,
    spec: ClusterSpec,
    _state: tempfile::TempDir,
}

impl Cluster {
    fn plan(name: &str, workers: usize) -> Self {
        let state = tempfile::tempdir().unwrap();
        let root = image::build(&state.path().join("image"));
        let size = Size { millicpus: 1000, memory: 256 << 20 };
        let request = Request {
            name: name.into(),
            network: "10.5.0.0/24".parse().unwrap(),
            mtu: 1500,
            control_planes: 1,
            workers,
            control_plane_size: size,
            worker_size: size,
            provisioner: Provisioner::Native { root: RootImage::Directory(root) },
            image_cache: None,
        };
        let directory = ClusterDirectory::new(state.path(), name);
        directory.create().unwrap();
        let mut spec = request.plan().unwrap();
        spec.forwards = vec![Forward {
            listen: free_address(),
            port: image::PORT,
            nodes: vec![spec.nodes[0].address],
        }];
        Self { directory, spec, _state: state }
    }

    fn start(self) -> Self {
        self.directory.save_spec(&self.spec).unwrap();
        assert!(supervisor::start(&self.directory).expect("the cluster starts (needs root)"));
        self
    }

    fn ask(&self, command: &Command) -> Vec<NodeState> {
        supervisor::ask(self.directory.path(), command).unwrap()
    }

    /// What the first node answers to `question`.
    fn query(&self, question: &str) -> String {
        query(self.spec.forwards[0].listen, question)
    }

    fn console(&self, node: usize) -> String {
        let name = &self.spec.nodes[node].name;
        fs::read_to_string(self.directory.console(name)).unwrap_or_default()
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        supervisor::destroy(&self.directory).unwrap();
        assert!(!self.directory.path().exists());
    }
}

fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

/// Asks until the node's server, which takes a moment to listen, answers.
fn query(address: SocketAddr, question: &str) -> String {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let mut stream = TcpStream::connect(address).unwrap();
        let mut answer = String::new();
        let asked =
            writeln!(stream, "{question}").and_then(|()| stream.read_to_string(&mut answer));
        if asked.is_ok() && !answer.is_empty() {
            return answer.trim_end().to_owned();
        }
        assert!(Instant::now() < deadline, "no answer to {question:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Waits until the supervisor's picture of the first node is as wanted.
fn until(cluster: &Cluster, wanted: impl Fn(&NodeState) -> bool) -> NodeState {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let state = cluster.ask(&Command::Status).swap_remove(0);
        if wanted(&state) {
            return state;
        }
        assert!(Instant::now() < deadline, "the node stays {state:?}: {}", cluster.console(0));
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn nodes_run_apart_and_reach_each_other() {
    let cluster = Cluster::plan("apart", 1).start();
    assert_eq!(cluster.query("hostname"), "apart-controlplane-1");
    assert_eq!(cluster.query("pid"), "1");
    assert_eq!(cluster.query("read /etc/resolv.conf"), "nameserver 10.5.0.1");
    assert_eq!(cluster.query("write /etc/hostname"), "ReadOnlyFilesystem");
    assert_eq!(cluster.query("write /var/x"), "ok");
    assert_eq!(cluster.query("env PLATFORM"), "container");
    // The worker's server, asked by the control plane over the bridge.
    let worker = cluster.spec.nodes[1].address;
    let question = format!("ask {worker} hostname");
    let deadline = Instant::now() + Duration::from_secs(20);
    while cluster.query(&question) != "apart-worker-1" {
        assert!(Instant::now() < deadline, "the worker does not answer the control plane");
    }
    // Only the node's own processes and cgroups are visible.
    assert_eq!(cluster.query("processes"), "1");
    for line in cluster.query("read /proc/self/cgroup").lines() {
        if !line.contains("net_") && !line.contains("perf") && !line.contains("hugetlb") {
            assert!(line.ends_with(":/"), "{line}");
        }
    }
    // A second start finds the first.
    assert!(!supervisor::start(&cluster.directory).unwrap());
}

fn power_is_a_machines() {
    let cluster = Cluster::plan("power", 0).start();
    let name = cluster.spec.nodes[0].name.clone();
    assert_eq!(cluster.query("write /var/x"), "ok");
    let first = until(&cluster, |node| node.power == Power::On);

    assert_eq!(cluster.query("reboot"), "ok");
    let second = until(&cluster, |node| node.starts == 2 && node.power == Power::On);
    assert_ne!(first.pid, second.pid);
    assert_eq!(cluster.query("read /var/x"), "x", "a disk was lost in a reboot");

    assert_eq!(cluster.query("poweroff"), "ok");
    until(&cluster, |node| node.power == Power::Off);
    let on = cluster.ask(&Command::PowerOn(name.clone()));
    assert_eq!((on[0].starts, &on[0].power), (3, &Power::On));

    assert_eq!(cluster.query("pid"), "1");
    let off = cluster.ask(&Command::PowerCut(name.clone()));
    assert_eq!((off[0].pid, &off[0].power), (None, &Power::Off));
    cluster.ask(&Command::PowerOn(name));
    assert_eq!(cluster.query("read /var/x"), "x", "a disk was lost in a power cut");

    assert_eq!(cluster.query("exit"), "ok");
    let failed = until(&cluster, |node| matches!(node.power, Power::Failed(_)));
    let Power::Failed(reason) = failed.power else { unreachable!() };
    assert!(reason.contains("exit code 7") && reason.contains("giving up"), "{reason}");

    let error =
        supervisor::ask(cluster.directory.path(), &Command::PowerOn("x".into())).unwrap_err();
    assert!(error.to_string().contains("power-controlplane-1"), "{error}");
}

fn two_clusters_run_side_by_side() {
    let a = Cluster::plan("same", 0).start();
    let b = Cluster::plan("same", 0).start();
    assert_eq!(a.query("write /var/x"), "ok");
    assert_eq!(b.query("read /var/x"), "NotFound");
    drop(a);
    assert_eq!(b.query("hostname"), "same-controlplane-1");
}

fn a_killed_supervisor_takes_its_nodes_along() {
    let cluster = Cluster::plan("killed", 0).start();
    let node = until(&cluster, |node| node.power == Power::On).pid.unwrap();
    let node = sys::process::Process::open(node).unwrap();
    let record: serde_json::Value =
        serde_json::from_slice(&fs::read(cluster.directory.file("supervisor.json")).unwrap())
            .unwrap();
    let supervisor = i32::try_from(record["pid"].as_i64().unwrap()).unwrap();
    sys::process::Process::open(supervisor).unwrap().signal(sys::Signal::KILL).unwrap();
    assert!(sys::signal::wait_readable(&node, Some(Duration::from_secs(10))).unwrap());
    drop(cluster.directory.lock().unwrap());
    let error = supervisor::ask(cluster.directory.path(), &Command::Status).unwrap_err();
    assert!(error.to_string().contains("not running"), "{error}");
    // The same command that makes a cluster brings it back, disks included.
    assert!(supervisor::start(&cluster.directory).unwrap());
    assert_eq!(cluster.query("pid"), "1");
}

fn a_port_in_use_is_named_and_nothing_stays() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut cluster = Cluster::plan("port", 0);
    cluster.spec.forwards[0].listen = taken.local_addr().unwrap();
    cluster.directory.save_spec(&cluster.spec).unwrap();
    let error = supervisor::start(&cluster.directory).unwrap_err().to_string();
    let address = taken.local_addr().unwrap().to_string();
    assert!(error.contains(&address) && error.contains("in use"), "{error}");
    assert!(supervisor::ask(cluster.directory.path(), &Command::Status).is_err());
    // With the port free again, the interrupted start goes through.
    drop(taken);
    assert!(supervisor::start(&cluster.directory).unwrap());
}

/// Starts the cluster in a process of its own.
fn starting(cluster: &Cluster) -> std::process::Child {
    std::process::Command::new("/proc/self/exe")
        .arg(START)
        .arg(cluster.directory.path())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap()
}

fn an_interrupted_start_is_finished() {
    let cluster = Cluster::plan("interrupted", 1);
    cluster.directory.save_spec(&cluster.spec).unwrap();
    // From before the supervisor exists to after the nodes do.
    for moment in [0, 5, 15, 40, 100, 300] {
        let mut child = starting(&cluster);
        std::thread::sleep(Duration::from_millis(moment));
        let pid = i32::try_from(child.id()).unwrap();
        // One that has ended already was not interrupted, which is a moment like any other.
        if let Ok(process) = sys::process::Process::open(pid) {
            process.signal(sys::Signal::INT).unwrap();
        }
        child.wait().unwrap();
    }
    supervisor::start(&cluster.directory).unwrap();
    assert_eq!(cluster.query("pid"), "1");
    let first = until(&cluster, |node| node.power == Power::On);
    assert!(!supervisor::start(&cluster.directory).unwrap(), "what runs was started again");
    assert_eq!(until(&cluster, |node| node.power == Power::On).pid, first.pid);
}

fn starts_at_once_make_one_cluster() {
    let cluster = Cluster::plan("atonce", 0);
    cluster.directory.save_spec(&cluster.spec).unwrap();
    let children: Vec<_> = (0..4).map(|_| starting(&cluster)).collect();
    for child in children {
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    }
    assert_eq!(cluster.query("pid"), "1");
    assert_eq!(until(&cluster, |node| node.power == Power::On).starts, 1);
}

fn an_image_without_init_is_named() {
    let mut cluster = Cluster::plan("noinit", 0);
    let Provisioner::Native { root: RootImage::Directory(root) } = &cluster.spec.provisioner else {
        unreachable!()
    };
    fs::remove_file(root.join("sbin/init")).unwrap();
    cluster = cluster.start();
    let failed = until(&cluster, |node| matches!(node.power, Power::Failed(_)));
    assert!(failed.power.to_string().contains("/sbin/init"), "{failed:?}");
}

fn nodes_reach_the_world_through_the_gateway() {
    // A server in the host's own network, where no node has a route to.
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = server.local_addr().unwrap();
    let cluster = Cluster::plan("egress", 0).start();
    let serving = std::thread::spawn(move || {
        let (mut stream, _) = server.accept().unwrap();
        let mut line = String::new();
        BufReader::new(stream.try_clone().unwrap()).read_line(&mut line).unwrap();
        write!(stream, "{}", line.to_uppercase()).unwrap();
    });
    assert_eq!(cluster.query(&format!("direct {address}")), "ConnectionRefused");
    assert_eq!(cluster.query(&format!("proxied {address}")), "HELLO");
    serving.join().unwrap();
    assert!(Path::new("/proc/self/ns/net").exists());
}
