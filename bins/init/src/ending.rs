//! The last things: nobody left running, nothing left unwritten.

use std::time::{Duration, Instant};

use sys::Signal;
use sys::process;
use sys::signal::{SignalFd, wait_readable};
use sys::system::Ending;

use crate::console::Console;
use crate::fatal;
use crate::platform::Platform;

/// machined has stopped services in order already; this is for what nobody knew of.
const GRACE: Duration = Duration::from_secs(2);
/// A process in the kernel's hands may take a moment to die; longer means it never will.
const KILLED: Duration = Duration::from_secs(10);

/// What must reach a disk.
const PERSISTENT: [&str; 2] = ["/var", "/system/state"];

/// Ends the machine; returns only when the kernel refuses.
pub(crate) fn end(
    platform: Platform,
    ending: Ending,
    console: &mut Console,
) -> std::io::Result<()> {
    stop_everything(console);
    write_everything(platform, console);
    unmount_everything(console);
    // Inside a container there is no kernel to start: its provisioner starts the node again.
    let ending = match (platform, ending) {
        (Platform::Container, Ending::Kexec) => Ending::Restart,
        (_, ending) => ending,
    };
    match sys::system::end(ending) {
        // Without a kernel to go on with, the firmware finds one.
        Err(error) if ending == Ending::Kexec => {
            console.error("the next kernel cannot be started, so the firmware starts it", &error);
            sys::system::end(Ending::Restart)
        }
        ended => ended,
    }
}

fn stop_everything(console: &mut Console) {
    let signals = match SignalFd::new(&[Signal::CHILD]) {
        Ok(signals) => signals,
        Err(error) => return console.error("cannot wait for processes to end", &error),
    };
    for (signal, limit) in [(Signal::TERM, GRACE), (Signal::KILL, KILLED)] {
        if let Err(error) = process::signal_all(signal) {
            console.error("cannot signal the processes that are left", &error);
        }
        let deadline = Instant::now() + limit;
        loop {
            while let Ok(Some(orphan)) = process::next_exited() {
                let _ = process::reap(orphan.pid);
            }
            if !process::has_children() {
                return;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            let _ = wait_readable(&signals, Some(left));
            while let Ok(Some(_)) = signals.next() {}
        }
    }
    console.say("processes are left that cannot be killed");
}

fn write_everything(platform: Platform, console: &mut Console) {
    match platform {
        Platform::Machine => fatal::write_everything(),
        // The other file systems are not this node's to wait for.
        Platform::Container => {
            for path in PERSISTENT {
                if let Err(error) = sys::device::sync_file_system(path) {
                    console.error(&format!("cannot write {path} to its disk"), &error);
                }
            }
        }
    }
}

/// Unmounts what can be, newest first: what is busy is only what this process stands on.
fn unmount_everything(console: &mut Console) {
    let mounts = match sys::mount::table() {
        Ok(mounts) => mounts,
        Err(error) => return console.error("cannot unmount", &error),
    };
    let mut targets: Vec<_> = mounts.into_iter().map(|mount| mount.target).collect();
    targets.retain(|target| {
        target.starts_with("/var") || target.starts_with("/system") || target.starts_with("/opt")
    });
    for target in targets.iter().rev() {
        if let Err(error) = sys::mount::unmount(target, false) {
            console.error("a file system stays mounted", &error);
        }
    }
}
