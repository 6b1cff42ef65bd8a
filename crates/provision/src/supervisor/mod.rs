//! The process that is a cluster's hardware, from outside: starting it, asking it, ending it.
//!
//! A supervisor per cluster gives nodes power and takes it away. What a node is made of, [`Hardware`]
//! knows; everything a supervisor makes is recorded in the cluster's directory before it exists, so
//! that a supervisor that was killed leaves nothing that cannot be found.

mod control;
mod hardware;
mod power;
mod run;

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read as _};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use sys::Signal;
use sys::process::{Spawn, SpawnError, Stdio};
use thiserror::Error;

pub use control::{Command, ControlError, NodeState, ask};
pub(crate) use power::Next;
pub use power::Power;
pub(crate) use run::Event;

use crate::native::launch;
use crate::state::{
    ClusterDirectory, FIRST_PROCESS, GROUP, GroupRecord, ProcessRecord, SUPERVISOR, StateError, TPM,
};

/// The hidden subcommand that runs a cluster's supervisor.
const SUPERVISE: &str = "cluster-supervisor";
/// The hidden subcommand that becomes a node's first process.
pub(crate) const LAUNCH: &str = "cluster-node";
/// The descriptor on which the supervisor reports that it is ready.
const READY_FD: i32 = 3;
/// A supervisor that was asked to stop only has processes to kill.
const STOP_PATIENCE: Duration = Duration::from_secs(30);

/// The name under which a program finds itself, also when its file was replaced meanwhile.
pub(crate) const SELF: &str = "/proc/self/exe";

/// Why a cluster could not be started or ended.
#[derive(Debug, Error)]
pub enum SupervisorError {
    /// Its directory could not be used.
    #[error(transparent)]
    State(#[from] StateError),
    /// The supervisor program did not start.
    #[error("cannot start the cluster's supervisor")]
    Spawn(#[source] SpawnError),
    /// Its report could not be received.
    #[error("cannot hear from the cluster's supervisor")]
    Report(#[source] io::Error),
    /// It gave up.
    #[error("the cluster cannot be started: {0}")]
    Start(String),
    /// It does not end.
    #[error("process {pid}, the cluster's supervisor, does not end; see {log}")]
    Stuck {
        /// The process.
        pid: i32,
        /// Its log.
        log: String,
    },
    /// A cgroup could not be cleaned up.
    #[error(transparent)]
    Cgroup(#[from] sys::cgroup::CgroupError),
    /// A process could not be ended.
    #[error(transparent)]
    Process(#[from] sys::process::ProcessError),
}

/// Runs this program in one of its hidden roles, when `arguments` (with the program's name) ask
/// for one. To be called before anything else, in particular before any thread is started.
#[must_use]
pub fn hidden_role(arguments: impl IntoIterator<Item = OsString>) -> Option<ExitCode> {
    let mut arguments = arguments.into_iter().skip(1);
    let role = arguments.next()?;
    if role == SUPERVISE {
        let directory = arguments.next()?;
        return Some(run::main(Path::new(&directory)));
    }
    if role == LAUNCH {
        let error = launch::run();
        eprintln!("node: {}", chain(&error));
        return Some(ExitCode::FAILURE);
    }
    None
}

/// Starts a planned cluster's supervisor and with it all nodes; `false` when it runs already.
///
/// # Errors
/// When anything the nodes need cannot be had; then nothing is left running.
pub fn start(directory: &ClusterDirectory) -> Result<bool, SupervisorError> {
    let Some(lock) = directory.try_lock()? else { return Ok(false) };
    // What a killed supervisor left behind would be in the way.
    clean_up(directory)?;
    drop(lock);

    let (reader, writer) = io::pipe().map_err(SupervisorError::Report)?;
    let child = Spawn::new(SELF)
        .arg0("ichorctl")
        .arg(SUPERVISE)
        .arg(directory.path())
        .inherit_env()
        .stdin(Stdio::Null)
        .log_to(directory.file("supervisor.log"))
        .file(OwnedFd::from(writer), READY_FD)
        .new_session()
        .directory("/")
        .spawn()
        .map_err(SupervisorError::Spawn)?;
    let mut report = String::new();
    File::from(OwnedFd::from(reader))
        .read_to_string(&mut report)
        .map_err(SupervisorError::Report)?;
    if report == run::READY {
        return Ok(true);
    }
    child.wait()?;
    // An interrupted start can have left a supervisor that began a moment before this one.
    if report == run::RUNNING {
        return Ok(false);
    }
    if let Some(_lock) = directory.try_lock()? {
        clean_up(directory)?;
    }
    let log = directory.file("supervisor.log");
    Err(SupervisorError::Start(match report.as_str() {
        "" => format!("its supervisor ended without a word; see {}", log.display()),
        reason => reason.to_owned(),
    }))
}

/// Ends all nodes and the supervisor and removes everything that came with the cluster.
///
/// # Errors
/// When something cannot be ended or removed.
pub fn destroy(directory: &ClusterDirectory) -> Result<(), SupervisorError> {
    stop(directory)?;
    Ok(directory.remove()?)
}

/// Ends all nodes and the supervisor; disks stay.
///
/// # Errors
/// When something cannot be ended.
pub fn stop(directory: &ClusterDirectory) -> Result<(), SupervisorError> {
    if !directory.path().exists() {
        return Ok(());
    }
    let recorded = directory.read::<ProcessRecord>(SUPERVISOR).ok();
    if let Some(process) = recorded.and_then(|record| record.open()) {
        // A supervisor that cannot be asked is told by signal.
        if ask(directory.path(), &Command::Stop).is_err() {
            process.signal(Signal::TERM)?;
        }
        if !sys::signal::wait_readable(&process, Some(STOP_PATIENCE))
            .map_err(SupervisorError::Report)?
        {
            process.signal(Signal::KILL)?;
            sys::signal::wait_readable(&process, Some(STOP_PATIENCE))
                .map_err(SupervisorError::Report)?;
            if !process.has_ended()? {
                let log = directory.file("supervisor.log").display().to_string();
                return Err(SupervisorError::Stuck { pid: process.id(), log });
            }
        }
    }
    let _lock = directory.lock()?;
    clean_up(directory)
}

/// Ends what a supervisor that died left behind. The caller holds the lock.
fn clean_up(directory: &ClusterDirectory) -> Result<(), SupervisorError> {
    let mut left: Vec<_> = Vec::new();
    if let Ok(nodes) = std::fs::read_dir(directory.path().join("nodes")) {
        for node in nodes.flatten() {
            let node = ClusterDirectory::at(node.path());
            for name in [FIRST_PROCESS, TPM] {
                let record = node.read::<ProcessRecord>(name).ok();
                left.extend(record.and_then(|record| record.open()));
            }
        }
    }
    for process in &left {
        process.signal(Signal::KILL)?;
    }
    // A PID namespace's first process ends after everybody else in it.
    for process in &left {
        sys::signal::wait_readable(process, Some(STOP_PATIENCE))
            .map_err(SupervisorError::Report)?;
    }
    let group = directory.read::<GroupRecord>(GROUP).ok().and_then(|record| record.group());
    Ok(group.map_or(Ok(()), |group| group.remove())?)
}

/// An error with all its causes.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}
