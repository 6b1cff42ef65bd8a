//! The process that is a cluster's hardware: it holds the network, gives nodes power, starts them
//! again when they reboot, and answers on the cluster's socket.

use std::fs::{File, Permissions};
use std::io::{self, Write as _};
use std::os::linux::fs::MetadataExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use futures::future::join_all;
use sys::Signal;
use sys::cgroup::{CgroupError, Group};
use sys::process::{Child, Exit, ProcessError};
use sys::readiness::Readiness;
use sys::signal::SignalFd;
use thiserror::Error;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot};

use super::chain;
use super::control::{Answer, Command, NodeState, short_path};
use super::egress::{self, EgressError, Uplink};
use super::fabric::{Fabric, FabricError};
use super::forward::{self, ForwardError};
use super::node::{self, NodeError, Place};
use super::power::{Next, Power, after};
use crate::spec::ClusterSpec;
use crate::state::{ClusterDirectory, GROUP, GroupRecord, ProcessRecord, SUPERVISOR, StateError};

/// What a supervisor reports when all nodes have been started.
pub(crate) const READY: &str = "ready";

/// What a supervisor reports when another one was there before it.
pub(crate) const RUNNING: &str = "running";

/// Why a supervisor gave up.
#[derive(Debug, Error)]
enum SupervisorError {
    #[error("another supervisor runs this cluster already")]
    Running,
    #[error(transparent)]
    State(#[from] StateError),
    #[error(transparent)]
    Cgroup(#[from] CgroupError),
    #[error(
        "no cgroup above this process lets new groups use the controllers cpu, memory and pids"
    )]
    NoParent,
    #[error(transparent)]
    Fabric(#[from] FabricError),
    #[error(transparent)]
    Forward(#[from] ForwardError),
    #[error(transparent)]
    Egress(#[from] EgressError),
    #[error("node {name}")]
    Node {
        name: String,
        #[source]
        source: Box<NodeError>,
    },
    #[error("cannot prepare the supervisor")]
    Prepare(#[source] io::Error),
}

enum Event {
    Ended { node: usize, exit: Exit },
    Asked { command: Command, answer: oneshot::Sender<Answer> },
    Told(Signal),
}

/// Runs a supervisor until it is stopped.
pub(crate) fn main(directory: &Path) -> ExitCode {
    let directory = ClusterDirectory::at(directory.to_path_buf());
    // Blocked before there is any thread, so that no thread but the one that reads them sees them.
    let result = SignalFd::new(&[Signal::TERM, Signal::INT])
        .and_then(|signals| {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            Ok((signals, runtime))
        })
        .map_err(SupervisorError::Prepare)
        .and_then(|(signals, runtime)| runtime.block_on(run(&directory, signals)));
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let text = chain(&error);
            eprintln!("supervisor: {text}");
            let another = matches!(error, SupervisorError::Running);
            report(if another { RUNNING } else { &text });
            ExitCode::FAILURE
        }
    }
}

/// Tells whoever started the supervisor; nobody listens any more after the first report.
fn report(text: &str) {
    if let Ok(mut file) =
        File::options().write(true).open(format!("/proc/self/fd/{}", super::READY_FD))
    {
        let _ = file.write_all(text.as_bytes());
    }
    // The reader waits for the last copy of its pipe to close.
    if let Err(error) = sys::process::close_passed(super::READY_FD) {
        eprintln!("supervisor: cannot close the report: {error}");
    }
}

async fn run(directory: &ClusterDirectory, signals: SignalFd) -> Result<(), SupervisorError> {
    let _lock = directory.try_lock()?.ok_or(SupervisorError::Running)?;
    let spec = directory.spec()?;
    let me = i32::try_from(std::process::id()).unwrap_or_default();
    directory.write(SUPERVISOR, &ProcessRecord::of(me).map_err(SupervisorError::Prepare)?)?;

    let group = cluster_group(directory, &spec)?;
    let fabric = Fabric::start(spec.network, spec.gateway(), spec.mtu).await?;
    let outside = Handle::current();
    egress::start(spec.gateway(), Uplink::of_host(), fabric.handle(), outside).await?;
    for wanted in &spec.forwards {
        forward::start(wanted, fabric.handle().clone()).await?;
    }
    let (events, mut queue) = mpsc::channel(64);
    listen(directory, events.clone())?;
    receive_signals(signals, events.clone())?;

    let mut cluster = Cluster {
        slots: vec![Slot::default(); spec.nodes.len()],
        group,
        fabric,
        directory: directory.clone(),
        spec,
        events,
    };
    let started = cluster.start_all().await;
    if let Err(error) = started {
        cluster.stop().await?;
        return Err(error);
    }
    report(READY);
    while let Some(event) = queue.recv().await {
        match event {
            Event::Ended { node, exit } => cluster.ended(node, exit).await,
            Event::Told(signal) => {
                eprintln!("supervisor: {signal:?}: stopping");
                break;
            }
            Event::Asked { command: Command::Stop, answer } => {
                cluster.stop().await?;
                let _ = answer.send(Ok(cluster.states()));
                // The answer is written by a task that this one must let run.
                tokio::task::yield_now().await;
                return Ok(());
            }
            Event::Asked { command, answer } => {
                let _ = answer.send(cluster.command(command).await);
            }
        }
    }
    cluster.stop().await
}

/// The cluster's own cgroup, recorded before it exists.
fn cluster_group(
    directory: &ClusterDirectory,
    spec: &ClusterSpec,
) -> Result<Group, SupervisorError> {
    let parent = Group::current()?.nearest_parent().ok_or(SupervisorError::NoParent)?;
    // Clusters of the same name in different directories are different clusters.
    let inode = directory.path().metadata().map_err(SupervisorError::Prepare)?.st_ino();
    let group = parent.child(format!("ichor-{}-{inode}", spec.name));
    directory.write(GROUP, &GroupRecord::of(&group))?;
    group.create()?;
    group.delegate()?;
    Ok(group)
}

#[derive(Clone, Default)]
struct Slot {
    child: Option<Arc<Child>>,
    power: Option<Power>,
    starts: u32,
}

struct Cluster {
    slots: Vec<Slot>,
    group: Group,
    fabric: Fabric,
    directory: ClusterDirectory,
    spec: ClusterSpec,
    events: mpsc::Sender<Event>,
}

impl Cluster {
    async fn start_all(&mut self) -> Result<(), SupervisorError> {
        let children = join_all((0..self.spec.nodes.len()).map(|node| self.launch(node))).await;
        let mut result = Ok(());
        for (node, child) in children.into_iter().enumerate() {
            match child {
                Ok(child) => self.started(node, child),
                Err(error) => result = Err(error),
            }
        }
        result
    }

    async fn launch(&self, node: usize) -> Result<Child, SupervisorError> {
        let spec = &self.spec.nodes[node];
        let place = Place {
            cluster: &self.spec,
            directory: &self.directory,
            group: self.group.child(&spec.name),
            fabric: &self.fabric,
        };
        node::start(&place, node + 1, spec).await.map_err(|source| SupervisorError::Node {
            name: spec.name.clone(),
            source: Box::new(source),
        })
    }

    fn started(&mut self, node: usize, child: Child) {
        let child = Arc::new(child);
        let slot = &mut self.slots[node];
        slot.starts += 1;
        slot.power = Some(Power::On);
        slot.child = Some(child.clone());
        eprintln!("supervisor: {} is on, process {}", self.spec.nodes[node].name, child.id());
        let events = self.events.clone();
        tokio::spawn(async move {
            if let Ok(exit) = wait(&child).await {
                let _ = events.send(Event::Ended { node, exit }).await;
            }
        });
    }

    async fn start(&mut self, node: usize) {
        match self.launch(node).await {
            Ok(child) => self.started(node, child),
            Err(error) => {
                let reason = chain(&error);
                eprintln!("supervisor: {reason}");
                self.slots[node].power = Some(Power::Failed(reason));
            }
        }
    }

    async fn ended(&mut self, node: usize, exit: Exit) {
        let name = self.spec.nodes[node].name.clone();
        self.slots[node].child = None;
        match after(exit) {
            Next::Start => {
                eprintln!("supervisor: {name} reboots");
                self.start(node).await;
            }
            Next::Stay(power) => {
                let power = match power {
                    Power::Failed(reason) => {
                        let words = node::last_words(&self.directory, &name);
                        Power::Failed(words.map_or(reason.clone(), |w| format!("{reason} ({w})")))
                    }
                    power => power,
                };
                eprintln!("supervisor: {name} is {power}");
                self.slots[node].power = Some(power);
            }
        }
    }

    async fn command(&mut self, command: Command) -> Answer {
        match command {
            Command::Status | Command::Stop => {}
            Command::PowerCut(name) => {
                let node = self.index(&name)?;
                self.cut(node).await.map_err(|error| chain(&error))?;
            }
            Command::PowerOn(name) => {
                let node = self.index(&name)?;
                if self.slots[node].child.is_none() {
                    self.start(node).await;
                }
            }
        }
        Ok(self.states())
    }

    fn index(&self, name: &str) -> Result<usize, String> {
        self.spec.nodes.iter().position(|node| node.name == name).ok_or_else(|| {
            let names: Vec<_> = self.spec.nodes.iter().map(|node| node.name.as_str()).collect();
            format!("there is no node {name:?}; the nodes are {}", names.join(", "))
        })
    }

    /// Takes a node's power and waits until nothing of it runs.
    async fn cut(&mut self, node: usize) -> Result<(), ProcessError> {
        if let Some(child) = self.slots[node].child.take() {
            child.signal(Signal::KILL)?;
            // The task that waits for the node reaps it; this only sees it gone.
            let gone = || child.process().has_ended().map(|ended| ended.then_some(()));
            let seen =
                async { Readiness::of(&*child)?.until(|| gone().map_err(io::Error::other)).await };
            seen.await.map_err(|source| ProcessError::Wait { pid: child.id(), source })?;
        }
        self.slots[node].power = Some(Power::Off);
        Ok(())
    }

    async fn stop(&mut self) -> Result<(), SupervisorError> {
        for node in 0..self.slots.len() {
            if let Err(error) = self.cut(node).await {
                eprintln!("supervisor: {}", chain(&error));
            }
        }
        Ok(self.group.remove()?)
    }

    fn states(&self) -> Vec<NodeState> {
        let slots = self.spec.nodes.iter().zip(&self.slots);
        slots
            .map(|(node, slot)| NodeState {
                name: node.name.clone(),
                power: slot.power.clone().unwrap_or(Power::Off),
                pid: slot.child.as_ref().map(|child| child.id()),
                starts: slot.starts,
            })
            .collect()
    }
}

/// The end of a node's first process.
async fn wait(child: &Child) -> io::Result<Exit> {
    Readiness::of(child)?.until(|| child.try_wait().map_err(io::Error::other)).await
}

fn receive_signals(signals: SignalFd, events: mpsc::Sender<Event>) -> Result<(), SupervisorError> {
    let readiness = Readiness::of(&signals).map_err(SupervisorError::Prepare)?;
    tokio::spawn(async move {
        while let Ok((signal, _)) = readiness.until(|| signals.next()).await {
            let _ = events.send(Event::Told(signal)).await;
        }
    });
    Ok(())
}

fn listen(
    directory: &ClusterDirectory,
    events: mpsc::Sender<Event>,
) -> Result<(), SupervisorError> {
    let listener = File::open(directory.path())
        .and_then(|directory| {
            let path = short_path(&directory);
            // The lock is held: a socket that exists belonged to a supervisor that is gone.
            match std::fs::remove_file(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
            let listener = UnixListener::bind(&path)?;
            std::fs::set_permissions(&path, Permissions::from_mode(0o600))?;
            Ok(listener)
        })
        .map_err(SupervisorError::Prepare)?;
    tokio::spawn(async move {
        loop {
            match listener.accept().await {
                Ok((stream, _)) => {
                    tokio::spawn(serve(stream, events.clone()));
                }
                Err(_) => tokio::task::yield_now().await,
            }
        }
    });
    Ok(())
}

/// One request, one answer. A peer that breaks off gets none.
async fn serve(stream: UnixStream, events: mpsc::Sender<Event>) {
    let mut stream = BufReader::new(stream);
    let mut line = String::new();
    if stream.read_line(&mut line).await.is_err() {
        return;
    }
    let answer = match serde_json::from_str(&line) {
        Err(error) => Err(format!("the request is not understood: {error}")),
        Ok(command) => {
            let (answer, answered) = oneshot::channel();
            if events.send(Event::Asked { command, answer }).await.is_err() {
                return;
            }
            let Ok(answer) = answered.await else { return };
            answer
        }
    };
    if let Ok(mut line) = serde_json::to_vec(&answer) {
        line.push(b'\n');
        let _ = stream.get_mut().write_all(&line).await;
    }
}
