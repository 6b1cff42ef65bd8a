//! Processes held by pidfd: waiting for them and signalling them.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::process::{
    Pid, PidfdFlags, Signal, WaitId, WaitIdOptions, WaitIdStatus, pidfd_open, pidfd_send_signal,
    waitid,
};
use thiserror::Error;

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// It called `exit` with this code.
    Code(i32),
    /// A signal with this number ended it.
    Signal(i32),
}

impl Exit {
    /// Exit code zero.
    #[must_use]
    pub fn success(self) -> bool {
        self == Self::Code(0)
    }

    pub(super) fn from_status(status: &WaitIdStatus) -> Option<Self> {
        status
            .exit_status()
            .map(Self::Code)
            .or_else(|| status.terminating_signal().map(Self::Signal))
    }
}

impl std::fmt::Display for Exit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Code(code) => write!(f, "exit code {code}"),
            Self::Signal(number) => match Signal::from_named_raw(*number) {
                Some(signal) => write!(f, "signal {number} ({signal:?})"),
                None => write!(f, "signal {number}"),
            },
        }
    }
}

/// Why watching or signalling a process failed.
#[derive(Debug, Error)]
pub enum ProcessError {
    /// The process could not be opened.
    #[error("cannot open process {pid}")]
    Open {
        /// The process id asked for.
        pid: i32,
        /// What the kernel said.
        #[source]
        source: io::Error,
    },
    /// The process id was taken by another process since it was recorded.
    #[error("process {pid} is another one than the one recorded")]
    Replaced {
        /// The process id asked for.
        pid: i32,
    },
    /// Waiting for its end failed.
    #[error("cannot wait for process {pid}")]
    Wait {
        /// The process waited for.
        pid: i32,
        /// What the kernel said.
        #[source]
        source: io::Error,
    },
    /// A signal could not be sent.
    #[error("cannot send {signal:?} to process {pid}")]
    Signal {
        /// The receiver.
        pid: i32,
        /// The signal.
        signal: Signal,
        /// What the kernel said.
        #[source]
        source: io::Error,
    },
}

/// Closes a descriptor that this process was given by number, such as one passed with
/// [`super::Spawn::file`], so that whoever holds the other end sees it closed.
///
/// # Errors
/// When it is not open.
pub fn close_passed(fd: std::os::fd::RawFd) -> io::Result<()> {
    // SAFETY: by the caller's word nothing in this process owns the descriptor; closing a wrong
    // one could surprise its owner but breaks no memory.
    if unsafe { libc::close(fd) } == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// When a process started, in clock ticks since boot: with the process id it names a process
/// for good, which is what a supervisor records to find its children again after a crash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StartTime(pub u64);

impl StartTime {
    /// The start time of the process `pid`.
    ///
    /// # Errors
    /// When the process does not exist or `/proc` is not mounted.
    pub fn of(pid: i32) -> io::Result<Self> {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
        Self::parse(&stat).ok_or_else(|| io::Error::from(io::ErrorKind::InvalidData))
    }

    /// Field 22 of `/proc/PID/stat`; the command name before it may hold spaces and parentheses.
    fn parse(stat: &str) -> Option<Self> {
        let (_, rest) = stat.rsplit_once(')')?;
        rest.split_ascii_whitespace().nth(19)?.parse().ok().map(Self)
    }
}

/// A process that somebody else started. The descriptor becomes readable when it ends.
#[derive(Debug)]
pub struct Process {
    pid: Pid,
    pidfd: OwnedFd,
}

impl Process {
    /// Opens the process that has the id `pid` now.
    ///
    /// # Errors
    /// When there is no such process.
    pub fn open(pid: i32) -> Result<Self, ProcessError> {
        let failed = |source| ProcessError::Open { pid, source };
        let id = Pid::from_raw(pid).ok_or_else(|| failed(io::ErrorKind::InvalidInput.into()))?;
        let pidfd = pidfd_open(id, PidfdFlags::empty()).map_err(|e| failed(e.into()))?;
        Ok(Self { pid: id, pidfd })
    }

    /// Opens the process `pid` if it is still the one that started at `started`.
    ///
    /// # Errors
    /// When there is no such process, or another one has its id now.
    pub fn adopt(pid: i32, started: StartTime) -> Result<Self, ProcessError> {
        let process = Self::open(pid)?;
        let now = StartTime::of(pid).map_err(|source| ProcessError::Open { pid, source })?;
        if now == started { Ok(process) } else { Err(ProcessError::Replaced { pid }) }
    }

    /// Its id.
    #[must_use]
    pub fn id(&self) -> i32 {
        self.pid.as_raw_nonzero().get()
    }

    /// Whether it has ended.
    ///
    /// # Errors
    /// When the descriptor cannot be polled.
    pub fn has_ended(&self) -> Result<bool, ProcessError> {
        let mut fds = [rustix::event::PollFd::new(&self.pidfd, rustix::event::PollFlags::IN)];
        let zero = rustix::event::Timespec { tv_sec: 0, tv_nsec: 0 };
        rustix::event::poll(&mut fds, Some(&zero))
            .map(|ready| ready > 0)
            .map_err(|e| ProcessError::Wait { pid: self.id(), source: e.into() })
    }

    /// Sends it a signal. A process that has ended meanwhile counts as signalled.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn signal(&self, signal: Signal) -> Result<(), ProcessError> {
        match pidfd_send_signal(&self.pidfd, signal) {
            Ok(()) | Err(rustix::io::Errno::SRCH) => Ok(()),
            Err(e) => Err(ProcessError::Signal { pid: self.id(), signal, source: e.into() }),
        }
    }
}

