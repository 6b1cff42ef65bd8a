//! The supervisor itself: it holds what the nodes share, gives them power, starts them again when
//! they reboot, and answers on the cluster's socket.

use std::fs::{File, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use futures::future::join_all;
use sys::Signal;
use sys::process::{Child, Exit, ProcessError};
use sys::readiness::Readiness;
use sys::signal::SignalFd;
use thiserror::Error;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{mpsc, oneshot};

use super::chain;
use super::control::{Answer, Command, NodeState, short_path};
use super::hardware::{Hardware, HardwareError};
use super::power::{Next, Power};
use crate::spec::ClusterSpec;
use crate::state::{ClusterDirectory, ProcessRecord, SUPERVISOR, StateError};

/// What a supervisor reports when all nodes have been started.
pub(crate) const READY: &str = "ready";

/// What a supervisor reports when another one was there before it.
pub(crate) const RUNNING: &str = "running";

/// Why a supervisor gave up.
#[derive(Debug, Error)]
enum RunError {
    #[error("another supervisor runs this cluster already")]
    Running,
    #[error(transparent)]
    State(#[from] StateError),
    #[error(transparent)]
    Hardware(#[from] HardwareError),
    #[error("cannot prepare the supervisor")]
    Prepare(#[source] io::Error),
}

/// What happens to a cluster.
pub(crate) enum Event {
    /// A node's process has ended.
    Ended { node: usize, pid: i32, exit: Exit },
    /// Somebody asks something.
    Asked { command: Command, answer: oneshot::Sender<Answer> },
    /// The supervisor got a signal.
    Told(Signal),
    /// A machine has started again without its process ending.
    Restarted { node: usize },
    /// A machine runs but cannot go on, for this reason: its power is taken.
    Stuck { node: usize, reason: String },
    /// The cluster has run as long as it may.
    TimeUp,
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
        .map_err(RunError::Prepare)
        .and_then(|(signals, runtime)| runtime.block_on(run(&directory, signals)));
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let text = chain(&error);
            eprintln!("supervisor: {text}");
            let another = matches!(error, RunError::Running);
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

async fn run(directory: &ClusterDirectory, signals: SignalFd) -> Result<(), RunError> {
    let _lock = directory.try_lock()?.ok_or(RunError::Running)?;
    let spec = directory.spec()?;
    let me = i32::try_from(std::process::id()).unwrap_or_default();
    directory.write(SUPERVISOR, &ProcessRecord::of(me).map_err(RunError::Prepare)?)?;

    let (events, mut queue) = mpsc::channel(64);
    let hardware = Hardware::open(directory, &spec, events.clone()).await?;
    listen(directory, events.clone())?;
    receive_signals(signals, events.clone())?;
    if let Some(limit) = spec.provisioner.time_limit() {
        let events = events.clone();
        tokio::spawn(async move {
            tokio::time::sleep(limit).await;
            let _ = events.send(Event::TimeUp).await;
        });
    }

    let mut cluster = Cluster {
        slots: vec![Slot::default(); spec.nodes.len()],
        hardware,
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
            Event::Ended { node, pid, exit } => cluster.ended(node, pid, exit).await,
            Event::Told(signal) => {
                eprintln!("supervisor: {signal:?}: stopping");
                break;
            }
            Event::TimeUp => {
                eprintln!("supervisor: the cluster has run as long as it may: stopping");
                break;
            }
            Event::Restarted { node } => cluster.restarted(node),
            Event::Stuck { node, reason } => cluster.stuck(node, reason).await,
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

#[derive(Clone, Default)]
struct Slot {
    child: Option<Arc<Child>>,
    power: Option<Power>,
    starts: u32,
}

struct Cluster {
    slots: Vec<Slot>,
    hardware: Hardware,
    directory: ClusterDirectory,
    spec: ClusterSpec,
    events: mpsc::Sender<Event>,
}

impl Cluster {
    async fn start_all(&mut self) -> Result<(), RunError> {
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

    async fn launch(&self, node: usize) -> Result<Child, RunError> {
        let spec = &self.spec.nodes[node];
        Ok(self.hardware.launch(&self.directory, &self.spec, node, spec).await?)
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
                let _ = events.send(Event::Ended { node, pid: child.id(), exit }).await;
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

    async fn ended(&mut self, node: usize, pid: i32, exit: Exit) {
        // A process whose power was taken is no longer the node's.
        if self.slots[node].child.as_ref().is_none_or(|child| child.id() != pid) {
            return;
        }
        let name = self.spec.nodes[node].name.clone();
        self.slots[node].child = None;
        match self.hardware.after(exit) {
            Next::Start => {
                eprintln!("supervisor: {name} reboots");
                self.start(node).await;
            }
            Next::Stay(power) => {
                let power = match power {
                    Power::Failed(reason) => {
                        let words = self.directory.console_tail(&name, 1).pop();
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
            Command::Reset(name) => {
                let node = self.index(&name)?;
                self.hardware.machines()?.reset(node).await.map_err(|error| chain(&error))?;
            }
            Command::Screenshot(name) => {
                let node = self.index(&name)?;
                let machines = self.hardware.machines()?;
                machines.screenshot(node).await.map_err(|error| chain(&error))?;
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

    fn restarted(&mut self, node: usize) {
        let slot = &mut self.slots[node];
        slot.starts += 1;
        eprintln!("supervisor: {} reboots", self.spec.nodes[node].name);
    }

    /// Takes the power of a machine that cannot go on.
    async fn stuck(&mut self, node: usize, reason: String) {
        if self.slots[node].child.is_none() {
            return;
        }
        eprintln!("supervisor: {} is stuck: {reason}", self.spec.nodes[node].name);
        if let Err(error) = self.cut(node).await {
            eprintln!("supervisor: {}", chain(&error));
        }
        self.slots[node].power = Some(Power::Failed(reason));
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

    async fn stop(&mut self) -> Result<(), RunError> {
        for node in 0..self.slots.len() {
            if let Err(error) = self.cut(node).await {
                eprintln!("supervisor: {}", chain(&error));
            }
        }
        Ok(self.hardware.close()?)
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

fn receive_signals(signals: SignalFd, events: mpsc::Sender<Event>) -> Result<(), RunError> {
    let readiness = Readiness::of(&signals).map_err(RunError::Prepare)?;
    tokio::spawn(async move {
        while let Ok((signal, _)) = readiness.until(|| signals.next()).await {
            let _ = events.send(Event::Told(signal)).await;
        }
    });
    Ok(())
}

fn listen(directory: &ClusterDirectory, events: mpsc::Sender<Event>) -> Result<(), RunError> {
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
        .map_err(RunError::Prepare)?;
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
