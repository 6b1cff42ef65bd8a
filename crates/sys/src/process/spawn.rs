//! Describing a program and starting it.

use std::ffi::{CString, OsStr, OsString, c_char, c_int};
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rustix::process::{Pid, Signal};
use thiserror::Error;

use super::caps::Capabilities;
use super::child::Child;
use super::fork::{self, Prepared, Step};
use crate::namespace::Namespaces;

/// Where a standard stream of the new process goes.
#[derive(Debug)]
pub enum Stdio {
    /// The same place as this process's.
    Inherit,
    /// `/dev/null`.
    Null,
    /// Appended to this file, which is created (mode 0640) when missing. A child that must
    /// outlive its parent logs this way and never to a pipe.
    Append(PathBuf),
    /// An open descriptor.
    Fd(OwnedFd),
}

/// A resource whose use can be limited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Resource {
    OpenFiles,
    Processes,
    CoreSize,
    LockedMemory,
}

impl Resource {
    fn raw(self) -> u32 {
        #[allow(clippy::cast_sign_loss, clippy::unnecessary_cast)]
        let raw = match self {
            Self::OpenFiles => libc::RLIMIT_NOFILE as u32,
            Self::Processes => libc::RLIMIT_NPROC as u32,
            Self::CoreSize => libc::RLIMIT_CORE as u32,
            Self::LockedMemory => libc::RLIMIT_MEMLOCK as u32,
        };
        raw
    }
}

/// A soft and a hard limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// What is enforced.
    pub soft: u64,
    /// What the process may raise it to.
    pub hard: u64,
}

/// Why a program was not started.
#[derive(Debug, Error)]
pub enum SpawnError {
    /// A string for the kernel holds a zero byte.
    #[error("{what} of {program} holds a zero byte")]
    ZeroByte {
        /// The program to start.
        program: String,
        /// Which string.
        what: &'static str,
    },
    /// A file the new process needs cannot be opened.
    #[error("cannot open {path} for {program}")]
    Open {
        /// The program to start.
        program: String,
        /// The file.
        path: PathBuf,
        /// What the kernel said.
        #[source]
        source: io::Error,
    },
    /// No process could be made.
    #[error("cannot make a process for {program}")]
    Fork {
        /// The program to start.
        program: String,
        /// What the kernel said.
        #[source]
        source: io::Error,
    },
    /// The new process failed before its program began; it is gone.
    #[error("cannot start {program}: failed {step}")]
    Start {
        /// The program to start.
        program: String,
        /// What the process was doing.
        step: Step,
        /// What the kernel said.
        #[source]
        source: io::Error,
    },
}

/// A program to start, and what must hold for its process before its first instruction.
///
/// Nothing is inherited by accident: the environment starts empty, signals are reset, and only
/// the named descriptors stay open.
#[derive(Debug)]
pub struct Spawn {
    program: OsString,
    argv: Vec<OsString>,
    env: Vec<(OsString, OsString)>,
    stdio: [Stdio; 3],
    files: Vec<(OwnedFd, RawFd)>,
    cgroups: Vec<PathBuf>,
    namespaces: Namespaces,
    join: Vec<(OwnedFd, Namespaces)>,
    oom_score_adj: Option<i32>,
    limits: Vec<(Resource, Limit)>,
    root: Option<PathBuf>,
    directory: Option<PathBuf>,
    uid: Option<u32>,
    gid: Option<u32>,
    groups: Option<Vec<u32>>,
    keep: Option<Capabilities>,
    no_new_privs: bool,
    new_session: bool,
    death_signal: Option<Signal>,
}

impl Spawn {
    /// A program by absolute path (as seen inside its root directory, if one is set).
    pub fn new(program: impl AsRef<OsStr>) -> Self {
        let program = program.as_ref().to_owned();
        Self {
            argv: vec![program.clone()],
            program,
            env: Vec::new(),
            stdio: [Stdio::Null, Stdio::Inherit, Stdio::Inherit],
            files: Vec::new(),
            cgroups: Vec::new(),
            namespaces: Namespaces::empty(),
            join: Vec::new(),
            oom_score_adj: None,
            limits: Vec::new(),
            root: None,
            directory: None,
            uid: None,
            gid: None,
            groups: None,
            keep: None,
            no_new_privs: false,
            new_session: false,
            death_signal: None,
        }
    }

