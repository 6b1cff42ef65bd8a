//! What can be asked of a running supervisor, and how: one line of JSON there, one back, over a
//! unix socket in the cluster's directory.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::os::fd::AsRawFd as _;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::power::Power;

/// The socket's name in the cluster's directory.
const SOCKET: &str = "supervisor.sock";

/// A request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Command {
    /// How the nodes are.
    Status,
    /// Take a node's power away, now.
    PowerCut(String),
    /// Give a node power.
    PowerOn(String),
    /// Press a machine's reset button.
    Reset(String),
    /// Take a picture of a machine's screen; it is in the machine's directory afterwards.
    Screenshot(String),
    /// End all nodes and the supervisor.
    Stop,
}

/// A node as its supervisor sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeState {
    /// Its name.
    pub name: String,
    /// Whether it runs.
    pub power: Power,
    /// The host's process id of its first process, while it runs.
    pub pid: Option<i32>,
    /// How often it has been started.
    pub starts: u32,
}

/// The answer to every request: how the nodes are afterwards, or why not.
pub(crate) type Answer = Result<Vec<NodeState>, String>;

/// Why a supervisor could not be asked.
#[derive(Debug, Error)]
pub enum ControlError {
    /// It does not run.
    #[error(
        "the cluster is not running (nothing listens at {path}): `ichorctl cluster create` with \
         the same name starts it"
    )]
    Connect {
        /// Its socket.
        path: PathBuf,
        /// What the kernel said.
        #[source]
        source: io::Error,
    },
    /// The connection broke.
    #[error("the cluster's supervisor ended before it answered; see its supervisor.log")]
    Broken(#[source] io::Error),
    /// It could not do what it was asked to.
    #[error("{0}")]
    Refused(String),
}

/// A path to the socket that is short enough for the kernel, however deep the directory is.
pub(crate) fn short_path(directory: &File) -> PathBuf {
    PathBuf::from(format!("/proc/self/fd/{}/{SOCKET}", directory.as_raw_fd()))
}

/// Asks the supervisor of the cluster in `directory`.
///
/// # Errors
/// When it does not run or refuses.
pub fn ask(directory: &Path, command: &Command) -> Result<Vec<NodeState>, ControlError> {
    let path = directory.join(SOCKET);
    let failed = |source| ControlError::Connect { path: path.clone(), source };
    let directory = File::open(directory).map_err(failed)?;
    let mut stream = UnixStream::connect(short_path(&directory)).map_err(failed)?;
    let mut line = serde_json::to_vec(command).map_err(|e| ControlError::Broken(e.into()))?;
    line.push(b'\n');
    stream.write_all(&line).map_err(ControlError::Broken)?;
    let mut answer = String::new();
    BufReader::new(stream).read_line(&mut answer).map_err(ControlError::Broken)?;
    let answer: Answer =
        serde_json::from_str(&answer).map_err(|e| ControlError::Broken(e.into()))?;
    answer.map_err(ControlError::Refused)
}
