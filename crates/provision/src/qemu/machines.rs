//! The running machines of a cluster.

use std::fs::{self, File};
use std::future::pending;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::net::{Ipv4Addr, SocketAddr};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use registry::layout::{Layout, LayoutError};
use registry::server::Server;
use serde_json::{Value, json};
use sys::Signal;
use sys::inotify::{Inotify, Watched};
use sys::process::{Child, Exit, Spawn, SpawnError};
use sys::readiness::Readiness;
use thiserror::Error;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::AbortHandle;

use super::arguments::{self, CONTROL_FD, Machine, TPM_FD};
use super::disk::{self, DiskError};
use super::emulation::{Emulation, EmulationError};
use super::qmp::{self, Monitor, QmpError};
use super::serial::Scanner;
use crate::native::egress::{self, Uplink};
use crate::spec::{ClusterSpec, MachineSpec, NodeSpec};
use crate::state::{
    ClusterDirectory, FIRST_PROCESS, ProcessRecord, StateError, TPM, make_directory, write_file,
};
use crate::supervisor::{Event, Next, Power};

/// Why a machine does not run.
#[derive(Debug, Error)]
pub(crate) enum MachinesError {
    #[error(transparent)]
    State(#[from] StateError),
    #[error(transparent)]
    Emulation(#[from] EmulationError),
    #[error(transparent)]
    Disk(#[from] DiskError),
    #[error(transparent)]
    Spawn(#[from] SpawnError),
    #[error("cannot serve the image cache")]
    Cache(#[source] LayoutError),
    #[error("cannot listen on {address} of this host")]
    Listen {
        address: SocketAddr,
        #[source]
        source: io::Error,
    },
    #[error("cannot prepare the machine {name}")]
    Prepare {
        name: String,
        #[source]
        source: io::Error,
    },
    #[error("the emulator of {name} did not start: {said}")]
    Start {
        name: String,
        said: String,
        #[source]
        source: QmpError,
    },
    #[error("{0} is off")]
    Off(String),
    #[error(transparent)]
    Qmp(#[from] QmpError),
}

/// What the end of a machine's emulator means.
pub(crate) fn after(exit: Exit) -> Next {
    const KILL: i32 = 9;
    match exit {
        // It switched itself off; or its power was cut, which whoever cuts must end.
        Exit::Code(0) | Exit::Signal(KILL) => Next::Stay(Power::Off),
        other => Next::Stay(Power::Failed(format!("its emulator ended with {other}"))),
    }
}

/// What belongs to a machine besides its process.
struct Running {
    monitor: Monitor,
    tpm: Option<Arc<Child>>,
    watch: AbortHandle,
}

/// The machines of a cluster and what they share.
pub(crate) struct Machines {
    directory: ClusterDirectory,
    emulation: Emulation,
    machine: MachineSpec,
    base: (PathBuf, &'static str),
    names: Vec<String>,
    events: mpsc::Sender<Event>,
    running: Mutex<Vec<Option<Running>>>,
}

impl Machines {
    /// Makes what the machines share: the copy of the image, the image cache, the way out.
    pub(crate) async fn open(
        directory: &ClusterDirectory,
        spec: &ClusterSpec,
        machine: MachineSpec,
        events: mpsc::Sender<Event>,
    ) -> Result<Self, MachinesError> {
        let emulation = Emulation::of_cluster(directory, spec, &machine)?;
        if let (Some(cache), Some(port)) = (&spec.image_cache, emulation.images) {
            let server = Server::new(vec![Layout::open(cache).map_err(MachinesError::Cache)?]);
            tokio::spawn(server.serve(listen(port).await?, pending()));
        }
        if let Some(port) = emulation.proxy {
            tokio::spawn(egress::proxy(listen(port).await?, Uplink::of_host()));
        }
        let base = disk::base(directory, &machine.image)?;
        Ok(Self {
            directory: directory.clone(),
            emulation,
            machine,
            base,
            names: spec.nodes.iter().map(|node| node.name.clone()).collect(),
            events,
            running: Mutex::new(spec.nodes.iter().map(|_| None).collect()),
        })
    }

    /// Starts the machine at `index`.
    pub(crate) async fn launch(
        &self,
        spec: &ClusterSpec,
        index: usize,
        node: &NodeSpec,
    ) -> Result<Child, MachinesError> {
        let prepare = |source| MachinesError::Prepare { name: node.name.clone(), source };
        let directory = ClusterDirectory::at(self.directory.node(&node.name));
        directory.create()?;
        let before = self.slots().get_mut(index).and_then(Option::take);
        if let Some(before) = before {
            before.end().await;
        }
        let base = (self.base.0.as_path(), self.base.1);
        let disk = disk::overlay(&self.emulation.image_tool, &directory, base, self.machine.disk)?;
        let variables = disk::variables(&directory, &self.emulation.variables)?;
        let identity = identity(&directory)?;
        let console = self.directory.console(&node.name);
        let watch = self.watch(index, &console).map_err(prepare)?;

        let (control, theirs) = UnixStream::pair().map_err(prepare)?;
        control.set_nonblocking(true).map_err(prepare)?;
        let control = tokio::net::UnixStream::from_std(control).map_err(prepare)?;
        let log = directory.file("qemu.log");
        let mut spawn = Spawn::new(&self.emulation.program)
            .inherit_env()
            .log_to(&log)
            .file(OwnedFd::from(theirs), CONTROL_FD)
            .new_session()
            .directory("/")
            .death_signal(Signal::KILL);
        let mut tpm = None;
        if let Some(program) = &self.emulation.tpm {
            let (ours, theirs) = UnixStream::pair().map_err(prepare)?;
            let child = start_tpm(program, &directory, theirs)?;
            let record = ProcessRecord::of(child.id()).map_err(prepare)?;
            directory.write(TPM, &record)?;
            tpm = Some(Arc::new(child));
            spawn = spawn.file(OwnedFd::from(ours), TPM_FD);
        }
        let forwards: Vec<_> = spec
            .forwards
            .iter()
            .filter(|forward| forward.nodes.contains(&node.address))
            .map(|forward| (forward.listen, forward.port))
            .collect();
        let arguments = arguments::machine(&Machine {
            emulation: &self.emulation,
            spec: &self.machine,
            node,
            identity: &identity,
            disk: &disk,
            variables: &variables,
            console: &console,
            forwards: &forwards,
            mtu: spec.mtu,
        });
        let begun = fs::metadata(&log).map_or(0, |metadata| metadata.len());
        let child = spawn.args(arguments).spawn()?;
        let ready = async {
            let record = ProcessRecord::of(child.id()).map_err(prepare)?;
            directory.write(FIRST_PROCESS, &record)?;
            let (events, heard) = mpsc::channel(16);
            let monitor = Monitor::open(control, events).await.map_err(|source| {
                MachinesError::Start { name: node.name.clone(), said: said(&log, begun), source }
            })?;
            tokio::spawn(pass_on(index, heard, self.events.clone()));
            Ok(monitor)
        };
        let monitor = match ready.await {
            Ok(monitor) => monitor,
            Err(error) => {
                // What it might still do is of no use to anybody.
                let _ = child.signal(Signal::KILL);
                let _ = child.wait();
                return Err(error);
            }
        };
        if let Some(slot) = self.slots().get_mut(index) {
            *slot = Some(Running { monitor, tpm, watch });
        }
        Ok(child)
    }

    /// Presses the reset button of the machine at `index`.
    pub(crate) async fn reset(&self, index: usize) -> Result<(), MachinesError> {
        self.execute(index, "system_reset", Value::Null).await
    }

    /// Takes a picture of the screen of the machine at `index`.
    pub(crate) async fn screenshot(&self, index: usize) -> Result<(), MachinesError> {
        let name = self.names.get(index).map(String::as_str).unwrap_or_default();
        let path = super::screenshot(&self.directory, name);
        let arguments = json!({ "filename": path, "format": "png" });
        self.execute(index, "screendump", arguments).await
    }

    /// Ends what the machines had besides their processes.
    pub(crate) fn close(&self) {
        for running in self.slots().iter_mut().filter_map(Option::take) {
            running.watch.abort();
            if let Some(tpm) = running.tpm {
                let _ = tpm.signal(Signal::KILL);
            }
        }
    }

    async fn execute(
        &self,
        index: usize,
        command: &'static str,
        arguments: Value,
    ) -> Result<(), MachinesError> {
        let off = || MachinesError::Off(self.names.get(index).cloned().unwrap_or_default());
        let monitor = self.slots().get(index).and_then(Option::as_ref).map(|r| r.monitor.clone());
        match monitor.ok_or_else(off)?.execute(command, arguments).await {
            Ok(_) => Ok(()),
            Err(QmpError::Ended) => Err(off()),
            Err(error) => Err(error.into()),
        }
    }

    fn slots(&self) -> MutexGuard<'_, Vec<Option<Running>>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads what the machine says on its serial line from now on, and reports when it is stuck.
    fn watch(&self, index: usize, console: &Path) -> io::Result<AbortHandle> {
        let mut file = File::options().read(true).append(true).create(true).open(console)?;
        file.seek(SeekFrom::End(0))?;
        let inotify = Inotify::new()?;
        inotify.add(console, Watched::MODIFY)?;
        let readiness = Readiness::of(&inotify)?;
        let events = self.events.clone();
        let task = tokio::spawn(async move {
            let mut scanner = Scanner::default();
            let mut bytes = Vec::new();
            let stuck = readiness.until(|| {
                inotify.events()?;
                bytes.clear();
                file.read_to_end(&mut bytes)?;
                Ok(scanner.feed(&bytes))
            });
            if let Ok(reason) = stuck.await {
                let _ = events.send(Event::Stuck { node: index, reason: reason.to_owned() }).await;
            }
        });
        Ok(task.abort_handle())
    }
}

impl Running {
    /// Waits until nothing of the machine runs; its emulator has ended.
    async fn end(self) {
        self.watch.abort();
        if let Some(tpm) = self.tpm {
            // It ends with its connection. A second one must not meet it at its files.
            let ended = async {
                Readiness::of(&*tpm)?.until(|| tpm.try_wait().map_err(io::Error::other)).await
            };
            if let Err(error) = ended.await {
                eprintln!("supervisor: waiting for a TPM: {error}");
            }
        }
    }
}

async fn listen(port: u16) -> Result<TcpListener, MachinesError> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let bound = TcpListener::bind(address).await;
    bound.map_err(|source| MachinesError::Listen { address, source })
}

/// The machine's identity, made once.
fn identity(directory: &ClusterDirectory) -> Result<String, StateError> {
    let path = directory.file("identity");
    if let Ok(text) = fs::read_to_string(&path) {
        return Ok(text.trim().to_owned());
    }
    let identity = uuid::Uuid::new_v4().to_string();
    write_file(&path, identity.as_bytes())?;
    Ok(identity)
}

/// Starts a TPM that keeps its state in the machine's directory and ends with its connection.
fn start_tpm(
    program: &Path,
    directory: &ClusterDirectory,
    control: UnixStream,
) -> Result<Child, MachinesError> {
    let state = directory.file("tpm");
    make_directory(&state)?;
    let child = Spawn::new(program)
        .args(["socket", "--tpm2", "--terminate", "--flags", "startup-clear"])
        .args(["--tpmstate".to_owned(), format!("dir={}", state.display())])
        .args(["--ctrl".to_owned(), format!("type=unixio,clientfd={CONTROL_FD}")])
        .inherit_env()
        .log_to(directory.file("tpm.log"))
        .file(OwnedFd::from(control), CONTROL_FD)
        .directory("/")
        .death_signal(Signal::KILL)
        .spawn()?;
    Ok(child)
}

/// What a log says since it had this length, in one line.
fn said(log: &Path, since: u64) -> String {
    let mut text = String::new();
    let read = File::open(log).and_then(|mut file| {
        file.seek(SeekFrom::Start(since))?;
        file.read_to_string(&mut text)
    });
    match read {
        Ok(0) => "it printed nothing".to_owned(),
        Ok(_) => text.lines().map(str::trim).collect::<Vec<_>>().join(" / "),
        Err(error) => format!("{} cannot be read: {error}", log.display()),
    }
}

/// Translates what happens to a machine for the supervisor.
async fn pass_on(node: usize, mut heard: mpsc::Receiver<qmp::Event>, events: mpsc::Sender<Event>) {
    while let Some(event) = heard.recv().await {
        let event = match event {
            qmp::Event::Reset => Event::Restarted { node },
            qmp::Event::Stopped => Event::Stuck {
                node,
                reason: "its emulator can no longer execute it; see qemu.log in its directory"
                    .to_owned(),
            },
            qmp::Event::Panicked => {
                eprintln!("supervisor: the kernel of machine {} panicked", node + 1);
                continue;
            }
            qmp::Event::Watchdog => {
                eprintln!("supervisor: the watchdog of machine {} was not fed", node + 1);
                continue;
            }
            qmp::Event::Other(_) => continue,
        };
        if events.send(event).await.is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_emulators_end_means_what_a_machines_would() {
        assert_eq!(after(Exit::Code(0)), Next::Stay(Power::Off));
        assert_eq!(after(Exit::Signal(9)), Next::Stay(Power::Off));
        assert!(matches!(after(Exit::Code(1)), Next::Stay(Power::Failed(_))));
        assert!(matches!(after(Exit::Signal(6)), Next::Stay(Power::Failed(_))));
    }
}
