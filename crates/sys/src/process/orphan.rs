//! Reaping for PID 1: look at who ended before deciding to take the status away.

use std::io;

use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};

use super::child::Exit;

/// A child (by birth or inherited) that has ended and is still to be reaped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Orphan {
    /// Its process id.
    pub pid: i32,
    /// How it ended.
    pub exit: Exit,
}

/// The next child that has ended, left in place; `None` when no child has ended.
///
/// # Errors
/// When the kernel refuses; having no children at all is not an error.
pub fn next_exited() -> io::Result<Option<Orphan>> {
    // The status of a peek does not name the process in rustix, so the raw call is made here.
    // SAFETY: `siginfo_t` is plain old data for which all zeroes is a valid value, and waitid
    // writes at most one of them.
    let (result, info) = unsafe {
        let mut info: libc::siginfo_t = std::mem::zeroed();
        let options = libc::WEXITED | libc::WNOHANG | libc::WNOWAIT;
        (libc::waitid(libc::P_ALL, 0, &raw mut info, options), info)
    };
    if result != 0 {
        let error = io::Error::last_os_error();
        return match error.raw_os_error() {
            Some(libc::ECHILD) => Ok(None),
            _ => Err(error),
        };
    }
    // SAFETY: waitid filled the child-status fields of the union, or left them zero.
    let (pid, status) = unsafe { (info.si_pid(), info.si_status()) };
    if pid == 0 {
        return Ok(None);
    }
    let exit =
        if info.si_code == libc::CLD_EXITED { Exit::Code(status) } else { Exit::Signal(status) };
    Ok(Some(Orphan { pid, exit }))
}

/// Sends a signal to every process this one may signal, except itself: in a PID namespace, to all
/// of it.
///
/// # Errors
/// When the kernel refuses; having nobody to signal is not an error.
pub fn signal_all(signal: rustix::process::Signal) -> io::Result<()> {
    // SAFETY: sends a signal, touches no memory. PID 1 of the namespace is exempt from -1.
    if unsafe { libc::kill(-1, signal.as_raw()) } == 0 {
        return Ok(());
    }
    let error = io::Error::last_os_error();
    if error.raw_os_error() == Some(libc::ESRCH) { Ok(()) } else { Err(error) }
}

/// Whether this process has a child, running or ended.
#[must_use]
pub fn has_children() -> bool {
    // SAFETY: zeroed `siginfo_t` is valid and nothing is reaped because of WNOWAIT.
    unsafe {
        let mut info: libc::siginfo_t = std::mem::zeroed();
        let options = libc::WEXITED | libc::WNOHANG | libc::WNOWAIT;
        libc::waitid(libc::P_ALL, 0, &raw mut info, options) == 0
    }
}

/// Takes the status of the ended child `pid` away, so that its process id is free again.
///
/// # Errors
/// When it is no child of this process.
pub fn reap(pid: i32) -> io::Result<()> {
    let pid = Pid::from_raw(pid).ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
    waitid(WaitId::Pid(pid), WaitIdOptions::EXITED | WaitIdOptions::NOHANG)?;
    Ok(())
}
