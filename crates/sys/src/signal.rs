//! Signals: blocking them and receiving them as a file.

use std::io;
use std::marker::PhantomData;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use rustix::process::Signal;

/// All signals of this thread blocked until it is dropped.
#[derive(Debug)]
pub struct Blocked {
    before: libc::sigset_t,
    // The mask belongs to one thread.
    _thread: PhantomData<*const ()>,
}

/// Blocks every signal of this thread.
#[must_use]
pub fn block_all() -> Blocked {
    // SAFETY: zeroed sets are valid arguments and the calls write only to them.
    unsafe {
        let mut all: libc::sigset_t = std::mem::zeroed();
        let mut before: libc::sigset_t = std::mem::zeroed();
        libc::sigfillset(&raw mut all);
        libc::pthread_sigmask(libc::SIG_SETMASK, &raw const all, &raw mut before);
        Blocked { before, _thread: PhantomData }
    }
}

impl Drop for Blocked {
    fn drop(&mut self) {
        // SAFETY: `before` was filled in by the kernel.
        unsafe {
            libc::pthread_sigmask(libc::SIG_SETMASK, &raw const self.before, std::ptr::null_mut());
        }
    }
}

/// Signals delivered as reads of a descriptor instead of interruptions.
#[derive(Debug)]
pub struct SignalFd(OwnedFd);

impl SignalFd {
    /// Blocks `signals` in this thread (start others afterwards) and receives them here.
    ///
    /// # Errors
    /// When the descriptor cannot be made.
    pub fn new(signals: &[Signal]) -> io::Result<Self> {
        // SAFETY: the set is initialised by sigemptyset before use; the descriptor returned is
        // new and owned by nobody else.
        unsafe {
            let mut set: libc::sigset_t = std::mem::zeroed();
            libc::sigemptyset(&raw mut set);
            for signal in signals {
                libc::sigaddset(&raw mut set, signal.as_raw());
            }
            let result =
                libc::pthread_sigmask(libc::SIG_BLOCK, &raw const set, std::ptr::null_mut());
            if result != 0 {
                return Err(io::Error::from_raw_os_error(result));
            }
            let fd = libc::signalfd(-1, &raw const set, libc::SFD_CLOEXEC | libc::SFD_NONBLOCK);
            if fd < 0 {
                return Err(io::Error::last_os_error());
            }
            Ok(Self(OwnedFd::from_raw_fd(fd)))
        }
    }

    /// The next pending signal and the process that sent it; `None` when none is pending.
    ///
    /// # Errors
    /// When reading fails.
    pub fn next(&self) -> io::Result<Option<(Signal, u32)>> {
        // SAFETY: `signalfd_siginfo` is plain old data and the kernel writes at most its size.
        let (read, info) = unsafe {
            let mut info: libc::signalfd_siginfo = std::mem::zeroed();
            let size = size_of::<libc::signalfd_siginfo>();
            (libc::read(self.0.as_raw_fd(), (&raw mut info).cast(), size), info)
        };
        if read < 0 {
            let error = io::Error::last_os_error();
            return if error.kind() == io::ErrorKind::WouldBlock { Ok(None) } else { Err(error) };
        }
        let number = i32::try_from(info.ssi_signo).unwrap_or_default();
        Ok(Signal::from_named_raw(number).map(|signal| (signal, info.ssi_pid)))
    }
}

impl AsFd for SignalFd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// Waits until `fd` is readable, at most `limit`; whether it is.
///
/// # Errors
/// When polling fails. An interruption counts as not readable.
pub fn wait_readable(fd: impl AsFd, limit: Option<std::time::Duration>) -> io::Result<bool> {
    let mut fds = [rustix::event::PollFd::new(&fd, rustix::event::PollFlags::IN)];
    let limit = limit.map(|limit| rustix::event::Timespec {
        tv_sec: i64::try_from(limit.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: limit.subsec_nanos().into(),
    });
    match rustix::event::poll(&mut fds, limit.as_ref()) {
        Ok(ready) => Ok(ready > 0),
        Err(rustix::io::Errno::INTR) => Ok(false),
        Err(error) => Err(error.into()),
    }
}
