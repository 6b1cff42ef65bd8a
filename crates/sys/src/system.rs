//! The machine as a whole: its names, its memory, its end.

use std::ffi::CString;
use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::time::Duration;

/// How a machine (or a PID namespace) ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// Start again.
    Restart,
    /// Switch the power off.
    PowerOff,
    /// Stop the processors and stay.
    Halt,
    /// Start the kernel that was loaded before.
    Kexec,
}

/// Ends the machine; in a PID namespace of its own it ends that namespace, whose first process
/// then seems killed by SIGHUP (restart) or SIGINT (power off, halt).
///
/// # Errors
/// When the kernel refuses. Otherwise it does not return.
pub fn end(ending: Ending) -> io::Result<()> {
    use rustix::system::RebootCommand;
    let command = match ending {
        Ending::Restart => RebootCommand::Restart,
        Ending::PowerOff => RebootCommand::PowerOff,
        Ending::Halt => RebootCommand::Halt,
        Ending::Kexec => RebootCommand::Kexec,
    };
    rustix::system::reboot(command)?;
    Ok(())
}

/// Gives the kernel another kernel to start by [`Ending::Kexec`], with its initramfs and command line.
///
/// # Errors
/// When the kernel refuses: it was built without this, is locked down, or does not trust the file.
pub fn load_kernel(kernel: &File, initramfs: &File, command_line: &str) -> io::Result<()> {
    let text = CString::new(command_line).map_err(|_| io::ErrorKind::InvalidInput)?;
    let text = text.as_bytes_with_nul();
    // SAFETY: the descriptors are open for the length of the call, and the kernel reads `text.len()` bytes of `text`.
    let result = unsafe {
        libc::syscall(
            libc::SYS_kexec_file_load,
            kernel.as_raw_fd(),
            initramfs.as_raw_fd(),
            text.len(),
            text.as_ptr(),
            0_usize,
        )
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// `RNDADDENTROPY` of `linux/random.h`.
const RNDADDENTROPY: u32 = 0x4008_5203;

/// Adds `seed`, which must be truly random, to the kernel's pool, and lets it count in full.
///
/// # Errors
/// When the caller may not, or `/dev/urandom` is missing.
pub fn add_randomness(seed: &[u8; 64]) -> io::Result<()> {
    /// `struct rand_pool_info` with its buffer.
    #[repr(C)]
    struct Pool {
        bits: i32,
        bytes: i32,
        seed: [u8; 64],
    }
    let pool = Pool { bits: 512, bytes: 64, seed: *seed };
    let device = File::options().write(true).open("/dev/urandom")?;
    // SAFETY: the request reads one `struct rand_pool_info` and the bytes that it says follow, which `pool` has.
    let result = unsafe { libc::ioctl(device.as_raw_fd(), RNDADDENTROPY as _, &raw const pool) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Makes Ctrl-Alt-Del a signal to PID 1 instead of an immediate reset.
///
/// # Errors
/// When the kernel refuses.
pub fn catch_ctrl_alt_del() -> io::Result<()> {
    rustix::system::reboot(rustix::system::RebootCommand::CadOff)?;
    Ok(())
}

/// Writes all file systems' data to disk.
pub fn sync() {
    rustix::fs::sync();
}

/// What `uname` says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kernel {
    /// The host name of this UTS namespace.
    pub node: String,
    /// The release, as `6.18.45`.
    pub release: String,
    /// The build's number and date.
    pub version: String,
    /// The architecture, as `x86_64`.
    pub machine: String,
}

/// The running kernel.
#[must_use]
pub fn kernel() -> Kernel {
    let uname = rustix::system::uname();
    let text = |s: &std::ffi::CStr| s.to_string_lossy().into_owned();
    Kernel {
        node: text(uname.nodename()),
        release: text(uname.release()),
        version: text(uname.version()),
        machine: text(uname.machine()),
    }
}

/// Sets the host name of this UTS namespace.
///
/// # Errors
/// When the kernel refuses.
pub fn set_hostname(name: &str) -> io::Result<()> {
    rustix::system::sethostname(name.as_bytes())?;
    Ok(())
}

/// What `sysinfo` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Load {
    /// Since the machine started.
    pub uptime: Duration,
    /// Bytes of memory.
    pub memory: u64,
    /// Bytes of memory that nothing uses.
    pub free: u64,
    /// Processes and threads.
    pub tasks: u16,
}

/// The machine's load now.
#[must_use]
pub fn load() -> Load {
    let info = rustix::system::sysinfo();
    let unit = u64::from(info.mem_unit);
    Load {
        uptime: Duration::from_secs(u64::try_from(info.uptime).unwrap_or_default()),
        memory: info.totalram as u64 * unit,
        free: info.freeram as u64 * unit,
        tasks: info.procs,
    }
}

/// Space on a file system, in bytes, and its files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Space {
    /// Size of the file system.
    pub total: u64,
    /// Unused.
    pub free: u64,
    /// Unused and to be had without privilege.
    pub available: u64,
    /// How many files it can hold.
    pub files: u64,
    /// How many more it can hold.
    pub files_free: u64,
}

/// The space of the file system that holds `path`.
///
/// # Errors
/// When the path does not exist or the kernel refuses.
pub fn space(path: impl AsRef<std::path::Path>) -> io::Result<Space> {
    let stat = rustix::fs::statvfs(path.as_ref())?;
    Ok(Space {
        total: stat.f_blocks.saturating_mul(stat.f_frsize),
        free: stat.f_bfree.saturating_mul(stat.f_frsize),
        available: stat.f_bavail.saturating_mul(stat.f_frsize),
        files: stat.f_files,
        files_free: stat.f_ffree,
    })
}

/// Adopts the orphans of this process's descendants, as PID 1 does for everybody's.
///
/// # Errors
/// When the kernel refuses.
pub fn adopt_orphans() -> io::Result<()> {
    rustix::process::set_child_subreaper(Some(rustix::process::getpid()))?;
    Ok(())
}

/// Raises this process's limit of open files; children inherit it.
///
/// # Errors
/// When `limit` is above the hard limit and this process may not raise that.
pub fn limit_open_files(limit: u64) -> io::Result<()> {
    let wanted = rustix::process::Rlimit { current: Some(limit), maximum: Some(limit) };
    rustix::process::setrlimit(rustix::process::Resource::Nofile, wanted)?;
    Ok(())
}

/// The hard limit of open files; `None` when there is none.
#[must_use]
pub fn open_files_limit() -> Option<u64> {
    rustix::process::getrlimit(rustix::process::Resource::Nofile).maximum
}
