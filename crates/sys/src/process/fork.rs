//! The part of a spawn that runs in the new process, between its birth and its program.
//!
//! The parent may have many threads, so nothing here may allocate, lock or touch anything that
//! another thread could hold: only system calls on memory prepared beforehand.

use std::ffi::{CStr, c_char, c_int, c_long};
use std::os::fd::RawFd;

/// What the new process was doing when it failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
#[allow(missing_docs)]
pub enum Step {
    JoinCgroup = 1,
    JoinNamespace,
    UnshareCgroupNamespace,
    NewSession,
    SetLimit,
    ChangeRoot,
    ChangeDirectory,
    ArrangeFiles,
    DropCapabilities,
    ChangeUser,
    SetDeathSignal,
    NoNewPrivileges,
    Execute,
}

impl Step {
    const ALL: [Self; 13] = [
        Self::JoinCgroup,
        Self::JoinNamespace,
        Self::UnshareCgroupNamespace,
        Self::NewSession,
        Self::SetLimit,
        Self::ChangeRoot,
        Self::ChangeDirectory,
        Self::ArrangeFiles,
        Self::DropCapabilities,
        Self::ChangeUser,
        Self::SetDeathSignal,
        Self::NoNewPrivileges,
        Self::Execute,
    ];

    pub(super) fn from_byte(byte: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|step| *step as u8 == byte)
    }
}

impl std::fmt::Display for Step {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::JoinCgroup => "joining its cgroup",
            Self::JoinNamespace => "joining a namespace",
            Self::UnshareCgroupNamespace => "making its cgroup namespace",
            Self::NewSession => "starting a session",
            Self::SetLimit => "setting a resource limit",
            Self::ChangeRoot => "changing the root directory",
            Self::ChangeDirectory => "changing the working directory",
            Self::ArrangeFiles => "arranging its open files",
            Self::DropCapabilities => "dropping capabilities",
            Self::ChangeUser => "changing user and group",
            Self::SetDeathSignal => "setting its death signal",
            Self::NoNewPrivileges => "giving up new privileges",
            Self::Execute => "executing the program",
        })
    }
}

/// Everything the new process needs, as memory that is ready for system calls.
pub(super) struct Prepared<'a> {
    pub(super) program: &'a CStr,
    pub(super) argv: &'a [*const c_char],
    pub(super) envp: &'a [*const c_char],
    /// Open `cgroup.procs` files.
    pub(super) cgroups: &'a [RawFd],
    pub(super) join: &'a [(RawFd, c_int)],
    pub(super) unshare_cgroup: bool,
    pub(super) new_session: bool,
    /// Text for `/proc/self/oom_score_adj`.
    pub(super) oom_score_adj: Option<&'a [u8]>,
    pub(super) limits: &'a [(u32, libc::rlimit64)],
    pub(super) root: Option<&'a CStr>,
    pub(super) directory: Option<&'a CStr>,
    /// `(source, target)`; targets are distinct.
    pub(super) files: &'a [(RawFd, RawFd)],
    /// Room for the moved sources, as long as `files`.
    pub(super) moved: &'a mut [RawFd],
    pub(super) keep: Option<u64>,
    pub(super) groups: Option<&'a [libc::gid_t]>,
    pub(super) gid: Option<libc::gid_t>,
    pub(super) uid: Option<libc::uid_t>,
    /// The signal, and the parent to check against when the ids are comparable.
    pub(super) death_signal: Option<(c_int, Option<libc::pid_t>)>,
    pub(super) no_new_privs: bool,
    /// Where a failure is reported; closed by a successful exec.
    pub(super) report: RawFd,
}

type Failed = (Step, c_int);

/// Runs the steps and executes the program; returns only to say what failed.
///
/// # Safety
/// Must be called in a freshly forked child, which shares no memory with its parent, and all
/// pointers in `argv` and `envp` must be null-terminated strings with a null pointer at the end.
pub(super) unsafe fn run(prepared: &mut Prepared<'_>) -> ! {
    // SAFETY: forwarded from this function's contract.
    let (step, errno) = match unsafe { steps(prepared) } {
        Ok(never) => match never {},
        Err(failed) => failed,
    };
    let errno = errno.to_ne_bytes();
    let message = [step as u8, errno[0], errno[1], errno[2], errno[3]];
    // SAFETY: the buffer lives on this stack; the process ends right after.
    unsafe {
        libc::write(prepared.report, message.as_ptr().cast(), message.len());
        libc::_exit(127)
    }
}

