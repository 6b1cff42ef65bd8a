//! PID 1 of a node.
//!
//! It prepares the mounts and cgroups that everything else takes for granted, keeps machined
//! running, reaps orphans, forwards signals, and ends the machine when machined says how. It has
//! no configuration and never talks to a network: what can be decided later is machined's.

mod cgroups;
mod console;
mod ending;
mod etc;
mod mounts;
mod platform;
mod supervise;
mod sysctls;

use std::process::ExitCode;

use console::Console;
use platform::Platform;

fn main() -> ExitCode {
    if std::process::id() != 1 {
        eprintln!("init: this program prepares a machine and must be its first process (PID 1)");
        return ExitCode::FAILURE;
    }
    let platform = Platform::detect();
    if let Err(error) = mounts::basic(platform) {
        Console::standard().error("early mounts failed", &error);
        return ExitCode::FAILURE;
    }
    let mut console = Console::open(platform);
    let prepared = prepare(platform, &mut console);
    if let Err(error) = prepared {
        console.error("the machine cannot be prepared", error.as_ref());
        return ExitCode::FAILURE;
    }
    match supervise::run(&mut console) {
        Ok(ending) => ending::end(platform, ending, &mut console),
        Err(error) => console.error("machined cannot be supervised", &error),
    }
    ExitCode::FAILURE
}

/// Everything between the first mounts and machined.
fn prepare(platform: Platform, console: &mut Console) -> Result<(), Box<dyn std::error::Error>> {
    mounts::writable()?;
    etc::prepare()?;
    if platform == Platform::Container {
        mounts::optional_software()?;
        sysctls::protect(console)?;
    }
    mounts::share()?;
    cgroups::prepare(console)?;
    raise_open_files(console);
    Ok(())
}

/// The contract's limit, or as much of it as the host allows.
fn raise_open_files(console: &mut Console) {
    const WANTED: u64 = 1_048_576;
    if sys::system::limit_open_files(WANTED).is_ok() {
        return;
    }
    let hard = sys::system::open_files_limit().unwrap_or(WANTED).min(WANTED);
    match sys::system::limit_open_files(hard) {
        Ok(()) => console.say(&format!("open files are limited to {hard} by the host")),
        Err(error) => console.error("cannot raise the limit of open files", &error),
    }
}