    /// The name the program sees as its own (`argv[0]`); its path unless set.
    #[must_use]
    pub fn arg0(mut self, name: impl AsRef<OsStr>) -> Self {
        if let Some(first) = self.argv.first_mut() {
            *first = name.as_ref().to_owned();
        }
        self
    }

    /// Adds an argument.
    #[must_use]
    pub fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.argv.push(arg.as_ref().to_owned());
        self
    }

    /// Adds arguments.
    #[must_use]
    pub fn args(mut self, args: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Self {
        self.argv.extend(args.into_iter().map(|arg| arg.as_ref().to_owned()));
        self
    }

    /// Adds a variable to the environment, which starts empty; a later value wins.
    #[must_use]
    pub fn env(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        let name = name.as_ref().to_owned();
        self.env.retain(|(known, _)| *known != name);
        self.env.push((name, value.as_ref().to_owned()));
        self
    }

    /// Adds variables to the environment.
    #[must_use]
    pub fn envs<K: AsRef<OsStr>, V: AsRef<OsStr>>(
        self,
        variables: impl IntoIterator<Item = (K, V)>,
    ) -> Self {
        variables.into_iter().fold(self, |spawn, (name, value)| spawn.env(name, value))
    }

    /// Adds all variables of this process.
    #[must_use]
    pub fn inherit_env(self) -> Self {
        self.envs(std::env::vars_os())
    }

    /// Standard input; `/dev/null` unless set.
    #[must_use]
    pub fn stdin(mut self, stdio: Stdio) -> Self {
        self.stdio[0] = stdio;
        self
    }

    /// Standard output; this process's unless set.
    #[must_use]
    pub fn stdout(mut self, stdio: Stdio) -> Self {
        self.stdio[1] = stdio;
        self
    }

    /// Standard error; this process's unless set.
    #[must_use]
    pub fn stderr(mut self, stdio: Stdio) -> Self {
        self.stdio[2] = stdio;
        self
    }

    /// Standard output and error, both appended to `path`.
    #[must_use]
    pub fn log_to(self, path: impl AsRef<Path>) -> Self {
        let path = path.as_ref().to_path_buf();
        self.stdout(Stdio::Append(path.clone())).stderr(Stdio::Append(path))
    }

    /// Passes an open file under the number `target` (3 or more).
    #[must_use]
    pub fn file(mut self, file: impl Into<OwnedFd>, target: RawFd) -> Self {
        self.files.push((file.into(), target));
        self
    }

    /// Makes the process a member of a cgroup, by the path of its `cgroup.procs`; on cgroup v1
    /// one for each hierarchy.
    #[must_use]
    pub fn cgroup_procs(mut self, path: impl AsRef<Path>) -> Self {
        self.cgroups.push(path.as_ref().to_path_buf());
        self
    }

    /// Gives the process namespaces of its own. The cgroup namespace is made after the process
    /// has joined its cgroups, so that those become its root.
    #[must_use]
    pub fn unshare(mut self, namespaces: Namespaces) -> Self {
        self.namespaces |= namespaces;
        self
    }

    /// Lets the process join an existing namespace.
    #[must_use]
    pub fn join(mut self, namespace: impl Into<OwnedFd>, kind: Namespaces) -> Self {
        self.join.push((namespace.into(), kind));
        self
    }

    /// How readily the process is killed when memory runs out (-1000 to 1000). Best effort:
    /// lowering it needs a capability that container hosts often lack.
    #[must_use]
    pub fn oom_score_adj(mut self, value: i32) -> Self {
        self.oom_score_adj = Some(value);
        self
    }

    /// Limits a resource.
    #[must_use]
    pub fn limit(mut self, resource: Resource, soft: u64, hard: u64) -> Self {
        self.limits.push((resource, Limit { soft, hard }));
        self
    }

    /// Makes `path` the root directory (and the working directory, unless that is set too).
    #[must_use]
    pub fn root(mut self, path: impl AsRef<Path>) -> Self {
        self.root = Some(path.as_ref().to_path_buf());
        self
    }

    /// The working directory.
    #[must_use]
    pub fn directory(mut self, path: impl AsRef<Path>) -> Self {
        self.directory = Some(path.as_ref().to_path_buf());
        self
    }

    /// User and group id, with no other groups unless [`Spawn::groups`] names them.
    #[must_use]
    pub fn user(mut self, uid: u32, gid: u32) -> Self {
        self.uid = Some(uid);
        self.gid = Some(gid);
        self
    }

    /// Supplementary groups.
    #[must_use]
    pub fn groups(mut self, groups: &[u32]) -> Self {
        self.groups = Some(groups.to_vec());
        self
    }

    /// Leaves the process these capabilities only, also for every program it executes.
    #[must_use]
    pub fn capabilities(mut self, keep: Capabilities) -> Self {
        self.keep = Some(keep);
        self
    }

    /// Takes away the ability to gain privileges by executing programs.
    #[must_use]
    pub fn no_new_privs(mut self) -> Self {
        self.no_new_privs = true;
        self
    }

    /// Starts a new session, away from this process's terminal and process group.
    #[must_use]
    pub fn new_session(mut self) -> Self {
        self.new_session = true;
        self
    }

    /// The signal the process gets when the *thread* that starts it ends: start such processes
    /// from a thread that lives as long as they may.
    #[must_use]
    pub fn death_signal(mut self, signal: Signal) -> Self {
        self.death_signal = Some(signal);
        self
    }

    /// The program's path.
    #[must_use]
    pub fn program(&self) -> &OsStr {
        &self.program
    }

    /// Starts the program. When this returns `Ok`, the program has been executed.
    ///
    /// # Errors
    /// When the process cannot be made as described; then no process is left.
    pub fn spawn(self) -> Result<Child, SpawnError> {
        let name = self.program.to_string_lossy().into_owned();
        let program = c_string(&name, "the path", self.program.as_bytes())?;
        let argv = self
            .argv
            .iter()
            .map(|arg| c_string(&name, "an argument", arg.as_bytes()))
            .collect::<Result<Vec<_>, _>>()?;
        let env = self
            .env
            .iter()
            .map(|(key, value)| {
                let mut entry = key.clone().into_vec();
                entry.push(b'=');
                entry.extend_from_slice(value.as_bytes());
                c_string(&name, "a variable", &entry)
            })
            .collect::<Result<Vec<_>, _>>()?;
        let path = |what, path: Option<&PathBuf>| {
            path.map(|path| c_string(&name, what, path.as_os_str().as_bytes())).transpose()
        };
        let root = path("the root directory", self.root.as_ref())?;
        let directory = path("the working directory", self.directory.as_ref())?;

        let cgroups = self
            .cgroups
            .iter()
            .map(|path| open(&name, path, File::options().write(true)))
            .collect::<Result<Vec<_>, _>>()?;
        let mut opened = Vec::new();
        let mut files = Vec::new();
        for (stdio, target) in self.stdio.iter().zip(0..) {
            let source = match stdio {
                Stdio::Inherit => target,
                Stdio::Fd(fd) => fd.as_raw_fd(),
                Stdio::Null => {
                    let null = Path::new("/dev/null");
                    keep(&mut opened, open(&name, null, File::options().read(true).write(true))?)
                }
                Stdio::Append(path) => {
                    let mut options = File::options();
                    options.append(true).create(true).mode(0o640);
                    keep(&mut opened, open(&name, path, &mut options)?)
                }
            };
            files.push((source, target));
        }
        files.extend(self.files.iter().map(|(file, target)| (file.as_raw_fd(), *target)));

        let fork_failed = |source: io::Error| SpawnError::Fork { program: name.clone(), source };
        let (mut reader, writer) = pipe().map_err(fork_failed)?;
        let pid = Pid::as_raw(Some(rustix::process::getpid()));
        let oom = self.oom_score_adj.map(|value| value.to_string());
        let in_own_pid_namespace = self.namespaces.contains(Namespaces::PID);
        let mut prepared = Prepared {
            program: &program,
            argv: &pointers(&argv),
            envp: &pointers(&env),
            cgroups: &cgroups.iter().map(AsRawFd::as_raw_fd).collect::<Vec<_>>(),
            join: &self
                .join
                .iter()
                .map(|(fd, kind)| (fd.as_raw_fd(), kind.bits()))
                .collect::<Vec<_>>(),
            unshare_cgroup: self.namespaces.contains(Namespaces::CGROUP),
            new_session: self.new_session,
            oom_score_adj: oom.as_ref().map(String::as_bytes),
            limits: &self
                .limits
                .iter()
                .map(|(resource, limit)| {
                    let limit = libc::rlimit64 { rlim_cur: limit.soft, rlim_max: limit.hard };
                    (resource.raw(), limit)
                })
                .collect::<Vec<_>>(),
            root: root.as_deref(),
            directory: directory.as_deref(),
            moved: &mut vec![-1; files.len()],
            files: &files,
            keep: self.keep.map(Capabilities::bits),
            groups: self.groups.as_deref().or(self.gid.map(|_| [].as_slice())),
            gid: self.gid,
            uid: self.uid,
            death_signal: self
                .death_signal
                .map(|signal| (signal.as_raw(), (!in_own_pid_namespace).then_some(pid))),
            no_new_privs: self.no_new_privs,
            report: writer.as_raw_fd(),
        };
        let child =
            fork(self.namespaces - Namespaces::CGROUP, &mut prepared).map_err(fork_failed)?;
        drop(writer);
        let mut message = Vec::new();
        // An error here can only mean that nothing was reported.
        let _ = reader.read_to_end(&mut message);
        match <[u8; 5]>::try_from(message.as_slice()) {
            Err(_) => Ok(child),
            Ok([step, errno @ ..]) => {
                let _ = child.wait();
                Err(SpawnError::Start {
                    program: name,
                    step: Step::from_byte(step).unwrap_or(Step::Execute),
                    source: io::Error::from_raw_os_error(c_int::from_ne_bytes(errno)),
                })
            }
        }
    }
}