/// # Safety
/// As for [`run`].
unsafe fn steps(p: &mut Prepared<'_>) -> Result<std::convert::Infallible, Failed> {
    // SAFETY: only system calls on memory that `Prepared` keeps alive; identity calls are made
    // raw because the C library's versions try to synchronise threads that do not exist here.
    unsafe {
        for &fd in p.cgroups {
            check(Step::JoinCgroup, libc::write(fd, c"0".as_ptr().cast(), 1) as c_long)?;
        }
        for &(fd, kind) in p.join {
            check(Step::JoinNamespace, libc::setns(fd, kind).into())?;
        }
        if p.unshare_cgroup {
            let result = libc::unshare(libc::CLONE_NEWCGROUP);
            check(Step::UnshareCgroupNamespace, result.into())?;
        }
        if p.new_session {
            check(Step::NewSession, libc::setsid().into())?;
        }
        if let Some(text) = p.oom_score_adj {
            // Best effort: lowering it needs CAP_SYS_RESOURCE, which a container host may lack.
            let path = c"/proc/self/oom_score_adj".as_ptr();
            let fd = libc::open(path, libc::O_WRONLY | libc::O_CLOEXEC);
            if fd >= 0 {
                libc::write(fd, text.as_ptr().cast(), text.len());
                libc::close(fd);
            }
        }
        for (resource, limit) in p.limits {
            let none = std::ptr::null_mut::<libc::rlimit64>();
            let result = libc::syscall(libc::SYS_prlimit64, 0, *resource, limit, none);
            check(Step::SetLimit, result)?;
        }
        if let Some(root) = p.root {
            check(Step::ChangeRoot, libc::chroot(root.as_ptr()).into())?;
            check(Step::ChangeRoot, libc::chdir(c"/".as_ptr()).into())?;
        }
        if let Some(directory) = p.directory {
            check(Step::ChangeDirectory, libc::chdir(directory.as_ptr()).into())?;
        }
        arrange_files(p)?;
        change_identity(p)?;
        if let Some((signal, parent)) = p.death_signal {
            check(Step::SetDeathSignal, libc::prctl(libc::PR_SET_PDEATHSIG, signal).into())?;
            if parent.is_some_and(|parent| libc::getppid() != parent) {
                // The parent died before the signal was armed: nobody would ever send it.
                libc::_exit(127);
            }
        }
        if p.no_new_privs {
            let result = libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
            check(Step::NoNewPrivileges, result.into())?;
        }
        reset_signals();
        libc::execve(p.program.as_ptr(), p.argv.as_ptr(), p.envp.as_ptr());
        Err((Step::Execute, errno()))
    }
}

/// Moves the wanted files out of the way, then to their numbers; everything else closes on exec.
///
/// # Safety
/// As for [`run`].
unsafe fn arrange_files(p: &mut Prepared<'_>) -> Result<(), Failed> {
    let above = p.files.iter().map(|file| file.1).max().unwrap_or(2).max(2) + 1;
    // SAFETY: descriptor calls only; the table belongs to this process alone.
    unsafe {
        let report = libc::fcntl(p.report, libc::F_DUPFD_CLOEXEC, above);
        check(Step::ArrangeFiles, report.into())?;
        p.report = report;
        for (moved, (source, _)) in p.moved.iter_mut().zip(p.files) {
            *moved = libc::fcntl(*source, libc::F_DUPFD_CLOEXEC, above);
            check(Step::ArrangeFiles, (*moved).into())?;
        }
        let all_on_exec = libc::CLOSE_RANGE_CLOEXEC;
        let from = if p.files.is_empty() { 3 } else { 0 };
        // Kernels before 5.11 lack this; then the files opened without close-on-exec stay open.
        libc::syscall(libc::SYS_close_range, from, u32::MAX, all_on_exec);
        for (moved, (_, target)) in p.moved.iter().zip(p.files) {
            check(Step::ArrangeFiles, libc::dup2(*moved, *target).into())?;
        }
    }
    Ok(())
}

