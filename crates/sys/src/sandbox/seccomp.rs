//! The system calls a network daemon needs, and no others.
//!
//! A call outside the list fails with EPERM, so that a library which merely tries something gets
//! an answer it can handle.

use std::collections::BTreeMap;

use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule, TargetArch,
};

use super::{Enforcement, SandboxError};

/// Needed by the allocator, threads, files, sockets and clocks of a tokio program, on any
/// architecture.
const ALLOWED: &[libc::c_long] = &[
    libc::SYS_accept4,
    libc::SYS_bind,
    libc::SYS_brk,
    libc::SYS_clock_getres,
    libc::SYS_clock_gettime,
    libc::SYS_clock_nanosleep,
    libc::SYS_close,
    libc::SYS_connect,
    libc::SYS_dup,
    libc::SYS_dup3,
    libc::SYS_epoll_create1,
    libc::SYS_epoll_ctl,
    libc::SYS_epoll_pwait,
    libc::SYS_eventfd2,
    libc::SYS_exit,
    libc::SYS_exit_group,
    libc::SYS_faccessat,
    libc::SYS_fchmod,
    libc::SYS_fchmodat,
    libc::SYS_fcntl,
    libc::SYS_fstat,
    libc::SYS_fsync,
    libc::SYS_ftruncate,
    libc::SYS_futex,
    libc::SYS_getcwd,
    libc::SYS_getdents64,
    libc::SYS_getegid,
    libc::SYS_geteuid,
    libc::SYS_getgid,
    libc::SYS_getpeername,
    libc::SYS_getpid,
    libc::SYS_getppid,
    libc::SYS_getrandom,
    libc::SYS_getrusage,
    libc::SYS_getsockname,
    libc::SYS_getsockopt,
    libc::SYS_gettid,
    libc::SYS_gettimeofday,
    libc::SYS_getuid,
    libc::SYS_inotify_add_watch,
    libc::SYS_inotify_init1,
    libc::SYS_inotify_rm_watch,
    libc::SYS_listen,
    libc::SYS_lseek,
    libc::SYS_madvise,
    libc::SYS_membarrier,
    libc::SYS_mkdirat,
    libc::SYS_mmap,
    libc::SYS_mprotect,
    libc::SYS_mremap,
    libc::SYS_munmap,
    libc::SYS_nanosleep,
    libc::SYS_newfstatat,
    libc::SYS_openat,
    libc::SYS_pipe2,
    libc::SYS_ppoll,
    libc::SYS_pread64,
    libc::SYS_pwrite64,
    libc::SYS_read,
    libc::SYS_readlinkat,
    libc::SYS_readv,
    libc::SYS_recvfrom,
    libc::SYS_recvmmsg,
    libc::SYS_recvmsg,
    libc::SYS_renameat,
    libc::SYS_renameat2,
    libc::SYS_restart_syscall,
    libc::SYS_rseq,
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_sched_getaffinity,
    libc::SYS_sched_yield,
    libc::SYS_sendmmsg,
    libc::SYS_sendmsg,
    libc::SYS_sendto,
    libc::SYS_set_robust_list,
    libc::SYS_setsockopt,
    libc::SYS_shutdown,
    libc::SYS_sigaltstack,
    libc::SYS_socketpair,
    libc::SYS_statx,
    libc::SYS_sysinfo,
    libc::SYS_tgkill,
    libc::SYS_timerfd_create,
    libc::SYS_timerfd_settime,
    libc::SYS_umask,
    libc::SYS_uname,
    libc::SYS_unlinkat,
    libc::SYS_write,
    libc::SYS_writev,
];

/// The older names of some of those calls, which only this architecture has.
#[cfg(target_arch = "x86_64")]
const ALLOWED_HERE: &[libc::c_long] = &[
    libc::SYS_access,
    libc::SYS_arch_prctl,
    libc::SYS_chmod,
    libc::SYS_dup2,
    libc::SYS_epoll_wait,
    libc::SYS_lstat,
    libc::SYS_mkdir,
    libc::SYS_open,
    libc::SYS_pipe,
    libc::SYS_poll,
    libc::SYS_readlink,
    libc::SYS_rename,
    libc::SYS_stat,
    libc::SYS_time,
    libc::SYS_unlink,
];
#[cfg(not(target_arch = "x86_64"))]
const ALLOWED_HERE: &[libc::c_long] = &[];

const FIONBIO: u64 = 0x5421;
const FIONREAD: u64 = 0x541B;