impl AsFd for Process {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.pidfd.as_fd()
    }
}

/// A process started by [`super::Spawn`]. Dropping it neither kills nor reaps it.
#[derive(Debug)]
pub struct Child {
    process: Process,
}

impl Child {
    pub(super) fn new(pid: Pid, pidfd: OwnedFd) -> Self {
        Self { process: Process { pid, pidfd } }
    }

    /// Its id, as seen from here.
    #[must_use]
    pub fn id(&self) -> i32 {
        self.process.id()
    }

    /// The process without its parenthood.
    #[must_use]
    pub fn process(&self) -> &Process {
        &self.process
    }

    /// Waits until it ends and reaps it.
    ///
    /// # Errors
    /// When it is not (or no longer) a child of this process.
    pub fn wait(&self) -> Result<Exit, ProcessError> {
        loop {
            match self.reap(WaitIdOptions::EXITED) {
                Ok(Some(exit)) => return Ok(exit),
                Ok(None) => {}
                Err(ProcessError::Wait { source, .. })
                    if source.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Reaps it if it has ended; `None` while it runs.
    ///
    /// # Errors
    /// When it is not (or no longer) a child of this process.
    pub fn try_wait(&self) -> Result<Option<Exit>, ProcessError> {
        self.reap(WaitIdOptions::EXITED | WaitIdOptions::NOHANG)
    }

    /// Sends it a signal. A process that has ended meanwhile counts as signalled.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn signal(&self, signal: Signal) -> Result<(), ProcessError> {
        self.process.signal(signal)
    }

    fn reap(&self, options: WaitIdOptions) -> Result<Option<Exit>, ProcessError> {
        waitid(WaitId::PidFd(self.process.pidfd.as_fd()), options)
            .map(|status| status.as_ref().and_then(Exit::from_status))
            .map_err(|e| ProcessError::Wait { pid: self.id(), source: e.into() })
    }
}

impl AsFd for Child {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.process.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn start_time_survives_odd_command_names() {
        let stat = "42 (a) b (c) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 777 20";
        assert_eq!(StartTime::parse(stat), Some(StartTime(777)));
        assert_eq!(StartTime::parse("42 (x"), None);
        assert_eq!(StartTime::parse("42 (x) S 1"), None);
    }

    #[test]
    fn a_recorded_process_is_adopted_only_while_it_lives() {
        let me = i32::try_from(std::process::id()).unwrap();
        let started = StartTime::of(me).unwrap();
        assert_eq!(Process::adopt(me, started).unwrap().id(), me);
        let other = StartTime(started.0 + 1);
        assert!(matches!(Process::adopt(me, other), Err(ProcessError::Replaced { .. })));
        assert!(matches!(Process::open(0), Err(ProcessError::Open { .. })));
    }
}