/// # Safety
/// As for [`run`].
unsafe fn change_identity(p: &Prepared<'_>) -> Result<(), Failed> {
    // SAFETY: raw system calls on integers and on memory kept alive by `Prepared`.
    unsafe {
        if let Some(keep) = p.keep {
            for capability in 0..64 {
                if keep & (1 << capability) != 0 {
                    continue;
                }
                if libc::prctl(libc::PR_CAPBSET_DROP, capability, 0, 0, 0) != 0 {
                    match errno() {
                        // Beyond the last capability this kernel knows.
                        libc::EINVAL => break,
                        other => return Err((Step::DropCapabilities, other)),
                    }
                }
            }
            let result = libc::prctl(libc::PR_SET_KEEPCAPS, i32::from(keep != 0), 0, 0, 0);
            check(Step::DropCapabilities, result.into())?;
        }
        if let Some(groups) = p.groups {
            let result = libc::syscall(libc::SYS_setgroups, groups.len(), groups.as_ptr());
            check(Step::ChangeUser, result)?;
        }
        if let Some(gid) = p.gid {
            check(Step::ChangeUser, libc::syscall(libc::SYS_setresgid, gid, gid, gid))?;
        }
        if let Some(uid) = p.uid {
            check(Step::ChangeUser, libc::syscall(libc::SYS_setresuid, uid, uid, uid))?;
        }
        if let Some(keep) = p.keep {
            set_capabilities(keep)?;
        }
    }
    Ok(())
}

/// # Safety
/// Only system calls; may be called by any process that shares its credentials with no other.
unsafe fn set_capabilities(keep: u64) -> Result<(), Failed> {
    const VERSION_3: u32 = 0x2008_0522;
    let header: [u32; 2] = [VERSION_3, 0];
    let low = (keep & 0xffff_ffff) as u32;
    let high = (keep >> 32) as u32;
    // effective, permitted, inheritable; low words, then high words.
    let data: [u32; 6] = [low, low, low, high, high, high];
    // SAFETY: header and data have the layout of `cap_user_header_t` and two `cap_user_data_t`.
    unsafe {
        let result = libc::syscall(libc::SYS_capset, header.as_ptr(), data.as_ptr());
        check(Step::DropCapabilities, result)?;
        let clear = libc::PR_CAP_AMBIENT_CLEAR_ALL;
        let result = libc::prctl(libc::PR_CAP_AMBIENT, clear, 0, 0, 0);
        check(Step::DropCapabilities, result.into())?;
        for capability in (0..64).filter(|capability| keep & (1 << capability) != 0) {
            let raise = libc::PR_CAP_AMBIENT_RAISE;
            let result = libc::prctl(libc::PR_CAP_AMBIENT, raise, capability, 0, 0);
            check(Step::DropCapabilities, result.into())?;
        }
    }
    Ok(())
}

/// A program starts with no blocked signals and default actions, whatever its parent did.
///
/// # Safety
/// As for [`run`].
unsafe fn reset_signals() {
    // SAFETY: zeroed `sigset_t` and `sigaction` are valid; failures on the signals whose action
    // cannot be changed are expected and harmless.
    unsafe {
        let action: libc::sigaction = std::mem::zeroed();
        for signal in 1..=64 {
            libc::sigaction(signal, &raw const action, std::ptr::null_mut());
        }
        let mut none: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&raw mut none);
        libc::sigprocmask(libc::SIG_SETMASK, &raw const none, std::ptr::null_mut());
    }
}

fn check(step: Step, result: c_long) -> Result<(), Failed> {
    if result < 0 { Err((step, errno())) } else { Ok(()) }
}

fn errno() -> c_int {
    // SAFETY: the address of this thread's errno is always valid.
    unsafe { *libc::__errno_location() }
}