/// `TCGETS`, `TCSETS`, `TCSETSW`, `TCSETSF`, `TIOCGWINSZ`, and the first four in their newer form.
const TERMINAL: [u64; 9] =
    [0x5401, 0x5402, 0x5403, 0x5404, 0x5413, 0x802C_542A, 0x402C_542B, 0x402C_542C, 0x402C_542D];

pub(super) fn restrict(terminal: bool) -> Result<Enforcement, SandboxError> {
    // The stricter answer of several filters counts; the second installs last because it allows
    // no further ones.
    let filters = [without_clone3()?, allowed(terminal)?];
    let install = |filter: &BpfProgram| seccompiler::apply_filter_all_threads(filter);
    match filters.iter().try_for_each(install) {
        Ok(()) => Ok(Enforcement::Full),
        Err(seccompiler::Error::Seccomp(e) | seccompiler::Error::Prctl(e))
            if e.raw_os_error() == Some(libc::EINVAL) || e.raw_os_error() == Some(libc::ENOSYS) =>
        {
            Ok(Enforcement::Unsupported)
        }
        Err(error) => Err(SandboxError::Install(error)),
    }
}

fn allowed(terminal: bool) -> Result<BpfProgram, SandboxError> {
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> =
        ALLOWED.iter().chain(ALLOWED_HERE).map(|call| (*call, Vec::new())).collect();
    let unsigned = |value: i32| u64::from(value.unsigned_abs());
    rules.insert(
        libc::SYS_socket,
        [libc::AF_UNIX, libc::AF_INET, libc::AF_INET6]
            .map(|family| equals(0, unsigned(family)))
            .into_iter()
            .collect::<Result<_, _>>()?,
    );
    let requests = [FIONBIO, FIONREAD].into_iter().chain(TERMINAL.into_iter().filter(|_| terminal));
    let requests = requests.map(|request| equals(1, request)).collect::<Result<_, _>>()?;
    rules.insert(libc::SYS_ioctl, requests);
    // Threads, but no processes; clone3, whose flags are hidden from filters, is answered by
    // `without_clone3`.
    rules.insert(libc::SYS_clone3, Vec::new());
    let thread = unsigned(libc::CLONE_THREAD);
    rules.insert(libc::SYS_clone, vec![masked(0, thread, thread)?]);
    // Names of threads, and one's own memory areas.
    let (name, vma) = (unsigned(libc::PR_SET_NAME), unsigned(libc::PR_SET_VMA));
    rules.insert(libc::SYS_prctl, vec![equals(0, name)?, equals(0, vma)?]);
    // Limits may be read (third argument null), not changed.
    let null = SeccompCondition::new(2, SeccompCmpArgLen::Qword, SeccompCmpOp::Eq, 0)
        .and_then(|condition| SeccompRule::new(vec![condition]))
        .map_err(SandboxError::Filter)?;
    rules.insert(libc::SYS_prlimit64, vec![null]);

    program(rules, SeccompAction::Errno(libc::EPERM.unsigned_abs()), SeccompAction::Allow)
}

/// Makes clone3 look unknown to the kernel, the one answer on which C libraries fall back to
/// clone.
fn without_clone3() -> Result<BpfProgram, SandboxError> {
    let rules = BTreeMap::from([(libc::SYS_clone3, Vec::new())]);
    program(rules, SeccompAction::Allow, SeccompAction::Errno(libc::ENOSYS.unsigned_abs()))
}

fn program(
    rules: BTreeMap<i64, Vec<SeccompRule>>,
    otherwise: SeccompAction,
    matching: SeccompAction,
) -> Result<BpfProgram, SandboxError> {
    let architecture =
        TargetArch::try_from(std::env::consts::ARCH).map_err(SandboxError::Filter)?;
    SeccompFilter::new(rules, otherwise, matching, architecture)
        .and_then(BpfProgram::try_from)
        .map_err(SandboxError::Filter)
}

fn equals(argument: u8, value: u64) -> Result<SeccompRule, SandboxError> {
    condition(argument, SeccompCmpOp::Eq, value)
}

fn masked(argument: u8, mask: u64, value: u64) -> Result<SeccompRule, SandboxError> {
    condition(argument, SeccompCmpOp::MaskedEq(mask), value)
}

fn condition(
    argument: u8,
    operator: SeccompCmpOp,
    value: u64,
) -> Result<SeccompRule, SandboxError> {
    let condition = SeccompCondition::new(argument, SeccompCmpArgLen::Dword, operator, value)
        .map_err(SandboxError::Filter)?;
    SeccompRule::new(vec![condition]).map_err(SandboxError::Filter)
}
