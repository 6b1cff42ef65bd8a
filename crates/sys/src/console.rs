//! The machine's own screen: its virtual terminals, and which of them is seen.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};

use thiserror::Error;

/// Why the screen could not be arranged.
#[derive(Debug, Error)]
pub enum ConsoleError {
    /// There is no such terminal: a machine without a screen.
    #[error("cannot open {path}")]
    Open {
        /// The terminal.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The terminal refused.
    #[error("{path} refuses {what}")]
    Change {
        /// The terminal.
        path: PathBuf,
        /// What was asked of it.
        what: &'static str,
        /// What the kernel said.
        #[source]
        source: io::Error,
    },
}

/// Requests of `linux/vt.h` and `linux/tiocl.h`.
const VT_ACTIVATE: u32 = 0x5606;
const TIOCLINUX: u32 = 0x541C;
const TIOCL_SETKMSGREDIRECT: u8 = 11;

/// The terminal that stands for the one that is seen.
const SEEN: &str = "/dev/tty0";

fn open() -> Result<File, ConsoleError> {
    File::options()
        .read(true)
        .write(true)
        .open(SEEN)
        .map_err(|source| ConsoleError::Open { path: SEEN.into(), source })
}

fn refused(what: &'static str) -> ConsoleError {
    ConsoleError::Change { path: SEEN.into(), what, source: io::Error::last_os_error() }
}

/// The device file of a virtual terminal.
#[must_use]
pub fn terminal(number: u8) -> PathBuf {
    Path::new("/dev").join(format!("tty{number}"))
}

/// Shows the virtual terminal `number`.
///
/// # Errors
/// When the machine has no virtual terminals, or not this one.
pub fn show(number: u8) -> Result<(), ConsoleError> {
    let console = open()?;
    // SAFETY: the request takes a number and touches no memory.
    let result =
        unsafe { libc::ioctl(console.as_raw_fd(), VT_ACTIVATE as _, libc::c_ulong::from(number)) };
    if result == 0 { Ok(()) } else { Err(refused("to show another terminal")) }
}

/// Lets the kernel write its messages to the virtual terminal `number`, whichever is seen.
///
/// # Errors
/// When the machine has no virtual terminals, or the caller may not.
pub fn kernel_messages_to(number: u8) -> Result<(), ConsoleError> {
    let console = open()?;
    let mut request = [TIOCL_SETKMSGREDIRECT, number];
    // SAFETY: this request of TIOCLINUX reads two bytes, which `request` has.
    let result = unsafe { libc::ioctl(console.as_raw_fd(), TIOCLINUX as _, request.as_mut_ptr()) };
    if result == 0 { Ok(()) } else { Err(refused("another terminal for the kernel's messages")) }
}