fn fork(namespaces: Namespaces, prepared: &mut Prepared<'_>) -> io::Result<Child> {
    let flags = namespaces.bits() | libc::CLONE_PIDFD | libc::SIGCHLD;
    let mut pidfd: RawFd = -1;
    // Signals stay blocked until the child has reset their actions: a handler of the parent must
    // never run in the child.
    let blocked = crate::signal::block_all();
    // SAFETY: without CLONE_VM and with a null stack this is fork: the child runs on a copy of
    // this stack and memory. It calls only `fork::run`, which keeps to system calls on memory
    // prepared above and never returns.
    let pid = unsafe {
        let none = std::ptr::null_mut::<libc::c_void>();
        let pid = libc::syscall(
            libc::SYS_clone,
            libc::c_long::from(flags),
            none,
            &raw mut pidfd,
            none,
            none,
        );
        if pid == 0 {
            fork::run(prepared)
        }
        pid
    };
    let error = io::Error::last_os_error();
    drop(blocked);
    match i32::try_from(pid).ok().and_then(Pid::from_raw) {
        Some(pid) if pidfd >= 0 => {
            // SAFETY: the kernel stored a new descriptor that nothing else owns.
            Ok(Child::new(pid, unsafe { OwnedFd::from_raw_fd(pidfd) }))
        }
        _ => Err(error),
    }
}

fn pipe() -> io::Result<(File, OwnedFd)> {
    let (reader, writer) = io::pipe()?;
    Ok((File::from(OwnedFd::from(reader)), writer.into()))
}

fn open(
    program: &str,
    path: &Path,
    options: &mut std::fs::OpenOptions,
) -> Result<File, SpawnError> {
    options.open(path).map_err(|source| SpawnError::Open {
        program: program.to_owned(),
        path: path.to_path_buf(),
        source,
    })
}

fn keep(opened: &mut Vec<File>, file: File) -> RawFd {
    let fd = file.as_raw_fd();
    opened.push(file);
    fd
}

fn c_string(program: &str, what: &'static str, bytes: &[u8]) -> Result<CString, SpawnError> {
    CString::new(bytes).map_err(|_| SpawnError::ZeroByte { program: program.to_owned(), what })
}

fn pointers(strings: &[CString]) -> Vec<*const c_char> {
    strings.iter().map(|s| s.as_ptr()).chain([std::ptr::null()]).collect()
}
